//! Report: what is in it, and what a query leaves of it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use privatelink_fleet::gate::Answer;
use privatelink_fleet::query::GateQuery;
use privatelink_fleet::{
    Cell, Coverage, Fleet, FleetQuery, FleetReport, FleetTarget, Moment, Node, PathState, Traits,
    View, WhyUncovered,
};
use privatelink_verdict::address::Class;
use privatelink_verdict::reason::Reason;
use privatelink_verdict::target::Expectation;
use privatelink_verdict::verdict::Outcome;

const NOW: Moment = Moment(1_796_000_000);

fn ago(minutes: u64) -> Moment {
    NOW.before(Duration::from_mins(minutes))
}

fn node(pool: &str, number: usize) -> Node {
    Node {
        name: format!("{pool}-{number}").into(),
        traits: Traits {
            pool: Some(pool.into()),
            zone: Some(format!("{}", number % 3 + 1).into()),
            ..Traits::default()
        },
        joined: Some(ago(10_000 + number as u64)),
        coverage: Coverage::Covered,
    }
}

fn nodes() -> Vec<Node> {
    let a = (0..4).map(|number| node("a", number));
    a.chain((0..4).map(|number| node("b", number))).collect()
}

fn cell(target: &str, judged: (Outcome, Reason), since: Moment) -> Cell {
    let class = match judged.1 {
        Reason::PublicFallback => Class::Public,
        _ => Class::Private,
    };
    let paths = ["pod", "node"].map(|resolver| PathState {
        resolver: resolver.into(),
        classes: [class].into_iter().collect(),
        answered_since: Some(ago(5_000)),
        last_non_private: None,
    });
    Cell {
        target: Arc::new(FleetTarget {
            name: target.to_owned(),
            host: format!("{target}.vault.azure.net"),
            service: "key-vault".to_owned(),
            users: None,
        }),
        judged: Some(judged),
        since,
        is_confirmed: true,
        is_stale: false,
        expect: Expectation::PrivateEndpoint,
        paths: paths.into_iter().collect(),
    }
}

fn view(cells: Vec<Cell>) -> View {
    View {
        version: "0.1.0".into(),
        agent_started: ago(5_000),
        config_hash: "1".into(),
        config_loaded: true,
        cells,
    }
}

const WELL: (Outcome, Reason) = (Outcome::Pass, Reason::Ok);
const PUBLIC: (Outcome, Reason) = (Outcome::Fail, Reason::PublicFallback);
const DROPPED: (Outcome, Reason) = (Outcome::Fail, Reason::ConnectTimeout);

/// Two pools of four nodes, whose targets are well and have been watched for days.
fn well() -> Fleet {
    let mut fleet = Fleet::default();
    fleet.set_nodes(nodes(), ago(4_000));
    for node in nodes() {
        assert!(fleet.set_view(&node.name, view(vec![cell("kv", WELL, ago(5_000))]), NOW));
    }
    fleet
}

/// Why the gate cannot tell, with some of the nodes.
fn unknown(fleet: &Fleet, now: Moment) -> Vec<String> {
    let query = FleetQuery {
        gate: Some(GateQuery::default()),
        ..FleetQuery::default()
    };
    let gate = fleet.report(&query, now).gate.expect("it was asked");
    let unknown = gate.unknown.iter();
    let unknown = unknown.map(|one| format!("{} {}", one.why, one.samples.join(" ")));
    unknown.collect()
}

