//! Observer: the metrics of the observer, whose values it gives at each scrape.

use std::io;
use std::sync::Arc;

use super::definition::{Definition, MetricKind, Scope};
use super::exposition::{Exposition, FamilyWriter, end_of_labels, escaped};
use super::process::write_process;

macro_rules! definitions {
    ($($id:ident $kind:ident $name:literal [$($label:literal)*] $help:literal, $exists:literal;)+) => {
        /// Which metric of the observer.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs, reason = "the table says what each means")]
        pub enum ObserverMetric { $($id,)+ }

        /// Every metric of the observer, sorted by name: the order of the text.
        pub const OBSERVER_DEFINITIONS: &[Definition] = &[$(Definition {
            name: $name,
            kind: MetricKind::$kind,
            labels: &[$($label,)*],
            scope: Scope::Observer,
            help: $help,
            exists: $exists,
        },)+];

        const ALL: &[ObserverMetric] = &[$(ObserverMetric::$id,)+];
    };
}

definitions! {
    EventsDropped Counter "privatelink_events_dropped_total" []
        "Kubernetes events that were not written because too many waited.",
        "where the observer writes events, from 0";
    FleetGate Gauge "privatelink_fleet_gate" ["answer"]
        "Whether public access may be turned off, by the last 24 hours: 1 for the answer, else 0.",
        "while the replica leads and reads the agents, for every answer";
    FleetNodes Gauge "privatelink_fleet_nodes" ["state"]
        "Nodes by whether an agent covers them: covered, stale (it answered before, and does not now) or uncovered.",
        "while the replica leads and reads the agents, for every state";
    FleetPatternNodes Gauge "privatelink_fleet_pattern_nodes" ["symptom" "scope" "cause"]
        "Nodes of a pattern, by what is seen, what the nodes have in common, and the likely cause; of several alike the most.",
        "while the replica leads and reads the agents, for every pattern";
    FleetTargetWorkloads Gauge "privatelink_fleet_target_workloads" ["target"]
        "Workloads of the cluster that use the target.",
        "while the replica leads and reads the agents, for every target of an agent that is covered whose users are known";
    FleetTargetsFailing Gauge "privatelink_fleet_targets_failing" ["target"]
        "Nodes on which the target fails.",
        "while the replica leads and reads the agents, for every target of an agent that is covered";
    NodeInfo Gauge "privatelink_node_info" ["pool" "zone" "region" "instance_type"]
        "What `node` shares with others, as labels that are empty where it is not known; the value is 1.",
        "while the replica leads and reads the agents, for every node of the cluster";
    ApiRequests Counter "privatelink_observer_api_requests_total" []
        "Requests to the API server.",
        "always, from 0";
    BuildInfo Gauge "privatelink_observer_build_info" ["version" "revision"]
        "What is running, as labels; the value is 1.",
        "always";
    Leading Gauge "privatelink_observer_leading" []
        "Whether this replica leads, and so writes.",
        "always";
    ObjectsOmitted Gauge "privatelink_observer_objects_omitted" ["source" "reason"]
        "Objects that use a service, or may use one, which is no target, by where it is named and why it is left out.",
        "where there are some";
    Publishing Gauge "privatelink_observer_publishing" []
        "Whether this replica could read and write the ConfigMap of the targets when it last had to.",
        "always";
    SourceState Gauge "privatelink_observer_source_state" ["source" "state"]
        "Whether what a source says is known: 1 for the state that it is in, else 0.",
        "always, for every source that is on and every state";
    SourceStateSince Gauge "privatelink_observer_source_state_since_timestamp_seconds" ["source"]
        "Since when the source is in its state.",
        "always, for every source that is on";
    ObserverTargets Gauge "privatelink_observer_targets" ["source"]
        "Targets for the agents, by what declared them.",
        "always, for crd and discovered";
    TargetsLeftOut Gauge "privatelink_observer_targets_left_out" []
        "Targets that there is no room for, in all (`limits.maxTargets`) or in their namespace.",
        "always";
    WebConfigLoaded Gauge "privatelink_observer_web_config_last_reload_successful" []
        "Whether the latest attempts to load the web configuration and how agents are read, with all certificates, succeeded.",
        "with `--web-config-file` or `--client-config-file`";
}

/// One sample.
#[derive(Clone, Debug, PartialEq)]
pub struct ObserverSample {
    /// Of which metric.
    pub metric: ObserverMetric,
    /// The values of the metric's labels.
    pub labels: Vec<String>,
    /// The node that it is about, where that is not the observer's own.
    pub node: Option<Arc<str>>,
    /// Its value.
    pub value: f64,
}

/// The text of the observer's metrics, every series labelled with the node that it is about, or else `node`.
pub fn observer_metrics(
    samples: &[ObserverSample],
    node: &str,
    format: Exposition,
) -> io::Result<Vec<u8>> {
    let (mut out, end) = (Vec::new(), end_of_labels(node));
    for (metric, definition) in ALL.iter().zip(OBSERVER_DEFINITIONS) {
        let of = (definition.name, definition.kind, definition.help);
        let mut has_head = false;
        for sample in samples.iter().filter(|sample| sample.metric == *metric) {
            let values: Vec<_> = sample.labels.iter().map(|value| escaped(value)).collect();
            let values: Vec<_> = values.iter().map(String::as_str).collect();
            let about = sample.node.as_deref().map(end_of_labels);
            let end = about.as_deref().unwrap_or(&end);
            FamilyWriter::new(&mut out, format, of, definition.labels, end, has_head)
                .sample(&values, sample.value)?;
            has_head = true;
        }
    }
    write_process(&mut out, format, &end)?;
    format.end(&mut out);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_sorted_by_name_and_every_series_has_the_node() {
        let names: Vec<_> = OBSERVER_DEFINITIONS.iter().map(|row| row.name).collect();
        assert!(names.is_sorted(), "{names:?}");
        // Alerts count the nodes that have an agent by `privatelink_build_info`.
        assert!(!names.contains(&"privatelink_build_info"));
        let sample = |metric, labels: &[&str], node: Option<&str>| ObserverSample {
            metric,
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
            node: node.map(Arc::from),
            value: 1.0,
        };
        let traits = ["apps", "westeurope-1", "westeurope", ""];
        let samples = [
            sample(ObserverMetric::Leading, &[], None),
            sample(ObserverMetric::SourceState, &["images", "ok"], None),
            sample(ObserverMetric::NodeInfo, &traits, Some("aks-2")),
            sample(ObserverMetric::NodeInfo, &traits, Some("aks-3")),
        ];
        let text = observer_metrics(&samples, "aks-1", Exposition::Text).expect("memory");
        let text = String::from_utf8(text).expect("text");
        assert!(text.starts_with("# HELP privatelink_node_info "), "{text}");
        assert!(
            text.contains("\nprivatelink_observer_leading{node=\"aks-1\"} 1\n"),
            "{text}"
        );
        assert_eq!(text.matches("# TYPE privatelink_node_info ").count(), 1);
        for node in ["aks-2", "aks-3"] {
            let labels =
                "pool=\"apps\",zone=\"westeurope-1\",region=\"westeurope\",instance_type=\"\"";
            let line = format!("\nprivatelink_node_info{{{labels},node=\"{node}\"}} 1\n");
            assert!(text.contains(&line), "{text}");
        }
        assert!(
            text.contains(
                "\nprivatelink_observer_source_state{source=\"images\",state=\"ok\",node=\"aks-1\"} 1\n"
            ),
            "{text}"
        );
        assert!(
            text.contains("\nprocess_resident_memory_bytes{node=\"aks-1\"} "),
            "{text}"
        );
    }
}
