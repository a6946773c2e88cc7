//! Components: the small pieces of HTML that several parts of the pages show.

use std::time::{Duration, SystemTime};

use maud::{Markup, Render, display, html};

use crate::json::AddressReport;
use crate::json::enums::{ClosedEnum, Enum};
use crate::time::{long_duration, millis_utc};

/// What stands where there is no value.
pub(crate) const NO_VALUE: &str = "—";

/// The sign of a state, so that no colour has to be seen. States are `fail`, `warn`, `pass`, `info`, and
/// `unknown` for all others.
pub(crate) fn sign(state: &str) -> &'static str {
    match state {
        "fail" => "✗",
        "warn" => "!",
        "pass" => "✓",
        "info" => "i",
        _ => "–",
    }
}

/// A state as a coloured label with its sign, called `word`.
pub fn label(state: &str, word: &str) -> Markup {
    html! {
        span class={"state " (state)} { span aria-hidden="true" { (sign(state)) } " " (word) }
    }
}

/// An outcome or a severity as a label.
pub(crate) fn state<T: ClosedEnum>(value: Enum<T>) -> Markup {
    label(value.0.word(), value.0.word())
}

/// An address with its class, and whether that is what it should be: `pass`, `fail`, or empty.
pub(crate) fn address(address: &AddressReport, state: &str) -> Markup {
    html! {
        span.ip { (display(address.ip)) } " "
        span class={"class " (state)} {
            @if !state.is_empty() { span aria-hidden="true" { (sign(state)) } " " }
            (address.class)
        }
    }
}

/// How long before `now` something happened: `3 min`.
pub fn age(time: SystemTime, now: SystemTime) -> String {
    long_duration(now.duration_since(time).unwrap_or(Duration::ZERO))
}

/// The same, with the exact time for machines and for the pointer that rests on it.
pub fn age_with_time(time: SystemTime, now: SystemTime) -> Markup {
    let utc = millis_utc(time).unwrap_or_default();
    html! { time datetime=(utc) title=(utc) { (age(time, now)) } }
}

/// Seconds, shown in milliseconds; nothing where they are not known.
pub(crate) fn milliseconds(seconds: Option<f64>) -> Markup {
    html! {
        @match seconds {
            Some(seconds) if seconds < 0.01 => (format_args!("{:.1}\u{a0}ms", seconds * 1e3)),
            Some(seconds) => (format_args!("{:.0}\u{a0}ms", seconds * 1e3)),
            None => {}
        }
    }
}

/// A command that can be copied.
pub(crate) fn command(command: &str) -> Markup {
    html! { pre.command { code { (command) } } }
}

/// A table of details. On a narrow screen its cells stand below one another, each after its column's name.
pub fn table<T, const N: usize>(
    title: &str,
    columns: [&str; N],
    items: impl IntoIterator<Item = T>,
    row: impl Fn(T) -> [Markup; N],
) -> Markup {
    html! {
        h3 { (title) }
        table.facts role="table" {
            thead role="rowgroup" {
                tr role="row" { @for column in columns { th role="columnheader" scope="col" { (column) } } }
            }
            tbody role="rowgroup" {
                @for item in items {
                    tr role="row" {
                        @for (column, cell) in columns.iter().zip(row(item)) {
                            td role="cell" data-label=(column) { div { (cell) } }
                        }
                    }
                }
            }
        }
    }
}

/// Text in which a line may break after a dot within a name, because browsers break long host names
/// nowhere; an IPv4 address or another number is never broken.
#[derive(Debug)]
pub struct Breakable<'a>(pub &'a str);

impl Render for Breakable<'_> {
    fn render_to(&self, html: &mut String) {
        let mut rest = self.0;
        while let Some((part, after)) = rest.split_once('.') {
            let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
            let in_number = digit(part.chars().next_back()) && digit(after.chars().next());
            let within_name = after.starts_with(|c: char| !c.is_whitespace());
            part.render_to(html);
            html.push_str(if within_name && !in_number {
                ".<wbr>"
            } else {
                "."
            });
            rest = after;
        }
        rest.render_to(html);
    }
}

impl<T: ClosedEnum> Render for Enum<T> {
    fn render_to(&self, html: &mut String) {
        self.0.word().render_to(html);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_may_break_and_an_address_may_not() {
        let shown = |text| Breakable(text).render().into_string();
        assert_eq!(
            shown("kv-1.vault.azure.net at 10.1.2.3: 4.6 ms."),
            "kv-1.<wbr>vault.<wbr>azure.<wbr>net at 10.1.2.3: 4.6 ms."
        );
        assert_eq!(shown("a<b.c"), "a&lt;b.<wbr>c");
    }
}
