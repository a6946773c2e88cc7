//! Whether the addresses are what the expectation asks for.

use std::sync::Arc;

use privatelink_verdict::fact::{AddressFact, AddressList, AliasZone, Fact, Nature};
use privatelink_verdict::reason::{Reason, Severity};
use privatelink_verdict::target::Expectation;
use privatelink_verdict::verdict::{Confidence, Outcome};

use crate::observed::{private_soa, public_soa};
use crate::probe::{Probe, VAULT, VAULT_ALIAS, VAULT_ZONE, ip, net};
use Severity::{Fail, Info, Warn};

#[test]
fn a_private_address_is_what_a_private_endpoint_has() {
    assert_eq!(Probe::healthy_vault().findings(), []);
    // VNet-injected services and split horizon have no alias, and need none.
    let without_alias = Probe::of("orders.example.com").resolves_to(["10.1.2.3", "fd00::7"]);
    assert_eq!(without_alias.findings(), []);
}

#[test]
fn a_reserved_address_is_broken_whatever_is_expected() {
    for expect in Expectation::ALL {
        for address in [
            "127.0.0.1",
            "0.0.0.0",
            "168.63.129.16",
            "169.254.169.254",
            "::1",
        ] {
            let probe = Probe::of(VAULT).expecting(*expect).resolves_to([address]);
            assert_eq!(
                probe.findings(),
                [(Reason::ReservedAddress, Fail)],
                "{address}"
            );
            let finding = probe.finding(Reason::ReservedAddress);
            assert_eq!(finding.address, Some(ip(address)));
            let facts = probe.facts(Reason::ReservedAddress);
            let is_told = matches!(
                facts[..],
                [Fact::Address(AddressFact::NotDialled { ip: told, .. })] if told == ip(address)
            );
            assert!(is_told, "{facts:?}");
        }
    }
}

#[test]
fn a_denied_address_counts_as_reserved() {
    let probe = Probe::healthy_vault().denying("10.1.0.0/16");
    assert_eq!(probe.findings(), [(Reason::ReservedAddress, Fail)]);
}

#[test]
fn an_expected_network_does_not_make_a_reserved_address_a_service() {
    let probe = Probe::of(VAULT)
        .expected_in(["127.0.0.0/8"])
        .resolves_to(["127.0.0.7"]);
    assert_eq!(probe.findings(), [(Reason::ReservedAddress, Fail)]);
    let reserved = AddressFact::InReservedRange {
        ip: ip("127.0.0.7"),
    };
    assert_eq!(probe.facts(Reason::ReservedAddress), [reserved.into()]);
    let net = "127.0.0.0/8".parse().expect("a network");
    let probe = probe.with(|target| Arc::make_mut(&mut target.rules).target.private.push(net));
    assert_eq!(probe.findings(), []);
}

#[test]
fn every_reserved_address_is_told_in_one_finding() {
    let probe = Probe::healthy_vault().resolves_to(["10.1.2.3", "0.0.0.0", "::"]);
    assert_eq!(probe.findings(), [(Reason::ReservedAddress, Fail)]);
    let finding = probe.finding(Reason::ReservedAddress);
    assert_eq!(finding.address, Some(ip("0.0.0.0")));
    let unspecified = |address| AddressFact::NotDialled {
        ip: ip(address),
        nature: Nature::Unspecified,
    };
    assert_eq!(
        probe.facts(Reason::ReservedAddress),
        [unspecified("0.0.0.0").into(), unspecified("::").into()]
    );
    assert_eq!(
        finding.detail,
        "0.0.0.0 is the address that DNS filters give for what they block, and was not dialled; \
         :: is the address that DNS filters give for what they block, and was not dialled"
    );
}

