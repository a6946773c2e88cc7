//! DNS: what the target's path answered, and what the other resolvers did.

use std::net::IpAddr;

use privatelink_verdict::address::Class;
use privatelink_verdict::alias::has_alias;
use privatelink_verdict::observation::{
    Address, Comparison, Query, QueryOutcome, ServerAnswer, Transport,
};
use privatelink_verdict::sanitize::from_wire;
use privatelink_verdict::zone::{ZoneAuthority, zone_authority};
use schemars::JsonSchema;
use serde::Serialize;

use super::bounds::{ADDRESSES, names};
use super::enums::{Enum, EnumOrSkipped};
use crate::time::{millis_utc, seconds};
use privatelink_board::Probed;

/// What the target's path answered.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DnsReport {
    /// The resolver's name.
    pub resolver: String,
    /// Whether a privatelink alias is in the chain, or the host is one itself.
    pub privatelink: bool,
    /// Who answers for the alias's zone, as seen from here.
    pub zone_authority: Enum<ZoneAuthority>,
    /// The names of the answer, the host first; at most 20.
    pub chain: Vec<String>,
    /// One entry per family asked.
    pub queries: Vec<QueryReport>,
    /// The addresses, at most 256.
    pub addresses: Vec<AddressReport>,
    /// What each server of the resolver said when it was asked alone: several servers in a first
    /// probe, all where the answers flap. A server that said several things has an entry for each.
    pub servers: Vec<ServerReport>,
}

/// What one server of the path's resolver said when it was asked alone.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServerReport {
    /// The server: `IP:port`.
    pub server: String,
    /// How all families together ended.
    pub outcome: EnumOrSkipped<QueryOutcome>,
    /// Its addresses, at most 256.
    pub addresses: Vec<AddressReport>,
    /// How often it said so.
    pub times: u32,
    /// When it last said so, RFC 3339 in UTC.
    pub checked_at: Option<String>,
}

/// One family's question, and what became of it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QueryReport {
    /// The record type asked for: `A` or `AAAA`.
    #[serde(rename = "type")]
    pub record_type: &'static str,
    /// The server whose message, or silence, decided the outcome: `IP:port`.
    pub server: Option<String>,
    /// How that message travelled.
    pub transport: Enum<Transport>,
    /// How the query ended.
    pub outcome: Enum<QueryOutcome>,
    /// The response code: `NOERROR`, `NXDOMAIN`, …; `null` where no message came back.
    pub rcode: Option<String>,
    /// From the first try to the outcome.
    pub seconds: f64,
    /// Messages sent, retries over TCP and without EDNS not counted.
    pub tries: u32,
    /// The owner of address records that the answer holds and that stub resolvers ignore, because it is
    /// not the last name of the chain, or because they come before the CNAME that leads to it.
    pub ignored_owner: Option<String>,
}

/// An address of an answer.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AddressReport {
    /// The address.
    pub ip: IpAddr,
    /// What it is to the target.
    pub class: Enum<Class>,
    /// Seconds the answer may be cached.
    pub ttl_seconds: u32,
}

/// What a resolver other than the path answered.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResolverReport {
    /// The resolver's name.
    pub resolver: String,
    /// The server that decided the outcome: `IP:port`.
    pub server: Option<String>,
    /// How all families together ended.
    pub outcome: EnumOrSkipped<QueryOutcome>,
    /// Whether it gives the same classes as the path; `null` unless both answered.
    pub agrees: Option<bool>,
    /// Its addresses, at most 256.
    pub addresses: Vec<AddressReport>,
}

impl DnsReport {
    /// `None` where nothing was asked.
    pub(super) fn of(probed: &Probed) -> Option<Self> {
        let (target, observation) = (&probed.target, &probed.observation);
        let resolution = &observation.resolution;
        if resolution.queries.is_empty() {
            return None;
        }
        Some(Self {
            resolver: resolution.resolver.to_string(),
            privatelink: has_alias(target, resolution),
            zone_authority: Enum(zone_authority(target, observation)),
            chain: names(resolution.chain()),
            queries: resolution.queries.iter().map(QueryReport::from).collect(),
            addresses: addresses(&resolution.addresses),
            servers: resolution
                .evidence
                .servers
                .iter()
                .map(ServerReport::from)
                .collect(),
        })
    }
}

impl From<&ServerAnswer> for ServerReport {
    fn from(answer: &ServerAnswer) -> Self {
        Self {
            server: answer.server.to_string(),
            outcome: EnumOrSkipped(answer.outcome()),
            addresses: addresses(&answer.addresses),
            times: answer.times,
            checked_at: millis_utc(answer.checked_at),
        }
    }
}

impl From<&Query> for QueryReport {
    fn from(query: &Query) -> Self {
        Self {
            record_type: query.family.record_type(),
            server: query.server.map(|server| server.to_string()),
            transport: Enum(query.transport),
            outcome: Enum(query.outcome),
            rcode: query.rcode.map(|rcode| rcode.to_string()),
            seconds: seconds(query.elapsed),
            tries: query.tries,
            ignored_owner: query
                .trouble
                .ignored_owner
                .as_deref()
                .map(|owner| from_wire(owner).into_owned()),
        }
    }
}

impl From<&Address> for AddressReport {
    fn from(address: &Address) -> Self {
        Self {
            ip: address.ip,
            class: Enum(address.class),
            ttl_seconds: address.ttl,
        }
    }
}

impl ResolverReport {
    /// One of the other resolvers, compared with the path of `probed`.
    pub(super) fn of(probed: &Probed, comparison: &Comparison) -> Self {
        let resolution = &comparison.resolution;
        Self {
            resolver: resolution.resolver.to_string(),
            server: resolution.server().map(|server| server.to_string()),
            outcome: EnumOrSkipped(resolution.outcome()),
            agrees: comparison.agrees_with(&probed.observation.resolution),
            addresses: addresses(&resolution.addresses),
        }
    }
}

fn addresses(addresses: &[Address]) -> Vec<AddressReport> {
    let addresses = addresses.iter().take(ADDRESSES);
    addresses.map(AddressReport::from).collect()
}
