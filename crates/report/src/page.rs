//! Page: the status page of the agent: every target on one page, the worst first. It is whole without scripts.
//!
//! What is shown, and which target in full, is in the URL (`view`). Every link is relative, so that the page
//! also works behind the proxy of the Kubernetes API server.

mod causes;
pub mod components;
mod document;
mod rows;
pub(crate) mod runbook_section;
mod stages;
mod target;
pub(crate) mod view;

use std::io;
use std::time::SystemTime;

use maud::{Markup, html};
use privatelink_board::{Board, SharedBoard};
use privatelink_verdict::suggest::nearest;
use privatelink_verdict::verdict::Outcome;

use self::causes::{Causes, reasons_of};
use self::components::age;
pub(crate) use self::document::file;
pub use self::document::{EVERY, SCRIPT, STYLE, document};
use self::rows::Rows;
pub use self::view::View;
use self::view::{Choices, counts, filter, none_shown, not_there};
use crate::json::summary::Counts;
use crate::pieces::Pieces;
use crate::version::VERSION;

/// The columns of the table of targets.
const COLUMNS: [&str; 5] = ["State", "Target", "What is seen", "Addresses", "For"];

/// How the rows of the table end.
const END_OF_ROWS: &str = "</table>";

/// The most names that are suggested for one that does not exist.
const SUGGESTIONS: usize = 3;

/// The page of `board`, as `view` asks for it. Ages are as of `now`; each row is made only when it is the
/// next.
pub fn in_pieces(board: SharedBoard, view: View, now: SystemTime) -> impl Pieces + use<> {
    let frame = frame(&board.lock(), &view, now);
    let end = frame.find(END_OF_ROWS).unwrap_or(frame.len());
    let (before, after) = frame.split_at(end);
    PageInPieces {
        before: Some(before.to_owned()),
        rows: Rows::new(board, view, now),
        after: Some(after.to_owned()),
    }
}

#[derive(Debug)]
struct PageInPieces {
    before: Option<String>,
    rows: Rows,
    after: Option<String>,
}

impl Pieces for PageInPieces {
    fn next_piece(&mut self, out: &mut Vec<u8>) -> io::Result<bool> {
        let row = || self.rows.next().map(Markup::into_string);
        let piece = self.before.take().or_else(row);
        let piece = piece.or_else(|| {
            let after = self.after.take()?;
            let rest = after.strip_prefix(END_OF_ROWS).unwrap_or(&after);
            Some(format!(
                "{END_OF_ROWS}{}{rest}",
                none_shown(self.rows.shown).into_string()
            ))
        });
        out.extend_from_slice(piece.as_deref().unwrap_or_default().as_bytes());
        Ok(piece.is_some())
    }
}

/// The page without rows.
fn frame(board: &Board, view: &View, now: SystemTime) -> String {
    let counts = Counts::of(board);
    let (state, title) = match counts {
        Counts { fail: 1.., .. } => ("fail", format!("{} fail", counts.fail)),
        Counts { warn: 1.., .. } => ("warn", format!("{} warn", counts.warn)),
        Counts { pass: 1.., .. } => ("pass", "all pass".to_owned()),
        _ => ("unknown", "nothing probed yet".to_owned()),
    };
    let choices = choices(board, counts);
    let body = html! {
        (header(board, view, &choices, now))
        main {
            (refused_configuration(board, now))
            @if !view.open.is_empty() && board.entry(&view.open).is_none() {
                @let names = board.entries.iter().map(|entry| entry.target.name.as_str());
                (not_there(&view.open, nearest(&view.open, names).take(SUGGESTIONS)))
            }
            @if board.entries.is_empty() {
                p.notice { "No targets are configured." }
            } @else {
                (Causes::of(board).render(view, now))
                h2.vh { "Targets" }
                (filter(view, &choices))
                table #targets .targets role="table" aria-label="Targets, the worst first" {
                    thead role="rowgroup" {
                        tr role="row" {
                            @for column in COLUMNS {
                                th role="columnheader" scope="col" { (column) }
                            }
                        }
                    }
                }
            }
        }
        (footer(&html! {
            a href="metrics" { "metrics" } " · "
            a href="api/v1/targets" { "JSON" } " · "
            a href="readyz" { "readiness" }
        }))
    };
    let title = format!("{title} · {} · privatelink-prober", board.node);
    document(&title, state, &body).into_string()
}

