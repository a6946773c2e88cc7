//! What an observation says of itself, before any judgement.

use privatelink_verdict::address::{Class, ClassSet, Family};
use privatelink_verdict::observation::{Handshake, QueryOutcome, Rcode, Skip, TcpOutcome};

use crate::observed::{
    QueryExt, answer, ends, failed, has_no_route, nodata, not_dialled, nxdomain, private_soa,
    servfail, times_out,
};
use crate::probe::{Probe, VAULT, VAULT_ALIAS, VAULT_PUBLIC, VAULT_ZONE, ip};

#[test]
fn a_set_of_classes_knows_each_class_by_itself() {
    let empty = ClassSet::default();
    assert!(empty.is_empty());
    assert_eq!(empty.to_string(), "");
    for &class in Class::ALL {
        let one = ClassSet::from_iter([class, class]);
        assert!(!one.is_empty());
        assert_eq!(one.iter().collect::<Vec<_>>(), [class]);
        for &other in Class::ALL {
            assert_eq!(one.contains(other), other == class);
        }
        assert_eq!(one.to_string(), class.as_str());
    }
    let all: ClassSet = Class::ALL.iter().copied().rev().collect();
    assert_eq!(all.iter().collect::<Vec<_>>(), Class::ALL);
    assert_eq!(all.to_string(), "expected+private+public+reserved");
    assert_ne!(all, Class::ALL.iter().copied().skip(1).collect());
}

#[test]
fn a_family_is_the_one_an_address_travels_by() {
    assert_eq!(Family::of(ip("10.1.2.3")), Family::Ipv4);
    assert_eq!(Family::of(ip("::ffff:10.1.2.3")), Family::Ipv4);
    assert_eq!(Family::of(ip("64:ff9b::10.1.2.3")), Family::Ipv6);
    assert_eq!(Family::Ipv4.record_type(), "A");
    assert_eq!(Family::Ipv6.record_type(), "AAAA");
    assert_eq!(Family::Ipv4.to_string(), "IPv4");
    assert_eq!(Family::Ipv6.to_string(), "IPv6");
}

#[test]
fn the_chain_is_that_of_the_family_with_addresses_else_the_longest() {
    let short = nodata().with_chain(&[VAULT]);
    let answered = Probe::of(VAULT)
        .resolves_to(["fd00::7"])
        .a(nodata().with_chain(&[VAULT, VAULT_ALIAS, VAULT_PUBLIC]))
        .aaaa(answer().with_chain(&[VAULT, VAULT_ALIAS]));
    assert_eq!(*answered.resolution().chain(), [VAULT, VAULT_ALIAS]);
    let longest = Probe::of(VAULT)
        .a(short.clone())
        .aaaa(nodata().with_chain(&[VAULT, VAULT_ALIAS]));
    assert_eq!(*longest.resolution().chain(), [VAULT, VAULT_ALIAS]);
    let longest = Probe::of(VAULT)
        .a(nodata().with_chain(&[VAULT, VAULT_ALIAS]))
        .aaaa(short);
    assert_eq!(*longest.resolution().chain(), [VAULT, VAULT_ALIAS]);
    let first = Probe::of(VAULT)
        .a(nodata().with_chain(&[VAULT, "a.example.com"]))
        .aaaa(nodata().with_chain(&[VAULT, "b.example.com"]));
    assert_eq!(*first.resolution().chain(), [VAULT, "a.example.com"]);
    let nothing = Probe::of(VAULT).at_fault("read", "nothing");
    assert!(nothing.resolution().chain().is_empty());
}

#[test]
fn an_answer_outranks_a_failure_and_a_failure_a_negative_answer() {
    let outcome = |a, aaaa| Probe::of(VAULT).a(a).aaaa(aaaa).resolution().outcome();
    let timeout = || failed(QueryOutcome::Timeout);
    assert_eq!(outcome(answer(), timeout()), Some(QueryOutcome::Answer));
    assert_eq!(outcome(nodata(), timeout()), Some(QueryOutcome::Timeout));
    assert_eq!(
        outcome(servfail(), nxdomain()),
        Some(QueryOutcome::ServerFailure)
    );
    assert_eq!(outcome(nodata(), nxdomain()), Some(QueryOutcome::Nxdomain));
    let fault = Probe::of(VAULT).at_fault("read", "nothing");
    assert_eq!(fault.resolution().outcome(), None);
    assert_eq!(fault.resolution().server(), None);
}

#[test]
fn only_messages_that_say_something_are_no_failure() {
    for outcome in QueryOutcome::ALL {
        let negative = matches!(outcome, QueryOutcome::Nxdomain | QueryOutcome::Nodata);
        let usable = negative || *outcome == QueryOutcome::Answer;
        assert_eq!(outcome.is_failure(), !usable, "{outcome}");
    }
}

#[test]
fn of_two_tries_the_one_nearer_to_an_answer_says_more() {
    let ranked = [
        QueryOutcome::Unreachable,
        QueryOutcome::Timeout,
        QueryOutcome::ServerFailure,
        QueryOutcome::Invalid,
        QueryOutcome::Truncated,
        QueryOutcome::Nxdomain,
        QueryOutcome::Nodata,
        QueryOutcome::Answer,
    ];
    assert_eq!(ranked.len(), QueryOutcome::ALL.len());
    assert!(ranked.is_sorted_by(|a, b| a.closeness() < b.closeness()));
}

