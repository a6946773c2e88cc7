use std::sync::Arc;

use privatelink_verdict::address::{Class, ClassSet};
use privatelink_verdict::reason::Reason;
use privatelink_verdict::target::Expectation;
use privatelink_verdict::verdict::Outcome;

use super::*;
use crate::{Cell, CellPaths, FleetTarget, PathState, Traits};

const NOW: Moment = Moment(1_796_000_000);

fn later(minutes: u64) -> Moment {
    NOW.after(Duration::from_mins(minutes))
}

fn node(name: &str) -> Node {
    Node {
        name: name.into(),
        traits: Traits::default(),
        joined: Some(NOW.before(Duration::from_hours(100))),
        coverage: Coverage::Covered,
    }
}

fn path(resolver: &str, class: Class, since: Moment) -> PathState {
    PathState {
        resolver: resolver.into(),
        classes: [class].into_iter().collect::<ClassSet>(),
        answered_since: Some(since),
        last_non_private: None,
    }
}

/// A view of private targets, whose first path is of this class.
fn view(targets: &[&str], class: Class, since: Moment) -> View {
    let cells = targets.iter().map(|name| Cell {
        target: Arc::new(FleetTarget {
            name: (*name).to_owned(),
            host: (*name).to_owned(),
            service: "custom".to_owned(),
            users: None,
        }),
        judged: Some((Outcome::Pass, Reason::Ok)),
        since,
        is_confirmed: true,
        is_stale: false,
        expect: Expectation::PrivateEndpoint,
        paths: CellPaths::from_iter([
            path("pod", class, since),
            path("node", Class::Private, since),
        ]),
    });
    View {
        version: "0.1.0".into(),
        agent_started: since,
        config_hash: "1".into(),
        config_loaded: true,
        cells: cells.collect(),
    }
}

fn well() -> View {
    view(
        &["kv", "st"],
        Class::Private,
        NOW.before(Duration::from_hours(50)),
    )
}

fn history(names: &[&str]) -> FleetHistory {
    let mut history = FleetHistory::default();
    let nodes: Vec<Node> = names.iter().map(|name| node(name)).collect();
    history.set_nodes(nodes.iter(), NOW);
    for name in names {
        history.take_view(name, &well(), NOW);
    }
    history
}

#[test]
fn at_rest_there_is_nothing_to_save_but_a_mark() {
    let names = ["a", "b"];
    let mut history = history(&names);
    assert!(history.is_changed(NOW));
    assert_eq!(history.mark(NOW), None);
    history.save(Detail::Minutes, NOW);
    for minute in 1..60 {
        let now = later(minute);
        history.set_nodes([node("a"), node("b")].iter(), now);
        history.confirm("a", now);
        // A view that says the same is no change either.
        history.take_view("b", &well(), now);
        assert!(!history.is_changed(now));
        assert_eq!(history.mark(now), Some(now));
    }
}

/// In chosen namespaces there are no nodes but those that have an agent.
#[test]
fn a_node_whose_agent_is_replaced_keeps_its_history_where_nodes_cannot_be_listed() {
    let nodes = |names: &[&str]| -> Vec<Node> {
        let named = names.iter().map(|name| Node {
            joined: None,
            ..node(name)
        });
        named.collect()
    };
    let mut history = FleetHistory::default();
    history.set_nodes(nodes(&["a", "b"]).iter(), NOW);
    history.take_view("a", &well(), NOW);
    history.take_view("b", &well(), NOW);
    history.set_nodes(nodes(&["b"]).iter(), later(1));
    assert!(!history.nodes.contains_key("a"));
    history.set_nodes(nodes(&["a", "b"]).iter(), later(2));
    assert!(history.departed.is_empty());
    // The new agent has just asked everything for the first time.
    let fresh = view(&["kv", "st"], Class::Private, later(2));
    history.take_view("a", &fresh, later(3));
    let a = &history.nodes["a"];
    let number = a.tracks.first().map_or(0, |(number, _)| *number);
    let since = a.track(&history.paths, number).and_then(Track::since);
    assert_eq!(since, Some(NOW.before(Duration::from_hours(50))));
}