#[test]
fn what_an_agent_says_by_a_wrong_clock_is_not_trusted_until_it_starts_again() {
    let mut fleet = well();
    assert!(unknown(&fleet, NOW).is_empty());
    let agents = |minutes: u64| NOW.before(Duration::from_mins(minutes));
    assert!(!fleet.note_clock("a-0", NOW.after(Duration::from_secs(50)), NOW));
    assert!(fleet.confirm_view("a-0", NOW));
    for wrong in [NOW.after(Duration::from_mins(2)), agents(60)] {
        fleet.note_clock("a-0", NOW, NOW);
        assert!(fleet.note_clock("a-0", wrong, NOW), "it is told");
        assert!(!fleet.note_clock("a-0", wrong, NOW), "once");
    }
    // It has to be read whole.
    assert!(!fleet.confirm_view("a-0", NOW));
    let same = || view(vec![cell("kv", WELL, ago(5_000))]);
    assert!(fleet.set_view("a-0", same(), NOW));
    assert_eq!(unknown(&fleet, NOW), ["clock_wrong a-0"]);
    // The time is corrected, and the agent still remembers moments from before.
    fleet.note_clock("a-0", NOW, NOW);
    assert!(fleet.confirm_view("a-0", NOW) && fleet.set_view("a-0", same(), NOW));
    assert_eq!(unknown(&fleet, NOW), ["clock_wrong a-0"]);
    let mut again = same();
    again.agent_started = NOW;
    let cell = &mut again.cells[0];
    let answered_since = Some(NOW);
    let paths = cell.paths.iter().map(|path| PathState {
        answered_since,
        ..path.into()
    });
    cell.paths = paths.collect();
    assert!(fleet.set_view("a-0", again, NOW));
    assert!(
        unknown(&fleet, NOW).is_empty(),
        "{:?}",
        unknown(&fleet, NOW)
    );
}

/// Two pools of four nodes; kv is public on pool b since 20 minutes, and on a-0 st is not reached since
/// two days.
fn fleet() -> Fleet {
    let mut fleet = Fleet::default();
    fleet.set_nodes(nodes(), NOW);
    for node in nodes() {
        let kv = if node.name.starts_with('b') {
            cell("kv", PUBLIC, ago(20))
        } else {
            cell("kv", WELL, ago(10))
        };
        let st = if &*node.name == "a-0" {
            cell("st", DROPPED, ago(2_880))
        } else {
            cell("st", WELL, ago(5_000))
        };
        fleet.set_view(&node.name, view(vec![kv, st]), NOW);
    }
    fleet
}

fn report(fleet: &Fleet, query: &FleetQuery) -> FleetReport {
    let report = fleet.report(query, NOW);
    let text = serde_json::to_string(&report).expect("JSON");
    assert_eq!(
        serde_json::from_str::<FleetReport>(&text).ok().as_ref(),
        Some(&report),
        "{text}"
    );
    report
}

fn headlines(report: &FleetReport) -> Vec<&str> {
    report
        .patterns
        .iter()
        .map(|pattern| &*pattern.headline)
        .collect()
}

/// Names, and reasons with their targets, of each group.
fn groups(report: &FleetReport) -> Vec<String> {
    let groups = report.groups.iter().map(|group| {
        let troubles = group.troubles.iter();
        let troubles: Vec<String> = troubles
            .map(|trouble| format!("{} {}", trouble.reason, trouble.targets.join(" ")))
            .collect();
        let stale = if group.stale { " (stale)" } else { "" };
        let shared = group.shared.join(", ");
        format!(
            "{}{stale} [{shared}] {}",
            group.nodes.join(" "),
            troubles.join("; ")
        )
    });
    groups.collect()
}

#[test]
fn nodes_that_agree_are_one_group_and_the_well_ones_come_last() {
    let report = report(&fleet(), &FleetQuery::default());
    assert_eq!(
        groups(&report),
        [
            "b-0 b-1 b-2 b-3 [pool b] public_fallback kv",
            "a-0 [pool a, zone 1] connect_timeout st",
            "a-1 a-2 a-3 [pool a] ",
        ]
    );
    assert_eq!(
        headlines(&report),
        [
            "kv does not resolve to its private endpoint on all 4 nodes of pool b, since 2026-11-30 00:33 UTC.",
            "st does not answer connection attempts on node a-0 alone, since 2026-11-28 00:53 UTC.",
        ]
    );
    let counts = &report.nodes;
    assert_eq!(
        (counts.all, counts.covered, counts.failing, counts.warning),
        (8, 8, 5, 0)
    );
    let targets: Vec<(&str, u32, u32)> = report
        .targets
        .iter()
        .map(|one| (&*one.target, one.nodes, one.failing))
        .collect();
    assert_eq!(targets, [("kv", 8, 4), ("st", 8, 1)]);
}

