//! Page: the status page: every target on one page, the worst first, without a script.
//!
//! One target at a time is shown in full: the one that the query `?open=NAME` names. The page reloads
//! itself every few seconds, and what a browser opens without a query would be closed again. Every link
//! is relative, so that the page also works behind the proxy of the Kubernetes API server.

pub(crate) mod components;
mod rows;
mod target;

use std::io;
use std::time::SystemTime;

use maud::{DOCTYPE, Markup, html};
use privatelink_board::{Board, SharedBoard};

use self::components::age;
use self::rows::Rows;
use crate::json::summary::Counts;
use crate::pieces::Pieces;
use crate::version::VERSION;

/// The page's style sheet, served beside it.
pub const STYLE: &str = include_str!("page/style.css");

/// The columns of the table of targets.
const COLUMNS: [&str; 5] = ["State", "Target", "What is seen", "Addresses", "For"];

/// How the rows of the table end.
const END_OF_ROWS: &str = "</tbody>";

/// The page of `board`, the target called `open` shown in full. Ages are as of `now`; each row is made
/// only when it is the next.
pub fn in_pieces(board: SharedBoard, open: Option<&str>, now: SystemTime) -> impl Pieces + use<> {
    let frame = frame(&board.lock(), open, now);
    let end = frame.find(END_OF_ROWS).unwrap_or(frame.len());
    let (before, after) = frame.split_at(end);
    PageInPieces {
        before: Some(before.to_owned()),
        rows: Rows::new(board, open, now),
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
        let piece = self
            .before
            .take()
            .or_else(row)
            .or_else(|| self.after.take());
        out.extend_from_slice(piece.as_deref().unwrap_or_default().as_bytes());
        Ok(piece.is_some())
    }
}

/// The page without rows.
fn frame(board: &Board, open: Option<&str>, now: SystemTime) -> String {
    let counts = Counts::of(board);
    let (title, colour) = match counts {
        Counts { fail: 1.., .. } => (format!("{} fail", counts.fail), "c0362c"),
        Counts { warn: 1.., .. } => (format!("{} warn", counts.warn), "b07a00"),
        Counts { pass: 1.., .. } => ("all pass".to_owned(), "2e7d4f"),
        _ => ("nothing probed yet".to_owned(), "777777"),
    };
    // An open target takes longer to read.
    let refresh = if open.is_some() { 30 } else { 10 };
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                title { (title) " · " (board.node) " · privatelink-prober" }
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta http-equiv="refresh" content=(refresh);
                link rel="icon" href=(icon(colour));
                link rel="stylesheet" href="style.css";
            }
            body {
                (header(board, counts, now))
                (refused_configuration(board, now))
                main {
                    @if board.entries.is_empty() {
                        p.notice { "No targets are configured." }
                    } @else {
                        table.targets role="table" {
                            thead role="rowgroup" {
                                tr role="row" {
                                    @for column in COLUMNS {
                                        th role="columnheader" scope="col" { (column) }
                                    }
                                }
                            }
                            tbody role="rowgroup" {}
                        }
                    }
                }
                footer {
                    "Updates every " (refresh) " s · "
                    a href="metrics" { "metrics" } " · "
                    a href="api/v1/targets" { "JSON" } " · "
                    a href="readyz" { "readiness" }
                }
            }
        }
    };
    page.into_string()
}

/// The page's icon, a disc of one colour, as a data URL (RFC 2397).
fn icon(colour: &str) -> String {
    format!(
        "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E\
         %3Ccircle cx='8' cy='8' r='7' fill='%23{colour}'/%3E%3C/svg%3E"
    )
}

fn header(board: &Board, counts: Counts, now: SystemTime) -> Markup {
    let counts = [
        (counts.fail, "fail", "fail"),
        (counts.warn, "warn", "warn"),
        (counts.pass, "pass", "pass"),
        (counts.unknown, "unknown", "not probed yet"),
    ];
    html! {
        header {
            div {
                h1 { "privatelink-prober" }
                p {
                    "as seen from node " strong { (board.node) }
                    " · version " (VERSION) " · up " (age(board.started_at, now))
                }
            }
            ul.counts {
                @for (count, class, word) in counts {
                    @if count > 0 || class != "unknown" {
                        li.(class).zero[count == 0] { strong { (count) } " " (word) }
                    }
                }
            }
        }
    }
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

    fn render(board: &SharedBoard, open: Option<&str>, now: SystemTime) -> String {
        let page = in_pieces(board.clone(), open, now);
        String::from_utf8(page.whole().expect("memory takes all")).expect("UTF-8")
    }

    fn page(open: Option<&str>) -> String {
        let now = fixtures::now() + Duration::from_secs(12);
        render(&fixtures::shared(), open, now)
    }

    #[test]
    fn the_worst_comes_first() {
        let page = page(None);
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
        let page = render(&board, Some("kv-tls.vault.azure.net"), fixtures::now());
        assert!(
            page.contains("CN=&lt;script&gt;alert(1)&lt;/script&gt;\\u{1b}[31m"),
            "{page}"
        );
        assert!(page.contains("&quot;&gt;&lt;img src=x onerror=alert(1)&gt;'&amp;"));
        assert!(!page.contains("<script") && !page.contains("<img"));
        let page = page.replace(&icon("c0362c"), "");
        assert!(
            !page.contains("='"),
            "an apostrophe may stay as it is because attributes stand in double quotes"
        );
        assert!(
            !page.contains("style=\""),
            "the policy refuses inline styles"
        );
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
        let page = render(&board, Some("kv-dev.vault.azure.net"), fixtures::now());
        assert!(
            page.contains("<span class=\"bad\">no reply</span>"),
            "{page}"
        );
    }

    #[test]
    fn only_the_open_target_is_shown_in_full() {
        let closed = page(None);
        assert!(!closed.contains("class=\"more\""));
        let open = page(Some("kv-prod.vault.azure.net"));
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
            page(Some("no-such-target"))
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
        let page = render(&SharedBoard::new(board), Some(&name), fixtures::now());
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
        probed.observation.resolution.servers = fixtures::servers_that_differ();
        board.record(probed.into());
        let board = SharedBoard::new(board);
        let page = render(&board, Some("kv-prod.vault.azure.net"), fixtures::now());
        assert!(page.contains("<h3>Resolution by pod, the path of this verdict</h3>"));
        assert!(page.contains("<h3>Its servers one by one</h3>"));
        assert!(page.contains("<td class=\"ip\">10.0.0.6:53</td><td>timeout</td><td>1</td>"));
        let agreeing = render(&board, Some("kv-dev.vault.azure.net"), fixtures::now());
        assert!(agreeing.contains("<h3>Resolution by pod</h3>"));
        assert!(!agreeing.contains("one by one"));
    }

    #[test]
    fn a_refused_configuration_is_shown_with_its_error() {
        let mut board = fixtures::board();
        let error = "config.yaml:3:1: unknown field `intervall`";
        ConfigRefused { error }.emit(&mut board.config);
        let board = SharedBoard::new(board);
        let page = render(&board, None, fixtures::now());
        assert!(page.contains("The latest configuration was refused"));
        assert!(page.contains("unknown field `intervall`"));
    }

    #[test]
    fn a_target_whose_probes_stopped_shows_the_age_of_the_last_one() {
        let late = fixtures::now() + Duration::from_mins(10);
        let page = render(&fixtures::shared(), None, late);
        assert!(page.contains("last probed 10 min ago"), "{page}");
    }
}
