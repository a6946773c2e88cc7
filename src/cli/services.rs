//! Services: the catalogue, or what it knows of one service or host.

use std::io::{self, Write};

use clap::Args;
use privatelink_verdict::catalogue::privatelink_zone;
use privatelink_verdict::catalogue::{self, Cloud, Match, Service};
use serde_json::{Value, json};

use crate::cli::validate::Format;
use crate::cli::{EXIT_OK, Failure, table};
use privatelink_config;
use privatelink_config::diagnostic::quoted;
use privatelink_verdict::suggest::nearest;

/// Shows the catalogue of Azure services, or what it knows of one service or host: its private
/// zone, the record expected there, its ports.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:\n  \
    privatelink-prober services                            every suffix, with its private zone\n  \
    privatelink-prober services key-vault                  one service, in every cloud\n  \
    privatelink-prober services kv-prod.vault.azure.net    one host: its zone, record and ports\n  \
    privatelink-prober services -o json")]
pub struct ServicesArgs {
    /// A host or a service to look up, such as kv-prod.vault.azure.net or key-vault.
    #[arg(value_name = "HOST|SERVICE")]
    pub of: Option<String>,

    /// How to print it.
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t = Format::Table)]
    pub output: Format,
}

/// What the catalogue knows of one host.
#[derive(Debug)]
struct Known {
    host: String,
    found: Option<Match>,
    zone: Option<String>,
    /// The record in the zone, relative to it.
    record: Option<String>,
    private_only: bool,
    doubt: Option<(String, String)>,
}

/// Prints the catalogue, or what it knows of the service or host, on `out`. Returns the exit code.
pub fn run(args: &ServicesArgs, out: &mut dyn Write) -> Result<u8, Failure> {
    match args.of.as_deref() {
        None => match args.output {
            Format::Table => print_all(out)?,
            Format::Json => print_json(catalogue::services().iter(), out)?,
        },
        // No host of the catalogue is without a dot, and no service has one.
        Some(slug) if !slug.contains('.') => {
            let rows = called(slug)?;
            match args.output {
                Format::Table => print_rows(&rows, out)?,
                Format::Json => print_json(rows.into_iter(), out)?,
            }
        }
        Some(host) => {
            let known = Known::of(privatelink_config::host(host)?);
            match args.output {
                Format::Table => known.print(out)?,
                Format::Json => writeln!(out, "{:#}", known.as_json())?,
            }
        }
    }
    Ok(EXIT_OK)
}

/// What people call some services, which is no part of what the catalogue calls them.
const SHORT: [(&str, &str); 3] = [
    ("acr", "container-registry"),
    ("aks", "kubernetes-api"),
    ("kv", "key-vault"),
];

/// The services that `word` may stand for: by what people say, by a part of their names, by a slip.
fn meant(word: &str) -> Option<String> {
    let word = word.to_ascii_lowercase();
    let slugs = || catalogue::services().iter().map(|service| service.slug);
    if let Some((_, slug)) = SHORT.iter().find(|(short, _)| *short == word) {
        return Some((*slug).to_owned());
    }
    let parts: Vec<_> = word.split('-').filter(|part| part.len() > 2).collect();
    let begins = |label: &str| parts.iter().any(|part| label.starts_with(part));
    let mut alike: Vec<_> = slugs().filter(|slug| slug.split('-').any(begins)).collect();
    alike.sort_unstable();
    alike.dedup();
    if alike.is_empty() {
        return nearest(&word, slugs()).next().map(str::to_owned);
    }
    alike.truncate(8);
    Some(alike.join(", "))
}

/// The rows of the service called `slug`.
fn called(slug: &str) -> Result<Vec<&'static Service>, Failure> {
    let services = catalogue::services().iter();
    let rows: Vec<_> = services
        .clone()
        .filter(|service| service.slug.eq_ignore_ascii_case(slug))
        .collect();
    if !rows.is_empty() {
        return Ok(rows);
    }
    let hint = meant(slug).map_or_else(
        || "`services` lists them; a host is looked up by its full name".to_owned(),
        |meant| format!("did you mean {meant}?"),
    );
    Err(format!(
        "the catalogue has no service called {}; {hint}",
        quoted(slug)
    )
    .into())
}