#[test]
fn an_incomplete_answer_has_an_alias_and_neither_address_nor_soa() {
    let bare = nodata().with_chain(&[VAULT, VAULT_ALIAS]);
    assert!(bare.is_incomplete());
    assert!(!nodata().with_chain(&[VAULT]).is_incomplete());
    assert!(!nodata().is_incomplete());
    assert!(!bare.with_soa(private_soa(VAULT_ZONE)).is_incomplete());
    assert!(!nxdomain().with_chain(&[VAULT, VAULT_ALIAS]).is_incomplete());
}

#[test]
fn a_response_code_is_told_by_its_name() {
    for (code, name) in [
        (0, "NOERROR"),
        (1, "FORMERR"),
        (2, "SERVFAIL"),
        (3, "NXDOMAIN"),
        (4, "NOTIMP"),
        (5, "REFUSED"),
        (6, "YXDOMAIN"),
        (9, "NOTAUTH"),
        (16, "BADVERS"),
        (23, "RCODE23"),
    ] {
        assert_eq!(Rcode(code).to_string(), name);
    }
}

#[test]
fn the_smallest_ttl_of_the_answers_is_the_answers() {
    let mut a = answer();
    a.ttl = Some(60);
    let mut aaaa = answer();
    aaaa.ttl = Some(10);
    let probe = Probe::healthy_vault().a(a.clone()).aaaa(aaaa.clone());
    assert_eq!(
        probe.observation().ttl(),
        Some(60),
        "an answer without addresses does not count"
    );
    let both = Probe::of(VAULT)
        .resolves_to(["10.1.2.3", "fd00::7"])
        .a(a)
        .aaaa(aaaa);
    assert_eq!(both.observation().ttl(), Some(10));
    assert_eq!(Probe::of(VAULT).observation().ttl(), None);
}

#[test]
fn a_family_has_no_route_only_where_the_probe_found_none() {
    let probe = Probe::healthy_vault().resolves_to(["10.1.2.3", "fd00::7"]);
    assert!(probe.observation().has_route(Family::Ipv6));
    let routeless = probe.clone().at("fd00::7", has_no_route).observation();
    assert!(!routeless.has_route(Family::Ipv6));
    assert!(routeless.has_route(Family::Ipv4));
    let skipped = probe.at("fd00::7", |c| not_dialled(c, Skip::TooMany));
    assert!(skipped.observation().has_route(Family::Ipv6));
}

#[test]
fn a_timeout_counts_in_the_stage_it_happened_in_even_beside_a_success() {
    let timed_out = |probe: Probe| {
        let observation = probe.observation();
        (
            observation.dns_timed_out(),
            observation.connect_timed_out(),
            observation.tls_timed_out(),
        )
    };
    let two = || Probe::healthy_vault().resolves_to(["10.1.2.3", "10.1.2.4"]);
    assert_eq!(timed_out(two()), (false, false, false));
    assert_eq!(
        timed_out(two().aaaa(failed(QueryOutcome::Timeout))),
        (true, false, false)
    );
    assert_eq!(timed_out(two().aaaa(servfail())), (false, false, false));
    assert_eq!(
        timed_out(two().at("10.1.2.4", times_out)),
        (false, true, false)
    );
    assert_eq!(
        timed_out(two().at("10.1.2.4", |c| c.handshake = Handshake::Timeout)),
        (false, false, true)
    );
}

#[test]
fn an_address_without_any_route_counts_as_dialled_in_vain() {
    let mut observation = Probe::healthy_vault().observation();
    let connection = &mut observation.connections[0];
    assert!(connection.was_dialled());
    ends(connection, TcpOutcome::Unreachable);
    connection.skip = Some(Skip::NoRoute);
    assert!(connection.was_dialled());
    not_dialled(connection, Skip::Reserved);
    assert!(!connection.was_dialled());
}

#[test]
fn only_received_certificates_are_listed() {
    let probe = Probe::healthy_vault()
        .resolves_to(["10.1.2.3", "10.1.2.4"])
        .at("10.1.2.3", times_out);
    let observation = probe.observation();
    let of: Vec<_> = observation.certificates().map(|(c, _)| c.ip).collect();
    assert_eq!(of, [ip("10.1.2.4")]);
}

#[test]
fn a_history_remembers_a_private_address_and_forgets_probes_without_any() {
    let history = |probe: Probe| probe.history();
    let vault = Probe::healthy_vault;
    assert!(!history(vault()).private_seen());
    assert!(!history(vault().after([&["52.0.0.1"], &["0.0.0.0"]])).private_seen());
    assert!(history(vault().after([&["10.1.2.3"], &["52.0.0.1"]])).private_seen());
    let expected = vault().expected_in(["52.0.0.0/8"]).after([&["52.0.0.1"]]);
    assert!(history(expected).private_seen());
    assert_eq!(history(vault().after([&[], &[]])), history(vault()));
}
