//! Duration: the grammar of durations: `30s`, `10m`, `336h`, `500ms`, `1h30m`.

use std::time::Duration;

use crate::diagnostic::{self, Diagnostic};

/// The pattern of a duration, for the JSON schema.
pub const PATTERN: &str = "^([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$";

/// Units, longest first: the order they are written in.
const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// The longest duration in milliseconds: ten years, more than any setting needs.
const LONGEST: u64 = 10 * 365 * 24 * 3_600_000;

/// Reads a duration: whole numbers with units `h`, `m`, `s`, `ms`, each at most once, longest first.
pub fn parse(text: &str) -> Result<Duration, Diagnostic> {
    let refusal = || {
        Diagnostic::new(format!("{} is not a duration", diagnostic::quoted(text))).help(
            if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
                format!("a duration needs a unit: `{text}s`, `{text}m`, `{text}h` or `{text}ms`")
            } else {
                "write whole numbers with units, longest first: `30s`, `10m`, `1h30m`, `500ms`"
                    .to_owned()
            },
        )
    };
    if text.is_empty() || text.len() > 64 {
        return Err(refusal());
    }
    let mut milliseconds: u64 = 0;
    let mut units = UNITS.iter();
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, after) = rest.split_at(digits);
        let letters = after
            .find(|c: char| !c.is_ascii_lowercase())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        // `units` goes on where the last unit was found, so each comes once and in order.
        let (_, factor) = units
            .find(|(name, _)| *name == unit)
            .filter(|_| !number.is_empty())
            .ok_or_else(refusal)?;
        milliseconds = number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(*factor))
            .and_then(|span| milliseconds.checked_add(span))
            .filter(|milliseconds| *milliseconds <= LONGEST)
            .ok_or_else(|| {
                Diagnostic::new(format!(
                    "the duration {} is too long",
                    diagnostic::quoted(text)
                ))
                .help("the longest is ten years, `87600h`")
            })?;
        rest = after;
    }
    Ok(Duration::from_millis(milliseconds))
}

/// Whether `text` was probably meant as a duration: one number, or numbers with units, right or wrong.
pub fn resembles(text: &str) -> bool {
    const UNITS: [&str; 9] = ["h", "m", "s", "ms", "d", "sec", "secs", "min", "mins"];
    let lower = text.to_ascii_lowercase();
    let mut units = lower
        .split(|c: char| c.is_ascii_digit() || c == '.')
        .filter(|unit| !unit.is_empty());
    text.starts_with(|c: char| c.is_ascii_digit())
        && text.matches('.').count() <= 1
        && units.all(|unit| UNITS.contains(&unit))
}

/// Writes `duration` the way [`parse`] reads it, to the millisecond.
pub fn show(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (unit, factor) in UNITS {
        if rest >= factor {
            text.push_str(&(rest / factor).to_string());
            text.push_str(unit);
            rest %= factor;
        }
    }
    if text.is_empty() {
        text.push_str("0s");
    }
    text
}

/// The duration between backticks, for messages.
pub(crate) fn quoted(duration: Duration) -> String {
    format!("`{}`", show(duration))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_read_as_people_write_them() {
        for (text, milliseconds) in [
            ("30s", 30_000),
            ("10m", 600_000),
            ("336h", 1_209_600_000),
            ("500ms", 500),
            ("1h30m", 5_400_000),
            ("1m500ms", 60_500),
            ("0s", 0),
        ] {
            assert_eq!(
                parse(text),
                Ok(Duration::from_millis(milliseconds)),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in [
            "", "30", "s", "-5s", "+5s", "1.5s", "5 s", "30S", "30m1h", "1s1s", "1d", "1h 30m",
            "５s",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        for text in ["99999999999999999999h", "87601h", "5124095576030431h"] {
            let diagnostic = parse(text).expect_err(text);
            assert!(diagnostic.message.contains("too long"), "{text}");
        }
    }

    #[test]
    fn a_duration_is_known_by_its_look_and_a_host_is_none() {
        for text in ["2s", "5", "1.5s", "1m30s", "500ms", "2min", "10S", "1d"] {
            assert!(resembles(text), "{text}");
        }
        for text in [
            "",
            "s",
            "10.1.2.3",
            "2s.example.com",
            "kv-2s",
            "10-4-0-7",
            "2x",
            "1and1",
        ] {
            assert!(!resembles(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(milliseconds in 0..=LONGEST) {
            let duration = Duration::from_millis(milliseconds);
            prop_assert_eq!(parse(&show(duration)), Ok(duration));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,80}") {
            if let Ok(duration) = parse(&text) {
                prop_assert!(duration <= Duration::from_millis(LONGEST));
            }
        }
    }
}
