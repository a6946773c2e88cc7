//! Trust: the certificates of the CA files, which are trusted beside the built-in roots.

use std::path::{Path, PathBuf};

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use webpki::anchor_from_trusted_cert;

/// A CA file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CaFileError {
    /// The file could not be read.
    #[error("cannot read the CA file {}; check the path, and that the volume is mounted", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system reported.
        source: std::io::Error,
    },
    /// The file is not PEM, or what it calls a certificate is not one.
    #[error("the CA file {} is not a PEM bundle: {detail}", path.display())]
    Parse {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// The file holds no certificate.
    #[error(
        "the CA file {} holds no certificate; it must hold at least one \
         '-----BEGIN CERTIFICATE-----' block",
        path.display()
    )]
    Empty {
        /// Which file.
        path: PathBuf,
    },
}

/// The certificates of the CA file `path`, given the result of reading it: at least one, each usable
/// as a root.
pub(crate) fn certificates(
    path: &Path,
    content: std::io::Result<Vec<u8>>,
) -> Result<Vec<CertificateDer<'static>>, CaFileError> {
    let pem = content.map_err(|source| CaFileError::Read {
        path: path.to_owned(),
        source,
    })?;
    let parse = |detail: String| CaFileError::Parse {
        path: path.to_owned(),
        detail,
    };
    let mut certificates = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| parse(error.to_string()))?;
        anchor_from_trusted_cert(&certificate).map_err(|error| parse(error.to_string()))?;
        certificates.push(certificate);
    }
    if certificates.is_empty() {
        return Err(CaFileError::Empty {
            path: path.to_owned(),
        });
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(content: std::io::Result<Vec<u8>>) -> CaFileError {
        certificates(Path::new("/ca/ca.pem"), content).expect_err("nothing to add")
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
}
