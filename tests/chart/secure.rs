//! Secure: what the restricted Pod Security level requires, and further restrictions.

use serde_json::json;

use super::helm::{MINIMAL, pods, render, single};

const EVERYTHING: &str = include_str!("values/everything.yaml");

#[test]
fn both_pods_satisfy_the_restricted_pod_security_level() {
    for values in [MINIMAL, EVERYTHING] {
        for pod in pods(values) {
            let spec = &pod["spec"];
            for host in ["hostNetwork", "hostPID", "hostIPC"] {
                assert!(spec[host].is_null(), "{host}");
            }
            assert_eq!(spec["securityContext"]["runAsNonRoot"], true);
            assert_eq!(spec["securityContext"]["runAsUser"], 65532);
            assert_eq!(
                spec["securityContext"]["seccompProfile"]["type"],
                "RuntimeDefault"
            );
            let containers = spec["containers"].as_array().into_iter();
            let containers = containers.chain(spec["initContainers"].as_array());
            for container in containers.flatten() {
                assert_eq!(
                    container["securityContext"],
                    json!({"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
                           "capabilities": {"drop": ["ALL"]}})
                );
                for port in container["ports"].as_array().into_iter().flatten() {
                    assert!(port["hostPort"].is_null());
                }
            }
            for volume in spec["volumes"].as_array().expect("volumes") {
                assert!(volume["hostPath"].is_null(), "{volume}");
            }
        }
    }
}

#[test]
fn no_token_is_mounted_and_no_role_is_given_to_the_agents() {
    for values in [MINIMAL, EVERYTHING] {
        for pod in pods(values) {
            assert_eq!(pod["spec"]["automountServiceAccountToken"], false);
        }
        let objects = render(values);
        let account = single("ServiceAccount", &objects);
        assert_eq!(account["automountServiceAccountToken"], false);
        let name = &account["metadata"]["name"];
        let bindings = objects.iter().filter(|object| {
            let kind = object["kind"].as_str();
            kind.is_some_and(|kind| kind.ends_with("RoleBinding"))
        });
        let subjects: Vec<_> = bindings
            .flat_map(|binding| binding["subjects"].as_array().expect("subjects"))
            .map(|subject| &subject["name"])
            .collect();
        assert!(
            !subjects.is_empty() && !subjects.contains(&name),
            "{subjects:?}"
        );
    }
}

#[test]
fn service_meshes_do_not_inject_a_sidecar() {
    for pod in pods(MINIMAL) {
        let annotations = &pod["metadata"]["annotations"];
        assert_eq!(annotations["linkerd.io/inject"], "disabled");
        assert_eq!(annotations["dapr.io/enabled"], "false");
        assert_eq!(annotations["sidecar.istio.io/inject"], "false");
        let labels = &pod["metadata"]["labels"];
        assert_eq!(labels["sidecar.istio.io/inject"], "false");
        assert_eq!(labels["istio.io/dataplane-mode"], "none");
    }
}

/// The kubelet does not update a subPath mount.
#[test]
fn nothing_is_mounted_as_a_sub_path() {
    for pod in pods(EVERYTHING) {
        for mount in pod["spec"]["containers"][0]["volumeMounts"]
            .as_array()
            .expect("mounts")
        {
            assert!(mount["subPath"].is_null(), "{mount}");
        }
    }
}

#[test]
fn the_network_policy_allows_the_metrics_port_and_does_not_restrict_egress() {
    let objects = render(MINIMAL);
    let policy = &single("NetworkPolicy", &objects)["spec"];
    assert_eq!(policy["policyTypes"], json!(["Ingress"]));
    assert_eq!(
        policy["ingress"],
        json!([{"ports": [{"port": "metrics", "protocol": "TCP"}]}])
    );
    assert!(policy["egress"].is_null());
}

#[test]
fn egress_is_restricted_on_request_only() {
    let rule = "{to: [{ipBlock: {cidr: 10.0.0.0/8}}]}";
    let objects = render(&format!("{MINIMAL}networkPolicy: {{egress: [{rule}]}}\n"));
    let policy = &single("NetworkPolicy", &objects)["spec"];
    assert_eq!(policy["policyTypes"], json!(["Ingress", "Egress"]));
    assert_eq!(
        policy["egress"],
        json!([{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}])
    );
    let none = render(&format!("{MINIMAL}networkPolicy: {{enabled: false}}\n"));
    assert!(none.iter().all(|object| object["kind"] != "NetworkPolicy"));
}
