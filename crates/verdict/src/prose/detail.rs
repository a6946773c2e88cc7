//! Detail: every fact in words.

use std::fmt::Display;
use std::net::SocketAddr;

use crate::address::Family;
use crate::fact::{
    AddressList, AliasZone, Consequence, DifferenceSource, Fact, FailedQuery, Nature, Negative,
    Presented, ServerSaid, Servers, ZoneAnswers,
};
use crate::observation::{Handshake, QueryOutcome, Refusal, TcpOutcome};

/// `facts` in words, in their order.
pub(super) fn sentence<'a>(facts: impl IntoIterator<Item = &'a Fact>) -> String {
    joined(facts.into_iter().map(clause), "; ")
}

/// One fact in words, without a capital and without a full stop.
#[expect(
    clippy::too_many_lines,
    reason = "one row for each fact, in their order"
)]
pub(super) fn clause(fact: &Fact) -> String {
    match fact {
        Fact::AgentFault { operation, cause } => format!("{operation}: {cause}"),
        Fact::SocketError { at, cause } => match cause {
            Some(cause) => format!("connect to {at}: {cause}"),
            None => format!("connect to {at} {}", TcpOutcome::Error),
        },

        Fact::QueryFailed { families, query } => {
            format!("{}: {}", by_type(families), failed(query))
        }
        Fact::FamilyFails { families, query } => format!(
            "{}: {}; some clients then fail the whole name",
            by_type(families),
            failed(query)
        ),
        Fact::AnsweredLate {
            families,
            at_try,
            lost,
        } => {
            let lost = lost.as_deref().unwrap_or("an earlier try was lost");
            let how = match at_try {
                ..=1 => "when asked again".to_owned(),
                tries => format!("at try {tries}"),
            };
            format!("{} answered only {how}: {lost}", by_type(families))
        }
        Fact::SearchListLeadsElsewhere { name, addresses } => format!(
            "the search list turns the name into {name} = {}",
            joined(addresses, ", ")
        ),
        Fact::MarkedStale => {
            "the DNS server marks its answer as stale (extended DNS error)".to_owned()
        }
        Fact::Referral => "the server answers with nothing but other servers to ask: it does not \
                           recurse, and neither do applications"
            .to_owned(),
        Fact::NotChased { alias } => format!(
            "the server answers with the alias {alias} alone, without its address: it does not \
             chase aliases, and neither do applications"
        ),
        Fact::AskedForItself(given) => {
            let given = match given {
                Ok(ip) => ip.to_string(),
                Err(outcome) => outcome.to_string(),
            };
            format!("asked for the alias itself: {given}")
        }
        Fact::PrivateOnlyName { name, zone } => format!(
            "{} exists only in the private zone {zone}, and here it is NXDOMAIN",
            name.as_deref().unwrap_or("the name")
        ),
        Fact::AliasDangles {
            alias,
            negative,
            last,
            other_zone,
            zone,
        } => {
            let at = last.as_ref().map(|last| format!(" for {last}"));
            let who = other_zone.as_ref().map_or_else(
                || "the public side".to_owned(),
                |(owner, mname)| format!("a zone {owner} of {mname}"),
            );
            format!(
                "the alias {alias} leads nowhere ({}{}), and {who} answers for {zone}",
                rcode(*negative),
                at.unwrap_or_default()
            )
        }
        Fact::RecordMissing {
            zone,
            answers,
            name,
            leads_to,
            negative,
        } => {
            let (seen, rcode) = (zone_answers(zone, answers), rcode(*negative));
            match leads_to {
                None => format!("{seen} has no record for {name} ({rcode})"),
                Some(last) => {
                    format!("{seen} has no address for {name}: it leads on to {last} ({rcode})")
                }
            }
        }
        Fact::RecordInOtherZone { name, ip } => {
            let has = ip.map_or_else(|| "one".to_owned(), |ip| ip.to_string());
            format!("{name} has {has}: the record was made in the wrong zone")
        }
        Fact::ZoneShadows {
            owner,
            served_by,
            negative,
        } => {
            let by = served_by.as_ref().map(|mname| format!(" of {mname}"));
            format!(
                "the private zone {owner}{} answers for it here ({}) and hides the public name",
                by.unwrap_or_default(),
                rcode(*negative)
            )
        }
        Fact::NoAddress {
            negative,
            name,
            server,
        } => no_address(*negative, Some(name), *server),
        Fact::ProbablyMeant { instead } => format!("perhaps {instead} was meant"),
        Fact::SaidByPrivateZone { owner } => format!("the private zone {owner} says so"),

        Fact::NotDialled { ip, nature } => {
            format!("{ip} is {}, and was not dialled", self::nature(*nature))
        }
        Fact::InReservedRange { ip } => {
            format!("{ip} lies in a reserved range; only classify.private makes it dialable")
        }
        Fact::ClassesChanged { changes, answers } => format!(
            "{changes} changes in the last {} answers: {}",
            answers.len(),
            joined(answers, ", ")
        ),
        Fact::ServersAskedAlone { servers, source } => difference(servers, *source),
        Fact::ServersDiffer { resolver, servers } => format!(
            "asked one by one, the servers of the resolver {resolver} differ: {}",
            each(servers)
        ),
        Fact::Cached { seconds } => format!(
            "a cache gives this answer (its TTL falls), and may keep it for up to {seconds} s"
        ),
        Fact::TtlStays => {
            "its TTL does not fall from probe to probe, so the server asks anew each \
                           time or serves what has expired"
                .to_owned()
        }
        Fact::ThroughLocalDns { server, expired } => {
            let expired = if *expired {
                " and gives them a TTL of 0 s, as here"
            } else {
                ""
            };
            format!(
                "it came through LocalDNS ({server}), which keeps answers for up to an hour and may \
                 serve expired ones{expired}"
            )
        }
        Fact::MixedAddresses(addresses) => format!("one answer holds both: {}", list(addresses)),
        Fact::NoRouteTo(addresses) => format!(
            "no route leads from here to {}, elsewhere one may",
            list(addresses)
        ),
        Fact::NoAlias {
            addresses,
            resource,
        } => {
            let seen = list(addresses);
            match resource {
                None => format!("resolves to {seen} without any privatelink alias"),
                Some(resource) => format!(
                    "resolves to {seen} by way of {resource}, without any privatelink alias"
                ),
            }
        }
        Fact::AliasEndsAt {
            alias,
            addresses,
            zone,
        } => {
            let zone = zone.as_ref().map(alias_zone).unwrap_or_default();
            format!("the alias {alias} ends at {}{zone}", list(addresses))
        }
        Fact::AliasByItself { ip } => format!(
            "the alias asked by itself has {ip}: the DNS server sends the two names different ways"
        ),
        Fact::NothingFollowsAlias => {
            "nothing follows the alias: the address may be the zone's own record, of a range that \
             classify.private lacks"
                .to_owned()
        }
        Fact::OutsideExpected { ip, expected } => {
            format!("{ip} is private, but outside {}", joined(expected, ", "))
        }
        Fact::PrivateForServiceEndpoint { ip } => {
            format!("{ip} is private, where a service endpoint keeps the public address")
        }
        Fact::ResolversDiffer { path, other } => format!(
            "the path {} gives {}, {} gives {}",
            path.0,
            list(&path.1),
            other.0,
            list(&other.1)
        ),
        Fact::Consequence(consequence) => self::consequence(*consequence).to_owned(),
        Fact::MayBeCached { resolver, seconds } => {
            format!("{resolver} may have it from a cache, where it may last up to {seconds} s more")
        }
        Fact::ResolverSilent { resolver, outcome } => match outcome {
            None => format!("the resolver {resolver} could not be asked"),
            Some(outcome) => format!("the resolver {resolver} did not answer: {outcome}"),
        },
        Fact::OtherPath { path, other } => format!(
            "that is the path {path}, while {} gives {}",
            other.0,
            list(&other.1)
        ),
        Fact::ProxySet { variable } => {
            format!("{variable} is set, and NO_PROXY does not cover the host")
        }

        Fact::SomeConnect { connected, dialled } => {
            format!("{connected} of {dialled} addresses connect")
        }
        Fact::ConnectFailed(attempts) => {
            let attempts = attempts
                .iter()
                .map(|(at, outcome)| format!("{at} {outcome}"));
            joined(attempts, ", ")
        }
        Fact::NoRouteAtAll => "the pod has no route to any address".to_owned(),
        Fact::OtherPortOpens { port } => format!("port {port} of the same service opens"),
        Fact::Neighbours {
            net,
            answering,
            known,
        } => match answering {
            0 => format!(
                "none of the {known} other endpoints in {net} answers either: the subnet is \
                 blocked or unrouted"
            ),
            _ => format!("{answering} of {known} other endpoints in {net} answer"),
        },

        Fact::HandshakeFailed {
            ip,
            handshake,
            said,
        } => {
            let said = said.as_deref().unwrap_or(match handshake {
                Handshake::Timeout => "no answer to the handshake in time",
                _ => "the peer closed the connection during the handshake",
            });
            format!("{ip}: {said}")
        }
        Fact::PrivatelinkName {
            wanted,
            ip,
            presented,
        } => format!(
            "{wanted} is a privatelink name, which no certificate covers; {ip} presents {}",
            certificate(presented)
        ),
        Fact::OtherNames {
            wanted,
            ip,
            presented,
        } => format!("{ip} presents {}, not {wanted}", certificate(presented)),
        Fact::UnknownIssuer { ip, issuer, own_ca } => {
            let hint = if *own_ca {
                "; every cluster has a CA of its own, which the ConfigMap kube-root-ca.crt holds"
            } else {
                ""
            };
            format!("{ip} presents a certificate of an unknown issuer: {issuer}{hint}")
        }
        Fact::CannotServeTls { ip, why } => {
            format!("{ip} presents a certificate that cannot serve TLS: {why}")
        }
        Fact::IssuerExpired { ip } => {
            format!("an issuer's certificate in the chain of {ip} has expired")
        }
        Fact::CertificateExpired { ip, seconds } => {
            format!("the certificate of {ip} expired {} ago", span(*seconds))
        }
        Fact::CertificateBegins { ip, seconds } => {
            format!("the certificate of {ip} begins in {}", span(*seconds))
        }
        Fact::CertificateEnds { ip, seconds } => {
            format!("the certificate of {ip} ends in {}", span(*seconds))
        }
        Fact::PrivateRoot {
            ip,
            others,
            issuer,
            own_ca,
        } => {
            let others = match others {
                0 => String::new(),
                others => format!(" (and of {others} more)"),
            };
            let as_meant = if *own_ca {
                ", as an API server's does"
            } else {
                ""
            };
            format!(
                "the chain of {ip}{others} ends in a configured CA, not in a public one{as_meant}; \
                 its issuer is {issuer}"
            )
        }

        Fact::NoReply { ip, why } => format!("{ip} gave no reply: {why}"),
        Fact::SeenFrom { ip, from, evidence } => {
            format!("dialled at {ip}, the service saw the request come from {from}: {evidence}")
        }
        Fact::PathDenied { ip, evidence } => {
            format!("the service behind {ip} denies this path: {evidence}")
        }
        Fact::DenialNamesPublic { from } => {
            format!("it saw {from}, so the path may turn public in between")
        }
        Fact::TlsInspected => "TLS is inspected on this path, by a device that may have resolved \
                               the name anew"
            .to_owned(),
        Fact::AccessDenied { ip, evidence } => {
            format!("the service denies access over {ip}: {evidence}")
        }
        Fact::PublicAccessOff => "public access is off altogether, so no rule helps".to_owned(),
        Fact::RefusedByProtocol { ip, refusal, said } => {
            let said = said.as_deref().unwrap_or(match refusal {
                Refusal::HostBlocked => "the server has blocked this host",
                Refusal::HostNotAllowed => "the server lets nobody in from this host",
            });
            format!("{ip}: {said}")
        }
        Fact::NotTheService { ip, evidence } => {
            format!("what answers at {ip} is not the service: {evidence}")
        }
        Fact::ServiceTrouble { ip, evidence } => {
            format!("the service at {ip} has trouble of its own: {evidence}")
        }
        Fact::AccessUnknown { could_be_asked } => {
            let why = if *could_be_asked {
                "the service was not asked (http is off)"
            } else {
                "the service can be asked nothing before login"
            };
            format!("{why}: whether it lets this subnet in is not known")
        }

        Fact::CompanionFails { target, reason } => {
            format!("{target}, which belongs to the same service, fails with {reason}")
        }
    }
}

