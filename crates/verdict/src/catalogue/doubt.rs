//! Doubt: why a host is probably not what was meant, with the likely spelling.

use std::cmp::Reverse;
use std::fmt;

use super::{
    Cloud, Service, ending, filled, is_private_zone, lookup, private_only_zone, services,
    specificity,
};
use crate::name::{ancestry, fits, is_within, privatelink_zone};

/// Why a host is probably not what was meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// It is a private endpoint's alias, which no certificate covers.
    Alias {
        /// The public name of the same resource.
        instead: String,
    },
    /// Its suffix stands there twice: `kv.vault.azure.net.vault.azure.net`.
    DoubledSuffix {
        /// The name up to the first suffix.
        instead: String,
    },
    /// Its suffix belongs to no cloud, but would under another top-level domain or in the cloud
    /// that its top-level domain hints at: `kv.vault.azure.com`, `x.blob.core.windows.us`.
    UnknownSuffix {
        /// The name with the nearest suffix there is.
        instead: String,
    },
}

impl Doubt {
    /// What was probably meant.
    pub fn instead(&self) -> &str {
        match self {
            Self::Alias { instead }
            | Self::DoubledSuffix { instead }
            | Self::UnknownSuffix { instead } => instead,
        }
    }
}

impl fmt::Display for Doubt {
    /// A clause that continues the host's name: "… repeats its suffix: did you mean …?".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alias { instead } => write!(
                f,
                "is a private endpoint's alias, which certificates do not cover: use {instead}"
            ),
            Self::DoubledSuffix { instead } => {
                write!(f, "repeats its suffix: did you mean {instead}?")
            }
            Self::UnknownSuffix { instead } => {
                write!(f, "has a suffix of no Azure cloud: did you mean {instead}?")
            }
        }
    }
}

/// The doubt about `host` (normalised), if there is one.
pub fn doubt(host: &str) -> Option<Doubt> {
    doubled_suffix(host)
        .map(|instead| Doubt::DoubledSuffix { instead })
        .or_else(|| public_name(host).map(|instead| Doubt::Alias { instead }))
        .or_else(|| known_suffix(host).map(|instead| Doubt::UnknownSuffix { instead }))
}

/// The part of `host` before a repeated suffix, itself a host of the catalogue.
fn doubled_suffix(host: &str) -> Option<String> {
    let is_suffix = |name: &str| {
        let mut suffixes = services().iter().flat_map(|service| &service.suffixes);
        is_private_zone(name) || suffixes.any(|suffix| fits(name, suffix))
    };
    let mut repeated = ancestry(host).skip(1).filter(|rest| is_suffix(rest));
    repeated.find_map(|rest| {
        let before = host.strip_suffix(rest)?.strip_suffix('.')?;
        lookup(before).map(|_| before.to_owned())
    })
}

/// The public name behind a private endpoint's alias, private-only names excepted: the host
/// without its privatelink label, or with the suffix that clients use where the zone's differs.
fn public_name(host: &str) -> Option<String> {
    let zone = privatelink_zone(host).filter(|_| private_only_zone(host).is_none())?;
    let record = host.strip_suffix(zone)?;
    let (_, bare) = zone.split_once('.')?;
    let service = lookup(host).map(|found| found.service);
    let own_zone = |service: &&Service| fits(zone, service.private_zones[0]);
    let usual = service
        .filter(own_zone)
        .and_then(|service| service.suffixes.first());
    let irregular = usual.filter(|usual| !usual.contains('{') && !is_within(bare, usual));
    Some(format!("{record}{}", irregular.copied().unwrap_or(bare)))
}

/// `host` under the suffix it was probably meant to have.
fn known_suffix(host: &str) -> Option<String> {
    if lookup(host).is_some() {
        return None;
    }
    let (_, top_level) = host.rsplit_once('.')?;
    let mut candidates: Vec<_> = services()
        .iter()
        .filter(|service| service.only_hosts.is_empty())
        .flat_map(|service| {
            service
                .suffixes
                .iter()
                .map(move |suffix| (service, *suffix))
        })
        .filter_map(|(service, suffix)| {
            let (labels, _) = suffix.rsplit_once('.')?;
            let ending = ending(host, &format!("{labels}.{top_level}"))?;
            Some((service, suffix, ending))
        })
        .collect();
    // Stable: among equals the table's order decides, the commercial cloud first.
    candidates.sort_by_key(|(_, suffix, _)| Reverse(specificity(suffix)));
    candidates
        .into_iter()
        .find_map(|(service, suffix, ending)| {
            let right = filled(meant(service, suffix, top_level)?, suffix, ending)?;
            Some(format!("{}{right}", host.strip_suffix(ending)?))
        })
}

/// The suffix pattern that was meant by `suffix` under a foreign top-level domain: the same
/// service's in the cloud that the domain hints at, or `suffix` itself where it hints at none.
///
/// A service without such a suffix in that cloud may well exist there without private endpoints:
/// then nothing is known to be wrong.
fn meant(service: &Service, suffix: &'static str, top_level: &str) -> Option<&'static str> {
    let cloud = match top_level {
        "us" => Cloud::UsGov,
        "cn" => Cloud::China,
        _ => return Some(suffix),
    };
    services()
        .iter()
        .filter(|other| other.cloud == cloud && other.slug == service.slug)
        .flat_map(|other| &other.suffixes)
        .find(|other| kind(other) == kind(suffix))
        .copied()
}

/// The label that tells a service's suffixes apart: the first that is no placeholder.
fn kind(pattern: &str) -> Option<&str> {
    pattern.split('.').find(|label| !label.starts_with('{'))
}
