//! Client: how a port is read that a web configuration protects, in the form of Prometheus' HTTP clients
//! (`basic_auth` and `tls_config` of a scrape configuration).

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::ServerName;
use serde::Deserialize;

use super::{Reader, load};
use crate::diagnostic::{Diagnostic, quoted};
use crate::files::Files;
use crate::problem::ConfigError;
use crate::reload::Reload;
use crate::spanned::{Location, Spanned};

/// How a port is read. The default: over plain HTTP, without a password.
#[derive(Clone, Default)]
pub struct WebClient {
    /// `None`: plain HTTP.
    pub tls: Option<ClientTls>,
    /// The user and the password.
    pub basic_auth: Option<(String, String)>,
}

/// TLS of a client.
#[derive(Clone, Debug)]
pub struct ClientTls {
    /// The authorities that are trusted, and the client's own certificate if it has one.
    pub config: Arc<ClientConfig>,
    /// The name that the server's certificate must have.
    pub server_name: ServerName<'static>,
}

/// Without the password.
impl fmt::Debug for WebClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = self.basic_auth.as_ref().map(|(user, _)| user);
        f.debug_struct("WebClient")
            .field("tls", &self.tls)
            .field("user", &user)
            .finish()
    }
}

/// The file that says how a port is read, and the files that it names.
#[derive(Debug, Default)]
pub struct ClientFiles(Files);

impl Reload for ClientFiles {
    type Meaning = WebClient;

    fn read(self, paths: &[PathBuf]) -> (Self, Result<WebClient, ConfigError>) {
        let mut files = Files::default();
        #[expect(
            clippy::redundant_closure_for_method_calls,
            reason = "the method alone is one of a certain lifetime"
        )]
        let client = load(paths, &mut files, |reader, raw| reader.client(raw));
        (Self(files), client)
    }

    fn has_changed(&self) -> bool {
        self.0.changed()
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawClient {
    basic_auth: Option<Spanned<RawBasicAuth>>,
    tls_config: Option<Spanned<RawClientTls>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawBasicAuth {
    username: String,
    password: Option<String>,
    password_file: Option<Spanned<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawClientTls {
    ca: Option<Spanned<String>>,
    ca_file: Option<Spanned<String>>,
    cert: Option<Spanned<String>>,
    cert_file: Option<Spanned<String>>,
    key: Option<Spanned<String>>,
    key_file: Option<Spanned<String>>,
    server_name: Option<Spanned<String>>,
}

impl Reader<'_> {
    fn client(&mut self, raw: RawClient) -> WebClient {
        let RawClient {
            basic_auth,
            tls_config,
        } = raw;
        WebClient {
            tls: tls_config.and_then(|tls| self.client_tls(tls.location, tls.value)),
            basic_auth: basic_auth.and_then(|basic| self.basic_auth(basic.location, basic.value)),
        }
    }

    fn basic_auth(&mut self, location: Location, raw: RawBasicAuth) -> Option<(String, String)> {
        let password = match (raw.password, raw.password_file) {
            (Some(password), None) => password,
            (None, Some(file)) => {
                let path = self.folder.join(file.value);
                let read = self.files.read(&path);
                let Ok(Ok(text)) = read.map(String::from_utf8) else {
                    let problem = format!("cannot read a password from {}", path.display());
                    self.refuse(file.location, Diagnostic::new(problem));
                    return None;
                };
                text.trim_end_matches(['\r', '\n']).to_owned()
            }
            _ => {
                let problem = Diagnostic::new("`password_file` is missing, or not alone");
                self.refuse(
                    location,
                    problem.help("name the file that holds the password"),
                );
                return None;
            }
        };
        Some((raw.username, password))
    }

    fn client_tls(&mut self, location: Location, raw: RawClientTls) -> Option<ClientTls> {
        let RawClientTls {
            ca,
            ca_file,
            cert,
            cert_file,
            key,
            key_file,
            server_name,
        } = raw;
        let roots = self.pem(location, ["ca", "ca_file"], ca, ca_file);
        let has_certificate = [&cert, &cert_file, &key, &key_file]
            .iter()
            .any(|it| it.is_some());
        let own = has_certificate.then(|| {
            let certificate = self.pem(location, ["cert", "cert_file"], cert, cert_file);
            let key = self.pem(location, ["key", "key_file"], key, key_file);
            let chain = certificate.and_then(|pem| self.chain(&pem));
            chain.zip(key.and_then(|pem| self.key(&pem)))
        });
        let Some(name) = server_name else {
            let problem = Diagnostic::new("`server_name` is missing");
            let help = "agents are asked by their addresses: write the name in their certificate";
            self.refuse(location, problem.help(help));
            return None;
        };
        let Ok(server_name) = ServerName::try_from(name.value.clone()) else {
            let problem = format!("{} is no name of a server", quoted(&name.value));
            self.refuse(name.location, Diagnostic::new(problem));
            return None;
        };
        let roots = self.roots(&roots?)?;
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| self.refuse(location, Diagnostic::new(error.to_string())))
            .ok()?
            .with_root_certificates(roots);
        let config = match own {
            None => builder.with_no_client_auth(),
            Some(own) => {
                let (chain, (key_location, key)) = own?;
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(|error| self.refuse_key(key_location, &error))
                    .ok()?
            }
        };
        Some(ClientTls {
            config: Arc::new(config),
            server_name,
        })
    }

    /// The certificates of authorities.
    pub(super) fn roots(&mut self, pem: &super::tls::Pem) -> Option<RootCertStore> {
        let location = pem.location;
        let mut roots = RootCertStore::empty();
        for certificate in self.chain(pem)? {
            if let Err(error) = roots.add(certificate) {
                let problem = format!("a certificate of an authority cannot be used: {error}");
                self.refuse(location, Diagnostic::new(problem));
                return None;
            }
        }
        Some(roots)
    }
}
