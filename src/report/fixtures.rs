//! Fixtures: probes made by hand, as the tests of reports need them.

use std::net::IpAddr;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use privatelink_verdict::address::{Family, Rules};
use privatelink_verdict::catalogue::{Cloud, Service, ServicePort};
use privatelink_verdict::observation::{
    Address, Certificate, Comparison, Connection, Flags, Handshake, Observation, Query,
    QueryOutcome, Rcode, Resolution, ServerAnswer, Soa, TcpOutcome, Timing, Transport, Trust,
    ZoneEvidence,
};
use privatelink_verdict::reason::{Reason, Severity};
use privatelink_verdict::target::{Expectation, Protocol, Source, Target};
use privatelink_verdict::verdict::{Confidence, Finding, Outcome, Verdict};

use crate::board::{Board, Probed, SharedBoard};
use crate::config::plan::{Detail, Limits, Plan, Rejected, Resolver, Servers};
use crate::config::trust::Roots;

static KEY_VAULT: LazyLock<Service> = LazyLock::new(|| Service {
    cloud: Cloud::Commercial,
    title: "Azure Key Vault",
    slug: "key-vault",
    resource_type: "Microsoft.KeyVault/vaults",
    subresources: vec!["vault"],
    private_zones: vec!["privatelink.vaultcore.azure.net"],
    suffixes: vec!["vault.azure.net"],
    primary: vec!["vault.azure.net"],
    private_only: vec![],
    only_hosts: vec![],
    ports: vec![ServicePort {
        number: 443,
        protocol: Protocol::Tls,
    }],
    notes: "",
});

/// The moment at which every fixture was probed.
pub(crate) fn now() -> SystemTime {
    let now: Timestamp = "2026-11-03T08:15:30.250Z".parse().expect("a time");
    now.into()
}

