//! Admit: what may be probed on behalf of somebody other than the operator, and how often.
//!
//! Whoever may create a `PrivateLinkTarget` or a pod must not be able to aim every node of the
//! cluster at anything but the services this is about, to hurry all of them, or to bear on the
//! verdicts of others.

use std::time::Duration;

use privatelink_verdict::catalogue;
use privatelink_verdict::name::is_within;
use privatelink_verdict::target::Target;

use crate::assemble::shown;
use crate::host;
use crate::problem::{Complaint, Problems, quoted};
use crate::raw::RawTarget;
use crate::text::AllowedHostText;
use crate::written::{Place, Written};

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
    written: Option<&[Written<AllowedHostText>]>,
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

/// Refuses what only the operator may write. `classify` makes any address dialable; `resolver`
/// would let an author choose the path that is judged, when `pathFor` says which one the users of
/// the host take; `sameService` would tie the verdict of anybody's target to one's own.
pub(super) fn fields(raw: &RawTarget) -> Result<(), Complaint> {
    let refused = [
        ("classify", raw.classify.is_some()),
        ("resolver", raw.resolver.is_some()),
        ("sameService", raw.same_service.is_some()),
    ];
    match refused.iter().find(|(_, written)| *written) {
        None => Ok(()),
        Some((field, _)) => Err(Complaint::new(format!(
            "`{field}` counts only in the operator's configuration"
        ))),
    }
}

/// The interval and timeout that a target of somebody else gets: no more often, and no more
/// patient, than the `usual` ones, of the operator's targets that say nothing of it. Clamped, not refused: that somebody wished for
/// more is no reason not to probe their target at all.
pub(super) fn pace(
    (interval, timeout): (Duration, Duration),
    usual: (Duration, Duration),
    problems: &mut Problems<'_>,
) -> (Duration, Duration) {
    let mut clamp = |what: &str, relation: &str, wanted: Duration, granted: Duration| {
        if wanted != granted {
            let (wanted, granted) = (shown(wanted), shown(granted));
            problems.warning(
                Place::default(),
                Complaint::new(format!(
                    "{what} is {wanted}, {relation} than is usual: {granted} is used"
                )),
            );
        }
        granted
    };
    (
        clamp("interval", "shorter", interval, interval.max(usual.0)),
        clamp("timeout", "longer", timeout, timeout.min(usual.1)),
    )
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
