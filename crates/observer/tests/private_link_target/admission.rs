//! Which objects are probed: what a tenant may not do, and what happens when objects compete.

use privatelink_observer::private_link_target::admission::AdmissionRules;
use privatelink_verdict::admission::Allowed;
use privatelink_verdict::sanitize::{SENTENCE_BYTES, acts};
use serde_json::{Value, json};

use super::{decided, rules, said, verdict};

#[test]
fn a_service_of_the_catalogue_is_probed_under_the_name_of_the_object() {
    let admission = decided(
        &[("payments/kv", json!({"host": "kv-prod.vault.azure.net"}))],
        &rules(),
    );
    assert_eq!(
        said(&admission, "payments/kv"),
        ("Accepted", "It is probed from every node as payments:kv.")
    );
    assert_eq!(
        admission.targets[0].line(),
        "- {\"source\":\"crd\",\"name\":\"payments:kv\",\"host\":\"kv-prod.vault.azure.net\",\"port\":443}\n"
    );
    assert_eq!(
        admission.targets[0].endpoints,
        [("kv-prod.vault.azure.net".to_owned(), 443)]
    );
}

/// The agents dial only what the rules allow, whatever the host is called.
#[test]
fn hosts_that_are_none_and_names_of_the_cluster_are_refused_with_what_to_write() {
    for (host, reason, words) in [
        ("10.1.2.3", "InvalidSpec", "is an IP address"),
        ("[fd00::1]", "InvalidSpec", "is an IP address"),
        ("169.254.169.254", "InvalidSpec", "is an IP address"),
        ("0x7f000001", "ClusterInternalHost", "full name"),
        ("127.1", "InvalidSpec", "ends in a number"),
        ("*.vault.azure.net", "InvalidSpec", "wildcard"),
        ("localhost", "ClusterInternalHost", "full name"),
        ("kubernetes", "ClusterInternalHost", "full name"),
        ("api.default.svc", "ClusterInternalHost", "full name"),
        (
            "api.default.svc.cluster.local",
            "ClusterInternalHost",
            "full name",
        ),
        ("a.b.svc.corp.example", "ClusterInternalHost", "full name"),
        ("schlüssel.vault.azure.net", "InvalidSpec", "xn--"),
        (
            "kv.vault.azure.net.evil.example",
            "HostNotAllowed",
            "allowedHosts",
        ),
        ("kvvault.azure.net", "HostNotAllowed", "allowedHosts"),
        ("vault.azure.net.", "HostNotAllowed", "allowedHosts"),
        ("kv.vault.azure.net:8443", "InvalidSpec", "`port: 8443`"),
        ("https://kv.vault.azure.net/x", "InvalidSpec", "host alone"),
        (
            "kv.vault.azure.net\u{0}",
            "InvalidSpec",
            "not allowed in it",
        ),
        ("kv\u{202e}.vault.azure.net", "InvalidSpec", "xn--"),
        ("kv .vault.azure.net", "InvalidSpec", "not allowed in it"),
        ("<b>.vault.azure.net", "InvalidSpec", "not allowed in it"),
        ("", "InvalidSpec", "is empty"),
    ] {
        let (found, message) = verdict(&json!({"host": host}));
        assert_eq!(found, reason, "{host}: {message}");
        assert!(message.contains(words), "{host}: {message}");
        assert!(!message.contains(acts), "{message:?}");
    }
}

#[test]
fn only_the_ports_of_the_service_are_dialled_and_a_message_names_them() {
    let spec = |port| json!({"host": "kv-prod.vault.azure.net", "port": port});
    assert_eq!(verdict(&spec(443)).0, "Accepted");
    let (reason, message) = verdict(&spec(22));
    assert_eq!(reason, "PortNotAllowed");
    assert!(message.contains("the port 22; write 443"), "{message}");
    for port in [0, -1, 65_536, i32::MAX] {
        assert_eq!(verdict(&spec(port)).0, "InvalidSpec", "{port}");
    }
}

