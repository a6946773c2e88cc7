//! Track: what is remembered of one path to one target on one node.

use std::time::Duration;

use privatelink_verdict::address::Class;

use super::{ALIKE, COMPARED, GAP};
use crate::{Moment, PathView};

/// What is remembered of a path. Moments are kept as seconds, 0 for none: there are up to a million.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Track {
    since: u32,
    until: u32,
    non_private: u32,
    /// Whether the latest answer holds an address that is not private.
    pub(crate) is_non_private: bool,
    /// Whether the agent has not asked it again since it started.
    pub(crate) is_awaited: bool,
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
            is_awaited: false,
        }
    }

    /// The same, with whether the agent has not asked it again since it started.
    pub(crate) const fn awaiting(self, is_awaited: bool) -> Self {
        Self { is_awaited, ..self }
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

    /// Whether it may be forgotten beside what is usual on its node: it is clean, and began with the others.
    pub(crate) fn is_usual(self, usual: Option<Moment>) -> bool {
        let (Some(since), Some(usual)) = (self.since(), usual) else {
            return false;
        };
        self.is_clean() && since <= usual && usual.since(since) <= ALIKE
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
    /// A stretch goes on where it is answered again at most five minutes, and `slack`, after it was last
    /// known to be: that bridges the restart of an agent, which itself remembers nothing. Until it is
    /// answered again it is remembered as it was.
    pub(crate) fn after(
        before: Option<Self>,
        heard: Option<Moment>,
        state: PathView<'_>,
        slack: Duration,
        now: Moment,
    ) -> Self {
        let before = before.unwrap_or_default();
        let known_until = before.until().or(heard).unwrap_or_default();
        // A clock that is ahead of ours would claim what is not known yet.
        let answered = state.answered_since.map(|since| since.min(now));
        let goes_on = answered.is_none_or(|since| since <= known_until.after(GAP + slack));
        let before_it = before.since().filter(|_| goes_on);
        let since = match (answered, before_it) {
            (Some(answered), Some(before)) => Some(answered.min(before)),
            (answered, before) => answered.or(before),
        };
        let is_answered = answered.is_some() && !state.classes.is_empty();
        let until = match (since, before_it) {
            (None, _) => None,
            _ if is_answered => None,
            (Some(_), Some(_)) => Some(known_until),
            // It was answered at most as long ago as a gap is, or the agent would say so.
            (Some(since), None) => Some(now.before(GAP).max(since)),
        };
        let is_non_private = !state.classes.iter().all(Class::is_private);
        let seen = state.last_non_private.map(|last| last.min(now));
        let seen_now = is_non_private.then_some(now);
        let non_private = before.non_private(heard).max(seen).max(seen_now);
        Self::new(since, until, non_private, is_non_private)
    }

    /// What is remembered of a path that the agent has not asked again since it started, having last been
    /// heard at `heard`; `None` where it has had the time to.
    pub(crate) fn awaited(self, heard: Option<Moment>, now: Moment) -> Option<Self> {
        let until = self.until().or(heard)?;
        let as_it_was = Self::new(self.since(), Some(until), self.non_private(heard), false);
        let awaited = as_it_was.awaiting(true);
        awaited.is_still_awaited(now).then_some(awaited)
    }

    /// Whether the agent may still ask it.
    pub(crate) fn is_still_awaited(self, now: Moment) -> bool {
        let until = self.until().unwrap_or_default();
        now <= until.after(GAP + COMPARED)
    }

    /// Without what is too old to be asked for.
    pub(crate) fn within(self, is_kept: impl Fn(&Moment) -> bool) -> Self {
        let long_ago = Moment(1);
        let since = self
            .since()
            .map(|since| if is_kept(&since) { since } else { long_ago });
        let non_private = self.non_private(None).filter(is_kept);
        Self::new(since, self.until(), non_private, self.is_non_private).awaiting(self.is_awaited)
    }
}
