//! Collect: every series but the histograms, built from the board at each scrape, so that none
//! outlives the fact that it is about.

use privatelink_board::{Board, Entry, Probed};
use privatelink_config::plan::Detail;
use privatelink_verdict::address::{Class, Family};
use privatelink_verdict::alias::has_alias;
use privatelink_verdict::observation::{Connection, Observation, TcpOutcome, TlsOutcome};
use privatelink_verdict::reason::Stage;
use privatelink_verdict::target::{Expectation, Source, Target};
use privatelink_verdict::verdict::Outcome;
use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};

use super::definition::{DEFINITIONS, Id, Kind, Scope};
use super::durations::stage_seconds;
use crate::time::unix_seconds;
use crate::version::VERSION;

/// The stages of `privatelink_probe_failures_total`.
const FAILURE_STAGES: [Stage; 6] = [
    Stage::Agent,
    Stage::Dns,
    Stage::Address,
    Stage::Connect,
    Stage::Tls,
    Stage::Http,
];

/// The stages of `privatelink_probe_timeouts_total`.
const TIMEOUT_STAGES: [Stage; 4] = [Stage::Dns, Stage::Connect, Stage::Tls, Stage::Http];

/// The lower bits of the configuration's hash, as many as a float holds exactly.
const HASH_BITS: u64 = (1 << 48) - 1;

/// The series of one scrape, by metric, in the order of [`DEFINITIONS`].
pub(super) struct Families {
    metrics: Vec<Vec<Metric>>,
    detail: Detail,
}

impl Families {
    /// Every series of what `board` knows.
    pub(super) fn of(board: &Board) -> Vec<MetricFamily> {
        let mut families = Self {
            metrics: vec![Vec::new(); DEFINITIONS.len()],
            detail: board.detail,
        };
        families.agent(board);
        for entry in &board.entries {
            families.target(entry);
        }
        families.finish()
    }

    fn set(&mut self, id: Id, labels: &[&str], value: f64) {
        let definition = id.definition();
        if definition.scope == Scope::Full && self.detail == Detail::Essential {
            return;
        }
        debug_assert_eq!(definition.labels.len(), labels.len(), "{}", definition.name);
        let pairs = definition.labels.iter().zip(labels).map(|(name, value)| {
            let mut pair = LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value((*value).to_owned());
            pair
        });
        let mut metric = Metric::from_label(pairs.collect());
        if definition.kind == Kind::Counter {
            let mut counter = Counter::default();
            counter.set_value(value);
            metric.set_counter(counter);
        } else {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            metric.set_gauge(gauge);
        }
        self.metrics[id as usize].push(metric);
    }

    fn agent(&mut self, board: &Board) {
        let revision = option_env!("REVISION").unwrap_or("unknown");
        self.set(Id::BuildInfo, &[VERSION, revision], 1.0);
        let (config, scheduler) = (&board.config, &board.scheduler);
        for &source in Source::ALL {
            let targets = board.entries.iter();
            let declared = targets
                .filter(|entry| entry.target.source == source)
                .count();
            let rejected = match source {
                Source::Config => config.rejected.config,
                Source::Crd => config.rejected.crd,
                Source::Discovered => config.rejected.discovered,
            };
            self.set(Id::Targets, &[source.as_str()], count(declared as u64));
            self.set(
                Id::TargetsRejected,
                &[source.as_str()],
                count(rejected as u64),
            );
        }
        self.set(Id::ConfigLoaded, &[], flag(config.last_reload_ok));
        self.set(
            Id::ConfigLoadedAt,
            &[],
            unix_seconds(config.last_success_at),
        );
        self.set(Id::ConfigHash, &[], count(config.hash & HASH_BITS));
        self.set(Id::InFlight, &[], count(scheduler.in_flight));
        self.set(Id::Skipped, &[], count(scheduler.skipped));
        self.set(Id::Panics, &[], count(scheduler.panics));
    }

    fn target(&mut self, entry: &Entry) {
        let target = &*entry.target;
        self.info(target);
        let name = target.name.as_str();
        self.set(Id::ProbeInterval, &[name], target.interval.as_secs_f64());
        let counters = &entry.counters;
        for &outcome in Outcome::ALL {
            let probes = counters.outcomes[outcome as usize];
            self.set(Id::Probes, &[name, outcome.as_str()], count(probes));
        }
        for stage in FAILURE_STAGES {
            let failures = counters.failures[stage as usize];
            self.set(Id::ProbeFailures, &[name, stage.as_str()], count(failures));
        }
        for stage in TIMEOUT_STAGES {
            let timeouts = counters.timeouts[stage as usize];
            self.set(Id::ProbeTimeouts, &[name, stage.as_str()], count(timeouts));
        }
        self.set(Id::DnsClassChanges, &[name], count(counters.class_changes));
        if let Some(probed) = &entry.latest {
            self.probe(name, probed);
        }
    }

