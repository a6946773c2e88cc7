use std::sync::Arc;

use privatelink_fleet::query::GateQuery;
use privatelink_fleet::{
    Cell, Coverage, Fleet, FleetQuery, FleetReport, FleetTarget, Moment, Node, PathState, Traits,
    View, WhyUncovered,
};
use privatelink_verdict::address::Class;
use privatelink_verdict::reason::Reason;
use privatelink_verdict::target::{Expectation, Users};
use privatelink_verdict::verdict::Outcome;

use super::*;

/// 2026-11-30 05:10 UTC.
const NOW: Moment = Moment(1_796_015_400);

const VAULT: &str = "kv-prod.vault.azure.net";

fn node(name: &str, pool: &str, coverage: Coverage) -> Node {
    Node {
        name: name.into(),
        traits: Traits {
            pool: Some(pool.into()),
            ..Traits::default()
        },
        joined: Some(Moment(NOW.0 - 86_400)),
        coverage,
    }
}

fn cell(name: &str, class: Class) -> Cell {
    let judged = match class {
        Class::Public => (Outcome::Fail, Reason::PublicFallback),
        _ => (Outcome::Pass, Reason::Ok),
    };
    let path = |resolver: &str| PathState {
        resolver: resolver.into(),
        classes: [class].into_iter().collect(),
        answered_since: Some(Moment(NOW.0 - 7_200)),
        last_non_private: (class == Class::Public).then_some(NOW),
    };
    let users = Users {
        workloads: 3,
        namespaces: 2,
        examples: vec!["Deployment shop/web".to_owned()],
        ..Users::default()
    };
    Cell {
        target: Arc::new(FleetTarget {
            name: name.to_owned(),
            host: name.to_owned(),
            service: "key-vault".to_owned(),
            users: Some(users),
        }),
        judged: Some(judged),
        since: Moment(NOW.0 - 600),
        is_confirmed: true,
        is_stale: false,
        expect: Expectation::PrivateEndpoint,
        paths: [path("pod"), path("node")].into_iter().collect(),
    }
}

/// Four nodes: on one the vault is public, and one is of Windows.
fn fleet() -> Fleet {
    let mut fleet = Fleet::default();
    let covered = Coverage::Covered;
    let windows = Coverage::Uncovered(WhyUncovered::Windows);
    let nodes = vec![
        node("a-0", "a", covered),
        node("a-1", "a", covered),
        node("b-0", "b", covered),
        node("w-0", "w", windows),
    ];
    fleet.set_nodes(nodes, NOW);
    for (node, class) in [
        ("a-0", Class::Private),
        ("a-1", Class::Private),
        ("b-0", Class::Public),
    ] {
        let view = View {
            version: "0.1.0".into(),
            agent_started: Moment(NOW.0 - 7_200),
            config_hash: "1".into(),
            config_loaded: true,
            cells: vec![
                cell("contoso.azurecr.io", Class::Private),
                cell(VAULT, class),
            ],
        };
        assert!(fleet.set_view(node, view, NOW));
    }
    fleet
}

fn report() -> FleetReport {
    let query = FleetQuery {
        gate: Some(GateQuery::default()),
        ..FleetQuery::default()
    };
    let mut report = fleet().report(&query, NOW);
    report.answered_by.source = "observer".to_owned();
    report.answered_by.name = "observer-1".to_owned();
    report
}

/// What `write` draws, without colours.
fn drawn(report: &FleetReport, width: usize) -> String {
    let mut out = anstream::StripStream::new(Vec::new());
    terminal(&mut out, report, Some(width)).expect("memory takes all");
    String::from_utf8(out.into_inner()).expect("UTF-8")
}

#[test]
fn the_terminal_shows_what_failing_nodes_have_in_common_and_then_the_matrix() {
    insta::assert_snapshot!(drawn(&report(), 100));
}

/// The row of the vault in the matrix.
fn row(report: &FleetReport) -> String {
    let text = drawn(report, 100);
    let mut rows = text.lines().filter(|line| line.starts_with(VAULT));
    rows.next().expect("a row").to_owned()
}

