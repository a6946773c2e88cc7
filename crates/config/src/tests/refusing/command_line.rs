//! Command line: what cannot be checked, shown as it was typed.

use super::*;

#[test]
fn a_bad_flag_is_shown_as_it_was_typed() {
    let flags = HostOptions {
        resolvers: vec!["10.0.0.10".to_owned()],
        expect: Some("private".to_owned()),
        expected_cidrs: vec!["10.1.2.3/24".to_owned()],
        port: Some("0".to_owned()),
        timeout: Some("1s".to_owned()),
        ..HostOptions::default()
    };
    let hosts = ["kv.vault.azure.net".to_owned(), "10.1.2.3".to_owned()];
    let error = for_check(&[], &hosts, &[], &flags).expect_err("several mistakes");
    insta::assert_snapshot!(plain(&error), @"
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

    error: `private` is not a value of expect
     --> command line:3:10
      |
    3 | --expect private
      |          ^^^^^^^
      |
      = help: did you mean `privateEndpoint`?

    error: the network `10.1.2.3/24` has bits set beyond its prefix
     --> command line:4:17
      |
    4 | --expected-cidr 10.1.2.3/24
      |                 ^^^^^^^^^^^
      |
      = help: write `10.1.2.0/24` for the network, or `10.1.2.3/32` for the one address

    error: the host `10.1.2.3` is an IP address
     --> command line:6:1
      |
    6 | 10.1.2.3
      | ^^^^^^^^
      |
      = help: write the name that applications use: the probe is about how it resolves and which certificate answers to it
    ");
}

#[test]
fn a_duration_in_the_place_of_a_host_is_answered_with_the_flags_that_take_one() {
    let hosts = ["kv.vault.azure.net".to_owned(), "5s".to_owned()];
    let error = for_check(&[], &hosts, &[], &HostOptions::default()).expect_err("no host");
    insta::assert_snapshot!(plain(&error), @"
    error: `5s` is a duration, not a host
     --> command line:3:1
      |
    3 | 5s
      | ^^
      |
      = help: for the time between two rounds write `--watch 5s`, for the budget of a probe `--timeout 5s`
    ");
}

#[test]
fn a_name_without_a_dot_is_said_to_be_no_full_name() {
    let warnings = |host: &str| {
        let plan = for_check(&[], &[host.to_owned()], &[], &HostOptions::default());
        plan.expect("a plan").warnings
    };
    insta::assert_snapshot!(warnings("kv-prod").join("\n"), @"command line:2:1: `kv-prod` is no full name: it has no dot, so what it resolves to depends on the search list of this machine (write the name that applications use, such as `kv-prod.vault.azure.net`; `services` lists the suffixes)");
    assert_eq!(warnings("localhost"), [""; 0]);
    assert_eq!(warnings("kv-prod.vault.azure.net"), [""; 0]);
}

#[test]
fn a_bad_resolver_on_the_command_line_is_refused() {
    let flags = HostOptions {
        resolvers: vec!["dns.example.com".to_owned()],
        ..HostOptions::default()
    };
    let error = for_check(&[], &["a.example.com".to_owned()], &[], &flags).expect_err("no address");
    insta::assert_snapshot!(plain(&error), @"
    error: `dns.example.com` is not the address of a DNS server
     --> command line:3:12
      |
    3 | --resolver dns.example.com
      |            ^^^^^^^^^^^^^^^
      |
      = help: write `10.0.0.10`, `10.0.0.10:5353` or `[fd00::10]:53`; a name would need resolving first
    ");
}
