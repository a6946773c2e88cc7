//! View: what a URL asks of a page: which targets it shows, which of them in full, and by what nodes are
//! grouped. So a link that is shared shows the same to everybody, with and without scripts.

use std::collections::{BTreeMap, BTreeSet};

use form_urlencoded::{Serializer, parse};
use maud::{Markup, html};

use super::components::{label, sign};

/// What a URL asks of a page. A text is empty where nothing is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// Words, all of which a shown target has somewhere in its row.
    pub words: String,
    /// The outcome of the shown targets, `unknown` for those that were not probed.
    pub outcome: String,
    /// A reason that the shown targets have.
    pub reason: String,
    /// The owner of the shown targets.
    pub owner: String,
    /// By what nodes are grouped.
    pub by: String,
    /// The target that is shown in full, by name.
    pub open: String,
}

/// What a view looks at in a target.
pub(crate) struct Shown<'a> {
    pub(crate) outcome: &'a str,
    pub(crate) reasons: &'a [&'a str],
    pub(crate) owner: &'a str,
    /// What its row says.
    pub(crate) texts: &'a [&'a str],
}

/// What there is to choose from, and how many targets have it.
#[derive(Debug, Default)]
pub(crate) struct Choices<'a> {
    pub(crate) outcomes: [u64; OUTCOMES.len()],
    pub(crate) reasons: BTreeMap<&'a str, u64>,
    pub(crate) owners: BTreeSet<&'a str>,
}

/// The outcomes, the worst first, and what people call them.
pub(crate) const OUTCOMES: [(&str, &str); 4] = [
    ("fail", "fail"),
    ("warn", "warn"),
    ("unknown", "not probed"),
    ("pass", "pass"),
];

impl Choices<'_> {
    /// Counts a target.
    pub(crate) fn count(&mut self, outcome: &str) {
        let at = OUTCOMES.iter().position(|(known, _)| *known == outcome);
        if let Some(count) = at.and_then(|at| self.outcomes.get_mut(at)) {
            *count += 1;
        }
    }
}

impl View {
    /// The word that groups nodes that agree on every target.
    pub const AGREEMENT: &str = "agreement";

    /// What the query of a URL asks.
    pub fn of_url(query: &str) -> Self {
        let mut view = Self::default();
        for (key, value) in parse(query.as_bytes()) {
            let Some((_, field)) = view.fields_mut().into_iter().find(|(name, _)| *name == key)
            else {
                continue;
            };
            *field = value.into_owned();
        }
        view
    }

