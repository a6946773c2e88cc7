//! Address findings: whether the addresses are what the expectation asks for.

use std::net::IpAddr;

use super::{Case, Findings, cache, servers};
use crate::address::{Class, Family, judged_as, reserved_range};
use crate::fact::{AddressFact, AddressList, AliasZone, DnsFact, Fact, Nature};
use crate::history::{Answered, History};
use crate::observation::{Address, NameEvidence};
use crate::reason::{Reason, Severity};
use crate::target::Expectation;
use crate::verdict::Confidence;
use crate::zone::{ZoneAuthority, is_azure_private_dns};

pub(super) fn find(case: &Case<'_>, history: &History, findings: &mut Findings) {
    reserved(case, findings);
    flapping(case, history, findings);
    mixed_or_public(case, history, findings);
    unexpected(case, findings);
    if let Some(variable) = case.observation.proxy {
        let variable = variable.to_owned();
        findings.add(
            Reason::ProxyWouldBeUsed,
            None,
            [AddressFact::ProxySet { variable }],
        );
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
    for Address { ip, class, .. } in addresses(case).iter().cloned() {
        let fact = if class == Class::Reserved {
            let Some(nature) = nature(case, ip) else {
                continue;
            };
            AddressFact::NotDialled { ip, nature }
        } else if !case.target.rules.may_dial(ip) {
            AddressFact::InReservedRange { ip }
        } else {
            continue;
        };
        findings.add(Reason::ReservedAddress, Some(ip), [fact]);
    }
}

/// What a reserved address is: it says how the address came into an answer.
fn nature(case: &Case<'_>, ip: IpAddr) -> Option<Nature> {
    let judged = judged_as(ip);
    if let Some(net) = case.target.rules.denying(ip) {
        return Some(Nature::Denied(net));
    }
    let range = reserved_range(judged)?;
    Some(match judged {
        ip if ip.is_unspecified() => Nature::Unspecified,
        ip if ip.is_loopback() => Nature::Loopback,
        ip if ip.is_multicast() => Nature::Multicast(range),
        IpAddr::V4(ip) => match ip.octets() {
            [168, 63, 129, 16] => Nature::Platform,
            [169, 254, 169, 254] => Nature::Metadata,
            [169, 254, ..] => Nature::LinkLocal,
            _ => Nature::Reserved(range),
        },
        IpAddr::V6(ip) if ip.is_unicast_link_local() => Nature::LinkLocal,
        IpAddr::V6(_) => Nature::Reserved(range),
    })
}

fn flapping(case: &Case<'_>, history: &History, findings: &mut Findings) {
    let resolution = &case.observation.resolution;
    if !history.flaps(resolution) {
        return;
    }
    let window: Vec<_> = history.window(resolution).collect();
    let broken = window
        .iter()
        .flat_map(|answered| answered.iter())
        .any(|(family, class)| breaks(case, family, class));
    let severity = if broken {
        Severity::Fail
    } else {
        Severity::Warn
    };
    let changed = AddressFact::ClassesChanged {
        changes: history.changes(resolution),
        answers: window.into_iter().map(Answered::classes).collect(),
    };
    let mut facts = vec![Fact::from(changed)];
    facts.extend(servers::source(case).map(Fact::from));
    facts.extend(cache::on_path(case, history).into_iter().map(Fact::from));
    findings.add_as(
        Reason::AddressFlapping,
        severity,
        Confidence::High,
        None,
        facts,
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

fn mixed_or_public(case: &Case<'_>, history: &History, findings: &mut Findings) {
    let public = of_class(case, |class| class == Class::Public);
    let private = of_class(case, Class::is_private);
    if public.is_empty() {
        return;
    }
    match case.expect {
        Expectation::PrivateEndpoint if !private.is_empty() => {
            mixed(case, &public, &private, findings);
        }
        Expectation::ServiceEndpoint if !private.is_empty() => {
            mixed(case, &private, &public, findings);
        }
        Expectation::PrivateEndpoint => {
            public_instead(case, history, &public, Severity::Fail, findings);
        }
        // Only `auto` can come to this: a written `public` asks for nothing.
        Expectation::Public if case.target.expect == Expectation::Auto && case.alias.is_some() => {
            public_instead(case, history, &public, Severity::Warn, findings);
        }
        Expectation::ServiceEndpoint | Expectation::Public | Expectation::Auto => {}
    }
}

/// One answer holds `odd` addresses beside those that are `meant`.
fn mixed(case: &Case<'_>, odd: &[Address], meant: &[Address], findings: &mut Findings) {
    // An odd family is a family apart: where the meant addresses share it, the records are wrong,
    // whether or not they are reached from here.
    let apart = |address: &Address| {
        let family = Family::of(address.ip);
        meant.iter().all(|other| Family::of(other.ip) != family)
    };
    let all = AddressList::of_all(&case.observation.resolution);
    let mut facts = vec![AddressFact::MixedAddresses(all)];
    let mut severity = Severity::Fail;
    if odd.iter().all(|odd| apart(odd) && has_no_route(case, odd)) {
        severity = Severity::Warn;
        facts.push(AddressFact::NoRouteTo(AddressList::of(odd)));
    }
    findings.add_as(
        Reason::MixedAddresses,
        severity,
        Confidence::High,
        first(odd),
        facts,
    );
}

fn has_no_route(case: &Case<'_>, address: &Address) -> bool {
    !case.observation.has_route(Family::of(address.ip))
}

/// Every dialable address is public, where a private endpoint is expected.
fn public_instead(
    case: &Case<'_>,
    history: &History,
    public: &[Address],
    severity: Severity,
    findings: &mut Findings,
) {
    let addresses =
        AddressList::of_classes(&case.observation.resolution, |class| class == Class::Public);
    let (reason, confidence, fact) = match case.alias {
        None => {
            let resource = case.resource();
            let fact = AddressFact::NoAlias {
                addresses,
                resource: (resource != case.host()).then(|| resource.to_owned()),
            };
            (Reason::NoPrivateEndpoint, Confidence::High, fact)
        }
        Some(alias) => {
            let (reason, confidence, zone) = alias_zone(case, alias);
            let fact = AddressFact::AliasEndsAt {
                alias: alias.to_owned(),
                addresses,
                zone,
            };
            (reason, confidence, fact)
        }
    };
    let mut facts = vec![Fact::from(fact)];
    let was_private =
        case.target.expect == Expectation::Auto && case.expect == Expectation::PrivateEndpoint;
    facts.extend(was_private.then(|| Fact::from(AddressFact::WasPrivate)));
    facts.extend(by_itself(case).map(Fact::from));
    facts.extend(in_the_wrong_zone(case).map(Fact::from));
    facts.extend(cache::on_path(case, history).into_iter().map(Fact::from));
    findings.add_as(reason, severity, confidence, first(public), facts);
}

/// Why the alias ends at a public address, by who answers for its zone.
fn alias_zone(case: &Case<'_>, alias: &str) -> (Reason, Confidence, Option<AliasZone>) {
    let zone = || case.zone().unwrap_or(alias).to_owned();
    match (case.authority, case.soa) {
        (ZoneAuthority::Private, soa) => {
            let own = soa.filter(|soa| !is_azure_private_dns(soa));
            let answers = AliasZone::Private(own.map(|soa| soa.mname.clone()));
            let reason = Reason::PublicFallbackZoneLinked;
            (reason, Confidence::High, Some(answers))
        }
        // The alias's own private answer proves the zone, whatever its SOA says.
        _ if alias_by_itself(case).is_some() => {
            (Reason::PublicFallbackZoneLinked, Confidence::High, None)
        }
        (ZoneAuthority::Public, _) => {
            let answers = AliasZone::Public(zone());
            (Reason::PublicFallback, Confidence::High, Some(answers))
        }
        (_, Some(soa)) => {
            let answers = AliasZone::Unknown {
                zone: zone(),
                mname: soa.mname.clone(),
            };
            (Reason::PublicFallback, Confidence::Medium, Some(answers))
        }
        (_, None) => {
            let answers = AliasZone::Silent(zone());
            (Reason::PublicFallback, Confidence::Medium, Some(answers))
        }
    }
}

/// The private address that the alias has when it is asked by itself.
fn alias_by_itself(case: &Case<'_>) -> Option<IpAddr> {
    private_of(case, case.observation.resolution.evidence.alias.as_ref()?)
}

/// The first private address of a name that was asked besides the host.
fn private_of(case: &Case<'_>, evidence: &NameEvidence) -> Option<IpAddr> {
    let private = |ip: &IpAddr| case.target.rules.classify(*ip).is_private();
    evidence.addresses.iter().copied().find(private)
}

/// What the alias says when asked by itself: a DNS server that forwards the privatelink zone alone
/// has the private address, and does not use it for the host.
fn by_itself(case: &Case<'_>) -> Option<AddressFact> {
    if let Some(ip) = alias_by_itself(case) {
        return Some(AddressFact::AliasByItself { ip });
    }
    let ends = case.authority == ZoneAuthority::Private && case.alias == Some(case.last_name());
    ends.then(|| AddressFact::NothingFollowsAlias {
        by_configuration: addresses(case).iter().any(|address| {
            let class = case.target.rules.overridden(judged_as(address.ip));
            class == Some(Class::Public)
        }),
    })
}

/// That the record exists, in the zone that people mistake for the right one.
fn in_the_wrong_zone(case: &Case<'_>) -> Option<DnsFact> {
    let evidence = case.observation.resolution.evidence.mistaken.as_ref()?;
    let ip = private_of(case, evidence)?;
    Some(DnsFact::RecordInOtherZone {
        name: evidence.name.clone(),
        ip: Some(ip),
    })
}

fn unexpected(case: &Case<'_>, findings: &mut Findings) {
    let rules = &case.target.rules;
    let private = addresses(case)
        .iter()
        .filter(|address| address.class.is_private());
    for ip in private.map(|address| address.ip) {
        let fact = match case.expect {
            Expectation::PrivateEndpoint if rules.is_unexpected(ip) => {
                AddressFact::OutsideExpected {
                    ip,
                    expected: rules.expected.clone(),
                }
            }
            Expectation::ServiceEndpoint => AddressFact::PrivateForServiceEndpoint { ip },
            _ => continue,
        };
        findings.add(Reason::UnexpectedPrivateAddress, Some(ip), [fact]);
    }
}
