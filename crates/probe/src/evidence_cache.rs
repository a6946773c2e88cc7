//! Evidence cache: what was asked about a target beside its probes, kept from one probe to the next,
//! and when it is due again.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use privatelink_verdict::observation::{
    Comparison, NameEvidence, QueryOutcome, Resolution, SrvEvidence,
};

use super::per_server::PerServer;
use super::resolve::{hash_of_addresses, is_lost};
use super::service_cache::ServiceCache;

/// One probe in this number also asks the other resolvers, and with EDNS for extended errors.
const COMPARE_EVERY: u64 = 5;
/// One probe in this number also asks for the relative name.
const SEARCH_EVERY: u64 = 20;
/// The shortest time between two questions of one target for a name that trouble leads to.
pub(super) const NAME_PAUSE: Duration = Duration::from_mins(1);

/// How long an answer counts while newer questions for it fail.
pub(super) const MAX_AGE: Duration = Duration::from_mins(5);

/// What was asked about a target beside its probes.
#[derive(Debug, Default)]
pub struct EvidenceCache {
    /// The turn of the next probe: what is due in it follows from the number.
    turn: u64,
    /// Whether the next probe has no turn.
    is_put_off: bool,
    /// Whether the latest probe lost an answer.
    is_lost: bool,
    /// The hash of those of the latest probe that lost no answer; of the first one in any case.
    addresses: Option<u64>,
    pub(super) comparisons: Arc<[Comparison]>,
    pub(super) search: Option<Arc<NameEvidence>>,
    /// `None` where there was none.
    pub(super) trouble: Option<Box<TroubleEvidence>>,
    pub(super) servers: PerServer,
    pub(super) service: ServiceCache,
}

/// What was asked because an answer was trouble.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct TroubleEvidence {
    pub(super) extended_errors: Vec<u16>,
    /// The answers for the names that trouble led to.
    pub(super) names: Vec<Arc<NameEvidence>>,
    /// The SRV records that trouble led to.
    pub(super) srv: Option<Arc<SrvEvidence>>,
}

/// What is asked in a probe beside its own questions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// The other resolvers, and a question with EDNS.
    pub comparisons: bool,
    /// The relative name.
    pub search: bool,
}

impl Due {
    /// What is due in the probe that has this turn.
    pub const fn at(turn: u64) -> Self {
        Self {
            comparisons: turn.is_multiple_of(COMPARE_EVERY),
            search: turn.is_multiple_of(SEARCH_EVERY),
        }
    }
}

impl EvidenceCache {
    /// Spreads what is due every few probes: a target that was never probed begins with this turn, and
    /// only after its first probe. Otherwise all targets of all nodes that start together would ask
    /// together, in their first probe and in every fifth from then on.
    pub fn spread(&mut self, turn: u64) {
        if self.addresses.is_none() {
            self.turn = turn % SEARCH_EVERY;
            self.is_put_off = true;
        }
    }

    /// To be called when the verdict has changed: the service is asked again.
    pub fn verdict_changed(&mut self) {
        self.service.ask_again();
    }

    /// Sets whether the target's answers flap: then each server of the resolver is asked alone.
    pub fn set_flapping(&mut self, is_flapping: bool) {
        self.servers.is_flapping = is_flapping;
    }

    /// Whether the target's answers flap.
    pub fn is_flapping(&self) -> bool {
        self.servers.is_flapping
    }

    /// What is due in this probe, whose question was answered with `resolution`: what its turn says, and
    /// the comparisons where the addresses are others than last time, where an answer is lost that was not lost
    /// last time, or where the first answer is trouble. Evidence about other addresses than these is dropped.
    pub(super) fn due(&mut self, resolution: &Resolution, is_trouble: bool) -> Due {
        let addresses = hash_of_addresses(resolution);
        let is_lost = is_lost(resolution);
        let changed = self
            .addresses
            .map_or(is_trouble, |known| !is_lost && known != addresses);
        if !is_lost || self.addresses.is_none() {
            self.addresses = Some(addresses);
        }
        let was_lost = std::mem::replace(&mut self.is_lost, is_lost);
        let mut due = Due::default();
        if !std::mem::take(&mut self.is_put_off) {
            due = Due::at(self.turn);
            self.turn += 1;
        }
        due.comparisons |= changed || (is_lost && !was_lost);
        if changed {
            self.search = None;
            if let Some(trouble) = &mut self.trouble {
                trouble.names.clear();
                trouble.srv = None;
            }
        }
        due
    }
}

/// What a question about another name than the host told.
pub(super) trait Told {
    /// How the question ended, and when.
    fn ended(&self) -> (QueryOutcome, SystemTime);

    /// Whether it was answered, not longer ago than `age`.
    fn is_answer_within(&self, age: Duration) -> bool {
        let (outcome, at) = self.ended();
        !outcome.is_failure() && at.elapsed().is_ok_and(|elapsed| elapsed < age)
    }
}

impl Told for NameEvidence {
    fn ended(&self) -> (QueryOutcome, SystemTime) {
        (self.outcome, self.checked_at)
    }
}

impl Told for SrvEvidence {
    fn ended(&self) -> (QueryOutcome, SystemTime) {
        (self.outcome, self.checked_at)
    }
}

/// What is `known` of a name, where that is of the last minute; otherwise what it tells when it is asked by `ask`. Where
/// that fails, what is known counts for some minutes more.
pub(super) async fn refreshed<T: Told>(
    known: Option<&Arc<T>>,
    ask: impl Future<Output = Option<T>>,
) -> Option<Arc<T>> {
    if let Some(known) = known.filter(|known| known.is_answer_within(NAME_PAUSE)) {
        return Some(Arc::clone(known));
    }
    let asked = ask.await?;
    let older =
        known.filter(|older| asked.ended().0.is_failure() && older.is_answer_within(MAX_AGE));
    Some(older.map_or_else(|| Arc::new(asked), Arc::clone))
}