impl Known {
    fn of(host: String) -> Self {
        let found = catalogue::lookup(&host);
        let private_only = catalogue::private_only_zone(&host).map(str::to_owned);
        let zone = private_only
            .clone()
            .or_else(|| found.as_ref().and_then(Match::private_zone));
        let record = zone
            .as_deref()
            .zip(found.as_ref())
            .map(|(zone, found)| record(&host, zone, &found.suffix));
        let doubt = catalogue::doubt(&host);
        Self {
            doubt: doubt.map(|doubt| (doubt.to_string(), doubt.instead().to_owned())),
            private_only: private_only.is_some(),
            host,
            found,
            zone,
            record,
        }
    }

    fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}", self.host)?;
        let mut line = |what: &str, value: String| writeln!(out, "  {what:<14} {value}");
        match &self.found {
            Some(found) => {
                let service = found.service;
                line("service", format!("{}: {}", service.slug, service.title))?;
                line("cloud", service.cloud.to_string())?;
                if self.zone.as_ref() != Some(&found.suffix) {
                    line("public suffix", found.suffix.clone())?;
                }
                line("ports", ports(service))?;
            }
            None => line("service", "custom: not in the catalogue".to_owned())?,
        }
        if let Some(zone) = &self.zone {
            line("private zone", zone.clone())?;
        }
        if let (Some(record), Some(zone)) = (&self.record, &self.zone) {
            line("record", format!("{record}  (that is {record}.{zone})"))?;
        }
        if self.private_only {
            line(
                "exists",
                "in the private zone only: NXDOMAIN wherever it is not linked".to_owned(),
            )?;
        }
        if let Some(notes) = self.found.as_ref().map(|found| found.service.notes)
            && !notes.is_empty()
        {
            line("note", notes.to_owned())?;
        }
        if let Some((doubt, _)) = &self.doubt {
            line("doubt", format!("it {doubt}"))?;
        }
        Ok(())
    }

    fn as_json(&self) -> Value {
        json!({
            "schemaVersion": 1,
            "host": self.host,
            "service": self.found.as_ref().map(|found| service(found.service)),
            "suffix": self.found.as_ref().map(|found| &found.suffix),
            "privateZone": self.zone,
            "record": self.record,
            "privateOnly": self.private_only,
            "doubt": self.doubt.as_ref().map(|(doubt, instead)| {
                json!({"detail": format!("it {doubt}"), "instead": instead})
            }),
        })
    }
}

/// The record's name relative to `zone`. Where the zone is `privatelink.` and a parent of the
/// suffix, the labels between them are part of the record: `reg.westeurope.data` in
/// `privatelink.azurecr.io`.
fn record(host: &str, zone: &str, suffix: &str) -> String {
    let parent = match privatelink_zone(zone) {
        Some(zone) => zone.split_once('.').map_or(zone, |(_, parent)| parent),
        None => zone,
    };
    let below = |ancestor: &str| {
        host.strip_suffix(ancestor)
            .and_then(|rest| rest.strip_suffix('.'))
    };
    below(zone)
        .or_else(|| below(parent))
        .or_else(|| below(suffix))
        .unwrap_or(host)
        .to_owned()
}

