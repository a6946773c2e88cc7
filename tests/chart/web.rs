//! Web: TLS, passwords and the API server's authorization, and that nothing of it is there by default.

use serde_json::{Value, json};

use super::helm::{MINIMAL, observers, refused, render, rendered, single, yaml};

/// TLS and passwords, and how the observer reads.
pub(crate) const WEB: &str = "
config: {targets: [{host: kv-prod.vault.azure.net}]}
serviceMonitor:
  enabled: true
  basicAuth: {username: {name: scrape, key: user}, password: {name: scrape, key: password}}
  authorization: {credentials: {name: scrape, key: token}}
scrapeAnnotations: {enabled: true}
web:
  secret: prober-tls
  config:
    tls_server_config: {cert_file: tls.crt, key_file: tls.key}
    basic_auth_users: {prometheus: $2y$10$a, observer: $2y$10$b}
  client: {basic_auth: {username: observer, password_file: password}}
  clientSecret: prober-client
";

/// The same, with the hashes of the passwords in a Secret of one's own.
const EXISTING: &str = "
config: {targets: [{host: kv-prod.vault.azure.net}]}
serviceMonitor: {enabled: true}
web:
  existingSecret: mine
  tls: true
  secret: prober-tls
  client: {basic_auth: {username: observer, password_file: password}}
  clientSecret: prober-client
";

fn container(object: &Value) -> &Value {
    &object["spec"]["template"]["spec"]["containers"][0]
}

fn arguments(object: &Value) -> Vec<&str> {
    let arguments = container(object)["args"].as_array().expect("arguments");
    arguments.iter().filter_map(Value::as_str).collect()
}

fn sources(object: &Value) -> Vec<Value> {
    let volumes = object["spec"]["template"]["spec"]["volumes"].as_array();
    let mut volumes = volumes.expect("volumes").iter();
    let web = volumes.find(|volume| volume["name"] == "web");
    let sources = &web.expect("the volume")["projected"]["sources"];
    sources.as_array().expect("sources").clone()
}

/// One key of a Secret, as a source of a volume.
fn item(secret: &str, key: &str) -> Value {
    json!({"secret": {"name": secret, "items": [{"key": key, "path": key}]}})
}

#[test]
fn by_default_the_port_is_as_it_was() {
    let text = rendered(&format!("{MINIMAL}serviceMonitor: {{enabled: true}}"));
    for word in [
        "web-config",
        "client-config",
        "--authorize",
        "scheme: https",
        "tokenreviews",
    ] {
        assert!(!text.contains(word), "{word}");
    }
}

#[test]
fn agents_and_observer_read_the_web_configuration_and_the_observer_alone_how_to_read_agents() {
    let objects = render(WEB);
    let secret = single("Secret", &objects);
    assert_eq!(secret["metadata"]["name"], "t-privatelink-prober-web");
    let config = yaml(
        secret["stringData"]["web-config.yaml"]
            .as_str()
            .expect("a text"),
    );
    assert_eq!(config["tls_server_config"]["cert_file"], "tls.crt");
    let client = yaml(
        secret["stringData"]["client-config.yaml"]
            .as_str()
            .expect("a text"),
    );
    assert_eq!(
        client,
        json!({"basic_auth": {"username": "observer", "password_file": "password"},
               "tls_config": {"ca_file": "ca.crt", "server_name": "t-privatelink-prober.watch.svc"}})
    );
    let file = "--web-config-file=/etc/privatelink-prober/web/web-config.yaml";
    let agent = single("DaemonSet", &objects);
    let observer = observers("Deployment", &objects);
    for object in [agent, observer] {
        assert!(arguments(object).contains(&file), "{object}");
        let mounts = container(object)["volumeMounts"]
            .as_array()
            .expect("mounts");
        assert!(
            mounts
                .iter()
                .any(|mount| mount["mountPath"] == "/etc/privatelink-prober/web")
        );
    }
    let own = item("t-privatelink-prober-web", "web-config.yaml");
    let how = item("t-privatelink-prober-web", "client-config.yaml");
    let secret = |name: &str| json!({"secret": {"name": name}});
    let tls = secret("prober-tls");
    assert_eq!(sources(agent), [own.clone(), tls.clone()]);
    assert_eq!(sources(observer), [own, how, tls, secret("prober-client")]);
    let client = "--client-config-file=/etc/privatelink-prober/web/client-config.yaml";
    assert!(arguments(observer).contains(&client) && !arguments(agent).contains(&client));
}

