//! Time: moments and durations, as reports write them.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;

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

/// Seconds since the epoch, to the millisecond; a time before it is negative.
pub fn unix_seconds(time: SystemTime) -> f64 {
    let seconds = match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => after.as_secs_f64(),
        Err(before) => -before.duration().as_secs_f64(),
    };
    (seconds * 1e3).round() / 1e3
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
