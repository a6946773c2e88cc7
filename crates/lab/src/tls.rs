//! TLS: a TLS service of the lab, as the data file describes it.

use rcgen::SignatureAlgorithm;
use rustls::SupportedProtocolVersion;
use serde::Deserialize;

use super::span::Span;

/// A TLS service.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Tls {
    /// The subject's alternative names: DNS names and addresses. Empty: a certificate without.
    pub(super) names: Vec<String>,
    /// By default the subject is empty, as in most certificates today.
    pub(super) common_name: Option<String>,
    #[serde(default)]
    pub(super) issuer: IssuedBy,
    #[serde(default)]
    pub(super) intermediate: Intermediate,
    /// Relative to the start of the world.
    #[serde(default = "long_ago")]
    pub(super) not_before: Span,
    #[serde(default = "far_away")]
    pub(super) not_after: Span,
    #[serde(default)]
    pub(super) usage: Usage,
    #[serde(default)]
    pub(super) algorithm: Algorithm,
    #[serde(default)]
    pub(super) require_client_certificate: bool,
    /// Both by default.
    #[serde(default)]
    pub(super) versions: Vec<Version>,
    /// What the service replies to an HTTP request, head and body as text: lines end in LF here and
    /// in CRLF on the wire. Without it the service listens in silence.
    pub(super) reply: Option<String>,
    #[serde(default)]
    pub(super) delivery: Delivery,
}

/// How a reply is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Delivery {
    /// Whole, and the connection is closed.
    #[default]
    Whole,
    /// As it is written, and the connection is held open without another byte.
    Stalls,
    /// At one byte a second.
    Trickles,
    /// As it is written, and ten megabytes more.
    Floods,
}

impl Tls {
    /// The reply as it goes over the wire, where there is one.
    pub(super) fn reply_on_the_wire(&self) -> Option<Vec<u8>> {
        let reply = self.reply.as_ref()?;
        let (head, body) = reply.split_once("\n\n").unwrap_or((reply.trim_end(), ""));
        Some(format!("{}\r\n\r\n{body}", head.replace('\n', "\r\n")).into_bytes())
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum IssuedBy {
    /// The lab's own authority, which the configuration trusts.
    #[default]
    Lab,
    /// The service itself.
    SelfSigned,
    /// The service itself, with a certificate that says it is an authority.
    SelfSignedCa,
    /// An authority that nobody trusts, such as a firewall that inspects TLS. It is sent along.
    Unknown,
    /// Somebody who has taken the name of the lab's authority.
    Forged,
}

/// An authority between the issuer and the service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Intermediate {
    #[default]
    None,
    /// Sent along, as it must be.
    Sent,
    /// Forgotten: a frequent mistake. Only with the lab's authority.
    Missing,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Usage {
    #[default]
    Server,
    /// For clients only: no server may use it.
    Client,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Algorithm {
    #[default]
    P256,
    P384,
    P521,
    Ed25519,
    Rsa,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Version {
    Tls12,
    Tls13,
}

impl Algorithm {
    pub(super) const fn signature(self) -> &'static SignatureAlgorithm {
        match self {
            Self::P256 => &rcgen::PKCS_ECDSA_P256_SHA256,
            Self::P384 => &rcgen::PKCS_ECDSA_P384_SHA384,
            Self::P521 => &rcgen::PKCS_ECDSA_P521_SHA512,
            Self::Ed25519 => &rcgen::PKCS_ED25519,
            Self::Rsa => &rcgen::PKCS_RSA_SHA256,
        }
    }
}

impl Version {
    pub(super) const fn supported(self) -> &'static SupportedProtocolVersion {
        match self {
            Self::Tls12 => &rustls::version::TLS12,
            Self::Tls13 => &rustls::version::TLS13,
        }
    }
}

fn long_ago() -> Span {
    Span::days(-90)
}

fn far_away() -> Span {
    Span::days(365)
}
