//! When each server is asked alone, and what is kept of what it says.

use std::net::IpAddr;

use privatelink_config::load_text;
use privatelink_lab::{RunningWorld, World};
use privatelink_verdict::address::{Class, Family};
use privatelink_verdict::names::Names;
use privatelink_verdict::observation::{Address, Flags, Query, Rare, Transport};
use tokio::time::advance;

use super::*;
use crate::rate_limit::DnsBudget;

const HOST: &str = "kv.test";
const ONE: [&str; 1] = ["10.0.0.10:53"];
const TWO: [&str; 2] = ["10.0.0.4:53", "10.0.0.5:53"];

fn at(servers: &[&str]) -> Vec<SocketAddr> {
    let parsed = servers.iter().map(|server| server.parse());
    parsed.collect::<Result<_, _>>().expect("servers")
}

fn address(ip: [u8; 4]) -> Address {
    let class = match ip[0] {
        10 => Class::Private,
        _ => Class::Public,
    };
    Address {
        ip: IpAddr::from(ip),
        class,
        ttl: 10,
    }
}

fn gives(server: &str, ip: [u8; 4]) -> ServerAnswer {
    ServerAnswer {
        server: server.parse().expect("a server"),
        outcomes: vec![(Family::Ipv4, QueryOutcome::Answer)],
        addresses: vec![address(ip)],
        times: 1,
        checked_at: SystemTime::UNIX_EPOCH,
    }
}

/// What the path came to: one address, or none at all.
fn resolution(ip: Option<[u8; 4]>) -> Resolution {
    let query = Query {
        family: Family::Ipv4,
        server: None,
        transport: Transport::Udp,
        outcome: match ip {
            Some(_) => QueryOutcome::Answer,
            None => QueryOutcome::Timeout,
        },
        rcode: None,
        flags: Flags::default(),
        elapsed: Duration::ZERO,
        tries: 1,
        degraded: false,
        chain: Names::default(),
        addresses: Vec::new(),
        ttl: None,
        longest_ttl: None,
        soa: None,
        trouble: Rare::default(),
    };
    Resolution {
        queries: vec![query],
        addresses: ip.into_iter().map(address).collect(),
        ..Resolution::default()
    }
}

const PRIVATE: [u8; 4] = [10, 1, 2, 3];
const PUBLIC: [u8; 4] = [52, 1, 2, 3];

#[tokio::test(start_paused = true)]
async fn a_first_probe_asks_several_servers_once_and_a_single_one_not_at_all() {
    let found = resolution(Some(PRIVATE));
    assert_eq!(PerServer::default().times(&at(&ONE), &found, true), 0);
    let mut servers = PerServer::default();
    assert_eq!(servers.times(&at(&TWO), &found, true), 1);
    servers.answers(
        &found,
        Some(TWO.map(|server| gives(server, PRIVATE)).to_vec()),
    );
    advance(PAUSE).await;
    assert_eq!(servers.times(&at(&TWO), &found, true), 0, "they agree");
}

#[tokio::test(start_paused = true)]
async fn servers_are_asked_while_the_answers_flap_though_at_most_once_a_minute() {
    let found = resolution(Some(PRIVATE));
    let mut servers = PerServer {
        is_flapping: true,
        ..PerServer::default()
    };
    assert_eq!(servers.times(&at(&ONE), &found, false), TIMES_ALONE);
    assert_eq!(servers.times(&at(&TWO), &found, false), TIMES_EACH);
    servers.answers(&found, Some(vec![gives(ONE[0], PRIVATE)]));
    advance(PAUSE / 2).await;
    assert_eq!(servers.times(&at(&ONE), &found, true), 0);
    advance(PAUSE / 2).await;
    assert_eq!(servers.times(&at(&ONE), &found, false), TIMES_ALONE);
    servers.is_flapping = false;
    assert_eq!(servers.times(&at(&ONE), &found, true), 0, "it is over");
}

#[tokio::test(start_paused = true)]
async fn servers_that_differed_are_asked_again_when_resolvers_are_compared() {
    let found = resolution(Some(PRIVATE));
    let mut servers = PerServer::default();
    let differing = vec![gives(TWO[0], PRIVATE), gives(TWO[1], PUBLIC)];
    servers.answers(&found, Some(differing));
    advance(PAUSE).await;
    assert_eq!(servers.times(&at(&TWO), &found, false), 0);
    assert_eq!(servers.times(&at(&TWO), &found, true), TIMES_EACH);
}

#[test]
fn nobody_is_asked_where_no_server_answered_the_path() {
    let mut servers = PerServer {
        is_flapping: true,
        ..PerServer::default()
    };
    assert_eq!(servers.times(&at(&TWO), &resolution(None), true), 0);
    assert_eq!(servers.times(&at(&TWO), &Resolution::default(), true), 0);
}

