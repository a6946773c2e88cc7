//! Target: reads one target: checks it, fills in the defaults, adds its data endpoints.

use std::sync::Arc;
use std::time::Duration;

use privatelink_verdict::address::{Overrides, Rules};
use privatelink_verdict::catalogue::{self, Match, Usage};
use privatelink_verdict::sanitize::acts;
use privatelink_verdict::target::{Expectation, Protocol, Source, Target};

use crate::assemble::globals::Globals;
use crate::assemble::resolvers::bad_name;
use crate::assemble::{admit, values};
use crate::diagnostic::{Diagnostic, quoted};
use crate::problems::Problems;
use crate::raw::RawTarget;
use crate::spanned::{Location, Origin, Spanned};
use crate::text::{self, DurationText, HostText};
use crate::{duration, host};

/// The shortest interval for `MySQL`: the server counts every handshake that the probe ends, and at
/// `max_connect_errors` it blocks the node.
const MYSQL_INTERVAL: Duration = Duration::from_mins(5);

/// The shortest interval for `PostgreSQL` unless the target has an interval of its own: the server
/// starts a process for every probe.
const POSTGRES_INTERVAL: Duration = Duration::from_mins(1);

/// One target as written: the target itself, and a target for each data endpoint of its regions.
#[derive(Debug)]
pub(super) struct Group {
    /// Its name, where it has one.
    pub(super) name: Option<String>,
    /// Its host, for messages and for the default name.
    pub(super) host: String,
    /// Where its name is written, or else its host.
    pub(super) location: Location,
    /// The targets, without names yet; a data endpoint has its region. The target itself is first.
    pub(super) members: Vec<(Option<String>, Target)>,
}

/// Reads one target. `None`: errors were added.
pub(super) fn read(
    raw: &Spanned<RawTarget>,
    (source, usage): (Source, Option<Usage>),
    globals: &Globals,
    problems: &mut Problems<'_>,
) -> Option<Group> {
    let raw = &raw.value;
    let location = raw
        .name
        .as_ref()
        .map_or(raw.host.location, |name| name.location);
    let before = problems.errors.len();
    let host = problems.check(raw.host.location, host::parse(&raw.host.value.0));
    let known = host.as_deref().and_then(catalogue::lookup);
    if let (Some(host), Source::Config) = (&host, source) {
        doubt(host, raw.host.location, problems);
    }
    let name = raw.name.as_ref().map(|name| &name.value.0);
    if let (Some(written), Some(name)) = (&raw.name, name)
        && !text::is_name(name)
    {
        problems.error(written.location, bad_name(name));
    }
    let (port, protocol) = endpoint(raw, known.as_ref(), problems);
    let (mut interval, timeout) = pace(raw, (source, protocol), globals, problems);
    let is_mysql = protocol == Protocol::Mysql || is_listed_mysql(known.as_ref(), port);
    if let Some(written) = &raw.protocol
        && is_mysql
    {
        interval = mysql_interval(interval, raw.interval.as_ref(), written.location, problems);
    }
    let rules = rules(raw, globals, problems);
    values::doubt_expected(
        raw.expected_cidrs.as_deref().unwrap_or_default(),
        &rules,
        problems,
    );
    let usage = usage.or_else(|| known.as_ref().and_then(|known| known.service.usage));
    let target = Target {
        name: String::new(),
        host: host.clone().unwrap_or_default(),
        port,
        protocol,
        dns_only: is_mysql && raw.protocol.is_none(),
        service: known.as_ref().map(|known| known.service),
        source,
        expect: values::expectation(raw.expect.as_ref(), problems).unwrap_or(match source {
            Source::Config | Source::Crd => globals.expect,
            Source::Discovered => Expectation::Auto,
        }),
        rules,
        families: values::families(raw.address_families.as_ref(), problems)
            .unwrap_or(globals.families),
        resolver: globals
            .resolvers
            .path(raw.resolver.as_ref(), usage, problems),
        interval,
        timeout,
        server_name: name_like(raw.server_name.as_ref(), "serverName", problems)
            .filter(|name| Some(name) != host.as_ref())
            .map(String::into_boxed_str),
        http: raw.http.as_ref().map_or_else(
            || {
                port == 443
                    && known
                        .as_ref()
                        .is_some_and(|known| known.service.is_asked_by_default(&known.suffix))
            },
            |http| http.value,
        ),
        private_zone: name_like(raw.private_zone.as_ref(), "privateZone", problems),
        expiry_warning: globals.expiry_warning,
        companions: raw
            .same_service
            .iter()
            .flatten()
            .map(|name| name.value.0.clone())
            .collect(),
        owner: owner(raw, problems),
        users: None,
    };
    if let Some(written) = raw.http.as_ref().filter(|http| http.value)
        && !target.is_asked()
    {
        problems.warning(written.location, nothing_to_ask(&target));
    }
    let mut members = vec![(None, target)];
    for region in raw.data_regions.iter().flatten() {
        if let Some(endpoint) =
            data_endpoint(&members[0].1, &region.value.0, region.location, problems)
        {
            members.push((Some(region.value.0.to_ascii_lowercase()), endpoint));
        }
    }
    (problems.errors.len() == before).then(|| Group {
        name: name.cloned(),
        host: host.unwrap_or_default(),
        location,
        members,
    })
}

