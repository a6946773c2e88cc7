//! Page: the status page: every target on one page, the worst first, without a script.
//!
//! One target at a time is shown in full, named by the query `?open=NAME`: the page refreshes
//! itself, which would close whatever only the browser had opened. Every link is relative, so that
//! the page also works behind the API server's proxy.

mod detail;
mod markup;

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use privatelink_verdict::verdict::Outcome;

use self::markup::{Breakable, Chip, Text};
use crate::json::summary::{Counts, is_stale};
use crate::json::{HistoryReport, TargetReport, VERSION};
use crate::text::{long_duration, millis_utc, sentence};
use privatelink_board::{Board, Entry};

/// The page's style sheet, served beside it.
pub const STYLE: &str = include_str!("page/style.css");

/// The most addresses that a row shows.
const ADDRESSES: usize = 4;

/// The page as `board` stands at `now`, the target called `open` shown in full.
pub fn render(board: &Board, open: Option<&str>, now: SystemTime) -> String {
    let mut page = Page {
        html: String::with_capacity(4096 + 1024 * board.entries.len()),
        open,
        now,
    };
    page.document(board);
    page.html
}

struct Page<'a> {
    html: String,
    open: Option<&'a str>,
    now: SystemTime,
}

/// Writes HTML. Writing to a string cannot fail.
macro_rules! html {
    ($page:expr, $($format:tt)+) => {
        let _ = write!($page.html, $($format)+);
    };
}
use html;