#[tokio::test]
async fn what_they_said_stays_until_the_addresses_or_the_servers_are_others() {
    let found = resolution(Some(PRIVATE));
    let said = vec![gives(TWO[0], PRIVATE), gives(TWO[1], PUBLIC)];
    let mut servers = PerServer::default();
    assert_eq!(servers.answers(&found, Some(said.clone())), said);
    assert_eq!(servers.answers(&resolution(Some(PUBLIC)), None), said);
    assert_eq!(servers.answers(&resolution(None), None), said);
    servers.is_flapping = true;
    let other = resolution(Some([10, 9, 9, 9]));
    assert_eq!(servers.answers(&other, None), said, "it flaps");
    servers.is_flapping = false;
    assert_eq!(servers.answers(&other, None), []);

    servers.answers(&found, Some(said));
    assert_eq!(servers.times(&at(&ONE), &found, false), 0);
    assert_eq!(servers.answers(&found, None), [], "it has other servers");
}

#[tokio::test]
async fn what_was_just_asked_counts_even_where_it_is_not_what_the_path_got() {
    let said = vec![gives(ONE[0], PUBLIC)];
    let mut servers = PerServer::default();
    let found = resolution(Some(PRIVATE));
    assert_eq!(servers.answers(&found, Some(said.clone())), said);
}

async fn start(servers: &str) -> RunningWorld {
    let world = World::parse(&format!(
        "{{story: x, target: {{host: {HOST}}}, verdict: {{outcome: pass}}, servers: {servers}}}"
    ));
    let world = world.expect("a world");
    RunningWorld::start(&world).await.expect("a running world")
}

async fn asked(world: &RunningWorld, times: u32) -> Vec<ServerAnswer> {
    let nameservers = Nameservers {
        servers: world.dns.clone(),
        ..Nameservers::default()
    };
    let client = ResolverClient {
        resolver: &"pod".into(),
        nameservers: &nameservers,
        budget: DnsBudget::plenty(),
    };
    let plan = load_text("config.yaml", &format!("targets: [{{host: {HOST}}}]"));
    let target = &plan.expect("a plan").targets[0];
    let deadline = Instant::now() + Duration::from_secs(1);
    client.each_server(target, times, deadline).await
}

/// Server, outcome, first address and times of each answer.
async fn each(servers: &str, times: u32) -> Vec<(usize, QueryOutcome, Option<IpAddr>, u32)> {
    let world = start(servers).await;
    let answers = asked(&world, times).await;
    { answers.iter() }
        .map(|answer| {
            let server = world.dns.iter().position(|dns| *dns == answer.server);
            (
                server.expect("one of the world's"),
                answer.outcome().expect("an outcome"),
                answer.addresses.first().map(|address| address.ip),
                answer.times,
            )
        })
        .collect()
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

#[tokio::test]
async fn each_server_is_asked_by_itself_and_says_what_it_says() {
    let servers = "[{records: [kv.test A 127.0.1.1]}, {faults: [{then: servfail}]}, \
                   {records: [kv.test A 127.0.2.1]}, {udp: closed}]";
    assert_eq!(
        each(servers, 2).await,
        [
            (0, QueryOutcome::Answer, Some(ip("127.0.1.1")), 2),
            (1, QueryOutcome::ServerFailure, None, 1),
            (2, QueryOutcome::Answer, Some(ip("127.0.2.1")), 2),
            (3, QueryOutcome::Unreachable, None, 1),
        ]
    );
}

#[tokio::test]
async fn a_server_that_says_several_things_has_an_answer_for_each() {
    let servers = "[{sequences: {kv.test: [[kv.test A 127.0.1.1], [kv.test A 127.0.2.1]]}}]";
    assert_eq!(
        each(servers, 3).await,
        [
            (0, QueryOutcome::Answer, Some(ip("127.0.1.1")), 2),
            (0, QueryOutcome::Answer, Some(ip("127.0.2.1")), 1),
        ]
    );
}

#[tokio::test]
async fn silence_is_not_waited_for_twice_and_at_most_eight_servers_are_asked() {
    let started = Instant::now();
    let answers = each(&format!("[{}]", ["{udp: silent}"; 9].join(", ")), 4).await;
    assert_eq!(answers.len(), MAX_SERVERS);
    assert!(
        answers
            .iter()
            .all(|(_, outcome, _, times)| (*outcome, *times) == (QueryOutcome::Timeout, 1))
    );
    assert!(started.elapsed() < Duration::from_secs(3));
}