#[test]
fn what_could_not_be_written_is_still_to_be_saved() {
    let mut history = history(&["a"]);
    history.save(Detail::Minutes, NOW);
    history.note_unsaved();
    assert!(history.is_changed(NOW));
    assert_eq!(history.mark(NOW), None);
}

#[test]
fn while_a_zone_is_unlinked_there_is_nothing_new_to_save() {
    let mut history = history(&["a"]);
    let public = view(
        &["kv", "st"],
        Class::Public,
        NOW.before(Duration::from_hours(50)),
    );
    history.take_view("a", &public, later(1));
    assert!(history.is_changed(later(1)));
    history.save(Detail::Minutes, later(1));
    history.take_view("a", &public, later(2));
    assert!(!history.is_changed(later(2)));
    history.take_view("a", &well(), later(3));
    assert!(history.is_changed(later(3)));
}

#[test]
fn an_agent_that_falls_silent_is_saved_once() {
    let mut history = history(&["a", "b"]);
    history.save(Detail::Minutes, NOW);
    for minute in 1..=2 {
        history.confirm("a", later(minute));
        // Until then the mark says no more than what both agents said.
        assert_eq!(history.mark(later(minute)), Some(NOW));
    }
    history.confirm("a", later(3));
    assert!(history.is_changed(later(3)));
    let text = history.save(Detail::Minutes, later(3));
    history.confirm("a", later(4));
    assert_eq!(history.mark(later(4)), Some(later(4)));
    let restored = FleetHistory::restore(&text, Some(later(4)), later(5)).expect("a history");
    assert_eq!(restored.nodes["a"].last, Some(later(4)));
    assert_eq!(restored.nodes["b"].last, Some(NOW));
    history.confirm("b", later(5));
    assert!(history.is_changed(later(5)), "it is heard again");
}

