//! Peer: what DNS servers and services send, through resolving, handshaking and asking, to a verdict.

use std::cell::OnceCell;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime};

use privatelink_config::plan::Plan;
use privatelink_probe::fuzzing::{self, Peer};
use privatelink_verdict::address::{Class, Family};
use privatelink_verdict::catalogue;
use privatelink_verdict::host;
use privatelink_verdict::observation::{
    Address, AgentFault, Comparison, Connection, Flags, Handshake, Observation, Query,
    QueryOutcome, Rare, Rcode, Resolution, TcpOutcome, Timing, Transport,
};
use privatelink_verdict::target::{Expectation, Protocol, Target};
use tokio::runtime::{Builder, Runtime};

use crate::promise;
use crate::split::split;

/// Two targets, one of which expects its endpoint in a network.
static PLAN: LazyLock<Plan> = LazyLock::new(|| {
    let text = "{targets: [{host: kv.vault.azure.net}, \
                {host: sql.database.windows.net, expectedCidrs: [10.1.0.0/16]}]}";
    privatelink_config::load_text("plan", text).expect("a plan")
});

/// Answers of DNS servers about one host: two probes of it, each with what is asked beside.
///
/// Parts: what is expected and the host; then for each probe the answers for A and AAAA, those of another
/// resolver, the zone's SOA, the alias by itself, and SRV.
pub fn dns(input: &[u8]) {
    let [head, rest @ ..]: [&[u8]; 1 + 2 * 7] = split(input);
    let Some(target) = target(head) else { return };
    let (probes, _) = rest.as_chunks::<7>();
    let observations = probes
        .iter()
        .filter_map(|probe| resolved(&target, *probe).ok());
    promise::holds(&target, observations.collect());
}

fn resolved(target: &Target, messages: [&[u8]; 7]) -> Result<Observation, AgentFault> {
    let [a, aaaa, other_a, other_aaaa, zone, alias, srv] = messages;
    let mut resolution = fuzzing::resolution(target, &target.resolver, &[a, aaaa])?;
    let aliases: Vec<String> = resolution.chain().iter().map(str::to_owned).collect();
    let last = aliases.last().unwrap_or(&target.host);
    if !zone.is_empty() {
        let known = target
            .service
            .and_then(|service| service.private_zones.first());
        let zone_of = known.map_or(last.as_str(), |zone| zone);
        resolution.evidence.zone = fuzzing::zone(zone_of, zone).ok().map(Arc::new);
    }
    if !alias.is_empty() {
        let evidence = fuzzing::name(last, &target.rules, alias).ok().map(Arc::new);
        resolution.evidence.unchased.clone_from(&evidence);
        resolution.evidence.mistaken.clone_from(&evidence);
        resolution.evidence.alias = evidence;
    }
    if !srv.is_empty() {
        resolution.evidence.srv = fuzzing::srv(&target.host, srv).ok().map(Arc::new);
    }
    let mut comparisons = Vec::new();
    if !other_a.is_empty() {
        comparisons.push(Comparison {
            must_agree: true,
            resolution: fuzzing::resolution(target, &"node".into(), &[other_a, other_aaaa])?,
            checked_at: SystemTime::now(),
        });
    }
    let addresses = resolution.addresses.iter();
    let connections = addresses
        .map(|address| connected(target, address.ip))
        .collect();
    Ok(Observation {
        comparisons: comparisons.into(),
        ..observed(resolution, connections)
    })
}

/// A server that speaks TLS at once.
pub fn tls(input: &[u8]) {
    handshake(Protocol::Tls, input);
}

/// A server whose protocol says something before TLS; the first byte chooses it.
pub fn starttls(input: &[u8]) {
    let Some((choice, input)) = input.split_first() else {
        return;
    };
    let protocols = [Protocol::Tds, Protocol::Postgres, Protocol::Mysql];
    handshake(protocols[usize::from(*choice) % protocols.len()], input);
}

fn handshake(protocol: Protocol, input: &[u8]) {
    let Some(peer) = peer(input) else { return };
    let target = Target {
        protocol,
        ..Target::clone(&PLAN.targets[usize::from(protocol == Protocol::Tds)])
    };
    let ip = IpAddr::from([10, 1, 2, 3]);
    let connection = run(fuzzing::connection(&target, ip, peer));
    let observation = observed(answered(&target, ip), vec![connection]);
    promise::holds(&target, vec![observation]);
}

/// A chain of up to four certificates, each a part, the leaf first.
pub fn certificate(input: &[u8]) {
    let chain: [&[u8]; 4] = split(input);
    let length = chain
        .iter()
        .position(|der| der.is_empty())
        .unwrap_or(chain.len());
    let target = &PLAN.targets[0];
    let moment = SystemTime::UNIX_EPOCH + Duration::from_hours(500_000);
    let ip = IpAddr::from([10, 1, 2, 3]);
    let certificate = fuzzing::certificate(&chain[..length], target.server_name(), moment);
    if certificate.is_none() {
        return;
    }
    let connection = Connection {
        handshake: Handshake::Ok,
        certificate,
        ..connected(target, ip)
    };
    promise::holds(
        target,
        vec![observed(answered(target, ip), vec![connection])],
    );
}

