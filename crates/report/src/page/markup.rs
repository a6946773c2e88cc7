//! Markup: what the wire said, as it may stand in the page.

use std::fmt;

use crate::json::AddressReport;

/// Text that stands in HTML as itself, in an attribute as well as between tags.
pub(super) struct Text<'a>(pub(super) &'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(['&', '<', '>', '"', '\'']) {
            f.write_str(&rest[..at])?;
            f.write_str(match rest.as_bytes()[at] {
                b'&' => "&amp;",
                b'<' => "&lt;",
                b'>' => "&gt;",
                b'"' => "&quot;",
                _ => "&#39;",
            })?;
            rest = &rest[at + 1..];
        }
        f.write_str(rest)
    }
}

/// An address with its class.
pub(super) struct Chip<'a>(pub(super) &'a AddressReport);

impl fmt::Display for Chip<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ip, class) = (self.0.ip, self.0.class.0);
        write!(
            f,
            "<span class=\"ip\">{ip}</span> <span class=\"class {class}\">{class}</span>"
        )
    }
}

/// Text whose long names may break after a dot; an IPv4 address or another number may not.
pub(super) struct Breakable<'a>(pub(super) &'a str);

impl fmt::Display for Breakable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some((part, after)) = rest.split_once('.') {
            let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
            let in_number = digit(part.chars().next_back()) && digit(after.chars().next());
            let within_name = after.starts_with(|c: char| !c.is_whitespace());
            let dot = if within_name && !in_number {
                ".<wbr>"
            } else {
                "."
            };
            write!(f, "{}{dot}", Text(part))?;
            rest = after;
        }
        Text(rest).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_may_break_and_an_address_may_not() {
        let shown = |text| Breakable(text).to_string();
        assert_eq!(
            shown("kv-1.vault.azure.net at 10.1.2.3: 4.6 ms."),
            "kv-1.<wbr>vault.<wbr>azure.<wbr>net at 10.1.2.3: 4.6 ms."
        );
        assert_eq!(shown("a<b.c"), "a&lt;b.<wbr>c");
    }
}
