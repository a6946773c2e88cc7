//! Track: what is remembered of one path to one target on one node.

use privatelink_verdict::address::Class;

use super::GAP;
use crate::{Moment, PathState};

/// What is remembered of a path. Moments are kept as seconds, 0 for none: there are up to a million.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Track {
    since: u32,
    until: u32,
    non_private: u32,
    /// Whether the latest answer holds an address that is not private.
    pub(crate) is_non_private: bool,
}

impl Track {
    pub(crate) fn new(
        since: Option<Moment>,
        until: Option<Moment>,
        non_private: Option<Moment>,
        is_non_private: bool,
    ) -> Self {
        let seconds = |moment: Option<Moment>| moment.map_or(0, |moment| moment.0);
        Self {
            since: seconds(since),
            until: seconds(until),
            non_private: seconds(non_private),
            is_non_private,
        }
    }

    /// Answered since then, and never public.
    pub(crate) fn clean(since: Option<Moment>) -> Self {
        Self::new(since, None, None, false)
    }

    /// Since when it is answered without a gap; `None` while there is one.
    pub(crate) fn since(self) -> Option<Moment> {
        (self.since > 0).then_some(Moment(self.since))
    }

    /// When it was answered last, if that is not when the agent was last heard.
    pub(crate) fn until(self) -> Option<Moment> {
        (self.until > 0).then_some(Moment(self.until))
    }

    /// When an address last was not private, given when the agent was last heard.
    pub(crate) fn non_private(self, heard: Option<Moment>) -> Option<Moment> {
        let kept = (self.non_private > 0).then_some(Moment(self.non_private));
        if self.is_non_private {
            kept.max(heard)
        } else {
            kept
        }
    }

    /// Whether nothing but the beginning is to be remembered.
    pub(crate) fn is_clean(self) -> bool {
        self == Self::clean(self.since())
    }

    /// Whether it may be forgotten beside what is usual on its node: it is clean, and began when the
    /// others did or before.
    pub(crate) fn is_usual(self, usual: Option<Moment>) -> bool {
        let (Some(since), Some(usual)) = (self.since(), usual) else {
            return false;
        };
        self.is_clean() && since <= usual
    }

    /// Whether it differs from `other` in nothing but the clock.
    pub(crate) fn says_the_same(self, other: Self) -> bool {
        let timeless = |track: Self| Self {
            non_private: if track.is_non_private {
                0
            } else {
                track.non_private
            },
            ..track
        };
        timeless(self) == timeless(other)
    }

    /// What is remembered after an agent said `state`, having last been heard at `heard`.
    ///
    /// A stretch goes on where it is answered again at most five minutes after it was last known to be:
    /// that bridges the restart of an agent, which itself remembers nothing.
    pub(crate) fn after(
        before: Option<Self>,
        heard: Option<Moment>,
        state: &PathState,
        now: Moment,
    ) -> Self {
        let before = before.unwrap_or_default();
        let known_until = before.until().or(heard);
        // A clock that is ahead of ours would claim what is not known yet.
        let answered = state.answered_since.map(|since| since.min(now));
        let since = match (answered, before.since(), known_until) {
            (Some(answered), Some(since), Some(until)) if answered <= until.after(GAP) => {
                Some(answered.min(since))
            }
            (answered, _, _) => answered,
        };
        let until = match known_until.filter(|_| before.since().is_some()) {
            _ if !state.classes.is_empty() || since.is_none() => None,
            // It was answered at most as long ago as a gap is, or the agent would say so.
            None => Some(now.before(GAP).max(since.unwrap_or_default())),
            until => until,
        };
        let is_non_private = !state.classes.iter().all(Class::is_private);
        let seen = state.last_non_private.map(|last| last.min(now));
        let seen_now = is_non_private.then_some(now);
        let non_private = before.non_private(heard).max(seen).max(seen_now);
        Self::new(since, until, non_private, is_non_private)
    }

    /// Without what is too old to be asked for.
    pub(crate) fn within(self, is_kept: impl Fn(&Moment) -> bool) -> Self {
        let long_ago = Moment(1);
        Self::new(
            self.since()
                .map(|since| if is_kept(&since) { since } else { long_ago }),
            self.until(),
            self.non_private(None).filter(is_kept),
            self.is_non_private,
        )
    }
}
