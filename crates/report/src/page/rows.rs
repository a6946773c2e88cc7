//! Rows: the body of the table, a row for every target, the worst first.

use std::time::SystemTime;

use maud::{Markup, html};
use privatelink_verdict::verdict::Outcome;

use super::components::{Breakable, address, age, age_with_time};
use super::target::target;
use crate::json::enums::Enum;
use crate::json::summary::is_stale;
use crate::json::{HistoryReport, TargetReport};
use crate::walk::Walk;
use privatelink_board::{Entry, SharedBoard};

/// The most addresses that a row shows.
const ADDRESSES: usize = 4;

/// The rows of all targets; below the row of the one that is open stands everything that its latest
/// probe found.
#[derive(Debug)]
pub(super) struct Rows {
    walk: Walk,
    style: RowStyle,
}

/// What all rows have in common.
#[derive(Debug)]
struct RowStyle {
    /// The target that is shown in full, by name.
    open: Option<String>,
    now: SystemTime,
}

impl Rows {
    /// The rows of the targets of `board` at `now`.
    pub(super) fn new(board: SharedBoard, open: Option<&str>, now: SystemTime) -> Self {
        let worst_first = |entry: &Entry| match entry.latest.as_ref().map(|it| it.verdict.outcome) {
            Some(Outcome::Fail) => 0,
            Some(Outcome::Warn) => 1,
            None => 2,
            Some(Outcome::Pass) => 3,
        };
        Self {
            walk: Walk::by_key(board, worst_first),
            style: RowStyle {
                open: open.map(str::to_owned),
                now,
            },
        }
    }

    /// The next row.
    pub(super) fn next(&mut self) -> Option<Markup> {
        self.walk.next(|entry| self.style.row(entry))
    }
}

impl RowStyle {
    fn row(&self, entry: &Entry) -> Markup {
        let report = TargetReport::new(&entry.target, entry.latest.as_deref());
        let name = &report.target;
        let open = self.open.as_ref() == Some(name);
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
