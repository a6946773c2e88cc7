//! Whether the addresses are what the expectation asks for.

use privatelink_verdict::reason::{Reason, Severity};
use privatelink_verdict::target::Expectation;
use privatelink_verdict::verdict::{Confidence, Outcome};

use crate::case::{Case, VAULT, VAULT_ALIAS, VAULT_ZONE, ip};
use crate::words::{private_soa, public_soa};
use Severity::{Fail, Info, Warn};

#[test]
fn a_private_address_is_what_a_private_endpoint_has() {
    assert_eq!(Case::healthy_vault().findings(), []);
    // VNet-injected services and split horizon have no alias, and need none.
    let without_alias = Case::of("orders.example.com").resolves_to(["10.1.2.3", "fd00::7"]);
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
            let case = Case::of(VAULT).expecting(*expect).resolves_to([address]);
            assert_eq!(
                case.findings(),
                [(Reason::ReservedAddress, Fail)],
                "{address}"
            );
            let finding = case.finding(Reason::ReservedAddress);
            assert_eq!(finding.address, Some(ip(address)));
            assert!(
                finding.detail.starts_with(&format!("{address} is ")),
                "{}",
                finding.detail
            );
        }
    }
}

#[test]
fn a_denied_address_counts_as_reserved() {
    let case = Case::healthy_vault().denying("10.1.0.0/16");
    assert_eq!(case.findings(), [(Reason::ReservedAddress, Fail)]);
}

#[test]
fn an_expected_network_does_not_make_a_reserved_address_a_service() {
    let case = Case::of(VAULT)
        .expected_in(["127.0.0.0/8"])
        .resolves_to(["127.0.0.7"]);
    assert_eq!(case.findings(), [(Reason::ReservedAddress, Fail)]);
    assert_eq!(
        case.finding(Reason::ReservedAddress).detail,
        "127.0.0.7 lies in a reserved range; only classify.private makes it dialable"
    );
    let net = "127.0.0.0/8".parse().expect("a network");
    let case = case.with(|target| target.rules.target.private.push(net));
    assert_eq!(case.findings(), []);
}

#[test]
fn every_reserved_address_is_told_in_one_finding() {
    let case = Case::healthy_vault().resolves_to(["10.1.2.3", "0.0.0.0", "::"]);
    assert_eq!(case.findings(), [(Reason::ReservedAddress, Fail)]);
    let finding = case.finding(Reason::ReservedAddress);
    assert_eq!(finding.address, Some(ip("0.0.0.0")));
    assert_eq!(
        finding.detail,
        "0.0.0.0 is the address that DNS filters give for what they block, and was not dialled; \
         :: is the address that DNS filters give for what they block, and was not dialled"
    );
}

#[test]
fn a_reserved_address_is_told_by_what_it_is() {
    for (address, nature) in [
        ("127.0.0.1", "a loopback address"),
        ("::1", "a loopback address"),
        ("239.1.2.3", "a multicast address"),
        ("ff02::1", "a multicast address"),
        ("168.63.129.16", "Azure's own platform address"),
        ("169.254.169.254", "the instance metadata service"),
        ("64:ff9b::a9fe:a9fe", "the instance metadata service"),
        ("169.254.10.10", "a link-local address"),
        ("::ffff:169.254.10.10", "a link-local address"),
        ("fe80::1", "a link-local address"),
        ("198.18.0.1", "in a reserved range"),
    ] {
        let case = Case::of(VAULT).resolves_to([address]);
        assert_eq!(
            case.finding(Reason::ReservedAddress).detail,
            format!("{address} is {nature}, and was not dialled")
        );
    }
    for address in ["10.0.0.1", "::ffff:10.0.0.1"] {
        let denied = Case::of(VAULT)
            .denying("10.0.0.0/16")
            .resolves_to([address]);
        assert_eq!(
            denied.finding(Reason::ReservedAddress).detail,
            format!("{address} is in a range that the configuration denies, and was not dialled")
        );
    }
}

