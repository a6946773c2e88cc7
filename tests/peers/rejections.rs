//! Rejections: how the real kernel ends a connection attempt that a firewall's rule or a route forbids,
//! and what the agent says of it. The rules are in a network namespace that the test makes for itself.

use std::env;
use std::net::IpAddr;
use std::process::Command;

use super::agent::{Checked, check};
use super::child::Folder;
use super::dns::Bind;
use super::zones::{Authority, Zone};

/// Where a connection goes, what is set up for it, and what the agent must say.
struct Case {
    to: &'static str,
    /// Run in the namespace.
    setup: &'static str,
    reason: &'static str,
    /// A part of the finding's detail.
    says: &'static str,
}

const CASES: [Case; 11] = [
    Case {
        to: "127.0.1.13",
        setup: "iptables -A INPUT -p tcp -d 127.0.1.13 -j REJECT --reject-with icmp-admin-prohibited",
        reason: "connect_unreachable",
        says: "127.0.1.13 rejects it as administratively prohibited (ICMP type 3 code 13)",
    },
    Case {
        to: "127.0.1.10",
        setup: "iptables -A INPUT -p tcp -d 127.0.1.10 -j REJECT --reject-with icmp-host-prohibited",
        reason: "connect_unreachable",
        says: "administratively prohibited (ICMP type 3 code 10)",
    },
    Case {
        to: "127.0.1.9",
        setup: "iptables -A INPUT -p tcp -d 127.0.1.9 -j REJECT --reject-with icmp-net-prohibited",
        reason: "connect_unreachable",
        says: "administratively prohibited (ICMP type 3 code 9)",
    },
    Case {
        to: "127.0.1.1",
        setup: "iptables -A INPUT -p tcp -d 127.0.1.1 -j REJECT --reject-with icmp-host-unreachable",
        reason: "connect_unreachable",
        says: "127.0.1.1 says that it cannot be reached (ICMP type 3 code 1)",
    },
    Case {
        to: "127.0.1.2",
        setup: "iptables -A INPUT -p tcp -d 127.0.1.2 -j REJECT --reject-with icmp-proto-unreachable",
        reason: "connect_unreachable",
        says: "rejects it with ICMP type 3 code 2, as firewalls do",
    },
    Case {
        to: "127.0.1.3",
        setup: "iptables -A INPUT -p tcp -d 127.0.1.3 -j REJECT",
        reason: "connect_refused",
        says: "rejects it with ICMP type 3 code 3, as firewalls do",
    },
    Case {
        to: "127.0.1.4",
        setup: "iptables -A INPUT -p tcp -d 127.0.1.4 -j REJECT --reject-with tcp-reset",
        reason: "connect_refused",
        says: "127.0.1.4:443 refused",
    },
    Case {
        to: "10.1.4.20",
        setup: "ip route add prohibit 10.1.4.0/24",
        reason: "connect_unreachable",
        says: "a route on the node itself, of type prohibit, forbids it",
    },
    Case {
        to: "fd00:10::1",
        setup: "ip address add fd00:10::1/128 dev lo; ip6tables -A INPUT -p tcp -d fd00:10::1 -j REJECT \
                --reject-with icmp6-adm-prohibited",
        reason: "connect_unreachable",
        says: "fd00:10::1 rejects it as administratively prohibited (ICMPv6 type 1 code 1)",
    },
    Case {
        to: "fd00:10::5",
        setup: "ip address add fd00:10::5/128 dev lo; ip6tables -A INPUT -p tcp -d fd00:10::5 -j REJECT \
                --reject-with icmp6-policy-fail",
        reason: "connect_unreachable",
        says: "administratively prohibited (ICMPv6 type 1 code 5)",
    },
    Case {
        to: "fd00:10::6",
        setup: "ip address add fd00:10::6/128 dev lo; ip6tables -A INPUT -p tcp -d fd00:10::6 -j REJECT \
                --reject-with icmp6-reject-route",
        reason: "connect_unreachable",
        says: "administratively prohibited (ICMPv6 type 1 code 6)",
    },
];

#[test]
fn a_rule_that_rejects_is_told_from_a_route_that_is_missing() {
    let program = env::current_exe().expect("the program of the tests");
    let status = Command::new("unshare")
        .args(["--map-root-user", "--net"])
        .arg(program)
        .args(["--exact", "--ignored", "--nocapture"])
        .arg("rejections::the_agent_says_what_the_kernel_knows")
        .status();
    assert!(status.expect("unshare runs").success());
}

#[test]
#[ignore = "runs in a network of its own, which the test above makes for it"]
fn the_agent_says_what_the_kernel_knows() {
    run("ip link set lo up");
    let mut zone = Zone::new("internal.example.com", Authority::Private);
    for (number, case) in CASES.iter().enumerate() {
        run(case.setup);
        zone = zone.address(
            &host(number),
            case.to.parse::<IpAddr>().expect("an address"),
        );
    }
    let folder = Folder::new("rejections");
    let bind = Bind::start(&folder, &[zone]);
    for (number, case) in CASES.iter().enumerate() {
        let checked = checked(number, &bind);
        assert_eq!(checked.reason(), case.reason, "{}: {checked}", case.setup);
        let detail = checked.detail();
        assert!(detail.contains(case.says), "{}: {detail}", case.setup);
        let is_reset = case.setup.ends_with("tcp-reset");
        assert!(!is_reset || !detail.contains("ICMP"), "{detail}");
    }
}

fn host(number: usize) -> String {
    format!("host-{number}.internal.example.com")
}

fn checked(number: usize, bind: &Bind) -> Checked {
    check(&[
        &host(number),
        "--port",
        "443",
        "--resolver",
        &bind.address().to_string(),
        "--classify-private",
        "127.0.1.0/24",
        "--timeout",
        "6s",
    ])
}

/// Runs shell commands that set up the namespace.
fn run(commands: &str) {
    let status = Command::new("sh").args(["-e", "-c", commands]).status();
    assert!(status.expect("sh runs").success(), "{commands}");
}
