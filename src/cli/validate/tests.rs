use super::*;

fn explained(text: &str, output: Format, strict: bool) -> (u8, String, String) {
    let args = ValidateArgs {
        files: vec![PathBuf::from("config.yaml")],
        nodes: 200,
        output,
        strict,
    };
    let mut out = Vec::new();
    let plan = privatelink_config::load_text("config.yaml", text);
    let (code, err) = match explain(plan, &args, &mut out) {
        Ok(code) => (code, String::new()),
        Err(error) => (EXIT_USAGE, error.to_string()),
    };
    (code, String::from_utf8(out).expect("text"), err)
}

const EXAMPLE: &str = "
resolvers:
  - {name: pod, servers: [10.0.0.10], mustAgree: true}
  - {name: node, resolvConf: /etc/resolv.conf, mustAgree: true, pathFor: [registries, volumes]}
targets:
  - host: contoso.azurecr.io
    name: contoso-acr
    dataRegions: [westeurope]
  - host: kv-prod.vault.azure.net
    interval: 10s
  - host: sql-prod.database.windows.net
  - host: share.file.core.windows.net
  - host: orders.internal.example.com
    port: 8443
    expect: public
";

#[test]
fn the_expanded_targets_are_shown_with_what_was_decided_for_them() {
    let (code, out, err) = explained(EXAMPLE, Format::Table, true);
    assert_eq!((code, err.as_str()), (0, ""));
    insta::assert_snapshot!(out, @r#"
    TARGET                         HOST                                    SERVICE                  PROTOCOL   EXPECT           PATH  EVERY
    contoso-acr                    contoso.azurecr.io:443                  container-registry       tls, http  privateEndpoint  node  30s
    contoso-acr:data:westeurope    contoso.westeurope.data.azurecr.io:443  container-registry-data  tls        privateEndpoint  node  30s
    kv-prod.vault.azure.net        kv-prod.vault.azure.net:443             key-vault                tls, http  privateEndpoint  pod   10s
    sql-prod.database.windows.net  sql-prod.database.windows.net:1433      sql                      tds        privateEndpoint  pod   30s
    share.file.core.windows.net    share.file.core.windows.net:445         storage-file             tcp        privateEndpoint  node  30s
    orders.internal.example.com    orders.internal.example.com:8443        custom                   tls        public           pod   30s

    RESOLVER  SERVERS
    pod       10.0.0.10:53      a difference is a finding
    node      /etc/resolv.conf  a difference is a finding

    Each node asks about 0.72 DNS queries, opens 0.27 connections and sends 0.0033 service requests a second (limits.maxDnsQps: 50).
    200 nodes: 144 DNS queries, 53 connections and 0.67 service requests a second. Should all of them start at once: 173 DNS queries a second, for 15s.
    "#);
}

#[test]
fn the_same_is_said_to_programs() {
    let (code, out, _) = explained(EXAMPLE, Format::Json, true);
    let json: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((code, &json["valid"]), (0, &json!(true)));
    assert_eq!(json["targets"].as_array().map(Vec::len), Some(6));
    assert_eq!(json["targets"][3]["protocol"], "tds");
    assert_eq!(json["targets"][3]["path"], "pod");
    assert_eq!(json["targets"][4]["path"], "node");
    assert_eq!(json["demand"]["nodes"], 200);
}

#[test]
fn a_warning_is_an_error_only_under_strict() {
    let text = "targets: [{host: kv.vault.azure.net, interval: 6s}]";
    let (code, out, _) = explained(text, Format::Table, false);
    assert_eq!(code, 0);
    assert!(
        out.contains("warning: config.yaml:1:48: the interval"),
        "{out}"
    );
    let (code, _, err) = explained(text, Format::Table, true);
    assert_eq!(code, 2);
    assert!(err.ends_with("--strict allows none"), "{err}");
    let (code, out, _) = explained(text, Format::Json, true);
    let json: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((code, &json["valid"]), (2, &json!(false)));
}

#[test]
fn more_queries_than_a_private_resolver_answers_are_a_warning() {
    let targets: Vec<String> = (0..400)
        .map(|n| format!("{{host: kv-{n}.vault.azure.net}}"))
        .collect();
    let text = |count: usize| {
        let targets = targets[..count].join(", ");
        format!("{{limits: {{maxDnsQps: 100}}, targets: [{targets}]}}")
    };
    // 200 nodes: 2 queries in 15 s are 26.7 a target.
    let (_, out, _) = explained(&text(370), Format::Json, false);
    let json: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(json["warnings"], json!([]));
    let (code, out, _) = explained(&text(380), Format::Table, false);
    assert_eq!(code, 0);
    assert!(
        out.contains(
            "warning: 200 nodes ask about 5827 DNS queries a second, and 10133 when they start at once; an \
             inbound endpoint of Azure DNS Private Resolver answers 10000"
        ),
        "{out}"
    );
}

#[test]
fn errors_have_their_place_for_people_and_for_programs() {
    let text = "targets: [{host: 10.1.2.3}]";
    let (code, out, err) = explained(text, Format::Table, false);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains("config.yaml:1:18: "), "{err}");
    let (code, out, err) = explained(text, Format::Json, false);
    assert_eq!((code, err.as_str()), (2, ""));
    let json: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(json["errors"][0]["line"], 1);
    assert_eq!(json["errors"][0]["column"], 18);
}

#[test]
fn that_postgresql_is_probed_less_often_is_noted_and_no_warning() {
    let text = "targets: [{host: db.postgres.database.azure.com}]";
    let (code, out, err) = explained(text, Format::Table, true);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(
        out.contains("postgres  privateEndpoint  system  1m"),
        "{out}"
    );
    assert!(out.ends_with("a process for every probe.\n"), "{out}");
    let (_, out, _) = explained(text, Format::Json, true);
    let json: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(json["notes"].as_array().map(Vec::len), Some(1));
    let (_, out, _) = explained(EXAMPLE, Format::Json, true);
    let json: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(json["notes"], json!([]));
}