/// A service that replies to what it is asked before login; the first byte chooses the service.
pub fn http(input: &[u8]) {
    let Some((choice, input)) = input.split_first() else {
        return;
    };
    let Some(peer) = peer(input) else { return };
    let hosts = [
        "kv.vault.azure.net",
        "contoso.azurecr.io",
        "contoso.blob.core.windows.net",
        "contoso.documents.azure.com",
        "contoso.servicebus.windows.net",
    ];
    let host = hosts[usize::from(*choice) % hosts.len()];
    let target = named(&PLAN.targets[0], host, *choice);
    let Some(evidence) = target.evidence() else {
        return;
    };
    let reply = run(fuzzing::reply(&target, evidence.request, peer));
    if let Some(proof) = reply.proof(Some(evidence)) {
        promise::does_not_act(&proof.evidence);
    }
    let ip = IpAddr::from([10, 1, 2, 3]);
    let connection = Connection {
        handshake: Handshake::Ok,
        service: Some(Arc::new(reply)),
        service_elapsed: Some(Duration::from_millis(5)),
        ..connected(&target, ip)
    };
    promise::holds(
        &target,
        vec![observed(answered(&target, ip), vec![connection])],
    );
}

/// The first byte says how the peer sends the rest: in parts of that many bytes, and silent in the end where
/// the highest bit is set.
fn peer(input: &[u8]) -> Option<Peer> {
    let (manner, bytes) = input.split_first()?;
    Some(Peer {
        bytes: bytes.iter().copied().collect(),
        at_a_time: match manner & 0x7f {
            0 => usize::MAX,
            some => some.into(),
        },
        falls_silent: manner & 0x80 != 0,
    })
}

/// The first byte chooses what is expected, the rest is the host.
fn target(head: &[u8]) -> Option<Target> {
    let (choice, host) = head.split_first()?;
    let host = host::parse(std::str::from_utf8(host).ok()?).ok()?;
    let base = &PLAN.targets[usize::from(choice & 1)];
    Some(named(base, &host, choice >> 1))
}

fn named(base: &Target, host: &str, choice: u8) -> Target {
    let service = catalogue::lookup(host).map(|known| known.service);
    let port = service.and_then(|service| service.ports.first());
    let families = [
        &[Family::Ipv4, Family::Ipv6][..],
        &[Family::Ipv4],
        &[Family::Ipv6],
    ];
    Target {
        name: host.to_owned(),
        host: host.to_owned(),
        server_name: None,
        service,
        port: port.map_or(443, |port| port.number),
        protocol: port.map_or(Protocol::Tls, |port| port.protocol),
        expect: Expectation::ALL[usize::from(choice & 3) % Expectation::ALL.len()],
        families: families[usize::from(choice >> 2) % families.len()],
        http: true,
        ..base.clone()
    }
}

fn observed(resolution: Resolution, connections: Vec<Connection>) -> Observation {
    Observation {
        checked_at: SystemTime::now(),
        timing: Timing {
            dns: Some(Duration::from_millis(2)),
            total: Duration::from_millis(9),
            ..Timing::default()
        },
        fault: None,
        resolution,
        comparisons: Arc::new([]),
        connections,
        proxy: None,
    }
}

/// A private address behind the usual alias.
fn answered(target: &Target, ip: IpAddr) -> Resolution {
    let chain = [target.host.as_str(), "kv.privatelink.vaultcore.azure.net"];
    let query = Query {
        family: Family::Ipv4,
        server: Some((Ipv4Addr::new(10, 0, 0, 10), 53).into()),
        transport: Transport::Udp,
        outcome: QueryOutcome::Answer,
        rcode: Some(Rcode(0)),
        flags: Flags::default(),
        elapsed: Duration::from_millis(2),
        tries: 1,
        degraded: false,
        chain: chain.as_slice().into(),
        addresses: vec![(ip, 10)],
        ttl: Some(10),
        longest_ttl: Some(10),
        soa: None,
        trouble: Rare::default(),
    };
    Resolution {
        resolver: Arc::clone(&target.resolver),
        queries: vec![query],
        addresses: vec![Address {
            ip,
            class: Class::Private,
            ttl: 10,
        }],
        ..Resolution::default()
    }
}

/// A connection that was opened, and nothing more.
fn connected(target: &Target, ip: IpAddr) -> Connection {
    Connection {
        ip,
        port: target.port,
        skip: None,
        tcp: TcpOutcome::Ok,
        tcp_elapsed: Some(Duration::from_millis(1)),
        handshake: Handshake::Timeout,
        handshake_elapsed: Some(Duration::from_millis(3)),
        certificate: None,
        service: None,
        service_elapsed: None,
        trouble: Rare::default(),
    }
}

/// Runs to the end on a clock that jumps to the next deadline.
fn run<F: Future>(future: F) -> F::Output {
    thread_local! {
        static RUNTIME: OnceCell<Runtime> = const { OnceCell::new() };
    }
    RUNTIME.with(|runtime| {
        let runtime = runtime.get_or_init(|| {
            let built = Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .build();
            built.expect("a runtime")
        });
        runtime.block_on(future)
    })
}
