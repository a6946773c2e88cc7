//! JSON schema: it accepts the texts and numbers that the reader accepts, and refuses what a pattern or a
//! range can refuse. It cannot express everything, so the reader refuses more.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use proptest::prelude::*;
use proptest::sample::select;
use regex::Regex;
use serde_json::Value;

use super::*;

/// The schema of a kind of text, and a configuration that the reader accepts if it accepts `TEXT`.
struct Kind {
    schema: Value,
    patterns: Vec<Regex>,
    config: &'static str,
}

impl Kind {
    fn new(name: &str, config: &'static str) -> Self {
        let schema = schema::config()["$defs"][name].clone();
        assert_eq!(schema["type"], "string", "{name}");
        let parts = schema["allOf"].as_array().into_iter().flatten();
        let patterns = std::iter::once(&schema).chain(parts);
        let patterns = patterns.filter_map(|part| part["pattern"].as_str());
        Self {
            patterns: patterns
                .map(|text| Regex::new(text).expect("a pattern"))
                .collect(),
            schema,
            config,
        }
    }

    fn schema_accepts(&self, text: &str) -> bool {
        let length = text.chars().count() as u64;
        let bound = |key: &str| self.schema[key].as_u64();
        bound("minLength").is_none_or(|least| length >= least)
            && bound("maxLength").is_none_or(|most| length <= most)
            && self.patterns.iter().all(|pattern| pattern.is_match(text))
    }

    fn reader_accepts(&self, text: &str) -> bool {
        // A JSON string is a YAML string too.
        let text = Value::from(text).to_string();
        load_text("config.yaml", &self.config.replace("TEXT", &text)).is_ok()
    }
}

