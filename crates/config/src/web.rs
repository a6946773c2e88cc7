//! Web configuration: TLS and users of the HTTP server, in the form of Prometheus' exporters (the
//! `web-config.yml` of their exporter-toolkit), so that one file serves both.

mod client;
mod raw;
mod tls;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bcrypt::HashParts;
use privatelink_verdict::suggest::did_you_mean;
use rustls::ServerConfig;
use serde::de::DeserializeOwned;

pub use self::client::{ClientFiles, ClientTls, WebClient};
use self::raw::RawWeb;
use crate::diagnostic::{Diagnostic, quoted};
use crate::files::{Files, ReadError, utf8};
use crate::problem::{ConfigError, Problem};
use crate::read;
use crate::reload::Reload;
use crate::spanned::{Location, SourceText, Spanned};

/// The highest cost of a password's hash: each step doubles the time of a check, which is a second here.
const HIGHEST_COST: u32 = 14;

/// The headers that a web configuration may add to every reply, with the values that they may have; an
/// empty list: any value.
const HEADERS: [(&str, &[&str]); 5] = [
    ("Content-Security-Policy", &[]),
    ("Strict-Transport-Security", &[]),
    ("X-Content-Type-Options", &["nosniff"]),
    ("X-Frame-Options", &["deny", "sameorigin"]),
    ("X-XSS-Protection", &[]),
];

/// Who may read, and how. The default: everyone, over plain HTTP.
#[derive(Clone, Default)]
pub struct WebConfig {
    /// `None`: plain HTTP.
    pub tls: Option<WebTls>,
    /// Headers of every reply, in place of the server's own.
    pub headers: Vec<(String, String)>,
    /// The bcrypt hash of each user's password. Empty: nobody is asked for one.
    pub users: BTreeMap<String, String>,
}

/// TLS of the server.
#[derive(Clone, Debug)]
pub struct WebTls {
    /// The certificate, its key, and whether a client needs one too.
    pub server: Arc<ServerConfig>,
    /// A client's certificate must have one of these names; empty: any name will do.
    pub client_allowed_sans: Vec<String>,
}

impl WebConfig {
    /// Whether some readers are refused.
    pub fn is_restricted(&self) -> bool {
        self.tls.is_some() || !self.users.is_empty()
    }
}

/// Without the hashes.
impl fmt::Debug for WebConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebConfig")
            .field("tls", &self.tls)
            .field("headers", &self.headers)
            .field("users", &self.users.keys())
            .finish()
    }
}

/// The file of a web configuration, and the files that it names.
#[derive(Debug, Default)]
pub struct WebFiles(Files);

impl Reload for WebFiles {
    type Meaning = WebConfig;

    fn read(self, paths: &[PathBuf]) -> (Self, Result<WebConfig, ConfigError>) {
        let mut files = Files::default();
        #[expect(
            clippy::redundant_closure_for_method_calls,
            reason = "the method alone is one of a certain lifetime"
        )]
        let config = load(paths, &mut files, |reader, raw| reader.config(raw));
        (Self(files), config)
    }

    fn has_changed(&self) -> bool {
        self.0.changed()
    }
}

