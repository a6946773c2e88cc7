//! Table: the data file, compiled in and parsed once.

use std::fmt::Debug;
use std::sync::LazyLock;

use super::{Asked, Cloud, Issuer, Service, ServicePort, Usage};
use crate::protocol::Protocol;
use crate::service_evidence::ServiceEvidence;

/// Every row, in a slice of its exact size, since it lives as long as the process. Panics on first use if
/// the data file is malformed; the tests parse it.
pub(super) static SERVICES: LazyLock<Box<[Service]>> =
    LazyLock::new(|| parse(include_str!("../catalogue.tsv")));

/// The columns, separated by tabs; those that hold several values separate them by `;`. A shared host
/// that no private endpoint serves begins with `!`.
const COLUMNS: [&str; 18] = [
    "cloud",
    "service",
    "slug",
    "resource_type",
    "subresource",
    "private_zone",
    "public_suffix",
    "primary",
    "private_only",
    "internal",
    "only_hosts",
    "shared_hosts",
    "default_ports",
    "evidence",
    "asked",
    "usage",
    "issuer",
    "notes",
];

fn parse(table: &'static str) -> Box<[Service]> {
    let mut lines = table.lines();
    let header: Vec<_> = lines.next().unwrap_or_default().split('\t').collect();
    assert_eq!(header, COLUMNS, "catalogue.tsv, header");
    lines.map(service).collect()
}

fn service(line: &'static str) -> Service {
    let fields: Vec<_> = line.split('\t').collect();
    let Ok(
        [
            cloud,
            title,
            slug,
            resource_type,
            subresources,
            zones,
            suffixes,
            primary,
            private_only,
            internal,
            only_hosts,
            shared_hosts,
            ports,
            evidence,
            asked,
            usage,
            issuer,
            notes,
        ],
    ) = <[&'static str; COLUMNS.len()]>::try_from(fields)
    else {
        panic!("catalogue.tsv: a row has too few or too many fields: {line}")
    };
    let ports: Vec<_> = list(ports).iter().map(|port| service_port(port)).collect();
    assert!(!ports.is_empty(), "catalogue.tsv: no port: {line}");
    let shared = list(shared_hosts);
    let unserved = shared.iter().filter_map(|host| host.strip_prefix('!'));
    Service {
        cloud: word(Cloud::ALL, Cloud::as_str, cloud),
        title,
        slug,
        resource_type,
        subresources: list(subresources),
        private_zones: list(zones),
        suffixes: list(suffixes),
        primary: list(primary),
        private_only: list(private_only),
        internal: list(internal),
        only_hosts: list(only_hosts),
        shared_hosts: shared
            .iter()
            .map(|host| host.trim_start_matches('!'))
            .collect(),
        unserved_hosts: unserved.collect(),
        ports,
        evidence: optional(evidence, |evidence| {
            word(ServiceEvidence::ALL, ServiceEvidence::word, evidence)
        }),
        asked: optional(asked, |asked| word(Asked::ALL, Asked::as_str, asked))
            .unwrap_or(Asked::OnRequest),
        usage: optional(usage, |usage| word(Usage::ALL, Usage::as_str, usage)),
        issuer: optional(issuer, |issuer| word(Issuer::ALL, Issuer::as_str, issuer))
            .unwrap_or(Issuer::Public),
        notes,
    }
}

fn optional<T>(field: &'static str, read: impl Fn(&'static str) -> T) -> Option<T> {
    (!field.is_empty()).then(|| read(field))
}

fn service_port(text: &str) -> ServicePort {
    let parsed = text
        .split_once('/')
        .and_then(|(number, protocol)| Some((number.parse().ok()?, protocol)));
    let Some((number, protocol)) = parsed else {
        panic!("catalogue.tsv: `{text}` is not a port and a protocol")
    };
    ServicePort {
        number,
        protocol: word(Protocol::ALL, Protocol::as_str, protocol),
    }
}

fn list(field: &'static str) -> Box<[&'static str]> {
    field.split_terminator(';').collect()
}

fn word<T: Copy + Debug>(all: &[T], as_str: fn(T) -> &'static str, text: &str) -> T {
    let found = all.iter().copied().find(|value| as_str(*value) == text);
    found.unwrap_or_else(|| panic!("catalogue.tsv: `{text}` is none of {all:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "cloud\tservice\tslug\tresource_type\tsubresource\tprivate_zone\t\
        public_suffix\tprimary\tprivate_only\tinternal\tonly_hosts\tshared_hosts\tdefault_ports\tevidence\tasked\tusage\tissuer\tnotes";

    fn parse_row(row: &str) -> Box<[Service]> {
        parse(format!("{HEADER}\n{row}\n").leak())
    }

    #[test]
    fn a_row_keeps_its_lists_in_order() {
        let rows = parse_row(
            "china\tT\ts\tR\tg;h\tz\ta.b;c.d\ta.b\t\t\t\t\t445/tcp;443/tls\tkey-vault\tdefault\tvolumes\t\tn; m",
        );
        let [row] = &rows[..] else {
            panic!("one row, not {}", rows.len())
        };
        assert_eq!(row.cloud, Cloud::China);
        assert_eq!(*row.subresources, ["g", "h"]);
        assert_eq!(*row.suffixes, ["a.b", "c.d"]);
        assert!(row.private_only.is_empty());
        assert_eq!(row.notes, "n; m");
        assert_eq!(row.evidence.map(ServiceEvidence::word), Some("key-vault"));
        assert_eq!(row.usage, Some(Usage::Volumes));
        assert_eq!((row.asked, row.issuer), (Asked::ByDefault, Issuer::Public));
        assert_eq!(
            row.ports,
            [
                ServicePort {
                    number: 445,
                    protocol: Protocol::Tcp
                },
                ServicePort {
                    number: 443,
                    protocol: Protocol::Tls
                },
            ]
        );
    }

    #[test]
    #[should_panic(expected = "`moon` is none of")]
    fn an_unknown_cloud_is_refused() {
        parse_row("moon\tT\ts\tR\tg\tz\ta.b\ta.b\t\t\t\t\t443/tls\t\t\t\t\t");
    }

    #[test]
    #[should_panic(expected = "`443` is not a port and a protocol")]
    fn a_port_without_protocol_is_refused() {
        parse_row("china\tT\ts\tR\tg\tz\ta.b\ta.b\t\t\t\t\t443\t\t\t\t\t");
    }

    #[test]
    #[should_panic(expected = "no port")]
    fn a_row_without_port_is_refused() {
        parse_row("china\tT\ts\tR\tg\tz\ta.b\ta.b\t\t\t\t\t\t\t\t\t\t");
    }

    #[test]
    #[should_panic(expected = "too few or too many fields")]
    fn a_short_row_is_refused() {
        parse_row("china\tT\ts");
    }
}
