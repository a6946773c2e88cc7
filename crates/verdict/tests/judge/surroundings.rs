//! What other targets were last seen to be.

use privatelink_verdict::reason::Reason;
use privatelink_verdict::surroundings::Surroundings;
use privatelink_verdict::verdict::Outcome;

use crate::case::Case;
use crate::words::{refuses, times_out};

#[test]
fn a_healthy_target_tells_of_a_companion_that_fails_and_stays_healthy() {
    let case = Case::healthy_vault().beside_companion(
        "contoso:data:northeurope",
        Outcome::Fail,
        Reason::PublicFallback,
    );
    let verdict = case.told();
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
    let alone = Case::healthy_vault().told().summary;
    for (outcome, reason) in [
        (Outcome::Pass, Reason::Ok),
        (Outcome::Warn, Reason::DnsDegraded),
    ] {
        let beside = Case::healthy_vault().beside_companion("dfs", outcome, reason);
        assert_eq!(beside.told().summary, alone);
    }
}

#[test]
fn a_dead_endpoint_is_told_from_a_blocked_subnet_by_its_neighbours() {
    let dead = Case::healthy_vault().everywhere(times_out);
    let beside = dead
        .clone()
        .beside_endpoint("10.1.2.4", true)
        .beside_endpoint("10.1.2.5", true)
        .beside_endpoint("10.1.2.6", false)
        .beside_endpoint("10.9.9.9", true);
    let detail = &beside.finding(Reason::ConnectTimeout).detail;
    assert!(
        detail.ends_with("; 2 of 3 other endpoints in 10.1.2.0/24 answer"),
        "{detail}"
    );

    let blocked = dead.clone().beside_endpoint("10.1.2.4", false);
    let detail = &blocked.finding(Reason::ConnectTimeout).detail;
    assert!(
        detail.contains("none of the 1 other endpoints in 10.1.2.0/24 answers"),
        "{detail}"
    );

    let alone = dead.finding(Reason::ConnectTimeout).detail.clone();
    assert!(!alone.contains("other endpoints"), "{alone}");
}

#[test]
fn neighbours_say_nothing_of_a_closed_port() {
    let case = Case::healthy_vault()
        .everywhere(refuses)
        .beside_endpoint("10.1.2.4", true);
    let detail = &case.finding(Reason::ConnectRefused).detail;
    assert!(!detail.contains("other endpoints"), "{detail}");
}

#[test]
fn companions_and_neighbours_are_gathered_from_the_other_targets_alone() {
    let mut registry = Case::healthy_vault().everywhere(times_out);
    registry.target.companions = vec!["data".to_owned()];
    let mut data = Case::public_vault().resolves_to(["10.1.2.9"]);
    data.target.name = "data".to_owned();
    let mut stranger = Case::healthy_vault().resolves_to(["10.1.2.10", "10.7.7.7"]);
    stranger.target.name = "stranger".to_owned();

    let cases = [registry.clone(), data, stranger];
    let seen: Vec<_> = cases
        .iter()
        .map(|c| (&c.target, c.observation(), c.verdict()))
        .collect();
    let of = |case: &Case| {
        let others = seen
            .iter()
            .map(|(target, observation, verdict)| (*target, observation, verdict));
        Surroundings::of(&case.target, &case.observation(), others)
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
    assert_eq!(of(&cases[1]).companions.len(), 1);
    assert_eq!(of(&cases[1]).neighbours, []);
}
