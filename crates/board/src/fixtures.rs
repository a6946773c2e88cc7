//! Fixtures: probes made by hand, as the tests of reports need them.

mod parts;

use std::sync::Arc;
use std::time::Duration;

use privatelink_verdict::address::Family;
use privatelink_verdict::observation::{
    Comparison, Connection, Handshake, QueryOutcome, Resolution, Soa, TcpOutcome, Trust,
    ZoneEvidence,
};
use privatelink_verdict::target::Target;

use crate::{Board, Changes, Probed, SharedBoard};
use privatelink_config::plan::{Detail, Limits, Plan, Rejected};
use privatelink_verdict::resolver::{Resolver, Servers};

use self::parts::{connection, observation, probed, query, resolution, unix_now};
pub use self::parts::{now, servers_that_differ, target, users};

/// The same probe of a target of another name.
pub fn named(name: &str, mut probed: Probed) -> Probed {
    let mut target = (*probed.target).clone();
    name.clone_into(&mut target.name);
    probed.target = Arc::new(target);
    probed
}

const ALIAS: &str = "kv-dev.privatelink.vaultcore.azure.net";

/// A private endpoint that works, with a second resolver that agrees.
pub fn healthy() -> Probed {
    let host = "kv-dev.vault.azure.net";
    let answer = resolution("pod", &[host, ALIAS], &["10.1.2.3"]);
    let mut observation = observation(answer, vec![connection("10.1.2.3")]);
    observation.comparisons = Arc::new([Comparison {
        must_agree: true,
        resolution: resolution("node", &[host, ALIAS], &["10.1.2.3"]),
        checked_at: now(),
    }]);
    probed(host, observation)
}

/// A public address behind a privatelink alias, while the node resolves privately.
pub fn public_fallback() -> Probed {
    let host = "kv-prod.vault.azure.net";
    let alias = "kv-prod.privatelink.vaultcore.azure.net";
    let chain = [host, alias, "data-prod-weu.vaultcore.azure.net"];
    let mut answer = resolution("pod", &chain, &["52.168.109.101"]);
    answer.evidence.zone = Some(Arc::new(ZoneEvidence {
        zone: "privatelink.vaultcore.azure.net".to_owned(),
        outcome: QueryOutcome::Nodata,
        soa: Some(Arc::new(Soa {
            owner: "privatelink.vaultcore.azure.net".to_owned(),
            mname: "ns1-01.azure-dns.com".to_owned(),
            rname: "azuredns-hostmaster.microsoft.com".to_owned(),
        })),
        checked_at: now(),
    }));
    let mut observation = observation(answer, vec![connection("52.168.109.101")]);
    observation.comparisons = Arc::new([Comparison {
        must_agree: true,
        resolution: resolution("node", &[host, alias], &["10.1.2.4"]),
        checked_at: now(),
    }]);
    probed(host, observation)
}

/// No DNS server answered.
pub fn dns_timeout() -> Probed {
    let host = "kv-dns.vault.azure.net";
    let answer = Resolution {
        resolver: "pod".into(),
        queries: vec![
            query(Family::Ipv4, QueryOutcome::Timeout, &[host], &[]),
            query(Family::Ipv6, QueryOutcome::Timeout, &[host], &[]),
        ],
        ..Resolution::default()
    };
    probed(host, observation(answer, vec![]))
}

/// A private address that answers to nobody.
pub fn connect_timeout() -> Probed {
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
    probed(host, observation(answer, vec![silent]))
}

/// A certificate for other names, which tries to act on the terminal and the page.
pub fn name_mismatch() -> Probed {
    let host = "kv-tls.vault.azure.net";
    let answer = resolution(
        "pod",
        &[host, "kv-tls.privatelink.vaultcore.azure.net"],
        &["10.1.2.7"],
    );
    let mut other = connection("10.1.2.7");
    if let Some(certificate) = &mut other.certificate {
        let leaf = certificate.leaf_mut();
        leaf.names = ["proxy.example.com"].iter().collect();
        leaf.issuer = "CN=<script>alert(1)</script>\u{1b}[31m".into();
        leaf.not_after = unix_now() + 3 * 86_400;
        certificate.covers_name = false;
        certificate.trust = Trust::UnknownIssuer;
    }
    probed(host, observation(answer, vec![other]))
}

/// Every fixture.
pub fn all() -> Vec<Probed> {
    vec![
        healthy(),
        public_fallback(),
        dns_timeout(),
        connect_timeout(),
        name_mismatch(),
    ]
}

/// A plan of these targets.
pub fn plan(targets: impl IntoIterator<Item = Arc<Target>>) -> Plan {
    Plan {
        targets: targets.into_iter().collect(),
        resolvers: vec![Resolver {
            name: "pod".into(),
            servers: Servers::Listed(vec![]),
            must_agree: true,
        }],
        ca_certificates: Arc::new([]),
        http_interval: Duration::from_mins(10),
        metrics: Detail::Full,
        limits: Limits::default(),
        allowed: vec![],
        denied: vec![],
        rejected: Rejected::default(),
        warnings: vec![],
        hash: 0xfeed_f00d_dead_beef,
    }
}

/// A board on which every fixture was probed once, and one target never was.
pub fn board() -> Board {
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
pub fn shared() -> SharedBoard {
    SharedBoard::new(board())
}

impl Board {
    /// Counts and records a probe, as the agent does; `None` where the target is unknown.
    #[expect(clippy::needless_pass_by_value, reason = "tests make the probe for it")]
    pub fn record(&mut self, probed: Arc<Probed>) -> Option<Changes> {
        let entry = self.entry_mut(&probed.target.name)?;
        let counters = Arc::make_mut(&mut entry.counters);
        counters.count(&probed.observation, &probed.verdict);
        let changes = entry.record(&probed);
        Arc::make_mut(&mut entry.counters).class_changes += u32::from(changes.classes.is_some());
        if changes.verdict.is_some() {
            self.bound_summaries();
        }
        Some(changes)
    }
}
