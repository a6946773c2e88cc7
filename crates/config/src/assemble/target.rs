//! Target: one written target, checked, defaulted and expanded.

use std::time::Duration;

use privatelink_verdict::address::{Overrides, Rules};
use privatelink_verdict::catalogue::{self, Match, Usage};
use privatelink_verdict::target::{Expectation, Protocol, Source as Declared, Target};

use crate::assemble::resolvers::bad_name;
use crate::assemble::{Globals, admit, shown, values};
use crate::problem::{Complaint, Problems, quoted};
use crate::raw::RawTarget;
use crate::text::{self, CidrText, HostText};
use crate::written::{Origin, Place, Written};
use crate::{host, network};
use privatelink_verdict::sanitize::acts;

/// The shortest interval for `MySQL`: every handshake cut short counts towards
/// `max_connect_errors`, after which the server blocks the whole host.
const MYSQL_INTERVAL: Duration = Duration::from_mins(5);

/// The shortest interval for `PostgreSQL` that is not written at the target: the server starts a
/// process for every probe.
const POSTGRES_INTERVAL: Duration = Duration::from_mins(1);

/// Longest owner: a label value that stays readable.
const LONGEST_OWNER: usize = 128;

/// What one written target becomes: itself, and the data endpoints of its regions.
#[derive(Debug)]
pub(super) struct Group {
    /// The name as written.
    pub(super) name: Option<String>,
    /// The host, for messages and for the default name.
    pub(super) host: String,
    /// Where its name is written, or else its host.
    pub(super) place: Place,
    /// The targets, not named yet; with the region for a data endpoint. The target itself first.
    pub(super) members: Vec<(Option<String>, Target)>,
}

