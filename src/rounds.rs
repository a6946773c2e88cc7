//! Rounds: probing every target of a plan now, side by side, without a schedule.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::iter;
use privatelink_verdict::history::History;
use privatelink_verdict::judge::judge;
use privatelink_verdict::reason::Reason;
use privatelink_verdict::target::Target;

use crate::board::Probed;
use crate::config::plan::Plan;
use crate::probe::{Memory, Prober};

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
    history: History,
    reason: Option<Reason>,
}

impl Rounds {
    /// Probes the targets of `plan`.
    pub fn new(plan: &Plan) -> Self {
        let seat = |target: &Arc<Target>| Seat {
            target: Arc::clone(target),
            memory: Memory::default(),
            history: History::default(),
            reason: None,
        };
        Self {
            prober: Prober::new(plan),
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
                let verdict = judge(&seat.target, &observation, &seat.history);
                if seat
                    .reason
                    .replace(verdict.reason)
                    .is_some_and(|last| last != verdict.reason)
                {
                    seat.memory.judged_otherwise();
                }
                seat.history.record(&observation);
                (
                    index,
                    Probed {
                        target: Arc::clone(&seat.target),
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
        results.sort_by_key(|(index, _)| *index);
        results.into_iter().map(|(_, probed)| probed).collect()
    }
}
