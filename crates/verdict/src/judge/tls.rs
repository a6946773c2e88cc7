//! Tls findings: whether the handshake completes and the certificate is the right one.

use super::{Case, Findings};
use crate::name::privatelink_zone;
use crate::observation::{Certificate, Connection, Handshake, Trust};
use crate::reason::Reason;

/// Names of a certificate that a detail lists.
const NAMES: usize = 5;
/// Names of a certificate that an observation keeps (section 4).
const KEPT: usize = 20;
/// The one service whose certificates no public CA issues: each cluster has a CA of its own
/// (Kubernetes documentation, "PKI certificates and requirements").
const OWN_CA: &str = "kubernetes-api";

pub(super) fn find(case: &Case<'_>, findings: &mut Findings) {
    for connection in &case.observation.connections {
        if let Some(certificate) = &connection.certificate {
            judge(case, connection, certificate, findings);
        }
        if connection.refusal.is_some() {
            // Not TLS failed: the server never let us begin. `service` says why.
            continue;
        }
        let reason = match connection.handshake {
            Handshake::Timeout => Reason::TlsTimeout,
            Handshake::Interrupted => Reason::TlsInterrupted,
            Handshake::Failed => Reason::TlsHandshakeFailed,
            Handshake::BadCertificate => Reason::TlsCertificateInvalid,
            Handshake::Ok | Handshake::Skipped | Handshake::NotApplicable => continue,
        };
        let cause = connection
            .handshake_detail
            .as_deref()
            .unwrap_or(match connection.handshake {
                Handshake::Timeout => "no answer to the handshake in time",
                _ => "the peer closed the connection during the handshake",
            });
        findings.add(
            reason,
            Some(connection.ip),
            format!("{}: {cause}", connection.ip),
        );
    }
    private_root(case, findings);
}

/// One finding for all addresses of an Azure service whose chains end in a configured root.
fn private_root(case: &Case<'_>, findings: &mut Findings) {
    let Some(service) = case.target.service else {
        return;
    };
    let certificates = case.observation.certificates();
    let private: Vec<_> = certificates
        .filter(|(_, certificate)| certificate.trust == Trust::CaFile)
        .collect();
    let Some((first, certificate)) = private.first() else {
        return;
    };
    let others = match private.len() - 1 {
        0 => String::new(),
        others => format!(" (and of {others} more)"),
    };
    let as_meant = if service.slug == OWN_CA {
        ", as an API server's does"
    } else {
        ""
    };
    findings.add(
        Reason::TlsPrivateRoot,
        Some(first.ip),
        format!(
            "the chain of {}{others} ends in a configured CA, not in a public one{as_meant}; its issuer is {}",
            first.ip, certificate.issuer
        ),
    );
}

fn judge(
    case: &Case<'_>,
    connection: &Connection,
    certificate: &Certificate,
    findings: &mut Findings,
) {
    let ip = connection.ip;
    let mut add = |reason, detail: String| findings.add(reason, Some(ip), detail);

    if !certificate.covers_name {
        let names = named(certificate);
        let wanted = &case.target.server_name;
        // A server name of its own is not the alias's fault.
        if [case.host(), wanted]
            .iter()
            .all(|name| privatelink_zone(name).is_some())
        {
            let detail = format!(
                "{wanted} is a privatelink name, which no certificate covers; {ip} presents {names}"
            );
            add(Reason::PrivatelinkHostUsed, detail);
        } else {
            add(
                Reason::TlsNameMismatch,
                format!("{ip} presents {names}, not {wanted}"),
            );
        }
    }
    match &certificate.trust {
        Trust::UnknownIssuer => {
            let hint = if case.target.service_slug() == OWN_CA {
                "; every cluster has a CA of its own, which the ConfigMap kube-root-ca.crt holds"
            } else {
                ""
            };
            add(
                Reason::TlsUntrustedIssuer,
                format!(
                    "{ip} presents a certificate of an unknown issuer: {}{hint}",
                    certificate.issuer
                ),
            );
        }
        Trust::Invalid(why) => add(
            Reason::TlsCertificateInvalid,
            format!("{ip} presents a certificate that cannot serve TLS: {why}"),
        ),
        Trust::ChainExpired if !certificate.is_expired() => add(
            Reason::TlsCertificateExpired,
            format!("an issuer's certificate in the chain of {ip} has expired"),
        ),
        Trust::BuiltIn | Trust::CaFile | Trust::ChainExpired => {}
    }
    // A peer chooses the dates: they may lie at the ends of time.
    let left = certificate
        .not_after
        .saturating_sub(certificate.verified_at);
    let warning = i64::try_from(case.target.expiry_warning.as_secs()).unwrap_or(i64::MAX);
    if certificate.is_expired() {
        add(
            Reason::TlsCertificateExpired,
            format!(
                "the certificate of {ip} expired {} ago",
                span(left.saturating_neg())
            ),
        );
    } else if certificate.is_not_yet_valid() {
        let until = certificate
            .not_before
            .saturating_sub(certificate.verified_at);
        add(
            Reason::TlsCertificateNotYetValid,
            format!("the certificate of {ip} begins in {}", span(until)),
        );
    } else if left < warning && !matches!(certificate.trust, Trust::Invalid(_)) {
        // An invalid one has to be replaced anyway, and an unreadable one has no dates.
        add(
            Reason::TlsCertificateExpiring,
            format!("the certificate of {ip} ends in {}", span(left)),
        );
    }
}

/// `a certificate for *.vault.azure.net, vault.azure.net`.
fn named(certificate: &Certificate) -> String {
    if certificate.names.is_empty() {
        return format!(
            "a certificate without any DNS name (subject {})",
            if certificate.subject.is_empty() {
                "empty"
            } else {
                &certificate.subject
            }
        );
    }
    let mut text = certificate
        .names
        .iter()
        .take(NAMES)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    match certificate.names.len() {
        0..=NAMES => {}
        // More are not kept.
        KEPT.. => text.push_str(" and many more"),
        known => text.push_str(&format!(" and {} more", known - NAMES)),
    }
    format!("a certificate for {text}")
}

/// A number of seconds in the largest unit that says enough: `13 days`, `5 hours`, `40 minutes`.
fn span(seconds: i64) -> String {
    let (count, unit) = match seconds {
        172_800.. => (seconds / 86_400, "day"),
        7_200.. => (seconds / 3_600, "hour"),
        120.. => (seconds / 60, "minute"),
        _ => (seconds, "second"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::span;

    #[test]
    fn a_span_is_told_in_the_largest_unit_that_says_enough() {
        assert_eq!(span(1_209_600), "14 days");
        assert_eq!(span(86_400), "24 hours");
        assert_eq!(span(7_199), "119 minutes");
        assert_eq!(span(61), "61 seconds");
        assert_eq!(span(1), "1 second");
    }
}