/// What the first of `paths` says, as `meaning` understands it.
fn load<R: DeserializeOwned + Default, T>(
    paths: &[PathBuf],
    files: &mut Files,
    meaning: impl FnOnce(&mut Reader<'_>, R) -> T,
) -> Result<T, ConfigError> {
    let path = paths.first().map_or(Path::new(""), PathBuf::as_path);
    let name = path.display().to_string();
    let text = files.read(path).map_err(ReadError::Io).and_then(utf8);
    let text = text.map_err(|error| {
        ConfigError::plain(
            format!("{name}: {error}"),
            Some("check the path, and in a pod that the volume is mounted".to_owned()),
        )
    })?;
    let source = SourceText {
        name,
        text: text.into(),
    };
    let mut reader = Reader {
        folder: path.parent().unwrap_or(Path::new("")),
        source: &source,
        files,
        problems: Vec::new(),
    };
    let raw = if read::is_empty(&source) {
        R::default()
    } else {
        read::secret_document(&source.text).unwrap_or_else(|(location, diagnostic)| {
            reader.refuse(location, diagnostic);
            R::default()
        })
    };
    let meaning = meaning(&mut reader, raw);
    match reader.problems {
        problems if problems.is_empty() => Ok(meaning),
        problems => Err(ConfigError { problems }),
    }
}

/// Reads one file.
struct Reader<'a> {
    /// That of the file; the files that it names are relative to it.
    folder: &'a Path,
    source: &'a SourceText,
    files: &'a mut Files,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn config(&mut self, raw: RawWeb) -> WebConfig {
        // Exhaustive: a new key must be put to use here.
        let RawWeb {
            tls_server_config,
            http_server_config,
            basic_auth_users,
            rate_limit,
        } = raw;
        if let Some(limit) = rate_limit {
            self.refuse(
                limit.location,
                Diagnostic::new("`rate_limit` is not supported")
                    .help("remove it: readers are held to a part of the time in any case"),
            );
        }
        let tls = tls_server_config.and_then(|tls| self.tls(tls.location, tls.value));
        let headers = http_server_config.unwrap_or_default().headers;
        for (header, value) in &headers {
            self.check_header(header, value);
        }
        for (user, hash) in &basic_auth_users {
            self.check_hash(user, hash);
        }
        let text = |(name, value): (String, Spanned<String>)| (name, value.value);
        WebConfig {
            tls,
            headers: headers.into_iter().map(text).collect(),
            users: basic_auth_users.into_iter().map(text).collect(),
        }
    }

    fn check_header(&mut self, header: &str, value: &Spanned<String>) {
        let known = HEADERS.iter().find(|(name, _)| *name == header);
        let Some((_, values)) = known else {
            let names = HEADERS.map(|(name, _)| name);
            let problem = Diagnostic::new(format!("the header {} cannot be set", quoted(header)));
            self.refuse(
                value.location,
                problem.help(read::suggestion(header, &names)),
            );
            return;
        };
        let is_text = |byte: u8| byte == b'\t' || (b' '..=b'~').contains(&byte);
        if !values.is_empty() && !values.contains(&value.value.as_str()) {
            let problem = Diagnostic::new(format!("{header} cannot be {}", quoted(&value.value)));
            self.refuse(value.location, problem.help(one_of(&value.value, values)));
        } else if !value.value.bytes().all(is_text) {
            let problem = Diagnostic::new(format!("{header} has a character that no header can"));
            self.refuse(
                value.location,
                problem.help("write it in ASCII, on one line"),
            );
        }
    }

    fn check_hash(&mut self, user: &str, hash: &Spanned<String>) {
        let user = quoted(user);
        let problem = match hash.value.parse::<HashParts>().map(|hash| hash.get_cost()) {
            Ok(4..=HIGHEST_COST) => return,
            Ok(cost) => Diagnostic::new(format!(
                "the hash of the password of {user} has the cost {cost}, and costs from 4 to \
                 {HIGHEST_COST} are accepted"
            )),
            Err(_) => Diagnostic::new(format!(
                "what is written for {user} is no bcrypt hash of a password"
            )),
        };
        // The text itself is not shown: it may be the password.
        self.refuse(
            hash.location,
            problem.help("make one with `htpasswd -nBC 10 \"\" | tr -d ':\\n'`"),
        );
    }

    /// Adds a problem. The line is not shown, unlike that of other files: it may hold a password or a key.
    fn refuse(&mut self, location: Location, diagnostic: Diagnostic) {
        let Diagnostic { message, help } = diagnostic;
        let Location { line, column, .. } = location;
        let place = match line {
            0 => self.source.name.clone(),
            _ => format!("{}:{line}:{column}", self.source.name),
        };
        self.problems.push(Problem {
            message: format!("{place}: {message}"),
            snippet: None,
            help,
            corrected: None,
        });
    }
}

/// What to write instead of a word that is none of `known`.
fn one_of(word: &str, known: &[&str]) -> String {
    did_you_mean(word, known.iter().copied())
        .unwrap_or_else(|| format!("there is {}", known.join(", ")))
}

#[cfg(test)]
mod tests;