fn kinds() -> [(&'static str, Kind); 8] {
    let of = |name, config| (name, Kind::new(name, config));
    [
        of("Host", "targets: [{host: TEXT}]"),
        of(
            "AllowedHost",
            "{allowedHosts: [TEXT], targets: [{host: a.example.com}]}",
        ),
        of("Name", "targets: [{host: a.example.com, name: TEXT}]"),
        of(
            "Cidr",
            "{deniedCidrs: [TEXT], targets: [{host: a.example.com}]}",
        ),
        of(
            "Server",
            "{resolvers: [{name: a, servers: [TEXT]}], targets: [{host: a.example.com}]}",
        ),
        of(
            "Duration",
            "{tls: {expiryWarning: TEXT}, targets: [{host: a.example.com}]}",
        ),
        of("Preset", "presets: [TEXT]"),
        of(
            "Region",
            "targets: [{host: contoso.azurecr.io, dataRegions: [TEXT]}]",
        ),
    ]
}

fn address() -> impl Strategy<Value = IpAddr> {
    let sparse = proptest::array::uniform8(select(&[0, 0, 1, 0xfd00, 0xffff][..]));
    prop_oneof![
        any::<Ipv4Addr>().prop_map(IpAddr::from),
        any::<Ipv6Addr>().prop_map(IpAddr::from),
        sparse.prop_map(|parts| IpAddr::from(Ipv6Addr::from(parts))),
    ]
}

/// Texts that one kind or another should accept, or nearly.
fn text() -> impl Strategy<Value = String> {
    let network = |(ip, prefix): (IpAddr, u8)| match IpNet::new(ip, prefix) {
        Ok(net) => net.trunc().to_string(),
        Err(_) => format!("{ip}/{prefix}"),
    };
    let server = |(ip, port, shape): (IpAddr, u16, u8)| match shape {
        0 => format!("{ip}"),
        1 => format!("{ip}:{port}"),
        2 => format!("[{ip}]"),
        3 => format!("[{ip}%{port}]:{port}"),
        _ => format!("[{ip}]:{port}").to_ascii_uppercase(),
    };
    prop_oneof![
        r"(\*\.)?[A-Za-z0-9_-]{0,4}([.-][A-Za-z0-9_-]{0,4}){0,4}\.?",
        r"[a-z]{59,63}(\.[a-z]{59,64}){2,3}",
        "[A-Za-z0-9._:-]{1,6}",
        "[A-Za-z0-9._:-]{250,255}",
        (address(), 0..=129_u8).prop_map(network),
        "[0-2]{1,3}(\\.[0-2]{1,3}){3}(/[0-9]{1,2}|:[0-9]{1,6})?",
        "([1-9a-f]:){1,7}:(/128)?",
        r"(0\.0\.0\.0|::|::0\.0\.0\.0)/0{0,2}[0-9]{0,3}",
        (address(), any::<u16>(), 0..5_u8).prop_map(server),
        "([0-9]{0,3}h)?([0-9]{0,3}m)?([0-9]{0,3}s)?([0-9]{0,3}ms)?",
        "(aks-egress)?:?[a-zA-Z0-9]{0,5}",
        "[ -~é]{0,8}",
    ]
}

#[test]
fn what_the_reader_accepts_the_schema_accepts() {
    let kinds = kinds();
    proptest!(|(text in text())| {
        for (name, kind) in &kinds {
            prop_assert!(
                kind.schema_accepts(&text) || !kind.reader_accepts(&text),
                "the schema refuses the {name} {text:?}"
            );
        }
    });
}

/// Texts of each kind that both refuse, with `|` between them; the first is empty.
const BAD: [(&str, &str); 8] = [
    (
        "Host",
        "|.|https://kv.vault.azure.net/x|kv.vault.azure.net/x|sql.example.com:1433|*.vault.azure.net\
         |10.1.2.3|10.1.2.300|fd00::1|[fd00::1]|bücher.example|a..b|.a|-a.b|a-.b|a b|a\n",
    ),
    ("AllowedHost", "|*|*.|*.*.example.com|a.*.b|*.10.1.2.3"),
    ("Name", "|key vault|-a|.a|é|a/b"),
    (
        "Cidr",
        "|10.0.0.0|10.0.0.0/|10.0.0.0/33|10.0.0.0/010|10.0.0/8|a.0.0.0/8|10.0.0.0/8/8|fd00::1\
         |fd00::/129|tomorrow",
    ),
    (
        "Server",
        "|kube-dns|dns.example.com|10.0.0|a.0.0.10|10.0.0.10:|10.0.0.10:dns|10.0.0.0/24|[10.0.0.10]\
         |[fd00::10|fd00:10",
    ),
    ("Duration", "|30|s|1.5s|5 s|30m1h|1s1s|1d|-5s|2 days"),
    ("Preset", "|aks|aks-egress:|aks-egress:West"),
    ("Region", "|West Europe|west-europe"),
];

#[test]
fn what_a_pattern_can_refuse_both_refuse() {
    let long = [
        ("Host", "a".repeat(64)),
        ("Host", format!("{}a.example", "a.".repeat(130))),
        ("AllowedHost", format!("*.{}", "a".repeat(64))),
        ("Name", "a".repeat(254)),
        ("Duration", format!("{}s", "0".repeat(64))),
    ];
    for (name, kind) in kinds() {
        let bad = BAD.iter().filter(|(of, _)| *of == name);
        let bad = bad.flat_map(|(_, texts)| texts.split('|'));
        let long = long.iter().filter(|(of, _)| *of == name);
        let bad: Vec<_> = bad.chain(long.map(|(_, text)| text.as_str())).collect();
        assert!(!bad.is_empty(), "{name}");
        for text in bad {
            assert!(!kind.reader_accepts(text), "reader, {name}: {text:?}");
            assert!(!kind.schema_accepts(text), "schema, {name}: {text:?}");
        }
    }
}

#[test]
fn the_ranges_of_numbers_are_the_readers() {
    for (at, config) in [
        (
            "/$defs/RawTarget/properties/port",
            "targets: [{host: a.example.com, port: N}]",
        ),
        (
            "/$defs/RawLimits/properties/maxTargets",
            "{limits: {maxTargets: N}, targets: [{host: a.example.com}]}",
        ),
        (
            "/$defs/RawLimits/properties/maxConcurrent",
            "{limits: {maxConcurrent: N}, targets: [{host: a.example.com}]}",
        ),
        (
            "/$defs/RawLimits/properties/maxDnsQps",
            "{limits: {maxDnsQps: N}, targets: [{host: a.example.com}]}",
        ),
    ] {
        let schema = schema::config();
        let bound = |key: &str| schema.pointer(at).expect(at)[key].as_i64().expect(key);
        let (least, most) = (bound("minimum"), bound("maximum"));
        for (number, good) in [
            (least - 1, false),
            (least, true),
            (most, true),
            (most + 1, false),
        ] {
            let config = config.replace('N', &number.to_string());
            let read = load_text("config.yaml", &config);
            assert_eq!(read.is_ok(), good, "{config}: {read:?}");
        }
    }
}
