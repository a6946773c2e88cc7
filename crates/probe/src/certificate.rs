//! Certificate: what a peer's chain says, and what verification finds, each question by itself.
//!
//! A library that verifies stops at the first thing wrong. Here the name, the dates and the issuer
//! are asked about one after another, so that an expired certificate for another name by an unknown
//! issuer is seen as all three.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest::{SHA256, digest};
use privatelink_verdict::name::normalised;
use privatelink_verdict::observation::{Certificate, Leaf, Trust};
use privatelink_verdict::sanitize::from_wire;
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::{EndEntityCert, KeyUsage};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::chain_cache::{self, Says};
use super::roots::Roots;

/// Names that are kept of one certificate: a hostile one may carry thousands of them.
const MAX_NAMES: usize = 20;

/// Certificates beside the leaf's that verification tries, those nearest to the leaf. Of six that all may
/// have issued one another there are 1956 paths, which take milliseconds; of ten there are so many that
/// the library gives up only after seconds. Public chains have one or two, cross-signed ones three.
const MAX_ISSUERS: usize = 6;

/// The facts of the leaf of `chain` (leaf first), verified for `server_name` at `now`; `None` for an
/// empty chain, and for a leaf that cannot be read: nothing is known of it then.
pub(super) fn examine(
    chain: &[CertificateDer<'_>],
    server_name: &str,
    roots: &Roots,
    now: SystemTime,
) -> Option<Certificate> {
    let (leaf, intermediates) = chain.split_first()?;
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let verified_at = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let digest = chain_cache::digest(chain);
    let cache = &roots.chain_cache;
    let Says {
        leaf: says,
        sent_alone,
    } = cache.says(&digest, || says(chain, roots))?;
    // Out of its own dates, a certificate may still be of a trusted issuer: ask as of its own time.
    let as_of = verified_at.min(says.not_after).max(says.not_before);
    let trust = cache.trust(&digest, chain, as_of, || {
        verified(leaf, intermediates, roots, as_of)
    });
    let is_ca = || roots.ca_certificates.iter().any(|ca| ca == leaf);
    Some(Certificate {
        leaf: says,
        covers_name: covers(leaf, server_name),
        trust: match trust {
            Trust::UnknownIssuer if is_ca() => Trust::CaFile,
            trust => trust,
        },
        sent_alone,
        verified_at,
    })
}

/// What `chain` says of its leaf; `None` where that cannot be read.
pub(super) fn says(chain: &[CertificateDer<'_>], roots: &Roots) -> Option<Says> {
    let (leaf, others) = chain.split_first()?;
    let (_, parsed) = X509Certificate::from_der(leaf).ok()?;
    let mut fingerprint = [0; 32];
    fingerprint.copy_from_slice(digest(&SHA256, leaf).as_ref());
    let mut names = names(&parsed);
    Some(Says {
        leaf: Arc::new(Leaf {
            names: names.by_ref().take(MAX_NAMES).collect(),
            more_names: names.count(),
            subject: from_wire(&parsed.subject().to_string()).into(),
            issuer: from_wire(&parsed.issuer().to_string()).into(),
            not_before: parsed.validity().not_before.timestamp(),
            not_after: parsed.validity().not_after.timestamp(),
            fingerprint,
        }),
        sent_alone: others.is_empty()
            && parsed.issuer() != parsed.subject()
            && !roots.has_subject(parsed.issuer().as_raw()),
    })
}

/// Where the chain of `leaf` ends, as of a moment in Unix seconds.
fn verified(
    leaf: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    roots: &Roots,
    as_of: i64,
) -> Trust {
    let as_of = Duration::from_secs(u64::try_from(as_of).unwrap_or(0));
    let as_of = UnixTime::since_unix_epoch(as_of);
    let issuers = X509Certificate::from_der(leaf)
        .map(|(_, parsed)| issuers(&parsed, intermediates))
        .unwrap_or_default();
    let tried = &issuers[..issuers.len().min(MAX_ISSUERS)];
    match trust(leaf, tried, roots, as_of) {
        Trust::UnknownIssuer if tried.len() < issuers.len() => Trust::NotFollowed {
            issuers: issuers.len(),
            tried: tried.len(),
        },
        trust => trust,
    }
}

/// Every name, made safe to keep.
fn names<'c>(certificate: &'c X509Certificate<'_>) -> impl Iterator<Item = String> + use<'c> {
    let extension = certificate.subject_alternative_name().ok().flatten();
    let names = extension.map_or(&[][..], |extension| &extension.value.general_names);
    names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(from_wire(name).into_owned()),
        GeneralName::IPAddress(octets) => match octets.len() {
            4 => <[u8; 4]>::try_from(*octets)
                .ok()
                .map(|o| std::net::Ipv4Addr::from(o).to_string()),
            16 => <[u8; 16]>::try_from(*octets)
                .ok()
                .map(|o| std::net::Ipv6Addr::from(o).to_string()),
            _ => None,
        },
        _ => None,
    })
}

/// Whether the leaf is for `server_name`. Where the library cannot say, because one of the names is
/// malformed, they are compared here.
fn covers(leaf: &CertificateDer<'_>, server_name: &str) -> bool {
    let Ok(wanted) = ServerName::try_from(server_name) else {
        return false;
    };
    let verified = EndEntityCert::try_from(leaf)
        .and_then(|leaf| leaf.verify_is_valid_for_subject_name(&wanted));
    match verified {
        Ok(()) => true,
        Err(webpki::Error::CertNotValidForName(_)) => false,
        Err(_) => {
            let wanted = normalised(server_name);
            let parsed = X509Certificate::from_der(leaf);
            parsed.is_ok_and(|(_, parsed)| {
                names(&parsed).any(|name| matches(&normalised(&name), &wanted))
            })
        }
    }
}

