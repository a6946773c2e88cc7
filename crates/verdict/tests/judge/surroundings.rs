//! What other targets were last seen to be.

use privatelink_verdict::fact::{ConnectFact, DnsFact, Fact};
use privatelink_verdict::observation::QueryOutcome;
use privatelink_verdict::reason::Reason;
use privatelink_verdict::surroundings::{OtherNames, Surroundings};
use privatelink_verdict::verdict::Outcome;

use crate::observed::{failed, refuses, servfail, times_out};
use crate::probe::{Probe, VAULT};

#[test]
fn a_healthy_target_tells_of_a_companion_that_fails_and_stays_healthy() {
    let probe = Probe::healthy_vault().beside_companion(
        "contoso:data:northeurope",
        Outcome::Fail,
        Reason::PublicFallback,
    );
    let verdict = probe.rendered();
    assert_eq!(
        (verdict.outcome, verdict.reason),
        (Outcome::Pass, Reason::Ok)
    );
    assert!(
        verdict.summary.ends_with(
            "; contoso:data:northeurope, which belongs to the same service, fails with public_fallback."
        ),
        "{}",
        verdict.summary
    );
}

#[test]
fn a_companion_that_passes_or_warns_is_not_mentioned() {
    let alone = Probe::healthy_vault().rendered().summary;
    for (outcome, reason) in [
        (Outcome::Pass, Reason::Ok),
        (Outcome::Warn, Reason::DnsDegraded),
    ] {
        let beside = Probe::healthy_vault().beside_companion("dfs", outcome, reason);
        assert_eq!(beside.rendered().summary, alone);
    }
}

#[test]
fn a_dead_endpoint_is_told_from_a_blocked_subnet_by_its_neighbours() {
    let dead = Probe::healthy_vault().everywhere(times_out);
    let beside = dead
        .clone()
        .beside_endpoint("10.1.2.4", true)
        .beside_endpoint("10.1.2.5", true)
        .beside_endpoint("10.1.2.6", false)
        .beside_endpoint("10.9.9.9", true);
    let neighbours = |answering, known| {
        Fact::from(ConnectFact::Neighbours {
            net: "10.1.2.0/24".parse().expect("a network"),
            answering,
            known,
        })
    };
    let facts = beside.facts(Reason::ConnectTimeout);
    assert_eq!(facts[1..], [neighbours(2, 3)]);

    let blocked = dead.clone().beside_endpoint("10.1.2.4", false);
    let facts = blocked.facts(Reason::ConnectTimeout);
    assert_eq!(facts[1..], [neighbours(0, 1)]);

    assert_eq!(dead.facts(Reason::ConnectTimeout).len(), 1);
}

#[test]
fn neighbours_say_nothing_of_a_closed_port() {
    let probe = Probe::healthy_vault()
        .everywhere(refuses)
        .beside_endpoint("10.1.2.4", true);
    assert_eq!(probe.facts(Reason::ConnectRefused).len(), 1);
}

#[test]
fn a_neighbour_answers_by_any_packet_and_only_private_addresses_are_neighbours() {
    let gathered = |probe: &Probe, other: Probe| {
        let mut other = other;
        other.target.name = "other".to_owned();
        let (observation, verdict) = (other.observation(), other.verdict());
        let others = [(&other.target, &observation, verdict)];
        let others = others.iter().map(|(t, o, v)| (*t, *o, v));
        let around = Surroundings::of(&probe.target, &probe.observation(), others);
        around
            .neighbours
            .iter()
            .map(|n| n.answers)
            .collect::<Vec<_>>()
    };
    let silent = Probe::healthy_vault().everywhere(times_out);
    let near = || Probe::healthy_vault().resolves_to(["10.1.2.9"]);
    assert_eq!(gathered(&silent, near().everywhere(refuses)), [true]);
    assert_eq!(gathered(&silent, near().everywhere(times_out)), [false]);
    let behind_a_rule = near().everywhere(|c| {
        times_out(c);
        c.trouble.other_port = Some((443, true));
    });
    assert_eq!(gathered(&silent, behind_a_rule), [true]);
    let public = |address| Probe::healthy_vault().resolves_to([address]);
    assert_eq!(
        gathered(
            &public("52.1.2.3").everywhere(times_out),
            public("52.1.2.4").everywhere(times_out)
        ),
        []
    );
}

