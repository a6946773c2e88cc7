//! Admit: which hosts may be probed on behalf of somebody other than the operator.
//!
//! Whoever may create a `PrivateLinkTarget` or a pod must not be able to aim every node of the
//! cluster at anything but the services this is about.

use privatelink_verdict::catalogue;
use privatelink_verdict::name::is_within;
use privatelink_verdict::target::Target;

use crate::config::host;
use crate::config::problem::{Complaint, Problems, quoted};
use crate::config::raw::RawTarget;
use crate::config::text::HostText;
use crate::config::written::Written;

/// One entry of `allowedHosts`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Allowed {
    /// This host.
    Host(String),
    /// Everything below this zone: `*.zone`.
    Below(String),
}

impl Allowed {
    fn covers(&self, host: &str) -> bool {
        match self {
            Self::Host(allowed) => allowed == host,
            Self::Below(zone) => host != zone && is_within(host, zone),
        }
    }
}

pub(super) fn allowed(
    written: Option<&[Written<HostText>]>,
    problems: &mut Problems<'_>,
) -> Vec<Allowed> {
    written
        .unwrap_or_default()
        .iter()
        .filter_map(|entry| {
            let text = entry.value.0.as_str();
            let read = match text.strip_prefix("*.") {
                Some(zone) => host::parse(zone).map(Allowed::Below),
                None => host::parse(text).map(Allowed::Host),
            };
            problems.check(entry.place, read)
        })
        .collect()
}

/// Refuses what only the operator may write: `classify` makes any address dialable.
pub(super) fn fields(raw: &RawTarget) -> Result<(), Complaint> {
    match &raw.classify {
        None => Ok(()),
        Some(_) => Err(Complaint::new(
            "`classify` counts only in the operator's configuration",
        )),
    }
}

/// Whether a target of this host and port may come from somebody other than the operator.
pub(super) fn target(target: &Target, allowed: &[Allowed]) -> Result<(), Complaint> {
    let host = target.host.as_str();
    if is_cluster_internal(host) {
        return Err(Complaint::new(format!(
            "the host {} is a name inside the cluster",
            quoted(host)
        )));
    }
    if allowed.iter().any(|allowed| allowed.covers(host)) {
        return Ok(());
    }
    let Some(known) = catalogue::lookup(host) else {
        return Err(Complaint::new(format!(
            "the host {} is neither in the catalogue nor in allowedHosts",
            quoted(host)
        )));
    };
    let mut ports = known.service.ports.iter();
    if ports.any(|port| port.number == target.port) {
        return Ok(());
    }
    Err(Complaint::new(format!(
        "the port {} is none that the catalogue lists for {}",
        target.port,
        quoted(host)
    ))
    .help("a host in allowedHosts may have any port"))
}

fn is_cluster_internal(host: &str) -> bool {
    !host.contains('.')
        || ["svc", "cluster.local", "localhost"]
            .iter()
            .any(|zone| is_within(host, zone))
        || host.split('.').any(|label| label == "svc")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_allows_what_is_below_it_and_nothing_beside_it() {
        let zone = Allowed::Below("example.com".to_owned());
        assert!(zone.covers("a.example.com"));
        assert!(zone.covers("a.b.example.com"));
        assert!(!zone.covers("example.com"));
        assert!(!zone.covers("badexample.com"));
        let host = Allowed::Host("example.com".to_owned());
        assert!(host.covers("example.com"));
        assert!(!host.covers("a.example.com"));
    }

    #[test]
    fn names_inside_the_cluster_are_recognised() {
        for name in [
            "kubernetes",
            "api.default.svc",
            "api.default.svc.cluster.local",
            "api.default.svc.corp.example",
            "x.localhost",
        ] {
            assert!(is_cluster_internal(name), "{name}");
        }
        assert!(!is_cluster_internal("kv.vault.azure.net"));
    }
}