#[test]
fn a_reserved_address_is_known_by_what_it_is() {
    for (address, nature) in [
        ("127.0.0.1", Nature::Loopback),
        ("::1", Nature::Loopback),
        ("239.1.2.3", Nature::Multicast(net("224.0.0.0/4"))),
        ("ff02::1", Nature::Multicast(net("ff00::/8"))),
        ("168.63.129.16", Nature::Platform),
        ("169.254.169.254", Nature::Metadata),
        ("64:ff9b::a9fe:a9fe", Nature::Metadata),
        ("169.254.10.10", Nature::LinkLocal),
        ("::ffff:169.254.10.10", Nature::LinkLocal),
        ("fe80::1", Nature::LinkLocal),
        ("198.18.0.1", Nature::Reserved(net("198.18.0.0/15"))),
    ] {
        let probe = Probe::of(VAULT).resolves_to([address]);
        let ip = ip(address);
        let fact = AddressFact::NotDialled { ip, nature };
        assert_eq!(probe.facts(Reason::ReservedAddress), [fact.into()]);
    }
    for address in ["10.0.0.1", "::ffff:10.0.0.1"] {
        let denied = Probe::of(VAULT)
            .denying("10.0.0.0/16")
            .resolves_to([address]);
        let (ip, nature) = (
            ip(address),
            Nature::Denied("10.0.0.0/16".parse().expect("a network")),
        );
        let fact = AddressFact::NotDialled { ip, nature };
        assert_eq!(denied.facts(Reason::ReservedAddress), [fact.into()]);
    }
}

#[test]
fn reserved_beside_private_is_not_mixed_and_reserved_beside_public_is_no_private_endpoint() {
    let probe = Probe::of(VAULT).resolves_to(["52.168.109.101", "0.0.0.0"]);
    assert_eq!(
        probe.findings(),
        [
            (Reason::ReservedAddress, Fail),
            (Reason::NoPrivateEndpoint, Fail)
        ]
    );
}

#[test]
fn no_address_is_demanded_of_a_public_expectation() {
    for addresses in [["10.1.2.3", "2603:1030::7"], ["52.168.109.101", "fd00::7"]] {
        let probe = Probe::of(VAULT)
            .expecting(Expectation::Public)
            .expected_in(["10.9.0.0/16"])
            .via([VAULT_ALIAS])
            .resolves_to(addresses);
        assert_eq!(probe.findings(), []);
    }
    let public = Probe::public_vault().expecting(Expectation::Public);
    assert_eq!(public.findings(), []);
}

#[test]
fn an_alias_with_a_public_address_falls_back() {
    let probe = Probe::public_vault();
    assert_eq!(probe.findings(), [(Reason::PublicFallback, Fail)]);
    let finding = probe.finding(Reason::PublicFallback);
    assert_eq!(
        finding.confidence,
        Confidence::Medium,
        "no SOA was asked for"
    );
    assert_eq!(finding.address, Some(ip("52.168.109.101")));
    assert_eq!(
        finding.detail,
        format!(
            "the alias {VAULT_ALIAS} ends at 52.168.109.101 (public); its zone {VAULT_ZONE} does \
             not say who answers for it"
        )
    );
    let answered = probe.asked_for_soa(Some(public_soa(VAULT_ZONE)));
    assert_eq!(answered.findings(), [(Reason::PublicFallback, Fail)]);
    let finding = answered.finding(Reason::PublicFallback);
    assert_eq!(finding.confidence, Confidence::High);
    let ends_at = AddressFact::AliasEndsAt {
        alias: VAULT_ALIAS.to_owned(),
        addresses: AddressList::of(&answered.resolution().addresses),
        zone: Some(AliasZone::Public(VAULT_ZONE.to_owned())),
    };
    assert_eq!(answered.facts(Reason::PublicFallback), [ends_at.into()]);
    let silent = Probe::public_vault().asked_for_soa(None);
    assert_eq!(silent.findings(), [(Reason::PublicFallback, Fail)]);
}

#[test]
fn an_alias_with_a_public_address_in_a_linked_zone_is_a_fallback_of_its_own() {
    let probe = Probe::public_vault().asked_for_soa(Some(private_soa(VAULT_ZONE)));
    assert_eq!(probe.findings(), [(Reason::PublicFallbackZoneLinked, Fail)]);
    let finding = probe.finding(Reason::PublicFallbackZoneLinked);
    assert_eq!(finding.confidence, Confidence::High);
    assert_eq!(
        finding.detail,
        format!(
            "the alias {VAULT_ALIAS} ends at 52.168.109.101 (public), although its zone is \
             answered privately here"
        )
    );
}

