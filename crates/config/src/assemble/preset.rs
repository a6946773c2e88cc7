//! Preset: a named list of targets: the public hosts that a private cluster still needs.
//!
//! `aks-egress` stands for the documented outbound dependencies of AKS, `aks-egress:REGION` for
//! those of a region and its cloud. Hosts that are documented only as a wildcard are left out, since a
//! wildcard cannot be resolved.

use privatelink_verdict::catalogue::Cloud;

use crate::diagnostic::{Diagnostic, quoted};
use crate::problems::Problems;
use crate::raw::{RawConfig, RawTarget};
use crate::spanned::Spanned;
use crate::text::{ExpectText, HostText};

/// The only preset.
const AKS_EGRESS: &str = "aks-egress";

/// The targets of the presets in the configuration, without the hosts that it lists as targets.
pub(super) fn targets(raw: &RawConfig, problems: &mut Problems<'_>) -> Vec<Spanned<RawTarget>> {
    let listed = raw
        .targets
        .iter()
        .flatten()
        .map(|target| target.value.host.value.0.as_str());
    let mut known: Vec<String> = listed.map(privatelink_verdict::name::normalised).collect();
    let mut targets = Vec::new();
    for preset in raw.presets.iter().flatten() {
        let (word, region) = match preset.value.0.split_once(':') {
            Some((word, region)) => (word, Some(region)),
            None => (preset.value.0.as_str(), None),
        };
        if word != AKS_EGRESS || region.is_some_and(|region| !is_region(region)) {
            let name = quoted(&preset.value.0);
            problems.error(
                preset.location,
                Diagnostic::new(format!("unknown preset {name}")).help(
                    "write `aks-egress`, or `aks-egress:REGION` such as `aks-egress:westeurope`",
                ),
            );
            continue;
        }
        for host in hosts(region) {
            if known.contains(&host) {
                continue;
            }
            known.push(host.clone());
            let location = preset.location;
            let value = RawTarget {
                host: Spanned {
                    value: HostText(host),
                    location,
                },
                expect: Some(Spanned {
                    value: ExpectText("public".to_owned()),
                    location,
                }),
                ..RawTarget::default()
            };
            targets.push(Spanned { value, location });
        }
    }
    targets
}

/// Azure's own spelling: `westeurope`, `usgovvirginia`, `chinanorth3`.
fn is_region(region: &str) -> bool {
    !region.is_empty()
        && region
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

/// The cloud that a region lies in.
fn cloud(region: Option<&str>) -> Cloud {
    match region {
        Some(region) if region.starts_with("usgov") || region.starts_with("usdod") => Cloud::UsGov,
        Some(region) if region.starts_with("china") => Cloud::China,
        _ => Cloud::Commercial,
    }
}

fn hosts(region: Option<&str>) -> impl Iterator<Item = String> {
    let cloud = cloud(region).as_str();
    let rows = include_str!("aks-egress.tsv").lines().skip(1);
    let columns = rows.map(|row| row.split('\t'));
    columns.filter_map(move |mut columns| {
        let host = (columns.next() == Some(cloud))
            .then(|| columns.next())
            .flatten()?;
        match (host.strip_prefix("{region}"), region) {
            (None, _) => Some(host.to_owned()),
            (Some(rest), Some(region)) => Some(format!("{region}{rest}")),
            (Some(_), None) => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_names_cloud_host_purpose_and_source() {
        for row in include_str!("aks-egress.tsv").lines().skip(1) {
            let columns: Vec<&str> = row.split('\t').collect();
            assert_eq!(columns.len(), 4, "{row}");
            assert!(
                Cloud::ALL.iter().any(|cloud| cloud.as_str() == columns[0]),
                "{row}"
            );
            assert!(columns.iter().all(|column| !column.is_empty()), "{row}");
        }
    }

    #[test]
    fn a_region_brings_its_cloud_and_its_own_hosts() {
        let of = |region| hosts(region).collect::<Vec<_>>();
        assert!(of(None).contains(&"management.azure.com".to_owned()));
        assert!(!of(None).iter().any(|host| host.contains('{')));
        assert!(of(Some("westeurope")).contains(&"westeurope.data.mcr.microsoft.com".to_owned()));
        assert!(of(Some("usgovvirginia")).contains(&"login.microsoftonline.us".to_owned()));
        assert!(of(Some("chinanorth3")).contains(&"login.chinacloudapi.cn".to_owned()));
        assert!(!of(Some("chinanorth3")).contains(&"management.azure.com".to_owned()));
    }
}
