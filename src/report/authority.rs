//! Authority: who answers for a target's privatelink zone. Stands in for the judge's own.

use privatelink_verdict::name::privatelink_zone;
use privatelink_verdict::observation::Observation;
use privatelink_verdict::target::Target;

/// Who answers for the zone of the privatelink alias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZoneAuthority {
    /// A private zone, linked here.
    Private,
    /// The public one.
    Public,
    /// Somebody who cannot be told.
    Unknown,
    /// Nobody asked.
    NotAsked,
}

impl ZoneAuthority {
    /// Every value.
    pub const ALL: &'static [Self] = &[Self::Private, Self::Public, Self::Unknown, Self::NotAsked];

    /// The contract's word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Public => "public",
            Self::Unknown => "unknown",
            Self::NotAsked => "not_asked",
        }
    }
}

/// Who answers for the zone of the target's privatelink alias.
pub fn zone_authority(_target: &Target, observation: &Observation) -> ZoneAuthority {
    let soa = observation.resolution.zone.as_ref().map(|zone| &zone.soa);
    match soa {
        None => ZoneAuthority::NotAsked,
        Some(Some(soa)) if soa.mname == "azureprivatedns.net" => ZoneAuthority::Private,
        Some(Some(_)) => ZoneAuthority::Public,
        Some(None) => ZoneAuthority::Unknown,
    }
}

/// Whether a privatelink alias is in the chain, or the host is one itself.
pub fn has_alias(target: &Target, observation: &Observation) -> bool {
    let chain = observation.resolution.chain();
    std::iter::once(&target.host)
        .chain(chain)
        .any(|name| privatelink_zone(name).is_some())
}
