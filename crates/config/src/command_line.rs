//! Command line: what is typed after `check`, as if it had been written in a configuration.

use crate::assemble::Parts;
use crate::network;
use crate::problem::{Complaint, ConfigError, Problems, Source};
use crate::raw::{RawClassify, RawConfig, RawResolver, RawTarget, RawTls};
use crate::text::NameText;
use crate::written::{Origin, Place, Written};

/// What may be said of the hosts of `check`, as text: values are read as those of a file are.
#[derive(Clone, Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch that is typed by itself"
)]
pub struct HostOptions {
    /// DNS servers to ask in place of the configured resolvers, the first one judged.
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

/// Puts the hosts and flags into `parts`. With hosts, the configuration's targets and later files
/// are left out; without, only what concerns every target may be said.
pub(super) fn apply(
    hosts: &[String],
    flags: &HostOptions,
    parts: &mut Parts,
) -> Result<(), ConfigError> {
    let mut typed = Typed::default();
    // Exhaustive: a new flag must be put to use here.
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

    let configured = !parts.file.name.is_empty();
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
        let place = typed.line(flag, "");
        Written {
            value: vec![Written {
                value: family.into(),
                place,
            }],
            place,
        }
    });
    let ask = (*http || *no_http).then(|| Written::nowhere(*http && !*no_http));

    if !hosts.is_empty() {
        raw.targets = Some(targets(hosts, flags, &mut typed)?);
        raw.presets = None;
        parts.later.clear();
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
    parts.command_line = typed.source;
    Ok(())
}

/// The hosts as targets, each with everything the flags say of it.
fn targets(
    hosts: &[String],
    flags: &HostOptions,
    typed: &mut Typed,
) -> Result<Vec<Written<RawTarget>>, ConfigError> {
    // Not the configuration's default: the question at the prompt is nearly always this one.
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
        ..RawTarget::of_host(Written::nowhere("".into()))
    };
    let mut targets = Vec::with_capacity(hosts.len());
    for host in hosts {
        let place = typed.line("", host);
        let host = Written {
            value: host.as_str().into(),
            place,
        };
        let value = RawTarget {
            host,
            ..template.clone()
        };
        targets.push(Written { value, place });
    }
    Ok(targets)
}

fn overwrite<T: Clone>(field: &mut Option<T>, typed: Option<&T>) {
    if let Some(typed) = typed {
        *field = Some(typed.clone());
    }
}

/// The typed servers instead of every configured resolver: the first is judged, whatever path a
/// target had.
fn replace_resolvers(
    raw: &mut RawConfig,
    servers: &[String],
    typed: &mut Typed,
) -> Result<(), ConfigError> {
    let mut resolvers: Vec<Written<RawResolver>> = Vec::new();
    for text in servers {
        let place = typed.line("--resolver", text);
        let server = network::server(text).map_err(|complaint| typed.error(place, complaint))?;
        let first = resolvers.is_empty();
        let name = if first {
            "system".to_owned()
        } else {
            server.to_string()
        };
        let value = RawResolver {
            name: Written {
                value: NameText(name),
                place,
            },
            servers: Some(Written {
                value: vec![Written {
                    value: text.as_str().into(),
                    place,
                }],
                place,
            }),
            resolv_conf: None,
            must_agree: Some(!first),
            path_for: None,
        };
        resolvers.push(Written { value, place });
    }
    raw.resolvers = Some(resolvers);
    for target in raw.targets.iter_mut().flatten() {
        target.value.resolver = None;
    }
    Ok(())
}

/// The command line as a text, one flag to a line, so that messages can show it.
#[derive(Debug, Default)]
struct Typed {
    source: Source,
    lines: usize,
}

impl Typed {
    /// Adds a line; returns the place of `value` in it.
    fn line(&mut self, flag: &str, value: &str) -> Place {
        "command line".clone_into(&mut self.source.name);
        let shown: String = value
            .chars()
            .map(|c| if c == '\n' { ' ' } else { c })
            .collect();
        let separator = if flag.is_empty() || value.is_empty() {
            ""
        } else {
            " "
        };
        self.source.text += &format!("{flag}{separator}{shown}\n");
        self.lines += 1;
        Place {
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
    ) -> Option<Written<T>> {
        let value = value?;
        Some(Written {
            place: self.line(flag, value),
            value: value.into(),
        })
    }

    fn many<T: for<'a> From<&'a str>>(&mut self, flag: &str, values: &[String]) -> Vec<Written<T>> {
        values
            .iter()
            .filter_map(|value| self.one(flag, Some(value)))
            .collect()
    }

    fn number(&mut self, flag: &str, value: &str) -> Result<Written<i64>, ConfigError> {
        let place = self.line(flag, value);
        match value.parse() {
            Ok(value) => Ok(Written { value, place }),
            Err(_) => Err(self.error(place, Complaint::new("expected a whole number"))),
        }
    }

    fn error(&self, place: Place, complaint: Complaint) -> ConfigError {
        let nothing = Source::default();
        let mut problems = Problems::new(&nothing, &self.source);
        problems.error(place, complaint);
        ConfigError {
            problems: problems.errors,
        }
    }
}
