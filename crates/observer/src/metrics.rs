//! Metrics: what a replica of the observer exports.

use privatelink_report::metrics::observer::{ObserverMetric, ObserverSample};
use privatelink_report::time::unix_seconds;
use privatelink_report::version::VERSION;
use privatelink_verdict::target;

use crate::Observer;
use crate::source_state::SourceState;

impl Observer {
    /// Every sample as it is now. `revision` is that of the program's source.
    pub fn samples(&self, revision: &str) -> Vec<ObserverSample> {
        let mut samples = Vec::new();
        let mut add = |metric, labels: &[&str], value: f64| {
            let labels = labels.iter().map(|label| (*label).to_owned()).collect();
            samples.push((metric, labels, value));
        };
        add(ObserverMetric::BuildInfo, &[VERSION, revision], 1.0);
        add(ObserverMetric::ApiRequests, &[], count(self.requests.get()));
        add(
            ObserverMetric::Leading,
            &[],
            flag(self.leadership.is_leading()),
        );
        let is_publishing = self.shared.publishing().is_empty();
        add(ObserverMetric::Publishing, &[], flag(is_publishing));
        for (source, _, known) in self.sources() {
            for state in SourceState::ALL {
                let labels = [source, state.as_str()];
                add(
                    ObserverMetric::SourceState,
                    &labels,
                    flag(state == known.state),
                );
            }
            add(
                ObserverMetric::SourceStateSince,
                &[source],
                unix_seconds(known.since),
            );
        }
        let discovered = self.shared.discovered();
        for omitted in &discovered.omitted {
            let labels = [omitted.source.as_str(), omitted.omission.as_str()];
            add(
                ObserverMetric::ObjectsOmitted,
                &labels,
                count(omitted.objects as u64),
            );
        }
        let declared = self.shared.admission().targets.len();
        for (source, targets) in [
            (target::Source::Crd, declared),
            (target::Source::Discovered, discovered.targets.len()),
        ] {
            add(
                ObserverMetric::ObserverTargets,
                &[source.as_str()],
                count(targets as u64),
            );
        }
        add(
            ObserverMetric::TargetsLeftOut,
            &[],
            count((discovered.left_out + self.shared.declared().left_out()) as u64),
        );
        samples
    }
}

fn flag(is: bool) -> f64 {
    f64::from(u8::from(is))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "every sample is a float, exact up to 2^53"
)]
fn count(value: u64) -> f64 {
    value as f64
}
