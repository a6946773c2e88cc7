//! Manifests: the API server, or the Prometheus operator, knows every field.
//!
//! tests/chart/schemas makes the schemas from the API server's `OpenAPI` documents and the operator's
//! CRDs, and they refuse unknown fields. What the grafana-operator knows is written down there. Objects of
//! azmonitoring.coreos.com are checked with the operator's schema of the same kind, which Azure copied. The
//! API server checks more than a schema can (names, selectors, admission); the end-to-end tests cover that.

use std::path::PathBuf;

use super::helm::{MINIMAL, ROOT, rendered, run};

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
    let message = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        Ok(message)
    } else {
        Err(message)
    }
}

#[test]
fn the_api_server_knows_every_field() {
    let monitor = "serviceMonitor: {enabled: true, relabelings: [{action: labeldrop, regex: x}]}\n";
    let deployed = std::fs::read_to_string(format!("{ROOT}/deploy/privatelink-prober.yaml"));
    for (what, manifests) in [
        ("the least", rendered(MINIMAL)),
        ("everything", rendered(EVERYTHING)),
        ("web", rendered(super::web::WEB)),
        (
            "the network of the nodes",
            rendered(&format!("{EVERYTHING}hostNetwork: {{enabled: true}}\n")),
        ),
        (
            "a service monitor",
            rendered(&format!("{MINIMAL}{monitor}")),
        ),
        ("plain", deployed.expect("deploy/privatelink-prober.yaml")),
    ] {
        let message = checked(&manifests).unwrap_or_else(|message| panic!("{what}: {message}"));
        assert!(message.contains("Skipped: 0"), "{what}: {message}");
    }
}

#[test]
fn an_unknown_field_is_noticed_at_every_depth() {
    let manifests = rendered(EVERYTHING);
    for (known, unknown) in [
        ("dnsPolicy:", "dnsPolice:"),
        ("targetLabel:", "targetLable:"),
        ("policyTypes:", "policyType:"),
        ("expr:", "expression:"),
        ("instanceSelector:", "selector:"),
    ] {
        assert!(manifests.contains(known));
        let message = checked(&manifests.replace(known, unknown)).expect_err(unknown);
        assert!(message.contains(unknown.trim_end_matches(':')), "{message}");
    }
}
