//! Leader: one replica writes, whatever happens to it, to the API server or to the other one.

use std::fs;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    DELIVERY, OBSERVER, SHOP, apply, deployment, install, leader_and_other, namespace, pod_spec,
    probed, published, workloads,
};
use crate::cluster::{Agent, agents};
use crate::command::{SHORT, attempt, eventually, kubectl_json, run, same, sleep};
use crate::release::NAMESPACE;
use crate::world::World;

/// How long the races may take.
const RACES: Duration = Duration::from_mins(5);

/// Begins the races, which run while other tests wait: a program of their own, which needs nothing but the API
/// server.
pub(super) fn begin_races(world: &mut World) {
    let program = std::env::var("E2E_RACES").expect("tests/e2e/run builds the races");
    world
        .races
        .get_or_insert_with(|| thread::spawn(move || attempt(RACES, &program, &["--nocapture"])));
}

pub(super) fn races(world: &mut World) {
    begin_races(world);
    let races = world.races.take().expect("they have begun");
    let said = races.join().expect("a thread that only waits");
    let said = said.unwrap_or_else(|told| panic!("{told}"));
    let mut lines = said.lines();
    let figures = lines.find(|line| line.contains(" races, "));
    world
        .notes
        .push(figures.expect("how the races went").to_owned());
}

/// The probes of all agents.
fn probes(agents: &[Agent]) -> f64 {
    let mut sum = 0.0;
    for agent in agents {
        let metrics = agent.metrics().expect("an agent answers");
        let lines = metrics.lines();
        let lines = lines.filter(|line| line.starts_with("privatelink_probes_total{"));
        let values = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        sum += values.sum::<f64>();
    }
    sum
}

/// How many probes a minute takes, counted for `time`.
fn probes_in_a_minute(
    agents: &[Agent],
    time: Duration,
    mut meanwhile: impl FnMut(Duration),
) -> f64 {
    let (started, before) = (Instant::now(), probes(agents));
    while started.elapsed() < time {
        meanwhile(started.elapsed());
        sleep(Duration::from_millis(200));
    }
    let (seconds, after) = (started.elapsed().as_secs_f64(), probes(agents));
    (after - before) * 60.0 / seconds
}

pub(super) fn api_server_away(world: &mut World) {
    install(world, &json!({}));
    let folder = world.folder("observer");
    let mut objects = workloads();
    for n in 0..20 {
        objects.push(deployment(
            &format!("many-{n}"),
            0,
            &pod_spec(&format!("many{n}.azurecr.io/a:1")),
        ));
    }
    apply(&folder, &objects);
    let agents = agents();
    eventually(DELIVERY + Duration::from_secs(30), || {
        for agent in &agents {
            probed(agent, "many19.azurecr.io")?;
        }
        Ok(())
    });
    let (leader, other) = leader_and_other();
    let lease = || kubectl_json(&["-n", NAMESPACE, "get", "lease", OBSERVER])["spec"].clone();
    let before = lease();
    let usual = probes_in_a_minute(&agents, Duration::from_secs(30), |_| ());

    let pid = run(SHORT, "pgrep", &["-x", "kube-apiserver"]);
    let signal = |name: &str| run(SHORT, "kill", &[name, pid.trim()]);
    let (mut is_stopped, mut was_seen_apart) = (false, false);
    let meanwhile = |time: Duration| {
        let should = (Duration::from_secs(5)..Duration::from_secs(35)).contains(&time);
        if should != is_stopped {
            signal(if should { "-STOP" } else { "-CONT" });
            is_stopped = should;
        }
        let leads = [leader.leads(), other.leads()].map(|leads| leads.unwrap_or(false));
        assert_ne!(leads, [true, true], "after {time:?}");
        was_seen_apart |= leads == [false, false];
    };
    let without = probes_in_a_minute(&agents, Duration::from_mins(1), meanwhile);
    if is_stopped {
        signal("-CONT");
    }
    assert!(was_seen_apart, "without its lease the leader stops writing");
    assert!(
        (without / usual - 1.0).abs() < 0.02,
        "{usual} probes a minute with the API server, {without} without it"
    );
    world.notes.push(format!(
        "{usual:.0} probes a minute, {without:.0} while it was away"
    ));
    let (_, _) = leader_and_other();
    let terms = |spec: &Value| spec["leaseTransitions"].as_i64().unwrap_or_default();
    let changes = terms(&lease()) - terms(&before);
    assert!((0..=1).contains(&changes), "{before} became {}", lease());
    apply(
        &folder,
        &[deployment("after", 0, &pod_spec("after.azurecr.io/a:1"))],
    );
    eventually(Duration::from_secs(90), || {
        same(
            "published",
            &published().contains("after.azurecr.io"),
            &true,
        )
    });
}

pub(super) fn leader_killed(world: &mut World) {
    install(world, &json!({}));
    let folder = world.folder("observer");
    let (leader, other) = leader_and_other();
    let pid = pid_of(&leader.pod);
    run(SHORT, "kill", &["-KILL", &pid]);
    let killed = Instant::now();
    apply(
        &folder,
        &[
            namespace(SHOP),
            deployment("heir", 0, &pod_spec("heir.azurecr.io/a:1")),
        ],
    );
    eventually(Duration::from_secs(20), || {
        // The killed one starts again, and stands for election like any other.
        let leads = [leader.leads().unwrap_or(false), other.leads()?];
        assert_ne!(leads, [true, true]);
        same("published", &published().contains("heir.azurecr.io"), &true)
    });
    world.notes.push(format!(
        "the other replica wrote {:.1} s after the kill",
        killed.elapsed().as_secs_f64()
    ));
}

/// The process of the program in a pod.
pub(crate) fn pid_of(pod: &str) -> String {
    let pids = run(SHORT, "pgrep", &["-f", "privatelink-prober observe"]);
    let name = format!("POD_NAME={pod}");
    let is_its = |pid: &&str| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment
            .split(|byte| *byte == 0)
            .any(|variable| variable == name.as_bytes())
    };
    let pid = pids.lines().find(is_its);
    pid.unwrap_or_else(|| panic!("no process of {pod} among {pids}"))
        .to_owned()
}
