//! Rounds: probing every target of a plan now, side by side, without a schedule.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::iter;
use privatelink_verdict::history::History;
use privatelink_verdict::judge::judge;
use privatelink_verdict::target::Target;

use super::progress::Progress;
use crate::board::Probed;
use crate::config::plan::Plan;
use crate::probe::{Memory, Prober};

/// The targets of a plan, and what is remembered of them from round to round.
#[derive(Debug)]
pub(super) struct Rounds {
    prober: Prober,
    at_once: usize,
    seats: Vec<Seat>,
}

#[derive(Debug)]
struct Seat {
    target: Arc<Target>,
    memory: Memory,
    history: History,
}

impl Rounds {
    /// Probes the targets of `plan`.
    pub(super) fn new(plan: &Plan) -> Self {
        let seat = |target: &Arc<Target>| Seat {
            target: Arc::clone(target),
            memory: Memory::default(),
            history: History::default(),
        };
        Self {
            prober: Prober::new(plan),
            at_once: plan.limits.max_concurrent,
            seats: plan.targets.iter().map(seat).collect(),
        }
    }

    /// Probes every target once; the results are in the plan's order.
    pub(super) async fn probe(&mut self) -> Vec<Probed> {
        let (prober, mut progress) = (&self.prober, Progress::new(self.seats.len()));
        let probes = self.seats.iter_mut().enumerate().map(|(index, seat)| async move {
            prober.ready().await;
            let observation = prober.probe(&seat.target, &mut seat.memory).await;
            let verdict = judge(&seat.target, &observation, &seat.history);
            seat.history.record(&observation);
            (index, Probed { target: Arc::clone(&seat.target), observation, verdict })
        });
        let mut probes = iter(probes).buffer_unordered(self.at_once);
        let mut results = Vec::new();
        while let Some((index, probed)) = probes.next().await {
            progress.step(&probed.target.name);
            results.push((index, probed));
        }
        results.sort_by_key(|(index, _)| *index);
        results.into_iter().map(|(_, probed)| probed).collect()
    }
}
