use std::collections::HashSet;

use privatelink_verdict::address::Family;
use privatelink_verdict::fact::Fact;
use privatelink_verdict::observation::{Connection, Observation, Query};
use privatelink_verdict::target::{Expectation, Users};

use privatelink_verdict::judge::judge;
use privatelink_verdict::resolver::Resolver;
use privatelink_verdict::sanitize::{SENTENCE_BYTES, WIRE_BYTES};
use privatelink_verdict::surroundings::Surroundings;
use privatelink_verdict::verdict::{Finding, Verdict};

use super::*;
use crate::fixtures;

const HOST: &str = "kv-prod.vault.azure.net";

fn auto() -> Target {
    Target {
        expect: Expectation::Auto,
        ..fixtures::target(HOST)
    }
}

fn board_of(target: Target) -> Board {
    let plan = fixtures::plan([Arc::new(target)]);
    Board::new("aks-a-0".to_owned(), &plan, fixtures::now())
}

/// The board's only entry.
fn only(board: &Board) -> &Entry {
    assert_eq!(board.entries.len(), 1);
    &board.entries[0]
}

/// Judges and records what `probed` observed, as of the board's only target.
fn observe(board: &mut Board, probed: Probed) -> Option<VerdictChange> {
    let entry = only(board);
    let target = Arc::clone(&entry.target);
    let (history, alone) = (entry.verdicts.history(), Surroundings::default());
    let verdict = judge(&target, &probed.observation, history, &alone);
    let changes = board.record(Arc::new(Probed {
        target,
        verdict,
        observation: probed.observation,
    }));
    changes.expect("the target").verdict
}

fn adopt(board: &mut Board, target: Target) {
    let later = fixtures::now() + Duration::from_mins(1);
    board.adopt(&fixtures::plan([Arc::new(target)]), later);
}

/// A board whose target had a private address once, and a public one since.
fn latched() -> Board {
    let mut board = board_of(auto());
    observe(&mut board, fixtures::healthy());
    observe(&mut board, fixtures::public_fallback());
    assert_eq!(reason(&board), Some(Reason::PublicFallback));
    board
}

fn reason(board: &Board) -> Option<Reason> {
    let latest = only(board).latest.as_ref();
    latest.map(|latest| latest.verdict.reason)
}

#[test]
fn an_edit_of_a_target_unlatches_nothing() {
    for edited in [
        Target {
            owner: Some("payments".to_owned()),
            ..auto()
        },
        Target {
            timeout: Duration::from_secs(7),
            ..auto()
        },
        Target {
            families: &[Family::Ipv4],
            ..auto()
        },
        Target {
            resolver: "node".into(),
            ..auto()
        },
    ] {
        let mut board = latched();
        adopt(&mut board, edited);
        assert_eq!(reason(&board), None, "unknown until it is probed again");
        observe(&mut board, fixtures::public_fallback());
        assert_eq!(reason(&board), Some(Reason::PublicFallback));
    }
}

#[test]
fn another_host_or_port_is_another_target_with_the_counters_of_the_one_before() {
    for edited in [
        Target {
            host: "kv-other.vault.azure.net".to_owned(),
            ..auto()
        },
        Target {
            port: 8443,
            ..auto()
        },
    ] {
        let mut board = latched();
        let counters = only(&board).counters.clone();
        adopt(&mut board, edited);
        let entry = only(&board);
        assert_eq!(entry.verdicts, VerdictHistory::default());
        assert!(entry.transitions.is_empty() && entry.latest.is_none());
        assert_eq!(entry.paths.last_non_private_at(), None);
        assert_eq!(entry.since, fixtures::now() + Duration::from_mins(1));
        assert_eq!(entry.counters, counters);
    }
}

#[test]
fn a_target_that_stays_as_it_was_keeps_everything() {
    let mut board = latched();
    let before = only(&board).clone();
    adopt(&mut board, auto());
    let after = only(&board);
    assert!(after.latest.is_some());
    assert_eq!(after.verdicts, before.verdicts);
    assert_eq!(after.transitions, before.transitions);
    assert_eq!(after.last_classes, before.last_classes);
}

