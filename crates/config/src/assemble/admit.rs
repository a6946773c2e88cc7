//! Admit: which targets of the target files may be probed, and how often.
//!
//! A person who can create a `PrivateLinkTarget` or a pod must not be able to make every node dial
//! other hosts than `privatelink_verdict::admission` says, to shorten the interval, or to change the
//! verdict of another person's target.

use std::time::Duration;

use privatelink_verdict::admission::{self, Allowed, Refusal};
use privatelink_verdict::target::Target;

use crate::diagnostic::{Diagnostic, quoted};
use crate::duration;
use crate::host;
use crate::problems::Problems;
use crate::raw::RawTarget;
use crate::spanned::{Location, Spanned};
use crate::text::AllowedHostText;

pub(super) fn allowed(
    written: Option<&[Spanned<AllowedHostText>]>,
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
            problems.check(entry.location, read)
        })
        .collect()
}

/// Refuses the fields that only the operator may write. `classify` makes any address dialable;
/// `resolver` would choose another path than that of the host's users, which `pathFor` decides;
/// `sameService` would change the verdict of another person's target.
pub(super) fn fields(raw: &RawTarget) -> Result<(), Diagnostic> {
    let refused = [
        ("classify", raw.classify.is_some()),
        ("resolver", raw.resolver.is_some()),
        ("sameService", raw.same_service.is_some()),
    ];
    match refused.iter().find(|(_, written)| *written) {
        None => Ok(()),
        Some((field, _)) => Err(Diagnostic::new(format!(
            "`{field}` is allowed only in the operator's configuration"
        ))),
    }
}

/// The interval and timeout of a target from a target file: the interval is not shorter and the
/// timeout not longer than `usual`, those of the operator's targets that have none of their own. They
/// are clamped with a warning, and the target is still probed.
pub(super) fn pace(
    (interval, timeout): (Duration, Duration),
    usual: (Duration, Duration),
    problems: &mut Problems<'_>,
) -> (Duration, Duration) {
    let mut clamp = |what: &str, relation: &str, wanted: Duration, granted: Duration| {
        if wanted != granted {
            let (wanted, granted) = (duration::quoted(wanted), duration::quoted(granted));
            problems.warning(
                Location::default(),
                Diagnostic::new(format!(
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

/// Whether a target file may name a target of this host and port.
pub(super) fn target(target: &Target, allowed: &[Allowed]) -> Result<(), Diagnostic> {
    let host = quoted(&target.host);
    let Err(refusal) = admission::admit(&target.host, Some(target.port), allowed) else {
        return Ok(());
    };
    Err(match refusal {
        Refusal::ClusterInternal => {
            Diagnostic::new(format!("the host {host} is a name of the cluster itself"))
        }
        Refusal::UnknownHost => Diagnostic::new(format!(
            "the host {host} is neither in the catalogue nor in allowedHosts"
        )),
        Refusal::Port => Diagnostic::new(format!(
            "the catalogue does not list the port {} for {host}",
            target.port
        ))
        .help("a host in allowedHosts may have any port"),
    })
}