#[test]
fn the_operator_may_allow_a_host_and_with_it_every_port() {
    let allowing = AdmissionRules {
        allowed: vec![Allowed::Below("internal.example.com".to_owned())],
        ..rules()
    };
    let specs = [
        (
            "a/in",
            json!({"host": "orders.internal.example.com", "port": 8443}),
        ),
        ("a/beside", json!({"host": "orders.xinternal.example.com"})),
        ("a/zone", json!({"host": "internal.example.com"})),
    ];
    let admission = decided(&specs, &allowing);
    assert_eq!(said(&admission, "a/in").0, "Accepted");
    assert_eq!(said(&admission, "a/beside").0, "HostNotAllowed");
    assert_eq!(said(&admission, "a/zone").0, "HostNotAllowed");
    assert_eq!(decided(&specs, &rules()).targets.len(), 0);
}

/// Each connection that does not log in counts against the node, and any tenant can name any server.
#[test]
fn no_tenant_makes_the_nodes_connect_to_mysql() {
    let host = "db.mysql.database.azure.com";
    assert_eq!(verdict(&json!({"host": host})).0, "Accepted");
    for protocol in ["mysql", "tcp", "tls"] {
        let (reason, message) = verdict(&json!({"host": host, "protocol": protocol}));
        assert_eq!(reason, "ProtocolNotAllowed", "{protocol}");
        assert!(message.contains("remove protocol"), "{message}");
    }
}

/// The keys that only the operator may write are none of the kind.
#[test]
fn keys_of_the_operator_and_unknown_ones_are_refused_and_never_ignored() {
    for key in ["classify", "resolver", "sameService", "name", "hots"] {
        let (reason, message) = verdict(&json!({"host": "kv.vault.azure.net", key: {}}));
        assert_eq!(reason, "InvalidSpec", "{key}");
        assert!(message.contains(key), "{message}");
    }
}

#[test]
fn values_out_of_their_bounds_are_refused_with_the_key_and_the_bounds() {
    for (key, value, words) in [
        ("interval", json!("0s"), "between 1s and 24h"),
        ("interval", json!("25h"), "between 1s and 24h"),
        ("interval", json!("30"), "is not a duration"),
        ("timeout", json!("1s"), "between 2s and 10m"),
        ("timeout", json!("11m"), "between 2s and 10m"),
        ("expect", json!("private"), "privateEndpoint"),
        ("protocol", json!("https"), "tls, tcp"),
        ("addressFamilies", json!([]), "ipv4"),
        ("addressFamilies", json!(["ipv5"]), "ipv4"),
        ("expectedCidrs", json!(["10.1.2.0/33"]), "is not a network"),
        ("expectedCidrs", json!(["10.1.2.3/24"]), "10.1.2.0/24"),
        ("expectedCidrs", json!(["::ffff:10.0.0.0/104"]), "IPv4"),
        (
            "expectedCidrs",
            json!(vec!["10.0.0.0/8"; 17]),
            "16 are allowed",
        ),
        ("dataRegions", json!(["westeurope"]), "container registry"),
        ("dataRegions", json!(["West Europe"]), "West Europe"),
        ("owner", json!(" "), "128"),
        ("owner", json!("a\u{1b}[31m"), "128"),
        ("owner", json!("x".repeat(129)), "128"),
        ("serverName", json!("*.example.com"), "spec.serverName"),
        ("privateZone", json!("10.0.0.1"), "spec.privateZone"),
        ("http", json!("yes"), "invalid type"),
        ("port", json!("443"), "invalid type"),
    ] {
        let (reason, message) = verdict(&json!({"host": "kv.vault.azure.net", key: value}));
        assert_eq!(reason, "InvalidSpec", "{key}: {message}");
        assert!(message.contains(words), "{key}: {message}");
    }
}

/// The agents hold every address to `deniedCidrs` again, after they resolved the name.
#[test]
fn an_expected_network_that_is_denied_is_refused_at_once() {
    let denying = AdmissionRules {
        denied: vec!["10.0.0.0/16".parse().expect("a network")],
        ..rules()
    };
    let spec = |network: &str| json!({"host": "kv.vault.azure.net", "expectedCidrs": [network]});
    let admission = decided(&[("a/a", spec("10.0.3.0/24"))], &denying);
    assert_eq!(said(&admission, "a/a").0, "NetworkDenied");
    let admission = decided(&[("a/a", spec("10.1.3.0/24"))], &denying);
    assert_eq!(said(&admission, "a/a").0, "Accepted");
}

