//! Metrics: what a replica of the observer exports.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use privatelink_fleet::Coverage;
use privatelink_report::metrics::observer::{ObserverMetric, ObserverSample};
use privatelink_report::time::unix_seconds;
use privatelink_report::version::VERSION;
use privatelink_verdict::target;
use privatelink_verdict::verdict::Outcome;

use crate::Observer;
use crate::source_state::SourceState;

impl Observer {
    /// Every sample as it is now. `revision` is that of the program's source.
    pub fn samples(&self, revision: &str) -> Vec<ObserverSample> {
        let mut samples = Vec::new();
        let mut add = |metric, labels: &[&str], value: f64| {
            samples.push(sample(metric, labels, None, value));
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
        if self.options.events {
            let dropped = count(self.shared.inner.events_dropped.load(Ordering::Relaxed));
            samples.push(sample(ObserverMetric::EventsDropped, &[], None, dropped));
        }
        if self.options.release.is_some() && self.leadership.is_leading() {
            self.add_fleet(&mut samples);
        }
        samples
    }

    fn add_fleet(&self, samples: &mut Vec<ObserverSample>) {
        let fleet = self.shared.fleet();
        let mut nodes: BTreeMap<&str, u64> = BTreeMap::new();
        let mut failing: BTreeMap<&str, u64> = BTreeMap::new();
        let mut workloads: BTreeMap<&str, u64> = BTreeMap::new();
        for seen in fleet.seen(SystemTime::now().into()) {
            *nodes.entry(seen.coverage.as_str()).or_default() += 1;
            let traits = &seen.node.traits;
            let labels = [
                &traits.pool,
                &traits.zone,
                &traits.region,
                &traits.instance_type,
            ];
            let labels = labels.map(|label| label.as_deref().unwrap_or_default());
            let node = Some(Arc::clone(&seen.node.name));
            samples.push(sample(ObserverMetric::NodeInfo, &labels, node, 1.0));
            let view = seen.view.filter(|_| seen.is_covered());
            for cell in view.iter().flat_map(|view| &view.cells) {
                let fails = matches!(cell.judged, Some((Outcome::Fail, _)));
                *failing.entry(&cell.target.name).or_default() += u64::from(fails);
                // Agents may know different lists while a change spreads.
                if let Some(users) = &cell.target.users {
                    let most = workloads.entry(&cell.target.name).or_default();
                    *most = (*most).max(users.workloads);
                }
            }
        }
        for state in Coverage::STATES {
            let nodes = nodes.get(state).copied().unwrap_or_default();
            samples.push(sample(
                ObserverMetric::FleetNodes,
                &[state],
                None,
                count(nodes),
            ));
        }
        for (metric, counts) in [
            (ObserverMetric::FleetTargetWorkloads, workloads),
            (ObserverMetric::FleetTargetsFailing, failing),
        ] {
            for (target, counted) in counts {
                samples.push(sample(metric, &[target], None, count(counted)));
            }
        }
    }
}

fn sample(
    metric: ObserverMetric,
    labels: &[&str],
    node: Option<Arc<str>>,
    value: f64,
) -> ObserverSample {
    ObserverSample {
        metric,
        labels: labels.iter().map(|label| (*label).to_owned()).collect(),
        node,
        value,
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
