//! The agent's loop over time, with a prober that is a fake.

use std::sync::{Mutex, MutexGuard};

use privatelink_verdict::reason::Reason;
use privatelink_verdict::target::Expectation;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::*;
use privatelink_board::fixtures;
use privatelink_board::{Board, Entry};
use privatelink_report::metrics::Histograms;
use privatelink_verdict::resolver::Servers;

const SECOND: Duration = Duration::from_secs(1);
const INTERVAL: Duration = Duration::from_secs(10);
const FOREVER: Duration = Duration::MAX;

/// Stands for the network without sockets, so that the clock can be paused.
#[derive(Clone, Debug, Default)]
struct FakeProber(Arc<Mutex<FakeState>>);

#[derive(Debug, Default)]
struct FakeState {
    /// What becomes of a target's probes; a healthy answer at once unless it is written here.
    behaviours: HashMap<String, Behaviour>,
    starts: Vec<Start>,
    running: usize,
    most_running: usize,
}

#[derive(Clone, Debug)]
enum Behaviour {
    Takes(Duration),
    Observes(Box<Observation>),
    Panics,
}

#[derive(Clone, Debug)]
struct Start {
    target: String,
    at: Instant,
    /// Whether the cache was that of a target never probed.
    fresh: bool,
    /// Whether the cache was told that the answers flap.
    flaps: bool,
}

impl FakeProber {
    fn lock(&self) -> MutexGuard<'_, FakeState> {
        self.0.lock().expect("the state")
    }

    fn behave(&self, target: &str, behaviour: Behaviour) {
        self.lock().behaviours.insert(target.to_owned(), behaviour);
    }

    fn starts(&self, target: &str) -> Vec<Start> {
        let state = self.lock();
        let of_target = state.starts.iter().filter(|start| start.target == target);
        of_target.cloned().collect()
    }
}

impl Probe for FakeProber {
    fn renewed(&self, _plan: &Plan) -> Self {
        self.clone()
    }

    async fn ready(&self, _is_slow: bool) {}

    async fn probe(
        &self,
        target: &Target,
        cache: &mut EvidenceCache,
        _is_slow: bool,
    ) -> Observation {
        let behaviour = {
            let mut state = self.lock();
            // What `verdict_changed` below leaves in it.
            let fresh = !format!("{cache:?}").contains("changed: true");
            state.starts.push(Start {
                target: target.name.clone(),
                at: Instant::now(),
                fresh,
                flaps: cache.is_flapping(),
            });
            state.running += 1;
            state.most_running = state.most_running.max(state.running);
            state.behaviours.get(&target.name).cloned()
        };
        cache.verdict_changed();
        let mut observation = fixtures::healthy().observation;
        match behaviour {
            Some(Behaviour::Takes(time)) => sleep(time).await,
            Some(Behaviour::Observes(observed)) => observation = *observed,
            Some(Behaviour::Panics) => panic!("as written"),
            None => {}
        }
        self.lock().running -= 1;
        observation
    }
}

/// An agent at work.
struct Running {
    board: SharedBoard,
    prober: FakeProber,
    plans: UnboundedSender<Plan>,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    fn start(plan: &Plan, prober: FakeProber) -> Self {
        let (board, agent) = agent(plan, prober.clone());
        let (plans, receiver) = unbounded_channel();
        let shutdown = CancellationToken::new();
        let plans_of = unfold(receiver, |mut receiver| async move {
            let plan: Plan = receiver.recv().await?;
            Some((Ok(plan), receiver))
        });
        let task = tokio::spawn(agent.follow(plans_of, shutdown.clone()));
        Self {
            board,
            prober,
            plans,
            shutdown,
            task,
        }
    }

    /// Gives the agent a new plan and the time to take it over.
    async fn reload(&self, plan: Plan) {
        self.plans.send(plan).expect("an agent");
        sleep(Duration::from_millis(10)).await;
    }

    fn entry(&self, target: &str) -> Entry {
        let board = self.board.lock();
        board.entry(target).expect("the target").clone()
    }

