//! Rounds: probing every target of a plan now, side by side, without a schedule.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::iter;
use privatelink_verdict::judge::judge;
use privatelink_verdict::reason::Reason;
use privatelink_verdict::surroundings::Surroundings;
use privatelink_verdict::target::Target;
use privatelink_verdict::verdict::Verdict;

use privatelink_board::{Change, Course, Probed};
use privatelink_config::plan::Plan;
use privatelink_machine::Machine;
use privatelink_probe::{Memory, Prober};

/// The targets of a plan, and what is remembered of them from round to round.
#[derive(Debug)]
pub struct Rounds {
    prober: Prober,
    at_once: usize,
    seats: Vec<Seat>,
}

#[derive(Debug)]
struct Seat {
    target: Arc<Target>,
    memory: Memory,
    course: Course,
}

impl Rounds {
    /// Probes the targets of `plan`.
    pub fn new(plan: &Plan) -> Self {
        Self::on(Machine::own(), plan)
    }

    /// The same on another machine than this one.
    pub fn on(machine: Machine, plan: &Plan) -> Self {
        let seat = |target: &Arc<Target>| Seat {
            target: Arc::clone(target),
            memory: Memory::default(),
            course: Course::default(),
        };
        Self {
            prober: Prober::new(machine, crate::agent::settings(plan)),
            at_once: plan.limits.max_concurrent,
            seats: plan.targets.iter().map(seat).collect(),
        }
    }

    /// Probes every target once; the results are in the plan's order. `done` hears of each one as
    /// it comes.
    pub async fn probe(&mut self, mut done: impl FnMut(&Probed)) -> Vec<Probed> {
        let prober = &self.prober;
        let probes = self
            .seats
            .iter_mut()
            .enumerate()
            .map(|(index, seat)| async move {
                prober.ready().await;
                let observation = prober.probe(&seat.target, &mut seat.memory).await;
                let target = Arc::clone(&seat.target);
                let verdict = judge(
                    &target,
                    &observation,
                    seat.course.history(),
                    &Surroundings::default(),
                );
                (
                    index,
                    Probed {
                        target,
                        observation,
                        verdict,
                    },
                )
            });
        let mut probes = iter(probes).buffer_unordered(self.at_once);
        let mut results = Vec::new();
        while let Some((index, probed)) = probes.next().await {
            done(&probed);
            results.push((index, probed));
        }
        drop(probes);
        results.sort_by_key(|(index, _)| *index);
        self.settle(results.into_iter().map(|(_, probed)| probed).collect())
    }

    /// Judges every target anew, now that it is known what the others came to.
    fn settle(&mut self, mut probed: Vec<Probed>) -> Vec<Probed> {
        let verdicts: Vec<Verdict> = std::iter::zip(&self.seats, &probed)
            .map(|(seat, own)| {
                let others = probed
                    .iter()
                    .map(|p| (p.target.as_ref(), &p.observation, &p.verdict));
                let surroundings = Surroundings::of(&own.target, &own.observation, others);
                judge(
                    &own.target,
                    &own.observation,
                    seat.course.history(),
                    &surroundings,
                )
            })
            .collect();
        for ((seat, probed), verdict) in self.seats.iter_mut().zip(&mut probed).zip(verdicts) {
            let change = seat.course.record(&probed.observation, &verdict);
            if change.is_some_and(Change::is_otherwise) {
                seat.memory.judged_otherwise();
            }
            seat.memory.flapping(verdict.found(Reason::AddressFlapping));
            probed.verdict = verdict;
        }
        probed
    }
}
