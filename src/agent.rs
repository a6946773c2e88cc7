//! Agent: probes every target of a plan, at its beats or once, and completes each probe.
//!
//! One loop owns the schedule, the running probes and the configuration. Each probe is a task that
//! gathers facts and nothing else. Whether `run`, `check`, `demo` or a scenario started the probe,
//! `Agent::complete` judges, records, counts and logs it.

mod completion;
mod limit_waits;
mod permits;
mod slot;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::stream::{self, Stream, StreamExt, unfold};
use privatelink_board::{Board, Probed, SharedBoard};
use privatelink_config::plan::Plan;
use privatelink_config::problem::ConfigError;
use privatelink_config::reload::Watcher;
use privatelink_machine::Machine;
use privatelink_probe::{EvidenceCache, Prober, SLOW, Settings};
use privatelink_report::events::{
    AgentReady, BeatSkipped, ConfigLoaded, ConfigRefused, ProbePanicked,
};
use privatelink_report::json::summary::Counts;
use privatelink_report::metrics::{Histograms, Metrics};
use privatelink_verdict::observation::Observation;
use privatelink_verdict::resolver::Resolver;
use privatelink_verdict::target::Target;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use self::completion::{Observed, complete, message};
use self::limit_waits::{LimitWaits, Wait};
use self::permits::Permits;
use self::slot::{Slot, State};
use crate::schedule::{Cadence, Schedule, cadence, spread};

/// How often the loop records that it is alive, also where no target is due.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// After this long the agent is ready, whatever is still being probed.
const READY_AFTER: Duration = Duration::from_mins(1);
/// How long running probes may go on after a signal to stop.
const GRACE: Duration = Duration::from_secs(1);

/// What gathers the facts of a target: [`Prober`], except in tests.
pub trait Probe: Send + Sync + 'static {
    /// A prober with the settings of a new plan, which keeps what it learnt.
    #[must_use]
    fn renewed(&self, plan: &Plan) -> Self;
    /// Waits until a probe may start, of a target whose latest one was slow or was not.
    fn ready(&self, is_slow: bool) -> impl Future<Output = ()> + Send;
    /// Gathers the facts of `target`.
    fn probe(
        &self,
        target: &Target,
        cache: &mut EvidenceCache,
        is_slow: bool,
    ) -> impl Future<Output = Observation> + Send;
}

/// Probes every target of a plan.
#[derive(Debug)]
pub struct Agent<P: Probe = Prober> {
    board: SharedBoard,
    metrics: Metrics,
    prober: Arc<P>,
    /// The resolvers that the evidence in the slots comes from.
    resolvers: Vec<Resolver>,
    permits: Permits,
    limit_waits: LimitWaits,
    schedule: Schedule,
    /// One per target, in the schedule's order.
    slots: Vec<Slot>,
    tasks: JoinSet<Gathered>,
    /// What each task probes: a task that panicked returns nothing.
    probing: HashMap<Id, Probing>,
    started: Instant,
}

/// What a probe's task returns.
#[derive(Debug)]
struct Gathered {
    target: Arc<Target>,
    observation: Observation,
    cache: EvidenceCache,
    /// Whether the probe took long.
    is_slow: bool,
    /// How long the probe waited for the limits; `None` in the first round, in which all targets wait.
    wait: Option<Wait>,
}

/// What a task probes.
#[derive(Debug)]
struct Probing {
    target: Arc<Target>,
    /// The target's place in the schedule; `None` once the target was removed or changed.
    slot: Option<usize>,
}

impl Agent {
    /// An agent on the node called `node` that probes the targets of `plan` from `machine`, with a
    /// board and metrics of its own. It has not probed yet.
    pub fn new(machine: Machine, node: String, plan: &Plan, histograms: Histograms) -> Self {
        let board = SharedBoard::new(Board::new(node, plan, SystemTime::now()));
        let metrics = Metrics::new(board.clone(), histograms);
        let prober = Prober::new(machine, settings(plan));
        Self::with(prober, plan, board, metrics)
    }

    /// The latest probe of each target, and the counters.
    pub const fn board(&self) -> &SharedBoard {
        &self.board
    }

