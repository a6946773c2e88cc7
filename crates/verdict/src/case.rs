//! Case: a target and one observation of it, with what follows from both before any judgement: what
//! the judge and the prose look at.

use crate::alias::{alias, own_zone_of};
use crate::observation::{Observation, Soa};
use crate::target::{Expectation, Target};
use crate::zone::{ZoneAuthority, zone_authority, zone_soa};

/// A target and one observation of it.
#[derive(Debug)]
pub(crate) struct Case<'a> {
    pub(crate) target: &'a Target,
    pub(crate) observation: &'a Observation,
    /// The expectation in force; never `auto`.
    pub(crate) expect: Expectation,
    /// The privatelink name of the chain.
    pub(crate) alias: Option<&'a str>,
    /// Who answers for the zone the alias lies in.
    pub(crate) authority: ZoneAuthority,
    /// The SOA that says so.
    pub(crate) soa: Option<&'a Soa>,
}

impl<'a> Case<'a> {
    pub(crate) fn new(
        target: &'a Target,
        observation: &'a Observation,
        expect: Expectation,
    ) -> Self {
        Self {
            target,
            observation,
            expect,
            alias: alias(target, &observation.resolution),
            authority: zone_authority(target, observation),
            soa: zone_soa(target, &observation.resolution),
        }
    }

    pub(crate) fn host(&self) -> &'a str {
        &self.target.host
    }

    /// The last name of the chain: the one that has, or lacks, the addresses.
    pub(crate) fn last_name(&self) -> &'a str {
        self.observation
            .resolution
            .chain()
            .last()
            .map_or(self.host(), String::as_str)
    }

    /// The name of the resource itself: a failover group's name leads to that of the server that is
    /// primary now, beside it in the same suffix.
    pub(crate) fn resource(&self) -> &'a str {
        let parent = |name: &'a str| name.split_once('.').map(|(_, parent)| parent);
        let beside = parent(self.host());
        let chain = self.observation.resolution.chain().iter().rev();
        chain
            .map(String::as_str)
            .find(|name| parent(name) == beside)
            .unwrap_or(self.host())
    }

    /// The private DNS zone that should hold the record: the one that answers, where a private one
    /// does, else the one that the name lies in by its labels.
    pub(crate) fn zone(&self) -> Option<&'a str> {
        if self.authority == ZoneAuthority::Private
            && let Some(soa) = self.soa
        {
            return Some(&soa.owner);
        }
        let names = self
            .alias
            .into_iter()
            .chain([self.last_name(), self.host()]);
        names
            .into_iter()
            .find_map(|name| own_zone_of(self.target, name))
    }
}
