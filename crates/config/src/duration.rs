//! Duration: the grammar of durations, and why a text is none.

use std::time::Duration;

use privatelink_verdict::duration::NotADuration;
pub use privatelink_verdict::duration::{PATTERN, show};

use crate::diagnostic::{self, Diagnostic};

/// Reads a duration: whole numbers with units `h`, `m`, `s`, `ms`, each at most once, longest first.
pub fn parse(text: &str) -> Result<Duration, Diagnostic> {
    let quoted = diagnostic::quoted(text);
    let no_duration = || Diagnostic::new(format!("{quoted} is not a duration"));
    privatelink_verdict::duration::parse(text).map_err(|why| match why {
        NotADuration::WithoutUnit => no_duration().help(format!(
            "a duration needs a unit: `{text}s`, `{text}m`, `{text}h` or `{text}ms`"
        )),
        NotADuration::TooLong => Diagnostic::new(format!("the duration {quoted} is too long"))
            .help("the longest is ten years, `87600h`"),
        NotADuration::Other => no_duration()
            .help("write whole numbers with units, longest first: `30s`, `10m`, `1h30m`, `500ms`"),
    })
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

/// The duration between backticks, for messages.
pub(crate) fn quoted(duration: Duration) -> String {
    format!("`{}`", show(duration))
}

#[cfg(test)]
mod tests {
    use privatelink_verdict::duration::LONGEST;
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
