//! Tls findings: whether the handshake completes and the certificate is the right one.

use std::net::IpAddr;

use super::{Case, Findings};
use crate::alias::is_privatelink_name;
use crate::catalogue::{Issuer, private_only_zone};
use crate::fact::{Presented, TlsFact};
use crate::observation::{Certificate, Connection, Handshake, NoHandshake, TlsOutcome, Trust};
use crate::reason::Reason;
use crate::target::Protocol;
use crate::verdict::Confidence;

/// Names of a certificate that a fact lists.
const NAMES: usize = 5;

pub(super) fn find(case: &Case<'_>, findings: &mut Findings) {
    for connection in &case.observation.connections {
        let ip = connection.ip;
        if let Some(certificate) = &connection.certificate {
            name(case, ip, certificate, findings);
            trust(case, ip, certificate, findings);
            dates(case, ip, certificate, findings);
            if connection.trouble.client_certificate_required && connection.tls() == TlsOutcome::Ok
            {
                let fact = TlsFact::ClientCertificateRequired { ip };
                findings.add(Reason::TlsClientCertificateRequired, Some(ip), [fact]);
            }
        }
        if connection.trouble.refused.is_some() {
            // The server refused this host before TLS began: `service` says why.
            continue;
        }
        let reason = match connection.handshake {
            Handshake::Timeout => Reason::TlsTimeout,
            Handshake::Interrupted => Reason::TlsInterrupted,
            Handshake::Failed => Reason::TlsHandshakeFailed,
            Handshake::BadCertificate => Reason::TlsCertificateInvalid,
            Handshake::Ok | Handshake::Skipped | Handshake::NotApplicable => continue,
        };
        let fact = TlsFact::HandshakeFailed {
            ip,
            handshake: connection.handshake,
            no_handshake: connection.trouble.no_handshake,
            said: connection
                .trouble
                .handshake_detail
                .as_deref()
                .map(str::to_owned),
        };
        let reading = reading(case, connection);
        // What is offered leaves out what some servers have alone.
        let confidence = match reading {
            Some(TlsFact::OfferRefused) => Confidence::Medium,
            _ => Confidence::High,
        };
        let facts = [fact].into_iter().chain(reading);
        findings.add_as(reason, reason.severity(), confidence, Some(ip), facts);
    }
    private_root(case, findings);
}

/// What may explain a handshake that failed, although the peer does not say so.
fn reading(case: &Case<'_>, connection: &Connection) -> Option<TlsFact> {
    match connection.trouble.no_handshake? {
        NoHandshake::NothingInCommon => Some(TlsFact::OfferRefused),
        NoHandshake::TlsFirst => Some(TlsFact::StrictEncryption),
        // Azure's own servers accept PRELOGIN too (Microsoft Learn, "TDS 8.0").
        NoHandshake::EndedBeforeTls
            if case.target.protocol == Protocol::Tds && case.target.service.is_none() =>
        {
            Some(TlsFact::StrictEncryption)
        }
        _ => None,
    }
}

/// Whether each instance of the target's service has a CA of its own.
fn has_own_ca(case: &Case<'_>) -> bool {
    let service = case.target.service;
    service.is_some_and(|service| service.issuer == Issuer::Own)
}

/// One finding for all addresses of an Azure service whose chains end in a configured root.
fn private_root(case: &Case<'_>, findings: &mut Findings) {
    if case.target.service.is_none() {
        return;
    }
    let certificates = case.observation.certificates();
    let private: Vec<_> = certificates
        .filter(|(_, certificate)| certificate.trust == Trust::CaFile)
        .collect();
    let Some((first, certificate)) = private.first() else {
        return;
    };
    let fact = TlsFact::PrivateRoot {
        ip: first.ip,
        others: private.len() - 1,
        issuer: certificate.leaf.issuer.to_string(),
        own_ca: has_own_ca(case),
    };
    findings.add(Reason::TlsPrivateRoot, Some(first.ip), [fact]);
}

