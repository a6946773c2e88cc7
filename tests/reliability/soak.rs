//! Soak: a long run in which verdicts, targets, configuration, certificates and scrapes change all the time,
//! and nothing may grow.

use std::path::Path;
use std::time::Duration;

use privatelink_lab::{RunningWorld, World};
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep};

use crate::agent::{ADDRESS, Agent, Surroundings, Usage};
use crate::configuration::Configuration;
use crate::http;
use crate::metrics::Metrics;
use crate::say;
use crate::slope::{self, slope};
use crate::world::GOOD;

/// How long a run is, and what it can tell.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Probed every second.
    targets: usize,
    /// How many probes the run takes, once it is warm.
    probes: f64,
    /// What is left out at the beginning: until histories, caches and the allocator are full.
    warm_up: Duration,
    /// The bytes that a probe may leave behind.
    bytes_a_probe: f64,
}

/// An agent of 100 targets makes 288,000 probes a day. If each left 4 bytes, the 28 MiB between what it takes
/// and the chart's limit would last 25 days. Fewer bytes are not told from what the allocator keeps of a peak.
const WHOLE: Plan = Plan {
    targets: 600,
    probes: 1_000_000.0,
    warm_up: Duration::from_mins(7),
    bytes_a_probe: 4.0,
};

/// Two minutes tell a leak of a buffer or a task for each probe, and no smaller one: the histories of verdicts
/// are still being filled.
const BOUNDED: Plan = Plan {
    targets: 100,
    probes: 6_500.0,
    warm_up: Duration::from_secs(25),
    bytes_a_probe: 128.0,
};

/// Once in each cycle everything changes, and is as before at its end, when the sample is taken.
const CYCLE: Duration = Duration::from_secs(5);

/// The resolver whose server has faults in a part of each cycle, and its place in [`RunningWorld::dns`].
const FAULTY: (&str, usize) = ("faulty", 1);

/// What is said instead of an answer, in turn.
const FAULTS: [&str; 5] = [
    r#"[{"then": "servfail"}]"#,
    r#"[{"then": "garbage"}]"#,
    r#"[{"then": "nxdomain"}]"#,
    r#"[{"then": {"manyAddresses": 40}}]"#,
    r#"[{"then": "silence"}]"#,
];

/// What was seen at the end of a cycle.
#[derive(Clone, Copy, Debug)]
struct Sample {
    probes: f64,
    usage: Usage,
    series: f64,
    in_flight: f64,
}

/// Runs it; returns whether nothing grew.
pub(crate) async fn run(folder: &Path, is_bounded: bool) -> bool {
    slope::self_test();
    let plan = if is_bounded { BOUNDED } else { WHOLE };
    let lab = world(plan.targets).await;
    let mut configuration = Configuration::new(folder, &lab);
    let mut agent = Agent::start(folder, &configuration.path(), Surroundings::Plain);
    let answers = agent.answers_within(Duration::from_secs(5)).await;
    answers.expect("the agent starts");
    let began = Instant::now();
    let mut samples: Vec<Sample> = Vec::new();
    for cycle in 0.. {
        self::cycle(cycle, &lab, &mut configuration, &agent).await;
        if let Some(status) = agent.ended() {
            say(&format!(
                "BROKEN the agent ended: {status}; its log ends:\n{}",
                agent.log()
            ));
            return false;
        }
        let Some(sample) = sample(&agent).await else {
            say("BROKEN the agent serves no metrics, or a probe panicked");
            return false;
        };
        if began.elapsed() >= plan.warm_up {
            samples.push(sample);
        }
        let done = samples
            .first()
            .map_or(0.0, |first| sample.probes - first.probes);
        if cycle % 12 == 0 || done >= plan.probes {
            say(&format!(
                "{:.0} s, {done:.0} probes since it is warm, {sample:?}",
                began.elapsed().as_secs_f64()
            ));
        }
        if done >= plan.probes {
            break;
        }
    }
    let cpu = agent.cpu().as_secs_f64() / began.elapsed().as_secs_f64();
    let is_flat = judge(plan, &samples);
    say(&format!("the agent took {:.0} % of a core", cpu * 100.0));
    agent.signal("TERM");
    let ended = agent.ends_within(Duration::from_secs(5)).await;
    let is_orderly = ended.is_some_and(|status| status.success());
    if !is_orderly {
        say(&format!("BROKEN an orderly exit under 5 s: {ended:?}"));
    }
    is_flat && is_orderly
}

