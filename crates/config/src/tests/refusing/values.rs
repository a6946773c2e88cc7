//! Values: durations, networks, words and numbers that cannot be.

use privatelink_verdict::target::Protocol;

use super::*;

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
    insta::assert_snapshot!(refused(text), @"
    error: `30` is not a duration
     --> config.yaml:1:11
      |
    1 | interval: 30
      |           ^^
      |
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
      |
      = help: write whole numbers with units, longest first: `30s`, `10m`, `1h30m`, `500ms`

    error: the duration `99999999h` is too long
     --> config.yaml:5:22
      |
    5 | tls: {expiryWarning: 99999999h}
      |                      ^^^^^^^^^
      |
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
    ");
}

#[test]
fn networks_are_strict() {
    let text = concat!(
        "deniedCidrs: [10.0.0.0/33]\n",
        "expectedCidrs: [10.1.2.3/24]\n",
        "classify: {private: [20.0.0.1]}\n",
        "targets: [{host: a.example.com, expectedCidrs: [fd00::1/64]}]\n",
    );
    insta::assert_snapshot!(refused(text), @"
    error: `10.0.0.0/33` is not a network
     --> config.yaml:1:15
      |
    1 | deniedCidrs: [10.0.0.0/33]
      |               ^^^^^^^^^^^
      |
      = help: write an address and a prefix length: `10.1.2.0/24`

    error: the network `10.1.2.3/24` has bits set beyond its prefix
     --> config.yaml:2:17
      |
    2 | expectedCidrs: [10.1.2.3/24]
      |                 ^^^^^^^^^^^
      |
      = help: write `10.1.2.0/24` for the network, or `10.1.2.3/32` for the one address

    error: `20.0.0.1` is not a network
     --> config.yaml:3:22
      |
    3 | classify: {private: [20.0.0.1]}
      |                      ^^^^^^^^
      |
      = help: a network needs its prefix length; a single address is written `20.0.0.1/32`

    error: the network `fd00::1/64` has bits set beyond its prefix
     --> config.yaml:4:49
      |
    4 | targets: [{host: a.example.com, expectedCidrs: [fd00::1/64]}]
      |                                                 ^^^^^^^^^^
      |
      = help: write `fd00::/64` for the network, or `fd00::1/128` for the one address
    ");
}

#[test]
fn a_tie_between_private_and_public_is_refused() {
    let text = concat!(
        "classify: {private: [20.0.0.0/8], public: [20.1.0.0/16, 20.0.0.0/8]}\n",
        "targets: [{host: a.example.com}]\n",
    );
    insta::assert_snapshot!(refused(text), @"
    error: `20.0.0.0/8` is classified as private and as public
     --> config.yaml:1:57
      |
    1 | classify: {private: [20.0.0.0/8], public: [20.1.0.0/16, 20.0.0.0/8]}
      |                                                         ^^^^^^^^^^
      |
      = help: keep one of them; a longer prefix inside it may say otherwise
    ");
}

#[test]
fn ports_are_between_1_and_65535() {
    let text = "targets: [{host: a.example.com, port: 0}, {host: b.example.com, port: 65536}, {host: c.example.com, port: -1}]\n";
    insta::assert_snapshot!(refused(text), @"
    error: the port 0 is not between 1 and 65535
     --> config.yaml:1:39
      |
    1 | targets: [{host: a.example.com, port: 0}, {host: b.example.com, port: 65536}, {host: c.example.com, port: -1}]
      |                                       ^

    error: the port 65536 is not between 1 and 65535
     --> config.yaml:1:71
      |
    1 | targets: [{host: a.example.com, port: 0}, {host: b.example.com, port: 65536}, {host: c.example.com, port: -1}]
      |                                                                       ^^^^^

    error: the port -1 is not between 1 and 65535
     --> config.yaml:1:107
      |
    1 | targets: [{host: a.example.com, port: 0}, {host: b.example.com, port: 65536}, {host: c.example.com, port: -1}]
      |                                                                                                           ^^
    ");
}

#[test]
fn an_unknown_word_without_a_near_one_is_answered_with_all() {
    let text = "targets: [{host: a.example.com, protocol: ssl}]";
    let words: Vec<&str> = Protocol::ALL.iter().map(|word| word.as_str()).collect();
    let valid = format!("= help: valid are {}", words.join(", "));
    assert!(refused(text).contains(&valid));
}

#[test]
fn an_unknown_word_is_answered_with_the_nearest() {
    let text = concat!(
        "expect: private\n",
        "metrics: ful\n",
        "addressFamilies: [ip4]\n",
        "targets: [{host: a.example.com, protocol: tl, expect: privateendpoint}]\n",
    );
    insta::assert_snapshot!(refused(text), @"
    error: `private` is not a value of expect
     --> config.yaml:1:9
      |
    1 | expect: private
      |         ^^^^^^^
      |
      = help: did you mean `privateEndpoint`?

    error: `ful` is not a value of metrics
     --> config.yaml:2:10
      |
    2 | metrics: ful
      |          ^^^
      |
      = help: did you mean `full`?

    error: `ip4` is not a value of addressFamilies
     --> config.yaml:3:19
      |
    3 | addressFamilies: [ip4]
      |                   ^^^
      |
      = help: did you mean `ipv4`?

    error: `tl` is not a value of protocol
     --> config.yaml:4:43
      |
    4 | targets: [{host: a.example.com, protocol: tl, expect: privateendpoint}]
      |                                           ^^
      |
      = help: did you mean `tls`?

    error: `privateendpoint` is not a value of expect
     --> config.yaml:4:55
      |
    4 | targets: [{host: a.example.com, protocol: tl, expect: privateendpoint}]
      |                                                       ^^^^^^^^^^^^^^^
      |
      = help: did you mean `privateEndpoint`?
    ");
}

#[test]
fn an_empty_list_of_families_is_refused() {
    let text = concat!(
        "addressFamilies: []\n",
        "targets: [{host: a.example.com}]\n",
    );
    insta::assert_snapshot!(refused(text), @"
    error: addressFamilies is empty: nothing would be asked for
     --> config.yaml:1:18
      |
    1 | addressFamilies: []
      |                  ^
      |
      = help: write `[ipv4]`, `[ipv6]` or `[ipv4, ipv6]`
    ");
}

#[test]
fn an_owner_must_fit_a_metric_label() {
    let text = "targets: [{host: a.example.com, owner: ''}]\n";
    insta::assert_snapshot!(refused(text), @"
    error: `` cannot be an owner
     --> config.yaml:1:40
      |
    1 | targets: [{host: a.example.com, owner: ''}]
      |                                        ^^
      |
      = help: write 1 to 128 printable characters: it becomes a metric label
    ");
}

#[test]
fn an_unknown_preset_is_refused_with_the_ones_there_are() {
    let text = concat!(
        "presets: [aks, aks-egress:West]\n",
        "targets: [{host: a.example.com}]\n",
    );
    insta::assert_snapshot!(refused(text), @"
    error: unknown preset `aks`
     --> config.yaml:1:11
      |
    1 | presets: [aks, aks-egress:West]
      |           ^^^
      |
      = help: write `aks-egress`, or `aks-egress:REGION` such as `aks-egress:westeurope`

    error: unknown preset `aks-egress:West`
     --> config.yaml:1:16
      |
    1 | presets: [aks, aks-egress:West]
      |                ^^^^^^^^^^^^^^^
      |
      = help: write `aks-egress`, or `aks-egress:REGION` such as `aks-egress:westeurope`
    ");
}
