//! Definition: the name, labels and meaning of every metric, and when its series exist. Both
//! `/metrics` and docs/metrics.md are made from this table.

use std::sync::LazyLock;

use serde::Serialize;

/// What kind of metric it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MetricKind {
    /// Only grows, until the agent restarts.
    Counter,
    /// A fact as it is now.
    Gauge,
    /// How a duration is distributed.
    Histogram,
}

impl MetricKind {
    /// The word of the exposition format.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// Where a metric is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Once per agent.
    Agent,
    /// Per target, with `metrics: full`.
    Full,
    /// Per target, also with `metrics: essential`.
    Essential,
    /// Once per replica of the observer.
    Observer,
}

/// One metric.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Definition {
    /// The name.
    pub name: &'static str,
    /// What kind of metric it is.
    pub kind: MetricKind,
    /// Its labels; `node` comes on top.
    pub labels: &'static [&'static str],
    /// Where it is exported.
    pub scope: Scope,
    /// What it means.
    pub help: &'static str,
    /// When its series exist.
    pub exists: &'static str,
}

macro_rules! definitions {
    ($($id:ident $kind:ident $scope:ident $name:literal [$($label:literal)*] $help:literal, $exists:literal;)+) => {
        /// Which metric.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Id { $($id,)+ }

        impl Id {
            const ALL: &[Self] = &[$(Self::$id,)+];
        }

        /// Every metric of the agent, in the contract's order.
        pub const DEFINITIONS: &[Definition] = &[$(Definition {
            name: $name,
            kind: MetricKind::$kind,
            labels: &[$($label,)*],
            scope: Scope::$scope,
            help: $help,
            exists: $exists,
        },)+];
    };
}