#[test]
fn reserved_beside_private_is_not_mixed_and_reserved_beside_public_is_no_private_endpoint() {
    let case = Case::of(VAULT).resolves_to(["52.168.109.101", "0.0.0.0"]);
    assert_eq!(
        case.findings(),
        [
            (Reason::ReservedAddress, Fail),
            (Reason::NoPrivateEndpoint, Fail)
        ]
    );
}

#[test]
fn no_address_is_demanded_of_a_public_expectation() {
    for addresses in [["10.1.2.3", "2603:1030::7"], ["52.168.109.101", "fd00::7"]] {
        let case = Case::of(VAULT)
            .expecting(Expectation::Public)
            .expected_in(["10.9.0.0/16"])
            .via([VAULT_ALIAS])
            .resolves_to(addresses);
        assert_eq!(case.findings(), []);
    }
    let public = Case::public_vault().expecting(Expectation::Public);
    assert_eq!(public.findings(), []);
}

#[test]
fn an_alias_with_a_public_address_falls_back() {
    let case = Case::public_vault();
    assert_eq!(case.findings(), [(Reason::PublicFallback, Fail)]);
    let finding = case.finding(Reason::PublicFallback);
    assert_eq!(finding.confidence, Confidence::Medium, "nobody was asked");
    assert_eq!(finding.address, Some(ip("52.168.109.101")));
    assert_eq!(
        finding.detail,
        format!(
            "the alias {VAULT_ALIAS} ends at 52.168.109.101 (public); its zone {VAULT_ZONE} does \
             not say who answers for it"
        )
    );
    let told = case.asked_for_soa(Some(public_soa(VAULT_ZONE)));
    assert_eq!(told.findings(), [(Reason::PublicFallback, Fail)]);
    let finding = told.finding(Reason::PublicFallback);
    assert_eq!(finding.confidence, Confidence::High);
    assert!(
        finding
            .detail
            .ends_with(&format!("{VAULT_ZONE} is answered by the public side")),
        "{}",
        finding.detail
    );
    let silent = Case::public_vault().asked_for_soa(None);
    assert_eq!(silent.findings(), [(Reason::PublicFallback, Fail)]);
}

#[test]
fn an_alias_with_a_public_address_in_a_linked_zone_is_a_fallback_of_its_own() {
    let case = Case::public_vault().asked_for_soa(Some(private_soa(VAULT_ZONE)));
    assert_eq!(case.findings(), [(Reason::PublicFallbackZoneLinked, Fail)]);
    let finding = case.finding(Reason::PublicFallbackZoneLinked);
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
    let case = Case::of(VAULT_ALIAS).resolves_to(["52.168.109.101"]);
    assert_eq!(case.findings(), [(Reason::PublicFallback, Fail)]);
}

#[test]
fn a_public_address_without_alias_has_no_private_endpoint() {
    let case = Case::of(VAULT)
        .via(["data-prod-weu.vaultcore.azure.net"])
        .resolves_to(["52.168.109.101", "2603:1030::7"]);
    assert_eq!(case.findings(), [(Reason::NoPrivateEndpoint, Fail)]);
    assert_eq!(
        case.finding(Reason::NoPrivateEndpoint).detail,
        "resolves to 52.168.109.101 (public), 2603:1030::7 (public) without any privatelink alias"
    );
}

#[test]
fn auto_asks_for_nothing_until_an_address_was_private() {
    let plain = Case::of(VAULT)
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
        let case = Case::public_vault()
            .expecting(Expectation::Auto)
            .asked_for_soa(soa);
        assert_eq!(case.findings(), [(reason, Warn)]);
        assert_eq!(case.verdict().outcome, Outcome::Warn);
        let latched = case.after([&["10.1.2.3"]]);
        assert_eq!(latched.findings(), [(reason, Fail)]);
    }
}

#[test]
fn auto_stays_latched_however_long_ago_the_private_address_was() {
    let mut case = Case::public_vault().expecting(Expectation::Auto);
    case = case.after([&["10.1.2.3"]]);
    for _ in 0..30 {
        case = case.after([&["52.168.109.101"]]);
    }
    assert_eq!(case.findings(), [(Reason::PublicFallback, Fail)]);
}

