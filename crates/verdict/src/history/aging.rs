//! Aging: how the TTL of one and the same answer goes from probe to probe, and what that proves of a
//! cache.
//!
//! A cache counts an answer's TTL down from what it was given (RFC 1034 section 3.6, RFC 2181
//! section 8) and asks anew when it is used up. So a TTL that fell by the time that passed proves a
//! cache; one that stayed where it was, though it had not run out, proves that no cache counts it
//! down.
//!
//! The latter is not called stale: a cache that serves expired answers under one TTL (RFC 8767
//! section 4 advises 30 s) looks like a forwarder that keeps nothing and like a zone of the server's
//! own. Nor is anything concluded over a gap in which the TTL ran out, since the answer may have been
//! fetched anew; with the usual interval that covers every TTL of 30 s and less.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use crate::observation::Observation;

/// Shorter gaps say nothing: TTLs are whole seconds.
const SHORTEST_GAP: Duration = Duration::from_secs(3);
/// What rounding and a slow answer may add to, or take from, the time that passed.
const SLACK: Duration = Duration::from_millis(1500);
/// How often in a row a TTL must stay before it counts as one that does not fall.
const STAYED: u32 = 2;

/// The latest answer, and how its TTL came to be what it is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Aging {
    /// The hash of the answer's server and addresses: every target keeps one, and all that is asked of them is
    /// whether they are the same.
    answer: u64,
    ttl: u32,
    at: SystemTime,
    /// Whether it is what the answer before would have become in a cache.
    fell: bool,
    /// How often in a row it stayed where it was.
    stayed: u32,
}

/// How the TTL of one and the same answer went from probe to probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trend {
    /// It falls with time: the answer comes from a cache.
    Falls,
    /// It stays where it is, though it had not run out: no cache counts it down.
    Stays,
}

impl Aging {
    /// What follows from `observation` after `earlier`; `None` where it has no answer that could age.
    pub(crate) fn after(earlier: Option<&Self>, observation: &Observation) -> Option<Self> {
        let mut queries = observation.resolution.queries.iter();
        let query = queries.find(|query| !query.addresses.is_empty())?;
        let mut addresses: Vec<IpAddr> = query.addresses.iter().map(|(ip, _)| *ip).collect();
        addresses.sort_unstable();
        // An authority gives the record's own TTL every time, as it should.
        let ttl = query.ttl.filter(|_| !query.flags.authoritative)?;
        let mut answer = DefaultHasher::new();
        (query.server?, addresses).hash(&mut answer);
        let now = Self {
            answer: answer.finish(),
            ttl,
            at: observation.resolved_at(),
            fell: false,
            stayed: 0,
        };
        let trend = earlier.and_then(|earlier| earlier.step(&now));
        Some(Self {
            fell: trend == Some(Trend::Falls),
            stayed: match (trend, earlier) {
                (Some(Trend::Stays), Some(earlier)) => earlier.stayed.saturating_add(1),
                _ => 0,
            },
            ..now
        })
    }

    /// What the latest steps prove, if anything.
    pub(crate) const fn trend(&self) -> Option<Trend> {
        if self.fell {
            Some(Trend::Falls)
        } else if self.stayed >= STAYED {
            Some(Trend::Stays)
        } else {
            None
        }
    }

    fn step(&self, later: &Self) -> Option<Trend> {
        let passed = later.at.duration_since(self.at).ok()?;
        let lasted = Duration::from_secs(self.ttl.into());
        if self.answer != later.answer || passed < SHORTEST_GAP || passed + SLACK >= lasted {
            return None;
        }
        let fell = Duration::from_secs(self.ttl.checked_sub(later.ttl)?.into());
        if fell.is_zero() {
            Some(Trend::Stays)
        } else {
            (fell.abs_diff(passed) <= SLACK).then_some(Trend::Falls)
        }
    }
}