/// `NXDOMAIN for kv.vault.azure.net (10.0.0.10:53)`, without the name where it is known already.
pub(super) fn no_address(
    negative: Negative,
    name: Option<&str>,
    server: Option<SocketAddr>,
) -> String {
    let name = name.map(|name| format!(" for {name}")).unwrap_or_default();
    let server = server.map(|server| format!(" ({server})"));
    format!("{}{name}{}", rcode(negative), server.unwrap_or_default())
}

/// `10.1.2.3 (private), 52.1.2.3 (public)`.
pub(super) fn list(addresses: &AddressList) -> String {
    if addresses.first.is_empty() {
        return "no address".to_owned();
    }
    let shown = addresses.first.iter();
    let mut text = joined(shown.map(|(ip, class)| format!("{ip} ({class})")), ", ");
    if addresses.more > 0 {
        text.push_str(&format!(" and {} more", addresses.more));
    }
    text
}

/// `a certificate for *.vault.azure.net, vault.azure.net`.
pub(super) fn certificate(presented: &Presented) -> String {
    let Presented {
        names,
        more,
        subject,
    } = presented;
    if names.is_empty() {
        let subject = if subject.is_empty() { "empty" } else { subject };
        return format!("a certificate without any DNS name (subject {subject})");
    }
    let more = match more {
        Some(0) => String::new(),
        Some(more) => format!(" and {more} more"),
        None => " and many more".to_owned(),
    };
    format!("a certificate for {}{more}", names.join(", "))
}

