//! Doubt: why a host is probably not what was meant, with the likely spelling.

use std::cmp::Reverse;
use std::fmt;

use super::{
    Cloud, Service, ending, endings_like, filled, is_private_zone, labels, lookup,
    private_only_zone, privatelink_zone, services, specificity, tail,
};
use crate::name::{ancestry, fits, is_within};

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
    /// Its suffix is unknown, and a typing error away from a known one: `kv.vault.azur.net`.
    Misspelt {
        /// The name with the suffix spelt right.
        instead: String,
    },
}

impl Doubt {
    /// What was probably meant.
    pub fn instead(&self) -> &str {
        match self {
            Self::Alias { instead }
            | Self::DoubledSuffix { instead }
            | Self::UnknownSuffix { instead }
            | Self::Misspelt { instead } => instead,
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
            Self::Misspelt { instead } => {
                write!(
                    f,
                    "has a suffix that looks misspelt: did you mean {instead}?"
                )
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
        .or_else(|| spelt_right(host).map(|instead| Doubt::Misspelt { instead }))
}

/// The part of `host` before a repeated suffix, itself a host of the catalogue.
fn doubled_suffix(host: &str) -> Option<String> {
    let is_suffix = |name: &str| {
        let mut suffixes = endings_like(name).filter(|known| known.is_public);
        is_private_zone(name) || suffixes.any(|known| fits(name, known.pattern))
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

/// `host` with one label of its suffix spelt right, where that makes it a host of the catalogue.
///
/// The other labels have to be right, and the slip small: other people's domains look alike too.
fn spelt_right(host: &str) -> Option<String> {
    if lookup(host).is_some() {
        return None;
    }
    let suffixes = services()
        .iter()
        .filter(|service| service.only_hosts.is_empty())
        .flat_map(|service| &service.suffixes);
    let mut near: Vec<_> = suffixes
        .filter_map(|suffix| {
            let depth = labels(suffix);
            let written = tail(host, depth).filter(|_| labels(host) > depth)?;
            let pairs = || written.split('.').zip(suffix.split('.'));
            let is_right =
                |(label, wanted): &(&str, &str)| label == wanted || wanted.starts_with('{');
            let mut wrong = pairs().filter(|pair| !is_right(pair));
            let (label, wanted) = wrong.next()?;
            let slips = slips(label, wanted)?;
            let right = pairs().map(|pair| if is_right(&pair) { pair.0 } else { pair.1 });
            let right = right.collect::<Vec<_>>().join(".");
            let before = host.strip_suffix(written)?;
            wrong
                .next()
                .is_none()
                .then(|| (slips, format!("{before}{right}")))
        })
        .collect();
    // Stable: among equals the table's order decides, the commercial cloud first.
    near.sort_by_key(|(slips, _)| *slips);
    near.into_iter().map(|(_, right)| right).next()
}

/// How many slips of the keyboard lie between two labels, a letter too many, too few, wrong or
/// changed with its neighbour; `None` where there are too many for the length of what was `wanted`.
fn slips(written: &str, wanted: &str) -> Option<usize> {
    let (a, b) = (written.as_bytes(), wanted.as_bytes());
    let most = match b.len() {
        // Of so few letters any one makes another word, but not their order.
        ..4 => {
            let swapped = || {
                let mut pairs = a.iter().zip(b).filter(|(x, y)| x != y);
                let (first, second) = (pairs.next()?, pairs.next()?);
                let is_swap = (first.0, first.1) == (second.1, second.0);
                (is_swap && pairs.next().is_none()).then_some(1)
            };
            return swapped().filter(|_| a.len() == b.len());
        }
        4..9 => 1,
        _ => 2,
    };
    if a.len().abs_diff(b.len()) > most {
        return None;
    }
    // Row by row, the two before kept: the distance of every beginning of `a` to every one of `b`.
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut row = vec![i + 1];
        for j in 0..b.len() {
            let changed = last[j] + usize::from(a[i] != b[j]);
            let mut least = changed.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                least = least.min(before[j - 1] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().filter(|slips| *slips <= most)
}
