//! Duration: the grammar of durations as people write them: `30s`, `10m`, `336h`, `500ms`, `1h30m`.

use std::time::Duration;

/// The pattern of a duration, for schemas.
pub const PATTERN: &str = "^([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$";

/// The longest text of a duration, in bytes.
pub const LONGEST_TEXT: usize = 64;

/// Units, longest first: the order they are written in.
const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// The longest duration in milliseconds: ten years, more than any setting needs.
pub const LONGEST: u64 = 10 * 365 * 24 * 3_600_000;

/// Why a text is not a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotADuration {
    /// Digits alone.
    WithoutUnit,
    /// Longer than [`LONGEST`].
    TooLong,
    /// Something else.
    Other,
}

/// Reads a duration: whole numbers with units `h`, `m`, `s`, `ms`, each at most once, longest first.
pub fn parse(text: &str) -> Result<Duration, NotADuration> {
    if text.is_empty() || text.len() > LONGEST_TEXT {
        return Err(NotADuration::Other);
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NotADuration::WithoutUnit);
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
            .ok_or(NotADuration::Other)?;
        milliseconds = number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(*factor))
            .and_then(|span| milliseconds.checked_add(span))
            .filter(|milliseconds| *milliseconds <= LONGEST)
            .ok_or(NotADuration::TooLong)?;
        rest = after;
    }
    Ok(Duration::from_millis(milliseconds))
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
