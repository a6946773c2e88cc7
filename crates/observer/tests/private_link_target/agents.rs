//! The agents: what their configuration crate makes of the lines that the observer writes.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use privatelink_config::plan::Plan;
use privatelink_observer::private_link_target::admission::{
    AcceptedTarget, Admission, AdmissionRules,
};
use privatelink_verdict::address::Class;
use privatelink_verdict::target::Source;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{decided, rules};

/// The agents' plan with `operators` as the operator's file, and the targets in the observer's.
fn plan(operators: &str, admission: &Admission) -> Plan {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let folder = format!("privatelink-crd-{}-{number}", std::process::id());
    let folder = std::env::temp_dir().join(folder);
    fs::create_dir_all(&folder).expect("a folder");
    let files = ["config.yaml", "targets.yaml"].map(|name| folder.join(name));
    let lines: String = admission.targets.iter().map(AcceptedTarget::line).collect();
    fs::write(&files[0], operators).expect("a file");
    fs::write(&files[1], format!("targets:\n{lines}")).expect("a file");
    let plan = privatelink_config::load(&files);
    fs::remove_dir_all(&folder).expect("it was made above");
    plan.unwrap_or_else(|error| panic!("{error}\n{lines}"))
}

const OPERATORS: &str = "targets: [{host: own.vault.azure.net}]\nallowedHosts: ['*.example.com']\n\
                         deniedCidrs: [10.0.0.0/16]\n";

fn allowing() -> AdmissionRules {
    let example = privatelink_verdict::admission::Allowed::Below("example.com".to_owned());
    AdmissionRules {
        allowed: vec![example],
        denied: vec!["10.0.0.0/16".parse().expect("a network")],
        ..rules()
    }
}

#[test]
fn every_key_arrives_with_its_meaning() {
    let spec = json!({
        "host": "Orders.Example.com.",
        "port": 8443,
        "protocol": "tls",
        "expect": "public",
        "expectedCidrs": ["10.1.2.0/24", "fd00:1::/64"],
        "addressFamilies": ["ipv6"],
        "interval": "5m",
        "timeout": "4s",
        "serverName": "www.Example.com",
        "http": false,
        "privateZone": "privatelink.example.com",
        "owner": " payments ",
    });
    let registry = json!({"host": "contoso.azurecr.io", "dataRegions": ["westeurope"]});
    let admission = decided(
        &[("shop/orders", spec), ("shop/acr", registry)],
        &allowing(),
    );
    let plan = plan(OPERATORS, &admission);
    assert_eq!(plan.warnings, [""; 0]);
    assert_eq!(plan.rejected.crd, 0);
    let target = |name: &str| {
        let found = plan.targets.iter().find(|target| target.name == name);
        found.unwrap_or_else(|| panic!("no {name}"))
    };
    let orders = target("shop:orders");
    assert_eq!(orders.source, Source::Crd);
    assert_eq!(
        (orders.host.as_str(), orders.port),
        ("orders.example.com", 8443)
    );
    assert_eq!(orders.protocol.as_str(), "tls");
    assert_eq!(orders.expect.as_str(), "public");
    let expected: Vec<_> = orders
        .rules
        .expected
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(expected, ["10.1.2.0/24", "fd00:1::/64"]);
    assert_eq!(orders.families.len(), 1);
    assert_eq!(orders.interval.as_secs(), 300);
    assert_eq!(orders.timeout.as_secs(), 4);
    assert_eq!(orders.server_name(), "www.example.com");
    assert!(!orders.http);
    assert_eq!(
        orders.private_zone.as_deref(),
        Some("privatelink.example.com")
    );
    assert_eq!(orders.owner.as_deref(), Some("payments"));
    assert_eq!(target("shop:acr").companions, ["shop:acr:data:westeurope"]);
    assert_eq!(
        target("shop:acr:data:westeurope").host,
        "contoso.westeurope.data.azurecr.io"
    );
}

/// A name may be pointed at any address after it was accepted (DNS rebinding): the agents judge and dial
/// addresses by the operator's rules, whatever a tenant expects.
#[test]
fn denied_and_reserved_addresses_are_dialled_for_no_target_of_a_tenant() {
    let spec = json!({
        "host": "kv.vault.azure.net",
        "expectedCidrs": ["0.0.0.0/0", "::/0"],
        "expect": "privateEndpoint",
    });
    let admission = decided(&[("a/a", spec)], &allowing());
    let plan = plan(OPERATORS, &admission);
    let target = plan.targets.iter().find(|target| target.name == "a:a");
    let rules = &target.expect("the target").rules;
    for address in [
        "10.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::10.0.0.1",
        "127.0.0.1",
        "::1",
        "169.254.169.254",
        "168.63.129.16",
        "0.0.0.0",
        "fe80::1",
        "224.0.0.1",
    ] {
        assert!(
            !rules.may_dial(address.parse().expect(address)),
            "{address}"
        );
    }
    // The service range is denied as such, and an address outside it is expected as written.
    let class = |address: &str| rules.classify(address.parse().expect(address));
    assert_eq!(class("10.0.0.1"), Class::Reserved);
    assert_eq!(class("10.1.0.1"), Class::Expected);
}

#[test]
fn a_tenant_makes_no_target_faster_than_the_operators() {
    let spec = json!({"host": "kv.vault.azure.net", "interval": "1s", "timeout": "10m"});
    let plan = plan(OPERATORS, &decided(&[("a/a", spec)], &allowing()));
    let target = plan.targets.iter().find(|target| target.name == "a:a");
    let target = target.expect("the target");
    assert_eq!(
        (target.interval.as_secs(), target.timeout.as_secs()),
        (30, 10)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever is accepted here is accepted there: a person who reads `Accepted` is probed.
    #[test]
    fn the_agents_accept_what_the_observer_accepts(
        host in "(kv|Acr|a-b|x_y|1)[.](vault[.]azure[.]net|azurecr[.]io|database[.]windows[.]net|example[.]com|mysql[.]database[.]azure[.]com)[.]?",
        port in proptest::option::of(prop_oneof![Just(443), Just(1433), Just(3306), 1..70_000]),
        protocol in proptest::option::of("tls|tcp|tds|postgres|mysql"),
        interval in proptest::option::of("[0-9]{1,3}(s|m|h|ms|x)([0-9]{1,2}s)?"),
        timeout in proptest::option::of("[0-9]{1,3}(s|m|ms)"),
        cidr in proptest::option::of("(10[.]1|10[.]0|300[.]1|0[.]0)[.](0|3)[.]0/(8|16|24|32|33|08)|fd00:(:|1::)/(8|64|129)"),
        region in proptest::option::of("[A-Za-z0-9]{0,6}|west europe"),
        owner in proptest::option::of(".{0,140}"),
        server_name in proptest::option::of("[a-z*._0-9-]{0,12}"),
    ) {
        let spec: Value = json!({
            "host": host, "port": port, "protocol": protocol, "interval": interval, "timeout": timeout,
            "expectedCidrs": cidr.map(|cidr| [cidr]), "dataRegions": region.map(|region| [region]),
            "owner": owner, "serverName": server_name,
        });
        let admission = decided(&[("a/a", spec)], &allowing());
        if !admission.targets.is_empty() {
            let plan = plan(OPERATORS, &admission);
            prop_assert_eq!(plan.rejected.crd, 0, "{:?}: {}", plan.warnings, admission.targets[0].line());
            prop_assert!(plan.targets.iter().any(|target| target.name == "a:a"));
        }
    }
}
