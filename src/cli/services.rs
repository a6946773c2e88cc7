//! Services: the catalogue, or what it knows of one host.

use std::io::{self, Write};

use clap::Args;
use privatelink_verdict::catalogue::{self, Match, Service};
use privatelink_verdict::name::privatelink_zone;
use serde_json::{Value, json};

use crate::cli::validate::Format;
use crate::cli::{EXIT_OK, Failure, table};
use crate::config;

/// Shows the catalogue of Azure services, or what it knows of one host: its private zone, the
/// record expected there, its ports.
#[derive(Args, Clone, Debug)]
pub struct ServicesArgs {
    /// A host to look up, such as kv-prod.vault.azure.net.
    #[arg(value_name = "HOST")]
    pub host: Option<String>,

    /// How to print it.
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
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

/// Prints the catalogue, or what it knows of the host, on `out`. Returns the exit code.
pub fn run(args: &ServicesArgs, out: &mut dyn Write) -> Result<u8, Failure> {
    let Some(host) = &args.host else {
        match args.output {
            Format::Table => print_all(out)?,
            Format::Json => {
                let services: Value = catalogue::services().iter().map(service).collect();
                writeln!(
                    out,
                    "{:#}",
                    json!({"schemaVersion": 1, "services": services})
                )?;
            }
        }
        return Ok(EXIT_OK);
    };
    let host = config::host(host)?;
    let known = Known::of(host);
    match args.output {
        Format::Table => known.print(out)?,
        Format::Json => writeln!(out, "{:#}", known.as_json())?,
    }
    Ok(EXIT_OK)
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

fn print_all(out: &mut dyn Write) -> io::Result<()> {
    let mut rows: Vec<[String; 5]> = Vec::new();
    for service in catalogue::services() {
        let lines = service
            .suffixes
            .len()
            .max(service.private_zones.len())
            .max(1);
        for line in 0..lines {
            let first = |text: String| if line == 0 { text } else { String::new() };
            let nth = |list: &[&str]| list.get(line).copied().unwrap_or_default().to_owned();
            rows.push([
                first(service.slug.to_owned()),
                first(service.cloud.to_string()),
                nth(&service.suffixes),
                nth(&service.private_zones),
                first(ports(service)),
            ]);
        }
    }
    table::write(
        out,
        ["SERVICE", "CLOUD", "PUBLIC SUFFIX", "PRIVATE ZONE", "PORTS"],
        &rows,
    )
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
mod tests {
    use super::*;

    fn shown(host: Option<&str>, output: Format) -> Result<String, Failure> {
        let args = ServicesArgs {
            host: host.map(str::to_owned),
            output,
        };
        let mut out = Vec::new();
        run(&args, &mut out)?;
        Ok(String::from_utf8(out)?)
    }

    #[test]
    fn a_vault_is_known_with_its_zone_and_record() {
        let out = shown(Some("KV-prod.vault.azure.net."), Format::Table).expect("a host");
        for part in [
            "key-vault: Azure Key Vault",
            "privatelink.vaultcore.azure.net",
            "kv-prod.privatelink.vaultcore.azure.net",
            "443/tls",
        ] {
            assert!(out.contains(part), "{part} is missing:\n{out}");
        }
    }

    #[test]
    fn labels_between_the_suffix_and_its_zone_belong_to_the_record() {
        for (host, record) in [
            ("reg.westeurope.data.azurecr.io", "reg.westeurope.data"),
            ("reg.azurecr.io", "reg"),
            ("kv.vault.azure.net", "kv"),
            ("kv.privatelink.vaultcore.azure.net", "kv"),
            ("app.scm.azurewebsites.net", "app.scm"),
        ] {
            let known = Known::of(host.to_owned());
            assert_eq!(known.record.as_deref(), Some(record), "{host}: {known:?}");
        }
    }

    #[test]
    fn an_unknown_host_is_custom_and_an_address_is_refused() {
        let out = shown(Some("db.example.com"), Format::Table).expect("a host");
        assert!(out.contains("not in the catalogue"), "{out}");
        let error = shown(Some("10.1.2.3"), Format::Json).expect_err("no host");
        assert!(error.to_string().contains("is an IP address"), "{error}");
    }

    #[test]
    fn a_doubtful_host_is_answered_with_the_right_spelling() {
        let out = shown(Some("kv.vault.azure.net.vault.azure.net"), Format::Json).expect("a host");
        let json: Value = serde_json::from_str(&out).expect("JSON");
        assert_eq!(json["doubt"]["instead"], "kv.vault.azure.net");
    }

    #[test]
    fn the_whole_catalogue_is_listed_in_both_forms() {
        let table = shown(None, Format::Table).expect("a table");
        let json = shown(None, Format::Json).expect("an object");
        let json: Value = serde_json::from_str(&json).expect("JSON");
        let services = json["services"].as_array().expect("services");
        assert_eq!(services.len(), catalogue::services().len());
        for service in services {
            for suffix in service["suffixes"].as_array().expect("suffixes") {
                assert!(table.contains(suffix.as_str().expect("text")), "{suffix}");
            }
        }
    }
}
