//! Span: a length of time as data files write it, such as `300ms`, `-2d` or `+36h`.

use std::time::Duration;

use serde::Deserialize;

/// A signed length of time, in milliseconds. Relative to now where it means a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Span(i64);

impl Span {
    pub(super) const fn days(days: i64) -> Self {
        Self(days * 86_400_000)
    }

    pub(super) const fn seconds(self) -> i64 {
        self.0 / 1000
    }

    /// The span without its sign.
    pub(super) const fn length(self) -> Duration {
        Duration::from_millis(self.0.unsigned_abs())
    }
}

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || {
            format!("`{text}` is no span of time: write it as `300ms`, `10s`, `5m`, `36h` or `-2d`")
        };
        let unsigned = text.trim_start_matches(['+', '-']);
        let sign = if text.starts_with('-') { -1 } else { 1 };
        let digits = unsigned
            .find(|c: char| !c.is_ascii_digit())
            .ok_or_else(wrong)?;
        let (number, unit) = unsigned.split_at(digits);
        let unit = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(wrong()),
        };
        let number: i64 = number.parse().map_err(|_| wrong())?;
        number.checked_mul(sign * unit).map(Self).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(text: &str) -> Result<Span, String> {
        Span::try_from(text.to_owned())
    }

    #[test]
    fn a_span_has_a_sign_a_number_and_a_unit() {
        assert_eq!(span("300ms"), Ok(Span(300)));
        assert_eq!(span("+36h"), Ok(Span(36 * 3_600_000)));
        assert_eq!(span("-2d"), Ok(Span::days(-2)));
        assert_eq!(span("5m").map(Span::seconds), Ok(300));
        assert_eq!(span("-2s").map(Span::length), Ok(Duration::from_secs(2)));
    }

    #[test]
    fn anything_else_is_refused_with_an_example() {
        for text in [
            "",
            "5",
            "d",
            "5w",
            "1.5s",
            "99999999999999999999d",
            "9999999999999d",
        ] {
            let error = span(text).expect_err("no span");
            assert!(error.contains("`36h`"), "{error}");
        }
    }
}
