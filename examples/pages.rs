//! Pages: the agent's page with 500 targets, and the observer's with 500 nodes of 50 targets, as the real server
//! serves them, of a fleet that is made up. `tests/browser/run` looks at them in a browser.
//!
//!   pages            print the two addresses, agent and observer, and serve until the standard input ends; a line
//!                    `break` there breaks the fleet, and `heal` heals it
//!   pages report     print what the terminal shows of the broken fleet, in 100 columns
#![expect(clippy::print_stdout, reason = "it is a program for tests")]

use std::io::{BufRead as _, stdout};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use privatelink_board::{Board, Probed, SharedBoard, fixtures};
use privatelink_fleet::query::GateQuery;
use privatelink_fleet::{
    Cell, Coverage, Fleet, FleetQuery, FleetTarget, Moment, Node, PathState, Traits, View,
    WhyUncovered,
};
use privatelink_observer::{Observer, ObserverRules};
use privatelink_prober::http::{self, Site};
use privatelink_report::fleet::terminal;
use privatelink_report::metrics::{Histograms, Metrics};
use privatelink_verdict::address::Class;
use privatelink_verdict::reason::Reason;
use privatelink_verdict::target::{Expectation, Target, Users};
use privatelink_verdict::verdict::Outcome;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

const NODES: usize = 500;
const TARGETS: usize = 50;
const OF_THE_AGENT: usize = 500;

const POOLS: [&str; 5] = ["apps", "batch", "gpu", "ingress", "system"];
const OWNERS: [&str; 3] = ["payments", "search", "shop"];

/// The services that the targets belong to.
const SERVICES: [(&str, &str); 5] = [
    ("key-vault", "vault.azure.net"),
    ("storage-blob", "blob.core.windows.net"),
    ("sql-database", "database.windows.net"),
    ("container-registry", "azurecr.io"),
    ("service-bus", "servicebus.windows.net"),
];

#[tokio::main(flavor = "current_thread")]
async fn main() {
    if std::env::args().nth(1).as_deref() == Some("report") {
        report();
        return;
    }
    let board = SharedBoard::new(board());
    let metrics = Metrics::new(board.clone(), Histograms::Off);
    serve("agent", Site::Agent(board, metrics));

    let owners =
        (0..TARGETS).map(|number| (host(number), OWNERS[number % OWNERS.len()].to_owned()));
    let rules = ObserverRules {
        owners: Arc::new(owners.collect()),
        ..ObserverRules::default()
    };
    let observer = Observer::of_fleet(fleet(false), rules);
    serve(
        "observer",
        Site::Observer(observer.clone(), "node".to_owned()),
    );

    let mut lines = lines();
    while let Some(line) = lines.recv().await {
        let is_broken = line == "break";
        observer.change_fleet(|fleet| read_all(fleet, is_broken));
        println!("done {line}");
    }
}

/// Prints the broken fleet, and whether public access may be turned off.
fn report() {
    let query = FleetQuery {
        gate: Some(GateQuery::default()),
        ..FleetQuery::default()
    };
    let mut report = fleet(true).report(&query, now());
    "observer".clone_into(&mut report.answered_by.source);
    "privatelink-prober-observer-0".clone_into(&mut report.answered_by.name);
    terminal(&mut stdout(), &report, Some(100)).expect("standard output");
}

fn fleet(is_broken: bool) -> Fleet {
    let mut fleet = Fleet::default();
    fleet.set_nodes(nodes(), now());
    read_all(&mut fleet, is_broken);
    fleet
}

fn serve(name: &str, site: Site) {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let listener = http::bind(Some(address)).expect("a port");
    println!(
        "{name} http://{}/",
        listener.local_addr().expect("an address")
    );
    tokio::spawn(http::serve(
        listener,
        site,
        http::Access::default(),
        CancellationToken::new(),
    ));
}

/// The lines of the standard input.
fn lines() -> mpsc::UnboundedReceiver<String> {
    let (sender, lines) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        let lines = std::io::stdin().lock().lines();
        let _ = lines
            .map_while(Result::ok)
            .try_for_each(|line| sender.send(line));
    });
    lines
}

fn now() -> Moment {
    Moment::from(SystemTime::now())
}

fn host(number: usize) -> String {
    let (service, suffix) = SERVICES[number % SERVICES.len()];
    format!("{service}-{number:03}.{suffix}")
}