/// Reads one target. `None`: errors were noted.
pub(super) fn read(
    raw: &Written<RawTarget>,
    (declared, usage): (Declared, Option<Usage>),
    globals: &Globals,
    problems: &mut Problems<'_>,
) -> Option<Group> {
    let raw = &raw.value;
    let place = raw.name.as_ref().map_or(raw.host.place, |name| name.place);
    let before = problems.errors.len();
    let host = problems.check(raw.host.place, host::parse(&raw.host.value.0));
    let known = host.as_deref().and_then(catalogue::lookup);
    if let (Some(host), Declared::Config) = (&host, declared) {
        doubt(host, raw.host.place, problems);
    }
    let name = raw.name.as_ref().map(|name| &name.value.0);
    if let (Some(written), Some(name)) = (&raw.name, name)
        && !text::is_name(name)
    {
        problems.error(written.place, bad_name(name));
    }
    let (port, protocol) = endpoint(raw, known.as_ref(), problems);
    let (mut interval, timeout) = pace(raw, (declared, protocol), globals, problems);
    // Any connection counts, so a written `tcp` is no way around it.
    let listed = known.as_ref().map(|known| known.service.ports.iter());
    let is_mysql = protocol == Protocol::Mysql
        || listed.is_some_and(|mut ports| {
            ports.any(|listed| listed.number == port && listed.protocol == Protocol::Mysql)
        });
    if let Some(written) = &raw.protocol
        && is_mysql
        && interval < MYSQL_INTERVAL
    {
        if written.place.origin == Origin::CommandLine {
            // There no interval can be written, and `check` probes once.
            interval = MYSQL_INTERVAL;
        } else {
            let place = raw.interval.as_ref().map_or(written.place, |own| own.place);
            problems.error(place, too_often_for_mysql(interval));
        }
    }
    let rules = rules(raw, globals, problems);
    doubt_expected(
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
        source: declared,
        expect: values::expectation(raw.expect.as_ref(), problems).unwrap_or(match declared {
            Declared::Config | Declared::Crd => globals.expect,
            Declared::Discovered => Expectation::Auto,
        }),
        rules,
        families: values::families(raw.address_families.as_ref(), problems)
            .unwrap_or_else(|| globals.families.clone()),
        resolver: globals
            .resolvers
            .path(raw.resolver.as_ref(), usage, problems),
        interval,
        timeout,
        server_name: name_like(raw.server_name.as_ref(), "serverName", problems)
            .or_else(|| host.clone())
            .unwrap_or_default(),
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
    };
    let mut members = vec![(None, target)];
    for region in raw.data_regions.iter().flatten() {
        if let Some(endpoint) =
            data_endpoint(&members[0].1, &region.value.0, region.place, problems)
        {
            members.push((Some(region.value.0.to_ascii_lowercase()), endpoint));
        }
    }
    (problems.errors.len() == before).then(|| Group {
        name: name.cloned(),
        host: host.unwrap_or_default(),
        place,
        members,
    })
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
                    written.place,
                    Complaint::new(format!(
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

/// Interval and timeout, and whether they go together.
fn pace(
    raw: &RawTarget,
    (declared, protocol): (Declared, Protocol),
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
    if declared != Declared::Config {
        return admit::pace((interval, timeout), (usual, globals.timeout), problems);
    }
    if let (Some(place), Some(interval)) = (&raw.interval, written)
        && interval < globals.limits.min_interval
    {
        problems.error(
            place.place,
            values::below_minimum(interval, &globals.limits),
        );
    }
    let own = raw.interval.as_ref().or(raw.timeout.as_ref());
    if let Some(own) = own
        && own.place.origin == Origin::File
        && interval < timeout
    {
        problems.warning(own.place, values::shorter_than_timeout(interval, timeout));
    }
    (interval, timeout)
}

fn too_often_for_mysql(interval: Duration) -> Complaint {
    Complaint::new(format!(
        "the interval {} is too short for MySQL: the server counts every probe as a failed \
         connection, and ends up blocking the node",
        shown(interval)
    ))
    .help("write `interval: 5m` or longer at this target; without `protocol` it is judged on DNS alone")
}

fn rules(raw: &RawTarget, globals: &Globals, problems: &mut Problems<'_>) -> Rules {
    let target = match &raw.classify {
        Some(classify) => values::classify(Some(classify), problems),
        None => Overrides::default(),
    };
    let expected = match &raw.expected_cidrs {
        Some(own) => values::networks(Some(own), problems),
        None => globals.expected.clone(),
    };
    Rules {
        denied: globals.denied.clone(),
        target,
        global: globals.classify.clone(),
        expected,
    }
}

fn name_like(
    written: Option<&Written<HostText>>,
    what: &str,
    problems: &mut Problems<'_>,
) -> Option<String> {
    let written = written?;
    let name = host::parse(&written.value.0).map_err(|complaint| Complaint {
        message: format!("{what}: {}", complaint.message),
        ..complaint
    });
    problems.check(written.place, name)
}

fn owner(raw: &RawTarget, problems: &mut Problems<'_>) -> Option<String> {
    let written = raw.owner.as_ref()?;
    let owner = written.value.trim();
    if owner.is_empty() || owner.len() > LONGEST_OWNER || owner.chars().any(acts) {
        problems.error(
            written.place,
            Complaint::new(format!("{} cannot be an owner", quoted(&written.value))).help(format!(
                "write 1 to {LONGEST_OWNER} printable characters: it becomes a metric label"
            )),
        );
        return None;
    }
    Some(owner.to_owned())
}

/// The target of a registry's data endpoint: like the login server, but nothing is known to be
/// answered there without a login.
fn data_endpoint(
    login: &Target,
    region: &str,
    place: Place,
    problems: &mut Problems<'_>,
) -> Option<Target> {
    if login.host.is_empty() {
        return None;
    }
    let host = catalogue::data_endpoint(&login.host, region);
    let Some(host) = host.and_then(|host| host::parse(&host).ok()) else {
        let complaint = if catalogue::data_endpoint(&login.host, "westeurope").is_some() {
            Complaint::new(format!("{} is not the name of a region", quoted(region)))
                .help("write it as Azure's tools do: `westeurope`, not `West Europe`")
        } else {
            Complaint::new(format!(
                "dataRegions is for container registries, which {} is not",
                quoted(&login.host)
            ))
            .help("write it at the target of the login server, `<registry>.azurecr.io`")
        };
        problems.error(place, complaint);
        return None;
    };
    Some(Target {
        service: catalogue::lookup(&host).map(|known| known.service),
        server_name: host.clone(),
        host,
        http: false,
        ..login.clone()
    })
}

/// Says what makes the host look like a mistake.
fn doubt(host: &str, place: Place, problems: &mut Problems<'_>) {
    if let Some(doubt) = catalogue::doubt(host) {
        problems.warning(
            place,
            Complaint::new(format!("the host {} {doubt}", quoted(host))),
        );
    }
}

/// Warns of expected networks in which no address would ever be dialled.
pub(super) fn doubt_expected(
    networks: &[Written<CidrText>],
    rules: &Rules,
    problems: &mut Problems<'_>,
) {
    for written in networks {
        let Ok(net) = network::cidr(&written.value.0) else {
            continue;
        };
        if rules.denied.iter().any(|denied| denied.contains(&net)) {
            problems.warning(
                written.place,
                Complaint::new(format!(
                    "the expected network `{net}` lies in deniedCidrs: its addresses are never dialled"
                )),
            );
        } else if !rules.may_dial(net.network()) {
            problems.warning(
                written.place,
                Complaint::new(format!(
                    "the expected network `{net}` starts in a reserved range: reserved addresses \
                     are never dialled"
                ))
                .help("if it is meant, name it under `classify.private` too"),
            );
        }
    }
}