fn name(case: &Case<'_>, ip: IpAddr, certificate: &Certificate, findings: &mut Findings) {
    if certificate.covers_name {
        return;
    }
    let presented = presented(certificate);
    let wanted = case.target.server_name().to_owned();
    // A server name of its own is not the alias's fault.
    let is_alias = [case.host(), &wanted]
        .iter()
        .all(|name| is_privatelink_name(case.target, name));
    let (reason, fact) = if is_alias {
        let fact = TlsFact::PrivatelinkName {
            is_only_name: private_only_zone(&wanted).is_some(),
            wanted,
            ip,
            presented,
        };
        (Reason::PrivatelinkHostUsed, fact)
    } else {
        let fact = TlsFact::OtherNames {
            wanted,
            ip,
            presented,
        };
        (Reason::TlsNameMismatch, fact)
    };
    findings.add(reason, Some(ip), [fact]);
}

fn trust(case: &Case<'_>, ip: IpAddr, certificate: &Certificate, findings: &mut Findings) {
    let (reason, fact) = match &certificate.trust {
        Trust::NotFollowed { issuers, tried } => {
            // Another client may go further, or give up earlier.
            let (issuers, tried) = (*issuers, *tried);
            let fact = TlsFact::ChainNotFollowed { ip, issuers, tried };
            let reason = Reason::TlsUntrustedIssuer;
            let severity = reason.severity();
            findings.add_as(reason, severity, Confidence::Medium, Some(ip), [fact]);
            return;
        }
        Trust::UnknownIssuer => {
            let fact = TlsFact::UnknownIssuer {
                ip,
                issuer: certificate.leaf.issuer.to_string(),
                own_ca: has_own_ca(case),
                self_signed: certificate.leaf.issuer == certificate.leaf.subject,
                sent_alone: certificate.sent_alone,
            };
            (Reason::TlsUntrustedIssuer, fact)
        }
        Trust::Invalid(why) => {
            let why = why.clone();
            (
                Reason::TlsCertificateInvalid,
                TlsFact::CannotServeTls { ip, why },
            )
        }
        Trust::ChainExpired if !certificate.is_expired() => {
            (Reason::TlsCertificateExpired, TlsFact::IssuerExpired { ip })
        }
        Trust::BuiltIn | Trust::CaFile | Trust::ChainExpired => return,
    };
    findings.add(reason, Some(ip), [fact]);
}

fn dates(case: &Case<'_>, ip: IpAddr, certificate: &Certificate, findings: &mut Findings) {
    // A peer chooses the dates: they may lie at the ends of time.
    let from_now = |date: i64| date.saturating_sub(certificate.verified_at);
    let left = from_now(certificate.leaf.not_after);
    let warning = i64::try_from(case.target.expiry_warning.as_secs()).unwrap_or(i64::MAX);
    let (reason, fact) = if certificate.is_expired() {
        let seconds = left.saturating_neg();
        (
            Reason::TlsCertificateExpired,
            TlsFact::CertificateExpired { ip, seconds },
        )
    } else if certificate.is_not_yet_valid() {
        let seconds = from_now(certificate.leaf.not_before);
        (
            Reason::TlsCertificateNotYetValid,
            TlsFact::CertificateBegins { ip, seconds },
        )
    } else if left < warning && !matches!(certificate.trust, Trust::Invalid(_)) {
        // An invalid one has to be replaced anyway, and an unreadable one has no dates.
        (
            Reason::TlsCertificateExpiring,
            TlsFact::CertificateEnds { ip, seconds: left },
        )
    } else {
        return;
    };
    findings.add(reason, Some(ip), [fact]);
}

fn presented(certificate: &Certificate) -> Presented {
    let leaf = &certificate.leaf;
    let names = leaf.names.iter();
    Presented {
        names: names.take(NAMES).map(str::to_owned).collect(),
        more: leaf.names.len().saturating_sub(NAMES) + leaf.more_names,
        subject: leaf.subject.to_string(),
    }
}
