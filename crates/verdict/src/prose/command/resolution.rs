//! Resolution: what settles a finding about names and addresses.

use std::net::SocketAddr;

use super::azure;
use crate::address::Family;
use crate::case::Case;
use crate::fact::{DnsFact, Fact, LISTED, MissingRecord, ZoneAnswers};
use crate::observation::{Comparison, QueryOutcome};
use crate::reason::Reason;
use crate::verdict::Finding;

pub(super) fn about_dns(case: &Case<'_>, finding: &Finding) -> Option<String> {
    let host = case.host();
    let server = case.observation.resolution.server();
    let kind = record_type(case, finding);
    let by_fact = finding.facts.iter().find_map(|fact| match fact {
        Fact::Dns(fact) => by_fact(case, finding, fact),
        _ => None,
    });
    if by_fact.is_some() {
        return by_fact;
    }
    match finding.reason {
        Reason::DnsPrivateZoneNotLinked => {
            each_resolver(case).or_else(|| case.zone().map(azure::links))
        }
        Reason::DnsAliasDangling => azure::resource(case),
        Reason::DnsTcpFailed => Some(dig(&format!("+tcp {host} {kind}"), server)),
        // The list is the client's, and dig reads the same resolv.conf.
        Reason::DnsSearchCapture => Some(format!("dig +search +showsearch {host} {kind}")),
        _ => Some(dig(&format!("{host} {kind}"), server)),
    }
}

/// The command that a fact asks for, where the reason alone does not tell.
fn by_fact(case: &Case<'_>, finding: &Finding, fact: &DnsFact) -> Option<String> {
    let host = case.host();
    let server = case.observation.resolution.server();
    let queries = &case.observation.resolution.queries;
    match fact {
        DnsFact::RecordMissing(record) => missing(case, record, record_type(case, finding)),
        DnsFact::SaidByPrivateZone { owner }
        | DnsFact::ZoneShadows {
            owner,
            served_by: None,
            ..
        } => Some(azure::links(owner)),
        DnsFact::ZoneShadows { .. } => Some(dig(&format!("{host} SOA"), server)),
        DnsFact::LeadsBySrv { name, .. } => Some(dig(&format!("{name} SRV"), server)),
        // That the other server answers would settle nothing.
        DnsFact::AnsweredLate {
            families,
            lost_at: Some(lost_at),
            ..
        } => {
            let question = format!("{host} {}", families.first()?.record_type());
            Some(dig(&question, Some(*lost_at)))
        }
        // The server to ask is the one that fails, not the one that answers for the other family.
        DnsFact::FamilyFails { families, .. } | DnsFact::FamilyDenied { families, .. } => {
            let family = *families.first()?;
            let failed = queries.iter().find(|query| query.family == family)?;
            let tcp = match failed.outcome {
                QueryOutcome::Truncated => "+tcp ",
                _ => "",
            };
            let question = format!("{tcp}{host} {}", family.record_type());
            Some(dig(&question, failed.server))
        }
        _ => None,
    }
}

fn missing(case: &Case<'_>, record: &MissingRecord, kind: &str) -> Option<String> {
    let server = case.observation.resolution.server();
    let zone = &record.zone;
    match &record.answers {
        // Whether it falls back to the internet.
        ZoneAnswers::Linked if case.wants_public() => Some(azure::links(zone)),
        // An alias that leads on is a record of its own type.
        ZoneAnswers::Linked if record.leads_to.is_some() => azure::record(case, "CNAME"),
        ZoneAnswers::Linked => azure::record(case, kind),
        ZoneAnswers::InPlace(owner) => Some(azure::links(owner)),
        ZoneAnswers::ServedBy(_) => Some(dig(&format!("{} {kind}", case.last_name()), server)),
        ZoneAnswers::Unknown(_) | ZoneAnswers::Silent => Some(dig(&format!("{zone} SOA"), server)),
    }
}

