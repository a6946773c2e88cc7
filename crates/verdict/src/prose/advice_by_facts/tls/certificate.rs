//! Advice about certificates. Azure makes those of its services: a wrong one comes from something in
//! between, or from another resource.

use std::net::IpAddr;

use crate::case::Case;
use crate::catalogue::{Doubt, Issuer, doubt};
use crate::fact::{Presented, TlsFact};
use crate::target::Expectation;

pub(super) fn remedy(case: &Case<'_>, fact: &TlsFact) -> Option<String> {
    match fact {
        TlsFact::PrivatelinkName {
            is_only_name: true, ..
        } => Some(of_another_cluster(case)),
        TlsFact::PrivatelinkName {
            wanted, presented, ..
        } => public_name(wanted, presented),
        TlsFact::OtherNames {
            wanted,
            ip,
            presented,
        } => other_names(case, wanted, *ip, presented),
        TlsFact::UnknownIssuer {
            issuer,
            own_ca,
            self_signed,
            sent_alone,
            ..
        } => match issued_by(case) {
            Some(Issuer::Own) if *own_ca => Some(
                "Add the cluster's authority, which its ConfigMap kube-root-ca.crt holds, to tls.caFiles; \
                 if it is there, the address is another cluster's, and the record has to be corrected."
                    .to_owned(),
            ),
            Some(_) => Some(format!(
                "Exempt {} from TLS inspection on this path, or correct the record: no Azure service has \
                 this certificate. Where inspection is meant, its root belongs to applications as well as \
                 to tls.caFiles.",
                case.host()
            )),
            None if *self_signed => Some(
                "Give the server a certificate of an authority that its clients trust, or add this one to \
                 tls.caFiles and to the clients if it is meant."
                    .to_owned(),
            ),
            None if *sent_alone => Some(format!(
                "Make the server send the certificate of its issuer ({issuer}) along with its own; add a \
                 root to tls.caFiles only where the chain really ends in one."
            )),
            None => None,
        },
        TlsFact::ChainNotFollowed { .. } => Some(
            "Make the server send only the certificates from its own to the root, each once; clients \
             that try more of them may accept it as it is."
                .to_owned(),
        ),
        TlsFact::CannotServeTls { .. } => (issued_by(case)? == Issuer::Public).then(|| {
            format!(
                "Find the device that presents this certificate in place of {}: no Azure service has one \
                 like it.",
                case.host()
            )
        }),
        TlsFact::CertificateExpired { .. } | TlsFact::IssuerExpired { .. } => {
            Some(format!("Check the node's clock. {}", renewed_by(issued_by(case)?)))
        }
        TlsFact::CertificateEnds { .. } => Some(renewed_by(issued_by(case)?).to_owned()),
        TlsFact::PrivateRoot { own_ca: true, .. } => {
            Some("Nothing to do: an API server has a certificate of its own cluster.".to_owned())
        }
        _ => None,
    }
}

/// Who issues the certificates of the target's service; `None` for a service of one's own.
fn issued_by(case: &Case<'_>) -> Option<Issuer> {
    case.target.service.map(|service| service.issuer)
}

/// How a certificate of Azure is renewed, as its customers can see to it.
const fn renewed_by(issuer: Issuer) -> &'static str {
    match issuer {
        Issuer::Own => {
            "Rotate the cluster's certificates (az aks rotate-certs): AKS does so by itself only where \
             auto-rotation is on."
        }
        Issuer::Public => {
            "Find the device in between that presents this certificate, and renew it there: Azure renews \
             those of its services by itself."
        }
    }
}

/// Which name to use instead of the alias `wanted`.
fn public_name(wanted: &str, presented: &Presented) -> Option<String> {
    let Some(Doubt::Alias { instead }) = doubt(wanted) else {
        return None;
    };
    let mut names = presented.names.iter();
    let covered = presented.more > 0 || names.any(|name| covers(name, &instead));
    let also = if covered {
        ""
    } else {
        ", and correct the record too: the certificate does not cover that name either"
    };
    Some(format!(
        "Connect to {instead}, the public name of the resource, instead of its privatelink alias{also}."
    ))
}

fn other_names(case: &Case<'_>, wanted: &str, ip: IpAddr, presented: &Presented) -> Option<String> {
    let host = case.host();
    if is_common_name(presented, wanted) {
        return Some(format!(
            "Issue the certificate with {wanted} as a subject alternative name: clients ignore the common \
             name."
        ));
    }
    if wanted != host {
        return Some(format!(
            "Set serverName to a name that the certificate covers, or correct the record: it is {wanted}, \
             the target's serverName, that is not covered."
        ));
    }
    let is_private = case.target.rules.classify(ip).is_private();
    if case.expect == Expectation::Public && !is_private {
        return Some(format!(
            "Find the proxy or firewall that presents this certificate in place of {host}, and let the \
             host pass it untouched."
        ));
    }
    let mut names = presented.names.iter();
    let wildcard = names.find(|name| is_too_short(name, wanted));
    match (issued_by(case), wildcard) {
        (Some(Issuer::Own), _) => Some(of_another_cluster(case)),
        (Some(Issuer::Public), Some(wildcard)) => Some(format!(
            "Correct the record of {host}: it leads to the address of what {wildcard} covers, and a \
             wildcard stands for one label only."
        )),
        (None, Some(wildcard)) => Some(format!(
            "Issue the certificate for {wanted} too: a wildcard stands for one label only, and {wildcard} \
             does not cover it."
        )),
        (_, None) => None,
    }
}

fn of_another_cluster(case: &Case<'_>) -> String {
    format!(
        "Correct the record of {}: what has the address is another cluster's API server, as where a \
         cluster was deleted and made again.",
        case.host()
    )
}

/// Whether the certificate has `wanted` as its common name and no other name.
fn is_common_name(presented: &Presented, wanted: &str) -> bool {
    let mut parts = presented.subject.split(',');
    let is_it = |part: &str| {
        let name = part.trim().strip_prefix("CN=");
        name.is_some_and(|name| name.eq_ignore_ascii_case(wanted))
    };
    presented.names.is_empty() && parts.any(is_it)
}

/// Whether the name of a certificate covers `host` (RFC 9525 section 6.3).
fn covers(name: &str, host: &str) -> bool {
    name == host
        || name
            .strip_prefix("*.")
            .is_some_and(|parent| host.split_once('.').is_some_and(|(_, rest)| rest == parent))
}

/// Whether a wildcard ends as `host` does, which has more labels than it covers.
fn is_too_short(name: &str, host: &str) -> bool {
    let parent = name.strip_prefix("*.");
    let rest = parent.and_then(|parent| host.strip_suffix(parent)?.strip_suffix('.'));
    rest.is_some_and(|labels| labels.contains('.'))
}
