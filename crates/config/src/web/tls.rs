//! TLS: the certificate of the server, and what it asks of clients.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, SupportedKxGroup, aws_lc_rs};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoClientAuth, NoServerSessionStorage, WebPkiClientVerifier};
use rustls::version::{TLS12, TLS13};
use rustls::{NamedGroup, ServerConfig, SupportedCipherSuite, SupportedProtocolVersion};
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::raw::RawTlsServer;
use super::{Reader, WebTls, one_of};
use crate::diagnostic::{Diagnostic, quoted};
use crate::spanned::{Location, Spanned};

/// The words for what is asked of clients.
const CLIENT_AUTH: [&str; 3] = [
    "NoClientCert",
    "VerifyClientCertIfGiven",
    "RequireAndVerifyClientCert",
];

/// The versions, oldest first.
const VERSIONS: [(&str, &SupportedProtocolVersion); 2] = [("TLS12", &TLS12), ("TLS13", &TLS13)];

impl Reader<'_> {
    pub(super) fn tls(&mut self, location: Location, raw: RawTlsServer) -> Option<WebTls> {
        // Exhaustive: a new key must be put to use here.
        let RawTlsServer {
            cert,
            cert_file,
            key,
            key_file,
            client_ca,
            client_ca_file,
            client_auth_type,
            client_allowed_sans,
            min_version,
            max_version,
            cipher_suites,
            prefer_server_cipher_suites,
            curve_preferences,
        } = raw;
        let provider = Arc::new(CryptoProvider {
            cipher_suites: self.cipher_suites(&cipher_suites),
            kx_groups: self.groups(&curve_preferences),
            ..aws_lc_rs::default_provider()
        });
        let versions = self.versions(min_version.as_ref(), max_version.as_ref());
        let certificate = self.pem(location, ["cert", "cert_file"], cert, cert_file);
        let key = self.pem(location, ["key", "key_file"], key, key_file);
        let ca = match (client_ca, client_ca_file) {
            (None, None) => None,
            (ca, file) => self.pem(location, ["client_ca", "client_ca_file"], ca, file),
        };
        let verifier = self.verifier(location, client_auth_type.as_ref(), ca, &provider);
        let chain = certificate.and_then(|pem| self.chain(&pem));
        let (key_location, key) = key.and_then(|pem| self.key(&pem))?;
        let (chain, verifier, versions) = (chain?, verifier?, versions?);
        if !self.problems.is_empty() {
            return None;
        }
        let server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&versions)
            .and_then(|builder| {
                let builder = builder.with_client_cert_verifier(verifier);
                builder.with_single_cert(chain, key)
            });
        let server = server.map_err(|error| self.refuse_key(key_location, &error));
        let mut server = server.ok()?;
        // No session is resumed: a client is judged by the certificates of this moment, and readers come
        // once a minute at most, so that keeping sessions would cost more than a handshake.
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;
        server.ignore_client_order = prefer_server_cipher_suites.unwrap_or(true);
        Some(WebTls {
            server: Arc::new(server),
            client_allowed_sans,
        })
    }

    pub(super) fn refuse_key(&mut self, location: Location, error: &rustls::Error) {
        let text = match error {
            rustls::Error::InconsistentKeys(_) => {
                "the key is not that of the certificate".to_owned()
            }
            error => format!("the certificate cannot be used with its key: {error}"),
        };
        self.refuse(location, Diagnostic::new(text));
    }

    /// A PEM text, written in the file itself or in one that it names.
    pub(super) fn pem(
        &mut self,
        location: Location,
        [key, file_key]: [&'static str; 2],
        text: Option<Spanned<String>>,
        file: Option<Spanned<String>>,
    ) -> Option<Pem> {
        match (text, file) {
            (Some(text), None) => Some(Pem {
                location: text.location,
                path: PathBuf::from(key),
                content: Ok(text.value.into_bytes()),
            }),
            (None, Some(file)) => {
                let path = self.folder.join(file.value);
                let content = self.files.read(&path);
                Some(Pem {
                    location: file.location,
                    path,
                    content,
                })
            }
            (None, None) => {
                let problem = Diagnostic::new(format!("`{file_key}` is missing"));
                self.refuse(
                    location,
                    problem.help("TLS needs a certificate and its key"),
                );
                None
            }
            (Some(text), Some(_)) => {
                let problem = Diagnostic::new(format!("`{key}` and `{file_key}` are both given"));
                self.refuse(text.location, problem.help("keep one of them"));
                None
            }
        }
    }

    pub(super) fn chain(&mut self, pem: &Pem) -> Option<Vec<CertificateDer<'static>>> {
        let path = pem.path.display();
        let chain = match &pem.content {
            Ok(content) => CertificateDer::pem_slice_iter(content)
                .collect::<Result<Vec<_>, _>>()
                .map_err(|error| Diagnostic::new(format!("{path} is no PEM: {error}"))),
            Err(error) => Err(unreadable(pem, error)),
        };
        let problem = match chain {
            Ok(chain) if chain.is_empty() => {
                Diagnostic::new(format!("{path} holds no certificate"))
                    .help("it must hold a '-----BEGIN CERTIFICATE-----' block")
            }
            Ok(chain) => return Some(chain),
            Err(problem) => problem,
        };
        self.refuse(pem.location, problem);
        None
    }

    pub(super) fn key(&mut self, pem: &Pem) -> Option<(Location, PrivateKeyDer<'static>)> {
        let path = pem.path.display();
        let key = match &pem.content {
            Ok(content) => PrivateKeyDer::from_pem_slice(content).map_err(|error| match error {
                pem::Error::NoItemsFound => {
                    Diagnostic::new(format!("{path} holds no private key")).help(
                        "it must hold a '-----BEGIN PRIVATE KEY-----' block, which no passphrase protects",
                    )
                }
                error => Diagnostic::new(format!("{path} is no PEM: {error}")),
            }),
            Err(error) => Err(unreadable(pem, error)),
        };
        key.map_err(|problem| self.refuse(pem.location, problem))
            .ok()
            .map(|key| (pem.location, key))
    }

    /// What verifies the certificates of clients.
    fn verifier(
        &mut self,
        location: Location,
        word: Option<&Spanned<String>>,
        ca: Option<Pem>,
        provider: &Arc<CryptoProvider>,
    ) -> Option<Arc<dyn ClientCertVerifier>> {
        let given = word.map_or("NoClientCert", |word| &word.value);
        let place = word.map_or(location, |word| word.location);
        let is_required = match (given, &ca) {
            ("NoClientCert", None) => return Some(Arc::new(NoClientAuth)),
            ("NoClientCert", Some(ca)) => {
                let problem = Diagnostic::new("`client_ca` is given, and clients are not asked");
                let help = "write client_auth_type: RequireAndVerifyClientCert";
                self.refuse(ca.location, problem.help(help));
                return None;
            }
            ("VerifyClientCertIfGiven", Some(_)) => false,
            ("RequireAndVerifyClientCert", Some(_)) => true,
            ("VerifyClientCertIfGiven" | "RequireAndVerifyClientCert", None) => {
                let problem = Diagnostic::new("`client_ca_file` is missing");
                let help = "name the authority that signs the certificates of clients";
                self.refuse(place, problem.help(help));
                return None;
            }
            ("RequestClientCert" | "RequireClientCert" | "RequireAnyClientCert", _) => {
                let problem = Diagnostic::new(format!(
                    "{} asks for certificates that are not verified, which keeps nobody out",
                    quoted(given)
                ));
                self.refuse(place, problem.help("write RequireAndVerifyClientCert"));
                return None;
            }
            _ => {
                let problem = Diagnostic::new(format!("{} is unknown", quoted(given)));
                self.refuse(place, problem.help(one_of(given, &CLIENT_AUTH)));
                return None;
            }
        };
        let ca = ca?;
        let ca_location = ca.location;
        let roots = self.roots(&ca)?;
        let builder =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
        let builder = if is_required {
            builder
        } else {
            builder.allow_unauthenticated()
        };
        builder
            .build()
            .map_err(|error| self.refuse(ca_location, Diagnostic::new(error.to_string())))
            .ok()
    }

    fn versions(
        &mut self,
        least: Option<&Spanned<String>>,
        most: Option<&Spanned<String>>,
    ) -> Option<Vec<&'static SupportedProtocolVersion>> {
        let mut index = |word: Option<&Spanned<String>>, default: usize| {
            let Some(word) = word else {
                return Some(default);
            };
            let known = VERSIONS.iter().position(|(name, _)| *name == word.value);
            if known.is_none() {
                let problem = match word.value.as_str() {
                    "TLS10" | "TLS11" => Diagnostic::new("TLS 1.0 and 1.1 are not spoken"),
                    other => Diagnostic::new(format!("the version {} is unknown", quoted(other))),
                };
                let help = one_of(&word.value, &VERSIONS.map(|(name, _)| name));
                self.refuse(word.location, problem.help(help));
            }
            known
        };
        let (first, last) = (index(least, 0)?, index(most, VERSIONS.len() - 1)?);
        if first > last {
            let location = least.map(|word| word.location).unwrap_or_default();
            let problem = Diagnostic::new("`min_version` is above `max_version`");
            self.refuse(location, problem);
            return None;
        }
        Some(
            VERSIONS[first..=last]
                .iter()
                .map(|(_, version)| *version)
                .collect(),
        )
    }

    /// The cipher suites of TLS 1.2 that are named, in that order; none named: all of them. Those of TLS 1.3
    /// cannot be chosen, as in Go.
    fn cipher_suites(&mut self, names: &[Spanned<String>]) -> Vec<SupportedCipherSuite> {
        let all = aws_lc_rs::default_provider().cipher_suites;
        if names.is_empty() {
            return all;
        }
        let name = |suite: &SupportedCipherSuite| {
            let name = suite.suite().as_str().unwrap_or_default();
            name.replacen("TLS13_", "TLS_", 1)
        };
        let (of_13, of_12): (Vec<_>, Vec<_>) =
            all.iter().partition(|suite| suite.tls13().is_some());
        let mut chosen = of_13;
        for wanted in names {
            // Go has these two under a second name.
            let long = wanted.value.strip_suffix("_CHACHA20_POLY1305");
            let long = long.map(|_| format!("{}_SHA256", wanted.value));
            let long = long.as_ref().unwrap_or(&wanted.value);
            if let Some(suite) = of_12.iter().find(|suite| name(suite) == *long) {
                chosen.push(*suite);
            } else if !chosen.iter().any(|suite| name(suite) == *long) {
                let known: Vec<_> = of_12.iter().map(name).collect();
                let known: Vec<_> = known.iter().map(String::as_str).collect();
                let problem = Diagnostic::new(format!(
                    "there is no cipher suite {}",
                    quoted(&wanted.value)
                ));
                self.refuse(wanted.location, problem.help(one_of(&wanted.value, &known)));
            }
        }
        chosen
    }

    /// The groups for key exchange that are named, in that order; none named: all of them.
    fn groups(&mut self, names: &[Spanned<String>]) -> Vec<&'static dyn SupportedKxGroup> {
        const NAMES: [(&str, NamedGroup); 4] = [
            ("X25519", NamedGroup::X25519),
            ("CurveP256", NamedGroup::secp256r1),
            ("CurveP384", NamedGroup::secp384r1),
            ("X25519MLKEM768", NamedGroup::X25519MLKEM768),
        ];
        let all = aws_lc_rs::default_provider().kx_groups;
        if names.is_empty() {
            return all;
        }
        let chosen = names.iter().filter_map(|wanted| {
            let known = NAMES.iter().find(|(name, _)| *name == wanted.value);
            let group = known.and_then(|(_, group)| all.iter().find(|it| it.name() == *group));
            if group.is_none() {
                let problem =
                    Diagnostic::new(format!("there is no curve {}", quoted(&wanted.value)));
                let help = one_of(&wanted.value, &NAMES.map(|(name, _)| name));
                self.refuse(wanted.location, problem.help(help));
            }
            group.copied()
        });
        chosen.collect()
    }
}

fn unreadable(pem: &Pem, error: &std::io::Error) -> Diagnostic {
    Diagnostic::new(format!("cannot read {}: {error}", pem.path.display()))
        .help("check the path, and that the volume is mounted")
}

/// A PEM text, where it is given, and the name of what holds it.
pub(super) struct Pem {
    pub(super) location: Location,
    path: PathBuf,
    content: std::io::Result<Vec<u8>>,
}