    /// The metrics of the board.
    pub const fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Probes every target at its beats until `shutdown` is cancelled; `watcher` brings new
    /// configurations.
    pub async fn run(self, watcher: Option<Watcher>, shutdown: CancellationToken) {
        match watcher {
            Some(watcher) => {
                let plans = unfold(watcher, |mut watcher| async move {
                    Some((watcher.changed().await, watcher))
                });
                self.follow(plans, shutdown).await;
            }
            None => self.follow(stream::pending(), shutdown).await,
        }
    }
}

impl<P: Probe> Agent<P> {
    fn with(prober: P, plan: &Plan, board: SharedBoard, metrics: Metrics) -> Self {
        let mut agent = Self {
            board,
            metrics,
            prober: Arc::new(prober),
            resolvers: plan.resolvers.clone(),
            permits: Permits::new(plan.limits.max_concurrent),
            limit_waits: LimitWaits::new(),
            schedule: Schedule::new([]),
            slots: Vec::new(),
            tasks: JoinSet::new(),
            probing: HashMap::new(),
            started: Instant::now(),
        };
        agent.set_targets(plan);
        agent
    }

    /// Probes every target once, now, within the limits. `gathered` is called after each probe; all
    /// probes are completed together at the end, so that each verdict takes the whole round into
    /// account. The results are on the board.
    pub async fn round(&mut self, gathered: impl FnMut(&Target)) {
        self.round_until(pending::<()>(), gathered).await;
    }

    /// A round that ends early when `stop` is ready; returns what `stop` gave. The probes that have
    /// ended by then are completed, the others are given up, and the agent probes no more.
    pub async fn round_until<S>(
        &mut self,
        stop: impl Future<Output = S>,
        mut gathered: impl FnMut(&Target),
    ) -> Option<S> {
        let mut stop = std::pin::pin!(stop);
        for index in 0..self.slots.len() {
            self.slots[index].is_completed = false;
            self.start(index);
        }
        let mut round = Vec::with_capacity(self.slots.len());
        let stopped = loop {
            let ended = tokio::select! {
                biased;
                ended = self.tasks.join_next_with_id() => ended,
                signal = &mut stop => break Some(signal),
            };
            let Some(ended) = ended else { break None };
            if let Some(observed) = self.ended(ended) {
                gathered(&observed.target);
                round.push(observed);
            }
        };
        if stopped.is_some() {
            self.tasks.shutdown().await;
        }
        round.sort_by_key(|observed| observed.slot);
        self.complete(round);
        stopped
    }

    /// The probes of the latest round, in the plan's order; without those that panicked.
    pub fn latest(&self) -> Vec<Arc<Probed>> {
        let board = self.board.lock();
        let completed = self.slots.iter().filter(|slot| slot.is_completed);
        let latest = completed.filter_map(|slot| board.entry(&slot.target.name)?.latest.clone());
        latest.collect()
    }

