//! Chain cache: what a chain says, and what verification found of it for as long as it would find the same
//! again.
//!
//! Most probes see the chain of the probe before. Verifying its signatures is most of what the agent computes,
//! and what a leaf says is kept once for all targets that present it. What verification finds depends on the
//! chain, the roots and the time. The cache belongs to one set of roots. The time counts only as before,
//! within or after the dates of each certificate of the chain, so that a result holds between two of these
//! dates, wherever the clock jumps. The name is no part of it, and is compared at every probe.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::digest::{Context, SHA256};
use privatelink_verdict::observation::{Leaf, Trust};
use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Chains that are remembered: many times what an agent's targets present. When there are more, all are
/// forgotten.
const MAX_CHAINS: usize = 2048;

/// What is remembered for one set of roots.
#[derive(Debug, Default)]
pub(crate) struct ChainCache(Mutex<HashMap<Digest, Known>>);

/// SHA-256 of a chain.
pub(crate) type Digest = [u8; 32];

/// What is known of a chain.
#[derive(Debug)]
struct Known {
    says: Says,
    found: Option<Found>,
}

/// What a chain says of its leaf.
#[derive(Clone, Debug)]
pub(crate) struct Says {
    pub(crate) leaf: Arc<Leaf>,
    /// Whether the leaf came without any other certificate, although neither it nor a root is its issuer.
    pub(crate) sent_alone: bool,
}

/// What verification found, and when it finds the same: in seconds since 1970.
#[derive(Debug)]
struct Found {
    trust: Trust,
    holds: Range<i64>,
}

impl ChainCache {
    /// What the chain with this digest says, which `read` is asked only where that is not known.
    pub(crate) fn says(
        &self,
        digest: &Digest,
        read: impl FnOnce() -> Option<Says>,
    ) -> Option<Says> {
        if let Some(known) = self.known().get(digest) {
            return Some(known.says.clone());
        }
        let says = read()?;
        let mut known = self.known();
        if known.len() >= MAX_CHAINS {
            known.clear();
        }
        let (kept, found) = (says.clone(), None);
        known.insert(*digest, Known { says: kept, found });
        Some(says)
    }