#[test]
fn nodes_that_lack_a_target_do_not_count_as_nodes_on_which_it_passes() {
    let with_st = |on_b_0: (Outcome, Reason)| {
        let mut fleet = Fleet::default();
        fleet.set_nodes(nodes(), NOW);
        for node in nodes() {
            let mut cells = vec![cell("kv", WELL, ago(5_000))];
            if node.name.starts_with('b') {
                let judged = if &*node.name == "b-0" { on_b_0 } else { WELL };
                cells.push(cell("st", judged, ago(5_000)));
            }
            fleet.set_view(&node.name, view(cells), NOW);
        }
        let groups = report(&fleet, &FleetQuery::default()).groups.into_iter();
        let lacking =
            groups.map(|group| format!("{}: {}", group.nodes.join(" "), group.lacking.join(" ")));
        lacking.collect::<Vec<String>>()
    };
    assert_eq!(
        with_st(DROPPED),
        ["b-0: ", "a-0 a-1 a-2 a-3: st", "b-1 b-2 b-3: "]
    );
    // Where it passes wherever it is, all nodes agree.
    assert_eq!(with_st(WELL), ["a-0 a-1 a-2 a-3 b-0 b-1 b-2 b-3: "]);
}

#[test]
fn since_leaves_what_began_and_what_is_well_again() {
    let query = FleetQuery {
        since: Some(ago(60)),
        ..FleetQuery::default()
    };
    let report = report(&fleet(), &query);
    assert_eq!(
        headlines(&report),
        [
            "kv does not resolve to its private endpoint on all 4 nodes of pool b, since 2026-11-30 00:33 UTC."
        ]
    );
    assert_eq!(groups(&report).len(), 2, "{:?}", groups(&report));
    let recovered: Vec<u32> = report.targets.iter().map(|one| one.recovered).collect();
    assert_eq!(recovered, [4, 0]);
}

#[test]
fn a_selector_leaves_its_nodes_and_the_patterns_that_touch_them() {
    let query = FleetQuery {
        selector: "pool=a,zone=1,zone=2".parse().expect("a selector"),
        ..FleetQuery::default()
    };
    let report = report(&fleet(), &query);
    assert_eq!((report.nodes.all, report.nodes.selected), (8, 3));
    assert_eq!(
        groups(&report),
        [
            "a-0 [pool a, zone 1] connect_timeout st",
            "a-1 a-3 [pool a] "
        ]
    );
    assert_eq!(report.patterns.len(), 1);
}

#[test]
fn a_target_is_asked_for_by_its_name_or_its_host() {
    for target in ["kv", "KV.vault.azure.net"] {
        let query = FleetQuery {
            target: Some(target.to_owned()),
            ..FleetQuery::default()
        };
        let report = report(&fleet(), &query);
        assert_eq!(report.targets.len(), 1);
        assert_eq!(groups(&report).len(), 2);
        assert_eq!(report.patterns.len(), 1);
    }
}

