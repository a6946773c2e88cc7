use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use privatelink_board::{Board, Entry, fixtures};
use privatelink_config::plan::Detail;
use privatelink_verdict::address::Class;
use privatelink_verdict::observation::Skip;
use privatelink_verdict::target::Expectation;

use super::definition::DEFINITIONS;
use super::*;
use crate::pieces::Pieces as _;
use crate::version::VERSION;

fn scrape(board: Board) -> String {
    let metrics = Metrics::new(SharedBoard::new(board), Histograms::On);
    text_of(&metrics, Exposition::Text)
}

fn text_of(metrics: &Metrics, format: Exposition) -> String {
    let text = metrics.scrape(format).whole().expect("memory takes all");
    String::from_utf8(text).expect("UTF-8")
}

/// The value of the only series of `name` with all of `labels`, if there is one.
fn value(text: &str, name: &str, labels: &[&str]) -> Option<f64> {
    let mut lines = text.lines().filter(|line| {
        line.split(['{', ' ']).next() == Some(name)
            && labels.iter().all(|label| line.contains(label))
    });
    let line = lines.next()?;
    assert_eq!(lines.next(), None, "two series");
    line.rsplit(' ').next()?.parse().ok()
}

fn series_of<'a>(text: &'a str, target: &'a str) -> impl Iterator<Item = &'a str> {
    let label = format!("target=\"{target}\"");
    text.lines().filter(move |line| line.contains(&label))
}

const HEALTHY: &str = "target=\"kv-dev.vault.azure.net\"";
const FALLBACK: &str = "target=\"kv-prod.vault.azure.net\"";
const SILENT_DNS: &str = "target=\"kv-dns.vault.azure.net\"";
const SILENT_TCP: &str = "target=\"kv-fw.vault.azure.net\"";
const MISMATCH: &str = "target=\"kv-tls.vault.azure.net\"";
const NEVER: &str = "target=\"kv-new.vault.azure.net\"";

#[test]
fn the_three_headline_gauges_tell_the_broken_from_the_healthy() {
    let text = scrape(fixtures::board());
    let get = |name: &str, target| value(&text, &format!("privatelink_{name}"), &[target]);
    assert_eq!(get("dns_public_fallback", HEALTHY), Some(0.0));
    assert_eq!(get("dns_public_fallback", FALLBACK), Some(1.0));
    assert_eq!(get("tls_name_mismatch", HEALTHY), Some(0.0));
    assert_eq!(get("tls_name_mismatch", MISMATCH), Some(1.0));
    assert_eq!(get("probe_success", HEALTHY), Some(1.0));
    assert_eq!(get("probe_success", FALLBACK), Some(0.0));
    assert_eq!(get("reachable_addresses", HEALTHY), Some(1.0));
    assert_eq!(get("reachable_addresses", SILENT_TCP), Some(0.0));
    let agrees = ["resolver=\"node\"", HEALTHY];
    assert_eq!(
        value(&text, "privatelink_resolver_agrees", &agrees),
        Some(1.0)
    );
    let timeouts = ["stage=\"connect\"", SILENT_TCP];
    let timeouts = value(&text, "privatelink_probe_timeouts_total", &timeouts);
    assert_eq!(timeouts, Some(1.0));
}

#[test]
fn what_a_probe_did_not_learn_is_absent() {
    let text = scrape(fixtures::board());
    let names = |target: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| line.contains(target));
        let names = lines.filter_map(|line| line.split('{').next());
        names
            .map(|name| name["privatelink_".len()..].to_owned())
            .collect()
    };
    for (target, unknown) in [
        (SILENT_DNS, "dns_public_fallback"),
        (SILENT_DNS, "dns_privatelink_alias"),
        (SILENT_DNS, "dns_addresses"),
        (SILENT_DNS, "dns_ttl_seconds"),
        (SILENT_DNS, "reachable_addresses"),
        (SILENT_DNS, "tls_name_mismatch"),
        (SILENT_TCP, "tls_name_mismatch"),
        (SILENT_TCP, "tls_certificate_not_after_timestamp_seconds"),
        (NEVER, "probe_success"),
        (NEVER, "probe_reason"),
        (NEVER, "probe_last_run_timestamp_seconds"),
        (NEVER, "probe_duration_seconds"),
    ] {
        let names = names(target);
        assert!(
            !names.iter().any(|name| name == unknown),
            "{target} {unknown}"
        );
        assert!(names.iter().any(|name| name == "probes_total"));
    }
    assert!(!text.contains("NaN"));
}

