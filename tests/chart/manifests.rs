//! Manifests: every field is one that the API server, or the Prometheus operator, knows.
//!
//! The schemas are made from the API server's own `OpenAPI` and the operator's CRDs by
//! tests/chart/schemas, closed against unknown fields. Objects of azmonitoring.coreos.com are checked against the operator's
//! schema of the same kind, of which they are a copy. The API server checks more than a schema can
//! (names, selectors, admission); that is for the tests with a cluster.

use std::path::PathBuf;

use super::helm::{LEAST, ROOT, rendered, run};

const EVERYTHING: &str = include_str!("values/everything.yaml");

fn schemas() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map_or_else(
        || PathBuf::from(std::env::var_os("HOME").expect("a home")).join(".cache"),
        PathBuf::from,
    );
    cache.join("privatelink-prober/schemas")
}

fn checked(manifests: &str) -> Result<String, String> {
    let schemas = schemas();
    let location = format!(
        "{}/{{{{ .ResourceKind }}}}-{{{{ .ResourceAPIVersion }}}}.json",
        schemas.display()
    );
    let arguments = ["-strict", "-summary", "-schema-location", &location, "-"];
    let output = run("kubeconform", &arguments, manifests);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        Ok(said)
    } else {
        Err(said)
    }
}

#[test]
fn the_api_server_knows_every_field() {
    let monitor = "serviceMonitor: {enabled: true, relabelings: [{action: labeldrop, regex: x}]}\n";
    let deployed = std::fs::read_to_string(format!("{ROOT}/deploy/privatelink-prober.yaml"));
    for (what, manifests) in [
        ("the least", rendered(LEAST)),
        ("everything", rendered(EVERYTHING)),
        ("a service monitor", rendered(&format!("{LEAST}{monitor}"))),
        ("plain", deployed.expect("deploy/privatelink-prober.yaml")),
    ] {
        let said = checked(&manifests).unwrap_or_else(|said| panic!("{what}: {said}"));
        assert!(said.contains("Skipped: 0"), "{what}: {said}");
    }
}

#[test]
fn an_unknown_field_would_be_noticed_wherever_it_stands() {
    let manifests = rendered(EVERYTHING);
    for (known, unknown) in [
        ("dnsPolicy:", "dnsPolice:"),
        ("targetLabel:", "targetLable:"),
        ("policyTypes:", "policyType:"),
        ("expr:", "expression:"),
    ] {
        assert!(manifests.contains(known));
        let said = checked(&manifests.replace(known, unknown)).expect_err(unknown);
        assert!(said.contains(unknown.trim_end_matches(':')), "{said}");
    }
}
