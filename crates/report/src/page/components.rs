//! Components: the small pieces of HTML that several parts of the page show.

use std::time::{Duration, SystemTime};

use maud::{Markup, Render, display, html};

use crate::json::AddressReport;
use crate::json::enums::{ClosedEnum, Enum};
use crate::time::{long_duration, millis_utc};

/// What stands where there is no value.
pub(crate) const NO_VALUE: &str = "—";

/// An address with its class.
pub(crate) fn address(address: &AddressReport) -> Markup {
    html! {
        span.ip { (display(address.ip)) } " "
        span class={"class " (address.class)} { (address.class) }
    }
}

/// An outcome or a severity as a coloured label; `value` is its CSS class too.
pub(crate) fn state<T: ClosedEnum>(value: Enum<T>) -> Markup {
    html! { span class={"state " (value)} { (value) } }
}

/// How long before `now` something happened: `3 min`.
pub(crate) fn age(time: SystemTime, now: SystemTime) -> String {
    long_duration(now.duration_since(time).unwrap_or(Duration::ZERO))
}

/// The same, with the exact time for machines and for the pointer that rests on it.
pub(crate) fn age_with_time(time: SystemTime, now: SystemTime) -> Markup {
    let utc = millis_utc(time).unwrap_or_default();
    html! { time datetime=(utc) title=(utc) { (age(time, now)) } }
}

/// Seconds, shown in milliseconds; nothing where they are not known.
pub(crate) fn milliseconds(seconds: Option<f64>) -> Markup {
    html! {
        @match seconds {
            Some(seconds) if seconds < 0.01 => (format_args!("{:.1} ms", seconds * 1e3)),
            Some(seconds) => (format_args!("{:.0} ms", seconds * 1e3)),
            None => {}
        }
    }
}

/// Text in which a line may break after a dot within a name, because browsers break long host names
/// nowhere; an IPv4 address or another number is never broken.
pub(crate) struct Breakable<'a>(pub(crate) &'a str);

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
