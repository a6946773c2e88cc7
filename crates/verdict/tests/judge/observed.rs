//! Observed: queries, zones, connections and certificates as tests need them.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use privatelink_verdict::address::Family;
use privatelink_verdict::names::Names;
use privatelink_verdict::observation::{
    Certificate, Connection, Flags, Handshake, Leaf, NameEvidence, Query, QueryOutcome, Rare,
    Rcode, Skip, Soa, TcpOutcome, Transport, Trust,
};

use crate::probe::ip;

/// A change of what became of one address.
pub(crate) type Change = fn(&mut Connection);

/// The moment of every probe here, in Unix seconds.
pub(crate) const NOW: i64 = 1_800_000_000;
pub(crate) const DAY: i64 = 86_400;

fn query(outcome: QueryOutcome, rcode: Option<u16>) -> Query {
    Query {
        family: Family::Ipv4,
        server: Some(SocketAddr::from(([10, 0, 0, 10], 53))),
        transport: Transport::Udp,
        outcome,
        rcode: rcode.map(Rcode),
        flags: Flags::default(),
        elapsed: Duration::from_millis(2),
        tries: 1,
        degraded: false,
        chain: Names::default(),
        addresses: Vec::new(),
        ttl: None,
        longest_ttl: None,
        soa: None,
        trouble: Rare::default(),
    }
}

/// Whatever addresses the probe resolves to.
pub(crate) fn answer() -> Query {
    query(QueryOutcome::Answer, Some(0))
}

pub(crate) fn nodata() -> Query {
    query(QueryOutcome::Nodata, Some(0))
}

pub(crate) fn nxdomain() -> Query {
    query(QueryOutcome::Nxdomain, Some(3))
}

pub(crate) fn servfail() -> Query {
    query(QueryOutcome::ServerFailure, Some(2))
}

/// A query that ended without a usable message.
pub(crate) fn failed(outcome: QueryOutcome) -> Query {
    query(outcome, None)
}

/// Words on what became of a query.
pub(crate) trait QueryExt {
    fn with_soa(self, soa: Soa) -> Self;
    fn after_tries(self, tries: u32) -> Self;
    fn with_detail(self, detail: &str) -> Self;
    fn with_chain(self, chain: &[&str]) -> Self;
}

impl QueryExt for Query {
    /// The SOA of the authority section.
    fn with_soa(mut self, soa: Soa) -> Self {
        self.soa = Some(Arc::new(soa));
        self
    }

    /// An outcome only after tries were lost.
    fn after_tries(mut self, tries: u32) -> Self {
        self.tries = tries;
        self.degraded = true;
        self
    }

    fn with_detail(mut self, detail: &str) -> Self {
        self.trouble.detail = Some(detail.into());
        self
    }

    /// A chain of its own, not the probe's.
    fn with_chain(mut self, chain: &[&str]) -> Self {
        self.chain = chain.iter().collect();
        self
    }
}

/// The SOA of a linked zone of Azure Private DNS.
pub(crate) fn private_soa(owner: &str) -> Soa {
    soa(
        owner,
        "azureprivatedns.net",
        "azureprivatedns-host.microsoft.com",
    )
}

/// The SOA of Azure's public DNS.
pub(crate) fn public_soa(owner: &str) -> Soa {
    soa(
        owner,
        "ns1-01.azure-dns.com",
        "azuredns-hostmaster.microsoft.com",
    )
}

/// The SOA of somebody's own DNS server.
pub(crate) fn own_soa(owner: &str) -> Soa {
    soa(owner, "dc1.corp.example.com", "hostmaster.corp.example.com")
}

pub(crate) fn soa(owner: &str, mname: &str, rname: &str) -> Soa {
    Soa {
        owner: owner.to_owned(),
        mname: mname.to_owned(),
        rname: rname.to_owned(),
    }
}

/// What a resolver said of another name.
pub(crate) fn name<const N: usize>(name: &str, addresses: [&str; N]) -> Arc<NameEvidence> {
    Arc::new(NameEvidence {
        name: name.to_owned(),
        outcome: if N == 0 {
            QueryOutcome::Nxdomain
        } else {
            QueryOutcome::Answer
        },
        addresses: addresses.map(ip).to_vec(),
        checked_at: SystemTime::UNIX_EPOCH,
    })
}

pub(crate) fn connected(ip: IpAddr) -> Connection {
    Connection {
        ip,
        port: 443,
        skip: None,
        tcp: TcpOutcome::Ok,
        tcp_elapsed: Some(Duration::from_millis(2)),
        handshake: Handshake::Ok,
        handshake_elapsed: Some(Duration::from_millis(5)),
        certificate: Some(certificate()),
        service: None,
        service_elapsed: None,
        trouble: Rare::default(),
    }
}

/// An address that was not dialled because it is reserved or denied.
pub(crate) fn undialled(ip: IpAddr) -> Connection {
    let mut connection = connected(ip);
    not_dialled(&mut connection, Skip::Reserved);
    connection
}

/// A year long valid certificate of a public issuer for the right name.
pub(crate) fn certificate() -> Certificate {
    Certificate {
        leaf: Arc::new(Leaf {
            names: ["*.vault.azure.net"].iter().collect(),
            more_names: 0,
            subject: "CN=vault.azure.net".into(),
            issuer: "CN=Microsoft Azure RSA TLS Issuing CA 03".into(),
            not_before: NOW - 30 * DAY,
            not_after: NOW + 335 * DAY,
            fingerprint: [7; 32],
        }),
        covers_name: true,
        trust: Trust::BuiltIn,
        sent_alone: false,
        verified_at: NOW,
    }
}

/// Connecting ends so, and nothing comes after it.
pub(crate) fn ends(connection: &mut Connection, outcome: TcpOutcome) {
    connection.tcp = outcome;
    connection.handshake = Handshake::Skipped;
    connection.certificate = None;
}

/// The address is not dialled.
pub(crate) fn not_dialled(connection: &mut Connection, skip: Skip) {
    ends(connection, TcpOutcome::Skipped);
    connection.tcp_elapsed = None;
    connection.skip = Some(skip);
}

pub(crate) fn times_out(connection: &mut Connection) {
    ends(connection, TcpOutcome::Timeout);
}

pub(crate) fn refuses(connection: &mut Connection) {
    ends(connection, TcpOutcome::Refused);
}

pub(crate) fn is_unreachable(connection: &mut Connection) {
    ends(connection, TcpOutcome::Unreachable);
}

pub(crate) fn resets(connection: &mut Connection) {
    ends(connection, TcpOutcome::Reset);
}

pub(crate) fn has_no_route(connection: &mut Connection) {
    not_dialled(connection, Skip::NoRoute);
}

/// The certificate of a connection that has one.
pub(crate) fn certificate_of(connection: &mut Connection) -> &mut Certificate {
    connection.certificate.as_mut().expect("a certificate")
}
