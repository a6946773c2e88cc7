//! Fleet: what all nodes of a large cluster together ask of DNS, in every second, by the agent's own
//! schedule; and what Prometheus gets of them. docs/adr/0017-load-of-a-fleet.md draws the conclusions. To read the figures:
//! `cargo test --release --test fleet -- --nocapture`.
#![expect(clippy::print_stdout, reason = "it prints what it measured")]

use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flate2::Compression;
use flate2::write::GzEncoder;
use privatelink_board::{Board, SharedBoard, fixtures};
use privatelink_config::plan::Detail;
use privatelink_probe::Due;
use privatelink_prober::schedule::{FIRST_ROUND, Schedule, cadence, spread};
use privatelink_report::metrics::{Exposition, Histograms, Metrics};
use privatelink_report::pieces::Pieces as _;
use tokio::time::Instant;

/// Of every node.
const TARGETS: usize = 100;
const INTERVAL: Duration = Duration::from_secs(30);
/// A, AAAA, and another resolver beside the target's own, as the chart configures pods and nodes.
const FAMILIES: u32 = 2;
const OTHERS: u32 = 1;

/// Regions, node pools of each, and nodes of each. Without optimisation a part has to do.
const REGIONS: usize = 5;
const POOLS: usize = if cfg!(debug_assertions) { 2 } else { 10 };
const NODES: usize = 200;

/// Seconds that are looked at: what is asked every twentieth probe comes round once.
const SECONDS: usize = 20 * 30;

/// DNS queries in each second.
type Load = Vec<u32>;

#[test]
fn dns_servers_see_an_even_load_and_at_most_twice_as_much_when_all_nodes_start_at_once() {
    let pools: Vec<Load> = (0..REGIONS * POOLS).map(pool).collect();
    let regions: Vec<Load> = pools.chunks(POOLS).map(sum).collect();
    let fleet = sum(&regions);
    let worst = |of: fn(&Load) -> f64, loads: &[Load]| loads.iter().map(of).fold(0.0, f64::max);
    let nodes = REGIONS * POOLS * NODES;
    println!(
        "{nodes} nodes, {TARGETS} targets each, every {INTERVAL:?}: {:.0} DNS queries a second",
        mean(&fleet)
    );
    for (name, loads) in [
        ("a pool", &pools),
        ("a region", &regions),
        ("the fleet", &vec![fleet]),
    ] {
        let (start, steady) = (worst(start, loads), worst(steady, loads));
        println!("{name}: peak to mean {start:.2} in the first interval, {steady:.2} after it");
        assert!(start <= 2.0, "{name}: {start}");
        assert!(steady <= 1.25, "{name}: {steady}");
    }
}

#[test]
fn the_first_round_is_over_in_time_and_asks_nothing_twice() {
    let mut load = vec![0; SECONDS];
    add_node(&mut load, "aks-pool-12345678-vmss000000", |turn| {
        // Only first probes are counted.
        u32::from(turn.is_none())
    });
    let first_round = usize::try_from(FIRST_ROUND.as_secs()).expect("seconds");
    let (first, later) = load.split_at(first_round);
    assert_eq!(first.iter().sum::<u32>(), 100);
    assert_eq!(later.iter().sum::<u32>(), 0);
}

#[test]
fn essential_metrics_are_less_than_a_third_of_all() {
    let full = scrape(Detail::Full);
    let essential = scrape(Detail::Essential);
    for (name, scraped) in [("full", &full), ("essential", &essential)] {
        println!(
            "{name}: {} series of a node, {} KiB, {} KiB with gzip",
            scraped.series,
            scraped.bytes / 1024,
            scraped.compressed / 1024
        );
    }
    assert!(essential.series * 3 < full.series, "{essential:?} {full:?}");
}

/// What a scrape of a node is.
#[derive(Debug)]
struct Scraped {
    series: usize,
    bytes: usize,
    compressed: usize,
}

/// A scrape of a node whose targets are healthy.
fn scrape(detail: Detail) -> Scraped {
    let name = |number| format!("kv-{number}.vault.azure.net");
    let probes = (0..TARGETS).map(|number| fixtures::named(&name(number), fixtures::healthy()));
    let probes: Vec<_> = probes.map(Arc::new).collect();
    let mut plan = fixtures::plan(probes.iter().map(|probed| Arc::clone(&probed.target)));
    plan.metrics = detail;
    let node = "aks-pool-12345678-vmss000000".to_owned();
    let mut board = Board::new(node, &plan, SystemTime::now());
    for probed in &probes {
        board.record(Arc::clone(probed));
    }
    let metrics = Metrics::new(SharedBoard::new(board), Histograms::On);
    for probed in &probes {
        metrics.observe(probed);
    }
    let text = metrics.scrape(Exposition::Text).whole().expect("a scrape");
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&text).expect("gzip");
    let lines = text.split(|byte| *byte == b'\n');
    Scraped {
        series: lines
            .filter(|line| !line.is_empty() && !line.starts_with(b"#"))
            .count(),
        bytes: text.len(),
        compressed: gzip.finish().expect("gzip").len(),
    }
}

/// What the nodes of a pool ask, all of which start in the same moment.
fn pool(number: usize) -> Load {
    let mut load = vec![0; SECONDS];
    for node in 0..NODES {
        let name = format!("aks-pool{number}-12345678-vmss{node:06}");
        add_node(&mut load, &name, queries);
    }
    load
}

/// Adds the `queries` of each probe of a node. The first probe of a target has no turn.
fn add_node(load: &mut Load, node: &str, queries: impl Fn(Option<u64>) -> u32) {
    let (start, wall) = (Instant::now(), UNIX_EPOCH + Duration::from_hours(500_000));
    let targets: Vec<String> = (0..TARGETS)
        .map(|number| format!("kv-{number}.vault.azure.net"))
        .collect();
    let cadences = targets
        .iter()
        .map(|target| cadence(node, target, INTERVAL, start, wall));
    let mut schedule = Schedule::new(cadences);
    let mut turns: Vec<Option<u64>> = vec![None; TARGETS];
    while let Some(at) = schedule.next_at() {
        let second = usize::try_from((at - start).as_secs()).expect("seconds");
        let Some(load) = load.get_mut(second) else {
            break;
        };
        let beat = schedule.take(at).expect("a beat that is due");
        let turn = &mut turns[beat.index];
        *load += queries(*turn);
        *turn = Some(match *turn {
            None => spread(node, &targets[beat.index]) % 20,
            Some(turn) => turn + 1,
        });
    }
}

/// The DNS queries of a probe of a healthy target.
fn queries(turn: Option<u64>) -> u32 {
    let due = turn.map(Due::at).unwrap_or_default();
    let compared = OTHERS * FAMILIES + 1;
    FAMILIES + u32::from(due.comparisons) * compared + u32::from(due.search) * FAMILIES
}

fn sum(loads: &[Load]) -> Load {
    let second = |second| loads.iter().map(|load| load[second]).sum();
    (0..SECONDS).map(second).collect()
}

/// The mean once every target was probed.
fn mean(load: &Load) -> f64 {
    let after = &load[30..];
    let sum: u32 = after.iter().sum();
    f64::from(sum) / f64::from(u32::try_from(after.len()).expect("seconds"))
}

/// Peak to mean in the first interval.
fn start(load: &Load) -> f64 {
    f64::from(*load[..30].iter().max().expect("seconds")) / mean(load)
}

/// Peak to mean after the first interval.
fn steady(load: &Load) -> f64 {
    f64::from(*load[30..].iter().max().expect("seconds")) / mean(load)
}
