//! Certificate: a peer's leaf certificate, and what verification found.

use std::sync::Arc;

use super::TlsOutcome;
use crate::names::Names;

/// The leaf certificate of a peer, and what verification found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// What it says. Shared by all that present it: a service has one certificate for many hosts.
    pub leaf: Arc<Leaf>,
    /// Whether it covers the target's server name.
    pub covers_name: bool,
    /// Where its chain ends.
    pub trust: Trust,
    /// Whether the peer sent it without any other, although neither it nor a root is its issuer.
    pub sent_alone: bool,
    /// Unix seconds at which it was verified.
    pub verified_at: i64,
}

/// What a leaf certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// The DNS names and addresses it is for (subject alternative names), as written; the first of them.
    pub names: Names,
    /// How many it is for besides `names`.
    pub more_names: usize,
    /// Its subject, as RFC 4514 text.
    pub subject: Box<str>,
    /// Its issuer, as RFC 4514 text.
    pub issuer: Box<str>,
    /// Unix seconds.
    pub not_before: i64,
    /// Unix seconds.
    pub not_after: i64,
    /// SHA-256 of the certificate.
    pub fingerprint: [u8; 32],
}

/// Where a certificate's chain ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// In a root built into the binary.
    BuiltIn,
    /// In a root of the configured CA files.
    CaFile,
    /// In nothing we trust.
    UnknownIssuer,
    /// An issuer's certificate in the chain is outside its dates.
    ChainExpired,
    /// In nothing we trust, as far as it was followed: the peer sent so many certificates that may have
    /// issued one another that trying every path would take seconds.
    NotFollowed {
        /// How many of the certificates may be on a path from the leaf.
        issuers: usize,
        /// How many of them were tried.
        tried: usize,
    },
    /// The certificate cannot serve a TLS server, for the reason given.
    Invalid(String),
}

impl Certificate {
    /// What it says, to change it: nobody else sees the change.
    pub fn leaf_mut(&mut self) -> &mut Leaf {
        Arc::make_mut(&mut self.leaf)
    }

    /// Whether its own dates had passed when it was verified.
    pub(crate) fn is_expired(&self) -> bool {
        self.verified_at > self.leaf.not_after
    }

    /// Whether its own dates had not begun when it was verified.
    pub(crate) fn is_not_yet_valid(&self) -> bool {
        self.verified_at < self.leaf.not_before
    }

    /// The first thing wrong with it, in the order of section 5, or `Ok`.
    pub fn outcome(&self) -> TlsOutcome {
        if !self.covers_name {
            TlsOutcome::NameMismatch
        } else if matches!(self.trust, Trust::UnknownIssuer | Trust::NotFollowed { .. }) {
            TlsOutcome::Untrusted
        } else if self.is_expired() || self.trust == Trust::ChainExpired {
            TlsOutcome::Expired
        } else if self.is_not_yet_valid() {
            TlsOutcome::NotYetValid
        } else if matches!(self.trust, Trust::Invalid(_)) {
            TlsOutcome::Invalid
        } else {
            TlsOutcome::Ok
        }
    }
}
