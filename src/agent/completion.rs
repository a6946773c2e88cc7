//! Completion: judges, counts, records and logs the probes whose facts are gathered. A panic in that is counted, and
//! stops neither the others nor the agent.

use std::any::Any;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use privatelink_board::{Board, Entry, Probed, VerdictHistory};
use privatelink_report::events::{
    AddressClassesChanged, ProbeCompleted, ProbePanicked, VerdictChanged,
};
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
        let target = Arc::clone(&observed.target);
        let told = verdict.and_then(|verdict| {
            catch_unwind(AssertUnwindSafe(|| tell(board, metrics, observed, verdict)))
        });
        match told {
            Ok(told) => completed.extend(told),
            Err(panic) => ProbePanicked {
                target: &target.name,
                message: message(panic.as_ref()),
            }
            .emit(&mut board.scheduler),
        }
    }
    completed
}

/// Counts, records and logs a probe that is judged; `None` where its target is gone.
fn tell(
    board: &mut Board,
    metrics: &Metrics,
    observed: Observed,
    verdict: Verdict,
) -> Option<Completed> {
    let entry = board.entry_mut(&observed.target.name)?;
    let flaps = verdict.found(Reason::AddressFlapping);
    let probed = Arc::new(Probed {
        target: observed.target,
        observation: observed.observation,
        verdict,
    });
    ProbeCompleted { probed: &probed }.emit(Arc::make_mut(&mut entry.counters), metrics);
    let changes = entry.record(&probed);
    if let Some((from, to)) = changes.classes {
        AddressClassesChanged {
            target: &probed.target.name,
            from,
            to,
        }
        .emit(Arc::make_mut(&mut entry.counters));
    }
    if let Some(change) = changes.verdict {
        VerdictChanged {
            probed: &probed,
            previous: change.previous,
        }
        .emit();
        board.bound_summaries();
    }
    Some(Completed {
        slot: observed.slot,
        flaps,
        changed: changes
            .verdict
            .is_some_and(|change| change.previous.is_some()),
    })
}

/// What a panic carries.
type Panic = Box<dyn Any + Send>;

/// The text of a panic.
pub(super) fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no message")
}

/// The verdict on each of `observed`, or its panic, given the history of its target and the latest probes of the
/// other targets, which may be in `observed` too.
fn verdicts(board: &Board, observed: &[Observed]) -> Vec<Result<Verdict, Panic>> {
    let judged = |observed: &Observed, surroundings: &Surroundings| {
        let never_probed = VerdictHistory::default();
        let entry = board.entry(&observed.target.name);
        let history = entry.map_or(&never_probed, |entry| &entry.verdicts);
        let judge = || {
            judge(
                &observed.target,
                &observed.observation,
                history.history(),
                surroundings,
            )
        };
        catch_unwind(AssertUnwindSafe(judge))
    };
    if let [observed] = observed {
        let (target, observation) = (&observed.target, &observed.observation);
        let surroundings = if Surroundings::takes_all(observation) {
            Surroundings::of(target, observation, latest(board.entries.iter()))
        } else {
            let companions = board.companions(&target.name);
            Surroundings::of(target, observation, latest(companions))
        };
        return vec![judged(observed, &surroundings)];
    }
    // Surroundings never change an outcome (docs/adr/0007), so a first judgement without them gives
    // the outcomes that the other targets of the round need.
    let outcomes: Vec<_> = observed
        .iter()
        .filter_map(|observed| {
            let verdict = judged(observed, &Surroundings::default()).ok()?;
            Some((observed, verdict))
        })
        .collect();
    let names: HashSet<&str> = observed
        .iter()
        .map(|observed| observed.target.name.as_str())
        .collect();
    let earlier = || {
        let is_earlier = |entry: &&Entry| !names.contains(entry.target.name.as_str());
        latest(board.entries.iter().filter(is_earlier))
    };
    let others = || {
        outcomes
            .iter()
            .map(|(o, verdict)| (o.target.as_ref(), &o.observation, verdict))
            .chain(earlier())
    };
    observed
        .iter()
        .map(|observed| {
            let (target, observation) = (&observed.target, &observed.observation);
            judged(observed, &Surroundings::of(target, observation, others()))
        })
        .collect()
}

/// The latest probes of `entries`, where there are any.
fn latest<'b>(
    entries: impl Iterator<Item = &'b Entry>,
) -> impl Iterator<Item = (&'b Target, &'b Observation, &'b Verdict)> {
    entries
        .filter_map(|entry| entry.latest.as_deref())
        .map(|p| (p.target.as_ref(), &p.observation, &p.verdict))
}
