//! Tls facts in words.

use std::net::IpAddr;

use crate::fact::{Presented, TlsFact};
use crate::observation::Handshake;

pub(super) fn clause(fact: &TlsFact) -> String {
    match fact {
        TlsFact::HandshakeFailed {
            ip,
            handshake,
            said,
            ..
        } => {
            let said = said.as_deref().unwrap_or(match handshake {
                Handshake::Timeout => "no answer to the handshake in time",
                _ => "the peer closed the connection during the handshake",
            });
            format!("{ip}: {said}")
        }
        TlsFact::OfferRefused => {
            "the agent offers TLS 1.3, and TLS 1.2 with AES-GCM or ChaCha20: a \
                                  server that has CBC suites alone refuses it, and other clients \
                                  may succeed"
                .to_owned()
        }
        TlsFact::StrictEncryption => {
            "a SQL Server that demands strict encryption (TDS 8) does so, \
                                      and is probed with `protocol: tls`"
                .to_owned()
        }
        TlsFact::ClientCertificateRequired { ip } => format!(
            "{ip} presents the right certificate and then demands one of the client, which the agent \
             does not have"
        ),
        TlsFact::PrivatelinkName {
            is_only_name: false,
            wanted,
            ip,
            presented,
        } => format!(
            "{wanted} is a privatelink name, which no certificate covers; {ip} presents {}",
            certificate(presented)
        ),
        TlsFact::PrivatelinkName {
            wanted,
            ip,
            presented,
            ..
        }
        | TlsFact::OtherNames {
            wanted,
            ip,
            presented,
        } => format!("{ip} presents {}, not {wanted}", certificate(presented)),
        TlsFact::UnknownIssuer {
            ip,
            issuer,
            own_ca,
            self_signed,
            sent_alone,
        } => {
            let hint = if *sent_alone {
                "; it sends this certificate alone, so an intermediate certificate may be missing"
            } else if *own_ca {
                "; every cluster has a CA of its own, which the ConfigMap kube-root-ca.crt holds"
            } else {
                ""
            };
            if *self_signed {
                let named = match issuer.as_str() {
                    "" => String::new(),
                    name => format!(" ({name})"),
                };
                return format!(
                    "{ip} presents a certificate that is signed by itself{named}{hint}"
                );
            }
            format!("{ip} presents a certificate of an unknown issuer: {issuer}{hint}")
        }
        TlsFact::ChainNotFollowed { ip, issuers, tried } => format!(
            "{ip} sends {issuers} certificates that may have issued one another, and no path through the \
             first {tried} leads to a trusted root"
        ),
        TlsFact::CannotServeTls { ip, why } => {
            format!("{ip} presents a certificate that cannot serve TLS: {why}")
        }
        TlsFact::IssuerExpired { ip } => {
            format!("an issuer's certificate in the chain of {ip} has expired")
        }
        TlsFact::CertificateExpired { ip, seconds } => {
            format!("the certificate of {ip} expired {} ago", span(*seconds))
        }
        TlsFact::CertificateBegins { ip, seconds } => {
            format!("the certificate of {ip} begins in {}", span(*seconds))
        }
        TlsFact::CertificateEnds { ip, seconds } => {
            format!("the certificate of {ip} ends in {}", span(*seconds))
        }
        TlsFact::PrivateRoot {
            ip,
            others,
            issuer,
            own_ca,
        } => private_root(*ip, *others, issuer, *own_ca),
    }
}

fn private_root(ip: IpAddr, others: usize, issuer: &str, own_ca: bool) -> String {
    let others = match others {
        0 => String::new(),
        others => format!(" (and of {others} more)"),
    };
    let as_meant = if own_ca {
        ", as an API server's does"
    } else {
        ""
    };
    format!(
        "the chain of {ip}{others} ends in a configured CA, not in a public one{as_meant}; its \
         issuer is {issuer}"
    )
}

/// `a certificate for *.vault.azure.net, vault.azure.net`.
pub(in crate::prose) fn certificate(presented: &Presented) -> String {
    let Presented {
        names,
        more,
        subject,
    } = presented;
    if names.is_empty() {
        let subject = if subject.is_empty() { "empty" } else { subject };
        return format!("a certificate without any DNS name (subject {subject})");
    }
    let more = match more {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("a certificate for {}{more}", names.join(", "))
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
    fn a_span_is_given_in_the_largest_unit_that_says_enough() {
        assert_eq!(span(1_209_600), "14 days");
        assert_eq!(span(86_400), "24 hours");
        assert_eq!(span(7_199), "119 minutes");
        assert_eq!(span(61), "61 seconds");
        assert_eq!(span(1), "1 second");
    }
}