pub(super) fn joined(items: impl IntoIterator<Item = impl Display>, separator: &str) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    items.join(separator)
}

const fn rcode(negative: Negative) -> &'static str {
    match negative {
        Negative::Nxdomain => "NXDOMAIN",
        Negative::Nodata => "no address",
    }
}

/// `A and AAAA`.
fn by_type(families: &[Family]) -> String {
    joined(families.iter().map(|family| family.record_type()), " and ")
}

/// `timeout (10.0.0.10:53, 2 tries)`.
fn failed(query: &FailedQuery) -> String {
    let FailedQuery {
        outcome,
        rcode,
        server,
        detail,
    } = query;
    if let (QueryOutcome::Truncated, Some(detail)) = (outcome, detail) {
        // It says what was truncated, and which server is at fault.
        return detail.clone();
    }
    let mut text = rcode.map_or_else(|| outcome.to_string(), |rcode| rcode.to_string());
    if let Some((server, tries)) = server {
        let plural = if *tries == 1 { "try" } else { "tries" };
        text.push_str(&format!(" ({server}, {tries} {plural})"));
    }
    if let Some(detail) = detail {
        text.push_str(&format!(": {detail}"));
    }
    text
}

fn zone_answers(zone: &str, answers: &ZoneAnswers) -> String {
    match answers {
        ZoneAnswers::Linked => format!("the zone {zone} is linked here, but"),
        ZoneAnswers::ServedBy(mname) => format!("the zone {zone} is served by {mname} here, and"),
        ZoneAnswers::InPlace(owner) => {
            format!("the private zone {owner} is linked here and answers in place of {zone}, and")
        }
        ZoneAnswers::Unknown(mname) => {
            format!("{mname} answers for {zone}, be it privately or not, and")
        }
        ZoneAnswers::Silent => format!("the zone {zone} does not say who answers for it, and"),
    }
}