/// An agent's board: every tenth target is broken in one of four ways.
fn board() -> Board {
    let kinds = [
        fixtures::public_fallback,
        fixtures::dns_timeout,
        fixtures::connect_timeout,
        fixtures::name_mismatch,
    ];
    let probes: Vec<Probed> = (0..OF_THE_AGENT)
        .map(|number| {
            let probed = if number % 10 == 0 {
                kinds[number / 10 % kinds.len()]()
            } else {
                fixtures::healthy()
            };
            let mut probed =
                fixtures::named(&format!("{:03}-{}", number, probed.target.host), probed);
            let mut target = Target::clone(&probed.target);
            target.owner = Some(OWNERS[number % OWNERS.len()].to_owned());
            target.users = Some(fixtures::users().into());
            probed.target = target.into();
            probed.observation.checked_at = SystemTime::now();
            probed
        })
        .collect();
    let plan = fixtures::plan(probes.iter().map(|probed| Arc::clone(&probed.target)));
    let mut board = Board::new(
        "aks-apps-38472910-vmss000007".to_owned(),
        &plan,
        SystemTime::now(),
    );
    for probed in probes {
        board.record(probed.into());
    }
    board
}

fn nodes() -> Vec<Node> {
    let joined = now().before(Duration::from_hours(30));
    let node = |number: usize| Node {
        name: node_name(number).into(),
        traits: Traits {
            pool: Some(POOLS[number % POOLS.len()].into()),
            zone: Some(format!("westeurope-{}", number % 3 + 1).into()),
            subnet: Some(format!("snet-{}", POOLS[number % POOLS.len()]).into()),
            image: Some(
                format!(
                    "AKSUbuntu-2204gen2containerd-2026{:02}.03.0",
                    10 + number % 2
                )
                .into(),
            ),
            ..Traits::default()
        },
        joined: Some(joined),
        coverage: Coverage::Covered,
    };
    let windows = Node {
        name: "aks-win-38472910-vmss000000".into(),
        coverage: Coverage::Uncovered(WhyUncovered::Windows),
        ..node(0)
    };
    (0..NODES).map(node).chain([windows]).collect()
}

fn node_name(number: usize) -> String {
    format!(
        "aks-{}-38472910-vmss{number:06}",
        POOLS[number % POOLS.len()]
    )
}

/// Takes what every agent says.
fn read_all(fleet: &mut Fleet, is_broken: bool) {
    let targets: Vec<Arc<FleetTarget>> = (0..TARGETS).map(|number| target(number).into()).collect();
    let started = now().before(Duration::from_hours(26));
    for node in 0..NODES {
        let view = View {
            version: "0.1.0".into(),
            agent_started: started,
            config_hash: "1".into(),
            config_loaded: true,
            cells: targets
                .iter()
                .enumerate()
                .map(|(number, target)| cell(node, number, target, is_broken))
                .collect(),
        };
        assert!(fleet.set_view(&node_name(node), view, now()));
    }
}

fn target(number: usize) -> FleetTarget {
    let (service, _) = SERVICES[number % SERVICES.len()];
    FleetTarget {
        name: host(number),
        host: host(number),
        service: service.to_owned(),
        users: Some(Users {
            usage: None,
            workloads: 1 + number as u64 % 17,
            namespaces: 1 + number as u64 % 3,
            examples: vec![format!("Deployment {}/api", OWNERS[number % OWNERS.len()])],
        }),
    }
}

/// What is wrong with a target on a node of the broken fleet.
fn trouble(node: usize, target: usize) -> Option<(Outcome, Reason)> {
    match (node, target) {
        // The DNS settings of one node are wrong.
        (123, _) => Some((Outcome::Fail, Reason::DnsTimeout)),
        // A pool does not see the zone of the key vaults.
        _ if node % 5 == 1 && target.is_multiple_of(5) => {
            Some((Outcome::Fail, Reason::PublicFallback))
        }
        // One database is not reached from anywhere.
        (_, 2) => Some((Outcome::Fail, Reason::ConnectTimeout)),
        (_, 8) => Some((Outcome::Warn, Reason::TlsCertificateExpiring)),
        _ => None,
    }
}

fn cell(node: usize, number: usize, target: &Arc<FleetTarget>, is_broken: bool) -> Cell {
    let trouble = trouble(node, number).filter(|_| is_broken);
    let class = match trouble {
        Some((_, Reason::PublicFallback)) => Class::Public,
        _ => Class::Private,
    };
    let is_answered = !matches!(trouble, Some((_, Reason::DnsTimeout)));
    let path = |resolver: &str| PathState {
        resolver: resolver.into(),
        classes: is_answered.then_some(class).into_iter().collect(),
        answered_since: is_answered.then(|| now().before(Duration::from_hours(25))),
        last_non_private: (class == Class::Public).then(now),
    };
    Cell {
        target: Arc::clone(target),
        judged: Some(trouble.unwrap_or((Outcome::Pass, Reason::Ok))),
        since: now().before(Duration::from_mins(12)),
        is_confirmed: true,
        is_stale: false,
        expect: Expectation::PrivateEndpoint,
        paths: [path("pod"), path("node")].into_iter().collect(),
    }
}