/// What stands below the content of a page: how fresh it is, and `links`.
pub fn footer(links: &Markup) -> Markup {
    html! {
        p #news role="status" data-own {}
        footer {
            p #fresh data-own { "Updates every " (EVERY) " s." }
            p { (links) }
        }
    }
}

fn choices(board: &Board, counts: Counts) -> Choices<'_> {
    let mut choices = Choices {
        outcomes: [counts.fail, counts.warn, counts.unknown, counts.pass],
        ..Choices::default()
    };
    for entry in &board.entries {
        choices.owners.extend(entry.target.owner.as_deref());
        for reason in reasons_of(entry) {
            *choices.reasons.entry(reason.as_str()).or_default() += 1;
        }
    }
    choices
}

fn header(board: &Board, view: &View, choices: &Choices<'_>, now: SystemTime) -> Markup {
    html! {
        header {
            div {
                p.quiet {
                    "privatelink-prober · node " strong { (board.node) } " · version " (VERSION)
                    " · up " (age(board.started_at, now))
                }
                h1 { (headline(board)) }
                p { (since_and_whom(board, now)) }
            }
            (counts(view, choices))
        }
    }
}

/// `3 of 6 targets fail`.
fn headline(board: &Board) -> String {
    let counts = Counts::of(board);
    let all = board.entries.len() as u64;
    let verb = |count: u64, word: &str| {
        if count == 1 {
            format!("{word}s")
        } else {
            word.to_owned()
        }
    };
    let of_all = |count| {
        if all == 1 {
            "The one target".to_owned()
        } else {
            format!("{count} of {all} targets")
        }
    };
    match counts {
        _ if all == 0 => "No targets".to_owned(),
        Counts { fail: 1.., .. } => {
            format!("{} {}", of_all(counts.fail), verb(counts.fail, "fail"))
        }
        Counts { warn: 1.., .. } => {
            format!("{} {}", of_all(counts.warn), verb(counts.warn, "warn"))
        }
        Counts { unknown: 0, .. } => format!("All {all} targets pass"),
        Counts { pass: 0, .. } => "No target was probed yet".to_owned(),
        _ => format!(
            "{} of {all} targets pass, the others were not probed yet",
            counts.pass
        ),
    }
}

/// Since when targets fail, and whom that hurts; the same of those that warn where none fails.
fn since_and_whom(board: &Board, now: SystemTime) -> String {
    let probed = board
        .entries
        .iter()
        .filter_map(|entry| Some((entry, entry.latest.as_ref()?)));
    let worst = probed
        .clone()
        .map(|(_, probed)| probed.verdict.outcome)
        .max();
    let Some(worst) = worst.filter(|worst| *worst != Outcome::Pass) else {
        return String::new();
    };
    let concerned = probed.filter(|(_, probed)| probed.verdict.outcome == worst);
    // Where there is one transition, it was so at the first probe, and nobody knows since when.
    let since = concerned.clone().filter_map(|(entry, _)| {
        let latest = entry.transitions.back()?;
        Some((latest.at, entry.transitions.len() == 1))
    });
    let are_all_initial = since.clone().all(|(_, is_initial)| is_initial);
    let ages = [since.clone().min(), since.max()];
    let ages = ages.map(|since| since.map(|(at, is_initial)| (age(at, now), is_initial)));
    let mut text = match ages {
        [Some((first, _)), _] if are_all_initial => {
            format!("It began before the first probe, {first} ago")
        }
        [Some((first, _)), Some((latest, _))] if first == latest => format!("It began {first} ago"),
        [Some((first, true)), Some((latest, _))] => {
            format!("The first began before its first probe, {first} ago, the latest {latest} ago")
        }
        [Some((first, false)), Some((latest, _))] => {
            format!("The first began {first} ago, the latest {latest} ago")
        }
        _ => String::new(),
    };
    let users = concerned.filter_map(|(entry, _)| entry.target.users.as_deref());
    let workloads: u64 = users.map(|users| users.workloads).sum();
    if workloads > 0 {
        text.push_str(&format!("; used by {workloads} workload"));
        text.push_str(if workloads == 1 { "." } else { "s." });
    } else {
        text.push('.');
    }
    text
}