    fn info(&mut self, target: &Target) {
        let labels = [
            target.name.as_str(),
            target.host.as_str(),
            &target.port.to_string(),
            target.service_slug(),
            target.expect.as_str(),
            target.source.as_str(),
            target.owner.as_deref().unwrap_or_default(),
        ];
        self.set(Id::TargetInfo, &labels, 1.0);
    }

    fn probe(&mut self, name: &str, probed: &Probed) {
        let (observation, verdict) = (&probed.observation, &probed.verdict);
        let success = verdict.outcome != Outcome::Fail;
        self.set(Id::ProbeSuccess, &[name], flag(success));
        let reason = [name, verdict.reason.as_str(), verdict.stage().as_str()];
        self.set(Id::ProbeReason, &reason, 1.0);
        let completed = unix_seconds(observation.checked_at);
        self.set(Id::ProbeLastRun, &[name], completed);
        for (stage, seconds) in stage_seconds(observation) {
            self.set(Id::ProbeDuration, &[name, stage], seconds);
        }
        self.dns(name, probed);
        self.connections(name, observation);
    }

    fn dns(&mut self, name: &str, probed: &Probed) {
        let observation = &probed.observation;
        let resolution = &observation.resolution;
        if let Some(fallback) = public_fallback(probed) {
            self.set(Id::DnsPublicFallback, &[name], flag(fallback));
        }
        if let Some(ttl) = observation.ttl() {
            self.set(Id::DnsTtl, &[name], f64::from(ttl));
        }
        if resolution
            .outcome()
            .is_some_and(|outcome| !outcome.is_failure())
        {
            let alias = has_alias(&probed.target, &observation.resolution);
            self.set(Id::DnsPrivatelinkAlias, &[name], flag(alias));
            for &class in Class::ALL {
                let addresses = resolution.addresses.iter();
                let of_class = addresses.filter(|address| address.class == class).count();
                let labels = [name, class.as_str()];
                self.set(Id::DnsAddresses, &labels, count(of_class as u64));
            }
        }
        for comparison in &observation.comparisons {
            if let Some(agrees) = comparison.agrees_with(resolution) {
                let labels = [name, comparison.resolution.resolver.as_str()];
                self.set(Id::ResolverAgrees, &labels, flag(agrees));
            }
        }
    }

    fn connections(&mut self, name: &str, observation: &Observation) {
        let connections = &observation.connections;
        if connections.iter().any(Connection::was_dialled) {
            let open = connections.iter().filter(|one| one.tcp == TcpOutcome::Ok);
            self.set(Id::ReachableAddresses, &[name], count(open.count() as u64));
        }
        let ends = observation.certificates().map(|(_, leaf)| leaf.not_after);
        if let Some(first) = ends.min() {
            let mut leaves = observation.certificates();
            let mismatch = leaves.any(|(_, leaf)| leaf.outcome() == TlsOutcome::NameMismatch);
            self.set(Id::TlsNameMismatch, &[name], flag(mismatch));
            self.set(Id::TlsNotAfter, &[name], signed(first));
        }
    }

    fn finish(self) -> Vec<MetricFamily> {
        let families = DEFINITIONS.iter().zip(self.metrics);
        families
            .filter(|(_, metrics)| !metrics.is_empty())
            .map(|(definition, metrics)| {
                let mut family = MetricFamily::default();
                family.set_name(definition.name.to_owned());
                family.set_help(definition.help.to_owned());
                family.set_field_type(match definition.kind {
                    Kind::Counter => MetricType::COUNTER,
                    Kind::Gauge => MetricType::GAUGE,
                    Kind::Histogram => MetricType::HISTOGRAM,
                });
                family.set_metric(metrics);
                family
            })
            .collect()
    }
}

/// Whether some address of a routable family is public, where a private endpoint is expected and
/// there is an address at all.
fn public_fallback(probed: &Probed) -> Option<bool> {
    let addresses = &probed.observation.resolution.addresses;
    let expected = probed.verdict.expect_effective == Expectation::PrivateEndpoint;
    (expected && !addresses.is_empty()).then(|| {
        addresses.iter().any(|address| {
            address.class == Class::Public && probed.observation.has_route(Family::of(address.ip))
        })
    })
}

fn flag(value: bool) -> f64 {
    f64::from(u8::from(value))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "every sample is a float, exact up to 2^53"
)]
fn count(value: u64) -> f64 {
    value as f64
}

#[expect(
    clippy::cast_precision_loss,
    reason = "every sample is a float, exact up to 2^53"
)]
fn signed(value: i64) -> f64 {
    value as f64
}