#[test]
fn other_users_change_nothing_but_the_users() {
    let mut board = latched();
    let before = only(&board).clone();
    let users = Users {
        workloads: 14,
        ..Users::default()
    };
    let edited = Target {
        users: Some(Box::new(users.clone())),
        ..auto()
    };
    adopt(&mut board, edited);
    let after = only(&board);
    assert_eq!(after.target.users.as_deref(), Some(&users));
    assert!(after.latest.is_some());
    assert_eq!(after.verdicts, before.verdicts);
    assert_eq!(after.last_classes, before.last_classes);
}

#[test]
fn an_edit_is_no_transition() {
    let mut board = latched();
    let before = only(&board).clone();
    assert_eq!(before.transitions.len(), 2);
    let edited = Target {
        owner: Some("payments".to_owned()),
        ..auto()
    };
    adopt(&mut board, edited);
    assert_eq!(observe(&mut board, fixtures::public_fallback()), None);
    let entry = only(&board);
    assert_eq!(entry.transitions, before.transitions);
    assert_eq!(entry.since, before.since);
    assert!(entry.paths.last_non_private_at().is_some());
}

#[test]
fn answers_of_another_resolver_are_not_compared_with_the_ones_before() {
    let flapping = |board: &mut Board| {
        for _ in 0..2 {
            observe(board, fixtures::healthy());
            observe(board, fixtures::public_fallback());
        }
        let latest = only(board).latest.as_ref().expect("it was probed");
        latest.verdict.found(Reason::AddressFlapping)
    };
    let mut board = board_of(auto());
    assert!(flapping(&mut board));
    let changes = only(&board).counters.class_changes;
    let edited = Target {
        resolver: "node".into(),
        ..auto()
    };
    adopt(&mut board, edited);
    observe(&mut board, fixtures::healthy());
    let latest = only(&board).latest.as_ref().expect("it was probed");
    assert!(!latest.verdict.found(Reason::AddressFlapping));
    assert_eq!(only(&board).counters.class_changes, changes);

    assert!(flapping(&mut board));
    board.forget_answers();
    observe(&mut board, fixtures::public_fallback());
    let latest = only(&board).latest.as_ref().expect("it was probed");
    assert!(!latest.verdict.found(Reason::AddressFlapping));
}

#[test]
fn every_probe_is_counted_and_every_change_kept_up_to_a_hundred() {
    let mut board = board_of(auto());
    for _ in 0..60 {
        observe(&mut board, fixtures::healthy());
        observe(&mut board, fixtures::dns_timeout());
        observe(&mut board, fixtures::dns_timeout());
    }
    let entry = only(&board);
    assert_eq!(entry.counters.outcomes.iter().sum::<u32>(), 180);
    assert_eq!(entry.counters.failures[Stage::Dns as usize], 120);
    assert_eq!(entry.counters.timeouts[Stage::Dns as usize], 120);
    assert_eq!(entry.counters.class_changes, 0, "no answer is no change");
    assert_eq!(entry.transitions.len(), TRANSITIONS);
    let latest = entry.transitions.back().expect("a transition");
    assert_eq!(latest.outcome, Outcome::Fail);
}

#[test]
fn a_probe_of_a_target_that_left_is_recorded_nowhere() {
    let mut board = board_of(auto());
    let stranger = fixtures::named("kv-gone.vault.azure.net", fixtures::healthy());
    assert_eq!(board.record(Arc::new(stranger)), None);
    assert!(only(&board).latest.is_none());
}

#[test]
fn a_transition_keeps_a_summary_of_bounded_length() {
    let mut probed = fixtures::name_mismatch();
    let presents = probed.observation.connections.remove(0);
    for last in 0..16 {
        let mut connection = presents.clone();
        connection.ip = [10, 1, 2, last].into();
        if let Some(certificate) = &mut connection.certificate {
            let names = vec!["n".repeat(WIRE_BYTES); 5];
            certificate.leaf_mut().names = names.iter().collect();
        }
        probed.observation.connections.push(connection);
    }
    let mut board = board_of(auto());
    observe(&mut board, probed);
    let transition = only(&board).transitions.back().expect("a transition");
    assert_eq!(transition.reason, Reason::TlsNameMismatch);
    let length = transition
        .summary
        .as_ref()
        .map_or(0, |summary| summary.len());
    assert!((1..=SENTENCE_BYTES).contains(&length), "{length} bytes");
}

