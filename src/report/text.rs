//! Text: strings that came from the wire, made safe to show, and times and durations in words.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;

/// The longest string from the wire that is shown, in bytes (section 4).
pub const WIRE_BYTES: usize = 256;

/// The most names of one list that are shown (section 4).
pub const WIRE_NAMES: usize = 20;

/// The longest sentence of our own that is shown, in bytes; it may quote the wire.
pub const SENTENCE_BYTES: usize = 1024;

/// `text` without characters that could act on a terminal or reorder a line, in at most
/// [`WIRE_BYTES`] bytes.
pub fn from_wire(text: &str) -> Cow<'_, str> {
    bounded(text, WIRE_BYTES)
}

/// The same for a sentence that may quote the wire, in at most [`SENTENCE_BYTES`] bytes.
pub fn sentence(text: &str) -> Cow<'_, str> {
    bounded(text, SENTENCE_BYTES)
}

/// `text` with every unprintable character written as its escape, cut at a character boundary to
/// at most `limit` bytes; a cut ends in `…`.
fn bounded(text: &str, limit: usize) -> Cow<'_, str> {
    if text.len() <= limit && !text.chars().any(acts) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len().min(limit));
    let mut room = 0; // The length up to which a character and a `…` after it still fit.
    for char in text.chars() {
        if acts(char) {
            let _ = write!(safe, "{}", char.escape_default());
        } else {
            safe.push(char);
        }
        if safe.len() > limit {
            safe.truncate(room);
            safe.push('…');
            break;
        }
        if safe.len() + '…'.len_utf8() <= limit {
            room = safe.len();
        }
    }
    Cow::Owned(safe)
}

/// Whether a character does something instead of being seen: controls, and the marks that
/// reorder, join or break text (Unicode's `Bidi_Control` and line separators).
fn acts(char: char) -> bool {
    char.is_control()
        || matches!(char,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// RFC 3339 in UTC to the second, for a time in Unix seconds; `None` outside the years 1 to 9999.
pub fn seconds_utc(unix: i64) -> Option<String> {
    let time = Timestamp::from_second(unix).ok()?;
    Some(format!("{time:.0}"))
}

/// RFC 3339 in UTC to the millisecond; `None` outside the years 1 to 9999.
pub fn millis_utc(time: SystemTime) -> Option<String> {
    let time = Timestamp::try_from(time).ok()?;
    Some(format!("{time:.3}"))
}

/// Seconds since the epoch; a time before it is negative.
pub fn unix_seconds(time: SystemTime) -> f64 {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => after.as_secs_f64(),
        Err(before) => -before.duration().as_secs_f64(),
    }
}

/// A duration in seconds, to the microsecond.
pub fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e6
}

/// A duration as people read it: `0.4 ms`, `12 ms`, `1.3 s`.
pub fn short_duration(duration: Duration) -> String {
    let millis = duration.as_secs_f64() * 1e3;
    if millis < 10.0 {
        format!("{millis:.1} ms")
    } else if millis < 1e3 {
        format!("{millis:.0} ms")
    } else {
        format!("{:.1} s", millis / 1e3)
    }
}

/// A span of time as people say it, in its largest unit: `5 s`, `3 min`, `2 h`, `9 days`.
pub fn long_duration(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds @ 60..3_600 => format!("{} min", seconds / 60),
        seconds @ 3_600..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

/// How a certificate's end relates to `now` (both Unix seconds): `expires in 40 days`.
pub fn expiry(not_after: i64, now: i64) -> String {
    let left = not_after.saturating_sub(now);
    let span = long_duration(Duration::from_secs(left.unsigned_abs()));
    if left < 0 {
        format!("expired {span} ago")
    } else {
        format!("expires in {span}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_passes_untouched() {
        assert!(matches!(from_wire("CN=Contoso Größe"), Cow::Borrowed(_)));
    }

    #[test]
    fn nothing_from_the_wire_can_act_on_a_terminal() {
        assert_eq!(
            from_wire("a\x1b[31mb\r\n\u{202e}c\0"),
            r"a\u{1b}[31mb\r\n\u{202e}c\u{0}"
        );
    }

    #[test]
    fn long_text_is_cut_at_a_character_and_says_so() {
        let long = "ä".repeat(200);
        let cut = from_wire(&long);
        assert!(cut.len() <= WIRE_BYTES, "{}", cut.len());
        assert!(cut.ends_with("ä…"), "{cut}");
        assert_eq!(from_wire(&"x".repeat(WIRE_BYTES)).len(), WIRE_BYTES);
        let escapes = "\u{1b}".repeat(100);
        assert!(from_wire(&escapes).ends_with(r"\u{1b}…"));
    }

    #[test]
    fn times_are_rfc_3339_in_utc() {
        assert_eq!(seconds_utc(0).as_deref(), Some("1970-01-01T00:00:00Z"));
        let time = SystemTime::UNIX_EPOCH + Duration::from_micros(1_500_250);
        assert_eq!(
            millis_utc(time).as_deref(),
            Some("1970-01-01T00:00:01.500Z")
        );
        assert_eq!(seconds_utc(i64::MAX), None);
    }

    #[test]
    fn an_expiry_reads_as_a_sentence() {
        assert_eq!(expiry(86_400 * 40, 0), "expires in 40 days");
        assert_eq!(expiry(0, 7_300), "expired 2 h ago");
    }
}