fn nothing_to_ask(target: &Target) -> Diagnostic {
    let why = match target.evidence() {
        Some(_) => "`protocol: tcp` has no TLS to ask over",
        None => "the catalogue knows nothing that it answers before login",
    };
    Diagnostic::new(format!(
        "`http: true` does nothing for {}: {why}",
        target.host
    ))
}

/// Port and protocol: what is written, else what the catalogue says of the host.
fn endpoint(
    raw: &RawTarget,
    known: Option<&Match>,
    problems: &mut Problems<'_>,
) -> (u16, Protocol) {
    let ports = known.map_or(&[][..], |known| &known.service.ports);
    let default = ports.first();
    let port = raw.port.as_ref().map(|written| {
        u16::try_from(written.value)
            .ok()
            .filter(|port| *port != 0)
            .unwrap_or_else(|| {
                problems.error(
                    written.location,
                    Diagnostic::new(format!(
                        "the port {} is not between 1 and 65535",
                        written.value
                    )),
                );
                443
            })
    });
    let port = port.or(default.map(|port| port.number)).unwrap_or(443);
    let protocol = values::protocol(raw.protocol.as_ref(), problems).unwrap_or_else(|| {
        ports
            .iter()
            .find(|listed| listed.number == port)
            .or(default)
            .map_or(Protocol::Tls, |listed| listed.protocol)
    });
    (port, protocol)
}

/// Interval and timeout.
fn pace(
    raw: &RawTarget,
    (source, protocol): (Source, Protocol),
    globals: &Globals,
    problems: &mut Problems<'_>,
) -> (Duration, Duration) {
    let written = values::interval(raw.interval.as_ref(), problems);
    let usual = match protocol {
        Protocol::Postgres => globals.interval.max(POSTGRES_INTERVAL),
        _ => globals.interval,
    };
    let interval = written.unwrap_or(usual);
    let timeout = values::timeout(raw.timeout.as_ref(), problems).unwrap_or(globals.timeout);
    if source != Source::Config {
        return admit::pace((interval, timeout), (usual, globals.timeout), problems);
    }
    if let (Some(location), Some(interval)) = (&raw.interval, written)
        && interval < globals.limits.min_interval
    {
        problems.error(
            location.location,
            values::below_minimum(interval, &globals.limits),
        );
    }
    let own = raw.interval.as_ref().or(raw.timeout.as_ref());
    if let Some(own) = own
        && own.location.origin != Origin::CommandLine
        && interval < timeout
    {
        problems.warning(
            own.location,
            values::shorter_than_timeout(interval, timeout),
        );
    }
    (interval, timeout)
}

/// Whether the catalogue lists the port for `MySQL`. The server counts plain TCP connections too, so
/// `protocol: tcp` needs the same interval.
fn is_listed_mysql(known: Option<&Match>, port: u16) -> bool {
    known.is_some_and(|known| {
        let mut ports = known.service.ports.iter();
        ports.any(|listed| listed.number == port && listed.protocol == Protocol::Mysql)
    })
}

