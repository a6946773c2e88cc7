//! Services: the catalogue, or what it knows of one service or host.

mod search;

use std::io::{self, Write};

use clap::Args;
use privatelink_verdict::catalogue::{self, Cloud, Match, Service};
use serde_json::{Value, json};

use crate::cli::validate::Format;
use crate::cli::{EXIT_OK, Failure, table};
use privatelink_config;
use privatelink_config::diagnostic::quoted;
use privatelink_verdict::suggest::did_you_mean;

/// Shows the catalogue of Azure services, or what it knows of one service or host: its private
/// zone, the record expected there, its ports.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:\n  \
    privatelink-prober services                            every suffix, with its private zone\n  \
    privatelink-prober services key-vault                  one service, in every cloud\n  \
    privatelink-prober services openai                     by what people call it\n  \
    privatelink-prober services vault.azure.net            by its suffix or private zone\n  \
    privatelink-prober services kv-prod.vault.azure.net    one host: its zone, record and ports\n  \
    privatelink-prober services -o json")]
pub struct ServicesArgs {
    /// What to look up: a host, a service by any of its names, a suffix or a private zone.
    #[arg(value_name = "HOST|SERVICE|SUFFIX")]
    pub of: Vec<String>,

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
    /// The port of a managed instance's public endpoint, where the host is one.
    public_port: Option<u16>,
    doubt: Option<(String, String)>,
}

/// Prints the catalogue, or what it knows of the service or host, on `out`. Returns the exit code.
pub fn run(args: &ServicesArgs, out: &mut dyn Write) -> Result<u8, Failure> {
    let words = args.of.join(" ");
    match words.as_str() {
        "" => match args.output {
            Format::Table => print_all(out)?,
            Format::Json => print_json(catalogue::services().iter(), out)?,
        },
        // A host of the catalogue has a label before a suffix.
        words if !words.contains('.') || search::is_suffix(words) => {
            print_found(words, args.output, out)?;
        }
        host => {
            let known = Known::of(privatelink_config::host(host)?);
            match args.output {
                Format::Table => known.print(out)?,
                Format::Json => writeln!(out, "{:#}", known.as_json())?,
            }
        }
    }
    Ok(EXIT_OK)
}

/// The most services that are named beside the one that is shown.
const NAMED: usize = 8;

/// Prints the service that `words` probably stand for, and names the others that they may.
fn print_found(words: &str, output: Format, out: &mut dyn Write) -> Result<(), Failure> {
    let slugs = search::slugs(words);
    let Some((best, others)) = slugs.split_first() else {
        let known = catalogue::services().iter().map(|service| service.slug);
        let hint = did_you_mean(words, known).unwrap_or_else(|| {
            "`services` lists them, and finds a host by its full name".to_owned()
        });
        let words = quoted(words);
        return Err(format!("the catalogue has no service called {words}; {hint}").into());
    };
    let rows = |slug: &'static str| {
        let services = catalogue::services().iter();
        services.filter(move |service| service.slug == slug)
    };
    if output == Format::Json {
        return Ok(print_json(slugs.iter().flat_map(|slug| rows(slug)), out)?);
    }
    print_rows(&rows(best).collect::<Vec<_>>(), out)?;
    if !others.is_empty() {
        let mut named = others
            .iter()
            .take(NAMED)
            .copied()
            .collect::<Vec<_>>()
            .join(", ");
        if others.len() > NAMED {
            named.push_str(&format!(" and {} more", others.len() - NAMED));
        }
        writeln!(
            out,
            "\nIt may also be {named}; `services SERVICE` shows one."
        )?;
    }
    Ok(())
}

impl Known {
    fn of(host: String) -> Self {
        let found = catalogue::lookup(&host);
        let private_only = catalogue::private_only_zone(&host).map(str::to_owned);
        let public_port = found.as_ref().and_then(|found| public_port(&host, found));
        let zone = private_only
            .clone()
            .or_else(|| found.as_ref().and_then(Match::private_zone))
            .filter(|_| public_port.is_none());
        let record = zone
            .as_deref()
            .zip(found.as_ref())
            .and_then(|(zone, found)| record(&host, zone, found.service, &found.suffix));
        let doubt = catalogue::doubt(&host);
        Self {
            doubt: doubt.map(|doubt| (doubt.to_string(), doubt.instead().to_owned())),
            private_only: private_only.is_some(),
            public_port,
            host,
            found,
            zone,
            record,
        }
    }

    fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}", self.host)?;
        let mut line = |what: &str, value: String| writeln!(out, "  {what:<15} {value}");
        match &self.found {
            Some(found) => {
                let service = found.service;
                line("service", format!("{}: {}", service.slug, service.title))?;
                line("cloud", service.cloud.to_string())?;
                if self.zone.as_ref() != Some(&found.suffix) {
                    line("public suffix", found.suffix.clone())?;
                }
                line(
                    "ports",
                    self.public_port
                        .map_or_else(|| ports(service), |port| format!("{port}/tds")),
                )?;
            }
            None => match catalogue::sharing(&self.host) {
                Some(service) => {
                    line("service", format!("{}: {}", service.slug, service.title))?;
                    line(
                        "shared",
                        "by resources of many owners: no private endpoint serves it; use the name of \
                         the resource itself"
                            .to_owned(),
                    )?;
                }
                None => line("service", "custom: not in the catalogue".to_owned())?,
            },
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
        if let Some(port) = self.public_port {
            line("exists", PUBLIC_ENDPOINT.to_owned())?;
            line(
                "check",
                format!(
                    "privatelink-prober check {} --port {port} --expect public",
                    self.host
                ),
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
            "publicPort": self.public_port,
            "doubt": self.doubt.as_ref().map(|(doubt, instead)| {
                json!({"detail": format!("it {doubt}"), "instead": instead})
            }),
        })
    }
}

/// The port of a managed instance's public endpoint (azure-docs, "Use Azure SQL Managed Instance securely
/// with public endpoints").
const PUBLIC_PORT: u16 = 3342;

/// What such a host is.
const PUBLIC_ENDPOINT: &str =
    "as the public endpoint of the instance: no private zone has a record of it";

/// The port of a managed instance's public endpoint, `NAME.public.DNSPREFIX.database.windows.net`; `None`
/// for every other host.
fn public_port(host: &str, found: &Match) -> Option<u16> {
    let name = host.strip_suffix(found.suffix.as_str())?;
    let is_public = found.service.slug == MANAGED_INSTANCE && name.ends_with(".public.");
    is_public.then_some(PUBLIC_PORT)
}

const MANAGED_INSTANCE: &str = "sql-managed-instance";

/// The record's name relative to `zone`. Where the zone is `privatelink.` and a parent of the
/// suffix, the labels between them are part of the record: `reg.westeurope.data` in
/// `privatelink.azurecr.io`. `None` where the zone says nothing of the record's name.
fn record(host: &str, zone: &str, service: &Service, suffix: &str) -> Option<String> {
    let below = |ancestor: &str| {
        host.strip_suffix(ancestor)
            .and_then(|rest| rest.strip_suffix('.'))
            .map(str::to_owned)
    };
    if let Some(record) = below(zone) {
        return Some(record);
    }
    let parent = zone.split_once('.').map_or(zone, |(_, parent)| parent);
    match service.slug {
        // The zone has the name of another suffix (azure-docs, "Integrate Key Vault with Private Link").
        "key-vault" => below(suffix),
        // The public name of a private cluster is a record of its own, and not that of the zone.
        "kubernetes-api" => None,
        _ => below(parent),
    }
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
fn print_rows(rows: &[&'static Service], out: &mut dyn Write) -> io::Result<()> {
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
            ("record", records(service).join("\n                  ")),
            ("public endpoint", public_endpoint(service)),
            ("ports", ports(service)),
            ("group ids", service.subresources.join(", ")),
            ("resource", service.resource_type.to_owned()),
            ("note", service.notes.to_owned()),
        ] {
            if !value.is_empty() {
                writeln!(out, "  {what:<15} {value}")?;
            }
        }
    }
    Ok(())
}

/// Which record in which zone stands for a host, for every suffix of which that is known.
fn records(service: &'static Service) -> Vec<String> {
    let mut records = Vec::new();
    for suffix in &service.suffixes {
        let host = format!("NAME.{suffix}");
        let zone = zone_of(service, suffix);
        if let Some(zone) = zone
            && let Some(record) = record(&host, &zone, service, suffix)
        {
            records.push(format!("{host}: {record} in {zone}"));
        }
    }
    records
}

fn public_endpoint(service: &Service) -> String {
    let suffix = service
        .suffixes
        .first()
        .filter(|_| service.slug == MANAGED_INSTANCE);
    suffix.map_or_else(String::new, |suffix| {
        format!("NAME.public.{suffix}, port {PUBLIC_PORT}; it has no private record")
    })
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