#[test]
fn counters_start_at_zero_for_every_value() {
    let text = scrape(fixtures::board());
    for outcome in ["pass", "warn", "fail"] {
        let outcome = format!("outcome=\"{outcome}\"");
        let probes = value(&text, "privatelink_probes_total", &[NEVER, &outcome]);
        assert_eq!(probes, Some(0.0));
    }
    for stage in ["agent", "dns", "address", "connect", "tls", "http"] {
        let stage = format!("stage=\"{stage}\"");
        let failures = value(&text, "privatelink_probe_failures_total", &[NEVER, &stage]);
        assert_eq!(failures, Some(0.0), "{stage}");
    }
    assert_eq!(
        value(&text, "privatelink_dns_class_changes_total", &[NEVER]),
        Some(0.0)
    );
}

#[test]
fn a_public_address_counts_only_where_it_could_be_used() {
    let mut board = fixtures::board();
    let mut probed = fixtures::healthy();
    let resolution = &mut probed.observation.resolution;
    let mut v6 = resolution.addresses[0].clone();
    v6.ip = "2603:1030::1".parse().expect("an address");
    v6.class = Class::Public;
    resolution.addresses.push(v6.clone());
    board.record(Arc::new(probed.clone()));
    let fallback = |board: Board| {
        value(
            &scrape(board),
            "privatelink_dns_public_fallback",
            &[HEALTHY],
        )
    };
    assert_eq!(fallback(board), Some(1.0));

    let mut unroutable = probed.observation.connections[0].clone();
    (unroutable.ip, unroutable.skip) = (v6.ip, Some(Skip::NoRoute));
    probed.observation.connections.push(unroutable);
    let mut board = fixtures::board();
    board.record(Arc::new(probed.clone()));
    assert_eq!(fallback(board), Some(0.0));

    probed.verdict.expect_effective = Expectation::Public;
    let mut board = fixtures::board();
    board.record(Arc::new(probed));
    assert_eq!(fallback(board), None);
}

#[test]
fn a_target_has_exactly_one_reason() {
    let mut board = fixtures::board();
    board.record(Arc::new(fixtures::named(
        "kv-prod.vault.azure.net",
        fixtures::healthy(),
    )));
    let text = scrape(board);
    let reason = ["reason=\"ok\"", "stage=\"none\"", FALLBACK];
    assert_eq!(value(&text, "privatelink_probe_reason", &reason), Some(1.0));
    assert_eq!(
        value(&text, "privatelink_probe_reason", &[FALLBACK]),
        Some(1.0)
    );
    let failures = ["stage=\"address\"", FALLBACK];
    let failures = value(&text, "privatelink_probe_failures_total", &failures);
    assert_eq!(failures, Some(1.0));
}

#[test]
fn every_series_names_its_node_even_those_of_the_process() {
    let text = scrape(fixtures::board());
    assert!(text.contains("process_resident_memory_bytes"));
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        assert!(line.contains("node=\"aks-a-0\""), "{line}");
    }
}

#[test]
fn a_target_costs_at_most_36_series_and_one_per_extra_resolver() {
    let mut board = fixtures::board();
    let mut probed = fixtures::healthy();
    probed.observation.timing.http = Some(Duration::from_millis(5));
    let node = probed.observation.comparisons[0].clone();
    probed.observation.comparisons = (0..3)
        .map(|index| {
            let mut other = node.clone();
            other.resolution.resolver = format!("resolver-{index}").into();
            other
        })
        .collect();
    board.record(Arc::new(probed));
    board.detail = Detail::Essential;
    let text = scrape(board);
    assert_eq!(series_of(&text, "kv-dev.vault.azure.net").count(), 8);

    let mut board = fixtures::board();
    let mut probed = fixtures::healthy();
    probed.observation.timing.http = Some(Duration::from_millis(5));
    probed.observation.comparisons = Arc::default();
    board.record(Arc::new(probed));
    let text = scrape(board);
    let series = series_of(&text, "kv-dev.vault.azure.net").count();
    assert!(series <= 36, "{series}");
    assert_eq!(series, 34, "every fact is known of a healthy target");
}

