//! Series: the samples of each metric, from the row of a target or from what is known of the agent. A
//! fact that is not known has no sample.
//!
//! Samples are sorted by the values of their labels.

use std::io;
use std::sync::atomic::Ordering;

use privatelink_board::Board;
use privatelink_verdict::address::Class;
use privatelink_verdict::reason::Stage;
use privatelink_verdict::target::Source;
use privatelink_verdict::verdict::Outcome;

use super::definition::Id;
use super::durations::{STAGES, STAGES_SORTED};
use super::exposition::{FamilyWriter, count, escaped};
use super::row::{ProbeFacts, Row};
use crate::time::unix_seconds;
use crate::version::{REVISION, VERSION};

/// The outcomes of `privatelink_probes_total`.
const OUTCOMES: [Outcome; Outcome::ALL.len()] = [Outcome::Fail, Outcome::Pass, Outcome::Warn];

/// The stages of `privatelink_probe_failures_total`.
const FAILURE_STAGES: [Stage; 6] = [
    Stage::Address,
    Stage::Agent,
    Stage::Connect,
    Stage::Dns,
    Stage::Http,
    Stage::Tls,
];

/// The stages of `privatelink_probe_timeouts_total`.
const TIMEOUT_STAGES: [Stage; 4] = [Stage::Connect, Stage::Dns, Stage::Http, Stage::Tls];

/// The lower bits of the configuration's hash, as many as a float holds exactly.
const HASH_BITS: u64 = (1 << 48) - 1;

/// A sample that is of the agent and not of a target.
#[derive(Debug)]
pub(super) struct AgentSample {
    pub(super) id: Id,
    pub(super) labels: Vec<&'static str>,
    pub(super) value: f64,
}

impl AgentSample {
    /// Every sample of the agent.
    pub(super) fn all(board: &Board) -> Vec<Self> {
        let (config, scheduler) = (&board.config, &board.scheduler);
        let mut samples = Vec::new();
        let mut add = |id, labels: &[&'static str], value| {
            let labels = labels.to_vec();
            samples.push(Self { id, labels, value });
        };
        add(Id::BuildInfo, &[VERSION, REVISION], 1.0);
        for &source in Source::ALL {
            let targets = board.entries.iter();
            let declared = targets.filter(|entry| entry.target.source == source);
            let rejected = match source {
                Source::Config => config.rejected.config,
                Source::Crd => config.rejected.crd,
                Source::Discovered => config.rejected.discovered,
            };
            let labels = [source.as_str()];
            add(Id::Targets, &labels, count(declared.count() as u64));
            add(Id::TargetsRejected, &labels, count(rejected as u64));
        }
        add(Id::ConfigLoaded, &[], flag(config.last_reload_ok));
        let loaded_at = unix_seconds(config.last_success_at);
        add(Id::ConfigLoadedAt, &[], loaded_at);
        add(Id::ConfigHash, &[], count(config.hash & HASH_BITS));
        if let Some(is_ok) = board.web_reload_ok {
            add(Id::WebConfigLoaded, &[], flag(is_ok));
            let denied = board.http.denied.load(Ordering::Relaxed);
            add(Id::HttpDenied, &[], count(denied));
        }
        add(Id::InFlight, &[], count(scheduler.in_flight));
        add(Id::Skipped, &[], count(scheduler.skipped));
        add(Id::Panics, &[], count(scheduler.panics));
        add(
            Id::HttpRefused,
            &[],
            count(board.http.refused.load(Ordering::Relaxed)),
        );
        add(
            Id::HttpSlowReaders,
            &[],
            count(board.http.slow_readers.load(Ordering::Relaxed)),
        );
        samples
    }
}

/// Writes the samples that the target of `row` has of the metric `id`; those of
/// [`Id::ResolverAgrees`] are not in the row.
pub(super) fn write_target(id: Id, row: &Row, family: &mut FamilyWriter<'_>) -> io::Result<()> {
    let (target, counters) = (&*row.target, &*row.counters);
    let name = target.name.as_str();
    match id {
        Id::Probes => {
            for outcome in OUTCOMES {
                let probes = counters.outcomes[outcome as usize];
                family.sample(&[name, outcome.as_str()], probes.into())?;
            }
        }
        Id::ProbeFailures => {
            for stage in FAILURE_STAGES {
                let failures = counters.failures[stage as usize];
                family.sample(&[name, stage.as_str()], failures.into())?;
            }
        }
        Id::ProbeTimeouts => {
            for stage in TIMEOUT_STAGES {
                let timeouts = counters.timeouts[stage as usize];
                family.sample(&[name, stage.as_str()], timeouts.into())?;
            }
        }
        Id::ProbeInterval => family.sample(&[name], target.interval.as_secs_f64())?,
        Id::DnsClassChanges => family.sample(&[name], counters.class_changes.into())?,
        Id::TargetInfo => {
            let labels = [
                name,
                &escaped(&target.host),
                &target.port.to_string(),
                target.service_slug(),
                target.expect.as_str(),
                target.source.as_str(),
                &escaped(target.owner.as_deref().unwrap_or_default()),
            ];
            family.sample(&labels, 1.0)?;
        }
        _ => {
            if let Some(probe) = &row.probe {
                write_probe(id, name, probe, family)?;
            }
        }
    }
    Ok(())
}

fn write_probe(
    id: Id,
    name: &str,
    probe: &ProbeFacts,
    family: &mut FamilyWriter<'_>,
) -> io::Result<()> {
    let (answer, certificate) = (probe.answer.as_ref(), probe.certificate.as_ref());
    let value = match id {
        Id::ProbeReason => {
            let labels = [name, probe.reason.as_str(), probe.reason.stage().as_str()];
            return family.sample(&labels, 1.0);
        }
        Id::ProbeDuration => {
            for stage in STAGES_SORTED {
                let seconds = probe.seconds[stage];
                if !seconds.is_nan() {
                    family.sample(&[name, STAGES[stage]], seconds)?;
                }
            }
            return Ok(());
        }
        Id::DnsAddresses => {
            for (class, addresses) in Class::ALL
                .iter()
                .zip(answer.iter().flat_map(|a| a.addresses))
            {
                family.sample(&[name, class.as_str()], addresses.into())?;
            }
            return Ok(());
        }
        Id::ProbeSuccess => Some(flag(probe.success)),
        Id::ProbeLastRun => Some(probe.completed),
        Id::DnsPublicFallback => probe.public_fallback.map(flag),
        Id::DnsPrivatelinkAlias => answer.map(|answer| flag(answer.alias)),
        Id::DnsTtl => probe.ttl.map(f64::from),
        Id::ReachableAddresses => probe.reachable.map(f64::from),
        Id::TlsNameMismatch => certificate.map(|one| flag(one.name_mismatch)),
        Id::TlsNotAfter => certificate.map(|one| signed(one.not_after)),
        _ => None,
    };
    value.map_or(Ok(()), |value| family.sample(&[name], value))
}

pub(super) fn flag(value: bool) -> f64 {
    f64::from(u8::from(value))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "every sample is a float, exact up to 2^53"
)]
fn signed(value: i64) -> f64 {
    value as f64
}
