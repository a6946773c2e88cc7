//! Tls facts: how the handshake ended, and what the certificate is.

use std::net::IpAddr;

use crate::observation::{Handshake, NoHandshake};

/// How the handshake ended, and what the certificate is.
#[derive(Clone, Debug, PartialEq)]
pub enum TlsFact {
    /// The handshake did not complete.
    HandshakeFailed {
        /// The address.
        ip: IpAddr,
        /// How it ended.
        handshake: Handshake,
        /// Why, where that is known.
        no_handshake: Option<NoHandshake>,
        /// What the peer or the library said.
        said: Option<String>,
    },
    /// The server refused every version and cipher suite that the agent offers.
    OfferRefused,
    /// What happened is what a SQL Server does that demands strict encryption (TDS 8).
    StrictEncryption,
    /// The certificate is right, and the server demands one of the client.
    ClientCertificateRequired {
        /// The address.
        ip: IpAddr,
    },
    /// The host is a privatelink name, and the certificate does not cover it.
    PrivatelinkName {
        /// Whether the resource has no other name, as a private cluster's API server: its own certificate
        /// covers this one.
        is_only_name: bool,
        /// The name that was wanted.
        wanted: String,
        /// The address.
        ip: IpAddr,
        /// What it presents.
        presented: Presented,
    },
    /// The certificate is for other names.
    OtherNames {
        /// The name that was wanted.
        wanted: String,
        /// The address.
        ip: IpAddr,
        /// What it presents.
        presented: Presented,
    },
    /// The chain ends in nothing that is trusted.
    UnknownIssuer {
        /// The address.
        ip: IpAddr,
        /// The leaf's issuer.
        issuer: String,
        /// Whether each instance of the service has a CA of its own.
        own_ca: bool,
        /// Whether it names itself as its issuer.
        self_signed: bool,
        /// Whether the server sent no issuer's certificate, although it has to: the certificate is not
        /// signed by itself.
        sent_alone: bool,
    },
    /// The server sent so many certificates that may have issued one another that not every path was
    /// tried.
    ChainNotFollowed {
        /// The address.
        ip: IpAddr,
        /// How many there are.
        issuers: usize,
        /// How many were tried.
        tried: usize,
    },
    /// The certificate cannot serve TLS.
    CannotServeTls {
        /// The address.
        ip: IpAddr,
        /// Why.
        why: String,
    },
    /// An issuer's certificate in the chain has expired.
    IssuerExpired {
        /// The address.
        ip: IpAddr,
    },
    /// The leaf has expired.
    CertificateExpired {
        /// The address.
        ip: IpAddr,
        /// Since how many seconds.
        seconds: i64,
    },
    /// The leaf is not valid yet.
    CertificateBegins {
        /// The address.
        ip: IpAddr,
        /// In how many seconds it will be.
        seconds: i64,
    },
    /// The leaf ends soon.
    CertificateEnds {
        /// The address.
        ip: IpAddr,
        /// In how many seconds.
        seconds: i64,
    },
    /// The chain of an Azure service ends in a configured root.
    PrivateRoot {
        /// The first such address.
        ip: IpAddr,
        /// How many others there are.
        others: usize,
        /// The leaf's issuer.
        issuer: String,
        /// Whether each instance of the service has a CA of its own.
        own_ca: bool,
    },
}

/// What a certificate is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presented {
    /// The first names.
    pub names: Vec<String>,
    /// How many there are besides.
    pub more: usize,
    /// The subject, where there are no names.
    pub subject: String,
}
