//! Shape: what is no configuration at all, whatever it says.

use super::*;

#[test]
fn an_unknown_field_is_answered_with_the_nearest() {
    let text = concat!("intervall: 30s\n", "targets: [{host: a.example.com}]\n",);
    insta::assert_snapshot!(refused(text), @"
    error: unknown field `intervall`
     --> config.yaml:1:1
      |
    1 | intervall: 30s
      | ^^^^^^^^^
      |
      = help: did you mean `interval`?
    ");
}

#[test]
fn an_unknown_field_of_a_target_is_shown_where_it_stands() {
    let text = concat!(
        "targets:\n",
        "  - host: a.example.com\n",
        "    expectedcidr: [10.0.0.0/8]\n",
    );
    insta::assert_snapshot!(refused(text), @"
    error: unknown field `expectedcidr`
     --> config.yaml:3:5
      |
    3 |     expectedcidr: [10.0.0.0/8]
      |     ^^^^^^^^^^^^
      |
      = help: did you mean `expectedCidrs`?
    ");
}

#[test]
fn an_unknown_field_without_a_near_one_is_answered_with_all() {
    let text = concat!(
        "limits: {colour: 3}\n",
        "targets: [{host: a.example.com}]\n",
    );
    insta::assert_snapshot!(refused(text), @"
    error: unknown field `colour`
     --> config.yaml:1:10
      |
    1 | limits: {colour: 3}
      |          ^^^^^^
      |
      = help: valid fields are maxTargets, maxConcurrent, minInterval, maxDnsQps
    ");
}

#[test]
fn all_unknown_fields_are_reported_at_once_with_the_nearest_of_their_place() {
    let text = concat!(
        "intervall: 30s\n",
        "limits: {maxTarget: 3}\n",
        "resolvers: [{name: pod, server: [10.0.0.10]}]\n",
        "targets:\n",
        "  - host: a.example.com\n",
        "    ports: 443\n",
        "  - hots: b.example.com\n",
        "    source: discovered\n",
    );
    insta::assert_snapshot!(refused(text), @"
    error: unknown field `intervall`
     --> config.yaml:1:1
      |
    1 | intervall: 30s
      | ^^^^^^^^^
      |
      = help: did you mean `interval`?

    error: unknown field `maxTarget`
     --> config.yaml:2:10
      |
    2 | limits: {maxTarget: 3}
      |          ^^^^^^^^^
      |
      = help: did you mean `maxTargets`?

    error: unknown field `server`
     --> config.yaml:3:25
      |
    3 | resolvers: [{name: pod, server: [10.0.0.10]}]
      |                         ^^^^^^
      |
      = help: did you mean `servers`?

    error: unknown field `ports`
     --> config.yaml:6:5
      |
    6 |     ports: 443
      |     ^^^^^
      |
      = help: did you mean `port`?

    error: unknown field `hots`
     --> config.yaml:7:5
      |
    7 |   - hots: b.example.com
      |     ^^^^
      |
      = help: did you mean `host`?

    error: unknown field `source`
     --> config.yaml:8:5
      |
    8 |     source: discovered
      |     ^^^^^^
      |
      = help: only the target lists of the observer have it: name such a file after your own
    ");
}

#[test]
fn a_mistake_of_another_kind_is_reported_with_the_unknown_fields_after_it() {
    let text = "targets: [{host: a.example.com, http: yes}]\nintervall: 30s\n";
    let shown = refused(text);
    for part in [
        "config.yaml:1:39",
        "`true` or `false`",
        "config.yaml:2:1",
        "`interval`",
    ] {
        assert!(shown.contains(part), "{part}:\n{shown}");
    }
}

#[test]
fn a_bare_text_is_answered_with_the_target_it_was_meant_as() {
    let text = concat!(
        "targets:\n",
        "  - kv.vault.azure.net\n",
        "  - host: a.example.com\n",
        "  - https://b.example.com:8443/path\n",
    );
    insta::assert_snapshot!(refused(text), @"
    error: expected a mapping, found the text `kv.vault.azure.net`
     --> config.yaml:2:5
      |
    2 |   - kv.vault.azure.net
      |     ^^^^^^^^^^^^^^^^^^
      |
      = help: write `- host: kv.vault.azure.net`

    error: expected a mapping, found the text `https://b.example.com:8443/path`
     --> config.yaml:4:5
      |
    4 |   - https://b.example.com:8443/path
      |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: write `- {host: b.example.com, port: 8443}`
    ");
}

#[test]
fn a_bare_text_in_brackets_gets_braces() {
    let text = "resolvers: [10.0.0.10, pod, /etc/resolv.conf]\ntargets: kv.vault.azure.net\n";
    insta::assert_snapshot!(refused(text), @r#"
    error: expected a mapping, found the text `10.0.0.10`
     --> config.yaml:1:13
      |
    1 | resolvers: [10.0.0.10, pod, /etc/resolv.conf]
      |             ^^^^^^^^^
      |
      = help: write `{name: dns, servers: ["10.0.0.10"]}`

    error: expected a mapping, found the text `pod`
     --> config.yaml:1:24
      |
    1 | resolvers: [10.0.0.10, pod, /etc/resolv.conf]
      |                        ^^^
      |
      = help: write `{name: pod, servers: ["10.0.0.10"]}`

    error: expected a mapping, found the text `/etc/resolv.conf`
     --> config.yaml:1:29
      |
    1 | resolvers: [10.0.0.10, pod, /etc/resolv.conf]
      |                             ^^^^^^^^^^^^^^^^
      |
      = help: write `{name: node, resolvConf: /etc/resolv.conf}`

    error: expected a list, found the text `kv.vault.azure.net`
     --> config.yaml:2:10
      |
    2 | targets: kv.vault.azure.net
      |          ^^^^^^^^^^^^^^^^^^
      |
      = help: write `[{host: kv.vault.azure.net}]`
    "#);
}

#[test]
fn one_network_is_answered_with_the_list_it_belongs_in() {
    let text = "deniedCidrs: 10.0.0.0/16\ntargets: [{host: a.example.com}]\n";
    insta::assert_snapshot!(refused(text), @r#"
    error: expected a list, found the text `10.0.0.0/16`
     --> config.yaml:1:14
      |
    1 | deniedCidrs: 10.0.0.0/16
      |              ^^^^^^^^^^^
      |
      = help: write `["10.0.0.0/16"]`
    "#);
}

#[test]
fn values_of_the_chart_are_answered_with_what_stands_under_config() {
    let text = concat!(
        "image: {registry: example.azurecr.io}\n",
        "config:\n",
        "  # where they are\n",
        "  expectedCidrs: [10.1.0.0/16]\n",
        "  targets:\n",
        "    - host: kv.vault.azure.net\n",
        "clusterDns: 10.0.0.10\n",
    );
    insta::assert_snapshot!(refused(text), @"
    error: these are values of the Helm chart: the configuration is what stands under `config`
     --> config.yaml:2:1
      |
    2 | config:
      | ^^^^^^
      |
      = help: take that alone: `yq -r .config config.yaml | privatelink-prober validate -`

        # where they are
        expectedCidrs: [10.1.0.0/16]
        targets:
          - host: kv.vault.azure.net
    ");
}

#[test]
fn a_config_map_is_answered_with_the_configuration_in_it() {
    let text = concat!(
        "apiVersion: v1\n",
        "kind: ConfigMap\n",
        "metadata: {name: privatelink-prober}\n",
        "data:\n",
        "  config.yaml: |\n",
        "    interval: 30s\n",
        "    targets:\n",
        "      - host: kv.vault.azure.net\n",
    );
    insta::assert_snapshot!(refused(text), @r#"
    error: this is a Kubernetes ConfigMap, and no configuration
     --> config.yaml:2:1
      |
    2 | kind: ConfigMap
      | ^^^^
      |
      = help: take the text of `config.yaml` alone: `yq -r '.data["config.yaml"]' config.yaml | privatelink-prober validate -`

        interval: 30s
        targets:
          - host: kv.vault.azure.net
    "#);
}

#[test]
fn other_manifests_and_several_of_them_are_recognised() {
    let one = "apiVersion: v1\nkind: Secret\ndata: {}\n";
    let help = "helm template … --show-only templates/configmap.yaml";
    for text in [
        one,
        "---\n# x\napiVersion: v1\nkind: ConfigMap\n---\nkind: Role\napiVersion: v1\n",
    ] {
        let shown = refused(text);
        assert!(
            shown.contains("Kubernetes manifests") && shown.contains(help),
            "{shown}"
        );
    }
}

#[test]
fn a_configuration_in_quotes_is_answered_without_them() {
    let text = r#""interval: 30s\ntargets:\n  - host: kv.vault.azure.net\n""#;
    insta::assert_snapshot!(refused(text), @r#"
    error: this is a text that holds a configuration, and no configuration itself
     --> config.yaml:1:1
      |
    1 | "interval: 30s\ntargets:\n  - host: kv.vault.azure.net\n"
      | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: drop the quotes; `yq -r` prints a text without them

        interval: 30s
        targets:
          - host: kv.vault.azure.net
    "#);
}

#[test]
fn a_list_of_targets_alone_is_answered_with_its_key() {
    let text = "- host: kv.vault.azure.net\n- host: a.example.com\n  port: 8443\n";
    insta::assert_snapshot!(refused(text), @"
    error: this is a list of targets alone
     --> config.yaml:1:1
      |
    1 | - host: kv.vault.azure.net
      | ^
      |
      = help: write `targets:` before it

        targets:
        - host: kv.vault.azure.net
        - host: a.example.com
          port: 8443
    ");
}

#[test]
fn a_long_corrected_text_is_cut_and_acts_on_no_terminal() {
    let mut text = "config:\n  targets:\n".to_owned();
    for number in 0..50 {
        text += &format!("    - host: h{number}.example.com # \u{202e}\n");
    }
    let shown = refused(&text);
    assert!(shown.ends_with("\n    …"), "{shown}");
    assert!(shown.lines().count() < 45, "{shown}");
    assert!(!shown.contains('\u{202e}'));
    let error = load_text("config.yaml", &text).expect_err("values");
    assert_eq!(error.to_string().lines().count(), 1, "a log shows one line");
}

#[test]
fn what_the_yaml_library_quotes_acts_on_no_terminal() {
    let error = load_text("config.yaml", "!%1b%5B2J {interval: 30s}\n").expect_err("a tag");
    for shown in [error.to_string(), plain(&error)] {
        assert!(shown.contains("unsupported tag"), "{shown}");
        assert!(!shown.contains('\u{1b}'), "{shown:?}");
    }
}

#[test]
fn a_field_written_twice_is_refused() {
    let text = concat!(
        "targets:\n",
        "  - host: a.example.com\n",
        "    host: b.example.com\n",
    );
    insta::assert_snapshot!(refused(text), @"
    error: the field `host` is written twice
     --> config.yaml:3:5
      |
    3 |     host: b.example.com
      |     ^^^^
      |
      = help: keep one of them
    ");
}

#[test]
fn yes_is_no_boolean() {
    let text = concat!("targets:\n", "  - host: a.example.com\n", "    http: yes\n",);
    insta::assert_snapshot!(refused(text), @"
    error: expected `true` or `false`
     --> config.yaml:3:11
      |
    3 |     http: yes
      |           ^^^
      |
      = help: write it without quotes; `yes` and `on` are not booleans
    ");
}

#[test]
fn a_word_is_no_number() {
    let text = concat!(
        "targets:\n",
        "  - host: a.example.com\n",
        "    port: https\n",
    );
    insta::assert_snapshot!(refused(text), @"
    error: expected a whole number
     --> config.yaml:3:11
      |
    3 |     port: https
      |           ^^^^^
    ");
}

#[test]
fn a_list_is_no_text() {
    let text = concat!("targets:\n", "  - host: [a, b]\n",);
    insta::assert_snapshot!(refused(text), @"
    error: expected a text
     --> config.yaml:2:11
      |
    2 |   - host: [a, b]
      |           ^
    ");
}

#[test]
fn a_mapping_is_no_list() {
    let text = concat!("targets:\n", "  host: a.example.com\n",);
    insta::assert_snapshot!(refused(text), @"
    error: expected a list (`- item`, or `[item, item]`)
     --> config.yaml:2:3
      |
    2 |   host: a.example.com
      |   ^^^^
      |
      = help: begin each item with `- `
    ");
}

#[test]
fn a_text_is_no_mapping() {
    let text = "targets: [a.example.com]\n";
    insta::assert_snapshot!(refused(text), @"
    error: expected a mapping, found the text `a.example.com`
     --> config.yaml:1:11
      |
    1 | targets: [a.example.com]
      |           ^^^^^^^^^^^^^
      |
      = help: write `{host: a.example.com}`
    ");
}

#[test]
fn a_target_needs_a_host() {
    let text = concat!("targets:\n", "  - name: a\n",);
    insta::assert_snapshot!(refused(text), @"
    error: the field `host` is missing
     --> config.yaml:2:5
      |
    2 |   - name: a
      |     ^^^^
    ");
}

#[test]
fn a_field_without_a_value_is_refused_where_one_is_needed() {
    let text = concat!("targets:\n", "  - host:\n",);
    insta::assert_snapshot!(refused(text), @"
    error: expected a text, found nothing
     --> config.yaml:2:9
      |
    2 |   - host:
      |         ^
      |
      = help: write a value, or drop the field
    ");
}

#[test]
fn an_empty_file_has_no_targets() {
    let text = "";
    insta::assert_snapshot!(refused(text), @"
    error: config.yaml: no targets: there is nothing to probe
     |
     = help: write at least one `host` under `targets`
    ");
}

#[test]
fn nothing_but_comments_or_null_is_an_empty_file() {
    for text in [
        "# targets: later\n",
        "\n\n",
        "null\n",
        "~",
        "---\n",
        "targets:\n",
        "{}",
    ] {
        assert!(refused(text).contains("no targets"), "{text:?}");
    }
}

#[test]
fn a_second_document_is_refused() {
    let text = concat!(
        "targets: [{host: a.example.com}]\n",
        "---\n",
        "targets: []\n",
    );
    insta::assert_snapshot!(refused(text), @"
    error: expected one YAML document, found another one
     --> config.yaml:3:1
      |
    3 | targets: []
      | ^^^^^^^
      |
      = help: remove `---` and what follows it
    ");
}

#[test]
fn broken_yaml_is_shown_where_it_breaks() {
    let text = concat!("targets:\n", "  - host: a.example.com\n", "   port: 3\n",);
    insta::assert_snapshot!(refused(text), @"
    error: while parsing a block collection, did not find expected '-' indicator
     --> config.yaml:3:4
      |
    3 |    port: 3
      |    ^
    ");
}

#[test]
fn an_alias_of_itself_is_refused() {
    let text = "targets: &a [*a]\n";
    insta::assert_snapshot!(refused(text), @"
    error: Recursive reference not allowed here
     --> config.yaml:1:14
      |
    1 | targets: &a [*a]
      |              ^^
    ");
}