#[test]
fn what_is_restored_never_says_more_than_what_was_saved() {
    let mut random = fastrand::Rng::with_seed(7);
    let names: Vec<String> = (0..40).map(|n| format!("t{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for _ in 0..50 {
        let mut history = history(&["a", "b"]);
        for minute in 1..4 {
            let mut view = view(&names, Class::Private, NOW);
            for cell in &mut view.cells {
                let paths = cell.paths.iter().map(|path| {
                    let any = |random: &mut fastrand::Rng| {
                        NOW.before(Duration::from_secs(random.u64(0..200_000)))
                    };
                    let class = random.choice([Class::Private, Class::Public]);
                    let answered = any(&mut random);
                    PathState {
                        resolver: path.resolver.clone(),
                        classes: class.filter(|_| random.u8(0..4) > 0).into_iter().collect(),
                        answered_since: Some(answered).filter(|_| random.u8(0..4) > 0),
                        last_non_private: Some(any(&mut random)).filter(|_| random.bool()),
                    }
                });
                cell.paths = paths.collect();
            }
            history.take_view("a", &view, later(minute));
        }
        for detail in Detail::ALL {
            let text = history.save(*detail, later(4));
            let restored = FleetHistory::restore(&text, None, later(4)).expect("a history");
            says_no_more(&restored, &history);
        }
    }
}

fn says_no_more(restored: &FleetHistory, saved: &FleetHistory) {
    for (name, after) in &restored.nodes {
        let before = &saved.nodes[name];
        assert!(after.last <= before.last);
        let numbers = restored.paths.of_set(after.set);
        assert_eq!(numbers.len(), saved.paths.of_set(before.set).len());
        for number in numbers {
            let (target, resolver) = restored.paths.names(*number);
            let same = (0..u16::MAX).find(|number| {
                let names = saved.paths.names(*number);
                names == (target, resolver)
            });
            let of = |history: &NodeHistory, paths: &Paths, number| {
                history.track(paths, number).expect("a track")
            };
            let after_track = of(after, &restored.paths, *number);
            let before_track = of(before, &saved.paths, same.expect("the same path"));
            match (after_track.since(), before_track.since()) {
                (Some(after), Some(before)) => assert!(after >= before),
                (None, _) => {}
                (Some(_), None) => panic!("a stretch out of nothing"),
            }
            let until = |track: Track, node: &NodeHistory| track.until().or(node.last);
            assert!(until(after_track, after) <= until(before_track, before));
            assert_eq!(after_track.is_non_private, before_track.is_non_private);
            if !before_track.is_non_private {
                assert!(after_track.non_private(None) >= before_track.non_private(None));
            }
        }
    }
}

#[test]
fn a_text_that_is_not_as_it_should_be_is_refused_with_a_reason() {
    let mut history = history(&["a", "b"]);
    let text = history.save(Detail::Minutes, NOW);
    let restore = |text: &str| FleetHistory::restore(text, None, NOW).map(|_| ());
    assert_eq!(restore(&text), Ok(()));
    assert_eq!(restore(""), Err(NotRestored::Unreadable));
    assert_eq!(restore("{}"), Err(NotRestored::Unreadable));
    assert_eq!(
        restore(&text[..text.len() / 2]),
        Err(NotRestored::Unreadable)
    );
    let other = text.replace("\"version\":1", "\"version\":2");
    assert_eq!(restore(&other), Err(NotRestored::OtherVersion));
    for (from, to) in [
        ("\"sets\":[\"0-3\"]", "\"sets\":[\"0-9\"]"),
        ("\"sets\":[\"0-3\"]", "\"sets\":[\"3-0\"]"),
        ("\"sets\":[\"0-3\"]", "\"sets\":[\"0-3,2\"]"),
        ("\"sets\":[\"0-3\"]", "\"sets\":[]"),
        ("\"pairs\":[[0,0]", "\"pairs\":[[7,0]"),
        ("\"pairs\":[[0,0],[0,1]", "\"pairs\":[[0,0],[0,0]"),
    ] {
        let wrong = text.replace(from, to);
        assert_ne!(wrong, text, "{from}");
        assert_eq!(restore(&wrong), Err(NotRestored::Inconsistent), "{to}");
    }
    let long = text.replace("\"kv\"", &format!("\"{}\"", "k".repeat(300)));
    assert_eq!(restore(&long), Err(NotRestored::TooLarge));
    let at = |now| FleetHistory::restore(&text, None, now).map(|_| ());
    let before = NOW.before(Duration::from_hours(1));
    assert_eq!(at(before), Err(NotRestored::FromTheFuture));
    assert_eq!(at(NOW.after(KEPT * 2)), Err(NotRestored::TooOld));
}

#[test]
fn no_number_in_a_text_makes_reading_it_fail_otherwise() {
    let mut history = history(&["a"]);
    let public = view(
        &["kv", "st"],
        Class::Public,
        NOW.before(Duration::from_hours(50)),
    );
    history.take_view("a", &public, later(1));
    let text = history.save(Detail::Minutes, later(1));
    let digits: Vec<usize> = text
        .match_indices(|c: char| c.is_ascii_digit())
        .map(|(at, _)| at)
        .collect();
    for at in digits {
        for other in ["9999999999999999999", "-1", "999999", "0", "null", "\"\""] {
            let changed = format!("{}{other}{}", &text[..at], &text[at + 1..]);
            // Whatever comes of it, it ends well.
            drop(FleetHistory::restore(&changed, None, later(1)));
        }
    }
}

#[test]
fn nodes_that_left_are_bounded_and_what_was_public_on_them_is_not_lost() {
    let mut history = FleetHistory::default();
    let public = view(&["kv"], Class::Public, NOW.before(Duration::from_hours(50)));
    for n in 0..MOST_DEPARTED + 10 {
        let name = format!("n{n}");
        let now = NOW.after(Duration::from_secs(n as u64));
        history.set_nodes([node(&name)].iter(), now);
        history.take_view(&name, &public, now);
    }
    assert_eq!(history.departed.len(), MOST_DEPARTED);
    assert!(history.forgotten_until.is_some());
    assert_eq!(history.forgotten_non_private.len(), 1);
}

#[test]
fn a_node_that_was_well_all_its_life_is_only_counted() {
    let mut history = history(&["a", "b"]);
    let mut young = node("c");
    young.joined = Some(NOW);
    history.set_nodes([node("a"), node("b"), young.clone()].iter(), NOW);
    history.take_view(
        "c",
        &view(&["kv", "st"], Class::Private, later(2)),
        later(3),
    );
    for minute in 4..30 {
        history.confirm("c", later(minute));
    }
    history.set_nodes([node("a")].iter(), later(30));
    // What was on b before its agent ran is not known.
    let departed: Vec<&str> = history
        .departed
        .iter()
        .map(|departed| &*departed.name)
        .collect();
    assert_eq!(departed, ["b"]);
    assert_eq!(history.departed_well.values().sum::<u32>(), 1);
}

#[test]
fn numbers_do_not_run_out_while_targets_come_and_go() {
    let mut history = history(&["a"]);
    let since = NOW.before(Duration::from_hours(50));
    for round in 0..30_u64 {
        let names: Vec<String> = (0..100)
            .map(|n| format!("round-{round}-target-{n}"))
            .collect();
        let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
        names.push("kv");
        let now = later(round);
        history.set_nodes([node("a")].iter(), now);
        history.take_view("a", &view(&names, Class::Private, since), now);
    }
    let kv = history.paths.known_target("kv").expect("it is known");
    let number = history.paths.number(kv, "pod").expect("it has a number");
    let track = history.nodes["a"].track(&history.paths, number);
    assert_eq!(track.and_then(Track::since), Some(since));
    assert!(history.paths.len() < 1_000, "{}", history.paths.len());
    assert!(history.was_private("kv", NOW));
    assert!(!history.was_private("round-1-target-1", NOW));
}

#[test]
fn what_is_private_all_the_time_is_known_to_be_after_weeks() {
    let mut history = history(&["a"]);
    let text = history.save(Detail::Minutes, NOW);
    let weeks = NOW.after(KEPT * 3);
    let mut now = NOW;
    while now < weeks {
        now = now.after(Duration::from_hours(1));
        history.confirm("a", now);
        history.set_nodes([node("a")].iter(), now);
    }
    assert!(history.was_private("kv", weeks));
    assert!(!history.is_changed(weeks));
    let restored = FleetHistory::restore(&text, history.mark(weeks), weeks).expect("a history");
    assert!(restored.was_private("kv", weeks));
    let number = restored.paths.of_set(restored.nodes["a"].set)[0];
    let track = restored.nodes["a"]
        .track(&restored.paths, number)
        .expect("a track");
    assert!(track.since().is_some_and(|since| since < NOW));
    assert_eq!(track.non_private(restored.nodes["a"].last), None);
}

#[test]
fn a_node_that_only_seemed_to_have_left_is_remembered() {
    let mut history = history(&["a", "b"]);
    let public = view(
        &["kv", "st"],
        Class::Public,
        NOW.before(Duration::from_hours(50)),
    );
    history.take_view("b", &public, NOW);
    history.set_nodes([node("a")].iter(), later(1));
    assert_eq!(history.departed.len(), 1);
    history.set_nodes([node("a"), node("b")].iter(), later(2));
    assert_eq!(history.departed.len(), 0);
    let number = history.paths.of_set(history.nodes["b"].set)[0];
    let track = history.nodes["b"]
        .track(&history.paths, number)
        .expect("a track");
    assert!(track.is_non_private);
    let mut other = node("b");
    other.joined = Some(later(3));
    history.set_nodes([node("a"), other].iter(), later(4));
    assert_eq!(history.departed.len(), 1, "another node of the same name");
}

#[test]
fn times_in_which_nodes_were_not_watched_are_joined_where_they_meet() {
    let mut history = FleetHistory::default();
    let after = |minutes| NOW.after(Duration::from_mins(minutes));
    history.note_absence(NOW, after(5));
    assert!(history.absences.is_empty(), "so much is borne");
    for minute in 6..30 {
        history.note_absence(NOW, after(minute));
    }
    history.note_absence(after(28), after(40));
    assert_eq!(history.absences, [(NOW, after(40))]);
    history.note_absence(after(41), after(50));
    assert_eq!(history.absences.len(), 2);
}
