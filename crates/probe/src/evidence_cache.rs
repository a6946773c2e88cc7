//! Evidence cache: what was asked about a target beside its probes, kept from one probe to the next,
//! and when it is due again.

use std::net::IpAddr;
use std::time::Duration;

use privatelink_verdict::observation::{Comparison, NameEvidence, Resolution};

use super::per_server::PerServer;
use super::resolve::sorted_addresses;
use super::service_cache::ServiceCache;

/// One probe in this number also asks the other resolvers, and with EDNS for extended errors.
const COMPARE_EVERY: u64 = 5;
/// One probe in this number also asks for the relative name.
const SEARCH_EVERY: u64 = 20;
/// The shortest time between two questions of one target for a name that trouble leads to.
pub(super) const NAME_PAUSE: Duration = Duration::from_mins(1);

/// What was asked about a target beside its probes.
#[derive(Debug, Default)]
pub struct EvidenceCache {
    probes: u64,
    addresses: Vec<IpAddr>,
    pub(super) comparisons: Vec<Comparison>,
    pub(super) extended_errors: Vec<u16>,
    pub(super) search: Option<NameEvidence>,
    /// The answers for the names that trouble led to.
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

    /// What is due in this probe, whose question was answered with `resolution`. Evidence about other
    /// addresses than these is dropped.
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

/// The answer for `name` of the last minute, unless the question failed: then it is asked anew.
pub(super) fn recent<'a>(known: &'a [NameEvidence], name: &str) -> Option<&'a NameEvidence> {
    known.iter().find(|evidence| {
        let age = evidence.checked_at.elapsed();
        evidence.name == name
            && !evidence.outcome.is_failure()
            && age.is_ok_and(|age| age < NAME_PAUSE)
    })
}