    /// Probes the targets of the latest of `plans` until `shutdown` is cancelled.
    async fn follow(
        mut self,
        plans: impl Stream<Item = Result<Plan, ConfigError>>,
        shutdown: CancellationToken,
    ) {
        let mut plans = std::pin::pin!(plans.fuse());
        self.spread_evidence();
        self.record_life();
        loop {
            // A timer of its own for the heartbeat would wake the process more often than the targets ask for.
            let (now, ready) = (Instant::now(), self.started + READY_AFTER);
            let heartbeat = now + HEARTBEAT;
            let heartbeat = if now < ready {
                heartbeat.min(ready)
            } else {
                heartbeat
            };
            let next = self.schedule.next_at().unwrap_or(heartbeat);
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                Some(ended) = self.tasks.join_next_with_id() => {
                    let observed = self.ended(ended);
                    self.complete(observed.into_iter().collect());
                }
                Some(plan) = plans.next() => self.reload(plan),
                () = sleep_until(next.min(heartbeat)) => self.start_due(),
            }
            self.record_life();
        }
        let drained = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(GRACE, drained).await.is_err() {
            self.tasks.abort_all();
        }
    }

    /// Takes over the targets of a plan. A target that did not change keeps its beat and evidence.
    fn set_targets(&mut self, plan: &Plan) {
        let node = self.board.lock().node.clone();
        let (now, wall) = (Instant::now(), SystemTime::now());
        let mut known: HashMap<String, (Slot, Cadence)> = std::mem::take(&mut self.slots)
            .into_iter()
            .zip(self.schedule.cadences())
            .map(|(slot, cadence)| (slot.target.name.clone(), (slot, cadence)))
            .collect();
        self.probing.values_mut().for_each(|it| it.slot = None);
        let mut cadences = Vec::with_capacity(plan.targets.len());
        self.slots.reserve_exact(plan.targets.len());
        for (index, target) in plan.targets.iter().enumerate() {
            let (slot, cadence) = match known.remove(&target.name) {
                Some((mut slot, cadence)) if slot.target.is_probed_like(target) => {
                    slot.target = Arc::clone(target);
                    (slot, cadence)
                }
                // Evidence about another host, or from another resolver, is not evidence here.
                _ => (
                    Slot::new(Arc::clone(target)),
                    cadence(&node, &target.name, target.interval, now, wall),
                ),
            };
            if let State::Probing { task, .. } = slot.state
                && let Some(probing) = self.probing.get_mut(&task)
            {
                probing.slot = Some(index);
            }
            cadences.push(cadence);
            self.slots.push(slot);
        }
        self.schedule = Schedule::new(cadences);
    }

    /// Spreads over the next probes what is asked beside them, of targets that were never probed. A round
    /// asks it all at once.
    fn spread_evidence(&mut self) {
        let node = self.board.lock().node.clone();
        for slot in &mut self.slots {
            let turn = spread(&node, &slot.target.name);
            if let Some(cache) = slot.cache() {
                cache.spread(turn);
            }
        }
    }

    fn reload(&mut self, plan: Result<Plan, ConfigError>) {
        match plan {
            Ok(plan) => {
                self.board.lock().adopt(&plan, SystemTime::now());
                self.prober = Arc::new(self.prober.renewed(&plan));
                self.permits.set_total(plan.limits.max_concurrent);
                if self.resolvers != plan.resolvers {
                    self.resolvers.clone_from(&plan.resolvers);
                    self.board.lock().forget_answers();
                    self.slots.iter_mut().for_each(Slot::forget_evidence);
                }
                self.set_targets(&plan);
                self.spread_evidence();
                ConfigLoaded {
                    targets: plan.targets.len(),
                    warnings: &plan.warnings,
                }
                .emit();
            }
            Err(error) => ConfigRefused {
                error: &error.to_string(),
            }
            .emit(&mut self.board.lock().config),
        }
    }

    /// Starts the probe of every target that is due, or counts its beat as skipped.
    fn start_due(&mut self) {
        let now = Instant::now();
        while let Some(beat) = self.schedule.take(now) {
            let started = beat.is_on_time && self.start(beat.index);
            let skipped = beat.missed + u64::from(beat.is_on_time && !started);
            if skipped > 0 {
                BeatSkipped {
                    target: &self.slots[beat.index].target.name,
                    beats: skipped,
                }
                .emit(&mut self.board.lock().scheduler);
            }
        }
    }

    /// Starts the probe of the target in `slot`, unless it is being probed.
    fn start(&mut self, index: usize) -> bool {
        let slot = &mut self.slots[index];
        let Some(mut cache) = slot.take_cache() else {
            return false;
        };
        let target = Arc::clone(&slot.target);
        let is_slow = slot.is_slow;
        let (prober, permit) = (Arc::clone(&self.prober), self.permits.acquire(is_slow));
        let board = self.board.clone();
        let probing = Probing {
            target: Arc::clone(&target),
            slot: Some(index),
        };
        let counts_wait = !is_first_round(&board, &target);
        let task = self.tasks.spawn(async move {
            let due = Instant::now();
            let permit = permit.await;
            let permitted = Instant::now();
            prober.ready(is_slow).await;
            let wait = Wait {
                permit: permitted - due,
                pace: permitted.elapsed(),
            };
            let _in_flight = InFlight::new(board);
            let started = Instant::now();
            let observation = permit
                .hold(prober.probe(&target, &mut cache, is_slow))
                .await;
            Gathered {
                target,
                observation,
                cache,
                is_slow: started.elapsed() > SLOW,
                wait: counts_wait.then_some(wait),
            }
        });
        slot.state = State::Probing {
            task: task.id(),
            valid: true,
        };
        self.probing.insert(task.id(), probing);
        true
    }

    /// The observation of a task that ended; `None` where it panicked, or where its target was removed
    /// or changed meanwhile, or the resolvers were.
    fn ended(&mut self, ended: Result<(Id, Gathered), JoinError>) -> Option<Observed> {
        let id = match &ended {
            Ok((id, _)) => *id,
            Err(error) => error.id(),
        };
        let Probing { target, slot } = self.probing.remove(&id)?;
        let gathered = match ended {
            Ok((_, gathered)) => Some(gathered),
            Err(error) => {
                self.panicked(&target, error);
                None
            }
        };
        let index = slot?;
        let slot = &mut self.slots[index];
        let valid = matches!(slot.state, State::Probing { valid: true, .. });
        slot.state = State::Idle(EvidenceCache::default());
        let gathered = gathered?;
        if let Some(wait) = gathered.wait {
            self.limit_waits.count(wait);
        }
        slot.is_slow = gathered.is_slow;
        if !valid {
            return None;
        }
        slot.state = State::Idle(gathered.cache);
        Some(Observed {
            slot: index,
            target: gathered.target,
            observation: gathered.observation,
        })
    }

    /// Completes probes: judges each by the board and by the others, counts, records and logs it.
    fn complete(&mut self, observed: Vec<Observed>) {
        let completed = complete(&mut self.board.lock(), &self.metrics, observed);
        for completed in completed {
            let slot = &mut self.slots[completed.slot];
            slot.is_completed = true;
            if let Some(cache) = slot.cache() {
                cache.set_flapping(completed.flaps);
                if completed.changed {
                    cache.verdict_changed();
                }
            }
        }
    }

    /// Counts and logs the panic of a probe's task. A task that was cancelled did not panic.
    fn panicked(&self, target: &Target, error: JoinError) {
        if let Ok(panic) = error.try_into_panic() {
            ProbePanicked {
                target: &target.name,
                message: message(panic.as_ref()),
            }
            .emit(&mut self.board.lock().scheduler);
        }
    }

    /// Records that the loop is alive. The agent is ready once every target was probed, or a minute
    /// after the start, and stays so.
    fn record_life(&mut self) {
        let now = Instant::now();
        self.limit_waits.due(now).for_each(|line| line.emit());
        let mut board = self.board.lock();
        board.scheduler.heartbeat = Some(now);
        if !board.scheduler.ready {
            let probed = board.entries.iter().all(|entry| entry.latest.is_some());
            board.scheduler.ready = probed || self.started.elapsed() >= READY_AFTER;
            if board.scheduler.ready {
                AgentReady {
                    counts: Counts::of(&board),
                }
                .emit();
            }
        }
    }
}