/// A healthy probe or one with a wrong certificate, whose names begin with this number.
fn back_and_forth(board: &mut Board, stories: impl IntoIterator<Item = usize>) {
    for story in stories {
        observe(board, fixtures::healthy());
        let mut probed = fixtures::name_mismatch();
        for connection in &mut probed.observation.connections {
            if let Some(certificate) = &mut connection.certificate {
                let names = vec![format!("{story}-{}", "n".repeat(WIRE_BYTES - 10)); 5];
                certificate.leaf_mut().names = names.iter().collect();
            }
        }
        observe(board, probed);
    }
}

/// The different texts that an entry holds.
fn summaries(entry: &Entry) -> HashSet<*const u8> {
    let kept = entry
        .transitions
        .iter()
        .filter_map(|one| one.summary.as_ref());
    kept.map(|summary| summary.as_ptr()).collect()
}

#[test]
fn a_summary_that_comes_again_is_kept_once() {
    let mut board = board_of(auto());
    back_and_forth(&mut board, [7; 60]);
    let entry = only(&board);
    assert_eq!(entry.transitions.len(), TRANSITIONS);
    assert!(entry.transitions.iter().all(|one| one.summary.is_some()));
    assert_eq!(summaries(entry).len(), 2);
}

#[test]
fn of_summaries_that_are_all_different_the_latest_are_kept() {
    let mut board = board_of(auto());
    back_and_forth(&mut board, 0..60);
    let entry = only(&board);
    assert_eq!(entry.transitions.len(), TRANSITIONS);
    assert_eq!(summaries(entry).len(), SUMMARIES);
    let mut latest = entry.transitions.iter().rev().take(SUMMARIES);
    assert!(latest.all(|one| one.summary.is_some()));
    let mut oldest = entry.transitions.iter().take(2);
    assert!(oldest.any(|one| one.summary.is_none()));
}

/// The parts that every target has. `tests/cost` counts what they point to.
#[test]
#[expect(clippy::print_stdout, reason = "it prints the layout")]
fn a_target_takes_no_more_room_than_it_did() {
    let mut grown = Vec::new();
    for (what, bytes, before) in [
        ("target", size_of::<Target>(), 248),
        ("entry of the board", size_of::<Entry>(), 184),
        ("observation", size_of::<Observation>(), 248),
        ("verdict", size_of::<Verdict>(), 56),
        ("query of a resolution", size_of::<Query>(), 136),
        ("connection", size_of::<Connection>(), 136),
        ("finding", size_of::<Finding>(), 48),
        ("fact", size_of::<Fact>(), 152),
        ("transition", size_of::<Transition>(), 40),
    ] {
        println!("{what}: {bytes} bytes, {before} before");
        if bytes > before {
            grown.push(what);
        }
    }
    assert!(grown.is_empty(), "{grown:?}");
}

#[test]
fn a_path_that_need_not_agree_any_more_is_forgotten_unless_the_target_is_judged_by_it() {
    let mut board = board_of(auto());
    observe(&mut board, fixtures::healthy());
    let mut plan = fixtures::plan([Arc::new(auto())]);
    plan.resolvers.push(Resolver {
        name: "node".into(),
        ..plan.resolvers[0].clone()
    });
    let mut paths_after = |must_agree: [bool; 2]| {
        for (resolver, must_agree) in plan.resolvers.iter_mut().zip(must_agree) {
            resolver.must_agree = must_agree;
        }
        board.adopt(&plan, fixtures::now());
        let entry = only(&board);
        let paths = entry.paths.iter(fixtures::now(), entry.target.interval);
        paths
            .map(|(path, _)| path.resolver.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(paths_after([true, true]), ["pod", "node"]);
    assert_eq!(paths_after([false, false]), ["pod"]);
}