pub(super) fn about_address(case: &Case<'_>, finding: &Finding) -> Option<String> {
    let host = case.host();
    let server = case.observation.resolution.server();
    let kind = record_type(case, finding);
    match finding.reason {
        Reason::PublicFallback => each_resolver(case).or_else(|| case.zone().map(azure::links)),
        // The private address: the host goes another way. The public one: there is no record.
        Reason::PublicFallbackZoneLinked => Some(dig(&format!("{} {kind}", case.alias?), server)),
        Reason::NoPrivateEndpoint => azure::endpoints(case),
        Reason::UnexpectedPrivateAddress => Some(azure::owner_of(finding.address?)),
        Reason::AddressFlapping => Some(each_server(case)),
        Reason::ResolverDisagreement | Reason::ResolverUnavailable => {
            let server = compared(case, finding.reason)?;
            Some(dig(&format!("{host} {kind}"), Some(server)))
        }
        Reason::ProxyWouldBeUsed => None,
        _ => Some(dig(&format!("{host} {kind}"), server)),
    }
}

/// Asks the path and the resolver to which the host is private.
fn each_resolver(case: &Case<'_>) -> Option<String> {
    let other = case.private_elsewhere()?.resolution.server()?;
    let own = case.observation.resolution.server()?;
    (own != other).then(|| ask_each(case, [own, other].into_iter()))
}

fn dig(arguments: &str, server: Option<SocketAddr>) -> String {
    match server {
        Some(server) if server.port() != 53 => {
            format!("dig {arguments} @{} -p {}", server.ip(), server.port())
        }
        Some(server) => format!("dig {arguments} @{}", server.ip()),
        None => format!("dig {arguments}"),
    }
}

/// Asks each server that was asked alone; the only one several times.
fn each_server(case: &Case<'_>) -> String {
    let resolution = &case.observation.resolution;
    match resolution.servers_asked_alone().as_slice() {
        [] => several_times(case, resolution.server()),
        [only] => several_times(case, Some(*only)),
        several => ask_each(case, several.iter().copied().take(LISTED)),
    }
}

fn several_times(case: &Case<'_>, server: Option<SocketAddr>) -> String {
    format!("for i in 1 2 3 4; do {}; done", dig(&short(case), server))
}

fn ask_each(case: &Case<'_>, servers: impl Iterator<Item = SocketAddr>) -> String {
    let asked: Vec<String> = servers
        .map(|server| dig(&short(case), Some(server)))
        .collect();
    asked.join("; ")
}

/// The question for the addresses alone. Of a host that has IPv6 alone, A would show nothing.
fn short(case: &Case<'_>) -> String {
    let resolution = &case.observation.resolution;
    let alone = resolution.evidence.servers.iter();
    let mut alone: Vec<_> = alone.flat_map(|answer| &answer.addresses).collect();
    if alone.is_empty() {
        alone.extend(&resolution.addresses);
    }
    let family = if !alone.is_empty() && alone.iter().all(|address| address.ip.is_ipv6()) {
        Family::Ipv6
    } else {
        Family::Ipv4
    };
    format!("+short {} {}", case.host(), family.record_type())
}

/// The record type to ask for: of the address at fault, else of the family that had trouble.
fn record_type(case: &Case<'_>, finding: &Finding) -> &'static str {
    let queries = &case.observation.resolution.queries;
    let troubled = queries
        .iter()
        .find(|q| q.outcome.is_failure() || q.degraded);
    match finding.address {
        // By what it is written as: a mapped address comes from an AAAA record.
        Some(ip) if ip.is_ipv6() => Family::Ipv6.record_type(),
        Some(_) => Family::Ipv4.record_type(),
        None => troubled
            .or(queries.first())
            .map_or("A", |query| query.family.record_type()),
    }
}

/// The server of the resolver that differs, or that did not answer.
fn compared(case: &Case<'_>, reason: Reason) -> Option<SocketAddr> {
    let path = &case.observation.resolution;
    let is_meant = |other: &Comparison| match reason {
        Reason::ResolverDisagreement => other.agrees_with(path) == Some(false),
        _ => other
            .resolution
            .outcome()
            .is_some_and(QueryOutcome::is_failure),
    };
    let mut comparisons = case.observation.comparisons.iter();
    let found = comparisons.find(|other| other.must_agree && is_meant(other))?;
    found.resolution.server()
}