impl Probe for Prober {
    fn renewed(&self, plan: &Plan) -> Self {
        Self::renewed(self, settings(plan))
    }

    async fn ready(&self, is_slow: bool) {
        Self::ready(self, is_slow).await;
    }

    async fn probe(
        &self,
        target: &Target,
        cache: &mut EvidenceCache,
        is_slow: bool,
    ) -> Observation {
        Self::probe(self, target, cache, is_slow).await
    }
}

/// The settings of a plan that concern every probe.
fn settings(plan: &Plan) -> Settings {
    Settings {
        resolvers: plan.resolvers.clone(),
        ca_certificates: Arc::clone(&plan.ca_certificates),
        max_dns_qps: plan.limits.max_dns_qps,
        http_interval: plan.http_interval,
    }
}

/// Whether all targets, or at least this one, are probed for the first time.
fn is_first_round(board: &SharedBoard, target: &Target) -> bool {
    let board = board.lock();
    let entry = board.entry(&target.name);
    !board.scheduler.ready || entry.is_none_or(|entry| entry.latest.is_none())
}

/// A probe in flight: counted until it is dropped, also by a panic.
struct InFlight(SharedBoard);

impl InFlight {
    fn new(board: SharedBoard) -> Self {
        board.lock().scheduler.in_flight += 1;
        Self(board)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.lock().scheduler.in_flight -= 1;
    }
}