fn alias_zone(zone: &AliasZone) -> String {
    match zone {
        AliasZone::Private(None) => ", although its zone is answered privately here".to_owned(),
        AliasZone::Private(Some(mname)) => format!(", although its zone is served by {mname} here"),
        AliasZone::Public(zone) => format!("; its zone {zone} is answered by the public side"),
        AliasZone::Unknown(zone, mname) => {
            format!("; its zone {zone} is answered by {mname}, be it privately or not")
        }
        AliasZone::Silent(zone) => format!("; its zone {zone} does not say who answers for it"),
    }
}

const fn nature(nature: Nature) -> &'static str {
    match nature {
        Nature::Denied => "in a range that the configuration denies",
        Nature::Unspecified => "the address that DNS filters give for what they block",
        Nature::Loopback => "a loopback address",
        Nature::Multicast => "a multicast address",
        Nature::Platform => "Azure's own platform address",
        Nature::Metadata => "the instance metadata service",
        Nature::LinkLocal => "a link-local address",
        Nature::Reserved => "in a reserved range",
    }
}

const fn consequence(consequence: Consequence) -> &'static str {
    match consequence {
        Consequence::NodeGoesPublic => {
            "pods resolve it privately, the node does not: image pulls and CSI mounts will go public"
        }
        Consequence::NodeFails => {
            "pods resolve it privately, the node not at all: image pulls and CSI mounts will fail"
        }
        Consequence::PodsGoPublic => {
            "the node resolves it privately, pods do not: applications will go public"
        }
        Consequence::PodsFail => {
            "the node resolves it privately, pods not at all: applications will fail"
        }
    }
}

