//! Resolvers: ways to resolve names that lead nowhere.

use super::*;

#[test]
fn an_unknown_resolver_is_answered_with_the_nearest() {
    let text = concat!(
        "resolvers: [{name: pod, servers: [10.0.0.10]}, {name: node, resolvConf: /etc/resolv.conf}]\n",
        "targets: [{host: a.example.com, resolver: pood}, {host: b.example.com, resolver: system}]\n",
    );
    insta::assert_snapshot!(refused(text), @"
    error: there is no resolver called `pood`
     --> config.yaml:2:43
      |
    2 | targets: [{host: a.example.com, resolver: pood}, {host: b.example.com, resolver: system}]
      |                                           ^^^^
      |
      = help: did you mean `pod`?

    error: there is no resolver called `system`
     --> config.yaml:2:82
      |
    2 | targets: [{host: a.example.com, resolver: pood}, {host: b.example.com, resolver: system}]
      |                                                                                  ^^^^^^
      |
      = help: known: pod, node
    ");
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
    insta::assert_snapshot!(refused(text), @"
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
      |
      = help: write one of them

    error: the resolver `c` has both `servers` and `resolvConf`
     --> config.yaml:4:12
      |
    4 |   - {name: c, servers: [10.0.0.10], resolvConf: /etc/resolv.conf}
      |            ^
      |
      = help: write one of them

    error: there are two resolvers called `a`
     --> config.yaml:5:12
      |
    5 |   - {name: a, servers: [dns.example.com, '10.0.0.10:0']}
      |            ^
      |
      = help: give one of them another name

    error: `dns.example.com` is not the address of a DNS server
     --> config.yaml:5:25
      |
    5 |   - {name: a, servers: [dns.example.com, '10.0.0.10:0']}
      |                         ^^^^^^^^^^^^^^^
      |
      = help: write `10.0.0.10`, `10.0.0.10:5353` or `[fd00::10]:53`; a name would need resolving first

    error: a DNS server cannot listen on port 0
     --> config.yaml:5:42
      |
    5 |   - {name: a, servers: [dns.example.com, '10.0.0.10:0']}
      |                                          ^^^^^^^^^^^^^
      |
      = help: the usual one is 53

    error: `d e` cannot be a name
     --> config.yaml:6:12
      |
    6 |   - {name: d e, servers: [10.0.0.10], pathFor: [images]}
      |            ^^^
      |
      = help: a name starts with a letter or digit, goes on with letters, digits, `.`, `_`, `:` or `-`, and has at most 253 characters

    error: `images` is not a value of pathFor
     --> config.yaml:6:49
      |
    6 |   - {name: d e, servers: [10.0.0.10], pathFor: [images]}
      |                                                 ^^^^^^
      |
      = help: valid are registries, volumes

    error: the resolver `f` is already the path for registries
     --> config.yaml:8:47
      |
    8 |   - {name: g, servers: [10.0.0.11], pathFor: [registries]}
      |                                               ^^^^^^^^^^
      |
      = help: a target is judged by one path: keep it at one resolver
    ");
}

#[test]
fn an_address_in_the_place_of_a_resolvers_name_is_answered_with_the_resolver() {
    let text = "targets: [{host: a.example.com, resolver: 10.0.0.10}]\n";
    insta::assert_snapshot!(refused(text), @r#"
    error: there is no resolver called `10.0.0.10`
     --> config.yaml:1:43
      |
    1 | targets: [{host: a.example.com, resolver: 10.0.0.10}]
      |                                           ^^^^^^^^^
      |
      = help: give the server a name under `resolvers`, `{name: dns, servers: ["10.0.0.10"]}`, and write that name here
    "#);
}