#[test]
fn an_existing_secret_has_the_web_configuration_in_place_of_the_values() {
    let objects = render(EXISTING);
    let agent = single("DaemonSet", &objects);
    let observer = observers("Deployment", &objects);
    for object in [agent, observer] {
        assert_eq!(sources(object)[0], item("mine", "web-config.yaml"));
        let file = "--web-config-file=/etc/privatelink-prober/web/web-config.yaml";
        assert!(arguments(object).contains(&file), "{object}");
    }
    // How the observer reads agents is no secret, and stays in the values.
    let own = single("Secret", &objects)["stringData"].as_object();
    let keys: Vec<_> = own.expect("keys").keys().collect();
    assert_eq!(keys, ["client-config.yaml"]);
    let endpoint = &single("ServiceMonitor", &objects)["spec"]["endpoints"][0];
    assert_eq!(endpoint["scheme"], "https");
    assert_eq!(endpoint["tlsConfig"]["ca"]["secret"]["name"], "prober-tls");

    let alone = render(&format!("{EXISTING}observer: {{enabled: false}}\n"));
    assert!(alone.iter().all(|object| object["kind"] != "Secret"));
    let plain = rendered(&EXISTING.replace("tls: true", "tls: false"));
    assert!(!plain.contains("scheme: https") && !plain.contains("server_name"));
}

#[test]
fn probes_of_the_kubelet_stay_as_they_are() {
    let (plain, protected) = (render(MINIMAL), render(WEB));
    let containers = |objects: &[Value]| {
        let agent = container(single("DaemonSet", objects)).clone();
        [agent, container(observers("Deployment", objects)).clone()]
    };
    for (before, after) in containers(&plain).iter().zip(&containers(&protected)) {
        for probe in ["livenessProbe", "readinessProbe"] {
            assert!(before[probe]["httpGet"]["path"].is_string(), "{before}");
            assert_eq!(before[probe], after[probe]);
        }
    }
}

#[test]
fn monitors_verify_the_certificate_and_sign_in() {
    let of_agent =
        |objects: &[Value]| single("ServiceMonitor", objects)["spec"]["endpoints"][0].clone();
    let of_observer =
        |objects: &[Value]| observers("ServiceMonitor", objects)["spec"]["endpoints"][0].clone();
    let tls = json!({"serverName": "t-privatelink-prober.watch.svc",
                     "ca": {"secret": {"name": "prober-tls", "key": "ca.crt"}}});
    let objects = render(WEB);
    for endpoint in [of_agent(&objects), of_observer(&objects)] {
        assert_eq!(endpoint["scheme"], "https");
        assert_eq!(endpoint["tlsConfig"], tls);
        assert_eq!(endpoint["basicAuth"]["username"]["name"], "scrape");
        assert!(endpoint["authorization"].is_null());
    }
    let agent = &single("DaemonSet", &objects)["spec"]["template"]["metadata"]["annotations"];
    assert_eq!(agent["prometheus.io/scheme"], "https");
    // A token for the observer, where the API server says who may read; a password for agents as before.
    let objects = render(&format!(
        "{WEB}observer: {{authorization: {{enabled: true}}}}\n"
    ));
    assert!(of_agent(&objects)["authorization"].is_null());
    let endpoint = of_observer(&objects);
    assert_eq!(endpoint["authorization"]["credentials"]["key"], "token");
    assert!(endpoint["basicAuth"].is_null(), "{endpoint}");
}

#[test]
fn the_right_to_review_tokens_is_there_only_where_the_api_server_says_who_may_read() {
    let on = format!("{MINIMAL}observer: {{authorization: {{enabled: true}}}}\n");
    let objects = render(&on);
    let role = objects.iter().find(|object| {
        let name = object["metadata"]["name"].as_str();
        object["kind"] == "ClusterRole" && name.is_some_and(|name| name.ends_with("-authorization"))
    });
    let rules = &role.expect("a role")["rules"];
    assert_eq!(
        rules,
        &json!([
            {"apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]},
            {"apiGroups": ["authorization.k8s.io"], "resources": ["subjectaccessreviews"], "verbs": ["create"]},
        ])
    );
    assert!(arguments(observers("Deployment", &objects)).contains(&"--authorize"));
}

#[test]
fn values_that_would_blind_the_observer_or_have_no_effect_are_refused() {
    for (values, said) in [
        (
            "web: {config: {tls_server_config: {cert_file: tls.crt, key_file: tls.key}}}",
            "web.secret is empty",
        ),
        ("web: {secret: prober-tls}", "web.config is empty"),
        ("web: {tls: true}", "which is empty; remove web.tls"),
        (
            "web: {existingSecret: mine, tls: true}",
            "by ca.crt of web.secret, which is empty",
        ),
        (
            "web: {existingSecret: mine, config: {basic_auth_users: {a: $2y$10$a}}}",
            "web.config has no effect beside web.existingSecret",
        ),
        (
            "web: {config: {basic_auth_users: {a: $2y$10$a}}}",
            "write a user of them into web.client.basic_auth",
        ),
        (
            "web: {secret: s, config: {tls_server_config: {cert_file: a, key_file: b, client_ca_file: c, client_auth_type: RequireAndVerifyClientCert}}}",
            "name its certificate and key in web.client.tls_config",
        ),
        (
            "extraArgs: [--web-config-file=x]",
            "is what the chart sets by itself",
        ),
        (
            "web: {config: {basic_auth: {}}}",
            "additional properties 'basic_auth' not allowed",
        ),
    ] {
        let message = refused(&format!("{MINIMAL}{values}\n"));
        assert!(message.contains(said), "{values}: {message}");
    }
}