/// An error where the interval is too short for `MySQL`, except for `check`, which has no flag for the
/// interval and probes once.
fn mysql_interval(
    interval: Duration,
    written: Option<&Spanned<DurationText>>,
    protocol: Location,
    problems: &mut Problems<'_>,
) -> Duration {
    if interval >= MYSQL_INTERVAL {
        return interval;
    }
    if protocol.origin == Origin::CommandLine {
        return MYSQL_INTERVAL;
    }
    let location = written.map_or(protocol, |written| written.location);
    problems.error(location, too_often_for_mysql(interval));
    interval
}

fn too_often_for_mysql(interval: Duration) -> Diagnostic {
    Diagnostic::new(format!(
        "the interval {} is too short for MySQL: the server counts every probe as a failed \
         connection, and ends up blocking the node",
        duration::quoted(interval)
    ))
    .help("write `interval: 5m` or longer at this target; without `protocol` it is judged on DNS alone")
}

fn rules(raw: &RawTarget, globals: &Globals, problems: &mut Problems<'_>) -> Arc<Rules> {
    if raw.classify.is_none() && raw.expected_cidrs.is_none() {
        return Arc::clone(&globals.rules);
    }
    let target = match &raw.classify {
        Some(classify) => values::classify(Some(classify), problems),
        None => Overrides::default(),
    };
    let expected = match &raw.expected_cidrs {
        Some(own) => values::networks(Some(own), problems),
        None => globals.rules.expected.clone(),
    };
    Arc::new(Rules {
        target,
        expected,
        ..(*globals.rules).clone()
    })
}

fn name_like(
    written: Option<&Spanned<HostText>>,
    what: &str,
    problems: &mut Problems<'_>,
) -> Option<String> {
    let written = written?;
    let name = host::parse(&written.value.0).map_err(|diagnostic| Diagnostic {
        message: format!("{what}: {}", diagnostic.message),
        ..diagnostic
    });
    problems.check(written.location, name)
}

fn owner(raw: &RawTarget, problems: &mut Problems<'_>) -> Option<String> {
    let written = raw.owner.as_ref()?;
    let owner = written.value.trim();
    if owner.is_empty() || owner.len() > Target::LONGEST_OWNER || owner.chars().any(acts) {
        problems.error(
            written.location,
            Diagnostic::new(format!("{} cannot be an owner", quoted(&written.value))).help(
                format!(
                    "write 1 to {} printable characters: it becomes a metric label",
                    Target::LONGEST_OWNER
                ),
            ),
        );
        return None;
    }
    Some(owner.to_owned())
}

/// The target of a registry's data endpoint: as the login server's, but without a request for
/// evidence, since no request without a login has a known answer there.
fn data_endpoint(
    login: &Target,
    region: &str,
    location: Location,
    problems: &mut Problems<'_>,
) -> Option<Target> {
    if login.host.is_empty() {
        return None;
    }
    let host = catalogue::data_endpoint(&login.host, region);
    let Some(host) = host.and_then(|host| host::parse(&host).ok()) else {
        let diagnostic = if catalogue::data_endpoint(&login.host, "westeurope").is_some() {
            Diagnostic::new(format!("{} is not the name of a region", quoted(region)))
                .help("write it as Azure's tools do: `westeurope`, not `West Europe`")
        } else {
            Diagnostic::new(format!(
                "dataRegions is for container registries, which {} is not",
                quoted(&login.host)
            ))
            .help("write it at the target of the login server, `<registry>.azurecr.io`")
        };
        problems.error(location, diagnostic);
        return None;
    };
    Some(Target {
        service: catalogue::lookup(&host).map(|known| known.service),
        server_name: None,
        host,
        http: false,
        ..login.clone()
    })
}

/// Warns where the host looks like a mistake.
fn doubt(host: &str, location: Location, problems: &mut Problems<'_>) {
    // In a file a name of the cluster may be meant, which the search list of resolv.conf completes.
    if location.origin == Origin::CommandLine && !host.contains('.') && host != "localhost" {
        let help = format!(
            "write the name that applications use, such as `{host}.vault.azure.net`; `services` lists \
             the suffixes"
        );
        problems.warning(
            location,
            Diagnostic::new(format!(
                "{} is no full name: it has no dot, so what it resolves to depends on the search \
                 list of this machine",
                quoted(host)
            ))
            .help(help),
        );
    }
    if let Some(doubt) = catalogue::doubt(host) {
        problems.warning(
            location,
            Diagnostic::new(format!("the host {} {doubt}", quoted(host))),
        );
    }
}
