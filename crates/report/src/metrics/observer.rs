//! Observer: the metrics of the observer, whose values it gives at each scrape.

use std::io;

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
}

/// One sample: the values of the metric's labels, and its value.
pub type ObserverSample = (ObserverMetric, Vec<String>, f64);

/// The text of the observer's metrics, every series labelled with `node`.
pub fn observer_metrics(
    samples: &[ObserverSample],
    node: &str,
    format: Exposition,
) -> io::Result<Vec<u8>> {
    let (mut out, end) = (Vec::new(), end_of_labels(node));
    for (metric, definition) in ALL.iter().zip(OBSERVER_DEFINITIONS) {
        let of = (definition.name, definition.kind, definition.help);
        let mut family = FamilyWriter::new(&mut out, format, of, definition.labels, &end, false);
        for (_, values, value) in samples.iter().filter(|(of, ..)| of == metric) {
            let values: Vec<_> = values.iter().map(|value| escaped(value)).collect();
            let values: Vec<_> = values.iter().map(String::as_str).collect();
            family.sample(&values, *value)?;
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
        let own = names.iter().filter(|name| !name.starts_with("process_"));
        assert!(
            own.clone()
                .all(|name| name.starts_with("privatelink_observer_")),
            "{names:?}"
        );
        let samples = [
            (ObserverMetric::Leading, vec![], 1.0),
            (
                ObserverMetric::SourceState,
                vec!["images".to_owned(), "ok".to_owned()],
                1.0,
            ),
        ];
        let text = observer_metrics(&samples, "aks-1", Exposition::Text).expect("memory");
        let text = String::from_utf8(text).expect("text");
        assert!(
            text.starts_with("# HELP privatelink_observer_leading "),
            "{text}"
        );
        assert!(
            text.contains("\nprivatelink_observer_leading{node=\"aks-1\"} 1\n"),
            "{text}"
        );
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
