//! Agent: probing every target at its beats until told to stop.
//!
//! One loop owns the schedule, the probes under way and the configuration; what it learns goes to
//! the board. A probe is a task of its own, so that its panic is caught and counted here.

mod permits;
mod slot;
#[cfg(test)]
mod tests;
mod waits;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::stream::{Stream, StreamExt, pending, unfold};
use privatelink_verdict::observation::Observation;
use privatelink_verdict::reason::Reason;
use privatelink_verdict::target::Target;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use self::permits::Permits;
use self::slot::{Slot, State};
use self::waits::{Wait, Waits};
use crate::schedule::{Rhythm, Schedule, rhythm};
use privatelink_board::{Change, Probed, SharedBoard};
use privatelink_config::plan::Plan;
use privatelink_config::problem::ConfigError;
use privatelink_config::reload::Watcher;
use privatelink_machine::Machine;
use privatelink_probe::{Memory, Prober, Settings};
use privatelink_report::json::summary::Counts;
use privatelink_report::log::{
    AgentReady, BeatSkipped, ConfigLoaded, ConfigRefused, ProbeCompleted, ProbePanicked,
    VerdictChanged,
};
use privatelink_report::metrics::Metrics;
use privatelink_verdict::resolver::Resolver;

/// How often the loop shows that it is alive, beats or no beats.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// After this long the agent is ready, whatever is still being probed.
const READY_AFTER: Duration = Duration::from_mins(1);
/// How long probes under way may go on after the agent was told to stop.
const GRACE: Duration = Duration::from_secs(1);

/// What gathers the facts of a target: [`Prober`], except in tests.
pub trait Probe: Send + Sync + 'static {
    /// The same under a new plan.
    #[must_use]
    fn renewed(&self, plan: &Plan) -> Self;
    /// Waits until a probe may start.
    fn ready(&self) -> impl Future<Output = ()> + Send;
    /// Gathers the facts of `target`.
    fn probe(
        &self,
        target: &Target,
        memory: &mut Memory,
    ) -> impl Future<Output = Observation> + Send;
}

/// What probes every target at its beats.
#[derive(Debug)]
pub struct Agent<P: Probe = Prober> {
    board: SharedBoard,
    metrics: Metrics,
    prober: Arc<P>,
    /// What the evidence in the slots was gathered by.
    resolvers: Vec<Resolver>,
    permits: Permits,
    waits: Waits,
    schedule: Schedule,
    /// One per target, in the schedule's order.
    slots: Vec<Slot>,
    tasks: JoinSet<Done>,
    /// The target that each task probes, by name: all that is left of a task that panicked.
    probing: HashMap<Id, String>,
    started: Instant,
}

/// What a probe's task brings back.
#[derive(Debug)]
struct Done {
    probed: Probed,
    memory: Box<Memory>,
    /// How long it waited for the limits; not told of the first round, which all targets share.
    wait: Option<Wait>,
}

impl Agent {
    /// Probes the targets of `plan` and writes what it learns to `board` and `metrics`.
    pub fn new(plan: &Plan, board: SharedBoard, metrics: Metrics) -> Self {
        Self::with(
            Prober::new(Machine::own(), settings(plan)),
            plan,
            board,
            metrics,
        )
    }

    /// Runs until `shutdown` is cancelled; `watcher` brings new configurations.
    pub async fn run(self, watcher: Option<Watcher>, shutdown: CancellationToken) {
        match watcher {
            Some(watcher) => {
                let plans = unfold(watcher, |mut watcher| async move {
                    Some((watcher.changed().await, watcher))
                });
                self.follow(plans, shutdown).await;
            }
            None => self.follow(pending(), shutdown).await,
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
            waits: Waits::new(),
            schedule: Schedule::new([]),
            slots: Vec::new(),
            tasks: JoinSet::new(),
            probing: HashMap::new(),
            started: Instant::now(),
        };
        agent.arrange(plan);
        agent
    }

