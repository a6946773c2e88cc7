//! Zone: who answers for the private DNS zone that a name lies in.
//!
//! The SOA discriminates: a private zone linked to the network answers as `azureprivatedns.net`,
//! the public side of the same zone as Microsoft's public DNS (azure-docs, private DNS zones).

use crate::alias::{alias, zone_of};
use crate::catalogue;
use crate::name::is_within;
use crate::observation::{Observation, Resolution, Soa};
use crate::target::Target;
use crate::words::words;

/// The `mname` of every zone that Azure Private DNS serves; the sovereign clouds' are inferred.
const AZURE_PRIVATE_DNS: [&str; 3] = [
    "azureprivatedns.net",
    "azureprivatedns.us",
    "azureprivatedns.cn",
];

words! {
    /// Who answers for the private DNS zone.
    ZoneAuthority {
        /// A private zone, seen from here.
        Private = "private",
        /// The public side of a catalogue zone.
        Public = "public",
        /// Asked, and not told.
        Unknown = "unknown",
        /// Not asked.
        NotAsked = "not_asked",
    }
}

/// Who answers for the zone that the chain's private name lies in, by the SOA of the answer or the
/// one asked for.
pub fn zone_authority(target: &Target, observation: &Observation) -> ZoneAuthority {
    let resolution = &observation.resolution;
    let Some((name, zone)) = private_name(target, resolution) else {
        return ZoneAuthority::NotAsked;
    };
    match zone_soa(target, resolution) {
        Some(soa) => authority_of(soa, name, zone),
        None if resolution.evidence.zone.is_some() => ZoneAuthority::Unknown,
        None => ZoneAuthority::NotAsked,
    }
}

/// The private name of the chain, and the zone that it lies in.
fn private_name<'a>(target: &'a Target, resolution: &'a Resolution) -> Option<(&'a str, &'a str)> {
    let last = resolution.chain().last().unwrap_or(&target.host);
    let name = alias(target, resolution).unwrap_or(last);
    Some((name, zone_of(target, name)?))
}

/// The SOA that tells who answers for the zone: of the answer where it is the private zone's, else
/// the one asked for, else whatever came with the answer. Beside public addresses that is the public
/// side's, even where a private zone is linked and falls back to the internet.
pub(crate) fn zone_soa<'a>(target: &Target, resolution: &'a Resolution) -> Option<&'a Soa> {
    let answered = answered_soa(target, resolution);
    let is_private = |soa: &&Soa| {
        private_name(target, resolution)
            .is_some_and(|(name, zone)| authority_of(soa, name, zone) == ZoneAuthority::Private)
    };
    let asked = resolution
        .evidence
        .zone
        .as_ref()
        .and_then(|zone| zone.soa.as_deref());
    answered.filter(is_private).or(asked).or(answered)
}

/// Whether Azure Private DNS serves the zone.
pub(crate) fn is_azure_private_dns(soa: &Soa) -> bool {
    AZURE_PRIVATE_DNS.contains(&soa.mname.as_str())
}

/// The SOA that came with a negative answer about a name of the zone. One that came with a public
/// name further down the chain says nothing of the privatelink zone.
fn answered_soa<'a>(target: &Target, resolution: &'a Resolution) -> Option<&'a Soa> {
    resolution
        .queries
        .iter()
        .filter(|query| query.addresses.is_empty())
        .filter(|query| {
            query
                .chain
                .last()
                .is_some_and(|last| zone_of(target, last).is_some())
        })
        .find_map(|query| query.soa.as_deref())
}

/// Whether a private zone answers in place of the service's public name: its SOA owns the
/// host, a public suffix of the catalogue, or a parent of one.
pub(crate) fn shadows(target: &Target, soa: &Soa) -> bool {
    let of_catalogue = catalogue::holds_suffix(&soa.owner)
        || (soa.owner == target.host && target.service.is_some());
    if is_azure_private_dns(soa) {
        of_catalogue || soa.owner == target.host
    } else {
        of_catalogue && !is_within(&soa.rname, "microsoft.com")
    }
}

fn authority_of(soa: &Soa, name: &str, zone: &str) -> ZoneAuthority {
    // A private zone may begin below the privatelink label: AKS subzones, one zone per record.
    let owns = is_within(name, &soa.owner) && is_within(&soa.owner, zone);
    let of_catalogue =
        catalogue::is_private_zone(zone) || catalogue::private_only_zone(name).is_some();
    if is_azure_private_dns(soa) {
        if owns {
            ZoneAuthority::Private
        } else {
            ZoneAuthority::Unknown
        }
    } else if !of_catalogue {
        ZoneAuthority::Unknown
    } else if owns && !is_within(&soa.rname, "microsoft.com") {
        ZoneAuthority::Private
    } else {
        ZoneAuthority::Public
    }
}
