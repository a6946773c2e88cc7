//! Rows: the body of the table, a row for every target, the worst first.

use std::time::SystemTime;

use maud::{Markup, Render, html};
use privatelink_verdict::verdict::Outcome;

use super::components::{Breakable, address, age, age_with_time};
use super::target::target;
use crate::json::enums::Enum;
use crate::json::summary::is_stale;
use crate::json::{HistoryReport, TargetReport};
use privatelink_board::{Board, Entry};

/// The most addresses that a row shows.
const ADDRESSES: usize = 4;

/// About how long a row is, in bytes.
const ROW_BYTES: usize = 1024;

/// The rows of all targets of `board` at `now`; below the row of the target called `open` stands
/// everything that its latest probe found.
pub(super) struct Rows<'a> {
    pub(super) board: &'a Board,
    pub(super) open: Option<&'a str>,
    pub(super) now: SystemTime,
}

impl Render for Rows<'_> {
    /// Writes row by row into the page, so that all of them are never in memory twice.
    fn render_to(&self, page: &mut String) {
        let mut entries: Vec<_> = self.board.entries.iter().collect();
        entries.sort_by_key(|entry| {
            match entry.latest.as_ref().map(|probed| probed.verdict.outcome) {
                Some(Outcome::Fail) => 0,
                Some(Outcome::Warn) => 1,
                None => 2,
                Some(Outcome::Pass) => 3,
            }
        });
        page.reserve(ROW_BYTES * entries.len());
        for entry in entries {
            self.row(entry).render_to(page);
        }
    }
}

impl Rows<'_> {
    fn row(&self, entry: &Entry) -> Markup {
        let report = TargetReport::new(&entry.target, entry.latest.as_deref());
        let name = &report.target;
        let open = self.open == Some(name);
        let (class, state) = match report.outcome {
            Some(Enum(Outcome::Fail)) => ("fail", "Fail"),
            Some(Enum(Outcome::Warn)) => ("warn", "Warn"),
            Some(Enum(Outcome::Pass)) => ("pass", "Pass"),
            None => ("unknown", "—"),
        };
        html! {
            tr.(class).open[open] id={"t-" (name)} role="row" {
                td role="cell" { span.state.(class) { (state) } }
                th role="rowheader" scope="row" {
                    @if open {
                        a href="./" aria-expanded="true" { (Breakable(name)) }
                    } @else {
                        a href={"?open=" (name) "#t-" (name)} aria-expanded="false" { (Breakable(name)) }
                    }
                    small {
                        @if *name == report.host { "port " } @else { (Breakable(&report.host)) ":" }
                        (report.port) " · " (report.service)
                    }
                }
                td role="cell" { (self.verdict(entry, &report)) }
                td role="cell" { (addresses(&report)) }
                td.since role="cell" {
                    @if let Some(change) = entry.transitions.back() { (age_with_time(change.at, self.now)) }
                }
            }
            @if open {
                tr.more role="row" {
                    td role="cell" colspan="5" { (target(&report, &HistoryReport::from(entry))) }
                }
            }
        }
    }

    fn verdict(&self, entry: &Entry, report: &TargetReport) -> Markup {
        let (Some(outcome), Some(reason)) = (report.outcome, report.reason) else {
            return html! { p.quiet { "Not probed yet." } };
        };
        let last = entry
            .latest
            .as_ref()
            .map(|probed| probed.observation.checked_at);
        html! {
            @if outcome.0 != Outcome::Pass { code.reason { (reason) } }
            @if is_stale(entry, self.now) {
                code.reason.warn { "last probed " (age(last.unwrap_or(entry.since), self.now)) " ago" }
            }
            p { (Breakable(report.summary.as_deref().unwrap_or_default())) }
            @if let Some(remedy) = &report.remedy { p.remedy { (remedy) } }
        }
    }
}

/// The addresses of the answer, or why there are none.
fn addresses(report: &TargetReport) -> Markup {
    let Some(dns) = &report.dns else {
        return Markup::default();
    };
    let outcome = dns.queries.iter().map(|query| query.outcome.0).min();
    html! {
        @if dns.addresses.is_empty() {
            span.quiet { "none: " (outcome.map_or("not asked", |outcome| outcome.as_str())) }
        } @else {
            ul.addresses {
                @for one in dns.addresses.iter().take(ADDRESSES) { li { (address(one)) } }
                @if dns.addresses.len() > ADDRESSES {
                    li.quiet { "and " (dns.addresses.len() - ADDRESSES) " more" }
                }
            }
        }
    }
}
