//! Command line: the hosts and flags of `check`, read as a configuration file is.

use crate::assemble::Parts;
use crate::diagnostic::{Diagnostic, quoted};
use crate::duration;
use crate::network;
use crate::problem::{ConfigError, Problem};
use crate::raw::{RawClassify, RawConfig, RawResolver, RawTarget, RawTls};
use crate::spanned::SourceText;
use crate::spanned::{Location, Origin, Spanned};
use crate::text::NameText;

/// The flags of `check` that concern its hosts. Values are texts, and are read as those of a file.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct HostOptions {
    /// DNS servers to ask instead of the configured resolvers, the first one judged.
    pub resolvers: Vec<String>,
    /// The expectation.
    pub expect: Option<String>,
    /// Networks in which the private endpoint lives.
    pub expected_cidrs: Vec<String>,
    /// Networks whose addresses are private here.
    pub classify_private: Vec<String>,
    /// Networks whose addresses are public here.
    pub classify_public: Vec<String>,
    /// Private DNS zone of a service outside the catalogue.
    pub private_zone: Option<String>,
    /// Name the certificate must cover.
    pub server_name: Option<String>,
    /// PEM bundles of roots.
    pub ca_files: Vec<String>,
    /// Port.
    pub port: Option<String>,
    /// Protocol.
    pub protocol: Option<String>,
    /// Budget of one probe.
    pub timeout: Option<String>,
    /// Ask the service.
    pub http: bool,
    /// Do not ask the service.
    pub no_http: bool,
    /// Ask for IPv4 addresses only.
    pub ipv4_only: bool,
    /// Ask for IPv6 addresses only.
    pub ipv6_only: bool,
}

/// Applies the hosts and flags to `parts`. With hosts, the configuration's targets and target files
/// are dropped; without, only flags that concern every target are allowed.
pub(super) fn apply(
    hosts: &[String],
    flags: &HostOptions,
    parts: &mut Parts,
) -> Result<(), ConfigError> {
    let mut typed = Typed::default();
    // Destructured, so that the compiler reports a new flag that is not applied here.
    let HostOptions {
        resolvers,
        expect,
        expected_cidrs,
        classify_private,
        classify_public,
        private_zone,
        server_name,
        ca_files,
        port,
        protocol,
        timeout,
        http,
        no_http,
        ipv4_only,
        ipv6_only,
    } = flags;

    let configured = !parts.files.is_empty();
    if hosts.is_empty() && !configured {
        return Err(ConfigError::plain(
            "nothing to check",
            Some("name a host, or a configuration with `--config FILE`".to_owned()),
        ));
    }
    if hosts.is_empty()
        && (expect.is_some()
            || !expected_cidrs.is_empty()
            || private_zone.is_some()
            || server_name.is_some()
            || port.is_some()
            || protocol.is_some())
    {
        return Err(ConfigError::plain(
            "--expect, --expected-cidr, --private-zone, --server-name, --port and --protocol say \
             something of hosts on the command line, and there is none",
            Some("name the host, or write it in the configuration".to_owned()),
        ));
    }

    let raw = &mut parts.raw;
    let timeout = typed.one("--timeout", timeout.as_deref());
    let families = ipv4_only.then_some("-4").or(ipv6_only.then_some("-6"));
    let families = families.map(|flag| {
        let family = if flag == "-4" { "ipv4" } else { "ipv6" };
        let location = typed.line(flag, "");
        Spanned {
            value: vec![Spanned {
                value: family.into(),
                location,
            }],
            location,
        }
    });
    let ask = (*http || *no_http).then(|| Spanned::unspanned(*http && !*no_http));

    if !hosts.is_empty() {
        raw.targets = Some(targets(hosts, flags, &mut typed)?);
        raw.presets = None;
        parts.target_files.clear();
    }

    for target in raw.targets.iter_mut().flatten() {
        let target = &mut target.value;
        overwrite(&mut target.timeout, timeout.as_ref());
        overwrite(&mut target.address_families, families.as_ref());
        overwrite(&mut target.http, ask.as_ref());
    }
    overwrite(&mut raw.timeout, timeout.as_ref());
    overwrite(&mut raw.address_families, families.as_ref());
    if !ca_files.is_empty() {
        let files = typed.many("--ca-file", ca_files);
        let tls = raw.tls.get_or_insert_with(RawTls::default);
        tls.ca_files.get_or_insert_default().extend(files);
    }
    let private = typed.many("--classify-private", classify_private);
    let public = typed.many("--classify-public", classify_public);
    let classify = raw.classify.get_or_insert_with(RawClassify::default);
    classify.private.get_or_insert_default().extend(private);
    classify.public.get_or_insert_default().extend(public);
    if !resolvers.is_empty() {
        replace_resolvers(raw, resolvers, &mut typed)?;
    }
    parts.command_line = typed.source();
    Ok(())
}

