//! Metrics: what a replica of the observer exports.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use privatelink_fleet::gate::Answer;
use privatelink_fleet::query::GateQuery;
use privatelink_fleet::{Coverage, FleetQuery, FleetReport};
use privatelink_report::metrics::observer::{ObserverMetric, ObserverSample};
use privatelink_report::time::unix_seconds;
use privatelink_report::version::VERSION;
use privatelink_verdict::target;
use privatelink_verdict::verdict::Outcome;

use crate::source_state::SourceState;
use crate::{Observer, locked};

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
        if let Some(is_ok) = locked(&self.shared.inner.web_reloads).are_ok() {
            add(ObserverMetric::WebConfigLoaded, &[], flag(is_ok));
        }
        self.add_targets(&mut samples);
        if self.options.events {
            let dropped = count(self.shared.inner.events_dropped.load(Ordering::Relaxed));
            samples.push(sample(ObserverMetric::EventsDropped, &[], None, dropped));
        }
        if self.options.release.is_some() && self.leadership.is_leading() {
            self.add_fleet(&mut samples);
            let query = FleetQuery {
                gate: Some(GateQuery::default()),
                ..FleetQuery::default()
            };
            // While not all agents were read, there is none.
            let report = self.own_fleet(&query, SystemTime::now());
            samples.extend(report.iter().flat_map(conclusions));
        }
        samples
    }

    /// What is found and declared. The report of the fleet counts what is found too, so the lock ends with this.
    fn add_targets(&self, samples: &mut Vec<ObserverSample>) {
        let mut add = |metric, labels: &[&str], value| {
            samples.push(sample(metric, labels, None, value));
        };
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

/// What the report of the fleet concludes: patterns, and the answer of the gate.
fn conclusions(report: &FleetReport) -> Vec<ObserverSample> {
    let mut samples = Vec::new();
    let mut patterns: BTreeMap<[&str; 3], u32> = BTreeMap::new();
    for pattern in &report.patterns {
        let labels = [&*pattern.symptom, &*pattern.scope, &*pattern.cause];
        let most = patterns.entry(labels).or_default();
        *most = (*most).max(pattern.nodes);
    }
    for (labels, nodes) in patterns {
        let metric = ObserverMetric::FleetPatternNodes;
        samples.push(sample(metric, &labels, None, nodes.into()));
    }
    if let Some(gate) = &report.gate {
        for answer in Answer::ALL {
            let metric = ObserverMetric::FleetGate;
            let is = flag(gate.answer == *answer);
            samples.push(sample(metric, &[answer.as_str()], None, is));
        }
    }
    samples
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

#[cfg(test)]
mod tests {
    use privatelink_fleet::WhyUncovered;
    use privatelink_fleet::{Cell, CellPaths, Fleet, FleetTarget, Moment, Node, Traits, View};
    use privatelink_verdict::reason::Reason;
    use privatelink_verdict::target::Expectation;

    use super::*;

    const NOW: Moment = Moment(1_000_000);

    /// What two nodes say of one target, of which the second fails for this reason.
    fn fleet(reason: Option<Reason>) -> Fleet {
        let mut fleet = Fleet::default();
        let nodes = ["a", "b"].map(|name| Node {
            name: name.into(),
            traits: Traits::default(),
            joined: None,
            coverage: Coverage::Uncovered(WhyUncovered::NotRead),
        });
        fleet.set_nodes(nodes.to_vec(), NOW);
        for (node, fails) in [("a", None), ("b", reason)] {
            let judged = fails.map_or((Outcome::Pass, Reason::Ok), |reason| {
                (Outcome::Fail, reason)
            });
            let cell = Cell {
                target: Arc::new(FleetTarget {
                    name: "kv".to_owned(),
                    host: "kv.vault.azure.net".to_owned(),
                    service: "key-vault".to_owned(),
                    users: None,
                }),
                judged: Some(judged),
                since: NOW,
                is_confirmed: true,
                is_stale: false,
                expect: Expectation::PrivateEndpoint,
                paths: CellPaths::default(),
            };
            let view = View {
                version: "1".into(),
                agent_started: NOW,
                config_hash: "1".into(),
                config_loaded: true,
                cells: vec![cell],
            };
            assert!(fleet.set_view(node, view, NOW));
        }
        fleet
    }

    fn report(reason: Option<Reason>) -> FleetReport {
        let query = FleetQuery {
            gate: Some(GateQuery::default()),
            ..FleetQuery::default()
        };
        fleet(reason).report(&query, NOW)
    }

    /// All locks of the observer are taken on the way, and none twice.
    #[test]
    fn the_leader_exports_the_gate_beside_what_is_found() {
        let observer = Observer::of_fleet(fleet(None), crate::ObserverRules::default());
        let samples = observer.samples("0");
        for metric in [ObserverMetric::ObserverTargets, ObserverMetric::FleetGate] {
            assert!(samples.iter().any(|sample| sample.metric == metric));
        }
    }

    fn told(report: &FleetReport) -> Vec<(ObserverMetric, String, f64)> {
        conclusions(report)
            .into_iter()
            .map(|sample| (sample.metric, sample.labels.join(" "), sample.value))
            .collect()
    }

    #[test]
    fn the_gate_has_one_answer_and_says_the_others_too() {
        let gate = |answer: &str, is| (ObserverMetric::FleetGate, answer.to_owned(), is);
        // The history of this fleet has just begun.
        let expected = [gate("yes", 0.0), gate("no", 0.0), gate("cannot_tell", 1.0)];
        assert_eq!(told(&report(None)), expected);
    }

    #[test]
    fn a_pattern_is_counted_by_what_is_seen_where_and_why() {
        let told = told(&report(Some(Reason::PublicFallback)));
        let labels = "zone_not_seen one_node node_dns".to_owned();
        let expected = (ObserverMetric::FleetPatternNodes, labels, 1.0);
        assert_eq!(told[0], expected);
        assert_eq!(told.len(), 4, "{told:?}");
    }
}