#[test]
fn companions_and_neighbours_are_gathered_from_the_other_targets_alone() {
    let mut registry = Probe::healthy_vault().everywhere(times_out);
    registry.target.companions = vec!["data".to_owned()];
    let mut data = Probe::public_vault().resolves_to(["10.1.2.9"]);
    data.target.name = "data".to_owned();
    let mut stranger = Probe::healthy_vault().resolves_to(["10.1.2.10", "10.7.7.7"]);
    stranger.target.name = "stranger".to_owned();

    let probes = [registry.clone(), data, stranger];
    let seen: Vec<_> = probes
        .iter()
        .map(|c| (&c.target, c.observation(), c.verdict()))
        .collect();
    let of = |probe: &Probe| {
        let others = seen
            .iter()
            .map(|(target, observation, verdict)| (*target, observation, verdict));
        Surroundings::of(&probe.target, &probe.observation(), others)
    };
    let around = of(&registry);
    let names: Vec<_> = around
        .companions
        .iter()
        .map(|c| c.target.as_str())
        .collect();
    assert_eq!(names, ["data"]);
    let mut near: Vec<_> = around.neighbours.iter().map(|n| n.ip.to_string()).collect();
    near.sort();
    assert_eq!(near, ["10.1.2.10", "10.1.2.9"]);
    // It works both ways, and without trouble nobody asks for neighbours.
    assert_eq!(of(&probes[1]).companions.len(), 1);
    assert_eq!(of(&probes[1]).neighbours, []);
}

/// A probe to which the resolver gave no message.
fn unanswered() -> Probe {
    Probe::healthy_vault().both(failed(QueryOutcome::Timeout))
}

#[test]
fn a_silent_server_is_told_from_one_that_has_trouble_with_a_name_by_the_other_names() {
    let around = |asked, answered| {
        let facts = unanswered()
            .beside_names(asked, answered)
            .facts(Reason::DnsTimeout);
        facts[1..].to_vec()
    };
    let names = |asked, answered| {
        vec![Fact::from(DnsFact::OtherNames(OtherNames {
            asked,
            answered,
        }))]
    };
    assert_eq!(around(31, 0), names(31, 0));
    assert_eq!(around(31, 31), names(31, 31));
    assert_eq!(around(0, 0), [], "nothing else was asked");
    // A server that answers with an error is not silent.
    let refused = Probe::healthy_vault().both(servfail()).beside_names(31, 31);
    assert_eq!(refused.facts(Reason::DnsServerFailure).len(), 1);
}

#[test]
fn the_other_names_are_those_of_other_hosts_that_the_same_resolver_was_asked_for() {
    let silent = unanswered();
    let other = |host: &str, probe: Probe| {
        let mut probe = probe;
        host.clone_into(&mut probe.target.host);
        probe.target.name = format!("{host}:{}", probe.observation().connections.len());
        probe
    };
    let others = [
        other("a.example.com", Probe::healthy_vault()),
        other("b.example.com", unanswered()),
        other(VAULT, unanswered()),
        // An error is an answer of the server, too.
        other("c.example.com", Probe::healthy_vault().both(servfail())),
        other("d.example.com", Probe::healthy_vault().by("node")),
    ];
    let seen: Vec<_> = others
        .iter()
        .map(|probe| (&probe.target, probe.observation(), probe.verdict()))
        .collect();
    let others = || {
        seen.iter()
            .map(|(target, observation, verdict)| (*target, observation, verdict))
    };
    let around = Surroundings::of(&silent.target, &silent.observation(), others());
    assert_eq!(
        around.other_names,
        OtherNames {
            asked: 3,
            answered: 2
        }
    );
    let healthy = Probe::healthy_vault();
    let around = Surroundings::of(&healthy.target, &healthy.observation(), others());
    assert_eq!(around.other_names, OtherNames::default(), "it was answered");
}
