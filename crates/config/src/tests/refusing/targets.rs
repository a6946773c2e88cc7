//! Targets: hosts and names that cannot be, and targets that do not go together.

use super::*;

#[test]
fn all_bad_hosts_are_refused_at_once() {
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
    insta::assert_snapshot!(refused(text), @"
    error: the host `10.1.2.3` is an IP address
     --> config.yaml:2:11
      |
    2 |   - host: 10.1.2.3
      |           ^^^^^^^^
      |
      = help: write the name that applications use: the probe is about how it resolves and which certificate answers to it

    error: the host `bücher.example` is not ASCII: DNS carries such names in punycode
     --> config.yaml:3:11
      |
    3 |   - host: bücher.example
      |           ^^^^^^^^^^^^^^
      |
      = help: write the form that starts with `xn--`, as applications send it

    error: `https://kv.vault.azure.net/secrets` is not a host name
     --> config.yaml:4:11
      |
    4 |   - host: https://kv.vault.azure.net/secrets
      |           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: write the host alone: `kv.vault.azure.net`

    error: `sql.example.com:1433` is not a host name
     --> config.yaml:5:11
      |
    5 |   - host: sql.example.com:1433
      |           ^^^^^^^^^^^^^^^^^^^^
      |
      = help: write the host alone, `sql.example.com`, and `port: 1433`

    error: `*.vault.azure.net` is not a host name
     --> config.yaml:6:11
      |
    6 |   - host: '*.vault.azure.net'
      |           ^^^^^^^^^^^^^^^^^^^
      |
      = help: a wildcard cannot be resolved: write a name that exists below it

    error: the host is empty
     --> config.yaml:7:11
      |
    7 |   - host: ''
      |           ^^
      |
      = help: write the name that applications use

    error: `a..b` is not a host name: it has an empty label (two dots in a row, or a leading dot)
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
    10 | ...t: label.label.label.label.label.label.label.lab...bel.label.label.label.label.label.label.label
       |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^...^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    ");
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
    insta::assert_snapshot!(refused(text), @"
    error: two targets are called `same` (the first is on line 2)
     --> config.yaml:3:33
      |
    3 |   - {host: b.example.com, name: same}
      |                                 ^^^^
      |
      = help: give one of them another `name`, or remove it

    error: `-x` cannot be a name
     --> config.yaml:4:33
      |
    4 |   - {host: c.example.com, name: -x}
      |                                 ^^
      |
      = help: a name starts with a letter or digit, goes on with letters, digits, `.`, `_`, `:` or `-`, and has at most 253 characters

    error: `_d.example.com` cannot be a name
     --> config.yaml:5:12
      |
    5 |   - {host: _d.example.com}
      |            ^^^^^^^^^^^^^^
      |
      = help: a name starts with a letter or digit, goes on with letters, digits, `.`, `_`, `:` or `-`, and has at most 253 characters

    error: two targets are called `e.example.com:443` (the first is on line 6)
     --> config.yaml:7:12
      |
    7 |   - {host: e.example.com}
      |            ^^^^^^^^^^^^^
      |
      = help: give one of them another `name`, or remove it
    ");
}

#[test]
fn data_regions_belong_to_registries() {
    let text = concat!(
        "targets:\n",
        "  - {host: kv.vault.azure.net, dataRegions: [westeurope]}\n",
        "  - {host: contoso.azurecr.io, dataRegions: [West Europe]}\n",
    );
    insta::assert_snapshot!(refused(text), @"
    error: dataRegions is for container registries, which `kv.vault.azure.net` is not
     --> config.yaml:2:46
      |
    2 |   - {host: kv.vault.azure.net, dataRegions: [westeurope]}
      |                                              ^^^^^^^^^^
      |
      = help: write it at the target of the login server, `<registry>.azurecr.io`

    error: `West Europe` is not the name of a region
     --> config.yaml:3:46
      |
    3 |   - {host: contoso.azurecr.io, dataRegions: [West Europe]}
      |                                              ^^^^^^^^^^^
      |
      = help: write it as Azure's tools do: `westeurope`, not `West Europe`
    ");
}

#[test]
fn mysql_is_not_probed_often() {
    let text = concat!(
        "targets:\n",
        "  - {host: db.mysql.database.azure.com, protocol: mysql}\n",
        "  - {host: eb.mysql.database.azure.com, protocol: tcp, interval: 1m}\n",
    );
    insta::assert_snapshot!(refused(text), @"
    error: the interval `30s` is too short for MySQL: the server counts every probe as a failed connection, and ends up blocking the node
     --> config.yaml:2:51
      |
    2 |   - {host: db.mysql.database.azure.com, protocol: mysql}
      |                                                   ^^^^^
      |
      = help: write `interval: 5m` or longer at this target; without `protocol` it is judged on DNS alone

    error: the interval `1m` is too short for MySQL: the server counts every probe as a failed connection, and ends up blocking the node
     --> config.yaml:3:66
      |
    3 |   - {host: eb.mysql.database.azure.com, protocol: tcp, interval: 1m}
      |                                                                  ^^
      |
      = help: write `interval: 5m` or longer at this target; without `protocol` it is judged on DNS alone
    ");
}

#[test]
fn too_many_targets_are_refused() {
    let text = concat!(
        "limits: {maxTargets: 1, maxConcurrent: 0}\n",
        "targets: [{host: a.example.com}, {host: b.example.com}]\n",
    );
    insta::assert_snapshot!(refused(text), @"
    error: limits.maxConcurrent is 0, which is not between 1 and 1000
     --> config.yaml:1:40
      |
    1 | limits: {maxTargets: 1, maxConcurrent: 0}
      |                                        ^

    error: config.yaml: there are 2 targets, and limits.maxTargets is 1
     |
     = help: raise limits.maxTargets, or probe less
    ");
}

#[test]
fn a_large_file_with_too_many_targets_is_refused_before_they_are_read() {
    // The last target is no target at all, and is not read.
    let line = |n: usize| format!("  - host: host-{n}.example.com\n");
    let many: String = (0..37_000).map(line).collect();
    let text = format!("targets:\n{many}  - nonsense\n");
    insta::assert_snapshot!(refused(&text), @"
    error: config.yaml: there are 37001 targets, and limits.maxTargets is 500
     |
     = help: raise limits.maxTargets, or probe less
    ");
    let raised = format!(
        "limits: {{maxTargets: 3000}}\ntargets:\n{}",
        (0..2_000).map(line).collect::<String>()
    );
    assert_eq!(plan(&raised).targets.len(), 2_000);
}
