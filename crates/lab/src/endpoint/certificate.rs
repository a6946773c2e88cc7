//! Certificate: what a TLS service presents, and the authorities that sign it.

use std::error::Error;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use jiff::SignedDuration;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};

use super::tls::{Intermediate, IssuedBy, TlsService, Usage, Version};

/// What the certificate library or rustls said.
type CertificateError = Box<dyn Error + Send + Sync>;

/// The authorities of this process.
pub(crate) struct Authorities {
    lab: Authority,
    intermediate: Authority,
    unknown: Authority,
    forged: Authority,
}

type Authority = CertifiedIssuer<'static, KeyPair>;

const LAB_ROOT: &str = "privatelink-prober lab root";

impl Authorities {
    /// The authorities, made when first asked for.
    pub(crate) fn get() -> Result<&'static Self, CertificateError> {
        static AUTHORITIES: OnceLock<Authorities> = OnceLock::new();
        if let Some(authorities) = AUTHORITIES.get() {
            return Ok(authorities);
        }
        let made = Self::make()?;
        Ok(AUTHORITIES.get_or_init(|| made))
    }

    /// The certificate to trust.
    pub(crate) fn pem(&self) -> String {
        self.lab.pem()
    }

    /// How `tls` is served.
    pub(crate) fn server_config(&self, tls: &TlsService) -> Result<ServerConfig, CertificateError> {
        let (chain, key) = self.issue(tls)?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let versions: Vec<&SupportedProtocolVersion> = if tls.versions.is_empty() {
            rustls::ALL_VERSIONS.to_vec()
        } else {
            tls.versions
                .iter()
                .copied()
                .map(Version::supported)
                .collect()
        };
        let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&versions)?;
        let config = if tls.require_client_certificate {
            let mut roots = RootCertStore::empty();
            roots.add(self.lab.der().clone())?;
            let clients = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
            config.with_client_cert_verifier(clients.build()?)
        } else {
            config.with_no_client_auth()
        };
        let mut config = config.with_single_cert(chain, key)?;
        // No client resumes. As behind some services, nothing acknowledges a client's last flight early.
        config.send_tls13_tickets = 0;
        Ok(config)
    }

    fn make() -> Result<Self, CertificateError> {
        let root = |name| -> Result<_, CertificateError> {
            Ok(Authority::self_signed(
                authority(name)?,
                KeyPair::generate()?,
            )?)
        };
        let lab = root(LAB_ROOT)?;
        let intermediate = authority("privatelink-prober lab intermediate")?;
        let intermediate = Authority::signed_by(intermediate, KeyPair::generate()?, &lab)?;
        Ok(Self {
            intermediate,
            unknown: root("Contoso firewall TLS inspection")?,
            forged: root(LAB_ROOT)?,
            lab,
        })
    }

    /// A new certificate with those sent along, and its key.
    fn issue(
        &self,
        tls: &TlsService,
    ) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), CertificateError> {
        let key = KeyPair::generate_for(tls.algorithm.signature())?;
        let params = tls.params()?;
        let signed_by = |issuer: &Authority| params.signed_by(&key, issuer);
        let (leaf, sent) = match (tls.issuer, tls.intermediate) {
            (IssuedBy::Lab, Intermediate::None) => (signed_by(&self.lab)?, None),
            (IssuedBy::Lab, Intermediate::Missing) => (signed_by(&self.intermediate)?, None),
            (IssuedBy::Lab, Intermediate::Sent) => {
                (signed_by(&self.intermediate)?, Some(&self.intermediate))
            }
            (_, Intermediate::Sent | Intermediate::Missing) => {
                return Err("`intermediate` goes with `issuer: lab` only".into());
            }
            (IssuedBy::SelfSigned | IssuedBy::SelfSignedCa, _) => (params.self_signed(&key)?, None),
            (IssuedBy::Unknown, _) => (signed_by(&self.unknown)?, Some(&self.unknown)),
            (IssuedBy::Forged, _) => (signed_by(&self.forged)?, None),
        };
        let sent = sent.map(|authority| authority.der().clone());
        let chain = std::iter::once(leaf.der().clone()).chain(sent).collect();
        Ok((chain, PrivatePkcs8KeyDer::from(key.serialize_der()).into()))
    }
}

impl TlsService {
    fn params(&self) -> Result<CertificateParams, CertificateError> {
        let mut params = CertificateParams::new(self.names.clone())?;
        params.distinguished_name = DistinguishedName::new();
        if let Some(name) = &self.common_name {
            params.distinguished_name.push(DnType::CommonName, name);
        }
        params.is_ca = if self.issuer == IssuedBy::SelfSignedCa {
            IsCa::Ca(BasicConstraints::Unconstrained)
        } else {
            IsCa::ExplicitNoCa
        };
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![match self.usage {
            Usage::Server => ExtendedKeyUsagePurpose::ServerAuth,
            Usage::Client => ExtendedKeyUsagePurpose::ClientAuth,
        }];
        let epoch = rcgen::date_time_ymd(1970, 1, 1);
        params.not_before = epoch + since_epoch(self.not_before);
        params.not_after = epoch + since_epoch(self.not_after);
        Ok(params)
    }
}

