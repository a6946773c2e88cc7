//! Case: a target and one observation of it, with what follows from both before any judgement: what
//! the judge and the prose look at.

use crate::address::Class;
use crate::alias::{alias, is_privatelink_name, own_zone_of};
use crate::catalogue;
use crate::observation::{Comparison, Observation, Soa};
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
            .unwrap_or(self.host())
    }

    /// The name of the resource itself: a domain of one's own leads to it, and a failover group's name
    /// leads to that of the server that is primary now, beside it in the same suffix.
    pub(crate) fn resource(&self) -> &'a str {
        let chain = self.observation.resolution.chain().iter();
        let names_resource = |name: &&str| {
            !is_privatelink_name(self.target, name) && catalogue::lookup(name).is_some()
        };
        let mut names = std::iter::once(self.host()).chain(chain.clone());
        let first = names.find(names_resource).unwrap_or(self.host());
        let beside = parent(first);
        let mut latest = chain.rev();
        latest.find(|name| parent(name) == beside).unwrap_or(first)
    }

    /// Another resource's public name that the alias leads to, beside the host in the same suffix.
    pub(crate) fn other_resource(&self) -> Option<&'a str> {
        let mut names = self.observation.resolution.chain().iter();
        names.find(|name| Some(*name) == self.alias)?;
        let next = names.next()?;
        (next != self.host() && parent(next) == parent(self.host())).then_some(next)
    }

    /// Another resolver to which the host is private: the zone is linked where it resolves.
    pub(crate) fn private_elsewhere(&self) -> Option<&'a Comparison> {
        let path = &self.observation.resolution.resolver;
        let mut comparisons = self.observation.comparisons.iter();
        comparisons.find(|other| {
            let classes = other.resolution.classes();
            other.resolution.resolver != *path
                && !classes.is_empty()
                && classes.iter().all(Class::is_private)
        })
    }

    /// Whether its private addresses may be those of private endpoints: it is a service of Azure, or the
    /// answer's chain has an alias.
    pub(crate) fn may_be_endpoint(&self) -> bool {
        self.target.service.is_some() || self.alias.is_some()
    }

    /// Whether the resource may as well be somebody else's: its expectation is not written down, and no
    /// address of it was ever private.
    pub(crate) fn may_be_somebody_elses(&self) -> bool {
        self.target.expect == Expectation::Auto
            && self.expect == Expectation::Public
            && self.private_elsewhere().is_none()
    }

    /// Whether the configuration asks for a public address.
    pub(crate) fn wants_public(&self) -> bool {
        matches!(
            self.target.expect,
            Expectation::Public | Expectation::ServiceEndpoint
        )
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

fn parent(name: &str) -> Option<&str> {
    name.split_once('.').map(|(_, parent)| parent)
}
