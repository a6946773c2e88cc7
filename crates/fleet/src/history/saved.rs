//! Saved: the history as a text, small enough for a ConfigMap once it is compressed, and read back.
//!
//! Moments are steps before the moment of the text, rounded so that less is known than before: a stretch
//! begins later and ends earlier, what was public was so later. The text comes from outside when it is
//! read: what is not as it should be makes the history begin anew, and never says more than it says.

mod read;
mod write;

use privatelink_verdict::words;
use serde::{Deserialize, Serialize};

use self::read::Reader;
use self::write::Writer;
use super::{FleetHistory, GAP, KEPT, is_silent};
use crate::Moment;

/// The form that is written.
const VERSION: u32 = 1;

/// The longest text that is read.
const LONGEST: usize = 64 << 20;

words! {
    /// How exactly moments are saved. Who saves takes the first that fits.
    Detail {
        /// To the minute.
        Minutes = "minutes",
        /// To a quarter of an hour.
        Quarters = "quarters",
        /// To the hour.
        Hours = "hours",
        /// To the day.
        Days = "days",
    }
}

impl Detail {
    const fn seconds(self) -> i64 {
        match self {
            Self::Minutes => 60,
            Self::Quarters => 900,
            Self::Hours => 3_600,
            Self::Days => 86_400,
        }
    }
}

words! {
    /// Why a text is no history.
    NotRestored {
        /// The text is no JSON of this form.
        Unreadable = "unreadable",
        /// The text is of a version that is not known.
        OtherVersion = "other_version",
        /// The text holds more than is ever written.
        TooLarge = "too_large",
        /// The text refers to something that it does not hold.
        Inconsistent = "inconsistent",
        /// The text says that it is from later than now.
        FromTheFuture = "from_the_future",
        /// The text is older than what is kept.
        TooOld = "too_old",
    }
}

impl std::error::Error for NotRestored {}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Saved {
    version: u32,
    as_of: u32,
    /// Seconds of a step.
    step: i64,
    targets: Vec<String>,
    resolvers: Vec<String>,
    pairs: Vec<(u16, u16)>,
    sets: Vec<String>,
    /// Numbers of targets, with how many minutes ago a private endpoint was last expected.
    private: Vec<(u16, i64)>,
    nodes: Vec<SavedNode>,
    departed: Vec<(u32, SavedNode)>,
    departed_well: Vec<(u32, u32)>,
    forgotten_until: u32,
    forgotten_non_private: Vec<(u16, u32)>,
    began: u32,
    lost: bool,
    absences: Vec<(u32, u32)>,
}

/// Name, joined, number of the set, seconds between the agent's last answer and the moment of the text (0
/// for all that are not silent, -1 for none), minutes since the usual beginning, not ready
/// since, why uncovered, paths.
#[derive(Serialize, Deserialize)]
struct SavedNode(String, u32, usize, i64, i64, u32, String, Vec<SavedTrack>);

/// Steps since it began, steps since it was answered last, steps since it was public, bits, and the numbers
/// of the paths.
#[derive(Serialize, Deserialize)]
struct SavedTrack(i64, i64, i64, u8, String);

/// The bits of a path: its latest answer is not private; it was not asked again since its agent started.
const NON_PRIVATE: u8 = 1;
const AWAITED: u8 = 2;

/// What stands for no moment: more steps after the text's own than any can be.
const NONE: i64 = -9_999_999;

impl FleetHistory {
    /// The history as a text. It counts as saved from now on; [`Self::mark`] says until when it holds.
    pub fn save(&mut self, detail: Detail, now: Moment) -> String {
        self.refresh_private();
        let as_of = self.answered_by_all(now).unwrap_or(now);
        let writer = Writer::new(self, as_of, detail.seconds());
        let saved = writer.saved();
        for node in self.nodes.values_mut() {
            node.is_saved_silent = node.last.is_some_and(|last| is_silent(last, now));
        }
        self.is_changed = false;
        serde_json::to_string(&saved).unwrap_or_default()
    }

    /// Notes that what [`Self::save`] gave could not be written.
    pub const fn note_unsaved(&mut self) {
        self.is_changed = true;
    }

    /// The history that was saved as `text`. What it says held until `mark`, where that is given.
    pub fn restore(text: &str, mark: Option<Moment>, now: Moment) -> Result<Self, NotRestored> {
        if text.len() > LONGEST {
            return Err(NotRestored::TooLarge);
        }
        let version: Version = serde_json::from_str(text).map_err(|_| NotRestored::Unreadable)?;
        if version.version != VERSION {
            return Err(NotRestored::OtherVersion);
        }
        let saved: Saved = serde_json::from_str(text).map_err(|_| NotRestored::Unreadable)?;
        let held_until = mark
            .filter(|mark| *mark <= now)
            .max(Some(Moment(saved.as_of)));
        let held_until = held_until.unwrap_or_default();
        if held_until > now.after(GAP) {
            return Err(NotRestored::FromTheFuture);
        }
        if now.since(held_until) > KEPT {
            return Err(NotRestored::TooOld);
        }
        let mut history = Reader::of(&saved, held_until)?.history()?;
        history.note_absence(held_until, now);
        Ok(history)
    }
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

/// The moment so many steps before another.
fn moment(as_of: Moment, ago: i64, step: i64) -> Moment {
    let seconds = i64::from(as_of.0).saturating_sub(ago.saturating_mul(step));
    Moment(u32::try_from(seconds.clamp(1, u32::MAX.into())).unwrap_or(1))
}