#[test]
fn what_is_not_known_or_not_there_is_no_tick() {
    let mut silent = report();
    silent.groups[1].stale = true;
    assert_eq!(row(&silent), format!("{VAULT}  ✗  ?  public_fallback"));
    assert!(drawn(&silent, 100).contains("? not known"));
    let mut absent = report();
    absent.groups[1].lacking = vec![VAULT.to_owned()];
    assert_eq!(row(&absent), format!("{VAULT}  ✗  –  public_fallback"));
    assert!(markdown(&absent).contains("| – |") || markdown(&absent).contains("| –  |"));
    let mut not_probed = report();
    not_probed.groups[0].troubles[0].reason = "agent_error".to_owned();
    assert_eq!(row(&not_probed), format!("{VAULT}  ?  ✓  agent_error"));
}

#[test]
fn the_matrix_says_which_path_it_is_about() {
    let mut report = report();
    report.groups[0].troubles[0].path = "pod_path_only".to_owned();
    assert!(row(&report).ends_with("public_fallback (pod path)"));
}

#[test]
fn a_pattern_says_why_it_is_not_sure_and_who_is_well() {
    let mut report = report();
    let pattern = &mut report.patterns[0];
    pattern.doubt = "other nodes there are well".to_owned();
    pattern.except = vec!["b-9".to_owned()];
    (pattern.nodes, pattern.of_nodes) = (9, 10);
    pattern.same_zone = vec!["kv-2".to_owned()];
    let texts = [drawn(&report, 200), markdown(&report), document(&report)];
    for said in [
        "low confidence: other nodes there are well",
        "ut not",
        "b-9",
        "privatelink.vaultcore.azure.net",
        "kv-2",
    ] {
        for text in &texts {
            let text = text.replace("<wbr>", "");
            assert!(text.contains(said), "{said}: {text}");
        }
    }
}

#[test]
fn what_patterns_say_nothing_of_stands_above_them() {
    let mut report = report();
    let note = "2 of the 3 nodes of pool b are silent: b-1 and b-2.";
    report.notes = vec![note.to_owned()];
    report.answered_by = privatelink_fleet::report::AnsweredBy::default();
    let text = drawn(&report, 100);
    assert!(text.contains(&format!("! {note}\n")), "{text}");
    let first = text.lines().next();
    assert!(first.is_some_and(|line| line.ends_with("UTC")), "{text}");
    assert!(markdown(&report).contains(note));
    assert!(document(&report).replace("<wbr>", "").contains(note));
}

#[test]
fn no_line_counts_targets_that_are_not_there() {
    let mut report = report();
    let in_trouble = |target: &privatelink_fleet::report::TargetOnNodes| target.target == VAULT;
    report.targets.retain(in_trouble);
    for text in [drawn(&report, 100), markdown(&report)] {
        assert!(!text.contains("without trouble"), "{text}");
    }
}

