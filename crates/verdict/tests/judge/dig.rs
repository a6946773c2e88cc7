//! The command that asks DNS: of which server, for which name and type.

use privatelink_verdict::observation::{Query, QueryOutcome};
use privatelink_verdict::reason::Reason;

use crate::command::{command, settles};
use crate::observed::{QueryExt, answer, failed, name, nodata, nxdomain, own_soa, servfail};
use crate::probe::{Probe, VAULT, VAULT_ALIAS};

#[test]
fn what_dns_says_is_settled_by_asking_the_same_server() {
    let dig = "dig kv-prod.vault.azure.net A @10.0.0.10";
    let failing = |outcome| Probe::of(VAULT).both(failed(outcome));
    settles(&failing(QueryOutcome::Timeout), Reason::DnsTimeout, dig);
    settles(
        &failing(QueryOutcome::Unreachable),
        Reason::DnsServerUnreachable,
        dig,
    );
    settles(
        &failing(QueryOutcome::ServerFailure),
        Reason::DnsServerFailure,
        dig,
    );
    settles(
        &failing(QueryOutcome::Invalid),
        Reason::DnsInvalidAnswer,
        dig,
    );
    settles(
        &failing(QueryOutcome::Truncated),
        Reason::DnsTcpFailed,
        "dig +tcp kv-prod.vault.azure.net A @10.0.0.10",
    );
    let incomplete = Probe::of(VAULT).via([VAULT_ALIAS]).both(nodata());
    settles(&incomplete, Reason::DnsIncompleteAnswer, dig);
    settles(
        &Probe::of(VAULT).both(nxdomain()),
        Reason::DnsNameNotFound,
        dig,
    );
    settles(
        &Probe::healthy_vault().aaaa(servfail()),
        Reason::DnsDegraded,
        "dig kv-prod.vault.azure.net AAAA @10.0.0.10",
    );
    // The server that lost the try, not the one that made up for it.
    let mut late = answer().after_tries(2);
    late.trouble.lost_at = Some(([10, 0, 0, 9], 53).into());
    settles(
        &Probe::healthy_vault().a(late),
        Reason::DnsDegraded,
        "dig kv-prod.vault.azure.net A @10.0.0.9",
    );
    settles(
        &Probe::healthy_vault().resolves_to(["10.1.2.3", "2603:1030::5"]),
        Reason::MixedAddresses,
        "dig kv-prod.vault.azure.net AAAA @10.0.0.10",
    );
    settles(
        &Probe::of(VAULT).resolves_to(["0.0.0.0"]),
        Reason::ReservedAddress,
        dig,
    );
    settles(
        &Probe::healthy_vault().resolves_to(["10.1.2.3", "52.0.0.1"]),
        Reason::MixedAddresses,
        dig,
    );
    settles(
        &Probe::healthy_vault().after([&["10.1.2.3"], &["52.0.0.1"]]),
        Reason::AddressFlapping,
        "for i in 1 2 3 4; do dig +short kv-prod.vault.azure.net A @10.0.0.10; done",
    );
    settles(
        &Probe::of(VAULT).both(nxdomain().with_soa(own_soa("azure.net"))),
        Reason::DnsZoneShadows,
        "dig kv-prod.vault.azure.net SOA @10.0.0.10",
    );
}

#[test]
fn a_family_that_fails_is_settled_by_asking_the_server_that_fails_it() {
    let at_other = |query: Query| Query {
        server: Some("10.0.0.11:53".parse().expect("a server")),
        ..query
    };
    for (query, command) in [
        (servfail(), "dig kv-prod.vault.azure.net AAAA @10.0.0.11"),
        (nxdomain(), "dig kv-prod.vault.azure.net AAAA @10.0.0.11"),
        (
            failed(QueryOutcome::Truncated),
            "dig +tcp kv-prod.vault.azure.net AAAA @10.0.0.11",
        ),
    ] {
        let probe = Probe::healthy_vault().aaaa(at_other(query));
        settles(&probe, Reason::DnsDegraded, command);
    }
}

#[test]
fn the_server_is_named_with_its_port_where_that_is_not_53() {
    let by = |server: Option<&str>| {
        let query = Query {
            server: server.map(|text| text.parse().expect("a server")),
            ..nxdomain()
        };
        command(&Probe::of(VAULT).both(query), Reason::DnsNameNotFound).expect("a command")
    };
    assert_eq!(
        by(Some("127.0.0.1:5353")),
        "dig kv-prod.vault.azure.net A @127.0.0.1 -p 5353"
    );
    assert_eq!(
        by(Some("[fd00::a]:53")),
        "dig kv-prod.vault.azure.net A @fd00::a"
    );
    assert_eq!(by(None), "dig kv-prod.vault.azure.net A");
}

#[test]
fn the_server_asked_is_the_one_whose_outcome_decided() {
    let elsewhere = Query {
        server: Some("10.0.0.11:53".parse().expect("a server")),
        ..servfail()
    };
    settles(
        &Probe::of(VAULT).a(nodata()).aaaa(elsewhere),
        Reason::DnsServerFailure,
        "dig kv-prod.vault.azure.net AAAA @10.0.0.11",
    );
}

#[test]
fn a_captured_name_is_settled_by_searching_as_clients_do() {
    let captured = name("kv.corp.example.com", ["192.0.2.1"]);
    settles(
        &Probe::healthy_vault().evidence(|r| r.search = Some(captured)),
        Reason::DnsSearchCapture,
        "dig +search +showsearch kv-prod.vault.azure.net A",
    );
}

#[test]
fn another_resolver_is_settled_by_asking_its_server() {
    let server = |text: &str| Some(text.parse().expect("a server"));
    let node = |query: Query| {
        let server = server("168.63.129.16:53");
        Probe::of(VAULT).by("node").both(Query { server, ..query })
    };
    settles(
        &Probe::healthy_vault().must_agree_with(node(nxdomain())),
        Reason::ResolverDisagreement,
        "dig kv-prod.vault.azure.net A @168.63.129.16",
    );
    settles(
        &Probe::healthy_vault()
            .must_agree_with(Probe::healthy_vault().by("other"))
            .must_agree_with(node(failed(QueryOutcome::Timeout))),
        Reason::ResolverUnavailable,
        "dig kv-prod.vault.azure.net A @168.63.129.16",
    );
}