/// RFC 9525 section 6.3: a wildcard stands for the whole leftmost label.
fn matches(presented: &str, wanted: &str) -> bool {
    match presented.strip_prefix("*.") {
        Some(parent) => wanted
            .split_once('.')
            .is_some_and(|(_, rest)| rest == parent),
        None => presented == wanted,
    }
}

/// The certificates that may be on a path from `leaf`, by the names alone: the issuers of the leaf, then
/// theirs. A server may send a whole bundle of others beside them.
fn issuers<'c>(
    leaf: &X509Certificate<'_>,
    intermediates: &'c [CertificateDer<'_>],
) -> Vec<CertificateDer<'c>> {
    let mut others: Vec<(&[u8], X509Certificate<'_>)> = intermediates
        .iter()
        .filter_map(|der| Some((der.as_ref(), X509Certificate::from_der(der).ok()?.1)))
        .collect();
    let mut issuers = Vec::new();
    let mut wanted = vec![leaf.issuer().as_raw()];
    while !wanted.is_empty() {
        let (next, rest): (Vec<_>, Vec<_>) = others
            .into_iter()
            .partition(|(_, other)| wanted.contains(&other.subject().as_raw()));
        wanted = next
            .iter()
            .map(|(_, other)| other.issuer.as_raw())
            .collect();
        issuers.extend(next.into_iter().map(|(der, _)| CertificateDer::from(der)));
        others = rest;
    }
    issuers.dedup();
    issuers
}

fn trust(
    leaf: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    roots: &Roots,
    at: UnixTime,
) -> Trust {
    let der = leaf;
    let leaf = match EndEntityCert::try_from(leaf) {
        Ok(leaf) => leaf,
        Err(error) => return Trust::Invalid(described(&error)),
    };
    let built_in = match verify(&leaf, intermediates, &roots.built_in, at) {
        Ok(()) => return Trust::BuiltIn,
        Err(error) => error,
    };
    let error = match verify(&leaf, intermediates, &roots.ca_files, at) {
        Ok(()) => return Trust::CaFile,
        // The check that got further says more.
        Err(webpki::Error::UnknownIssuer) => built_in,
        Err(error) => error,
    };
    match error {
        // A self-signed certificate that calls itself a CA, as `openssl req -x509` makes them, has
        // no issuer to know.
        webpki::Error::CaUsedAsEndEntity if leads_to_a_root(der, intermediates, roots) => {
            Trust::Invalid("it is an authority's own certificate, not a server's".to_owned())
        }
        // A signature that does not verify is of an issuer with a trusted name and another key: most
        // often the same authority, made anew.
        webpki::Error::UnknownIssuer
        | webpki::Error::CaUsedAsEndEntity
        | webpki::Error::InvalidSignatureForPublicKey => Trust::UnknownIssuer,
        webpki::Error::CertExpired { .. } | webpki::Error::CertNotValidYet { .. } => {
            Trust::ChainExpired
        }
        error => Trust::Invalid(described(&error)),
    }
}

/// Whether the names of the issuers lead from `leaf` to a root. For words only: no signature is
/// looked at.
fn leads_to_a_root(
    leaf: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    roots: &Roots,
) -> bool {
    let named = |der| {
        let (_, parsed) = X509Certificate::from_der(der).ok()?;
        let subject = parsed.subject().as_raw().to_vec();
        Some((subject, parsed.issuer().as_raw().to_vec()))
    };
    // One that is its own issuer leads nowhere: it is trusted as it is, or not at all.
    let Some((_, mut issuer)) = named(leaf).filter(|(subject, issuer)| subject != issuer) else {
        return false;
    };
    let links: Vec<_> = intermediates.iter().filter_map(|der| named(der)).collect();
    for _ in 0..=links.len() {
        if roots.has_subject(&issuer) {
            return true;
        }
        match links.iter().find(|(subject, _)| *subject == issuer) {
            Some((_, next)) => issuer.clone_from(next),
            None => return false,
        }
    }
    false
}

fn verify(
    leaf: &EndEntityCert<'_>,
    intermediates: &[CertificateDer<'_>],
    roots: &RootCertStore,
    at: UnixTime,
) -> Result<(), webpki::Error> {
    let usage = KeyUsage::server_auth();
    leaf.verify_for_usage(
        webpki::ALL_VERIFICATION_ALGS,
        &roots.roots,
        intermediates,
        at,
        usage,
        None,
        None,
    )
    .map(|_| ())
}

fn described(error: &webpki::Error) -> String {
    match error {
        webpki::Error::RequiredEkuNotFoundContext(_) => {
            "its extended key usage does not allow a TLS server".to_owned()
        }
        webpki::Error::NameConstraintViolation => {
            "an issuer's name constraints do not allow its names".to_owned()
        }
        webpki::Error::UnsupportedCertVersion => {
            "it is not an X.509 version 3 certificate".to_owned()
        }
        webpki::Error::BadDer | webpki::Error::BadDerTime => "it is not valid DER".to_owned(),
        webpki::Error::InvalidCertValidity => "it ends before it begins".to_owned(),
        other => from_wire(&format!("{other:?}")).into_owned(),
    }
}

#[cfg(test)]
mod tests;
