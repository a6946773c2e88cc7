//! Workload: what runs under valgrind. Only what happens in the function of a workload's own name is
//! counted, so these functions are never inlined.

use std::fmt::Write as _;
use std::hint::black_box;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use flate2::Compression;
use flate2::write::GzEncoder;
use privatelink_board::{Board, Probed, SharedBoard, fixtures};
use privatelink_config::load_text;
use privatelink_config::plan::Plan;
use privatelink_machine::Machine;
use privatelink_prober::agent::Agent;
use privatelink_report::metrics::{Exposition, Histograms, Metrics};
use privatelink_report::pieces::Pieces as _;
use privatelink_verdict::address::Rules;
use privatelink_verdict::history::History;
use privatelink_verdict::surroundings::Surroundings;
use tokio::runtime::{self, Runtime};

/// The first argument of this program when it is to run a workload.
pub(crate) const MODE: &str = "workload";

/// What a large configuration has.
const TARGETS: usize = 1_000;
/// Keys and random numbers differ from probe to probe.
const PROBES: usize = 100;
/// The targets of the smaller and of the larger agent whose memory is compared.
const FEW: usize = 40;
const MANY: usize = 140;

/// The servers that are probed, as a data file of the lab.
pub(crate) fn world() -> String {
    let mut scenarios = String::new();
    for number in 1..=MANY {
        _ = write!(
            scenarios,
            "{{target: {{host: kv-{number}.vault.azure.net}}, verdict: {{outcome: pass}}, \
             dns: {{records: [kv-{number}.vault.azure.net CNAME kv-{number}.privatelink.vaultcore.azure.net, \
             kv-{number}.privatelink.vaultcore.azure.net 60 A 127.0.1.{number}]}}, \
             endpoints: {{127.0.1.{number}: {{tls: {{names: [\"*.vault.azure.net\"]}}}}}}}}, "
        );
    }
    format!("{{story: x, config: {{limits: {{maxDnsQps: 10000}}}}, scenarios: [{scenarios}]}}")
}

/// Runs the workload called `name`, and prints how many units of work that was.
pub(crate) fn run(name: &str, configuration: &Path) {
    let units = match name {
        "start" => {
            let text = large_configuration();
            black_box(start(&text));
            TARGETS
        }
        "classify" => {
            let addresses = addresses();
            black_box(classify(&Rules::default(), &addresses));
            addresses.len()
        }
        "judge" => {
            let probes = fixtures::all();
            judge(&probes);
            probes.len()
        }
        "scrape" => {
            let metrics = metrics_of_many();
            black_box(scrape(&metrics).len());
            TARGETS
        }
        "gzip" => {
            let text = scrape(&metrics_of_many());
            black_box(gzip(&text).len());
            TARGETS
        }
        "probe" => {
            let (runtime, mut agent) = agent(configuration, 1);
            // The first probe also asks for what later ones remember.
            runtime.block_on(agent.round(|_| {}));
            for _ in 0..PROBES {
                probe(&runtime, &mut agent);
            }
            PROBES
        }
        "heap-few" => heap(configuration, FEW),
        "heap-many" => heap(configuration, MANY),
        _ => panic!("there is no workload {name}"),
    };
    println!("{units}");
}

#[inline(never)]
fn start(text: &str) -> Agent {
    new_agent(&load_text("config.yaml", text).expect("a plan"))
}

#[inline(never)]
fn classify(rules: &Rules, addresses: &[IpAddr]) -> usize {
    let classes = addresses.iter().map(|address| rules.classify(*address));
    classes
        .filter(|class| black_box(class).is_private())
        .count()
}

#[inline(never)]
fn judge(probes: &[Probed]) {
    let (history, surroundings) = (History::default(), Surroundings::default());
    for probed in probes {
        black_box(privatelink_verdict::judge::judge(
            &probed.target,
            &probed.observation,
            &history,
            &surroundings,
        ));
    }
}

#[inline(never)]
fn scrape(metrics: &Metrics) -> Vec<u8> {
    let scrape = metrics.scrape(Exposition::Text);
    scrape.whole().expect("a scrape")
}

#[inline(never)]
fn gzip(text: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(text).expect("gzip");
    gzip.finish().expect("gzip")
}

#[inline(never)]
fn probe(runtime: &Runtime, agent: &mut Agent) {
    runtime.block_on(agent.round(|_| {}));
}

/// An agent of some targets that were all probed, and scraped. Ends the process, so that everything is
/// still there.
#[expect(clippy::exit, reason = "nothing may be dropped before valgrind counts")]
fn heap(configuration: &Path, targets: usize) -> ! {
    let (runtime, mut agent) = agent(configuration, targets);
    runtime.block_on(agent.round(|_| {}));
    scrape(agent.metrics());
    println!("{targets}");
    std::process::exit(0);
}

/// An agent of the first targets of a configuration.
fn agent(configuration: &Path, targets: usize) -> (Runtime, Agent) {
    let text = std::fs::read_to_string(configuration).expect("a configuration");
    let mut plan = load_text("config.yaml", &text).expect("a plan");
    plan.targets.truncate(targets);
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    (runtime, new_agent(&plan))
}

fn new_agent(plan: &Plan) -> Agent {
    Agent::new(Machine::real(), "node".to_owned(), plan, Histograms::On)
}

/// Hosts of several services, as a large cluster has them.
fn large_configuration() -> String {
    let suffixes = [
        "vault.azure.net",
        "blob.core.windows.net",
        "database.windows.net",
        "servicebus.windows.net",
        "azurecr.io",
    ];
    let mut text = format!("limits: {{maxTargets: {TARGETS}}}\ntargets:\n");
    for number in 0..TARGETS {
        let suffix = suffixes[number % suffixes.len()];
        _ = writeln!(text, "- host: name{number}.{suffix}");
    }
    text
}

fn addresses() -> Vec<IpAddr> {
    let step = u32::MAX / 4096;
    let addresses = (0..4096).map(|number| Ipv4Addr::from(number * step));
    addresses
        .flat_map(|v4| [IpAddr::V4(v4), IpAddr::V6(v4.to_ipv6_mapped())])
        .collect()
}

/// A full board: every target was probed once.
fn metrics_of_many() -> Metrics {
    let name = |number| format!("kv-{number}.vault.azure.net");
    let probes = (0..TARGETS).map(|number| fixtures::named(&name(number), fixtures::healthy()));
    let probes: Vec<_> = probes.collect();
    let targets = probes.iter().map(|probed| Arc::clone(&probed.target));
    let mut board = Board::new("n".to_owned(), &fixtures::plan(targets), SystemTime::now());
    for probed in probes {
        board.record(Arc::new(probed));
    }
    Metrics::new(SharedBoard::new(board), Histograms::On)
}