#[test]
fn the_alias_of_a_public_address_may_be_the_host_itself() {
    let probe = Probe::of(VAULT_ALIAS).resolves_to(["52.168.109.101"]);
    assert_eq!(probe.findings(), [(Reason::PublicFallback, Fail)]);
}

#[test]
fn a_public_address_without_alias_has_no_private_endpoint() {
    let probe = Probe::of(VAULT)
        .via(["data-prod-weu.vaultcore.azure.net"])
        .resolves_to(["52.168.109.101", "2603:1030::7"]);
    assert_eq!(probe.findings(), [(Reason::NoPrivateEndpoint, Fail)]);
    assert_eq!(
        probe.finding(Reason::NoPrivateEndpoint).detail,
        "resolves to 52.168.109.101 (public), 2603:1030::7 (public) without any privatelink alias"
    );
}

#[test]
fn auto_asks_for_nothing_until_an_address_was_private() {
    let plain = Probe::of(VAULT)
        .expecting(Expectation::Auto)
        .resolves_to(["52.168.109.101"]);
    assert_eq!(plain.findings(), []);
    assert_eq!(plain.verdict().expect_effective, Expectation::Public);
    let latched = plain.after([&["10.1.2.3"]]);
    assert_eq!(latched.findings(), [(Reason::NoPrivateEndpoint, Fail)]);
    assert_eq!(
        latched.verdict().expect_effective,
        Expectation::PrivateEndpoint
    );
}

#[test]
fn in_auto_a_fallback_is_a_warning_until_an_address_was_private() {
    let zones = [
        (None, Reason::PublicFallback),
        (Some(public_soa(VAULT_ZONE)), Reason::PublicFallback),
        (
            Some(private_soa(VAULT_ZONE)),
            Reason::PublicFallbackZoneLinked,
        ),
    ];
    for (soa, reason) in zones {
        let probe = Probe::public_vault()
            .expecting(Expectation::Auto)
            .asked_for_soa(soa);
        assert_eq!(probe.findings(), [(reason, Warn)]);
        assert_eq!(probe.verdict().outcome, Outcome::Warn);
        let latched = probe.after([&["10.1.2.3"]]);
        assert_eq!(latched.findings(), [(reason, Fail)]);
    }
}

#[test]
fn auto_stays_latched_however_long_ago_the_private_address_was() {
    let mut probe = Probe::public_vault().expecting(Expectation::Auto);
    probe = probe.after([&["10.1.2.3"]]);
    for _ in 0..30 {
        probe = probe.after([&["52.168.109.101"]]);
    }
    assert_eq!(probe.findings(), [(Reason::PublicFallback, Fail)]);
}

#[test]
fn an_address_in_expected_networks_latches_auto_too() {
    let probe = Probe::healthy_vault()
        .expecting(Expectation::Auto)
        .expected_in(["10.1.2.0/24"]);
    assert_eq!(probe.findings(), []);
    assert_eq!(
        probe.verdict().expect_effective,
        Expectation::PrivateEndpoint
    );
}

#[test]
fn a_written_expectation_is_what_is_in_force() {
    for expect in [
        Expectation::PrivateEndpoint,
        Expectation::ServiceEndpoint,
        Expectation::Public,
    ] {
        let probe = Probe::healthy_vault()
            .after([&["10.1.2.3"]])
            .expecting(expect);
        assert_eq!(probe.verdict().expect_effective, expect);
    }
}

#[test]
fn a_private_address_outside_the_expected_networks_is_unexpected() {
    let probe = Probe::healthy_vault().expected_in(["10.1.3.0/24", "10.1.4.0/24"]);
    assert_eq!(probe.findings(), [(Reason::UnexpectedPrivateAddress, Fail)]);
    let finding = probe.finding(Reason::UnexpectedPrivateAddress);
    assert_eq!(finding.address, Some(ip("10.1.2.3")));
    assert_eq!(
        finding.detail,
        "10.1.2.3 is private, but outside 10.1.3.0/24, 10.1.4.0/24"
    );
}

