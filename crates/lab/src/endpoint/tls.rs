//! TLS: a TLS service as the data file describes it.

use std::time::Duration;

use jiff::fmt::serde::unsigned_duration::friendly::compact::required::deserialize as duration;
use jiff::{SignedDuration, Span, SpanRelativeTo};
use rcgen::SignatureAlgorithm;
use rustls::SupportedProtocolVersion;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::http::Delivery;

/// A TLS service: its certificate, its versions, and its reply to HTTP.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct TlsService {
    /// The subject's alternative names: DNS names and addresses; it may be empty.
    pub(crate) names: Vec<String>,
    /// The subject's common name; without it the subject is empty, as in most certificates today.
    pub(crate) common_name: Option<String>,
    #[serde(default)]
    pub(crate) issuer: IssuedBy,
    #[serde(default)]
    pub(crate) intermediate: Intermediate,
    /// When the certificate begins, counted from the start of the world: `-90d` by default.
    #[serde(default = "ninety_days_ago", deserialize_with = "signed_duration")]
    pub(crate) not_before: SignedDuration,
    /// When it ends, counted so: `365d` by default.
    #[serde(default = "in_a_year", deserialize_with = "signed_duration")]
    pub(crate) not_after: SignedDuration,
    #[serde(default)]
    pub(crate) usage: Usage,
    #[serde(default)]
    pub(crate) algorithm: Algorithm,
    #[serde(default)]
    pub(crate) require_client_certificate: bool,
    /// Both by default.
    #[serde(default)]
    pub(crate) versions: Vec<Version>,
    /// The reply to an HTTP request, head and body: the lines of the head end in LF here and in CRLF on
    /// the wire. Without it the service says nothing.
    pub(crate) reply: Option<String>,
    #[serde(default)]
    pub(crate) delivery: Delivery,
    #[serde(default)]
    pub(crate) delay: Delays,
}

/// How long a service lets its client wait, by stage; nothing by default.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Delays {
    /// From the start of the world: every connection attempt before is dropped.
    #[serde(deserialize_with = "duration")]
    pub(crate) connect: Duration,
    /// Before the first answer on a connection.
    #[serde(deserialize_with = "duration")]
    pub(crate) handshake: Duration,
    /// Before the reply to an HTTP request.
    #[serde(deserialize_with = "duration")]
    pub(crate) reply: Duration,
}

/// Who signs the certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum IssuedBy {
    /// The lab's own authority, which the configuration trusts.
    #[default]
    Lab,
    /// The service itself.
    SelfSigned,
    /// The service itself, whose certificate says that it is an authority.
    SelfSignedCa,
    /// An authority that no client trusts, such as a firewall that inspects TLS. It is sent along.
    Unknown,
    /// An authority with the name of the lab's and another key.
    Forged,
}

/// An authority between the issuer and the service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Intermediate {
    /// There is none.
    #[default]
    None,
    /// Sent along, as it must be.
    Sent,
    /// Not sent, a frequent mistake. Only with the lab's authority.
    Missing,
}

/// Whom the certificate says it is for (extended key usage).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Usage {
    /// For servers.
    #[default]
    Server,
    /// For clients only: no server may use it.
    Client,
}

/// The algorithm of the service's key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Algorithm {
    #[default]
    P256,
    P384,
    P521,
    Ed25519,
    Rsa,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Version {
    Tls12,
    Tls13,
}

impl Algorithm {
    pub(crate) const fn signature(self) -> &'static SignatureAlgorithm {
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
    pub(crate) const fn supported(self) -> &'static SupportedProtocolVersion {
        match self {
            Self::Tls12 => &rustls::version::TLS12,
            Self::Tls13 => &rustls::version::TLS13,
        }
    }
}

/// A friendly duration of jiff's, such as `-2d` or `36h`, where a day has 24 hours.
fn signed_duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SignedDuration, D::Error> {
    Span::deserialize(deserializer)?
        .to_duration(SpanRelativeTo::days_are_24_hours())
        .map_err(D::Error::custom)
}

fn ninety_days_ago() -> SignedDuration {
    SignedDuration::from_hours(-90 * 24)
}

fn in_a_year() -> SignedDuration {
    SignedDuration::from_hours(365 * 24)
}