/// Changes everything, scrapes in every form, and changes it back.
async fn cycle(
    number: usize,
    lab: &RunningWorld,
    configuration: &mut Configuration,
    agent: &Agent,
) {
    let until = Instant::now() + CYCLE;
    let (fault, (_, faulty)) = (FAULTS[number % FAULTS.len()], FAULTY);
    lab.set_faults(faulty, fault).expect("faults");
    let fewer = configuration.without("churn-");
    configuration.swap(&fewer);
    agent.signal("HUP");
    rotate_and_scrape(lab).await;
    sleep(CYCLE / 4).await;
    if number.is_multiple_of(2) {
        let invalid = fewer.replacen("\"targets\"", "\"targtes\"", 1);
        configuration.swap(&invalid);
    } else {
        configuration.swap_authority();
    }
    agent.signal("HUP");
    rotate_and_scrape(lab).await;
    sleep(CYCLE / 4).await;
    configuration.restore();
    lab.set_faults(faulty, "[]").expect("faults");
    agent.signal("HUP");
    rotate_and_scrape(lab).await;
    tokio::time::sleep_until(until).await;
}

/// Gives every service a new certificate, and asks the agent for everything. The chains that the agent remembers
/// are as many as they may be before the run is warm.
async fn rotate_and_scrape(lab: &RunningWorld) {
    for port in FIRST_PORT..FIRST_PORT + PORT_COUNT {
        let set = lab.set_endpoint(&format!("127.0.1.1:{port}"), GOOD);
        set.expect("a new certificate");
    }
    for path in [
        "/metrics",
        "/api/v1/targets",
        "/api/v1/summary",
        "/",
        "/readyz",
        "/nowhere",
    ] {
        // What is not answered is told where the sample is taken.
        _ = http::get(ADDRESS, path, Duration::from_secs(3)).await;
    }
}

async fn sample(agent: &Agent) -> Option<Sample> {
    let reply = http::get(ADDRESS, "/metrics", Duration::from_secs(5))
        .await
        .ok()?;
    let metrics = Metrics::read(&reply.body);
    let is_well = metrics.of_agent("privatelink_probe_panics_total") == Some(0.0);
    // Every probe asks DNS. This histogram counts those of targets that are gone, too.
    let mut stages = metrics.series("privatelink_probe_stage_duration_seconds_count");
    let probes = stages.find(|(labels, _)| labels.get("stage") == Some(&"dns"));
    let probes = probes.map(|(_, value)| value);
    #[expect(clippy::cast_precision_loss, reason = "thousands of series")]
    let series = metrics.samples.len() as f64;
    is_well.then_some(Sample {
        probes: probes?,
        usage: agent.usage(),
        series,
        in_flight: metrics.of_agent("privatelink_probes_in_flight")?,
    })
}

