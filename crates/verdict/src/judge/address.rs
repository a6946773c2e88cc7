//! Address findings: whether the addresses are what the expectation asks for.

use std::net::IpAddr;

use super::zone::is_azures;
use super::{Case, Findings, ZoneAuthority, cache, list, servers};
use crate::address::{Class, ClassSet, Family, judged_as};
use crate::observation::{Address, Comparison, NameEvidence};
use crate::reason::{Reason, Severity};
use crate::target::Expectation;
use crate::verdict::Confidence;

pub(super) fn find(case: &Case<'_>, findings: &mut Findings) {
    reserved(case, findings);
    flapping(case, findings);
    mixed_or_public(case, findings);
    unexpected(case, findings);
    for comparison in &case.observation.comparisons {
        compared(case, comparison, findings);
    }
    if let Some(variable) = &case.observation.proxy {
        let detail = format!("{variable} is set, and NO_PROXY does not cover the host");
        findings.add(Reason::ProxyWouldBeUsed, None, detail);
    }
}

fn addresses<'a>(case: &'a Case<'_>) -> &'a [Address] {
    &case.observation.resolution.addresses
}

fn of_class(case: &Case<'_>, wanted: impl Fn(Class) -> bool) -> Vec<Address> {
    addresses(case)
        .iter()
        .filter(|address| wanted(address.class))
        .cloned()
        .collect()
}

fn first(addresses: &[Address]) -> Option<IpAddr> {
    addresses.first().map(|address| address.ip)
}

fn reserved(case: &Case<'_>, findings: &mut Findings) {
    for address in addresses(case) {
        let detail = if address.class == Class::Reserved {
            format!(
                "{} is {}, and was not dialled",
                address.ip,
                nature(case, address.ip)
            )
        } else if !case.target.rules.may_dial(address.ip) {
            format!(
                "{} lies in a reserved range; only classify.private makes it dialable",
                address.ip
            )
        } else {
            continue;
        };
        findings.add(Reason::ReservedAddress, Some(address.ip), detail);
    }
}

