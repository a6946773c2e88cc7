//! Address facts in words.

use std::borrow::Cow;

use super::{joined, list};
use crate::fact::{AddressFact, AliasZone, Nature};

pub(super) fn clause(fact: &AddressFact) -> String {
    match fact {
        AddressFact::NotDialled { ip, nature } => {
            format!("{ip} is {}, and was not dialled", self::nature(*nature))
        }
        AddressFact::InReservedRange { ip } => {
            format!("{ip} lies in a reserved range; only classify.private makes it dialable")
        }
        AddressFact::ClassesChanged { changes, answers } => format!(
            "{changes} changes in the last {} answers: {}",
            answers.len(),
            joined(answers, ", ")
        ),
        AddressFact::MixedAddresses(addresses) => {
            format!("one answer holds both: {}", list(addresses))
        }
        AddressFact::NoRouteTo(addresses) => format!(
            "no route leads from here to {}, elsewhere one may",
            list(addresses)
        ),
        AddressFact::NoAlias {
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
        AddressFact::AliasEndsAt {
            alias,
            addresses,
            zone,
        } => {
            let zone = zone.as_ref().map(alias_zone).unwrap_or_default();
            format!("the alias {alias} ends at {}{zone}", list(addresses))
        }
        AddressFact::AliasByItself { ip } => format!(
            "the alias asked by itself has {ip}: the DNS server sends the two names different ways"
        ),
        AddressFact::WasPrivate => {
            "it was private before, which `expect: auto` then holds it to".to_owned()
        }
        AddressFact::NothingFollowsAlias { by_configuration } => {
            let range = if *by_configuration {
                "which classify.public makes public"
            } else {
                "of a range that classify.private lacks"
            };
            format!("nothing follows the alias: the address may be the zone's own record, {range}")
        }
        AddressFact::OutsideExpected { ip, expected } => {
            format!("{ip} is private, but outside {}", joined(expected, ", "))
        }
        AddressFact::PrivateForServiceEndpoint { ip } => {
            format!("{ip} is private, where a service endpoint keeps the public address")
        }
        AddressFact::ProxySet { variable } => {
            format!("{variable} is set, and NO_PROXY does not cover the host")
        }
    }
}

fn alias_zone(zone: &AliasZone) -> String {
    match zone {
        AliasZone::Private(None) => ", although its zone is answered privately here".to_owned(),
        AliasZone::Private(Some(mname)) => format!(", although its zone is served by {mname} here"),
        AliasZone::Public(zone) => format!("; its zone {zone} is answered by the public side"),
        AliasZone::Unknown { zone, mname } => {
            format!("; its zone {zone} is answered by {mname}, be it privately or not")
        }
        AliasZone::Silent(zone) => format!("; its zone {zone} does not say who answers for it"),
    }
}

fn nature(nature: Nature) -> Cow<'static, str> {
    Cow::Borrowed(match nature {
        Nature::Denied(net) => return format!("in the range {net} of deniedCidrs").into(),
        Nature::Unspecified => "the address that DNS filters give for what they block",
        Nature::Loopback => "a loopback address",
        Nature::Multicast(net) => return format!("in the multicast range {net}").into(),
        Nature::Platform => "Azure's own platform address",
        Nature::Metadata => "the instance metadata service",
        Nature::LinkLocal => "a link-local address",
        Nature::Reserved(net) => return format!("in the reserved range {net}").into(),
    })
}
