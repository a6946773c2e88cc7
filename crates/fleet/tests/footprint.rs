//! Footprint: what the largest fleet takes: 5,000 nodes with 100 targets each, at rest, in a storm, and at
//! its worst. To read the figures: `cargo test --release -p privatelink-fleet --test footprint --
//! --nocapture`.
#![expect(
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "it measures time, and prints what it measured"
)]

use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use privatelink_fleet::history::Detail;
use privatelink_fleet::query::GateQuery;
use privatelink_fleet::{
    Cell, Coverage, Fleet, FleetHistory, FleetQuery, FleetTarget, Interned, Moment, Node,
    PathState, Traits, View,
};
use privatelink_verdict::address::{Class, ClassSet};
use privatelink_verdict::reason::Reason;
use privatelink_verdict::target::{Expectation, Users};
use privatelink_verdict::verdict::Outcome;

/// Without optimisation a part has to do.
const SCALE: usize = if cfg!(debug_assertions) { 20 } else { 1 };

const NODES: usize = 5_000 / SCALE;
const TARGETS: usize = 100;

/// What a `ConfigMap` has room for, compressed.
const ROOM: usize = 900 << 10;

const NOW: Moment = Moment(1_796_000_000);

fn ago(duration: Duration) -> Moment {
    NOW.before(duration)
}

fn nodes() -> Vec<Node> {
    (0..NODES)
        .map(|n| Node {
            name: format!("aks-pool{:02}-38472910-vmss{:06x}", n % 20, n).into(),
            traits: Traits {
                pool: Some(format!("pool{:02}", n % 20).into()),
                zone: Some(format!("westeurope-{}", n % 3).into()),
                region: Some("westeurope".into()),
                instance_type: Some("Standard_D4s_v5".into()),
                subnet: Some(format!("snet-{}", n % 4).into()),
                image: Some("AKSUbuntu-2204gen2containerd-202611.03.0".into()),
            },
            joined: Some(ago(Duration::from_secs(86_400 + 3_600 * (n as u64 % 700)))),
            coverage: Coverage::Covered,
        })
        .collect()
}

/// The services that the targets belong to.
const SERVICES: [(&str, &str); 4] = [
    ("key-vault", "vault.azure.net"),
    ("storage-blob", "blob.core.windows.net"),
    ("sql-database", "database.windows.net"),
    ("container-registry", "azurecr.io"),
];

fn targets() -> Vec<Arc<FleetTarget>> {
    let targets = (0..TARGETS).map(|n| {
        let (service, suffix) = SERVICES[n % SERVICES.len()];
        let host = format!("contoso-prod-{n:03}.{suffix}");
        Arc::new(FleetTarget {
            name: host.clone(),
            host,
            service: service.to_owned(),
            users: Some(Users {
                usage: None,
                workloads: n as u64,
                namespaces: 2,
                examples: vec![format!("Deployment team-{n}/api")],
            }),
        })
    });
    targets.collect()
}

/// How the cells of a fleet are made.
trait Situation {
    /// Outcome and reason, classes of both paths, since when.
    fn cell(&self, node: usize, target: usize) -> (Option<(Outcome, Reason)>, [Class; 2], Moment);
    fn answered_since(&self, node: usize, target: usize, path: usize) -> Option<Moment>;
    fn last_non_private(&self, node: usize, target: usize, path: usize) -> Option<Moment>;
}

const WELL: (Option<(Outcome, Reason)>, [Class; 2]) =
    (Some((Outcome::Pass, Reason::Ok)), [Class::Private; 2]);

/// Nothing happens. Agents started at different times in the last week.
struct Rest;

impl Situation for Rest {
    fn cell(&self, node: usize, _: usize) -> (Option<(Outcome, Reason)>, [Class; 2], Moment) {
        (WELL.0, WELL.1, started(node))
    }

    fn answered_since(&self, node: usize, target: usize, path: usize) -> Option<Moment> {
        // The path that is compared is asked first in one of six beats.
        let turn = (target * 13 + node * 7) % 6 * path;
        let phase = (target * 7 + path * 3) % 15 + turn * 30;
        Some(started(node).after(Duration::from_secs(phase as u64)))
    }

    fn last_non_private(&self, _: usize, _: usize, _: usize) -> Option<Moment> {
        None
    }
}

/// Two zones of four were unlinked for some minutes, an hour ago: each node saw it at its own second.
struct Storm;