#[test]
fn labels_carry_what_was_configured_and_nothing_from_the_wire() {
    let mut board = fixtures::board();
    let mut target = (*board.entries[0].target).clone();
    target.owner = Some("pay\"ments\\\n".to_owned());
    let now = SystemTime::UNIX_EPOCH;
    board.entries[0] = Entry::new(Arc::new(target), now);
    let text = scrape(board);
    assert!(text.contains(r#"owner="pay\"ments\\\n""#), "{text}");
    for wire in [
        "10.1.2",
        "52.168",
        "Microsoft Corp",
        "privatelink.vaultcore",
        "proxy.example",
    ] {
        assert!(!text.contains(wire), "{wire}");
    }
}

#[test]
fn histograms_have_no_target_unless_asked_for() {
    let text_with = |histograms| {
        let board = fixtures::shared();
        let metrics = Metrics::new(board.clone(), histograms);
        for probed in fixtures::all() {
            metrics.observe(&probed);
        }
        let before = text_of(&metrics, Exposition::Text);
        board
            .lock()
            .entries
            .retain(|entry| entry.target.name == "kv-dev.vault.azure.net");
        (before, text_of(&metrics, Exposition::Text))
    };
    let count = "privatelink_probe_stage_duration_seconds_count";
    let (on, _) = text_with(Histograms::On);
    assert_eq!(value(&on, count, &["stage=\"dns\""]), Some(5.0));
    assert_eq!(value(&on, count, &["stage=\"http\""]), Some(0.0));
    let (off, _) = text_with(Histograms::Off);
    assert!(!off.contains("stage_duration"));
    let (before, after) = text_with(Histograms::Target);
    assert_eq!(
        value(&before, count, &["stage=\"dns\"", FALLBACK]),
        Some(1.0)
    );
    assert_eq!(value(&after, count, &["stage=\"dns\"", HEALTHY]), Some(1.0));
    assert_eq!(value(&after, count, &[FALLBACK]), None, "removed at reload");
}

#[test]
fn what_is_exposed_is_what_the_definitions_say() {
    let mut board = fixtures::board();
    board.web_reload_ok = Some(true);
    let text = scrape(board);
    let mut types = HashMap::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE privatelink_") {
            let (name, kind) = rest.split_once(' ').expect("a type");
            types.insert(format!("privatelink_{name}"), kind);
        }
    }
    let table: HashMap<_, _> = DEFINITIONS
        .iter()
        .map(|definition| (definition.name.to_owned(), definition.kind.as_str()))
        .collect();
    assert_eq!(types, table);
}

#[test]
fn without_a_web_configuration_there_is_no_word_of_it() {
    let text = scrape(fixtures::board());
    assert!(!text.contains("privatelink_web_config") && !text.contains("requests_denied"));
    let mut board = fixtures::board();
    board.web_reload_ok = Some(false);
    let loaded = "privatelink_web_config_last_reload_successful";
    assert_eq!(value(&scrape(board), loaded, &[]), Some(0.0));
}

#[test]
fn five_hundred_targets_fit_into_one_scrape_of_bounded_length() {
    let probes: Vec<_> = (0..500)
        .map(|index| fixtures::named(&format!("kv-{index}.vault.azure.net"), fixtures::healthy()))
        .collect();
    let targets = probes.iter().map(|probed| Arc::clone(&probed.target));
    let mut board = Board::new("n".to_owned(), &fixtures::plan(targets), SystemTime::now());
    for probed in probes {
        board.record(Arc::new(probed));
    }
    let metrics = Metrics::new(SharedBoard::new(board), Histograms::On);
    let text = text_of(&metrics, Exposition::Text);
    let per_target = text.lines().filter(|line| line.contains("target=")).count();
    assert!((500 * 30..=500 * 36).contains(&per_target), "{per_target}");
}

/// The metrics of a board on which everything is, in both formats.
fn in_both_formats() -> [String; 2] {
    let mut board = fixtures::board();
    board.config.error = Some("refused".to_owned());
    let metrics = Metrics::new(SharedBoard::new(board), Histograms::Target);
    for probed in fixtures::all() {
        metrics.observe(&probed);
    }
    [Exposition::Text, Exposition::OpenMetrics].map(|format| text_of(&metrics, format))
}

/// Every byte of both formats, so that no change of how they are written changes what is read.
#[test]
fn every_byte_of_both_formats_is_as_it_was() {
    let [text, open_metrics] = in_both_formats().map(|text| {
        let lines = text.lines().map(|line| match line.split_once(' ') {
            // The agent's own process and its version differ from run to run.
            Some((series, _)) if line.starts_with("process_") => format!("{series} …\n"),
            _ => format!("{line}\n").replace(VERSION, "VERSION"),
        });
        lines.collect::<String>()
    });
    insta::assert_snapshot!("text", text);
    insta::assert_snapshot!("open_metrics", open_metrics);
}

