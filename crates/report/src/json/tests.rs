//! Reports field by field, as programs read them.

use std::sync::Arc;

use serde_json::{Value, json};

use privatelink_board::fixtures;
use privatelink_verdict::observation::Comparison;
use privatelink_verdict::target::Target;

use super::bounds::NAMES;
use super::*;

fn as_json<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).expect("serializable")
}

fn keys(value: &Value) -> Vec<&str> {
    let object = value.as_object().expect("an object");
    object.keys().map(String::as_str).collect()
}

#[test]
fn who_uses_a_target_is_in_the_report_in_words_and_numbers() {
    let mut fallback = fixtures::public_fallback();
    fallback.target = Arc::new(Target {
        users: Some(fixtures::users().into()),
        ..Target::clone(&fallback.target)
    });
    let report = as_json(&Report::of_check("aks-a-0", fixtures::now(), [&fallback]));
    assert_eq!(
        report["targets"][0]["users"],
        json!({
            "summary": "image pulls of 14 workloads in 3 namespaces",
            "usage": "registries",
            "workloads": 14, "namespaces": 3,
            "examples": ["Deployment payments/api", "CronJob billing/invoices", "Pod ops/debug"],
        })
    );
}

#[test]
fn a_report_has_the_contracts_fields_in_the_contracts_order() {
    let fallback = fixtures::public_fallback();
    let report = as_json(&Report::of_check("aks-a-0", fixtures::now(), [&fallback]));
    assert_eq!(
        keys(&report),
        [
            "schemaVersion",
            "version",
            "node",
            "agentStartedAt",
            "targets"
        ]
    );
    let target = &report["targets"][0];
    let words = "target host port protocol service source expect expectEffective checkedAt \
                 durationSeconds outcome reason stage summary remedy findings dns resolvers \
                 connections users";
    assert_eq!(keys(target).join(" "), words);
    assert_eq!(
        keys(&target["findings"][0]).join(" "),
        "reason severity stage address detail meaning confidence command"
    );
    assert_eq!(
        keys(&target["dns"]).join(" "),
        "resolver privatelink zoneAuthority chain queries addresses servers"
    );
    assert_eq!(
        keys(&target["connections"][0]).join(" "),
        "ip port tcp tcpSeconds tls tlsSeconds certificate http"
    );
    assert_eq!(
        keys(&target["connections"][0]["certificate"]).join(" "),
        "names issuer notBefore notAfter fingerprintSha256"
    );
    assert_eq!(
        target["dns"]["queries"][0],
        json!({"type": "A", "server": "10.0.0.10:53", "transport": "udp",
               "outcome": "answer", "rcode": "NOERROR", "seconds": 0.0021, "tries": 1,
               "ignoredOwner": null})
    );
    assert_eq!(
        target["dns"]["addresses"],
        json!([{"ip": "52.168.109.101", "class": "public", "ttlSeconds": 60}])
    );
    assert_eq!(
        target["resolvers"],
        json!([{"resolver": "node", "server": "10.0.0.10:53", "outcome": "answer",
                "agrees": false, "addresses":
                [{"ip": "10.1.2.4", "class": "private", "ttlSeconds": 60}]}])
    );
    assert_eq!(target["service"], "key-vault");
    assert_eq!(target["checkedAt"], "2026-11-03T08:15:30.250Z");
    let certificate = &target["connections"][0]["certificate"];
    assert_eq!(certificate["notAfter"], "2027-03-04T08:15:30Z");
}

#[test]
fn servers_that_were_asked_alone_are_listed_with_what_each_gave() {
    let mut probed = fixtures::healthy();
    assert_eq!(
        as_json(&TargetReport::from(&probed))["dns"]["servers"],
        json!([])
    );
    probed.observation.resolution.evidence.servers = fixtures::servers_that_differ();
    let servers = &as_json(&TargetReport::from(&probed))["dns"]["servers"];
    assert_eq!(
        servers[0],
        json!({"server": "10.0.0.4:53", "outcome": "answer",
               "addresses": [{"ip": "10.1.2.3", "class": "private", "ttlSeconds": 60}],
               "times": 2, "checkedAt": "2026-11-03T08:15:30.250Z"})
    );
    assert_eq!(servers[1]["addresses"][0]["class"], "public");
    assert_eq!(servers[2]["outcome"], "timeout");
}

#[test]
fn a_stage_that_did_not_run_says_null_skipped_or_nothing() {
    let silent = as_json(&TargetReport::from(&fixtures::connect_timeout()));
    let connection = &silent["connections"][0];
    assert_eq!(connection["tcp"], "timeout");
    assert_eq!(connection["tls"], "skipped");
    assert_eq!(connection["tlsSeconds"], Value::Null);
    assert_eq!(connection["certificate"], Value::Null);
    assert_eq!(connection["http"], Value::Null);

    let mut fault = fixtures::dns_timeout();
    fault.observation.resolution.queries.clear();
    fault.observation.comparisons = Arc::new([Comparison {
        must_agree: true,
        resolution: fault.observation.resolution.clone(),
        checked_at: fixtures::now(),
    }]);
    let fault = as_json(&TargetReport::from(&fault));
    assert_eq!(fault["dns"], Value::Null);
    assert_eq!(fault["connections"], json!([]));
    assert_eq!(fault["resolvers"][0]["outcome"], "skipped");
    assert_eq!(fault["resolvers"][0]["agrees"], Value::Null);
}

#[test]
fn a_target_that_was_never_probed_has_null_for_what_a_probe_would_say() {
    let pieces = report_in_pieces(fixtures::shared()).expect("JSON");
    let report = pieces.whole().expect("memory takes all");
    let report: Value = serde_json::from_slice(&report).expect("JSON");
    let never = &report["targets"][5];
    assert_eq!(never["target"], "kv-new.vault.azure.net");
    for field in [
        "outcome",
        "reason",
        "stage",
        "checkedAt",
        "summary",
        "remedy",
        "dns",
    ] {
        assert_eq!(never[field], Value::Null, "{field}");
    }
    assert_eq!(never["findings"], json!([]));
}

#[test]
fn strings_from_the_wire_are_bounded_and_have_no_control_characters() {
    let mut hostile = fixtures::name_mismatch();
    let query = &mut hostile.observation.resolution.queries[0];
    query.chain = vec!["x".repeat(5_000); 40].iter().collect();
    let certificate = hostile.observation.connections[0].certificate.as_mut();
    let leaf = certificate.expect("a certificate").leaf_mut();
    leaf.names = vec!["\u{1b}]0;\u{7}".repeat(999); 999].iter().collect();
    let report = as_json(&TargetReport::from(&hostile));
    let names = &report["connections"][0]["certificate"]["names"];
    for list in [&report["dns"]["chain"], names] {
        let list = list.as_array().expect("a list");
        assert_eq!(list.len(), NAMES);
        for name in list.iter().filter_map(Value::as_str) {
            assert!(name.len() <= privatelink_verdict::sanitize::WIRE_BYTES);
            assert!(!name.chars().any(char::is_control), "{name}");
        }
    }
}

#[test]
fn one_target_alone_also_has_its_history() {
    let board = fixtures::board();
    let entry = board.entry("kv-prod.vault.azure.net").expect("the target");
    let report = as_json(&Report::of_entry(&board, entry));
    let target = &report["targets"][0];
    assert_eq!(target["history"][0]["reason"], "public_fallback");
    assert_eq!(target["historySince"], "2026-11-03T08:10:30.250Z");
    // Kept in whole seconds.
    assert_eq!(target["lastNonPrivateAt"], "2026-11-03T08:15:30.000Z");
}