/// Why the latest configuration was refused, if it was.
fn refused_configuration(board: &Board, now: SystemTime) -> Markup {
    let config = &board.config;
    let lines: Vec<_> = config.error_lines().collect();
    html! {
        @if !config.last_reload_ok {
            section.notice.fail {
                h2 { "The latest configuration was refused" }
                p { "The one loaded " (age(config.last_success_at, now)) " ago stays in use." }
                pre { (lines.join("\n")) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use privatelink_board::fixtures;
    use privatelink_verdict::fact::Fact;
    use privatelink_verdict::observation::{NoReply, ServiceReply};
    use privatelink_verdict::target::Target;

    use super::*;
    use crate::events::ConfigRefused;

    /// The content of the page, for the query of a URL.
    fn render(board: &SharedBoard, query: &str, now: SystemTime) -> String {
        let page = in_pieces(board.clone(), View::of_url(query), now);
        let page = String::from_utf8(page.whole().expect("memory takes all")).expect("UTF-8");
        let (_, body) = page.split_once("<body").expect("a body");
        let (content, _) = body.split_once("<script>").expect("the script");
        content.to_owned()
    }

    fn page(query: &str) -> String {
        let now = fixtures::now() + Duration::from_secs(12);
        render(&fixtures::shared(), query, now)
    }

    #[test]
    fn the_worst_comes_first() {
        let page = page("");
        let at = |name: &str| page.find(&format!("id=\"t-{name}\"")).expect(name);
        assert!(at("kv-prod.vault.azure.net") < at("kv-new.vault.azure.net"));
        assert!(at("kv-new.vault.azure.net") < at("kv-dev.vault.azure.net"));
    }

    #[test]
    fn nothing_from_the_wire_becomes_markup() {
        let mut board = fixtures::board();
        let mut hostile = fixtures::name_mismatch();
        hostile.verdict.findings[0].facts = vec![Fact::AgentFault {
            operation: String::new(),
            cause: "\"><img src=x onerror=alert(1)>'&".to_owned(),
        }];
        board.record(hostile.into());
        let board = SharedBoard::new(board);
        let page = render(&board, "open=kv-tls.vault.azure.net", fixtures::now());
        assert!(
            page.contains("CN=&lt;script&gt;alert(1)&lt;/script&gt;\\u{1b}[31m"),
            "{page}"
        );
        assert!(page.contains("&quot;&gt;&lt;img src=x onerror=alert(1)&gt;'&amp;"));
        assert!(!page.contains("<script") && !page.contains("<img"));
        let mut tags = page.split('<').filter_map(|part| part.split_once('>'));
        assert!(
            tags.all(|(tag, _)| !tag.contains("='")),
            "an apostrophe may stay as it is because attributes stand in double quotes"
        );
        assert!(
            !page.contains("style=\""),
            "the policy refuses inline styles"
        );
    }

    #[test]
    fn a_filter_hides_rows_and_leaves_them_on_the_page_for_the_script() {
        let shown = |query: &str| {
            let page = page(query);
            let rows = page.matches("<tbody").count();
            (
                rows,
                page.matches("hidden data-name").count(),
                page.contains(" hidden>No target is as"),
            )
        };
        assert_eq!(shown(""), (6, 0, true));
        assert_eq!(shown("outcome=pass"), (6, 5, true));
        assert_eq!(shown("reason=public_fallback&q=52.168"), (6, 5, true));
        assert_eq!(shown("q=nowhere"), (6, 6, false));
    }

    #[test]
    fn the_head_says_how_many_fail_since_when_and_for_whom() {
        let mut board = fixtures::board();
        assert!(
            render(&SharedBoard::new(board), "", fixtures::now())
                .contains("<h1>4 of 6 targets fail</h1>")
        );
        board = fixtures::board();
        for entry in &mut board.entries {
            let mut target = Target::clone(&entry.target);
            target.users = Some(fixtures::users().into());
            entry.target = target.into();
        }
        let late = fixtures::now() + Duration::from_mins(3);
        let page = render(&SharedBoard::new(board), "", late);
        assert!(
            page.contains("It began before the first probe, 3 min ago; used by 56 workloads."),
            "{page}"
        );
    }

    #[test]
    fn what_several_targets_have_in_common_is_one_line() {
        let mut board = fixtures::board();
        for name in [
            "kv-prod.vault.azure.net",
            "kv-fw.vault.azure.net",
            "kv-dev.vault.azure.net",
        ] {
            board.record(fixtures::named(name, fixtures::dns_timeout()).into());
        }
        let page = render(&SharedBoard::new(board), "", fixtures::now());
        assert!(
            page.contains("4 targets: No DNS server answered in time."),
            "{page}"
        );
        assert!(page.contains("href=\"?reason=dns_timeout\""));
        assert!(
            !self::page("").contains("class=\"causes\""),
            "each for another reason"
        );
    }

    #[test]
    fn a_link_to_a_target_that_is_gone_names_the_nearest() {
        let page = page("open=kv-prd.vault.azure.net");
        assert!(
            page.contains("No target is called <code>kv-prd.vault.azure.net</code>"),
            "{page}"
        );
        assert!(page.contains("href=\"?open=kv-prod.vault.azure.net\""));
    }

    #[test]
    fn what_the_service_itself_said_is_shown() {
        let mut board = fixtures::board();
        let mut asked = fixtures::healthy();
        asked.observation.connections[0].service = Some(Arc::new(ServiceReply {
            reply: Err(NoReply::Timeout),
            checked_at: fixtures::now(),
        }));
        board.record(asked.into());
        let board = SharedBoard::new(board);
        let page = render(&board, "open=kv-dev.vault.azure.net", fixtures::now());
        assert!(
            page.contains("<span class=\"bad\">no reply</span>"),
            "{page}"
        );
    }

    #[test]
    fn only_the_open_target_is_shown_in_full() {
        let closed = page("");
        assert!(!closed.contains("class=\"more\""));
        let open = page("open=kv-prod.vault.azure.net");
        assert_eq!(open.matches("class=\"more\"").count(), 1);
        for fact in [
            "kv-prod.<wbr>privatelink.<wbr>vaultcore.<wbr>azure.<wbr>net",
            "az graph query --graph-query",
            "on this path. (high confidence)",
            "resolver_disagreement",
            "2027-03-04T08:15:30Z",
            "10.1.2.4",
        ] {
            assert!(open.contains(fact), "{fact}");
        }
        assert_eq!(
            page("open=no-such-target")
                .matches("class=\"more\"")
                .count(),
            0
        );
    }

    #[test]
    fn who_uses_a_target_is_shown_and_is_no_markup() {
        let mut board = fixtures::board();
        let mut used = fixtures::healthy();
        let mut target = Target::clone(&used.target);
        let mut users = fixtures::users();
        users.examples[0] = "Pod a/<b>".to_owned();
        target.users = Some(users.into());
        used.target = target.into();
        board.entries[0].target = Arc::clone(&used.target);
        let name = used.target.name.clone();
        let page = render(
            &SharedBoard::new(board),
            &format!("open={name}"),
            fixtures::now(),
        );
        assert!(
            page.contains("image pulls of 14 workloads in 3 namespaces (Pod a/"),
            "{page}"
        );
        assert!(page.contains("&lt;b&gt;") && !page.contains("<b>"));
    }

    #[test]
    fn a_target_whose_paths_differ_names_the_one_it_is_judged_by_and_shows_each_server() {
        let mut board = fixtures::board();
        let mut probed = fixtures::public_fallback();
        probed.observation.resolution.evidence.servers = fixtures::servers_that_differ();
        board.record(probed.into());
        let board = SharedBoard::new(board);
        let page = render(&board, "open=kv-prod.vault.azure.net", fixtures::now());
        assert!(page.contains("<h3>Resolution by pod, the path of this verdict</h3>"));
        assert!(page.contains("<h3>Its servers one by one</h3>"));
        assert!(page.contains("<span class=\"ip\">10.0.0.6:53</span>"));
        let agreeing = render(&board, "open=kv-dev.vault.azure.net", fixtures::now());
        assert!(agreeing.contains("<h3>Resolution by pod</h3>"));
        assert!(!agreeing.contains("one by one"));
    }

    #[test]
    fn a_refused_configuration_is_shown_with_its_error() {
        let mut board = fixtures::board();
        let error = "config.yaml:3:1: unknown field `intervall`";
        ConfigRefused { error }.emit(&mut board.config);
        let board = SharedBoard::new(board);
        let page = render(&board, "", fixtures::now());
        assert!(page.contains("The latest configuration was refused"));
        assert!(page.contains("unknown field `intervall`"));
    }

    #[test]
    fn a_target_whose_probes_stopped_shows_the_age_of_the_last_one() {
        let late = fixtures::now() + Duration::from_mins(10);
        let page = render(&fixtures::shared(), "", late);
        assert!(page.contains("last probed 10 min ago"), "{page}");
    }
}