#[test]
fn both_formats_have_the_same_series() {
    // A bound is a label whose spelling differs. The agent's own process changes between two scrapes.
    let series = |text: &str| -> BTreeSet<String> {
        let lines = text.lines().filter(|line| !line.starts_with("# "));
        let lines = lines.filter(|line| !line.starts_with("process_"));
        lines.map(|line| line.replace(".0\"} ", "\"} ")).collect()
    };
    let [text, open_metrics] = in_both_formats();
    assert!(series(&text).len() > 100);
    assert_eq!(series(&text), series(&open_metrics));
    let names = |text: &str| -> BTreeSet<String> {
        let names = text
            .lines()
            .filter_map(|line| line.split(['{', ' ']).next());
        names
            .filter(|name| name.starts_with("process_"))
            .map(str::to_owned)
            .collect()
    };
    assert!(names(&text).len() > 3);
    assert_eq!(names(&text), names(&open_metrics));
}

/// The grammar and the rules of OpenMetrics 1.0.0, as far as our metrics use them.
#[test]
fn open_metrics_is_well_formed() {
    let [_, text] = in_both_formats();
    let body = text.strip_suffix("# EOF\n").expect("the end");
    let mut families: Vec<(&str, &str, Option<&str>)> = Vec::new();
    let mut described = 0;
    for line in body.split_terminator('\n') {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a type");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert!(
                families.iter().all(|family| family.0 != name),
                "{name} comes twice"
            );
            families.push((name, kind, None));
            continue;
        }
        let (name, kind, unit) = families.last_mut().expect("a type first");
        if let Some(rest) = line.strip_prefix("# UNIT ") {
            let of_family = rest.strip_prefix(&format!("{name} ")).expect(line);
            assert!(name.ends_with(&format!("_{of_family}")), "{line}");
            assert_eq!(unit.replace(of_family), None, "{line}");
        } else if let Some(rest) = line.strip_prefix("# HELP ") {
            let help = rest.strip_prefix(&format!("{name} ")).expect(line);
            assert!(is_escaped(help), "{line}");
            described += 1;
        } else {
            sample(line, name, kind);
        }
    }
    assert_eq!(described, families.len());
    let has = |family| families.contains(&family);
    assert!(has(("privatelink_probes", "counter", None)));
    assert!(has((
        "privatelink_dns_ttl_seconds",
        "gauge",
        Some("seconds")
    )));
    assert!(has((
        "process_resident_memory_bytes",
        "gauge",
        Some("bytes")
    )));
    assert!(has(("process_cpu_seconds", "counter", Some("seconds"))));
}

/// Panics unless the line is a sample of the family.
fn sample(line: &str, family: &str, kind: &str) {
    let suffix = line.strip_prefix(family).expect(line);
    let (suffix, rest) = suffix
        .split_once('{')
        .expect("every series has the label node");
    let (labels, value) = rest.rsplit_once("} ").expect(line);
    let suffixes: &[&str] = match kind {
        "counter" => &["_total"],
        "gauge" => &[""],
        _ => &["_bucket", "_count", "_sum"],
    };
    assert!(suffixes.contains(&suffix), "{line}");
    let value: f64 = value.parse().expect(line);
    assert!(value.is_finite(), "{line}");
    let mut names = BTreeSet::new();
    for label in labels.strip_suffix('"').expect(line).split("\",") {
        let (name, value) = label.split_once("=\"").expect(line);
        let letters = |c: char| c.is_ascii_lowercase() || c == '_';
        assert!(
            name.chars().all(letters) && names.insert(name.to_owned()),
            "{line}"
        );
        assert!(is_escaped(value), "{line}");
        if name == "le" {
            assert!(value == "+Inf" || value.contains('.'), "{line}");
        }
    }
    assert_eq!(names.contains("le"), suffix == "_bucket", "{line}");
    assert!(names.contains("node"), "{line}");
}

/// Whether every quotation mark and backslash is part of an escape.
fn is_escaped(text: &str) -> bool {
    let rest = text
        .replace("\\\\", "")
        .replace("\\\"", "")
        .replace("\\n", "");
    !rest.contains(['\\', '"'])
}
