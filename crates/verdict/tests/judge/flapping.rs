//! Answers that change their class back and forth.

use privatelink_verdict::judge::judge;
use privatelink_verdict::reason::{Reason, Severity};
use privatelink_verdict::surroundings::Surroundings;
use privatelink_verdict::target::Expectation;
use privatelink_verdict::verdict::Outcome;

use crate::probe::{Probe, VAULT, VAULT_ALIAS};
use Severity::{Fail, Warn};

const PRIVATE: &[&str] = &["10.1.2.3"];
const PUBLIC: &[&str] = &["52.168.109.101"];
const NOTHING: &[&str] = &[];

#[test]
fn two_changes_are_flapping() {
    let probe = Probe::healthy_vault().after([PRIVATE, PUBLIC]);
    assert_eq!(probe.findings(), [(Reason::AddressFlapping, Fail)]);
    assert_eq!(
        probe.finding(Reason::AddressFlapping).detail,
        "2 changes in the last 3 answers: private, public, private"
    );
}

#[test]
fn one_change_is_a_change_and_not_flapping() {
    assert_eq!(
        Probe::healthy_vault().after([PUBLIC, PUBLIC]).findings(),
        []
    );
    assert_eq!(Probe::healthy_vault().after([PRIVATE]).findings(), []);
    assert_eq!(Probe::healthy_vault().findings(), []);
}

#[test]
fn other_addresses_of_the_same_class_are_no_change() {
    let probe = Probe::healthy_vault().after([&["10.9.9.9"], PRIVATE, &["10.9.9.9", "fd00::7"]]);
    assert_eq!(probe.findings(), []);
}

#[test]
fn probes_without_an_answer_do_not_count_in_between() {
    let probe = Probe::healthy_vault().after([PRIVATE, NOTHING, NOTHING, PRIVATE, NOTHING]);
    assert_eq!(probe.findings(), []);
    let probe = Probe::healthy_vault().after([PRIVATE, NOTHING, PUBLIC, NOTHING]);
    assert_eq!(probe.findings(), [(Reason::AddressFlapping, Fail)]);
}

#[test]
fn ten_answered_probes_are_looked_at_with_the_present_one() {
    // The first change lies between the oldest answer looked at and the one after it.
    let mut probe = Probe::healthy_vault().after([PRIVATE, PUBLIC]);
    for _ in 0..7 {
        probe = probe.after([PUBLIC]);
    }
    assert_eq!(probe.findings(), [(Reason::AddressFlapping, Fail)]);
    let older = probe.after([PUBLIC]);
    assert_eq!(older.findings(), [], "it has left the window");
}

#[test]
fn without_an_answer_now_the_last_ten_are_looked_at() {
    let unanswered = Probe::of(VAULT).via([VAULT_ALIAS]);
    let mut probe = unanswered.after([PRIVATE, PUBLIC]);
    for _ in 0..7 {
        probe = probe.after([PUBLIC]);
    }
    let probe = probe.after([PRIVATE]);
    assert!(
        probe.verdict().found(Reason::AddressFlapping),
        "ten answers"
    );
    let probe = probe.after([PRIVATE]);
    assert!(!probe.verdict().found(Reason::AddressFlapping), "eleven");
}

#[test]
fn flapping_between_what_is_allowed_is_a_warning() {
    let probe = Probe::healthy_vault()
        .expecting(Expectation::Public)
        .after([PRIVATE, PUBLIC]);
    assert_eq!(probe.findings(), [(Reason::AddressFlapping, Warn)]);
    assert_eq!(probe.verdict().outcome, Outcome::Warn);
}

#[test]
fn flapping_through_a_reserved_address_breaks_any_expectation() {
    for expect in Expectation::ALL {
        let probe = Probe::healthy_vault()
            .expecting(*expect)
            .after([PRIVATE, &["0.0.0.0"]]);
        assert_eq!(
            probe.findings()[0],
            (Reason::AddressFlapping, Fail),
            "{expect}"
        );
    }
}

#[test]
fn flapping_away_from_a_service_endpoint_is_broken() {
    let probe = Probe::public_vault()
        .expecting(Expectation::ServiceEndpoint)
        .after([PUBLIC, PRIVATE]);
    assert_eq!(probe.findings()[0], (Reason::AddressFlapping, Fail));
}

#[test]
fn auto_that_saw_a_private_address_holds_flapping_to_it() {
    let probe = Probe::public_vault()
        .expecting(Expectation::Auto)
        .after([PUBLIC, PRIVATE]);
    assert_eq!(
        probe.findings(),
        [
            (Reason::AddressFlapping, Fail),
            (Reason::PublicFallback, Fail)
        ]
    );
}

#[test]
fn flapping_out_of_the_expected_networks_is_broken() {
    let probe = Probe::healthy_vault()
        .expected_in(["10.1.2.0/24"])
        .after([PRIVATE, &["10.9.9.9"]]);
    assert_eq!(probe.findings(), [(Reason::AddressFlapping, Fail)]);
    assert_eq!(
        probe.finding(Reason::AddressFlapping).detail,
        "2 changes in the last 3 answers: expected, private, expected"
    );
}

#[test]
fn a_family_that_the_expected_networks_do_not_bind_flaps_with_a_warning() {
    let probe = Probe::healthy_vault()
        .expected_in(["10.1.2.0/24"])
        .after([PRIVATE, &["10.1.2.3", "fd00::7"]]);
    assert_eq!(probe.findings(), [(Reason::AddressFlapping, Warn)]);
    assert_eq!(
        probe.finding(Reason::AddressFlapping).detail,
        "2 changes in the last 3 answers: expected, expected+private, expected"
    );
}

#[test]
fn forgotten_answers_cannot_flap_and_leave_what_auto_latched() {
    let probe = Probe::healthy_vault().after([&["10.1.2.3"], &["52.0.0.1"]]);
    let mut history = probe.history();
    history.forget_answers();
    let observation = probe.observation();
    let verdict = judge(
        &probe.target,
        &observation,
        &history,
        &Surroundings::default(),
    );
    assert!(probe.verdict().found(Reason::AddressFlapping));
    assert!(!verdict.found(Reason::AddressFlapping));
    assert!(history.private_seen());
}