fn unix_now() -> i64 {
    Timestamp::try_from(now()).expect("a time").as_second()
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

pub(crate) fn target(host: &str) -> Target {
    Target {
        name: host.to_owned(),
        host: host.to_owned(),
        port: 443,
        protocol: Protocol::Tls,
        dns_only: false,
        service: Some(&KEY_VAULT),
        source: Source::Config,
        expect: Expectation::PrivateEndpoint,
        rules: Rules::default(),
        families: vec![Family::Ipv4, Family::Ipv6],
        resolver: "pod".to_owned(),
        interval: Duration::from_secs(30),
        timeout: Duration::from_secs(10),
        server_name: host.to_owned(),
        http: true,
        private_zone: None,
        expiry_warning: Duration::from_hours(336),
        companions: Vec::new(),
        owner: None,
    }
}

fn query(family: Family, outcome: QueryOutcome, chain: &[&str], addresses: &[&str]) -> Query {
    let failed = outcome == QueryOutcome::Timeout;
    Query {
        family,
        server: Some("10.0.0.10:53".parse().expect("an address")),
        transport: Transport::Udp,
        outcome,
        rcode: (!failed).then_some(Rcode(0)),
        flags: Flags::default(),
        elapsed: Duration::from_micros(if failed { 5_000_000 } else { 2_100 }),
        tries: if failed { 2 } else { 1 },
        degraded: false,
        chain: chain.iter().map(|&name| name.to_owned()).collect(),
        addresses: addresses.iter().map(|text| (ip(text), 60)).collect(),
        ttl: (!addresses.is_empty()).then_some(10),
        longest_ttl: (!addresses.is_empty()).then_some(60),
        soa: None,
        extended_errors: vec![],
        detail: None,
    }
}

fn resolution(resolver: &str, chain: &[&str], addresses: &[&str]) -> Resolution {
    let outcome = if addresses.is_empty() {
        QueryOutcome::Nodata
    } else {
        QueryOutcome::Answer
    };
    let rules = Rules::default();
    let classified = addresses.iter().map(|text| Address {
        ip: ip(text),
        class: rules.classify(ip(text)),
        ttl: 60,
    });
    Resolution {
        resolver: resolver.to_owned(),
        queries: vec![
            query(Family::Ipv4, outcome, chain, addresses),
            query(Family::Ipv6, QueryOutcome::Nodata, chain, &[]),
        ],
        addresses: classified.collect(),
        ..Resolution::default()
    }
}

/// What three servers said when each was asked alone.
pub(crate) fn servers_that_differ() -> Vec<ServerAnswer> {
    let said = |server: &str, outcome, addresses: &[&str], times| ServerAnswer {
        server: server.parse().expect("a server"),
        outcomes: vec![(Family::Ipv4, outcome)],
        addresses: resolution("pod", &[], addresses).addresses,
        times,
        checked_at: now(),
    };
    vec![
        said("10.0.0.4:53", QueryOutcome::Answer, &["10.1.2.3"], 2),
        said("10.0.0.5:53", QueryOutcome::Answer, &["52.168.109.101"], 1),
        said("10.0.0.6:53", QueryOutcome::Timeout, &[], 1),
    ]
}

fn connection(address: &str) -> Connection {
    Connection {
        ip: ip(address),
        port: 443,
        skip: None,
        tcp: TcpOutcome::Ok,
        tcp_elapsed: Some(Duration::from_micros(1_204)),
        tcp_detail: None,
        other_port: None,
        handshake: Handshake::Ok,
        handshake_elapsed: Some(Duration::from_micros(18_440)),
        handshake_detail: None,
        refusal: None,
        certificate: Some(Certificate {
            names: vec![
                "vault.azure.net".to_owned(),
                "*.vault.azure.net".to_owned(),
                "*.vaultcore.azure.net".to_owned(),
            ],
            subject: "CN=vault.azure.net".to_owned(),
            issuer: "CN=Microsoft Azure RSA TLS Issuing CA 04, O=Microsoft Corporation, C=US"
                .to_owned(),
            not_before: unix_now() - 60 * 86_400,
            not_after: unix_now() + 121 * 86_400,
            fingerprint: [0xa5; 32],
            covers_name: true,
            trust: Trust::BuiltIn,
            verified_at: unix_now(),
        }),
        service: None,
        service_elapsed: None,
    }
}

fn observation(resolution: Resolution, connections: Vec<Connection>) -> Observation {
    let dialled = !connections.is_empty();
    let spoke = connections.iter().any(|one| one.certificate.is_some());
    let timed_out = connections.iter().any(|one| one.tcp == TcpOutcome::Timeout);
    let dns = resolution.queries.iter().map(|query| query.elapsed).max();
    let connect = Duration::from_micros(if timed_out { 2_500_000 } else { 1_204 });
    let tls = Duration::from_micros(18_440);
    Observation {
        checked_at: now(),
        timing: Timing {
            dns,
            connect: dialled.then_some(connect),
            tls: spoke.then_some(tls),
            http: None,
            total: dns.unwrap_or_default()
                + if dialled { connect } else { Duration::ZERO }
                + if spoke { tls } else { Duration::ZERO },
        },
        fault: None,
        resolution,
        comparisons: vec![],
        connections,
        proxy: None,
    }
}

fn finding(reason: Reason, address: Option<&str>, detail: &str) -> Finding {
    Finding {
        reason,
        severity: reason.severity(),
        address: address.map(ip),
        detail: detail.to_owned(),
        confidence: Confidence::High,
        command: None,
    }
}

fn verdict(findings: Vec<Finding>, summary: &str) -> Verdict {
    let primary = findings.first();
    Verdict {
        outcome: match primary.map(|finding| finding.severity) {
            Some(Severity::Fail) => Outcome::Fail,
            Some(Severity::Warn) => Outcome::Warn,
            _ => Outcome::Pass,
        },
        reason: primary.map_or(Reason::Ok, |finding| finding.reason),
        expect_effective: Expectation::PrivateEndpoint,
        findings,
        summary: summary.to_owned(),
    }
}

fn probed(host: &str, observation: Observation, verdict: Verdict) -> Probed {
    Probed {
        target: Arc::new(target(host)),
        observation,
        verdict,
    }
}

/// The same probe of a target of another name.
pub(crate) fn named(name: &str, mut probed: Probed) -> Probed {
    let mut target = (*probed.target).clone();
    name.clone_into(&mut target.name);
    probed.target = Arc::new(target);
    probed
}

const ALIAS: &str = "kv-dev.privatelink.vaultcore.azure.net";

/// A private endpoint that works, with a second resolver that agrees.
pub(crate) fn healthy() -> Probed {
    let host = "kv-dev.vault.azure.net";
    let answer = resolution("pod", &[host, ALIAS], &["10.1.2.3"]);
    let mut observation = observation(answer, vec![connection("10.1.2.3")]);
    observation.comparisons = vec![Comparison {
        must_agree: true,
        resolution: resolution("node", &[host, ALIAS], &["10.1.2.3"]),
        checked_at: now(),
    }];
    let summary = "kv-dev.vault.azure.net resolves to 10.1.2.3 (private), accepts connections on \
                   port 443 and presents a certificate for vault.azure.net.";
    probed(host, observation, verdict(vec![], summary))
}

/// A public address behind a privatelink alias, while the node resolves privately.
pub(crate) fn public_fallback() -> Probed {
    let host = "kv-prod.vault.azure.net";
    let alias = "kv-prod.privatelink.vaultcore.azure.net";
    let chain = [host, alias, "data-prod-weu.vaultcore.azure.net"];
    let mut answer = resolution("pod", &chain, &["52.168.109.101"]);
    answer.zone = Some(ZoneEvidence {
        zone: "privatelink.vaultcore.azure.net".to_owned(),
        outcome: QueryOutcome::Nodata,
        soa: Some(Soa {
            owner: "privatelink.vaultcore.azure.net".to_owned(),
            mname: "ns1-01.azure-dns.com".to_owned(),
            rname: "azuredns-hostmaster.microsoft.com".to_owned(),
        }),
        checked_at: now(),
    });
    let mut observation = observation(answer, vec![connection("52.168.109.101")]);
    observation.comparisons = vec![Comparison {
        must_agree: true,
        resolution: resolution("node", &[host, alias], &["10.1.2.4"]),
        checked_at: now(),
    }];
    let mut primary = finding(
        Reason::PublicFallback,
        Some("52.168.109.101"),
        "the alias kv-prod.privatelink.vaultcore.azure.net leads to 52.168.109.101 (public)",
    );
    primary.command = Some("dig +norec SOA privatelink.vaultcore.azure.net @10.0.0.10".to_owned());
    let other = finding(
        Reason::ResolverDisagreement,
        None,
        "node resolves it privately (10.1.2.4), pod does not",
    );
    let summary = "kv-prod.vault.azure.net has a private endpoint, but resolves to the public \
                   address 52.168.109.101: the private zone is not linked to this network.";
    probed(host, observation, verdict(vec![primary, other], summary))
}

/// No DNS server answered.
pub(crate) fn dns_timeout() -> Probed {
    let host = "kv-dns.vault.azure.net";
    let answer = Resolution {
        resolver: "pod".to_owned(),
        queries: vec![
            query(Family::Ipv4, QueryOutcome::Timeout, &[host], &[]),
            query(Family::Ipv6, QueryOutcome::Timeout, &[host], &[]),
        ],
        ..Resolution::default()
    };
    let primary = finding(
        Reason::DnsTimeout,
        None,
        "10.0.0.10:53 did not answer in 5 s",
    );
    let summary = "No DNS server answered for kv-dns.vault.azure.net within 5 s.";
    probed(
        host,
        observation(answer, vec![]),
        verdict(vec![primary], summary),
    )
}

/// A private address that answers to nobody.
pub(crate) fn connect_timeout() -> Probed {
    let host = "kv-fw.vault.azure.net";
    let answer = resolution(
        "pod",
        &[host, "kv-fw.privatelink.vaultcore.azure.net"],
        &["10.1.2.9"],
    );
    let silent = Connection {
        tcp: TcpOutcome::Timeout,
        tcp_elapsed: Some(Duration::from_millis(2_500)),
        handshake: Handshake::Skipped,
        handshake_elapsed: None,
        certificate: None,
        ..connection("10.1.2.9")
    };
    let primary = finding(
        Reason::ConnectTimeout,
        Some("10.1.2.9"),
        "10.1.2.9:443 did not answer in 2.5 s",
    );
    let summary =
        "kv-fw.vault.azure.net resolves to 10.1.2.9 (private), but nothing answers there.";
    probed(
        host,
        observation(answer, vec![silent]),
        verdict(vec![primary], summary),
    )
}

/// A certificate for other names, which tries to act on the terminal and the page.
pub(crate) fn name_mismatch() -> Probed {
    let host = "kv-tls.vault.azure.net";
    let answer = resolution(
        "pod",
        &[host, "kv-tls.privatelink.vaultcore.azure.net"],
        &["10.1.2.7"],
    );
    let mut other = connection("10.1.2.7");
    if let Some(certificate) = &mut other.certificate {
        certificate.names = vec!["proxy.example.com".to_owned()];
        certificate.issuer = "CN=<script>alert(1)</script>\u{1b}[31m".to_owned();
        certificate.covers_name = false;
        certificate.trust = Trust::UnknownIssuer;
        certificate.not_after = unix_now() + 3 * 86_400;
    }
    let findings = vec![
        finding(
            Reason::TlsNameMismatch,
            Some("10.1.2.7"),
            "the certificate is for proxy.example.com",
        ),
        finding(
            Reason::TlsUntrustedIssuer,
            Some("10.1.2.7"),
            "issued by CN=<script>alert(1)</script>\u{1b}[31m",
        ),
        finding(
            Reason::TlsCertificateExpiring,
            Some("10.1.2.7"),
            "it ends in 3 days",
        ),
    ];
    let summary = "10.1.2.7 presents a certificate for proxy.example.com, not for \
                   kv-tls.vault.azure.net.";
    probed(
        host,
        observation(answer, vec![other]),
        verdict(findings, summary),
    )
}

/// Every fixture.
pub(crate) fn all() -> Vec<Probed> {
    vec![
        healthy(),
        public_fallback(),
        dns_timeout(),
        connect_timeout(),
        name_mismatch(),
    ]
}

/// A plan of these targets.
pub(crate) fn plan(targets: impl IntoIterator<Item = Arc<Target>>) -> Plan {
    Plan {
        targets: targets.into_iter().collect(),
        resolvers: vec![Resolver {
            name: "pod".to_owned(),
            servers: Servers::Listed(vec![]),
            must_agree: true,
        }],
        roots: Arc::new(Roots::built_in()),
        http_interval: Duration::from_mins(10),
        metrics: Detail::Full,
        limits: Limits::default(),
        rejected: Rejected::default(),
        warnings: vec![],
        hash: 0xfeed_f00d_dead_beef,
    }
}

/// A board on which every fixture was probed once, and one target never was.
pub(crate) fn board() -> Board {
    let probes = all();
    let never = Arc::new(target("kv-new.vault.azure.net"));
    let targets = probes.iter().map(|probed| Arc::clone(&probed.target));
    let started = now() - Duration::from_mins(5);
    let mut board = Board::new("aks-a-0".to_owned(), &plan(targets.chain([never])), started);
    for probed in probes {
        board.record(Arc::new(probed));
    }
    board
}

/// The same, shared.
pub(crate) fn shared() -> SharedBoard {
    SharedBoard::new(board())
}