#[test]
fn of_silent_agents_nothing_is_known_and_nodes_without_one_are_counted_by_why() {
    let mut fleet = fleet();
    let mut nodes = nodes();
    let without = [
        ("w-0", WhyUncovered::Windows),
        ("n-0", WhyUncovered::NoAgent),
        ("n-1", WhyUncovered::NoAgent),
    ];
    nodes.extend(without.map(|(name, why)| Node {
        name: name.into(),
        coverage: Coverage::Uncovered(why),
        ..node("c", 0)
    }));
    nodes.push(node("c", 1));
    fleet.set_nodes(nodes, NOW);
    let later = NOW.after(Duration::from_mins(4));
    for name in ["a-0", "a-1", "a-2", "a-3", "b-0", "b-1", "b-2"] {
        assert!(fleet.confirm_view(name, later));
    }
    fleet.note_silent("c-1", WhyUncovered::AgentSilent);
    let report = fleet.report(&FleetQuery::default(), later);
    assert_eq!(
        groups(&report).last().map(String::as_str),
        Some("b-3 (stale) [pool b, zone 1] ")
    );
    assert_eq!(report.nodes.stale_samples[0].answered_last, NOW);
    let why = report.nodes.why_uncovered.iter();
    let why: Vec<String> = why
        .map(|one| format!("{} {}", one.why, one.samples.join(" ")))
        .collect();
    assert_eq!(why, ["no_agent n-0 n-1", "agent_silent c-1", "windows w-0"]);
    let hour_later = later.after(Duration::from_mins(62));
    fleet.set_nodes(Vec::from([node("b", 3)]), hour_later);
    let seen = fleet.seen_node("b-3", hour_later).expect("the node");
    assert_eq!(
        seen.coverage,
        Coverage::Uncovered(WhyUncovered::NotRead),
        "its view is forgotten"
    );
}

#[test]
fn a_node_made_anew_under_its_name_is_another_node() {
    let mut fleet = fleet();
    let mut nodes = nodes();
    nodes[0].joined = Some(ago(1));
    fleet.set_nodes(nodes, NOW);
    let seen = fleet.seen_node("a-0", NOW).expect("the node");
    assert!(seen.view.is_none());
}

#[test]
fn groups_are_bounded_and_what_is_left_off_is_counted() {
    let mut fleet = Fleet::default();
    let nodes: Vec<Node> = (0..130).map(|number| node("a", number)).collect();
    fleet.set_nodes(nodes.clone(), NOW);
    for (number, node) in nodes.iter().enumerate() {
        // Each node has a target of its own that fails.
        let cells = (0..130).map(|target| {
            let judged = if target == number { DROPPED } else { WELL };
            cell(&format!("t-{target:03}"), judged, ago(20))
        });
        fleet.set_view(&node.name, view(cells.collect()), NOW);
    }
    let report = report(&fleet, &FleetQuery::default());
    assert_eq!(report.groups.len(), 100);
    assert_eq!(
        (report.left_off.groups, report.left_off.nodes_in_groups),
        (30, 30)
    );
    assert_eq!((report.patterns.len(), report.left_off.patterns), (50, 80));
}

/// Whatever the fleet looks like, nothing that fails is in no pattern, and a pattern claims nothing that does
/// not fail.
#[test]
fn every_failure_is_in_a_pattern_and_every_pattern_is_about_failures() {
    let mut random = fastrand::Rng::with_seed(19);
    for _ in 0..300 {
        let mut fleet = Fleet::default();
        let pools = ["a", "b", "c"];
        let count = random.usize(1..25);
        let nodes: Vec<Node> = (0..count)
            .map(|number| Node {
                joined: random.bool().then(|| ago(random.u64(10..5_000))),
                ..node(pools[random.usize(0..3)], number)
            })
            .collect();
        fleet.set_nodes(nodes.clone(), NOW);
        let chance = random.u32(1..20);
        let mut failing = BTreeSet::new();
        for node in &nodes {
            let mut cells = Vec::new();
            for target in ["kv", "sql", "st"] {
                if random.u8(0..9) == 0 {
                    continue;
                }
                let all = [PUBLIC, DROPPED, (Outcome::Fail, Reason::DnsTimeout)];
                let is_well = random.u32(0..20) >= chance;
                let judged = if is_well {
                    WELL
                } else {
                    all[random.usize(0..3)]
                };
                if judged != WELL {
                    failing.insert((node.name.to_string(), target.to_owned()));
                }
                cells.push(cell(target, judged, ago(random.u64(0..3_000))));
            }
            fleet.set_view(&node.name, view(cells), NOW);
        }
        let patterns = privatelink_fleet::pattern::patterns(fleet.seen(NOW), NOW);
        let mut told = BTreeSet::new();
        for pattern in &patterns {
            assert!(!pattern.nodes.is_empty() && pattern.nodes.len() <= pattern.of_nodes);
            for target in &pattern.targets {
                let nodes = pattern.nodes.iter();
                let these: BTreeSet<_> = nodes
                    .map(|node| (node.to_string(), target.name.clone()))
                    .collect();
                assert!(!these.is_disjoint(&failing), "{}", pattern.headline());
                told.extend(these);
            }
        }
        let untold: Vec<_> = failing.difference(&told).collect();
        assert!(untold.is_empty(), "{untold:?}");
    }
}

