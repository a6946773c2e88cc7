//! Completion: judges, records, counts and logs the probes whose facts are gathered.

use std::collections::HashSet;
use std::sync::Arc;

use privatelink_board::{Board, Probed, VerdictHistory};
use privatelink_report::events::{AddressClassesChanged, ProbeCompleted, VerdictChanged};
use privatelink_report::metrics::Metrics;
use privatelink_verdict::judge::judge;
use privatelink_verdict::observation::Observation;
use privatelink_verdict::reason::Reason;
use privatelink_verdict::surroundings::Surroundings;
use privatelink_verdict::target::Target;
use privatelink_verdict::verdict::Verdict;

/// A probe that is not judged yet.
#[derive(Debug)]
pub(super) struct Observed {
    /// The target's place in the schedule.
    pub(super) slot: usize,
    pub(super) target: Arc<Target>,
    pub(super) observation: Observation,
}

/// What the next probe of a target needs of this verdict.
#[derive(Debug)]
pub(super) struct Completed {
    /// The target's place in the schedule.
    pub(super) slot: usize,
    /// Whether the answers flap.
    pub(super) flaps: bool,
    /// Whether there was an earlier verdict, and it was a different one.
    pub(super) changed: bool,
}

/// Completes probes that belong together: those of one round, or a single one.
pub(super) fn complete(
    board: &mut Board,
    metrics: &Metrics,
    observed: Vec<Observed>,
) -> Vec<Completed> {
    let verdicts = verdicts(board, &observed);
    let mut completed = Vec::with_capacity(observed.len());
    for (observed, verdict) in observed.into_iter().zip(verdicts) {
        let Some(entry) = board.entry_mut(&observed.target.name) else {
            continue;
        };
        let flaps = verdict.found(Reason::AddressFlapping);
        let probed = Arc::new(Probed {
            target: observed.target,
            observation: observed.observation,
            verdict,
        });
        ProbeCompleted { probed: &probed }.emit(&mut entry.counters, metrics);
        let changes = entry.record(&probed);
        if let Some((from, to)) = changes.classes {
            AddressClassesChanged {
                target: &probed.target.name,
                from,
                to,
            }
            .emit(&mut entry.counters);
        }
        if let Some(change) = changes.verdict {
            VerdictChanged {
                probed: &probed,
                previous: change.previous,
            }
            .emit();
        }
        completed.push(Completed {
            slot: observed.slot,
            flaps,
            changed: changes
                .verdict
                .is_some_and(|change| change.previous.is_some()),
        });
    }
    completed
}

/// The verdict on each of `observed`, given the history of its target and the latest probes of the
/// other targets, which may be in `observed` too.
fn verdicts(board: &Board, observed: &[Observed]) -> Vec<Verdict> {
    let judged = |observed: &Observed, surroundings: &Surroundings| {
        let never_probed = VerdictHistory::default();
        let entry = board.entry(&observed.target.name);
        let history = entry.map_or(&never_probed, |entry| &entry.verdicts);
        judge(
            &observed.target,
            &observed.observation,
            history.history(),
            surroundings,
        )
    };
    // Surroundings never change an outcome (docs/adr/0007), so a first judgement without them gives
    // the outcomes that the other targets of the round need.
    let is_round = observed.len() > 1;
    let outcomes: Vec<Verdict> = observed
        .iter()
        .filter(|_| is_round)
        .map(|observed| judged(observed, &Surroundings::default()))
        .collect();
    let names: HashSet<&str> = observed
        .iter()
        .map(|observed| observed.target.name.as_str())
        .collect();
    let earlier = || {
        board
            .entries
            .iter()
            .filter_map(|entry| entry.latest.as_deref())
            .filter(|probed| !is_round || !names.contains(probed.target.name.as_str()))
    };
    let others = || {
        observed
            .iter()
            .zip(&outcomes)
            .map(|(o, verdict)| (o.target.as_ref(), &o.observation, verdict))
            .chain(earlier().map(|p| (p.target.as_ref(), &p.observation, &p.verdict)))
    };
    observed
        .iter()
        .map(|observed| {
            let (target, observation) = (&observed.target, &observed.observation);
            judged(observed, &Surroundings::of(target, observation, others()))
        })
        .collect()
}
