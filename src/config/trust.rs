//! Trust: the roots that certificates are verified against: those built in, and CA files.

use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// The roots that certificates are verified against, kept apart by where they come from.
#[derive(Clone, Debug)]
pub struct Roots {
    /// Mozilla's roots, built into the binary.
    pub built_in: RootCertStore,
    /// The roots of the configured CA files.
    pub ca_files: RootCertStore,
    /// The certificates of the CA files as they are: a server may present one of them itself.
    pub ca_certificates: Vec<CertificateDer<'static>>,
}

/// A CA file that cannot be used.
#[derive(Debug)]
pub enum CaFileError {
    /// The file could not be read.
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is no PEM, or holds a certificate that is none.
    Parse {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// The file holds no certificate at all.
    Empty {
        /// Which file.
        path: PathBuf,
    },
}

impl std::fmt::Display for CaFileError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Read { path, .. } => write!(
                f,
                "cannot read the CA file {}; check the path, and that the volume is mounted",
                path.display()
            ),
            Self::Parse { path, detail } => {
                write!(
                    f,
                    "the CA file {} is not a PEM bundle: {detail}",
                    path.display()
                )
            }
            Self::Empty { path } => write!(
                f,
                "the CA file {} holds no certificate; it must hold at least one \
                 '-----BEGIN CERTIFICATE-----' block",
                path.display()
            ),
        }
    }
}

impl std::error::Error for CaFileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read { source, .. } => Some(source),
            Self::Parse { .. } | Self::Empty { .. } => None,
        }
    }
}

impl Roots {
    /// The built-in roots alone.
    pub fn built_in() -> Self {
        Self {
            built_in: RootCertStore {
                roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
            },
            ca_files: RootCertStore::empty(),
            ca_certificates: Vec::new(),
        }
    }

    /// Adds the certificates of the file `path`, given what reading it gave.
    pub fn add_file(
        &mut self,
        path: &Path,
        content: std::io::Result<Vec<u8>>,
    ) -> Result<(), CaFileError> {
        let pem = content.map_err(|source| CaFileError::Read {
            path: path.to_owned(),
            source,
        })?;
        let before = self.ca_certificates.len();
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let parse = |detail: String| CaFileError::Parse {
                path: path.to_owned(),
                detail,
            };
            let certificate = certificate.map_err(|error| parse(error.to_string()))?;
            self.ca_files
                .add(certificate.clone())
                .map_err(|error| parse(error.to_string()))?;
            self.ca_certificates.push(certificate);
        }
        if self.ca_certificates.len() == before {
            return Err(CaFileError::Empty {
                path: path.to_owned(),
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(content: std::io::Result<Vec<u8>>) -> CaFileError {
        let mut roots = Roots::built_in();
        roots
            .add_file(Path::new("/ca/ca.pem"), content)
            .expect_err("nothing to add")
    }

    #[test]
    fn a_file_without_certificates_is_refused_by_name() {
        let error = add(Ok(b"nothing here\n".to_vec()));
        assert!(matches!(error, CaFileError::Empty { .. }), "{error}");
        assert!(error.to_string().contains("/ca/ca.pem"), "{error}");
    }

    #[test]
    fn a_missing_file_says_which() {
        let error = add(Err(std::io::ErrorKind::NotFound.into()));
        assert!(error.to_string().contains("/ca/ca.pem"), "{error}");
    }

    #[test]
    fn without_files_only_the_built_in_roots_count() {
        let roots = Roots::built_in();
        assert!(roots.built_in.len() > 100);
        assert!(roots.ca_files.is_empty());
    }
}