impl Page<'_> {
    fn document(&mut self, board: &Board) {
        let counts = Counts::of(board);
        let node = Text(&board.node);
        // Somebody reads what is open: give them time.
        let refresh = if self.open.is_some() { 30 } else { 10 };
        let (title, icon) = match counts {
            Counts { fail: 1.., .. } => (format!("{} fail", counts.fail), "%23c0362c"),
            Counts { warn: 1.., .. } => (format!("{} warn", counts.warn), "%23b07a00"),
            Counts { pass: 1.., .. } => ("all pass".to_owned(), "%232e7d4f"),
            _ => ("nothing probed yet".to_owned(), "%23777777"),
        };
        html!(
            self,
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <title>{title} · {node} · privatelink-prober</title>\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <meta http-equiv=\"refresh\" content=\"{refresh}\">\n\
             <link rel=\"icon\" href=\"data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' \
             viewBox='0 0 16 16'%3E%3Ccircle cx='8' cy='8' r='7' fill='{icon}'/%3E%3C/svg%3E\">\n\
             <link rel=\"stylesheet\" href=\"style.css\">\n</head>\n<body>\n"
        );
        self.header(board, counts);
        self.html.push_str("<main>\n");
        if board.entries.is_empty() {
            self.html
                .push_str("<p class=\"notice\">No targets are configured.</p>\n");
        } else {
            self.table(board);
        }
        html!(
            self,
            "</main>\n<footer>Updates every {refresh} s · <a href=\"metrics\">metrics</a> · \
             <a href=\"api/v1/targets\">JSON</a> · <a href=\"readyz\">readiness</a></footer>\n\
             </body>\n</html>\n"
        );
    }

    fn header(&mut self, board: &Board, counts: Counts) {
        let up = self.ago(board.started_at);
        let node = Text(&board.node);
        html!(
            self,
            "<header>\n<div><h1>privatelink-prober</h1>\n\
             <p>as seen from node <strong>{node}</strong> · version {VERSION} · up {up}</p></div>\n\
             <ul class=\"counts\">"
        );
        for (count, class, word) in [
            (counts.fail, "fail", "fail"),
            (counts.warn, "warn", "warn"),
            (counts.pass, "pass", "pass"),
            (counts.unknown, "unknown", "not probed yet"),
        ] {
            let zero = if count == 0 { " zero" } else { "" };
            if count > 0 || class != "unknown" {
                html!(
                    self,
                    "<li class=\"{class}{zero}\"><strong>{count}</strong> {word}</li>"
                );
            }
        }
        self.html.push_str("</ul>\n</header>\n");
        if !board.config.last_reload_ok {
            let error = board.config.error.as_deref().unwrap_or("no detail");
            let since = self.ago(board.config.last_success_at);
            html!(
                self,
                "<section class=\"notice fail\"><h2>The latest configuration was refused</h2>\n\
                 <p>The one loaded {since} ago goes on.</p><pre>{}</pre></section>\n",
                Text(&sentence_lines(error))
            );
        }
    }

    fn table(&mut self, board: &Board) {
        self.html.push_str(
            "<table role=\"table\" class=\"targets\">\n<thead role=\"rowgroup\"><tr role=\"row\">\
             <th role=\"columnheader\" scope=\"col\">State</th>\
             <th role=\"columnheader\" scope=\"col\">Target</th>\
             <th role=\"columnheader\" scope=\"col\">What is seen</th>\
             <th role=\"columnheader\" scope=\"col\">Addresses</th>\
             <th role=\"columnheader\" scope=\"col\">For</th></tr></thead>\n\
             <tbody role=\"rowgroup\">\n",
        );
        let mut entries: Vec<_> = board.entries.iter().collect();
        entries.sort_by_key(|entry| {
            match entry.latest.as_ref().map(|probed| probed.verdict.outcome) {
                Some(Outcome::Fail) => 0,
                Some(Outcome::Warn) => 1,
                None => 2,
                Some(Outcome::Pass) => 3,
            }
        });
        for entry in entries {
            self.row(entry);
        }
        self.html.push_str("</tbody>\n</table>\n");
    }

    fn row(&mut self, entry: &Entry) {
        let report = TargetReport::new(&entry.target, entry.latest.as_deref());
        let open = self.open == Some(&*report.target);
        let (class, word) = match report.outcome.map(|word| word.0) {
            Some(Outcome::Fail) => ("fail", "Fail"),
            Some(Outcome::Warn) => ("warn", "Warn"),
            Some(Outcome::Pass) => ("pass", "Pass"),
            None => ("unknown", "—"),
        };
        let name = Text(&report.target);
        let href = if open {
            "./".to_owned()
        } else {
            format!("?open={name}#t-{name}")
        };
        html!(
            self,
            "<tr role=\"row\" class=\"{class}{}\" id=\"t-{name}\">\
             <td role=\"cell\"><span class=\"state {class}\">{word}</span></td>\
             <th role=\"rowheader\" scope=\"row\"><a href=\"{href}\" aria-expanded=\"{open}\">{}</a>\
             <small>",
            if open { " open" } else { "" },
            Breakable(&report.target),
        );
        if report.target == report.host {
            html!(self, "port {}", report.port);
        } else {
            html!(self, "{}:{}", Breakable(&report.host), report.port);
        }
        html!(
            self,
            " · {}</small></th><td role=\"cell\">",
            Text(&report.service)
        );
        self.story(entry, &report);
        self.html.push_str("</td><td role=\"cell\">");
        self.addresses(&report);
        self.html
            .push_str("</td><td role=\"cell\" class=\"since\">");
        if let Some(transition) = entry.transitions.back() {
            self.time(transition.at);
        }
        self.html.push_str("</td></tr>\n");
        if open {
            self.html
                .push_str("<tr role=\"row\" class=\"more\"><td role=\"cell\" colspan=\"5\">\n");
            self.detail(&report, &HistoryReport::from(entry));
            self.html.push_str("</td></tr>\n");
        }
    }

    fn story(&mut self, entry: &Entry, report: &TargetReport) {
        let Some(reason) = report.reason else {
            self.html.push_str("<p class=\"quiet\">Not probed yet.</p>");
            return;
        };
        if report.outcome.map(|word| word.0) != Some(Outcome::Pass) {
            html!(self, "<code class=\"reason\">{}</code>", reason.0);
        }
        if is_stale(entry, self.now) {
            let checked = entry
                .latest
                .as_ref()
                .map(|probed| probed.observation.checked_at);
            let ago = self.ago(checked.unwrap_or(entry.since));
            html!(
                self,
                "<code class=\"reason warn\">last probed {ago} ago</code>"
            );
        }
        let summary = report.summary.as_deref().unwrap_or_default();
        html!(self, "<p>{}</p>", Breakable(summary));
        if let Some(remedy) = &report.remedy {
            html!(self, "<p class=\"remedy\">{}</p>", Text(remedy));
        }
    }

    fn addresses(&mut self, report: &TargetReport) {
        let Some(dns) = &report.dns else { return };
        if dns.addresses.is_empty() {
            let outcome = dns.queries.iter().map(|query| query.outcome.0).min();
            let outcome = outcome.map_or("not asked", |outcome| outcome.as_str());
            html!(self, "<span class=\"quiet\">none: {outcome}</span>");
            return;
        }
        self.html.push_str("<ul class=\"addresses\">");
        for address in dns.addresses.iter().take(ADDRESSES) {
            html!(self, "<li>{}</li>", Chip(address));
        }
        if dns.addresses.len() > ADDRESSES {
            let more = dns.addresses.len() - ADDRESSES;
            html!(self, "<li class=\"quiet\">and {more} more</li>");
        }
        self.html.push_str("</ul>");
    }

    fn ago(&self, time: SystemTime) -> String {
        let age = self.now.duration_since(time).unwrap_or(Duration::ZERO);
        long_duration(age)
    }

    fn time(&mut self, time: SystemTime) {
        let ago = self.ago(time);
        let utc = millis_utc(time).unwrap_or_default();
        html!(
            self,
            "<time datetime=\"{utc}\" title=\"{utc}\">{ago}</time>"
        );
    }
}