fn authority(name: &str) -> Result<CertificateParams, CertificateError> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

/// The moment that lies `duration` from now, counted from 1970.
fn since_epoch(duration: SignedDuration) -> Duration {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    if duration.is_negative() {
        now.saturating_sub(duration.unsigned_abs())
    } else {
        now.saturating_add(duration.unsigned_abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

    fn tls(yaml: &str) -> TlsService {
        serde_saphyr::from_str(yaml).expect("a TLS service")
    }

    fn issued(yaml: &str) -> Vec<CertificateDer<'static>> {
        let authorities = Authorities::get().expect("authorities");
        authorities.issue(&tls(yaml)).expect("a certificate").0
    }

    fn read<'a>(chain: &'a [CertificateDer<'static>]) -> X509Certificate<'a> {
        let leaf = chain.first().expect("a leaf");
        X509Certificate::from_der(leaf).expect("X.509").1
    }

    #[test]
    fn a_certificate_carries_the_names_and_dates_asked_for() {
        let chain =
            issued("{names: ['*.vault.azure.net', 127.0.1.1], notBefore: -30d, notAfter: -2d}");
        let leaf = read(&chain);
        let names = leaf
            .subject_alternative_name()
            .expect("readable")
            .expect("names");
        let [
            GeneralName::DNSName("*.vault.azure.net"),
            GeneralName::IPAddress([127, 0, 1, 1]),
        ] = names.value.general_names[..]
        else {
            panic!("{names:?}");
        };
        let now = i64::try_from(since_epoch(SignedDuration::ZERO).as_secs()).expect("seconds");
        let days = |moment: i64| (moment - now + 3600).div_euclid(86_400);
        assert_eq!(days(leaf.validity().not_before.timestamp()), -30);
        assert_eq!(days(leaf.validity().not_after.timestamp()), -2);
        assert_eq!(leaf.issuer().to_string(), format!("CN={LAB_ROOT}"));
        assert!(!leaf.is_ca());
    }

    #[test]
    fn names_can_be_left_out() {
        let chain = issued("{names: [], commonName: kv.vault.azure.net}");
        let leaf = read(&chain);
        assert!(leaf.subject_alternative_name().expect("readable").is_none());
        assert_eq!(leaf.subject().to_string(), "CN=kv.vault.azure.net");
    }

    #[test]
    fn every_issuer_signs_as_itself() {
        let signer = |yaml| {
            let chain = issued(yaml);
            (
                read(&chain).issuer().to_string(),
                read(&chain).is_ca(),
                chain.len(),
            )
        };
        let common_name = "CN=kv.test".to_owned();
        assert_eq!(
            signer("{names: [kv.test], commonName: kv.test, issuer: selfSigned}"),
            (common_name.clone(), false, 1)
        );
        assert_eq!(
            signer("{names: [kv.test], commonName: kv.test, issuer: selfSignedCa}"),
            (common_name, true, 1)
        );
        let (unknown, _, sent) = signer("{names: [kv.test], issuer: unknown}");
        assert_eq!(
            (unknown.as_str(), sent),
            ("CN=Contoso firewall TLS inspection", 2)
        );
        let (forged, _, sent) = signer("{names: [kv.test], issuer: forged}");
        assert_eq!((forged, sent), (format!("CN={LAB_ROOT}"), 1));
        let (below, _, sent) = signer("{names: [kv.test], intermediate: sent}");
        assert_eq!(
            (below.as_str(), sent),
            ("CN=privatelink-prober lab intermediate", 2)
        );
        let (below, _, sent) = signer("{names: [kv.test], intermediate: missing}");
        assert_eq!(
            (below.as_str(), sent),
            ("CN=privatelink-prober lab intermediate", 1)
        );
    }

    #[test]
    fn every_algorithm_and_option_can_be_served() {
        let authorities = Authorities::get().expect("authorities");
        for options in [
            "algorithm: p256",
            "algorithm: p384",
            "algorithm: p521",
            "algorithm: ed25519",
            "algorithm: rsa",
            "requireClientCertificate: true",
            "versions: [tls12]",
            "usage: client",
        ] {
            let tls = tls(&format!("{{names: [kv.test], {options}}}"));
            let config = authorities.server_config(&tls);
            assert!(config.is_ok(), "{options}: {:?}", config.err());
        }
    }

    #[test]
    fn an_intermediate_of_another_authority_is_refused() {
        let authorities = Authorities::get().expect("authorities");
        let tls = tls("{names: [kv.test], issuer: unknown, intermediate: sent}");
        let error = authorities.server_config(&tls).expect_err("no certificate");
        assert!(error.to_string().contains("`issuer: lab`"), "{error}");
    }
}