definitions! {
    ProbeSuccess Gauge Essential "privatelink_probe_success" ["target"]
        "Whether the latest probe passed: 1 unless its outcome is fail.",
        "after the first probe";
    ProbeReason Gauge Essential "privatelink_probe_reason" ["target" "reason" "stage"]
        "The primary reason of the latest verdict, as a label; the value is 1.",
        "exactly one series per target after the first probe; `ok`, `none` without a reason";
    Probes Counter Full "privatelink_probes_total" ["target" "outcome"]
        "Completed probes by outcome.",
        "always, at 0 for every outcome";
    ProbeFailures Counter Full "privatelink_probe_failures_total" ["target" "stage"]
        "Probes with the outcome fail by the stage of their primary reason.",
        "always, at 0 for every stage; sums to `privatelink_probes_total{outcome=\"fail\"}`";
    ProbeTimeouts Counter Full "privatelink_probe_timeouts_total" ["target" "stage"]
        "Probes in which something timed out, by stage, even if another address succeeded.",
        "always, at 0 for every stage; grows by at most 1 per probe and stage";
    ProbeDuration Gauge Full "privatelink_probe_duration_seconds" ["target" "stage"]
        "How long the stages of the latest probe took.",
        "for the stages that ran, and `total`";
    StageDuration Histogram Agent "privatelink_probe_stage_duration_seconds" ["stage"]
        "How long the stages of all probes took.",
        "always; with `--histograms target` also per `target`, with `--histograms off` not at all";
    ProbeLastRun Gauge Essential "privatelink_probe_last_run_timestamp_seconds" ["target"]
        "When the latest probe was completed.",
        "after the first probe";
    ProbeInterval Gauge Essential "privatelink_probe_interval_seconds" ["target"]
        "The time between the starts of two probes.",
        "always";
    DnsPublicFallback Gauge Essential "privatelink_dns_public_fallback" ["target"]
        "Whether some address is public although a private endpoint is expected.",
        "where privateEndpoint is in force and the answer has an address; families without a route do not count";
    DnsPrivatelinkAlias Gauge Full "privatelink_dns_privatelink_alias" ["target"]
        "Whether a privatelink alias is in the chain, or the host is one itself.",
        "when the target's resolver answered, be it negatively";
    DnsAddresses Gauge Full "privatelink_dns_addresses" ["target" "class"]
        "Addresses of the answer by class.",
        "when the target's resolver answered, be it negatively";
    DnsClassChanges Counter Full "privatelink_dns_class_changes_total" ["target"]
        "Changes of the answer's classes between consecutive answered probes.",
        "always, from 0";
    DnsTtl Gauge Full "privatelink_dns_ttl_seconds" ["target"]
        "The smallest TTL of the answer.",
        "when the answer has an address";
    ResolverAgrees Gauge Full "privatelink_resolver_agrees" ["target" "resolver"]
        "Whether another resolver gives addresses of the same classes as the target's.",
        "per other resolver, when both answered, be it negatively";
    ReachableAddresses Gauge Full "privatelink_reachable_addresses" ["target"]
        "Addresses that accepted a connection; 0 if all were dialled in vain.",
        "when some address was dialled";
    TlsNameMismatch Gauge Essential "privatelink_tls_name_mismatch" ["target"]
        "Whether some certificate received is for other names.",
        "when a certificate was received";
    TlsNotAfter Gauge Essential "privatelink_tls_certificate_not_after_timestamp_seconds" ["target"]
        "When the first of the leaf certificates received expires.",
        "when a certificate was received";
    TargetInfo Gauge Essential "privatelink_target_info" ["target" "host" "port" "service" "expect" "source" "owner"]
        "What the target is, as labels; the value is 1.",
        "always";
    BuildInfo Gauge Agent "privatelink_build_info" ["version" "revision"]
        "What is running, as labels; the value is 1.",
        "always";
    Targets Gauge Agent "privatelink_targets" ["source"]
        "Targets by the source that declared them.",
        "always, for every source";
    TargetsRejected Gauge Agent "privatelink_targets_rejected" ["source"]
        "Targets that were refused, by the source that declared them.",
        "always, for every source";
    ConfigLoaded Gauge Agent "privatelink_config_last_reload_successful" []
        "Whether the latest attempt to load the configuration succeeded.",
        "always";
    ConfigLoadedAt Gauge Agent "privatelink_config_last_reload_success_timestamp_seconds" []
        "When the configuration was last loaded with success.",
        "always";
    ConfigHash Gauge Agent "privatelink_config_hash" []
        "Of the content of the configuration's files: equal where the same configuration runs.",
        "always; the lower 48 bits, which a sample holds exactly";
    WebConfigLoaded Gauge Agent "privatelink_web_config_last_reload_successful" []
        "Whether the latest attempt to load the web configuration, with its certificates, succeeded.",
        "with `--web-config-file`";
    InFlight Gauge Agent "privatelink_probes_in_flight" []
        "Probes that are running.",
        "always";
    Skipped Counter Agent "privatelink_probes_skipped_total" []
        "Probes that were skipped because the one before was late.",
        "always, from 0";
    Panics Counter Agent "privatelink_probe_panics_total" []
        "Probes that panicked, which is a defect of the agent.",
        "always, from 0";
    HttpRefused Counter Agent "privatelink_http_requests_refused_total" []
        "Requests answered with 503, because too many replies were under way.",
        "always, from 0";
    HttpSlowReaders Counter Agent "privatelink_http_slow_readers_total" []
        "Connections that were ended because the client read a reply too slowly.",
        "always, from 0";
    HttpDenied Counter Agent "privatelink_http_requests_denied_total" []
        "Requests of those who may not read: without TLS, a certificate or a password that the web configuration asks for.",
        "with `--web-config-file`, from 0";
}

/// Every metric, sorted by name: the order of the text.
pub(super) static BY_NAME: LazyLock<Vec<Id>> = LazyLock::new(|| {
    let mut ids = Id::ALL.to_vec();
    ids.sort_by_key(|id| id.definition().name);
    ids
});

impl Id {
    /// The row of the table.
    pub(super) const fn definition(self) -> &'static Definition {
        &DEFINITIONS[self as usize]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn counters_end_in_total_and_names_are_unique() {
        let mut names = HashSet::new();
        for definition in DEFINITIONS {
            assert!(names.insert(definition.name), "{} twice", definition.name);
            let total = definition.name.ends_with("_total");
            assert_eq!(
                definition.kind == MetricKind::Counter,
                total,
                "{}",
                definition.name
            );
            assert!(
                definition.name.starts_with("privatelink_"),
                "{}",
                definition.name
            );
        }
    }

    #[test]
    fn essential_is_the_contracts_list() {
        let essential = DEFINITIONS
            .iter()
            .filter(|definition| definition.scope == Scope::Essential);
        let names: Vec<_> = essential
            .map(|definition| &definition.name["privatelink_".len()..])
            .collect();
        assert_eq!(
            names,
            [
                "probe_success",
                "probe_reason",
                "probe_last_run_timestamp_seconds",
                "probe_interval_seconds",
                "dns_public_fallback",
                "tls_name_mismatch",
                "tls_certificate_not_after_timestamp_seconds",
                "target_info",
            ]
        );
    }
}