    fn fields_mut(&mut self) -> [(&'static str, &mut String); 6] {
        let Self {
            words,
            outcome,
            reason,
            owner,
            by,
            open,
        } = self;
        [
            ("q", words),
            ("outcome", outcome),
            ("reason", reason),
            ("owner", owner),
            ("by", by),
            ("open", open),
        ]
    }

    /// By what nodes are grouped where the fleet has it.
    pub fn by(&self) -> &str {
        if self.by.is_empty() { "pool" } else { &self.by }
    }

    /// A link to this view with one field changed.
    pub(crate) fn link(&self, field: &str, value: &str) -> String {
        let mut changed = self.clone();
        let mut url = Serializer::for_suffix("?".to_owned(), 1);
        for (name, text) in changed.fields_mut() {
            let text = if name == field { value } else { text };
            if !text.is_empty() {
                url.append_pair(name, text);
            }
        }
        url.finish()
    }

    /// Whether it shows a target.
    pub(crate) fn shows(&self, target: &Shown<'_>) -> bool {
        let is_any = |asked: &str, there: &str| asked.is_empty() || asked == there;
        is_any(&self.outcome, target.outcome)
            && is_any(&self.owner, target.owner)
            && (self.reason.is_empty() || target.reasons.contains(&self.reason.as_str()))
            && self.has_words(target.texts)
    }

    fn has_words(&self, texts: &[&str]) -> bool {
        if self.words.is_empty() {
            return true;
        }
        let row = texts.join(" ").to_lowercase();
        let words = self.words.to_lowercase();
        words.split_whitespace().all(|word| row.contains(word))
    }
}

/// The counts by outcome, each a link that shows these targets alone.
pub(crate) fn counts(view: &View, choices: &Choices<'_>) -> Markup {
    html! {
        ul.counts {
            @for ((outcome, word), count) in OUTCOMES.iter().zip(choices.outcomes) {
                @if count > 0 || *outcome != "unknown" {
                    @let on = view.outcome == *outcome;
                    li {
                        a.(if count == 0 { "zero" } else { *outcome }) data-soft
                            href=(view.link("outcome", if on { "" } else { outcome }))
                            aria-current=[on.then_some("true")]
                        {
                            span aria-hidden="true" { (sign(outcome)) " " } strong { (count) } " " (word)
                        }
                    }
                }
            }
        }
    }
}

/// The form that chooses what is shown. Without scripts it asks the server.
pub(crate) fn filter(view: &View, choices: &Choices<'_>) -> Markup {
    html! {
        form #filter role="search" aria-label="Filter the targets" {
            label { "Text" input type="search" name="q" value=(view.words) autocomplete="off" spellcheck="false"; }
            label {
                "Outcome"
                select name="outcome" {
                    option value="" { "any" }
                    @for (outcome, word) in OUTCOMES {
                        option value=(outcome) selected[view.outcome == outcome] { (word) }
                    }
                }
            }
            label {
                "Reason"
                select name="reason" {
                    option value="" { "any" }
                    @for (reason, count) in &choices.reasons {
                        option value=(reason) selected[view.reason == *reason] { (reason) " (" (count) ")" }
                    }
                    @if !view.reason.is_empty() && !choices.reasons.contains_key(view.reason.as_str()) {
                        option value=(view.reason) selected { (view.reason) " (0)" }
                    }
                }
            }
            @if !choices.owners.is_empty() || !view.owner.is_empty() {
                label {
                    "Owner"
                    select name="owner" {
                        option value="" { "any" }
                        @for owner in &choices.owners {
                            option value=(owner) selected[view.owner == *owner] { (owner) }
                        }
                        @if !view.owner.is_empty() && !choices.owners.contains(view.owner.as_str()) {
                            option value=(view.owner) selected { (view.owner) }
                        }
                    }
                }
            }
            @for (name, value) in [("by", &view.by), ("open", &view.open)] {
                @if !value.is_empty() { input type="hidden" name=(name) value=(value); }
            }
            button.no-script { "Filter" }
            a data-soft href=(View { open: view.open.clone(), by: view.by.clone(), ..View::default() }.link("", "")) {
                "Show all"
            }
            span #shown role="status" data-own {}
        }
    }
}

/// What stands below the rows where none of them is shown.
pub(crate) fn none_shown(shown: usize) -> Markup {
    html! { p #none.notice hidden[shown > 0] { "No target is as the filter asks." } }
}

/// That a link leads to a target that is not there.
pub(crate) fn not_there<'a>(name: &str, near: impl Iterator<Item = &'a str>) -> Markup {
    html! {
        p.notice.warn {
            (label("warn", "Not here")) " No target is called " code { (name) } "."
            @for (index, near) in near.enumerate() {
                @if index == 0 { " Perhaps: " } @else { ", " }
                a data-soft href={"?open=" (near)} { (near) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: Shown<'_> = Shown {
        outcome: "fail",
        reasons: &["public_fallback", "resolver_disagreement"],
        owner: "payments",
        texts: &["fail", "kv-prod.vault.azure.net", "payments"],
    };

    fn shows(query: &str) -> bool {
        View::of_url(query).shows(&TARGET)
    }

    #[test]
    fn a_target_is_shown_that_is_all_that_is_asked_for() {
        assert!(shows("") && shows("outcome=fail&reason=public_fallback&owner=payments"));
        assert!(
            shows("reason=resolver_disagreement"),
            "not only the primary one"
        );
        assert!(shows("q=KV-prod++pay"), "every word, in any order and case");
        for other in ["outcome=warn", "reason=public", "owner=pay", "q=kv-prod+no"] {
            assert!(!shows(other), "{other}");
        }
    }

    #[test]
    fn a_link_keeps_what_else_is_asked() {
        let view = View::of_url("q=kv+%26&outcome=fail&nonsense=1");
        assert_eq!(
            view.link("open", "kv-prod:443"),
            "?q=kv+%26&outcome=fail&open=kv-prod%3A443"
        );
        assert_eq!(view.link("outcome", ""), "?q=kv+%26");
        assert_eq!(View::default().link("", ""), "?");
    }
}