/// A message of several lines, each made safe to show.
fn sentence_lines(text: &str) -> String {
    let lines = text.lines().take(40).map(sentence);
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use privatelink_verdict::observation::{NoReply, ServiceReply};

    use super::*;
    use crate::events::ConfigRefused;
    use privatelink_board::fixtures;
    use privatelink_verdict::fact::Fact;

    fn page(open: Option<&str>) -> String {
        render(
            &fixtures::board(),
            open,
            fixtures::now() + Duration::from_secs(12),
        )
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
        let page = render(&board, Some("kv-tls.vault.azure.net"), fixtures::now());
        assert!(
            page.contains("CN=&lt;script&gt;alert(1)&lt;/script&gt;\\u{1b}[31m"),
            "{page}"
        );
        assert!(page.contains("&quot;&gt;&lt;img src=x onerror=alert(1)&gt;&#39;&amp;"));
        assert!(!page.contains("<script") && !page.contains("<img"));
        assert!(
            !page.contains("style=\""),
            "the policy refuses inline styles"
        );
    }

    #[test]
    fn what_the_service_itself_said_is_shown() {
        let mut board = fixtures::board();
        let mut asked = fixtures::healthy();
        asked.observation.connections[0].service = Some(ServiceReply {
            reply: Err(NoReply::Timeout),
            checked_at: fixtures::now(),
        });
        board.record(asked.into());
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
            "az network private-dns link vnet list --zone-name privatelink.vaultcore.azure.net",
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
    fn a_target_whose_paths_differ_names_the_one_it_is_judged_by_and_shows_each_server() {
        let mut board = fixtures::board();
        let mut probed = fixtures::public_fallback();
        probed.observation.resolution.servers = fixtures::servers_that_differ();
        board.record(probed.into());
        let page = render(&board, Some("kv-prod.vault.azure.net"), fixtures::now());
        assert!(page.contains("<h3>Resolution by pod, the path of this verdict</h3>"));
        assert!(page.contains("<h3>Its servers one by one</h3>"));
        assert!(page.contains("<td class=\"ip\">10.0.0.6:53</td><td>timeout</td><td>1</td>"));
        let agreeing = render(&board, Some("kv-dev.vault.azure.net"), fixtures::now());
        assert!(agreeing.contains("<h3>Resolution by pod</h3>"));
        assert!(!agreeing.contains("one by one"));
    }

    #[test]
    fn a_refused_configuration_is_impossible_to_miss() {
        let mut board = fixtures::board();
        let error = "config.yaml:3:1: unknown field `intervall`";
        ConfigRefused { error }.emit(&mut board.config);
        let page = render(&board, None, fixtures::now());
        assert!(page.contains("The latest configuration was refused"));
        assert!(page.contains("unknown field `intervall`"));
    }

    #[test]
    fn a_target_that_is_not_probed_any_more_says_so() {
        let late = fixtures::now() + Duration::from_mins(10);
        let page = render(&fixtures::board(), None, late);
        assert!(page.contains("last probed 10 min ago"), "{page}");
    }
}