#[test]
fn expected_networks_bind_only_the_families_they_list() {
    let probe = Probe::healthy_vault()
        .expected_in(["10.1.2.0/24"])
        .resolves_to(["10.1.2.3", "fd00::7"]);
    assert_eq!(probe.findings(), []);
    let ipv6 = Probe::healthy_vault()
        .expected_in(["fd00::/64"])
        .resolves_to(["10.1.2.3", "fd00:1::7"]);
    assert_eq!(ipv6.findings(), [(Reason::UnexpectedPrivateAddress, Fail)]);
    assert_eq!(
        ipv6.finding(Reason::UnexpectedPrivateAddress).address,
        Some(ip("fd00:1::7"))
    );
}

#[test]
fn ipv4_inside_ipv6_is_held_to_the_expected_ipv4_networks() {
    for (inside, outside) in [
        ("64:ff9b::10.1.2.3", "64:ff9b::10.9.9.9"),
        ("::ffff:10.1.2.3", "::ffff:10.9.9.9"),
    ] {
        let probe = |address| {
            Probe::of(VAULT)
                .expected_in(["10.1.2.0/24"])
                .via([VAULT_ALIAS])
                .resolves_to([address])
        };
        assert_eq!(probe(inside).findings(), []);
        assert_eq!(
            probe(outside).findings(),
            [(Reason::UnexpectedPrivateAddress, Fail)]
        );
    }
    let public = Probe::of(VAULT)
        .via([VAULT_ALIAS])
        .resolves_to(["64:ff9b::52.168.109.101"]);
    assert_eq!(public.findings(), [(Reason::PublicFallback, Fail)]);
}

#[test]
fn a_public_address_in_an_expected_network_is_a_private_endpoints() {
    let probe = Probe::public_vault().expected_in(["52.168.109.0/24"]);
    assert_eq!(probe.findings(), []);
}

#[test]
fn a_private_address_is_unexpected_of_a_service_endpoint_even_in_expected_networks() {
    for probe in [
        Probe::healthy_vault(),
        Probe::healthy_vault().expected_in(["10.1.2.0/24"]),
    ] {
        let probe = probe.expecting(Expectation::ServiceEndpoint);
        assert_eq!(probe.findings(), [(Reason::UnexpectedPrivateAddress, Fail)]);
        assert_eq!(
            probe.finding(Reason::UnexpectedPrivateAddress).detail,
            "10.1.2.3 is private, where a service endpoint keeps the public address"
        );
    }
    let public = Probe::public_vault().expecting(Expectation::ServiceEndpoint);
    assert_eq!(public.findings(), [(Reason::AccessUnverified, Info)]);
}

#[test]
fn many_addresses_are_counted_rather_than_listed() {
    let detail = |probe: Probe| probe.finding(Reason::NoPrivateEndpoint).detail;
    let probe = Probe::of(VAULT);
    assert_eq!(
        detail(
            probe
                .clone()
                .resolves_to(["52.0.0.1", "52.0.0.2", "52.0.0.3", "52.0.0.4"])
        ),
        "resolves to 52.0.0.1 (public), 52.0.0.2 (public), 52.0.0.3 (public), 52.0.0.4 (public) \
         without any privatelink alias"
    );
    assert_eq!(
        detail(probe.resolves_to([
            "52.0.0.1", "52.0.0.2", "52.0.0.3", "52.0.0.4", "52.0.0.5", "52.0.0.6"
        ])),
        "resolves to 52.0.0.1 (public), 52.0.0.2 (public), 52.0.0.3 (public), 52.0.0.4 (public) \
         and 2 more without any privatelink alias"
    );
}

#[test]
fn an_answer_without_end_makes_no_detail_without_end() {
    let addresses: [String; 600] =
        std::array::from_fn(|n| format!("127.1.{}.{}", n / 256, n % 256));
    let probe = Probe::of(VAULT).resolves_to(addresses.each_ref().map(String::as_str));
    assert_eq!(probe.verdict().findings[0].facts.len(), 16);
    let detail = probe.finding(Reason::ReservedAddress).detail;
    assert!(detail.len() < 1024, "{detail}");
}

#[test]
fn a_proxy_that_applications_would_use_is_a_warning() {
    let probe = Probe::healthy_vault().behind_proxy("HTTPS_PROXY");
    assert_eq!(probe.findings(), [(Reason::ProxyWouldBeUsed, Warn)]);
    assert_eq!(
        probe.finding(Reason::ProxyWouldBeUsed).detail,
        "HTTPS_PROXY is set, and NO_PROXY does not cover the host"
    );
}