#[test]
fn an_address_in_expected_networks_latches_auto_too() {
    let case = Case::healthy_vault()
        .expecting(Expectation::Auto)
        .expected_in(["10.1.2.0/24"]);
    assert_eq!(case.findings(), []);
    assert_eq!(
        case.verdict().expect_effective,
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
        let case = Case::healthy_vault()
            .after([&["10.1.2.3"]])
            .expecting(expect);
        assert_eq!(case.verdict().expect_effective, expect);
    }
}

#[test]
fn a_private_address_outside_the_expected_networks_is_unexpected() {
    let case = Case::healthy_vault().expected_in(["10.1.3.0/24", "10.1.4.0/24"]);
    assert_eq!(case.findings(), [(Reason::UnexpectedPrivateAddress, Fail)]);
    let finding = case.finding(Reason::UnexpectedPrivateAddress);
    assert_eq!(finding.address, Some(ip("10.1.2.3")));
    assert_eq!(
        finding.detail,
        "10.1.2.3 is private, but outside 10.1.3.0/24, 10.1.4.0/24"
    );
}

#[test]
fn expected_networks_bind_only_the_families_they_list() {
    let case = Case::healthy_vault()
        .expected_in(["10.1.2.0/24"])
        .resolves_to(["10.1.2.3", "fd00::7"]);
    assert_eq!(case.findings(), []);
    let ipv6 = Case::healthy_vault()
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
        let case = |address| {
            Case::of(VAULT)
                .expected_in(["10.1.2.0/24"])
                .via([VAULT_ALIAS])
                .resolves_to([address])
        };
        assert_eq!(case(inside).findings(), []);
        assert_eq!(
            case(outside).findings(),
            [(Reason::UnexpectedPrivateAddress, Fail)]
        );
    }
    let public = Case::of(VAULT)
        .via([VAULT_ALIAS])
        .resolves_to(["64:ff9b::52.168.109.101"]);
    assert_eq!(public.findings(), [(Reason::PublicFallback, Fail)]);
}

#[test]
fn a_public_address_in_an_expected_network_is_a_private_endpoints() {
    let case = Case::public_vault().expected_in(["52.168.109.0/24"]);
    assert_eq!(case.findings(), []);
}

#[test]
fn a_private_address_is_unexpected_of_a_service_endpoint_even_in_expected_networks() {
    for case in [
        Case::healthy_vault(),
        Case::healthy_vault().expected_in(["10.1.2.0/24"]),
    ] {
        let case = case.expecting(Expectation::ServiceEndpoint);
        assert_eq!(case.findings(), [(Reason::UnexpectedPrivateAddress, Fail)]);
        assert_eq!(
            case.finding(Reason::UnexpectedPrivateAddress).detail,
            "10.1.2.3 is private, where a service endpoint keeps the public address"
        );
    }
    let public = Case::public_vault().expecting(Expectation::ServiceEndpoint);
    assert_eq!(public.findings(), [(Reason::AccessUnverified, Info)]);
}

#[test]
fn many_addresses_are_counted_rather_than_listed() {
    let detail = |case: Case| case.finding(Reason::NoPrivateEndpoint).detail;
    let case = Case::of(VAULT);
    assert_eq!(
        detail(
            case.clone()
                .resolves_to(["52.0.0.1", "52.0.0.2", "52.0.0.3", "52.0.0.4"])
        ),
        "resolves to 52.0.0.1 (public), 52.0.0.2 (public), 52.0.0.3 (public), 52.0.0.4 (public) \
         without any privatelink alias"
    );
    assert_eq!(
        detail(case.resolves_to([
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
    let case = Case::of(VAULT).resolves_to(addresses.each_ref().map(String::as_str));
    assert_eq!(case.verdict().findings[0].facts.len(), 16);
    let detail = case.finding(Reason::ReservedAddress).detail;
    assert!(detail.len() < 1024, "{detail}");
}

#[test]
fn a_proxy_that_applications_would_use_is_a_warning() {
    let case = Case::healthy_vault().behind_proxy("HTTPS_PROXY");
    assert_eq!(case.findings(), [(Reason::ProxyWouldBeUsed, Warn)]);
    assert_eq!(
        case.finding(Reason::ProxyWouldBeUsed).detail,
        "HTTPS_PROXY is set, and NO_PROXY does not cover the host"
    );
}
