//! Rows: the body of the table, a row for every target, the worst first.

use std::fmt::Write as _;
use std::time::SystemTime;

use maud::{Markup, html};
use privatelink_verdict::verdict::Outcome;

use super::causes::reasons_of;
use super::components::{Breakable, address, age, age_with_time, label};
use super::stages::state_of_address;
use super::target::target;
use super::view::{Shown, View};
use crate::json::summary::is_stale;
use crate::json::{HistoryReport, TargetReport};
use crate::walk::Walk;
use privatelink_board::{Entry, SharedBoard};

/// The most addresses that a row shows.
const ADDRESSES: usize = 4;

/// The rows of all targets; below the row of the one that is open stands everything that its latest
/// probe found. Those that the view does not show are hidden, so that a script can show them at once.
#[derive(Debug)]
pub(super) struct Rows {
    walk: Walk,
    style: RowStyle,
    /// How many were shown so far.
    pub(super) shown: usize,
}

/// What all rows have in common.
#[derive(Debug)]
struct RowStyle {
    view: View,
    now: SystemTime,
}

impl Rows {
    /// The rows of the targets of `board` at `now`.
    pub(super) fn new(board: SharedBoard, view: View, now: SystemTime) -> Self {
        let worst_first = |entry: &Entry| match entry.latest.as_ref().map(|it| it.verdict.outcome) {
            Some(Outcome::Fail) => 0,
            Some(Outcome::Warn) => 1,
            None => 2,
            Some(Outcome::Pass) => 3,
        };
        Self {
            walk: Walk::by_key(board, worst_first),
            style: RowStyle { view, now },
            shown: 0,
        }
    }

    /// The next row.
    pub(super) fn next(&mut self) -> Option<Markup> {
        let (row, is_shown) = self.walk.next(|entry| self.style.row(entry))?;
        self.shown += usize::from(is_shown);
        Some(row)
    }
}

impl RowStyle {
    /// The row of `entry`, and whether it is shown.
    fn row(&self, entry: &Entry) -> (Markup, bool) {
        let report = TargetReport::new(&entry.target, entry.latest.as_deref());
        let name = &report.target;
        let open = self.view.open == *name;
        let state = report
            .outcome
            .map_or("unknown", |outcome| outcome.0.as_str());
        let reasons: Vec<&str> = reasons_of(entry)
            .iter()
            .map(|reason| reason.as_str())
            .collect();
        let owner = entry.target.owner.as_deref().unwrap_or_default();
        let is_shown = self.is_shown(&report, state, &reasons, owner);
        let link = self.view.link("open", if open { "" } else { name });
        let row = html! {
            tbody #{ "t-" (name) } .row.open[open] role="rowgroup" hidden[!is_shown]
                data-name=(name) data-outcome=(state) data-reasons=(reasons.join(" ")) data-owner=(owner)
            {
                tr.(state) role="row" {
                    td role="cell" { (label(state, if state == "unknown" { "not probed" } else { state })) }
                    th role="rowheader" scope="row" {
                        a data-soft href={ (link) "#t-" (name) } aria-expanded=(if open { "true" } else { "false" }) { (Breakable(name)) }
                        small {
                            @if *name == report.host { "port " } @else { (Breakable(&report.host)) ":" }
                            (report.port) " · " (report.service)
                            @if !owner.is_empty() { " · owner " (owner) }
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
                        td role="cell" colspan="5" { div { (target(&report, &HistoryReport::from(entry))) } }
                    }
                }
            }
        };
        (row, is_shown)
    }

    fn is_shown(
        &self,
        report: &TargetReport,
        outcome: &str,
        reasons: &[&str],
        owner: &str,
    ) -> bool {
        let mut addresses = String::new();
        for address in report
            .dns
            .iter()
            .flat_map(|dns| dns.addresses.iter().take(ADDRESSES))
        {
            let _ = write!(addresses, "{} {} ", address.ip, address.class.0);
        }
        self.view.shows(&Shown {
            outcome,
            reasons,
            owner,
            texts: &[
                outcome,
                &report.target,
                &report.host,
                &report.service,
                owner,
                &reasons.join(" "),
                report.summary.as_deref().unwrap_or_default(),
                report.remedy.as_deref().unwrap_or_default(),
                &addresses,
            ],
        })
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
            p {
                @if outcome.0 != Outcome::Pass { code.reason { (reason) } " " }
                @if is_stale(entry, self.now) {
                    code.reason.warn { "last probed " (age(last.unwrap_or(entry.since), self.now)) " ago" } " "
                }
                (Breakable(report.summary.as_deref().unwrap_or_default()))
            }
            @if let Some(remedy) = &report.remedy { p.remedy { (remedy) } }
            @if let Some(users) = report.users.as_ref().filter(|_| outcome.0 != Outcome::Pass) {
                p.quiet { "Hurts " (Breakable(&users.summary)) }
            }
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
                @for one in dns.addresses.iter().take(ADDRESSES) {
                    li { (address(one, state_of_address(one, report))) }
                }
                @if dns.addresses.len() > ADDRESSES {
                    li.quiet { "and " (dns.addresses.len() - ADDRESSES) " more" }
                }
            }
        }
    }
}