    fn probes(&self, target: &str) -> u32 {
        self.entry(target).counters.outcomes.iter().sum()
    }

    /// Waits until the probe of the target was started `times` in all, begun and perhaps not ended.
    async fn started(&self, target: &str, times: usize) {
        let enough = async {
            while self.prober.starts(target).len() < times {
                sleep(Duration::from_millis(100)).await;
            }
        };
        let waited = timeout(Duration::from_mins(10), enough).await;
        waited.expect("it is probed in time");
    }
}

fn agent(plan: &Plan, prober: FakeProber) -> (SharedBoard, Agent<FakeProber>) {
    let board = Board::new("aks-a-0".to_owned(), plan, SystemTime::now());
    let board = SharedBoard::new(board);
    let metrics = Metrics::new(board.clone(), Histograms::On);
    let agent = Agent::with(prober, plan, board.clone(), metrics);
    (board, agent)
}

fn target(name: &str) -> Target {
    Target {
        interval: INTERVAL,
        ..fixtures::target(name)
    }
}

fn plan(names: &[&str]) -> Plan {
    fixtures::plan(names.iter().map(|name| Arc::new(target(name))))
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_probe_is_counted_and_stops_nothing() {
    let prober = FakeProber::default();
    prober.behave("a", Behaviour::Panics);
    let agent = Running::start(&plan(&["a", "b"]), prober);
    agent.started("a", 3).await;
    agent.started("b", 3).await;
    let panics = agent.board.lock().scheduler.panics;
    assert_eq!(panics, agent.prober.starts("a").len() as u64);
    assert!(agent.entry("a").latest.is_none());
    assert!(agent.probes("b") >= 2);
    assert_eq!(agent.board.lock().scheduler.in_flight, 0);
    assert!(!agent.task.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_round_probes_every_target_once_and_is_judged_as_a_whole() {
    let companion = Target {
        companions: vec!["b".to_owned()],
        ..target("a")
    };
    let plan = fixtures::plan([Arc::new(companion), Arc::new(target("b"))]);
    let prober = FakeProber::default();
    // The companion's probe ends last, and its verdict is in the first one's summary all the same.
    let observation = Box::new(fixtures::dns_timeout().observation);
    prober.behave("b", Behaviour::Observes(observation));
    let (board, mut agent) = agent(&plan, prober.clone());
    let mut gathered = Vec::new();
    agent
        .round(|target| gathered.push(target.name.clone()))
        .await;
    assert_eq!(gathered.len(), 2);
    assert_eq!(prober.lock().starts.len(), 2);
    let board = board.lock();
    let latest = board.entry("a").and_then(|entry| entry.latest.clone());
    let summary = latest.expect("it was probed").prose().summary();
    assert!(summary.contains("fails with dns_timeout"), "{summary}");
}

#[tokio::test(start_paused = true)]
async fn a_round_that_is_stopped_keeps_what_was_found_and_gives_up_the_rest() {
    let prober = FakeProber::default();
    prober.behave("slow", Behaviour::Takes(FOREVER));
    prober.behave("later", Behaviour::Takes(3 * SECOND));
    let (_, mut agent) = agent(&plan(&["a", "slow", "b", "later"]), prober);
    let stop = async {
        sleep(2 * SECOND).await;
        "told"
    };
    assert_eq!(agent.round_until(stop, |_| {}).await, Some("told"));
    let names = agent.board.lock();
    let found = |name| names.entry(name).expect("the target").latest.is_some();
    assert_eq!(
        ["a", "slow", "b", "later"].map(found),
        [true, false, true, false]
    );
}

#[tokio::test(start_paused = true)]
async fn a_round_that_nobody_stops_ends_by_itself() {
    let (_, mut agent) = agent(&plan(&["a", "b"]), FakeProber::default());
    let told = agent.round_until(sleep(SECOND), |_| {}).await;
    assert_eq!(told, None);
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_round_is_counted_and_the_others_are_completed() {
    let prober = FakeProber::default();
    prober.behave("a", Behaviour::Panics);
    let (board, mut agent) = agent(&plan(&["a", "b"]), prober.clone());
    agent.round(|_| {}).await;
    assert_eq!(board.lock().scheduler.panics, 1);
    let names = |agent: &Agent<FakeProber>| {
        let latest = agent.latest();
        let names = latest.iter().map(|probed| probed.target.name.clone());
        names.collect::<Vec<_>>()
    };
    assert_eq!(names(&agent), ["b"]);
    // An earlier result is not shown for a probe that panicked.
    prober.behave("b", Behaviour::Panics);
    prober.behave("a", Behaviour::Takes(SECOND));
    agent.round(|_| {}).await;
    assert_eq!(names(&agent), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_beat_that_comes_while_its_probe_runs_is_skipped_and_counted() {
    let prober = FakeProber::default();
    prober.behave("slow", Behaviour::Takes(25 * SECOND));
    let agent = Running::start(&plan(&["slow"]), prober);
    agent.started("slow", 2).await;
    let starts = agent.prober.starts("slow");
    let between = (starts[1].at - starts[0].at).as_secs_f64();
    assert!((29.9..30.1).contains(&between), "{between}");
    assert_eq!(agent.board.lock().scheduler.skipped, 2);
    assert_eq!(agent.probes("slow"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_probe_knows_of_its_target_that_the_answers_flap_until_they_are_steady_again() {
    let prober = FakeProber::default();
    let name = "kv-prod.vault.azure.net";
    let agent = Running::start(&plan(&[name]), prober.clone());
    let (private, public) = (fixtures::healthy(), fixtures::public_fallback());
    for (round, probed) in [&private, &public, &private, &private]
        .into_iter()
        .enumerate()
    {
        prober.behave(
            name,
            Behaviour::Observes(Box::new(probed.observation.clone())),
        );
        agent.started(name, round + 1).await;
    }
    agent.started(name, 12).await;
    let flaps: Vec<bool> = prober
        .starts(name)
        .iter()
        .map(|start| start.flaps)
        .collect();
    // Known from the third answer, the second change, until the first has left the window of ten.
    let expected = [&[false; 3][..], &[true; 8], &[false]].concat();
    assert_eq!(flaps, expected);
}

#[tokio::test(start_paused = true)]
async fn the_agent_is_ready_once_every_target_was_probed() {
    let agent = Running::start(&plan(&["a", "b"]), FakeProber::default());
    agent.started("a", 1).await;
    agent.started("b", 1).await;
    sleep(Duration::from_millis(10)).await;
    assert!(agent.board.lock().scheduler.ready);
}

#[tokio::test(start_paused = true)]
async fn the_agent_is_ready_after_a_minute_and_stays_so_whatever_comes() {
    let prober = FakeProber::default();
    prober.behave("stuck", Behaviour::Takes(FOREVER));
    prober.behave("new", Behaviour::Takes(FOREVER));
    let agent = Running::start(&plan(&["a", "stuck"]), prober);
    sleep(59 * SECOND).await;
    assert!(!agent.board.lock().scheduler.ready);
    sleep(7 * SECOND).await;
    assert!(agent.board.lock().scheduler.ready);
    agent.reload(plan(&["new"])).await;
    sleep(7 * SECOND).await;
    assert!(agent.board.lock().scheduler.ready);
}

#[tokio::test(start_paused = true)]
async fn a_reload_keeps_counters_and_what_auto_latched() {
    let auto = |owner: Option<&str>| {
        let target = Target {
            expect: Expectation::Auto,
            owner: owner.map(str::to_owned),
            ..target("kv-prod.vault.azure.net")
        };
        fixtures::plan([Arc::new(target)])
    };
    let agent = Running::start(&auto(None), FakeProber::default());
    let name = "kv-prod.vault.azure.net";
    agent.started(name, 2).await;
    sleep(SECOND).await;
    let public = fixtures::public_fallback().observation;
    agent
        .prober
        .behave(name, Behaviour::Observes(Box::new(public)));
    agent.reload(auto(Some("payments"))).await;
    let (before, probes) = (agent.prober.starts(name).len(), agent.probes(name));
    assert!(probes >= 2);
    agent.started(name, before + 1).await;
    sleep(Duration::from_millis(10)).await;
    let latest = agent.entry(name).latest.expect("it was probed");
    assert_eq!(latest.verdict.reason, Reason::PublicFallback);
    assert_eq!(latest.target.owner.as_deref(), Some("payments"));
    assert_eq!(agent.probes(name), probes + 1);
}

#[tokio::test(start_paused = true)]
async fn a_reload_moves_the_beat_of_no_target_that_stays() {
    let agent = Running::start(&plan(&["a"]), FakeProber::default());
    agent.started("a", 1).await;
    agent.reload(plan(&["b", "a"])).await;
    agent.started("a", 3).await;
    let starts = agent.prober.starts("a");
    for (before, after) in starts.iter().zip(&starts[1..]) {
        let between = (after.at - before.at).as_secs_f64();
        assert!((9.9..10.1).contains(&between), "{between}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_result_of_a_target_that_left_or_changed_meanwhile_is_discarded() {
    let prober = FakeProber::default();
    for name in ["leaves", "changes"] {
        prober.behave(name, Behaviour::Takes(20 * SECOND));
    }
    let agent = Running::start(&plan(&["leaves", "changes"]), prober);
    agent.started("leaves", 1).await;
    agent.started("changes", 1).await;
    agent.prober.behave("changes", Behaviour::Takes(FOREVER));
    let changed = Target {
        port: 8443,
        ..target("changes")
    };
    agent.reload(fixtures::plan([Arc::new(changed)])).await;
    sleep(30 * SECOND).await;
    assert_eq!(agent.board.lock().entries.len(), 1);
    assert!(agent.entry("changes").latest.is_none());
    assert_eq!(agent.probes("changes"), 0);
    assert_eq!(agent.board.lock().scheduler.in_flight, 1);
    assert_eq!(agent.board.lock().scheduler.panics, 0);
}

#[tokio::test(start_paused = true)]
async fn evidence_lasts_as_long_as_the_resolvers() {
    let mut plan = plan(&["a"]);
    let agent = Running::start(&plan, FakeProber::default());
    agent.started("a", 2).await;
    plan.http_interval *= 2;
    agent.reload(plan.clone()).await;
    agent.started("a", 3).await;
    plan.resolvers[0].servers = Servers::Listed(vec!["10.0.0.11:53".parse().expect("one")]);
    agent.reload(plan).await;
    agent.started("a", 5).await;
    let fresh: Vec<bool> = agent.prober.starts("a").iter().map(|h| h.fresh).collect();
    assert_eq!(fresh, [true, false, false, true, false]);
}

#[tokio::test(start_paused = true)]
async fn a_probe_under_way_tells_nothing_of_former_resolvers() {
    let mut plan = plan(&["a"]);
    let prober = FakeProber::default();
    prober.behave("a", Behaviour::Takes(3 * SECOND));
    let agent = Running::start(&plan, prober);
    agent.started("a", 1).await;
    plan.resolvers[0].must_agree = false;
    agent.reload(plan).await;
    agent.started("a", 3).await;
    let fresh: Vec<bool> = agent.prober.starts("a").iter().map(|h| h.fresh).collect();
    assert_eq!(fresh, [true, true, false]);
    assert_eq!(agent.probes("a"), 1, "the one of the new resolvers");
}

#[tokio::test(start_paused = true)]
async fn probes_of_the_plan_before_count_towards_the_limit() {
    let names = ["a", "b", "c", "d"];
    let prober = FakeProber::default();
    for name in names {
        prober.behave(name, Behaviour::Takes(25 * SECOND));
    }
    let mut plan = plan(&names);
    plan.limits.max_concurrent = 2;
    let agent = Running::start(&plan, prober);
    for timeout in 20..30 {
        let target = |name: &&str| Target {
            timeout: timeout * SECOND,
            ..target(name)
        };
        plan.targets = names.iter().map(target).map(Arc::new).collect();
        agent.reload(plan.clone()).await;
        sleep(INTERVAL).await;
    }
    assert_eq!(agent.prober.lock().most_running, 2);
}

#[tokio::test(start_paused = true)]
async fn five_hundred_targets_that_hang_make_no_healthy_one_late() {
    let interval = 5 * SECOND;
    let names: Vec<String> = (0..520).map(|n| format!("target-{n}")).collect();
    let (hanging, healthy) = names.split_at(500);
    let prober = FakeProber::default();
    for name in hanging {
        prober.behave(name, Behaviour::Takes(10 * SECOND));
    }
    let targets = names.iter().map(|name| Target {
        interval,
        ..target(name)
    });
    let plan = fixtures::plan(targets.map(Arc::new));
    assert_eq!(plan.limits, privatelink_config::plan::Limits::default());
    let agent = Running::start(&plan, prober);
    sleep(Duration::from_mins(5)).await;
    assert!(agent.prober.lock().most_running <= plan.limits.max_concurrent);
    // The first probe of a target that hangs cannot be told from another's: the first round is left out.
    let settled = Instant::now() - Duration::from_mins(4);
    for name in healthy {
        let starts = agent.prober.starts(name);
        let starts: Vec<_> = starts.iter().filter(|start| start.at > settled).collect();
        assert!(starts.len() >= 47, "{name}: {} probes", starts.len());
        for pair in starts.windows(2) {
            let late = (pair[1].at - pair[0].at).abs_diff(interval);
            assert!(late < SECOND, "{name}: {late:?} off its beat");
        }
    }
    let probed = hanging.iter().filter(|name| agent.probes(name) >= 8);
    assert_eq!(probed.count(), hanging.len(), "the others are not starved");
}

#[tokio::test(start_paused = true)]
async fn after_a_pause_each_target_goes_on_at_its_next_beat() {
    let names: Vec<String> = (0..100).map(|n| format!("target-{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let agent = Running::start(&plan(&names), FakeProber::default());
    sleep(30 * SECOND).await;
    // As SIGSTOP does: the clock goes on, and nothing runs.
    tokio::time::advance(40 * SECOND).await;
    let paused = Instant::now();
    sleep(15 * SECOND).await;
    let state = agent.prober.lock();
    let started = |from: Duration, to: Duration| {
        let window = paused + from..paused + to;
        state
            .starts
            .iter()
            .filter(|s| window.contains(&s.at))
            .count()
    };
    assert!(
        started(Duration::ZERO, SECOND) < 25,
        "{}",
        started(Duration::ZERO, SECOND)
    );
    assert!(
        started(Duration::ZERO, INTERVAL) >= 95,
        "each within its interval"
    );
}

#[tokio::test(start_paused = true)]
async fn shutdown_waits_a_second_for_probes_and_no_longer() {
    let prober = FakeProber::default();
    prober.behave("stuck", Behaviour::Takes(FOREVER));
    let agent = Running::start(&plan(&["stuck"]), prober);
    agent.started("stuck", 1).await;
    let told = Instant::now();
    agent.shutdown.cancel();
    agent.task.await.expect("the agent ends");
    assert!((GRACE..2 * GRACE).contains(&told.elapsed()));
}

#[tokio::test(start_paused = true)]
async fn the_heart_beats_without_targets() {
    let agent = Running::start(&plan(&[]), FakeProber::default());
    for _ in 0..60 {
        sleep(SECOND).await;
        let age = agent.board.lock().scheduler.heartbeat_age();
        assert!(age.expect("a heartbeat") <= HEARTBEAT);
    }
}

#[tokio::test(start_paused = true)]
async fn waits_of_the_first_round_and_of_a_targets_first_probe_are_not_logged() {
    let (board, _agent) = agent(&plan(&["a"]), FakeProber::default());
    let (known, probed) = (target("a"), fixtures::named("a", fixtures::healthy()));
    assert!(is_first_round(&board, &known));
    board.lock().scheduler.ready = true;
    assert!(is_first_round(&board, &known));
    board.lock().record(Arc::new(probed));
    assert!(!is_first_round(&board, &known));
    board.lock().scheduler.ready = false;
    assert!(is_first_round(&board, &known));
}