/// Every public suffix once, under the service that a host of it is taken for.
fn print_all(out: &mut dyn Write) -> io::Result<()> {
    for (index, cloud) in Cloud::ALL.iter().enumerate() {
        let mut rows: Vec<[String; 5]> = Vec::new();
        let in_cloud = || {
            catalogue::services()
                .iter()
                .filter(|row| row.cloud == *cloud)
        };
        for (service, suffix) in in_cloud().flat_map(|service| {
            service
                .suffixes
                .iter()
                .map(move |suffix| (service, *suffix))
        }) {
            let service = match decides(suffix) {
                Some(deciding) if deciding.slug != service.slug => continue,
                Some(deciding) => deciding,
                None => service,
            };
            if rows
                .iter()
                .any(|row| row[1] == suffix && row[0] == service.slug)
            {
                continue;
            }
            let mut also: Vec<&str> = in_cloud()
                .filter(|other| other.slug != service.slug && other.suffixes.contains(&suffix))
                .map(|other| other.slug)
                .collect();
            also.dedup();
            let zone = zone_of(service, suffix).unwrap_or_default();
            let zone = if zone == format!("privatelink.{suffix}") {
                "privatelink.…".to_owned()
            } else {
                zone
            };
            rows.push([
                service.slug.to_owned(),
                suffix.to_owned(),
                zone,
                numbers(service),
                also.join(", "),
            ]);
        }
        let gap = if index == 0 { "" } else { "\n" };
        writeln!(out, "{gap}Cloud: {cloud}")?;
        let head = ["SERVICE", "PUBLIC SUFFIX", "PRIVATE ZONE", "PORTS", "ALSO"];
        table::write(out, head, &rows)?;
    }
    writeln!(
        out,
        "\n`privatelink.…` is the public suffix with `privatelink.` before it. The first port is the one \
         that is probed.\n`services SERVICE` shows one service in full, `-o json` all of them."
    )
}

/// The row that a host of this suffix is taken for.
fn decides(suffix: &str) -> Option<&'static Service> {
    catalogue::lookup(&format!("a.{suffix}")).map(|found| found.service)
}

/// The private zone of a suffix; placeholders stand for themselves.
fn zone_of(service: &'static Service, suffix: &str) -> Option<String> {
    let suffix = suffix.to_owned();
    Match { service, suffix }.private_zone()
}

/// Every row of one service, in full.
fn print_rows(rows: &[&Service], out: &mut dyn Write) -> io::Result<()> {
    for (index, service) in rows.iter().enumerate() {
        let gap = if index == 0 { "" } else { "\n" };
        writeln!(
            out,
            "{gap}{}: {} ({})",
            service.slug, service.title, service.cloud
        )?;
        for (what, value) in [
            ("public suffix", service.suffixes.join(", ")),
            ("private zone", service.private_zones.join(", ")),
            ("private only", service.private_only.join(", ")),
            ("ports", ports(service)),
            ("group ids", service.subresources.join(", ")),
            ("resource", service.resource_type.to_owned()),
            ("note", service.notes.to_owned()),
        ] {
            if !value.is_empty() {
                writeln!(out, "  {what:<14} {value}")?;
            }
        }
    }
    Ok(())
}

fn print_json<'a>(rows: impl Iterator<Item = &'a Service>, out: &mut dyn Write) -> io::Result<()> {
    let services: Value = rows.map(service).collect();
    writeln!(
        out,
        "{:#}",
        json!({"schemaVersion": 1, "services": services})
    )
}

/// The numbers alone, the one that is probed first.
fn numbers(service: &Service) -> String {
    let numbers = service.ports.iter().map(|port| port.number.to_string());
    numbers.collect::<Vec<_>>().join(" ")
}

fn ports(service: &Service) -> String {
    let ports: Vec<String> = service
        .ports
        .iter()
        .map(|port| format!("{}/{}", port.number, port.protocol))
        .collect();
    ports.join(" ")
}

fn service(service: &Service) -> Value {
    let ports = service.ports.iter();
    json!({
        "slug": service.slug,
        "cloud": service.cloud.as_str(),
        "title": service.title,
        "resourceType": service.resource_type,
        "groupIds": service.subresources,
        "suffixes": service.suffixes,
        "privateZones": service.private_zones,
        "privateOnlyZones": service.private_only,
        "ports": ports
            .map(|port| json!({"port": port.number, "protocol": port.protocol.as_str()}))
            .collect::<Vec<_>>(),
        "notes": service.notes,
    })
}

#[cfg(test)]
mod tests;
