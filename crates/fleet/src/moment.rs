//! Moment: a point in time in whole seconds, small enough to be kept for every target on every node.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Seconds since 1970 in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub u32);

impl Moment {
    /// How long after `earlier` it is; nothing where it is before it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_secs(self.0.saturating_sub(earlier.0).into())
    }

    /// The moment `duration` before it.
    pub fn before(self, duration: Duration) -> Self {
        let seconds = u32::try_from(duration.as_secs()).unwrap_or(u32::MAX);
        Self(self.0.saturating_sub(seconds))
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