impl Situation for Storm {
    fn cell(&self, node: usize, target: usize) -> (Option<(Outcome, Reason)>, [Class; 2], Moment) {
        let phase = Duration::from_secs(((node * 31 + target * 17) % 30) as u64);
        let since = ago(Duration::from_hours(1)).after(phase);
        if target % 4 < 2 {
            let judged = Some((Outcome::Fail, Reason::PublicFallback));
            (judged, [Class::Public; 2], since)
        } else {
            (WELL.0, WELL.1, started(node))
        }
    }

    fn answered_since(&self, node: usize, target: usize, path: usize) -> Option<Moment> {
        Rest.answered_since(node, target, path)
    }

    fn last_non_private(&self, node: usize, target: usize, _: usize) -> Option<Moment> {
        let phase = Duration::from_secs(((node * 31 + target * 17) % 30) as u64);
        (target % 4 < 2).then(|| ago(Duration::from_mins(50)).after(phase))
    }
}

/// After the storm: everything is well again, and remembered.
struct After;

impl Situation for After {
    fn cell(&self, node: usize, _: usize) -> (Option<(Outcome, Reason)>, [Class; 2], Moment) {
        (
            WELL.0,
            WELL.1,
            started(node).max(ago(Duration::from_mins(50))),
        )
    }

    fn answered_since(&self, node: usize, target: usize, path: usize) -> Option<Moment> {
        Rest.answered_since(node, target, path)
    }

    fn last_non_private(&self, node: usize, target: usize, path: usize) -> Option<Moment> {
        Storm.last_non_private(node, target, path)
    }
}

/// Every path of every node has a story of its own: nothing is alike.
struct Chaos;

impl Situation for Chaos {
    fn cell(&self, node: usize, target: usize) -> (Option<(Outcome, Reason)>, [Class; 2], Moment) {
        let since = ago(Duration::from_secs(random(node, target, 0) % 86_400));
        let reasons = [
            Reason::PublicFallback,
            Reason::ConnectTimeout,
            Reason::DnsTimeout,
            Reason::Ok,
        ];
        let reason = reasons[usize::from(random(node, target, 1).to_le_bytes()[0]) % reasons.len()];
        let outcome = if reason == Reason::Ok {
            Outcome::Pass
        } else {
            Outcome::Fail
        };
        let classes = [2, 3].map(|n| {
            if random(node, target, n).is_multiple_of(2) {
                Class::Public
            } else {
                Class::Private
            }
        });
        (Some((outcome, reason)), classes, since)
    }

    fn answered_since(&self, node: usize, target: usize, path: usize) -> Option<Moment> {
        Some(ago(Duration::from_secs(
            random(node, target, 4 + path) % 86_400,
        )))
    }

    fn last_non_private(&self, node: usize, target: usize, path: usize) -> Option<Moment> {
        Some(ago(Duration::from_secs(
            random(node, target, 8 + path) % 86_400,
        )))
    }
}

fn random(node: usize, target: usize, what: usize) -> u64 {
    fastrand::Rng::with_seed(((node * 1_000 + target) * 16 + what) as u64).u64(..)
}

fn started(node: usize) -> Moment {
    ago(Duration::from_secs((node as u64 * 7_919) % 86_400 + 86_000))
}

fn view(
    node: usize,
    targets: &[Arc<FleetTarget>],
    resolvers: &[Arc<str>; 2],
    situation: &dyn Situation,
    interned: &mut Interned,
) -> View {
    let cells = targets.iter().enumerate().map(|(number, target)| {
        let (judged, classes, since) = situation.cell(node, number);
        let paths = [0, 1].map(|path| PathState {
            resolver: resolvers[path].clone(),
            classes: [classes[path]].into_iter().collect::<ClassSet>(),
            answered_since: situation.answered_since(node, number, path),
            last_non_private: situation.last_non_private(node, number, path),
        });
        Cell {
            target: target.clone(),
            judged,
            since,
            is_confirmed: true,
            is_stale: false,
            expect: Expectation::PrivateEndpoint,
            paths: interned.paths(&paths),
        }
    });
    View {
        version: "0.1.0".into(),
        agent_started: started(node),
        config_hash: "1".into(),
        config_loaded: true,
        cells: cells.collect(),
    }
}

fn fleet(situation: &dyn Situation) -> Fleet {
    let (nodes, targets) = (nodes(), targets());
    let mut fleet = Fleet::default();
    fleet.set_nodes(nodes.clone(), NOW);
    fill(&mut fleet, &nodes, &targets, situation);
    fleet
}

