//! Evidence cache: what was asked about a target beside its probes, kept from one probe to the next,
//! and when it is due again.

use std::net::IpAddr;
use std::time::Duration;

use privatelink_verdict::observation::{Comparison, NameEvidence, Resolution};

use super::per_server::PerServer;
use super::resolve::sorted_addresses;
use super::service_cache::ServiceCache;

/// The other resolvers are asked, and EDNS for extended errors, at every so many probes.
const COMPARE_EVERY: u64 = 5;
/// The relative name is asked at every so many probes.
const SEARCH_EVERY: u64 = 20;
/// A name that trouble leads to is asked at most so often per target.
pub(super) const NAME_PAUSE: Duration = Duration::from_mins(1);

/// What was asked about a target beside its probes.
#[derive(Debug, Default)]
pub struct EvidenceCache {
    probes: u64,
    addresses: Vec<IpAddr>,
    pub(super) comparisons: Vec<Comparison>,
    pub(super) extended_errors: Vec<u16>,
    pub(super) search: Option<NameEvidence>,
    /// What the names said that trouble led to.
    pub(super) names: Vec<NameEvidence>,
    pub(super) servers: PerServer,
    pub(super) service: ServiceCache,
}

/// What is due in one probe.
#[derive(Clone, Copy, Debug)]
pub(super) struct Due {
    /// The other resolvers and EDNS.
    pub(super) comparisons: bool,
    /// The relative name.
    pub(super) search: bool,
}

impl EvidenceCache {
    /// To be called where the verdict is another one than before: the service is asked again.
    pub fn verdict_changed(&mut self) {
        self.service.ask_again();
    }

    /// Sets whether the target's answers flap: then each server of the resolver is asked alone.
    pub fn set_flapping(&mut self, flaps: bool) {
        self.servers.set_flapping(flaps);
    }

    /// What is due in the next probe, which came to `resolution`. Other addresses than before make the
    /// evidence about them invalid.
    pub(super) fn due(&mut self, resolution: &Resolution) -> Due {
        let addresses = sorted_addresses(resolution);
        let changed = addresses != self.addresses;
        let due = Due {
            comparisons: changed || self.probes.is_multiple_of(COMPARE_EVERY),
            search: self.probes.is_multiple_of(SEARCH_EVERY),
        };
        if changed {
            self.addresses = addresses;
            self.search = None;
            self.names.clear();
        }
        self.probes += 1;
        due
    }
}

/// What `name` said within the last minute. A failure is no answer: it is asked anew.
pub(super) fn recent<'a>(known: &'a [NameEvidence], name: &str) -> Option<&'a NameEvidence> {
    known.iter().find(|evidence| {
        let age = evidence.checked_at.elapsed();
        evidence.name == name
            && !evidence.outcome.is_failure()
            && age.is_ok_and(|age| age < NAME_PAUSE)
    })
}