/// What each server says, and where the difference comes from.
fn difference(servers: &Servers, source: DifferenceSource) -> String {
    let each = each(servers);
    match source {
        DifferenceSource::BehindTheOnlyServer => format!(
            "{each}: it is the only server asked, so its upstreams differ, or the record itself \
             changes"
        ),
        DifferenceSource::TheOnlyServer => {
            format!("{each} by turns, and is the only server asked: its upstreams differ")
        }
        DifferenceSource::TheServers => each,
        DifferenceSource::BehindTheServers => format!(
            "{each}; asked alone they agree, so what lies behind them differs, or the record itself \
             changes"
        ),
        DifferenceSource::Behind(server) => format!("{each}; what lies behind {server} differs"),
        DifferenceSource::BehindSeveral => format!("{each}; what lies behind them differs"),
    }
}

/// `10.0.0.4:53 gives 10.1.2.3 (private), 10.0.0.5:53 gives 52.1.2.3 (public)`.
fn each(servers: &Servers) -> String {
    let mut text = joined(servers.first.iter().map(said), ", ");
    if servers.more > 0 {
        text.push_str(&format!(" and {} more servers", servers.more));
    }
    text
}

fn said(said: &ServerSaid) -> String {
    let ServerSaid {
        server,
        answers,
        times,
    } = said;
    let answer = |(outcome, addresses): &(Option<QueryOutcome>, AddressList)| match outcome {
        Some(QueryOutcome::Answer) => list(addresses),
        Some(outcome) if outcome.is_failure() => format!("no answer ({outcome})"),
        Some(outcome) => format!("no address ({outcome})"),
        None => "no answer".to_owned(),
    };
    let repeated = match (answers.len(), times) {
        (1, 2..) => format!(" each of {times} times"),
        _ => String::new(),
    };
    let answers = joined(answers.iter().map(answer), " and ");
    format!("{server} gives {answers}{repeated}")
}

/// A number of seconds in the largest unit that says enough: `13 days`, `5 hours`, `40 minutes`.
fn span(seconds: i64) -> String {
    let (count, unit) = match seconds {
        172_800.. => (seconds / 86_400, "day"),
        7_200.. => (seconds / 3_600, "hour"),
        120.. => (seconds / 60, "minute"),
        _ => (seconds, "second"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::span;

    #[test]
    fn a_span_is_given_in_the_largest_unit_that_says_enough() {
        assert_eq!(span(1_209_600), "14 days");
        assert_eq!(span(86_400), "24 hours");
        assert_eq!(span(7_199), "119 minutes");
        assert_eq!(span(61), "61 seconds");
        assert_eq!(span(1), "1 second");
    }
}
