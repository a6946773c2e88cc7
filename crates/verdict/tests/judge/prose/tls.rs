//! Tls facts in words.

use privatelink_verdict::fact::{Presented, TlsFact};
use privatelink_verdict::observation::Handshake;

use super::{reads, text};
use crate::probe::ip;

#[test]
fn handshakes_and_names() {
    let ip = ip("10.1.2.3");
    let wanted = || text("kv.net");
    let presented = |names: &[&str], more, subject| Presented {
        names: names.iter().map(|name| text(name)).collect(),
        more,
        subject: text(subject),
    };
    let fails = |handshake, said| TlsFact::HandshakeFailed {
        ip,
        handshake,
        no_handshake: None,
        said,
    };
    let other = |presented| TlsFact::OtherNames {
        wanted: wanted(),
        ip,
        presented,
    };
    reads([
        (
            fails(Handshake::Timeout, None),
            "10.1.2.3: no answer to the handshake in time",
        ),
        (
            fails(Handshake::Interrupted, None),
            "10.1.2.3: the peer closed the connection during the handshake",
        ),
        (
            fails(Handshake::Failed, Some(text("an alert"))),
            "10.1.2.3: an alert",
        ),
        (
            TlsFact::PrivatelinkName {
                is_only_name: false,
                wanted: wanted(),
                ip,
                presented: presented(&["*.net"], 0, ""),
            },
            "kv.net is a privatelink name, which no certificate covers; 10.1.2.3 presents a \
             certificate for *.net",
        ),
        (
            TlsFact::PrivatelinkName {
                is_only_name: true,
                wanted: wanted(),
                ip,
                presented: presented(&["other.net"], 0, ""),
            },
            "10.1.2.3 presents a certificate for other.net, not kv.net",
        ),
        (
            other(presented(&["a.net", "b.net"], 1, "")),
            "10.1.2.3 presents a certificate for a.net, b.net and 1 more, not kv.net",
        ),
        (
            other(presented(&["a.net"], 995, "")),
            "10.1.2.3 presents a certificate for a.net and 995 more, not kv.net",
        ),
        (
            other(presented(&[], 0, "CN=x")),
            "10.1.2.3 presents a certificate without any DNS name (subject CN=x), not kv.net",
        ),
        (
            other(presented(&[], 0, "")),
            "10.1.2.3 presents a certificate without any DNS name (subject empty), not kv.net",
        ),
    ]);
}

#[test]
fn issuers_and_dates() {
    let ip = ip("10.1.2.3");
    let issuer = || text("CN=Corp");
    let unknown = |own_ca| TlsFact::UnknownIssuer {
        ip,
        issuer: issuer(),
        self_signed: false,
        sent_alone: false,
        own_ca,
    };
    let root = |others, own_ca| TlsFact::PrivateRoot {
        ip,
        others,
        issuer: issuer(),
        own_ca,
    };
    reads([
        (
            unknown(false),
            "10.1.2.3 presents a certificate of an unknown issuer: CN=Corp",
        ),
        (
            unknown(true),
            "10.1.2.3 presents a certificate of an unknown issuer: CN=Corp; every cluster has a CA of \
             its own, which the ConfigMap kube-root-ca.crt holds",
        ),
        (
            TlsFact::ChainNotFollowed {
                ip,
                issuers: 40,
                tried: 6,
            },
            "10.1.2.3 sends 40 certificates that may have issued one another, and no path through the \
             first 6 leads to a trusted root",
        ),
        (
            TlsFact::UnknownIssuer {
                ip,
                issuer: issuer(),
                self_signed: true,
                sent_alone: false,
                own_ca: false,
            },
            "10.1.2.3 presents a certificate that is signed by itself (CN=Corp)",
        ),
        (
            TlsFact::CannotServeTls {
                ip,
                why: text("no purpose"),
            },
            "10.1.2.3 presents a certificate that cannot serve TLS: no purpose",
        ),
        (
            TlsFact::IssuerExpired { ip },
            "an issuer's certificate in the chain of 10.1.2.3 has expired",
        ),
        (
            TlsFact::CertificateExpired { ip, seconds: 1 },
            "the certificate of 10.1.2.3 expired 1 second ago",
        ),
        (
            TlsFact::CertificateBegins { ip, seconds: 7_199 },
            "the certificate of 10.1.2.3 begins in 119 minutes",
        ),
        (
            TlsFact::CertificateEnds {
                ip,
                seconds: 1_209_600,
            },
            "the certificate of 10.1.2.3 ends in 14 days",
        ),
        (
            root(0, false),
            "the chain of 10.1.2.3 ends in a configured CA, not in a public one; its issuer is \
             CN=Corp",
        ),
        (
            root(1, true),
            "the chain of 10.1.2.3 (and of 1 more) ends in a configured CA, not in a public one, as \
             an API server's does; its issuer is CN=Corp",
        ),
    ]);
}
