//! Moment: a point in time in whole seconds, small enough to be kept for every target on every node.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Seconds since 1970 in UTC. It is shown and serialized as RFC 3339.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub u32);

impl Moment {
    /// How long after `earlier` it is; nothing where it is before it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_secs(self.0.saturating_sub(earlier.0).into())
    }

    /// The moment `duration` before it.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        let seconds = u32::try_from(duration.as_secs()).unwrap_or(u32::MAX);
        Self(self.0.saturating_sub(seconds))
    }

    /// The moment `duration` after it.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        let seconds = u32::try_from(duration.as_secs()).unwrap_or(u32::MAX);
        Self(self.0.saturating_add(seconds))
    }
}

impl fmt::Display for Moment {
    /// `2026-11-30T05:10:00Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.timestamp())
    }
}

impl Moment {
    fn timestamp(self) -> Timestamp {
        Timestamp::from_second(self.0.into()).unwrap_or_default()
    }

    /// `2026-11-30 05:10 UTC`, for sentences.
    pub fn to_the_minute(self) -> String {
        self.timestamp().strftime("%Y-%m-%d %H:%M UTC").to_string()
    }
}

impl FromStr for Moment {
    type Err = jiff::Error;

    /// Reads RFC 3339.
    fn from_str(text: &str) -> Result<Self, jiff::Error> {
        let time: Timestamp = text.parse()?;
        Ok(Self(u32::try_from(time.as_second()).unwrap_or(0)))
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl From<SystemTime> for Moment {
    fn from(time: SystemTime) -> Self {
        let seconds = time
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        Self(u32::try_from(seconds).unwrap_or(u32::MAX))
    }
}

impl From<Moment> for SystemTime {
    fn from(moment: Moment) -> Self {
        UNIX_EPOCH + Duration::from_secs(moment.0.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_as_rfc_3339_and_read_back() {
        let moment = Moment(1_796_015_400);
        let text = serde_json::to_string(&moment).expect("JSON");
        assert_eq!(text, r#""2026-11-30T05:10:00Z""#);
        let back: Moment = serde_json::from_str(&text).expect("a moment");
        assert_eq!(back, moment);
        assert_eq!(moment.to_the_minute(), "2026-11-30 05:10 UTC");
    }
}