/// Prints how fast each thing grew, and returns whether that is within its bound.
fn judge(plan: Plan, samples: &[Sample]) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "below 2^52")]
    let number = |value: u64| value as f64;
    let (Some(first), Some(last)) = (samples.first(), samples.last()) else {
        return false;
    };
    let probes = last.probes - first.probes;
    say("");
    say(&format!(
        "{probes:.0} probes in {} samples, after {} s to warm up",
        samples.len(),
        plan.warm_up.as_secs()
    ));
    say("| what | first | last | slope over the whole run | at most |\n|---|---|---|---|---|");
    let mut is_flat = true;
    let mut row = |what: &str, of: &dyn Fn(&Sample) -> f64, most: f64| {
        let points: Vec<(f64, f64)> = samples.iter().map(|it| (it.probes, of(it))).collect();
        let grown = slope(&points) * probes;
        let verdict = if grown <= most { "" } else { " **BROKEN**" };
        is_flat &= grown <= most;
        say(&format!(
            "| {what} | {:.1} | {:.1} | {grown:+.1} | {most:.1}{verdict} |",
            of(first),
            of(last)
        ));
    };
    // How many probes run when the sample is taken varies so much. A leak of one for each thousand probes would
    // be far above it.
    #[expect(clippy::cast_precision_loss, reason = "hundreds of targets")]
    let running = plan.targets as f64 / 10.0;
    let most_memory = plan.bytes_a_probe * probes / 1024.0;
    row(
        "resident, KiB",
        &|it| number(it.usage.resident),
        most_memory,
    );
    row(
        "resident without the program's file, KiB",
        &|it| number(it.usage.anonymous),
        most_memory,
    );
    row("descriptors", &|it| number(it.usage.descriptors), running);
    row("threads", &|it| number(it.usage.threads), 1.0);
    row("probes in flight", &|it| it.in_flight, running);
    row("series", &|it| it.series, first.series * 0.03);
    is_flat
}

/// The ports at which every host is probed: few hosts keep the servers' own work small.
const FIRST_PORT: usize = 20_001;
const PORT_COUNT: usize = 10;

/// How a kind of target goes, in turn. Those named `churn` come and go with the configuration.
const KINDS: [&str; 10] = [
    "tls", "tcp", "faulty", "absent", "closed", "tcp", "absent", "churn", "tcp", "turn",
];

/// As many targets, of each kind as many.
async fn world(targets: usize) -> RunningWorld {
    let mut records = Vec::new();
    let mut sequences = Map::new();
    let mut scenarios = Vec::new();
    for (place, kind) in KINDS.into_iter().enumerate() {
        for number in 0..targets / KINDS.len() {
            let (host, port) = (number / PORT_COUNT, number % PORT_COUNT);
            let name = format!("{kind}-{place}-{number}");
            let host = format!("{kind}-{place}-{host}.internal.example.com");
            let address = match kind {
                "tls" => "127.0.1.1",
                "closed" => "127.0.1.3",
                _ => "127.0.1.2",
            };
            let record = format!("{host} A {address}");
            match kind {
                "absent" => {}
                // There and gone from question to question. Only the first ones: a history of a hundred changes
                // takes memory until it is full.
                "turn" if number < PORT_COUNT => {
                    sequences.insert(host.clone(), json!([[record], []]));
                }
                _ if port == 0 => records.push(record),
                _ => {}
            }
            scenarios.push(json!({
                "target": {
                    "name": name,
                    "host": host,
                    "port": FIRST_PORT + port,
                    "resolver": if kind == "faulty" { FAULTY.0 } else { "steady" },
                    "protocol": if kind == "tls" { "tls" } else { "tcp" },
                },
                "verdict": {"outcome": "pass"},
            }));
        }
    }
    let good: Value = serde_json::from_str(GOOD).expect("an endpoint");
    let mut endpoints = Map::new();
    for port in FIRST_PORT..FIRST_PORT + PORT_COUNT {
        endpoints.insert(format!("127.0.1.1:{port}"), good.clone());
        endpoints.insert(format!("127.0.1.2:{port}"), "silent".into());
    }
    let world = json!({
        "story": "Everything changes.",
        "config": {
            "interval": "1s",
            "timeout": "2s",
            "limits": {"minInterval": "1s", "maxDnsQps": 10_000, "maxTargets": 1000},
        },
        "servers": [
            {"resolver": "steady", "records": records, "sequences": sequences},
            {"resolver": FAULTY.0, "records": records},
        ],
        "endpoints": endpoints,
        "scenarios": scenarios,
    });
    let world = World::parse(&world.to_string()).expect("a world");
    RunningWorld::start(&world).await.expect("a running world")
}