/// The hosts as targets, each with everything the flags say of it.
fn targets(
    hosts: &[String],
    flags: &HostOptions,
    typed: &mut Typed,
) -> Result<Vec<Spanned<RawTarget>>, ConfigError> {
    // The global `expect` does not apply: a user who names a host nearly always means its private
    // endpoint.
    let expect = flags.expect.as_deref().unwrap_or("privateEndpoint");
    let port = flags
        .port
        .as_deref()
        .map(|port| typed.number("--port", port));
    let cidrs = &flags.expected_cidrs;
    let template = RawTarget {
        port: port.transpose()?,
        protocol: typed.one("--protocol", flags.protocol.as_deref()),
        expect: typed.one("--expect", Some(expect)),
        expected_cidrs: (!cidrs.is_empty()).then(|| typed.many("--expected-cidr", cidrs)),
        server_name: typed.one("--server-name", flags.server_name.as_deref()),
        private_zone: typed.one("--private-zone", flags.private_zone.as_deref()),
        ..RawTarget::default()
    };
    let mut targets = Vec::with_capacity(hosts.len());
    for host in hosts {
        let location = typed.line("", host);
        if duration::resembles(host) {
            return Err(typed.error(location, no_host(host)));
        }
        let host = Spanned {
            value: host.as_str().into(),
            location,
        };
        let value = RawTarget {
            host,
            ..template.clone()
        };
        targets.push(Spanned { value, location });
    }
    Ok(targets)
}

/// A duration where a host is expected.
fn no_host(text: &str) -> Diagnostic {
    Diagnostic::new(format!("{} is a duration, not a host", quoted(text))).help(format!(
        "for the time between two rounds write `--watch {text}`, for the budget of a probe \
         `--timeout {text}`"
    ))
}

fn overwrite<T: Clone>(field: &mut Option<T>, typed: Option<&T>) {
    if let Some(typed) = typed {
        *field = Some(typed.clone());
    }
}

/// Replaces every configured resolver by the servers of the command line. All targets are judged by
/// the first.
fn replace_resolvers(
    raw: &mut RawConfig,
    servers: &[String],
    typed: &mut Typed,
) -> Result<(), ConfigError> {
    let mut resolvers: Vec<Spanned<RawResolver>> = Vec::new();
    for text in servers {
        let location = typed.line("--resolver", text);
        let server =
            network::server(text).map_err(|diagnostic| typed.error(location, diagnostic))?;
        let first = resolvers.is_empty();
        let name = if first {
            "system".to_owned()
        } else {
            server.to_string()
        };
        let value = RawResolver {
            name: Spanned {
                value: NameText(name),
                location,
            },
            servers: Some(Spanned {
                value: vec![Spanned {
                    value: text.as_str().into(),
                    location,
                }],
                location,
            }),
            resolv_conf: None,
            servers_file: None,
            local_dns: None,
            must_agree: Some(!first),
            path_for: None,
        };
        resolvers.push(Spanned { value, location });
    }
    raw.resolvers = Some(resolvers);
    for target in raw.targets.iter_mut().flatten() {
        target.value.resolver = None;
    }
    Ok(())
}

/// The command line as a text with one flag per line, so that messages can show it.
#[derive(Debug, Default)]
struct Typed {
    text: String,
    lines: usize,
}

impl Typed {
    /// Adds a line; returns the location of `value` in it.
    fn line(&mut self, flag: &str, value: &str) -> Location {
        let shown: String = value
            .chars()
            .map(|c| if c == '\n' { ' ' } else { c })
            .collect();
        let separator = if flag.is_empty() || value.is_empty() {
            ""
        } else {
            " "
        };
        self.text += &format!("{flag}{separator}{shown}\n");
        self.lines += 1;
        Location {
            origin: Origin::CommandLine,
            line: self.lines,
            column: flag.chars().count() + separator.len() + 1,
            width: shown.chars().count(),
        }
    }

    fn one<T: for<'a> From<&'a str>>(
        &mut self,
        flag: &str,
        value: Option<&str>,
    ) -> Option<Spanned<T>> {
        let value = value?;
        Some(Spanned {
            location: self.line(flag, value),
            value: value.into(),
        })
    }

    fn many<T: for<'a> From<&'a str>>(&mut self, flag: &str, values: &[String]) -> Vec<Spanned<T>> {
        values
            .iter()
            .filter_map(|value| self.one(flag, Some(value)))
            .collect()
    }

    fn number(&mut self, flag: &str, value: &str) -> Result<Spanned<i64>, ConfigError> {
        let location = self.line(flag, value);
        match value.parse() {
            Ok(value) => Ok(Spanned { value, location }),
            Err(_) => Err(self.error(location, Diagnostic::new("expected a whole number"))),
        }
    }

    fn source(&self) -> SourceText {
        SourceText {
            name: "command line".to_owned(),
            text: self.text.as_str().into(),
        }
    }

    fn error(&self, location: Location, diagnostic: Diagnostic) -> ConfigError {
        ConfigError {
            problems: vec![Problem::new(&self.source(), location, diagnostic)],
        }
    }
}