    /// Runs by each of `plans` as it comes, until `shutdown` is cancelled.
    async fn follow(
        mut self,
        plans: impl Stream<Item = Result<Plan, ConfigError>>,
        shutdown: CancellationToken,
    ) {
        let mut plans = std::pin::pin!(plans.fuse());
        let mut heartbeat = interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let next = self
                .schedule
                .next_at()
                .unwrap_or_else(|| Instant::now() + HEARTBEAT);
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                Some(done) = self.tasks.join_next_with_id() => self.finished(done),
                Some(plan) = plans.next() => self.reload(plan),
                () = sleep_until(next) => self.beat(),
                _ = heartbeat.tick() => {}
            }
            self.show_life();
        }
        let drained = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(GRACE, drained).await.is_err() {
            self.tasks.abort_all();
        }
    }

    /// Lays out the schedule of a plan. Targets that stay keep their beat and their evidence.
    fn arrange(&mut self, plan: &Plan) {
        let node = self.board.lock().node.clone();
        let (now, wall) = (Instant::now(), SystemTime::now());
        let mut known: HashMap<String, (Slot, Rhythm)> = std::mem::take(&mut self.slots)
            .into_iter()
            .zip(self.schedule.rhythms())
            .map(|(slot, rhythm)| (slot.target.name.clone(), (slot, rhythm)))
            .collect();
        let mut rhythms = Vec::with_capacity(plan.targets.len());
        for target in &plan.targets {
            let (slot, rhythm) = match known.remove(&target.name) {
                Some((slot, rhythm)) if slot.target == *target => (slot, rhythm),
                // What was learnt of another host, or by another resolver, is not evidence.
                _ => (
                    Slot::new(Arc::clone(target)),
                    rhythm(&node, &target.name, target.interval, now, wall),
                ),
            };
            rhythms.push(rhythm);
            self.slots.push(slot);
        }
        self.schedule = Schedule::new(rhythms);
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
                self.arrange(&plan);
                ConfigLoaded {
                    targets: plan.targets.len(),
                    warnings: &plan.warnings,
                }
                .emit();
            }
            Err(error) => {
                let error = error.to_string();
                ConfigRefused { error: &error }.emit();
                self.board.lock().refuse(error);
            }
        }
    }

    /// Starts the probe of every target that is due, or counts its beat as skipped.
    fn beat(&mut self) {
        let now = Instant::now();
        while let Some(beat) = self.schedule.take(now) {
            let slot = &mut self.slots[beat.index];
            let mut skipped = beat.missed;
            match std::mem::replace(&mut slot.state, State::Idle(Box::default())) {
                State::Idle(memory) => {
                    let target = Arc::clone(&slot.target);
                    let task = self.start(target, memory);
                    self.slots[beat.index].state = State::Probing { task, valid: true };
                }
                probing @ State::Probing { .. } => {
                    slot.state = probing;
                    skipped += 1;
                }
            }
            if skipped > 0 {
                self.board.lock().scheduler.skipped += skipped;
                let target = &self.slots[beat.index].target.name;
                BeatSkipped {
                    target,
                    beats: skipped,
                }
                .emit();
            }
        }
    }

    fn start(&mut self, target: Arc<Target>, mut memory: Box<Memory>) -> Id {
        let (prober, permit) = (Arc::clone(&self.prober), self.permits.acquire());
        let (board, name) = (self.board.clone(), target.name.clone());
        let tells_wait = !self.is_first_round(&target);
        let handle = self.tasks.spawn(async move {
            let due = Instant::now();
            let _permit = permit.await;
            let permitted = Instant::now();
            prober.ready().await;
            let wait = Wait {
                permit: permitted - due,
                pace: permitted.elapsed(),
            };
            let _flight = Flight::new(board.clone());
            let observation = prober.probe(&target, &mut memory).await;
            let probed = board.lock().judge(target, observation);
            Done {
                probed,
                memory,
                wait: tells_wait.then_some(wait),
            }
        });
        self.probing.insert(handle.id(), name);
        handle.id()
    }

    /// Whether all targets, or at least this one, are probed for the first time.
    fn is_first_round(&self, target: &Target) -> bool {
        let board = self.board.lock();
        let entry = board.entry(&target.name);
        !board.scheduler.ready || entry.is_none_or(|entry| entry.latest.is_none())
    }

    fn finished(&mut self, done: Result<(Id, Done), JoinError>) {
        let (id, done) = match done {
            Ok((id, done)) => (id, Some(done)),
            Err(error) => {
                let id = error.id();
                let name = self.probing.get(&id).cloned().unwrap_or_default();
                self.panicked(&name, error);
                (id, None)
            }
        };
        self.probing.remove(&id);
        let mine = self
            .slots
            .iter()
            .enumerate()
            .find_map(|(index, slot)| match slot.state {
                State::Probing { task, valid } if task == id => Some((index, valid)),
                _ => None,
            });
        // A target that left, or was changed, while it was probed: nobody asks for the result.
        let Some((index, valid)) = mine else {
            return;
        };
        let Some(done) = done else {
            self.slots[index].state = State::Idle(Box::default());
            return;
        };
        if let Some(wait) = done.wait {
            self.waits.count(wait);
        }
        let mut memory = if valid { done.memory } else { Box::default() };
        memory.flapping(done.probed.verdict.found(Reason::AddressFlapping));
        let change = self.record(&Arc::new(done.probed));
        if change.is_some_and(Change::is_otherwise) {
            memory.judged_otherwise();
        }
        self.slots[index].state = State::Idle(memory);
    }

    fn panicked(&self, target: &str, error: JoinError) {
        self.board.lock().scheduler.panics += 1;
        let panic = error.try_into_panic().ok();
        let message = panic.as_ref().and_then(|panic| {
            let text = panic.downcast_ref::<&str>().copied();
            text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        });
        ProbePanicked {
            target,
            message: message.unwrap_or("no message"),
        }
        .emit();
    }

    /// Records a probe; the change that its verdict is, if it is one.
    fn record(&self, probed: &Arc<Probed>) -> Option<Change> {
        self.metrics.observe(probed);
        ProbeCompleted(probed).emit();
        let change = self.board.lock().record(Arc::clone(probed));
        if let Some(Change { previous }) = change {
            VerdictChanged { probed, previous }.emit();
        }
        change
    }

    /// Ready once every target was probed, or a minute after the start; and from then on.
    fn show_life(&mut self) {
        let now = Instant::now();
        self.waits.due(now).for_each(|line| line.emit());
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

    async fn ready(&self) {
        Self::ready(self).await;
    }

    async fn probe(&self, target: &Target, memory: &mut Memory) -> Observation {
        Self::probe(self, target, memory).await
    }
}

/// What a plan says of every probe.
pub(crate) fn settings(plan: &Plan) -> Settings {
    Settings {
        resolvers: plan.resolvers.clone(),
        ca_certificates: Arc::clone(&plan.ca_certificates),
        max_dns_qps: plan.limits.max_dns_qps,
        http_interval: plan.http_interval,
    }
}

/// A probe in flight: counted while it lives, also when it panics.
struct Flight(SharedBoard);

impl Flight {
    fn new(board: SharedBoard) -> Self {
        board.lock().scheduler.in_flight += 1;
        Self(board)
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.0.lock().scheduler.in_flight -= 1;
    }
}