#[test]
fn nothing_is_wider_than_the_terminal() {
    let mut report = report();
    let name = "aks-production-38472910-vmss0000aa".to_owned();
    report.groups[0].nodes = vec![name; 5];
    let target = "contoso-production-westeurope-documents.mongo.cosmos.azure.com".to_owned();
    report.groups[0].troubles[0].targets = vec![target];
    for width in [60, 80, 200] {
        let text = drawn(&report, width);
        for line in text.lines() {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
        assert!(text.contains("public_fallback\n"), "{text}");
    }
    let narrow = drawn(&report, 80);
    assert!(
        narrow.contains("contoso-production-westeuro…mos.azure.com"),
        "{narrow}"
    );
    assert!(drawn(&report, 200).contains("documents.mongo.cosmos.azure.com"));
}

#[test]
fn markdown_of_the_fleet_quotes_the_gate_first() {
    insta::assert_snapshot!(markdown(&report()));
}

#[test]
fn names_from_elsewhere_do_nothing_in_any_form() {
    let mut report = report();
    let evil = "x\u{1b}[31m<script>|*a*";
    report.patterns[0].headline = evil.to_owned();
    report.groups[0].troubles[0].targets = vec![evil.to_owned()];
    for text in [drawn(&report, 100), markdown(&report), document(&report)] {
        assert!(!text.contains('\u{1b}'), "{text}");
    }
    assert!(!document(&report).contains("<script>"));
    assert!(!markdown(&report).contains("<script>"));
}

/// A ticket or a chat turns a name after an @, a number after a # and an address of the web into links.
#[test]
fn names_from_elsewhere_call_nobody_and_become_no_links_in_markdown() {
    let mut report = report();
    let evil = "@octocat &#64;octocat #12 https://evil.example WWW.evil.example [a](b) ![c](d) $x$";
    report.patterns[0].headline = evil.to_owned();
    report.nodes.why_uncovered[0].samples = vec![evil.to_owned()];
    let text = markdown(&report);
    assert!(text.contains("octocat") && text.contains("evil.example"));
    for alive in ["@o", "#1", "#6", "://", "WWW.", " &", " [", "![", " $"] {
        assert!(!text.contains(alive), "{alive}: {text}");
    }
}

#[test]
fn markdown_says_what_html_says_of_what_is_silent_or_left_off() {
    let mut report = report();
    report.nodes.stale = 7;
    report.nodes.stale_samples = vec![privatelink_fleet::report::StaleNode {
        node: "s-0".to_owned(),
        answered_last: NOW,
    }];
    report.left_off.patterns = 3;
    report.left_off.groups = 2;
    report.left_off.nodes_in_groups = 40;
    report.groups[0].stale = true;
    let text = markdown(&report);
    for said in [
        "s-0 has not answered since 2026-11-30 05:10 UTC",
        "6 more nodes silent too",
        "3 more patterns not shown",
        "2 more groups of 40 nodes not shown",
        "(silent)",
        "1 node: ",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
}

#[test]
fn the_file_for_a_ticket_loads_nothing() {
    let html = document(&report());
    assert!(html.starts_with("<!DOCTYPE html>"));
    for loading in ["src=", "href=\"http", "url(", "<script", "<link"] {
        assert!(!html.contains(loading), "{loading}");
    }
    assert!(html.contains("b-0"));
}

/// The part of the page for the query of a URL.
fn section(query: &str) -> String {
    let view = crate::page::View::of_url(query);
    let report = report();
    let by_trait = fleet().by_trait(view.by(), &FleetQuery::default(), NOW);
    let owners = [(VAULT.to_owned(), "payments".to_owned())].into();
    let page = FleetPage {
        report: &report,
        by_trait: by_trait.as_ref(),
        owners: &owners,
        view: &view,
    };
    page.section().into_string()
}

#[test]
fn the_page_counts_nodes_by_what_they_share() {
    let by_pool = section("");
    for cell in [
        "a<small>2 nodes</small>",
        "b<small>1 node</small>",
        "</span> 1 of 1</span> <small>public_fallback</small>",
        "<span class=\"vh\">pass on </span>2</span>",
        "3 workloads in 2 namespaces",
        " · owner payments",
    ] {
        assert!(by_pool.contains(cell), "{cell}: {by_pool}");
    }
    let agreeing = section("by=agreement");
    assert!(
        agreeing.contains("A<small>1 node</small>") && agreeing.contains("B<small>2 nodes</small>")
    );
}

#[test]
fn a_target_of_the_page_says_where_it_fails_and_what_to_do() {
    let open = section(&format!("open={VAULT}"));
    for part in [
        "1 node: b-0",
        "2026-11-30 05:00 UTC",
        "kubectl privatelink report --target kv-prod.vault.azure.net",
        "Runbook: <code>public_fallback</code>",
    ] {
        assert!(open.contains(part), "{part}: {open}");
    }
    assert!(section("open=kv-prd.vault.azure.net").contains("No target is called"));
    assert!(section("owner=search").contains("hidden data-name=\"kv-prod.vault.azure.net\""));
}

#[test]
fn long_lists_end_with_how_many_more_there_are() {
    let names = ["a", "b", "c"].map(str::to_owned);
    assert_eq!(some_of(&names, 2, 3), "a, b and 1 more");
    assert_eq!(some_of(&names, 3, 3), "a, b, c");
    assert_eq!(some_of(&names, 3, 40), "a, b, c and 37 more");
}
