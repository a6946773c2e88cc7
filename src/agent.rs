//! Agent: probing every target at its beats until told to stop.
//!
//! One loop owns the schedule, the probes under way and the configuration; what it learns goes to
//! the board. A probe is a task of its own, so that its panic is caught and counted here.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use privatelink_verdict::history::History;
use privatelink_verdict::judge::judge;
use privatelink_verdict::target::Target;
use tokio::sync::Semaphore;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::board::{Probed, SharedBoard};
use crate::config::plan::Plan;
use crate::config::problem::ConfigError;
use crate::config::reload::Watcher;
use crate::probe::{Memory, Prober};
use crate::report::json::summary::Counts;
use crate::report::log::{
    AgentReady, BeatSkipped, ConfigLoaded, ConfigRefused, LimitWaiting, ProbeCompleted,
    ProbePanicked, VerdictChanged,
};
use crate::report::metrics::Metrics;
use crate::schedule::{Schedule, first_beat};

/// How often the loop shows that it is alive, beats or no beats.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// After this long the agent is ready, whatever is still being probed.
const READY_AFTER: Duration = Duration::from_mins(1);
/// How long probes under way may go on after the agent was told to stop.
const GRACE: Duration = Duration::from_secs(1);
/// A probe that waited longer than this for a limit is worth a log line.
const LONG_WAIT: Duration = Duration::from_secs(5);

/// What probes every target at its beats.
#[derive(Debug)]
pub struct Agent {
    board: SharedBoard,
    metrics: Metrics,
    prober: Arc<Prober>,
    permits: Arc<Semaphore>,
    schedule: Schedule,
    /// One per target, in the schedule's order.
    slots: Vec<Slot>,
    tasks: JoinSet<Done>,
    /// The target that each task probes, by name: all that is left of a task that panicked.
    probing: HashMap<Id, String>,
    started: Instant,
}

/// A target's place in the schedule.
#[derive(Debug)]
struct Slot {
    target: Arc<Target>,
    state: State,
}

#[derive(Debug)]
enum State {
    Idle(Box<Memory>),
    Probing(Id),
}

/// What a probe's task brings back.
#[derive(Debug)]
struct Done {
    probed: Probed,
    memory: Box<Memory>,
    waited: Duration,
}

impl Agent {
    /// Probes the targets of `plan` and writes what it learns to `board` and `metrics`.
    pub fn new(plan: &Plan, board: SharedBoard, metrics: Metrics) -> Self {
        let mut agent = Self {
            board,
            metrics,
            prober: Arc::new(Prober::new(plan)),
            permits: Arc::new(Semaphore::new(plan.limits.max_concurrent)),
            schedule: Schedule::new([]),
            slots: Vec::new(),
            tasks: JoinSet::new(),
            probing: HashMap::new(),
            started: Instant::now(),
        };
        agent.arrange(plan);
        agent
    }

    /// Runs until `shutdown` is cancelled; `watcher` brings new configurations.
    pub async fn run(mut self, mut watcher: Option<Watcher>, shutdown: CancellationToken) {
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
                plan = changed(&mut watcher) => self.reload(plan),
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
        let now = Instant::now();
        let due: HashMap<usize, Instant> = self.schedule.due().collect();
        let mut known: HashMap<String, (Slot, Option<Instant>)> = std::mem::take(&mut self.slots)
            .into_iter()
            .enumerate()
            .map(|(index, slot)| (slot.target.name.clone(), (slot, due.get(&index).copied())))
            .collect();
        let mut beats = Vec::with_capacity(plan.targets.len());
        for target in &plan.targets {
            let first = now + first_beat(&node, &target.name, target.interval);
            let (slot, at) = match known.remove(&target.name) {
                Some((slot, Some(at))) if slot.target == *target => (slot, at),
                // What was learnt of another host, or by another resolver, is not evidence.
                _ => (Slot::new(Arc::clone(target)), first),
            };
            beats.push((target.interval, at));
            self.slots.push(slot);
        }
        self.schedule = Schedule::new(beats);
    }

    fn reload(&mut self, plan: Result<Plan, ConfigError>) {
        match plan {
            Ok(plan) => {
                self.board.lock().adopt(&plan, SystemTime::now());
                self.prober = Arc::new(Prober::new(&plan));
                self.permits = Arc::new(Semaphore::new(plan.limits.max_concurrent));
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
                    let history = self.history(&target.name);
                    let id = self.start(target, memory, history);
                    self.slots[beat.index].state = State::Probing(id);
                }
                probing @ State::Probing(_) => {
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

    fn history(&self, target: &str) -> History {
        self.board
            .lock()
            .entry(target)
            .map(|entry| entry.history.clone())
            .unwrap_or_default()
    }

    fn start(&mut self, target: Arc<Target>, mut memory: Box<Memory>, history: History) -> Id {
        let (prober, permits) = (Arc::clone(&self.prober), Arc::clone(&self.permits));
        let (board, name) = (self.board.clone(), target.name.clone());
        let handle = self.tasks.spawn(async move {
            let due = Instant::now();
            // The semaphore is never closed; without a permit the probe would merely start at once.
            let _permit = permits.acquire_owned().await.ok();
            prober.ready().await;
            let waited = due.elapsed();
            let _flight = Flight::new(board.clone());
            let observation = prober.probe(&target, &mut memory).await;
            let surroundings = board.lock().surroundings(&target, &observation);
            let verdict = judge(&target, &observation, &history, &surroundings);
            Done {
                probed: Probed {
                    target,
                    observation,
                    verdict,
                },
                memory,
                waited,
            }
        });
        self.probing.insert(handle.id(), name);
        handle.id()
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
        let mine = |slot: &Slot| matches!(slot.state, State::Probing(probing) if probing == id);
        // A target that left, or was changed, while it was probed: nobody asks for the result.
        let Some(index) = self.slots.iter().position(mine) else {
            return;
        };
        let Some(done) = done else {
            self.slots[index].state = State::Idle(Box::default());
            return;
        };
        if done.waited > LONG_WAIT {
            let limit = "maxConcurrent or maxDnsQps";
            LimitWaiting {
                limit,
                waited: done.waited,
            }
            .emit();
        }
        let mut memory = done.memory;
        if self.record(&Arc::new(done.probed)) {
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

    /// Records a probe; whether its verdict is another than the target's one before.
    fn record(&self, probed: &Arc<Probed>) -> bool {
        self.metrics.observe(probed);
        ProbeCompleted(probed).emit();
        let mut board = self.board.lock();
        if board.record(Arc::clone(probed)).is_none() {
            return false;
        }
        let change = VerdictChanged::on(&board, probed);
        change.emit();
        change.previous.is_some()
    }

    /// Ready once every target was probed, or a minute after the start; and from then on.
    fn show_life(&self) {
        let mut board = self.board.lock();
        board.scheduler.heartbeat = Some(Instant::now());
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

/// Waits for a new configuration; for ever where nothing is watched.
async fn changed(watcher: &mut Option<Watcher>) -> Result<Plan, ConfigError> {
    match watcher {
        Some(watcher) => watcher.changed().await,
        None => std::future::pending().await,
    }
}

impl Slot {
    fn new(target: Arc<Target>) -> Self {
        Self {
            target,
            state: State::Idle(Box::default()),
        }
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
