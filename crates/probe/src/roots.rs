//! Roots: what certificates are verified against: the roots built in, and those of CA files.

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;

use super::chain_cache::ChainCache;

/// The roots that certificates are verified against, kept apart by where they come from.
#[derive(Debug)]
pub(crate) struct Roots {
    /// Mozilla's roots, built into the binary.
    pub(crate) built_in: RootCertStore,
    /// The roots of the configured CA files.
    pub(crate) ca_files: RootCertStore,
    /// The certificates of the CA files as they are: a server may present one of them itself.
    pub(crate) ca_certificates: Vec<CertificateDer<'static>>,
    /// The chains that were verified against them. It ends with them: a reload makes new ones.
    pub(crate) chain_cache: ChainCache,
}

impl Roots {
    /// The built-in roots, and `ca_certificates` beside them. What cannot be a root is left out; the
    /// configuration refuses such a file before.
    pub(crate) fn new(ca_certificates: &[CertificateDer<'static>]) -> Self {
        let mut ca_files = RootCertStore::empty();
        ca_files.add_parsable_certificates(ca_certificates.iter().cloned());
        Self {
            built_in: RootCertStore {
                roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
            },
            ca_files,
            ca_certificates: ca_certificates.to_vec(),
            chain_cache: ChainCache::default(),
        }
    }

    /// Whether a root has this subject, as a DER name: a certificate that it issued needs no other beside
    /// it.
    pub(crate) fn has_subject(&self, name: &[u8]) -> bool {
        let mut roots = self.ca_files.roots.iter().chain(&self.built_in.roots);
        // An anchor holds the subject without the tag and length of the sequence, at most four bytes.
        roots.any(|root| name.ends_with(&root.subject) && name.len() <= root.subject.len() + 4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_files_only_the_built_in_roots_count() {
        let roots = Roots::new(&[]);
        assert!(roots.built_in.len() > 100);
        assert!(roots.ca_files.is_empty());
    }
}
