//! Row: what the series of one target say at one moment. A scrape reads a row of every target before it
//! writes, because the text goes metric by metric, and a probe may end in between.
//!
//! A row is small and holds nothing that a probe allocated: a client that reads slowly keeps no old
//! probe in memory.

use std::sync::Arc;

use privatelink_board::{Counters, Entry, Probed};
use privatelink_verdict::address::{Class, Family};
use privatelink_verdict::alias::has_alias;
use privatelink_verdict::observation::{Connection, TcpOutcome, TlsOutcome};
use privatelink_verdict::reason::Reason;
use privatelink_verdict::target::{Expectation, Target};
use privatelink_verdict::verdict::Outcome;

use super::durations::{STAGES, StageHistograms, stage_seconds};
use crate::time::unix_seconds;

/// One target at one moment.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) target: Arc<Target>,
    pub(super) counters: Arc<Counters>,
    /// The latest completed probe.
    pub(super) probe: Option<ProbeFacts>,
    /// Where every target has histograms of its own, and was probed.
    pub(super) histograms: Option<Arc<StageHistograms>>,
}

/// What a completed probe learnt.
#[derive(Debug)]
pub(super) struct ProbeFacts {
    pub(super) completed: f64,
    /// In the order of [`STAGES`]; not a number for a stage that did not run.
    pub(super) seconds: [f64; STAGES.len()],
    pub(super) certificate: Option<CertificateFacts>,
    pub(super) ttl: Option<u32>,
    pub(super) reachable: Option<u16>,
    pub(super) answer: Option<AnswerFacts>,
    pub(super) public_fallback: Option<bool>,
    pub(super) success: bool,
    pub(super) reason: Reason,
}

/// What the certificates received say.
#[derive(Debug)]
pub(super) struct CertificateFacts {
    /// The earliest end, in Unix seconds.
    pub(super) not_after: i64,
    pub(super) name_mismatch: bool,
}

/// What the target's resolver answered.
#[derive(Debug)]
pub(super) struct AnswerFacts {
    pub(super) alias: bool,
    /// In the order of [`Class::ALL`].
    pub(super) addresses: [u16; Class::ALL.len()],
}

impl Row {
    /// The row of `entry` as it is now.
    pub(super) fn of(entry: &Entry, histograms: Option<Arc<StageHistograms>>) -> Self {
        Self {
            target: Arc::clone(&entry.target),
            counters: Arc::clone(&entry.counters),
            probe: entry.latest.as_deref().map(ProbeFacts::of),
            histograms,
        }
    }
}

impl ProbeFacts {
    fn of(probed: &Probed) -> Self {
        let (observation, verdict) = (&probed.observation, &probed.verdict);
        let connections = &observation.connections;
        let reachable = connections.iter().any(Connection::was_dialled).then(|| {
            let open = connections.iter().filter(|one| one.tcp == TcpOutcome::Ok);
            saturated(open.count())
        });
        let ends = observation
            .certificates()
            .map(|(_, certificate)| certificate.leaf.not_after);
        let certificate = ends.min().map(|not_after| CertificateFacts {
            not_after,
            name_mismatch: observation
                .certificates()
                .any(|(_, certificate)| certificate.outcome() == TlsOutcome::NameMismatch),
        });
        Self {
            completed: unix_seconds(observation.checked_at),
            seconds: stage_seconds(observation).map(|seconds| seconds.unwrap_or(f64::NAN)),
            certificate,
            ttl: observation.ttl(),
            reachable,
            answer: AnswerFacts::of(probed),
            public_fallback: public_fallback(probed),
            success: verdict.outcome != Outcome::Fail,
            reason: verdict.reason,
        }
    }
}

impl AnswerFacts {
    fn of(probed: &Probed) -> Option<Self> {
        let resolution = &probed.observation.resolution;
        let outcome = resolution.outcome()?;
        (!outcome.is_failure()).then(|| Self {
            alias: has_alias(&probed.target, resolution),
            addresses: std::array::from_fn(|index| {
                let addresses = resolution.addresses.iter();
                let of_class = addresses.filter(|address| address.class as usize == index);
                saturated(of_class.count() + usize::from(resolution.left_out[index]))
            }),
        })
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

/// Far fewer addresses are kept of an answer than fit.
fn saturated(count: usize) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_small() {
        let size = size_of::<Row>();
        assert!(size <= 120, "{size} bytes");
    }
}
