//! Address facts in words.

use privatelink_verdict::address::Class;
use privatelink_verdict::fact::{AddressFact, AliasZone, Nature};

use super::{private, public, reads, text};
use crate::probe::ip;

#[test]
fn addresses_that_are_not_dialled() {
    let is = |nature| AddressFact::NotDialled {
        ip: ip("192.0.2.1"),
        nature,
    };
    reads([
        (
            is(Nature::Denied("192.0.2.0/24".parse().expect("a network"))),
            "192.0.2.1 is in the range 192.0.2.0/24 of deniedCidrs, and was not dialled",
        ),
        (
            is(Nature::Unspecified),
            "192.0.2.1 is the address that DNS filters give for what they block, and was not dialled",
        ),
        (
            is(Nature::Loopback),
            "192.0.2.1 is a loopback address, and was not dialled",
        ),
        (
            is(Nature::Multicast(
                "192.0.2.0/24".parse().expect("a network"),
            )),
            "192.0.2.1 is in the multicast range 192.0.2.0/24, and was not dialled",
        ),
        (
            is(Nature::Platform),
            "192.0.2.1 is Azure's own platform address, and was not dialled",
        ),
        (
            is(Nature::Metadata),
            "192.0.2.1 is the instance metadata service, and was not dialled",
        ),
        (
            is(Nature::LinkLocal),
            "192.0.2.1 is a link-local address, and was not dialled",
        ),
        (
            is(Nature::Reserved("192.0.2.0/24".parse().expect("a network"))),
            "192.0.2.1 is in the reserved range 192.0.2.0/24, and was not dialled",
        ),
        (
            AddressFact::InReservedRange {
                ip: ip("127.0.0.7"),
            },
            "127.0.0.7 lies in a reserved range; only classify.private makes it dialable",
        ),
    ]);
}

#[test]
fn addresses_that_are_not_what_they_should_be() {
    let ends_at = |zone| AddressFact::AliasEndsAt {
        alias: text("kv.pl.net"),
        addresses: public(),
        zone,
    };
    let seen = "the alias kv.pl.net ends at 52.1.2.3 (public) and 2 more";
    reads([
        (
            AddressFact::ClassesChanged {
                changes: 2,
                answers: vec![
                    [Class::Private].into_iter().collect(),
                    [Class::Private, Class::Public].into_iter().collect(),
                ],
            },
            "2 changes in the last 2 answers: private, private+public",
        ),
        (
            AddressFact::MixedAddresses(public()),
            "one answer holds both: 52.1.2.3 (public) and 2 more",
        ),
        (
            AddressFact::NoRouteTo(private()),
            "no route leads from here to 10.1.2.3 (private), elsewhere one may",
        ),
        (
            AddressFact::NoAlias {
                addresses: private(),
                resource: None,
            },
            "resolves to 10.1.2.3 (private) without any privatelink alias",
        ),
        (
            AddressFact::NoAlias {
                addresses: private(),
                resource: Some(text("primary.net")),
            },
            "resolves to 10.1.2.3 (private) by way of primary.net, without any privatelink alias",
        ),
        (ends_at(None), seen),
        (
            ends_at(Some(AliasZone::Private(None))),
            &format!("{seen}, although its zone is answered privately here"),
        ),
        (
            ends_at(Some(AliasZone::Private(Some(text("dc1.corp"))))),
            &format!("{seen}, although its zone is served by dc1.corp here"),
        ),
        (
            ends_at(Some(AliasZone::Public(text("pl.net")))),
            &format!("{seen}; its zone pl.net is answered by the public side"),
        ),
        (
            ends_at(Some(AliasZone::Unknown {
                zone: text("pl.net"),
                mname: text("dc1.corp"),
            })),
            &format!("{seen}; its zone pl.net is answered by dc1.corp, be it privately or not"),
        ),
        (
            ends_at(Some(AliasZone::Silent(text("pl.net")))),
            &format!("{seen}; its zone pl.net does not say who answers for it"),
        ),
        (
            AddressFact::AliasByItself { ip: ip("10.1.2.3") },
            "the alias asked by itself has 10.1.2.3: the DNS server sends the two names different \
             ways",
        ),
        (
            AddressFact::NothingFollowsAlias {
                by_configuration: true,
            },
            "nothing follows the alias: the address may be the zone's own record, which \
             classify.public makes public",
        ),
        (
            AddressFact::NothingFollowsAlias {
                by_configuration: false,
            },
            "nothing follows the alias: the address may be the zone's own record, of a range that \
             classify.private lacks",
        ),
        (
            AddressFact::OutsideExpected {
                ip: ip("10.1.2.3"),
                expected: vec!["10.9.0.0/16".parse().expect("a network")],
            },
            "10.1.2.3 is private, but outside 10.9.0.0/16",
        ),
        (
            AddressFact::PrivateForServiceEndpoint { ip: ip("10.1.2.3") },
            "10.1.2.3 is private, where a service endpoint keeps the public address",
        ),
        (
            AddressFact::ProxySet {
                variable: text("HTTPS_PROXY"),
            },
            "HTTPS_PROXY is set, and NO_PROXY does not cover the host",
        ),
    ]);
}

#[test]
fn an_address_that_was_private_before() {
    reads([(
        AddressFact::WasPrivate,
        "it was private before, which `expect: auto` then holds it to",
    )]);
}
