//! Refusing: the whole text of what is said of a configuration that cannot be used.

use super::*;

#[test]
fn an_unknown_field_is_answered_with_the_nearest() {
    let text = concat!("intervall: 30s\n", "targets: [{host: a.example.com}]\n",);
    insta::assert_snapshot!(refused(text), @r#"
    error: unknown field `intervall`
     --> config.yaml:1:1
      |
    1 | intervall: 30s
      | ^^^^^^^^^
      = help: did you mean `interval`?
    "#);
}

#[test]
fn an_unknown_field_of_a_target_is_shown_where_it_stands() {
    let text = concat!(
        "targets:\n",
        "  - host: a.example.com\n",
        "    expectedcidr: [10.0.0.0/8]\n",
    );
    insta::assert_snapshot!(refused(text), @r#"
    error: unknown field `expectedcidr`
     --> config.yaml:3:5
      |
    3 |     expectedcidr: [10.0.0.0/8]
      |     ^^^^^^^^^^^^
      = help: did you mean `expectedCidrs`?
    "#);
}

#[test]
fn an_unknown_field_without_a_near_one_is_answered_with_all() {
    let text = concat!(
        "limits: {colour: 3}\n",
        "targets: [{host: a.example.com}]\n",
    );
    insta::assert_snapshot!(refused(text), @r#"
    error: unknown field `colour`
     --> config.yaml:1:10
      |
    1 | limits: {colour: 3}
      |          ^^^^^^
      = help: valid fields are maxTargets, maxConcurrent, minInterval, maxDnsQps
    "#);
}

#[test]
fn a_field_written_twice_is_refused() {
    let text = concat!(
        "targets:\n",
        "  - host: a.example.com\n",
        "    host: b.example.com\n",
    );
    insta::assert_snapshot!(refused(text), @r#"
    error: the field `host` is written twice
     --> config.yaml:3:5
      |
    3 |     host: b.example.com
      |     ^^^^
      = help: keep one of them
    "#);
}

#[test]
fn yes_is_no_boolean() {
    let text = concat!("targets:\n", "  - host: a.example.com\n", "    http: yes\n",);
    insta::assert_snapshot!(refused(text), @r#"
    error: expected `true` or `false`
     --> config.yaml:3:11
      |
    3 |     http: yes
      |           ^^^
      = help: quotes, `yes` and `on` do not count
    "#);
}

#[test]
fn a_word_is_no_number() {
    let text = concat!(
        "targets:\n",
        "  - host: a.example.com\n",
        "    port: https\n",
    );
    insta::assert_snapshot!(refused(text), @r#"
    error: expected a whole number
     --> config.yaml:3:11
      |
    3 |     port: https
      |           ^^^^^
    "#);
}

#[test]
fn a_list_is_no_text() {
    let text = concat!("targets:\n", "  - host: [a, b]\n",);
    insta::assert_snapshot!(refused(text), @r#"
    error: expected a text
     --> config.yaml:2:11
      |
    2 |   - host: [a, b]
      |           ^
    "#);
}

#[test]
fn a_mapping_is_no_list() {
    let text = concat!("targets:\n", "  host: a.example.com\n",);
    insta::assert_snapshot!(refused(text), @r#"
    error: expected a list (`- item`, or `[item, item]`)
     --> config.yaml:2:3
      |
    2 |   host: a.example.com
      |   ^^^^
    "#);
}

#[test]
fn a_text_is_no_mapping() {
    let text = "targets: [a.example.com]\n";
    insta::assert_snapshot!(refused(text), @r#"
    error: expected a mapping (`field: value`)
     --> config.yaml:1:11
      |
    1 | targets: [a.example.com]
      |           ^^^^^^^^^^^^^
    "#);
}

#[test]
fn a_target_needs_a_host() {
    let text = concat!("targets:\n", "  - name: a\n",);
    insta::assert_snapshot!(refused(text), @r#"
    error: the field `host` is missing
     --> config.yaml:2:5
      |
    2 |   - name: a
      |     ^^^^
    "#);
}

#[test]
fn a_field_without_a_value_is_refused_where_one_is_needed() {
    let text = concat!("targets:\n", "  - host:\n",);
    insta::assert_snapshot!(refused(text), @r#"
    error: expected a text, found nothing
     --> config.yaml:2:9
      |
    2 |   - host:
      |         ^
      = help: write a value, or drop the field
    "#);
}

#[test]
fn an_empty_file_has_no_targets() {
    let text = "";
    insta::assert_snapshot!(refused(text), @r#"
    error: config.yaml: no targets: there is nothing to probe
     = help: write at least one `host` under `targets`
    "#);
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
    insta::assert_snapshot!(refused(text), @r#"
    error: expected one YAML document, found another one
     --> config.yaml:3:1
      |
    3 | targets: []
      | ^^^^^^^
      = help: remove `---` and what follows it
    "#);
}

#[test]
fn broken_yaml_is_shown_where_it_breaks() {
    let text = concat!("targets:\n", "  - host: a.example.com\n", "   port: 3\n",);
    insta::assert_snapshot!(refused(text), @r#"
    error: while parsing a block collection, did not find expected '-' indicator
     --> config.yaml:3:4
      |
    3 |    port: 3
      |    ^
    "#);
}

#[test]
fn an_alias_of_itself_is_refused() {
    let text = "targets: &a [*a]\n";
    insta::assert_snapshot!(refused(text), @r#"
    error: Recursive reference not allowed here
     --> config.yaml:1:14
      |
    1 | targets: &a [*a]
      |              ^^
    "#);
}

#[test]
fn impossible_durations_are_refused_all_at_once() {
    let text = concat!(
        "interval: 30\n",
        "timeout: 1s\n",
        "httpInterval: 5s\n",
        "limits: {minInterval: 1.5s}\n",
        "tls: {expiryWarning: 99999999h}\n",
        "targets:\n",
        "  - {host: a.example.com, interval: 2s}\n",
        "  - {host: b.example.com, interval: 25h}\n",
    );
    insta::assert_snapshot!(refused(text), @r#"
    error: `30` is not a duration
     --> config.yaml:1:11
      |
    1 | interval: 30
      |           ^^
      = help: a duration needs a unit: `30s`, `30m`, `30h` or `30ms`

    error: timeout is `1s`, shorter than `2s`
     --> config.yaml:2:10
      |
    2 | timeout: 1s
      |          ^^

    error: httpInterval is `5s`, shorter than `1m`
     --> config.yaml:3:15
      |
    3 | httpInterval: 5s
      |               ^^

    error: `1.5s` is not a duration
     --> config.yaml:4:23
      |
    4 | limits: {minInterval: 1.5s}
      |                       ^^^^
      = help: write whole numbers with units, longest first: `30s`, `10m`, `1h30m`, `500ms`

    error: the duration `99999999h` is too long
     --> config.yaml:5:22
      |
    5 | tls: {expiryWarning: 99999999h}
      |                      ^^^^^^^^^
      = help: the longest is ten years, `87600h`

    error: the interval `2s` is shorter than limits.minInterval, `5s`
     --> config.yaml:7:37
      |
    7 |   - {host: a.example.com, interval: 2s}
      |                                     ^^

    error: interval is `25h`, longer than `24h`
     --> config.yaml:8:37
      |
    8 |   - {host: b.example.com, interval: 25h}
      |                                     ^^^
    "#);
}

#[test]
fn networks_are_strict() {
    let text = concat!(
        "deniedCidrs: [10.0.0.0/33]\n",
        "expectedCidrs: [10.1.2.3/24]\n",
        "classify: {private: [20.0.0.1]}\n",
        "targets: [{host: a.example.com, expectedCidrs: [fd00::1/64]}]\n",
    );
    insta::assert_snapshot!(refused(text), @r#"
    error: `10.0.0.0/33` is not a network
     --> config.yaml:1:15
      |
    1 | deniedCidrs: [10.0.0.0/33]
      |               ^^^^^^^^^^^
      = help: write an address and a prefix length: `10.1.2.0/24`

    error: the network `10.1.2.3/24` has bits set beyond its prefix
     --> config.yaml:2:17
      |
    2 | expectedCidrs: [10.1.2.3/24]
      |                 ^^^^^^^^^^^
      = help: write `10.1.2.0/24` for the network, or `10.1.2.3/32` for the one address

    error: `20.0.0.1` is not a network
     --> config.yaml:3:22
      |
    3 | classify: {private: [20.0.0.1]}
      |                      ^^^^^^^^
      = help: a single address is written `20.0.0.1/32`

    error: the network `fd00::1/64` has bits set beyond its prefix
     --> config.yaml:4:49
      |
    4 | targets: [{host: a.example.com, expectedCidrs: [fd00::1/64]}]
      |                                                 ^^^^^^^^^^
      = help: write `fd00::/64` for the network, or `fd00::1/128` for the one address
    "#);
}

#[test]
fn a_tie_between_private_and_public_is_refused() {
    let text = concat!(
        "classify: {private: [20.0.0.0/8], public: [20.1.0.0/16, 20.0.0.0/8]}\n",
        "targets: [{host: a.example.com}]\n",
    );
    insta::assert_snapshot!(refused(text), @r#"
    error: `20.0.0.0/8` is classified as private and as public
     --> config.yaml:1:57
      |
    1 | classify: {private: [20.0.0.0/8], public: [20.1.0.0/16, 20.0.0.0/8]}
      |                                                         ^^^^^^^^^^
      = help: keep one of them; a longer prefix inside it may say otherwise
    "#);
}

#[test]
fn hosts_that_are_none_are_refused_all_at_once() {
    let text = concat!(
        "targets:\n",
        "  - host: 10.1.2.3\n",
        "  - host: bücher.example\n",
        "  - host: https://kv.vault.azure.net/secrets\n",
        "  - host: sql.example.com:1433\n",
        "  - host: '*.vault.azure.net'\n",
        "  - host: ''\n",
        "  - host: a..b\n",
        "  - host: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.example.com\n",
        "  - host: label.label.label.label.label.label.label.label.label.label.label.label.label.label.label.label.label.label.label.label.label.label.label.label.label.label.label.label.label.label.label.label.label.label.label.label.label.label.label.label.label.label.label.label.label.label.label.label.label.label\n",
    );
    insta::assert_snapshot!(refused(text), @r#"
    error: the host `10.1.2.3` is an IP address
     --> config.yaml:2:11
      |
    2 |   - host: 10.1.2.3
      |           ^^^^^^^^
      = help: write the name that applications use: the probe is about how it resolves and which certificate answers to it

    error: the host `bücher.example` is not ASCII: DNS carries such names in punycode
     --> config.yaml:3:11
      |
    3 |   - host: bücher.example
      |           ^^^^^^^^^^^^^^
      = help: write the form that starts with `xn--`, as applications send it

    error: `https://kv.vault.azure.net/secrets` is not a host name
     --> config.yaml:4:11
      |
    4 |   - host: https://kv.vault.azure.net/secrets
      |           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      = help: write the host alone: `kv.vault.azure.net`

    error: `sql.example.com:1433` is not a host name
     --> config.yaml:5:11
      |
    5 |   - host: sql.example.com:1433
      |           ^^^^^^^^^^^^^^^^^^^^
      = help: write the host alone, `sql.example.com`, and `port: 1433`

    error: `*.vault.azure.net` is not a host name
     --> config.yaml:6:11
      |
    6 |   - host: '*.vault.azure.net'
      |           ^^^^^^^^^^^^^^^^^^^
      = help: a wildcard cannot be resolved: write a name that exists below it

    error: the host is empty
     --> config.yaml:7:11
      |
    7 |   - host: ''
      |           ^^
      = help: write the name that applications use

    error: `a..b` is not a host name: there is nothing between two dots
     --> config.yaml:8:11
      |
    8 |   - host: a..b
      |           ^^^^

    error: `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.example.com` is not a host name: a label has 64 characters; DNS allows 63
     --> config.yaml:9:11
      |
    9 |   - host: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.example.com
      |           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

    error: the host name has 299 characters; a DNS name has at most 253
      --> config.yaml:10:11
       |
    10 |   - host: label.label.label.label.label.label.label.label.label.label.label.label.label.label.label.
       |           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    "#);
}

#[test]
fn ports_are_between_1_and_65535() {
    let text = "targets: [{host: a.example.com, port: 0}, {host: b.example.com, port: 65536}, {host: c.example.com, port: -1}]\n";
    insta::assert_snapshot!(refused(text), @r#"
    error: the port 0 is not between 1 and 65535
     --> config.yaml:1:39
      |
    1 | targets: [{host: a.example.com, port: 0}, {host: b.example.com, port: 65536}, {host: c.example.com,
      |                                       ^

    error: the port 65536 is not between 1 and 65535
     --> config.yaml:1:71
      |
    1 | xample.com, port: 0}, {host: b.example.com, port: 65536}, {host: c.example.com, port: -1}]
      |                                                   ^^^^^

    error: the port -1 is not between 1 and 65535
     --> config.yaml:1:107
      |
    1 | le.com, port: 65536}, {host: c.example.com, port: -1}]
      |                                                   ^^
    "#);
}

#[test]
fn words_are_answered_with_the_nearest() {
    let text = concat!(
        "expect: private\n",
        "metrics: ful\n",
        "addressFamilies: [ip4]\n",
        "targets: [{host: a.example.com, protocol: ssl, expect: privateendpoint}]\n",
    );
    insta::assert_snapshot!(refused(text), @r#"
    error: `private` is no value of expect
     --> config.yaml:1:9
      |
    1 | expect: private
      |         ^^^^^^^
      = help: did you mean `privateEndpoint`?

    error: `ful` is no value of metrics
     --> config.yaml:2:10
      |
    2 | metrics: ful
      |          ^^^
      = help: did you mean `full`?

    error: `ip4` is no value of addressFamilies
     --> config.yaml:3:19
      |
    3 | addressFamilies: [ip4]
      |                   ^^^
      = help: did you mean `ipv4`?

    error: `ssl` is no value of protocol
     --> config.yaml:4:43
      |
    4 | targets: [{host: a.example.com, protocol: ssl, expect: privateendpoint}]
      |                                           ^^^
      = help: valid are tls, tcp, tds, postgres, mysql

    error: `privateendpoint` is no value of expect
     --> config.yaml:4:56
      |
    4 | targets: [{host: a.example.com, protocol: ssl, expect: privateendpoint}]
      |                                                        ^^^^^^^^^^^^^^^
      = help: did you mean `privateEndpoint`?
    "#);
}

#[test]
fn an_unknown_resolver_is_answered_with_the_nearest() {
    let text = concat!(
        "resolvers: [{name: pod, servers: [10.0.0.10]}, {name: node, resolvConf: /etc/resolv.conf}]\n",
        "targets: [{host: a.example.com, resolver: pood}, {host: b.example.com, resolver: system}]\n",
    );
    insta::assert_snapshot!(refused(text), @r#"
    error: there is no resolver called `pood`
     --> config.yaml:2:43
      |
    2 | targets: [{host: a.example.com, resolver: pood}, {host: b.example.com, resolver: system}]
      |                                           ^^^^
      = help: did you mean `pod`?

    error: there is no resolver called `system`
     --> config.yaml:2:82
      |
    2 | targets: [{host: a.example.com, resolver: pood}, {host: b.example.com, resolver: system}]
      |                                                                                  ^^^^^^
      = help: there are pod, node
    "#);
}

#[test]
fn resolvers_are_checked() {
    let text = concat!(
        "resolvers:\n",
        "  - {name: a, servers: []}\n",
        "  - {name: b}\n",
        "  - {name: c, servers: [10.0.0.10], resolvConf: /etc/resolv.conf}\n",
        "  - {name: a, servers: [dns.example.com, '10.0.0.10:0']}\n",
        "  - {name: d e, servers: [10.0.0.10], pathFor: [images]}\n",
        "  - {name: f, servers: [10.0.0.10], pathFor: [registries]}\n",
        "  - {name: g, servers: [10.0.0.11], pathFor: [registries]}\n",
        "targets: [{host: a.example.com}]\n",
    );
    insta::assert_snapshot!(refused(text), @r#"
    error: the resolver `a` has no servers
     --> config.yaml:2:24
      |
    2 |   - {name: a, servers: []}
      |                        ^

    error: the resolver `b` has neither `servers` nor `resolvConf`
     --> config.yaml:3:12
      |
    3 |   - {name: b}
      |            ^
      = help: write one of them

    error: the resolver `c` has both `servers` and `resolvConf`
     --> config.yaml:4:12
      |
    4 |   - {name: c, servers: [10.0.0.10], resolvConf: /etc/resolv.conf}
      |            ^
      = help: write one of them

    error: there are two resolvers called `a`
     --> config.yaml:5:12
      |
    5 |   - {name: a, servers: [dns.example.com, '10.0.0.10:0']}
      |            ^
      = help: give one of them another name

    error: `dns.example.com` is not the address of a DNS server
     --> config.yaml:5:25
      |
    5 |   - {name: a, servers: [dns.example.com, '10.0.0.10:0']}
      |                         ^^^^^^^^^^^^^^^
      = help: write `10.0.0.10`, `10.0.0.10:5353` or `[fd00::10]:53`; a name would need resolving first

    error: a DNS server cannot listen on port 0
     --> config.yaml:5:42
      |
    5 |   - {name: a, servers: [dns.example.com, '10.0.0.10:0']}
      |                                          ^^^^^^^^^^^^^
      = help: the usual one is 53

    error: `d e` cannot be a name
     --> config.yaml:6:12
      |
    6 |   - {name: d e, servers: [10.0.0.10], pathFor: [images]}
      |            ^^^
      = help: a name starts with a letter or digit, goes on with letters, digits, `.`, `_`, `:` or `-`, and has at most 253 characters

    error: `images` is no value of pathFor
     --> config.yaml:6:49
      |
    6 |   - {name: d e, servers: [10.0.0.10], pathFor: [images]}
      |                                                 ^^^^^^
      = help: valid are registries, volumes

    error: the resolver `f` is already the path for registries
     --> config.yaml:8:47
      |
    8 |   - {name: g, servers: [10.0.0.11], pathFor: [registries]}
      |                                               ^^^^^^^^^^
      = help: a target is judged by one path: keep it at one resolver
    "#);
}

#[test]
fn names_are_unique_and_look_like_names() {
    let text = concat!(
        "targets:\n",
        "  - {host: a.example.com, name: same}\n",
        "  - {host: b.example.com, name: same}\n",
        "  - {host: c.example.com, name: -x}\n",
        "  - {host: _d.example.com}\n",
        "  - {host: e.example.com}\n",
        "  - {host: e.example.com}\n",
    );
    insta::assert_snapshot!(refused(text), @r#"
    error: two targets are called `same` (the first is on line 2)
     --> config.yaml:3:33
      |
    3 |   - {host: b.example.com, name: same}
      |                                 ^^^^
      = help: give one of them another `name`, or remove it

    error: `-x` cannot be a name
     --> config.yaml:4:33
      |
    4 |   - {host: c.example.com, name: -x}
      |                                 ^^
      = help: a name starts with a letter or digit, goes on with letters, digits, `.`, `_`, `:` or `-`, and has at most 253 characters

    error: `_d.example.com` cannot be a name
     --> config.yaml:5:12
      |
    5 |   - {host: _d.example.com}
      |            ^^^^^^^^^^^^^^
      = help: a name starts with a letter or digit, goes on with letters, digits, `.`, `_`, `:` or `-`, and has at most 253 characters

    error: two targets are called `e.example.com:443` (the first is on line 6)
     --> config.yaml:7:12
      |
    7 |   - {host: e.example.com}
      |            ^^^^^^^^^^^^^
      = help: give one of them another `name`, or remove it
    "#);
}

#[test]
fn data_regions_belong_to_registries() {
    let text = concat!(
        "targets:\n",
        "  - {host: kv.vault.azure.net, dataRegions: [westeurope]}\n",
        "  - {host: contoso.azurecr.io, dataRegions: [West Europe]}\n",
    );
    insta::assert_snapshot!(refused(text), @r#"
    error: dataRegions is for container registries, which `kv.vault.azure.net` is not
     --> config.yaml:2:46
      |
    2 |   - {host: kv.vault.azure.net, dataRegions: [westeurope]}
      |                                              ^^^^^^^^^^
      = help: write it at the target of the login server, `<registry>.azurecr.io`

    error: `West Europe` is not the name of a region
     --> config.yaml:3:46
      |
    3 |   - {host: contoso.azurecr.io, dataRegions: [West Europe]}
      |                                              ^^^^^^^^^^^
      = help: write it as Azure's tools do: `westeurope`, not `West Europe`
    "#);
}

#[test]
fn mysql_is_not_probed_often() {
    let text = concat!(
        "targets:\n",
        "  - {host: db.mysql.database.azure.com, protocol: mysql}\n",
        "  - {host: eb.mysql.database.azure.com, protocol: tcp, interval: 1m}\n",
    );
    insta::assert_snapshot!(refused(text), @r#"
    error: the interval `30s` is too short for MySQL: the server counts every probe as a failed connection, and ends up blocking the node
     --> config.yaml:2:51
      |
    2 |   - {host: db.mysql.database.azure.com, protocol: mysql}
      |                                                   ^^^^^
      = help: write `interval: 5m` or longer at this target; without `protocol` it is judged on DNS alone

    error: the interval `1m` is too short for MySQL: the server counts every probe as a failed connection, and ends up blocking the node
     --> config.yaml:3:66
      |
    3 |   - {host: eb.mysql.database.azure.com, protocol: tcp, interval: 1m}
      |                                                                  ^^
      = help: write `interval: 5m` or longer at this target; without `protocol` it is judged on DNS alone
    "#);
}

#[test]
fn too_many_targets_are_refused() {
    let text = concat!(
        "limits: {maxTargets: 1, maxConcurrent: 0}\n",
        "targets: [{host: a.example.com}, {host: b.example.com}]\n",
    );
    insta::assert_snapshot!(refused(text), @r#"
    error: limits.maxConcurrent is 0, which is not between 1 and 1000
     --> config.yaml:1:40
      |
    1 | limits: {maxTargets: 1, maxConcurrent: 0}
      |                                        ^

    error: config.yaml: there are 2 targets, and limits.maxTargets is 1
     = help: raise limits.maxTargets, or probe less
    "#);
}

#[test]
fn an_unknown_preset_is_refused_with_the_ones_there_are() {
    let text = concat!(
        "presets: [aks, aks-egress:West]\n",
        "targets: [{host: a.example.com}]\n",
    );
    insta::assert_snapshot!(refused(text), @r#"
    error: unknown preset `aks`
     --> config.yaml:1:11
      |
    1 | presets: [aks, aks-egress:West]
      |           ^^^
      = help: write `aks-egress`, or `aks-egress:REGION` such as `aks-egress:westeurope`

    error: unknown preset `aks-egress:West`
     --> config.yaml:1:16
      |
    1 | presets: [aks, aks-egress:West]
      |                ^^^^^^^^^^^^^^^
      = help: write `aks-egress`, or `aks-egress:REGION` such as `aks-egress:westeurope`
    "#);
}

#[test]
fn no_family_is_no_probe() {
    let text = concat!(
        "addressFamilies: []\n",
        "targets: [{host: a.example.com}]\n",
    );
    insta::assert_snapshot!(refused(text), @r#"
    error: addressFamilies is empty: nothing would be asked for
     --> config.yaml:1:18
      |
    1 | addressFamilies: []
      |                  ^
      = help: write `[ipv4]`, `[ipv6]` or `[ipv4, ipv6]`
    "#);
}

#[test]
fn an_owner_is_a_label() {
    let text = "targets: [{host: a.example.com, owner: ''}]\n";
    insta::assert_snapshot!(refused(text), @r#"
    error: `` cannot be an owner
     --> config.yaml:1:40
      |
    1 | targets: [{host: a.example.com, owner: ''}]
      |                                        ^^
      = help: write 1 to 128 printable characters: it becomes a metric label
    "#);
}

#[test]
fn a_missing_file_is_named() {
    let error = load(&[PathBuf::from("/nonexistent/config.yaml")]).expect_err("no file");
    insta::assert_snapshot!(format!("error: {error}"), @r#"
    error: /nonexistent/config.yaml: the file cannot be read: No such file or directory (os error 2)
     = help: check the path given with `--config`, and that the volume is mounted
    "#);
}

#[test]
fn ca_files_are_refused_where_they_are_written() {
    let scratch = Scratch::new("refusing-ca");
    let empty = scratch.write("empty.pem", "nothing here\n");
    let text = format!(
        "tls: {{caFiles: [/nonexistent/ca.pem, {}]}}\ntargets: [{{host: a.example.com}}]\n",
        empty.display()
    );
    let text = refused(&text).replace(&scratch.0.display().to_string(), "/scratch");
    let text = text
        .lines()
        .filter(|line| !line.contains('^'))
        .collect::<Vec<_>>()
        .join("\n");
    insta::assert_snapshot!(text, @r#"
    error: cannot read the CA file /nonexistent/ca.pem; check the path, and that the volume is mounted (No such file or directory (os error 2))
     --> config.yaml:1:17
      |
    1 | tls: {caFiles: [/nonexistent/ca.pem, /scratch/empty.pem]}

    error: the CA file /scratch/empty.pem holds no certificate; it must hold at least one '-----BEGIN CERTIFICATE-----' block
     --> config.yaml:1:38
      |
    1 | tls: {caFiles: [/nonexistent/ca.pem, /scratch/empty.pem]}
    "#);
}

#[test]
fn what_is_typed_is_shown_as_it_was_typed() {
    let flags = HostFlags {
        resolvers: vec!["10.0.0.10".to_owned()],
        expect: Some("private".to_owned()),
        expected_cidrs: vec!["10.1.2.3/24".to_owned()],
        port: Some("0".to_owned()),
        timeout: Some("1s".to_owned()),
        ..HostFlags::default()
    };
    let hosts = ["kv.vault.azure.net".to_owned(), "10.1.2.3".to_owned()];
    let error = for_check(&[], &hosts, &flags).expect_err("several mistakes");
    insta::assert_snapshot!(format!("error: {error}"), @r#"
    error: timeout is `1s`, shorter than `2s`
     --> command line:1:11
      |
    1 | --timeout 1s
      |           ^^

    error: timeout is `1s`, shorter than `2s`
     --> command line:1:11
      |
    1 | --timeout 1s
      |           ^^

    error: timeout is `1s`, shorter than `2s`
     --> command line:1:11
      |
    1 | --timeout 1s
      |           ^^

    error: the port 0 is not between 1 and 65535
     --> command line:2:8
      |
    2 | --port 0
      |        ^

    error: the port 0 is not between 1 and 65535
     --> command line:2:8
      |
    2 | --port 0
      |        ^

    error: `private` is no value of expect
     --> command line:3:10
      |
    3 | --expect private
      |          ^^^^^^^
      = help: did you mean `privateEndpoint`?

    error: `private` is no value of expect
     --> command line:3:10
      |
    3 | --expect private
      |          ^^^^^^^
      = help: did you mean `privateEndpoint`?

    error: the network `10.1.2.3/24` has bits set beyond its prefix
     --> command line:4:17
      |
    4 | --expected-cidr 10.1.2.3/24
      |                 ^^^^^^^^^^^
      = help: write `10.1.2.0/24` for the network, or `10.1.2.3/32` for the one address

    error: the network `10.1.2.3/24` has bits set beyond its prefix
     --> command line:4:17
      |
    4 | --expected-cidr 10.1.2.3/24
      |                 ^^^^^^^^^^^
      = help: write `10.1.2.0/24` for the network, or `10.1.2.3/32` for the one address

    error: the host `10.1.2.3` is an IP address
     --> command line:6:1
      |
    6 | 10.1.2.3
      | ^^^^^^^^
      = help: write the name that applications use: the probe is about how it resolves and which certificate answers to it
    "#);
}

#[test]
fn a_bad_resolver_on_the_command_line_is_refused() {
    let flags = HostFlags {
        resolvers: vec!["dns.example.com".to_owned()],
        ..HostFlags::default()
    };
    let error = for_check(&[], &["a.example.com".to_owned()], &flags).expect_err("no address");
    insta::assert_snapshot!(format!("error: {error}"), @r#"
    error: `dns.example.com` is not the address of a DNS server
     --> command line:3:12
      |
    3 | --resolver dns.example.com
      |            ^^^^^^^^^^^^^^^
      = help: write `10.0.0.10`, `10.0.0.10:5353` or `[fd00::10]:53`; a name would need resolving first
    "#);
}