#[test]
fn of_two_objects_with_other_settings_the_older_is_probed_and_the_younger_says_which() {
    let public = json!({"host": "kv.vault.azure.net", "expect": "public"});
    let private = json!({"host": "KV.Vault.Azure.NET.", "expect": "privateEndpoint"});
    let admission = decided(
        &[("z/old", public.clone()), ("a/new", private.clone())],
        &rules(),
    );
    assert_eq!(said(&admission, "z/old").0, "Accepted");
    let (reason, message) = said(&admission, "a/new");
    assert_eq!(reason, "Conflict");
    assert!(message.contains("z:old"), "{message}");
    assert_eq!(admission.targets.len(), 1);
    // When the older one is gone, the younger one has the host.
    let admission = decided(&[("a/new", private)], &rules());
    assert_eq!(said(&admission, "a/new").0, "Accepted");
}

#[test]
fn objects_of_the_same_age_are_decided_by_name_and_not_by_their_order() {
    let objects = ["b/x", "a/y"].map(|name| {
        let expect = if name == "a/y" { "auto" } else { "public" };
        super::object(
            name,
            0,
            &json!({"host": "kv.vault.azure.net", "expect": expect}),
        )
    });
    for order in [[0, 1], [1, 0]] {
        let kept = super::listed(&order.map(|index| objects[index].clone()));
        let admission =
            privatelink_observer::private_link_target::admission::admission(kept.iter(), &rules());
        assert_eq!(said(&admission, "a/y").0, "Accepted");
        assert_eq!(said(&admission, "b/x").0, "Conflict");
    }
}

#[test]
fn the_same_host_with_the_same_settings_is_probed_once_for_both() {
    let first = json!({"host": "kv.vault.azure.net", "interval": "90s", "owner": "one"});
    let second = json!({"host": "KV.vault.azure.net.", "port": 443, "interval": "1m30s"});
    let admission = decided(&[("a/one", first), ("b/two", second)], &rules());
    let (reason, message) = said(&admission, "b/two");
    assert_eq!(reason, "SameAsOlder");
    assert!(message.contains("a:one"), "{message}");
    assert_eq!(admission.targets.len(), 1);
}

#[test]
fn the_order_of_a_list_is_no_other_setting() {
    let spec =
        |networks: [&str; 2]| json!({"host": "kv.vault.azure.net", "expectedCidrs": networks});
    let specs = [
        ("a/one", spec(["10.1.0.0/24", "10.2.0.0/24"])),
        ("b/two", spec(["10.2.0.0/24", "10.1.0.0/24"])),
    ];
    assert_eq!(said(&decided(&specs, &rules()), "b/two").0, "SameAsOlder");
}

/// A host that the operator allows may have any port; its data endpoints are not that host.
#[test]
fn a_data_endpoint_is_held_to_the_ports_of_the_service() {
    let allowing = AdmissionRules {
        allowed: vec![Allowed::Host("contoso.azurecr.io".to_owned())],
        ..rules()
    };
    let spec =
        |port: u16| json!({"host": "contoso.azurecr.io", "port": port, "dataRegions": ["uksouth"]});
    let admission = decided(&[("a/a", spec(8443))], &allowing);
    assert_eq!(said(&admission, "a/a").0, "PortNotAllowed");
    let admission = decided(&[("a/a", spec(443))], &allowing);
    assert_eq!(said(&admission, "a/a").0, "Accepted");
}

#[test]
fn a_data_endpoint_is_held_like_any_other_host() {
    let registry =
        json!({"host": "contoso.azurecr.io", "dataRegions": ["WestEurope", "westeurope"]});
    let endpoint = json!({"host": "contoso.westeurope.data.azurecr.io"});
    let admission = decided(&[("a/acr", registry), ("b/data", endpoint)], &rules());
    assert_eq!(
        admission.targets[0].endpoints,
        [
            ("contoso.azurecr.io".to_owned(), 443),
            ("contoso.westeurope.data.azurecr.io".to_owned(), 443),
        ]
    );
    assert_eq!(said(&admission, "b/data").0, "Conflict");
}

#[test]
fn the_operators_own_target_comes_first() {
    let configured = AdmissionRules {
        configured: [("kv.vault.azure.net".to_owned(), 443)].into(),
        ..rules()
    };
    let admission = decided(
        &[("a/a", json!({"host": "kv.vault.azure.net"}))],
        &configured,
    );
    assert_eq!(said(&admission, "a/a").0, "ConfiguredByOperator");
    assert_eq!(admission.targets.len(), 0);
}