/// What a reserved address is, for whoever wonders how it came into an answer.
fn nature(case: &Case<'_>, ip: IpAddr) -> &'static str {
    let judged = judged_as(ip);
    let denied = &case.target.rules.denied;
    if { denied }
        .iter()
        .any(|net| net.contains(&ip) || net.contains(&judged))
    {
        return "in a range that the configuration denies";
    }
    match judged {
        ip if ip.is_unspecified() => "the address that DNS filters give for what they block",
        ip if ip.is_loopback() => "a loopback address",
        ip if ip.is_multicast() => "a multicast address",
        IpAddr::V4(ip) => match ip.octets() {
            [168, 63, 129, 16] => "Azure's own platform address",
            [169, 254, 169, 254] => "the instance metadata service",
            [169, 254, ..] => "a link-local address",
            _ => "in a reserved range",
        },
        IpAddr::V6(ip) if ip.is_unicast_link_local() => "a link-local address",
        IpAddr::V6(_) => "in a reserved range",
    }
}

fn flapping(case: &Case<'_>, findings: &mut Findings) {
    let resolution = &case.observation.resolution;
    if !case.history.flaps(resolution) {
        return;
    }
    let changes = case.history.changes(resolution);
    let window: Vec<_> = case.history.window(resolution).collect();
    let broken = window
        .iter()
        .flat_map(|answered| answered.iter())
        .any(|(family, class)| breaks(case, family, class));
    let severity = if broken {
        Severity::Fail
    } else {
        Severity::Warn
    };
    let classes = window.iter().map(|answered| answered.classes().to_string());
    let mut detail = format!(
        "{changes} changes in the last {} answers: {}",
        window.len(),
        classes.collect::<Vec<_>>().join(", ")
    );
    if let Some(source) = servers::source(case) {
        detail.push_str(&format!("; {source}"));
    }
    detail.push_str(&cache::kept(case));
    findings.add_as(
        Reason::AddressFlapping,
        severity,
        Confidence::High,
        None,
        detail,
    );
}

/// Whether an address of this family and class is not what the expectation asks for.
fn breaks(case: &Case<'_>, family: Family, class: Class) -> bool {
    match case.expect {
        Expectation::PrivateEndpoint => match class {
            Class::Expected => false,
            Class::Private => case.target.rules.bind(family),
            Class::Public | Class::Reserved => true,
        },
        Expectation::ServiceEndpoint => class != Class::Public,
        Expectation::Public | Expectation::Auto => class == Class::Reserved,
    }
}

fn mixed_or_public(case: &Case<'_>, findings: &mut Findings) {
    let public = of_class(case, |class| class == Class::Public);
    let private = of_class(case, Class::is_private);
    if public.is_empty() {
        return;
    }
    match case.expect {
        Expectation::PrivateEndpoint | Expectation::ServiceEndpoint if !private.is_empty() => {
            let (odd, meant) = if case.expect == Expectation::PrivateEndpoint {
                (&public, &private)
            } else {
                (&private, &public)
            };
            // An odd family is a family apart: where the meant addresses share it, the records are
            // wrong, and that nothing is reached from here excuses nobody.
            let apart = |address: &Address| {
                let family = Family::of(address.ip);
                meant.iter().all(|other| Family::of(other.ip) != family)
            };
            let severity = if odd.iter().all(|odd| apart(odd) && has_no_route(case, odd)) {
                Severity::Warn
            } else {
                Severity::Fail
            };
            let mut detail = format!("one answer holds both: {}", list(addresses(case)));
            if severity == Severity::Warn {
                let odd = list(odd);
                detail.push_str(&format!(
                    "; no route leads from here to {odd}, elsewhere one may"
                ));
            }
            findings.add_as(
                Reason::MixedAddresses,
                severity,
                Confidence::High,
                first(odd),
                detail,
            );
        }
        Expectation::PrivateEndpoint => public_instead(case, &public, Severity::Fail, findings),
        // Only `auto` can come to this: a written `public` asks for nothing.
        Expectation::Public if case.target.expect == Expectation::Auto && case.alias.is_some() => {
            public_instead(case, &public, Severity::Warn, findings);
        }
        Expectation::ServiceEndpoint | Expectation::Public | Expectation::Auto => {}
    }
}

fn has_no_route(case: &Case<'_>, address: &Address) -> bool {
    !case.observation.has_route(Family::of(address.ip))
}

/// Every dialable address is public, where a private endpoint is expected.
fn public_instead(
    case: &Case<'_>,
    public: &[Address],
    severity: Severity,
    findings: &mut Findings,
) {
    let seen = list(public);
    let (reason, confidence, detail) = match (case.alias, case.authority) {
        (None, _) => (
            Reason::NoPrivateEndpoint,
            Confidence::High,
            if case.resource() == case.host() {
                format!("resolves to {seen} without any privatelink alias")
            } else {
                let resource = case.resource();
                format!("resolves to {seen} by way of {resource}, without any privatelink alias")
            },
        ),
        (Some(alias), ZoneAuthority::Private) => (
            Reason::PublicFallbackZoneLinked,
            Confidence::High,
            format!(
                "the alias {alias} ends at {seen}, although its zone {}",
                answered_privately(case)
            ),
        ),
        // Its private answer says it, whoever is told to serve the zone.
        (Some(alias), _) if alias_by_itself(case).is_some() => (
            Reason::PublicFallbackZoneLinked,
            Confidence::High,
            format!("the alias {alias} ends at {seen}"),
        ),
        (Some(alias), authority) => {
            let zone = case.zone().unwrap_or(alias);
            let (confidence, who) = match (authority, case.soa) {
                (ZoneAuthority::Public, _) => (
                    Confidence::High,
                    "is answered by the public side".to_owned(),
                ),
                (_, Some(soa)) => (
                    Confidence::Medium,
                    format!("is answered by {}, be it privately or not", soa.mname),
                ),
                (_, None) => (
                    Confidence::Medium,
                    "does not say who answers for it".to_owned(),
                ),
            };
            let detail = format!("the alias {alias} ends at {seen}; its zone {zone} {who}");
            (Reason::PublicFallback, confidence, detail)
        }
    };
    let besides = [by_itself(case), in_the_wrong_zone(case), cache::kept(case)];
    let detail = detail + &besides.concat();
    findings.add_as(reason, severity, confidence, first(public), detail);
}

fn answered_privately(case: &Case<'_>) -> String {
    match case.soa {
        Some(soa) if !is_azures(soa) => format!("is served by {} here", soa.mname),
        _ => "is answered privately here".to_owned(),
    }
}

/// The private address that the alias has when it is asked by itself.
fn alias_by_itself(case: &Case<'_>) -> Option<IpAddr> {
    private_of(case, case.observation.resolution.alias.as_ref()?)
}

/// The first private address of a name that was asked besides the host.
fn private_of(case: &Case<'_>, evidence: &NameEvidence) -> Option<IpAddr> {
    let private = |ip: &IpAddr| case.target.rules.classify(*ip).is_private();
    evidence.addresses.iter().copied().find(private)
}

/// What the alias says when asked by itself: a DNS server that forwards the privatelink zone alone
/// has the private address, and does not use it for the host.
fn by_itself(case: &Case<'_>) -> String {
    if let Some(ip) = alias_by_itself(case) {
        format!(
            "; the alias asked by itself has {ip}: the DNS server sends the two names different ways"
        )
    } else if case.authority == ZoneAuthority::Private && case.alias == Some(case.last_name()) {
        "; nothing follows the alias: the address may be the zone's own record, of a range that \
         classify.private lacks"
            .to_owned()
    } else {
        String::new()
    }
}

/// That the record is there after all, in the zone that people mistake for the right one.
fn in_the_wrong_zone(case: &Case<'_>) -> String {
    let mistaken = case.observation.resolution.mistaken.as_ref();
    mistaken
        .and_then(|evidence| Some((private_of(case, evidence)?, &evidence.name)))
        .map(|(ip, name)| format!("; {name} has {ip}: the record was made in the wrong zone"))
        .unwrap_or_default()
}

fn unexpected(case: &Case<'_>, findings: &mut Findings) {
    for address in addresses(case)
        .iter()
        .filter(|address| address.class.is_private())
    {
        let detail = match case.expect {
            Expectation::PrivateEndpoint if case.target.rules.is_unexpected(address.ip) => {
                let nets = case.target.rules.expected.iter().map(ToString::to_string);
                format!(
                    "{} is private, but outside {}",
                    address.ip,
                    nets.collect::<Vec<_>>().join(", ")
                )
            }
            Expectation::ServiceEndpoint => {
                format!(
                    "{} is private, where a service endpoint keeps the public address",
                    address.ip
                )
            }
            _ => continue,
        };
        findings.add(Reason::UnexpectedPrivateAddress, Some(address.ip), detail);
    }
}

fn compared(case: &Case<'_>, comparison: &Comparison, findings: &mut Findings) {
    if !comparison.must_agree {
        return;
    }
    let (path, other) = (&case.observation.resolution, &comparison.resolution);
    match comparison.agrees_with(path) {
        Some(true) => {}
        Some(false) => {
            let mut detail = format!(
                "the path {} gives {}, {} gives {}",
                path.resolver,
                described(&path.addresses),
                other.resolver,
                described(&other.addresses),
            );
            let consequence = consequence(case, comparison);
            if !consequence.is_empty() {
                detail.push_str(&format!("; {consequence}"));
            }
            detail.push_str(&cache::left_over(case, comparison));
            findings.add(
                Reason::ResolverDisagreement,
                first(&other.addresses),
                detail,
            );
        }
        None => {
            let detail = match other.outcome() {
                None => format!("the resolver {} could not be asked", other.resolver),
                Some(outcome) if outcome.is_failure() => {
                    format!("the resolver {} did not answer: {outcome}", other.resolver)
                }
                Some(_) => return,
            };
            findings.add(Reason::ResolverUnavailable, None, detail);
        }
    }
}

pub(super) fn described(addresses: &[Address]) -> String {
    if addresses.is_empty() {
        "no address".to_owned()
    } else {
        list(addresses)
    }
}

/// What a difference between the two resolvers of a node means to its workloads: whoever gets no
/// address fails, rather than going public. Empty where nothing follows for either.
pub(super) fn consequence(case: &Case<'_>, comparison: &Comparison) -> &'static str {
    let path = &case.observation.resolution;
    let other = &comparison.resolution;
    let (pod, node) = match (path.resolver.as_str(), other.resolver.as_str()) {
        ("pod", "node") => (path.classes(), other.classes()),
        ("node", "pod") => (other.classes(), path.classes()),
        _ => return "",
    };
    let private = |classes: ClassSet| !classes.is_empty() && classes.iter().all(Class::is_private);
    let public = |classes: ClassSet| classes.contains(Class::Public);
    if private(pod) && public(node) {
        "pods resolve it privately, the node does not: image pulls and CSI mounts will go public"
    } else if private(pod) && node.is_empty() {
        "pods resolve it privately, the node not at all: image pulls and CSI mounts will fail"
    } else if private(node) && public(pod) {
        "the node resolves it privately, pods do not: applications will go public"
    } else if private(node) && pod.is_empty() {
        "the node resolves it privately, pods not at all: applications will fail"
    } else {
        ""
    }
}
