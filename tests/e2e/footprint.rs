//! Footprint: what an agent takes, read from the kernel's accounts of its pod.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::cluster::{Agent, NODES, agent, agents};
use super::command::{eventually, same, sleep};
use super::harness::Test;
use super::release::{self, INTERVAL, LOCAL_DNS, SLACK};
use super::world::World;
use super::zones::{MANY, many};

pub(crate) const TESTS: &[Test] = &[
    (
        "a pod stays under the chart's limits and its CPU request",
        under_the_limits,
    ),
    ("fifty targets fit into 16 MiB", fifty_targets),
];

const MIB: f64 = 1024.0 * 1024.0;

fn under_the_limits(world: &mut World) {
    world.as_installed();
    let meter = world.meter.take().unwrap_or_else(|| {
        // Past the start, which costs more.
        sleep(Duration::from_secs(INTERVAL));
        Meter::start()
    });
    for (agent, cpu) in meter.read(Duration::from_secs(INTERVAL * 2)) {
        let resources = &agent.object["spec"]["containers"][0]["resources"];
        let limit = quantity(&resources["limits"]["memory"]);
        let requested = quantity(&resources["requests"]["memory"]);
        let memory = working_set(&agent);
        assert!(
            memory < limit / 2.0,
            "{} of {limit} bytes on {}",
            memory,
            agent.node
        );
        assert!(
            memory < requested,
            "{} of requested {requested} bytes on {}",
            memory,
            agent.node
        );
        let share = quantity(&resources["requests"]["cpu"]);
        world.notes.push(format!(
            "{}: working set {:.1} MiB, CPU {:.1} m with 4 targets each {INTERVAL} s",
            agent.node,
            memory / MIB,
            cpu * 1000.0
        ));
        assert!(
            cpu < share,
            "{cpu} of requested {share} cores on {}",
            agent.node
        );
        assert_eq!(agent.restarts, 0, "{}", agent.pod);
    }
}

fn fifty_targets(world: &mut World) {
    world.as_installed();
    let mut values = release::values(LOCAL_DNS);
    values["config"]["targets"] = many().map(|host| json!({"host": host})).collect();
    world.release.upgrade(values);
    for agent in agents() {
        eventually(Duration::from_secs(INTERVAL * 4 + SLACK), || {
            let metrics = agent.metrics()?;
            let probed = metrics
                .lines()
                .filter(|line| line.starts_with("privatelink_probe_success{"))
                .count();
            same("targets probed", &probed, &MANY)
        });
    }
    // Several rounds, in which connections, evidence and history fill what they fill.
    for (agent, used) in Meter::start().read(Duration::from_secs(INTERVAL * 4)) {
        let memory = working_set(&agent);
        // With the pages of the program itself, which the kernel accounts to whoever read them first.
        let resident = agent
            .metric("process_resident_memory_bytes", &[])
            .expect("a series");
        world.notes.push(format!(
            "{}: working set {:.1} MiB, resident {:.1} MiB, CPU {:.1} m with {MANY} targets each {INTERVAL} s",
            agent.node,
            memory / MIB,
            resident / MIB,
            used * 1000.0
        ));
        assert!(memory.max(resident) < 16.0 * MIB, "on {}", agent.node);
    }
}

/// Bytes that cannot be given back: what the kubelet calls the working set, of the whole pod.
#[expect(
    clippy::cast_precision_loss,
    reason = "bytes of one pod are far below 2^53"
)]
fn working_set(agent: &Agent) -> f64 {
    let folder = cgroup(agent, "memory");
    let unified = folder.join("memory.current");
    let (usage, inactive) = if unified.exists() {
        (number(&unified), "inactive_file ")
    } else {
        (
            number(&folder.join("memory.usage_in_bytes")),
            "total_inactive_file ",
        )
    };
    let stat = fs::read_to_string(folder.join("memory.stat")).expect("the pod's account");
    let inactive = stat
        .lines()
        .find_map(|line| line.strip_prefix(inactive)?.parse::<u64>().ok())
        .expect("a line of memory.stat");
    (usage - inactive) as f64
}

/// What each agent of [`NODES`] has used when the meter was started.
pub(crate) struct Meter {
    started: Instant,
    seconds: Vec<(Agent, f64)>,
}

impl Meter {
    pub(crate) fn start() -> Self {
        let seconds = NODES.map(|node| {
            let agent = agent(node);
            let seconds = cpu_seconds(&agent);
            (agent, seconds)
        });
        Self {
            started: Instant::now(),
            seconds: seconds.into(),
        }
    }

    /// Each agent as it is now, and the cores that it used on average, over `least` at least.
    fn read(self, least: Duration) -> Vec<(Agent, f64)> {
        sleep(least.saturating_sub(self.started.elapsed()));
        let read = |(then, seconds): &(Agent, f64)| {
            let now = agent(&then.node);
            assert_eq!(now.uid, then.uid, "the pod of {} is another", now.node);
            let used = cpu_seconds(&now) - seconds;
            (now, used / self.started.elapsed().as_secs_f64())
        };
        self.seconds.iter().map(read).collect()
    }
}

fn cpu_seconds(agent: &Agent) -> f64 {
    let folder = cgroup(agent, "cpuacct");
    let separate = folder.join("cpuacct.usage");
    let nanoseconds = if separate.exists() {
        number(&separate)
    } else {
        let stat = fs::read_to_string(folder.join("cpu.stat")).expect("the pod's account");
        let micros = stat
            .lines()
            .find_map(|line| line.strip_prefix("usage_usec ")?.parse::<u64>().ok());
        micros.expect("a line of cpu.stat") * 1000
    };
    Duration::from_nanos(nanoseconds).as_secs_f64()
}

/// The cgroup of the agent's pod, in the hierarchy of `controller` or in the unified one.
fn cgroup(agent: &Agent, controller: &str) -> PathBuf {
    let root = Path::new("/sys/fs/cgroup");
    let hierarchy = root.join(controller);
    let root = if hierarchy.exists() {
        hierarchy
    } else {
        root.to_owned()
    };
    find(&root, &format!("pod{}", agent.uid), 6)
        .unwrap_or_else(|| panic!("no cgroup of {}", agent.pod))
}

fn find(folder: &Path, name: &str, depth: usize) -> Option<PathBuf> {
    if folder.ends_with(name) {
        return Some(folder.to_owned());
    }
    let depth = depth.checked_sub(1)?;
    fs::read_dir(folder)
        .ok()?
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .find_map(|entry| find(&entry.path(), name, depth))
}

fn number(file: &Path) -> u64 {
    let text =
        fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    text.trim().parse().expect("a number")
}

/// A quantity of Kubernetes, of the few forms that the chart writes.
fn quantity(value: &Value) -> f64 {
    let text = value.as_str().expect("a quantity");
    let (number, unit) = match text {
        _ if text.ends_with("Mi") => (&text[..text.len() - 2], MIB),
        _ if text.ends_with('m') => (&text[..text.len() - 1], 0.001),
        _ => (text, 1.0),
    };
    number.parse::<f64>().expect("a number and its unit") * unit
}