#[test]
fn a_name_that_the_operator_gave_to_another_target_is_refused_as_agents_would_refuse_it() {
    let configured = AdmissionRules {
        names: ["a:taken".to_owned(), "a:acr:data:westeurope".to_owned()].into(),
        ..rules()
    };
    let registry = json!({"host": "contoso.azurecr.io", "dataRegions": ["westeurope"]});
    let admission = decided(
        &[
            ("a/taken", json!({"host": "kv.vault.azure.net"})),
            ("a/acr", registry.clone()),
            ("b/acr", registry),
        ],
        &configured,
    );
    let (reason, message) = said(&admission, "a/taken");
    assert_eq!(reason, "ConfiguredByOperator");
    assert!(message.contains("another name"), "{message}");
    assert_eq!(said(&admission, "a/acr").0, "ConfiguredByOperator");
    assert_eq!(said(&admission, "b/acr").0, "Accepted");
}

#[test]
fn a_namespace_makes_as_many_targets_as_are_allowed_and_the_oldest_have_them() {
    let capped = AdmissionRules {
        most_per_namespace: 3,
        ..rules()
    };
    let host = |name: &str| json!({"host": format!("{name}.vault.azure.net")});
    let admission = decided(
        &[
            ("a/one", host("one")),
            (
                "a/acr",
                json!({"host": "contoso.azurecr.io", "dataRegions": ["westeurope", "uksouth"]}),
            ),
            ("a/two", host("two")),
            ("a/three", host("three")),
            ("a/four", host("four")),
            ("b/one", host("other")),
        ],
        &capped,
    );
    for (name, reason) in [
        ("a/one", "Accepted"),
        // It would be three more.
        ("a/acr", "TooManyInNamespace"),
        ("a/two", "Accepted"),
        ("a/three", "Accepted"),
        ("a/four", "TooManyInNamespace"),
        ("b/one", "Accepted"),
    ] {
        assert_eq!(said(&admission, name).0, reason, "{name}");
    }
}

#[test]
fn all_namespaces_together_make_no_more_targets_than_the_agents_take() {
    let capped = AdmissionRules { most: 1, ..rules() };
    let host = |name: &str| json!({"host": format!("{name}.vault.azure.net")});
    let admission = decided(&[("a/a", host("one")), ("b/b", host("two"))], &capped);
    assert_eq!(said(&admission, "b/b").0, "TooManyTargets");
}

#[test]
fn a_name_that_is_too_long_for_a_label_is_refused() {
    let name = format!("{}/{}", "n".repeat(63), "x".repeat(189));
    let host = json!({"host": "contoso.azurecr.io"});
    let admission = decided(&[(&name, host)], &rules());
    assert_eq!(said(&admission, &name).0, "Accepted");
    let with_region = json!({"host": "contoso.azurecr.io", "dataRegions": ["westeurope"]});
    let admission = decided(&[(&name, with_region)], &rules());
    assert_eq!(said(&admission, &name).0, "InvalidSpec");
}

#[test]
fn malformed_and_huge_objects_are_refused_and_the_others_go_on() {
    let huge = "x".repeat(1 << 20);
    let hostile: Vec<(String, Value)> = [
        Value::Null,
        json!("text"),
        json!([]),
        json!({}),
        json!({"host": null}),
        json!({"host": 7}),
        json!({"host": huge}),
        json!({"host": format!("https://{huge}/")}),
        json!({"host": "kv.vault.azure.net", "port": huge}),
        json!({"host": "kv.vault.azure.net", "owner": huge}),
        json!({"host": "kv.vault.azure.net", "expectedCidrs": vec!["10.0.0.0/8"; 100_000]}),
        json!({"host": "kv.vault.azure.net", huge.as_str(): 1}),
    ]
    .into_iter()
    .enumerate()
    .map(|(index, spec)| (format!("a/bad-{index}"), spec))
    .collect();
    let good = ("b/good", json!({"host": "kv.vault.azure.net"}));
    let specs: Vec<_> = hostile
        .iter()
        .map(|(name, spec)| (name.as_str(), spec.clone()))
        .chain([good])
        .collect();
    let admission = decided(&specs, &rules());
    for (name, _) in &hostile {
        let (reason, message) = said(&admission, name);
        assert_eq!(reason, "InvalidSpec", "{name}");
        assert!(message.len() <= SENTENCE_BYTES, "{name}: {}", message.len());
    }
    assert_eq!(said(&admission, "b/good").0, "Accepted");
}