    /// What `verify` finds of `chain` at `at`, which it is asked only where that is not known.
    pub(crate) fn trust(
        &self,
        digest: &Digest,
        chain: &[CertificateDer<'_>],
        at: i64,
        verify: impl FnOnce() -> Trust,
    ) -> Trust {
        if let Some(Known {
            found: Some(found), ..
        }) = self.known().get(digest)
            && found.holds.contains(&at)
        {
            return found.trust.clone();
        }
        let trust = verify();
        if let Some(holds) = unchanged(chain, at)
            && let Some(known) = self.known().get_mut(digest)
        {
            let trust = trust.clone();
            known.found = Some(Found { trust, holds });
        }
        trust
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Digest, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Every certificate behind its length, so that no two chains are alike.
pub(crate) fn digest(chain: &[CertificateDer<'_>]) -> Digest {
    let mut context = Context::new(&SHA256);
    for certificate in chain {
        context.update(&certificate.len().to_be_bytes());
        context.update(certificate);
    }
    let mut digest = Digest::default();
    digest.copy_from_slice(context.finish().as_ref());
    digest
}

/// The time around `at` in which no certificate of `chain` begins or ends; `None` where one of them cannot
/// be read.
fn unchanged(chain: &[CertificateDer<'_>], at: i64) -> Option<Range<i64>> {
    let mut holds = i64::MIN..i64::MAX;
    for certificate in chain {
        let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
        let dates = parsed.validity();
        // A certificate is valid in its last second, too (RFC 5280 section 4.1.2.5).
        let begins = dates.not_before.timestamp();
        let ended = dates.not_after.timestamp().saturating_add(1);
        for change in [begins, ended] {
            if change <= at {
                holds.start = holds.start.max(change);
            } else {
                holds.end = holds.end.min(change);
            }
        }
    }
    Some(holds)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};

    use super::*;
    use crate::certificate::{examine, says};
    use crate::roots::Roots;

    const HOST: &str = "kv.vault.azure.net";

    /// A leaf and an intermediate with these dates, in years, and the root of their issuer.
    fn chain(
        leaf: Range<i32>,
        intermediate: Range<i32>,
    ) -> ([CertificateDer<'static>; 2], CertificateDer<'static>) {
        let certificate = |years: Range<i32>, is_ca| {
            let mut params = CertificateParams::new([HOST.to_owned()]).expect("a name");
            params.not_before = date_time_ymd(years.start, 1, 1);
            params.not_after = date_time_ymd(years.end, 1, 1);
            params.is_ca = is_ca;
            // Each issuer has a name of its own.
            let name = format!("{years:?}");
            params
                .distinguished_name
                .push(rcgen::DnType::CommonName, name);
            params
        };
        let authority = || IsCa::Ca(BasicConstraints::Unconstrained);
        let keys = [(); 3].map(|()| KeyPair::generate().expect("a key"));
        let [root_key, middle_key, leaf_key] = keys;
        let root = certificate(2000..2090, authority());
        let root_der = root.self_signed(&root_key).expect("signed").der().clone();
        let root = Issuer::new(root, root_key);
        let middle = certificate(intermediate, authority());
        let middle_der = middle.signed_by(&middle_key, &root).expect("signed");
        let middle = Issuer::new(middle, middle_key);
        let leaf = certificate(leaf, IsCa::NoCa);
        let leaf_der = leaf.signed_by(&leaf_key, &middle).expect("signed");
        ([leaf_der.der().clone(), middle_der.der().clone()], root_der)
    }

    fn trust(chain: &[CertificateDer<'_>], roots: &Roots, at: i64) -> Trust {
        let at = UNIX_EPOCH + Duration::from_secs(at.try_into().expect("after 1970"));
        examine(chain, HOST, roots, at)
            .expect("a certificate")
            .trust
    }

    #[test]
    fn what_is_remembered_is_what_verification_finds_wherever_the_clock_jumps() {
        for (leaf, intermediate) in [(2020..2030, 2010..2040), (2010..2040, 2020..2030)] {
            let (chain, root) = chain(leaf, intermediate);
            let roots = Roots::new(std::slice::from_ref(&root));
            let changes = [2010, 2020, 2030, 2040].map(|year| date_time_ymd(year, 1, 1));
            let times = changes.map(|at| [-1, 0, 1].map(|beside| at.unix_timestamp() + beside));
            let times = times.concat();
            let mut found = Vec::new();
            for first in &times {
                for then in &times {
                    // It jumps from one to the other.
                    trust(&chain, &roots, *first);
                    let remembered = trust(&chain, &roots, *then);
                    let anew = Roots::new(std::slice::from_ref(&root));
                    assert_eq!(remembered, trust(&chain, &anew, *then), "{first} {then}");
                    found.push(remembered);
                }
            }
            assert!(found.contains(&Trust::CaFile), "{found:?}");
        }
    }

    #[test]
    fn a_chain_is_verified_once_between_two_of_its_dates() {
        let (chain, root) = chain(2020..2030, 2010..2040);
        let roots = Roots::new(std::slice::from_ref(&root));
        let digest = digest(&chain);
        let cache = ChainCache::default();
        cache
            .says(&digest, || says(&chain, &roots))
            .expect("a leaf");
        let mut verified = Vec::new();
        for (year, day) in [
            (2021, 1),
            (2029, 31),
            (2031, 1),
            (2035, 1),
            (2015, 1),
            (2022, 1),
        ] {
            let at = date_time_ymd(year, 1, day).unix_timestamp();
            cache.trust(&digest, &chain, at, || {
                verified.push(year);
                Trust::CaFile
            });
        }
        assert_eq!(
            verified,
            [2021, 2031, 2015, 2022],
            "one result is kept of a chain"
        );
    }

    #[test]
    fn what_a_leaf_says_is_kept_once() {
        let (chain, root) = chain(2020..2030, 2010..2040);
        let roots = Roots::new(std::slice::from_ref(&root));
        let leaf = || {
            let examined = examine(&chain, HOST, &roots, UNIX_EPOCH);
            examined.expect("a certificate").leaf
        };
        assert!(Arc::ptr_eq(&leaf(), &leaf()));
    }

    #[test]
    fn another_chain_is_verified_anew() {
        let (chain, root) = chain(2020..2030, 2010..2040);
        let at = date_time_ymd(2025, 1, 1).unix_timestamp();
        let roots = Roots::new(std::slice::from_ref(&root));
        assert_eq!(trust(&chain, &roots, at), Trust::CaFile);
        assert_eq!(trust(&chain[..1], &roots, at), Trust::UnknownIssuer);
        assert_eq!(trust(&chain, &Roots::new(&[]), at), Trust::UnknownIssuer);
        assert_eq!(trust(&chain, &roots, at), Trust::CaFile);
    }
}