fn gate(fleet: &Fleet, now: Moment) -> Vec<String> {
    let query = FleetQuery {
        gate: Some(GateQuery::default()),
        ..FleetQuery::default()
    };
    let gate = fleet.report(&query, now).gate.expect("the gate's answer");
    assert_eq!((gate.answer, gate.exit_code), (Answer::CannotTell, 3));
    gate.unknown
        .into_iter()
        .map(|unknown| unknown.why)
        .collect()
}

#[test]
fn the_gate_cannot_tell_of_nodes_beyond_what_is_kept() {
    let mut fleet = Fleet::default();
    let nodes: Vec<Node> = (0..=Fleet::MOST_NODES)
        .map(|number| node("a", number))
        .collect();
    fleet.set_nodes(nodes, NOW);
    fleet.set_view("a-0", view(vec![cell("kv", WELL, ago(10))]), NOW);
    assert_eq!(fleet.nodes_left_off(), 1);
    assert!(gate(&fleet, NOW).contains(&"nodes_left_off".to_owned()));
}

#[test]
fn the_gate_cannot_tell_where_nodes_that_left_had_to_be_forgotten() {
    let mut fleet = Fleet::default();
    let stays = node("a", 0);
    let most = privatelink_fleet::history::MOST_DEPARTED;
    for number in 1..=most + 2 {
        // Each is there for a day without an agent, and then the next one is.
        let gone = Node {
            coverage: Coverage::Uncovered(WhyUncovered::NoAgent),
            ..node("a", number)
        };
        fleet.set_nodes(vec![stays.clone(), gone], NOW);
    }
    fleet.set_view("a-0", view(vec![cell("kv", WELL, ago(10))]), NOW);
    let why = gate(&fleet, NOW.after(Duration::from_mins(1)));
    assert!(why.contains(&"departed_forgotten".to_owned()), "{why:?}");
}

#[test]
fn views_beyond_what_is_kept_are_counted_and_make_their_nodes_uncovered() {
    let mut fleet = Fleet::default();
    fleet.set_nodes(nodes(), NOW);
    let cells = vec![cell("kv", WELL, ago(10)); Fleet::MOST_CELLS / 2];
    assert!(fleet.set_view("a-0", view(cells.clone()), NOW));
    assert!(fleet.set_view("a-1", view(cells.clone()), NOW));
    assert!(!fleet.set_view("a-2", view(cells), NOW));
    assert_eq!(fleet.views_left_off(), 1);
    let seen = fleet.seen_node("a-2", NOW).expect("the node");
    assert_eq!(
        seen.coverage,
        Coverage::Uncovered(WhyUncovered::AgentUnreadable)
    );
    // What there was before is replaced, not added to.
    assert!(fleet.set_view("a-1", view(vec![cell("kv", WELL, ago(10))]), NOW));
    assert!(fleet.set_view("a-2", view(vec![cell("kv", WELL, ago(10))]), NOW));
    assert_eq!(fleet.views_left_off(), 0);
}