fn fill(
    fleet: &mut Fleet,
    nodes: &[Node],
    targets: &[Arc<FleetTarget>],
    situation: &dyn Situation,
) {
    let resolvers = ["pod".into(), "node".into()];
    let mut interned = Interned::default();
    for (number, node) in nodes.iter().enumerate() {
        let view = view(number, targets, &resolvers, situation, &mut interned);
        assert!(fleet.set_view(&node.name, view, NOW));
    }
}

fn gzipped(text: &str) -> usize {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).expect("memory");
    encoder.finish().expect("memory").len()
}

/// A field of /proc/self/status, in KiB.
fn status(field: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with(field));
    let number = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    number.expect("a number")
}

/// `most` is for a machine that does other things besides, without link-time optimisation.
fn report(name: &str, fleet: &Fleet, gate: bool, most: Duration) {
    let query = FleetQuery {
        gate: gate.then(GateQuery::default),
        ..FleetQuery::default()
    };
    let mut took = Duration::MAX;
    let mut text = String::new();
    for _ in 0..3 {
        let started = Instant::now();
        let report = fleet.report(&query, NOW);
        took = took.min(started.elapsed());
        let groups = report.groups.len();
        let patterns: Vec<&str> = report.patterns.iter().map(|p| &*p.headline).collect();
        text = serde_json::to_string(&report).expect("JSON");
        if groups < 20 {
            println!("  {groups} groups, patterns {patterns:#?}");
        }
    }
    let (length, zipped) = (text.len() >> 10, gzipped(&text) >> 10);
    println!("{name}: report in {took:?}, {length} KiB of JSON, {zipped} KiB with gzip");
    if SCALE == 1 {
        assert!(took < most, "{name}: {took:?}");
    }
}

/// The saved text in the first detail that fits, and its sizes.
fn save(name: &str, history: &mut FleetHistory) -> String {
    for detail in Detail::ALL {
        let started = Instant::now();
        let text = history.save(*detail, NOW);
        let took = started.elapsed();
        let zipped = gzipped(&text);
        println!(
            "{name}: saved to {detail} in {took:?}, {} KiB, {} KiB with gzip",
            text.len() >> 10,
            zipped >> 10
        );
        if zipped <= ROOM {
            return text;
        }
    }
    panic!("no detail fits");
}

#[test]
fn the_largest_fleet_fits_and_is_quick() {
    let before = status("VmRSS:");
    let mut rest = fleet(&Rest);
    let kept = status("VmRSS:").saturating_sub(before);
    let cells = NODES * TARGETS;
    println!(
        "{NODES} nodes of {TARGETS} targets: {kept} KiB, {} bytes a cell",
        (kept << 10) / cells
    );
    report("at rest", &rest, false, Duration::from_millis(200));
    report(
        "at rest, with the gate",
        &rest,
        true,
        Duration::from_millis(200),
    );
    let text = save("at rest", rest.history_mut());
    let started = Instant::now();
    let restored = FleetHistory::restore(&text, Some(NOW), NOW).expect("it is restored");
    println!("restored in {:?}", started.elapsed());
    let remembering = Fleet::remembering(restored);
    assert_eq!(remembering.history().mark(NOW), None, "it is not saved yet");
    // The least that any host has to spare for it.
    assert!(kept < (110 << 10) / SCALE + 8192, "{kept} KiB");

    let mut storm = fleet(&Storm);
    let peak = status("VmRSS:").saturating_sub(before);
    println!("two fleets, the second in a storm: {peak} KiB");
    report("in a storm", &storm, false, Duration::from_millis(500));
    report(
        "in a storm, with the gate",
        &storm,
        true,
        Duration::from_millis(500),
    );
    save("in a storm", storm.history_mut());
    fill(&mut storm, &nodes(), &targets(), &After);
    report(
        "after the storm, with the gate",
        &storm,
        true,
        Duration::from_millis(500),
    );
    save("after the storm", storm.history_mut());
    drop(storm);
    drop(rest);

    let mut chaos = fleet(&Chaos);
    report("in chaos", &chaos, false, Duration::from_secs(2));
    report(
        "in chaos, with the gate",
        &chaos,
        true,
        Duration::from_secs(2),
    );
    save("in chaos", chaos.history_mut());
}
