//! Learned: a resolver whose servers the observer finds out.

use privatelink_verdict::resolver::Servers;

use super::*;

/// The configuration that the chart makes where the address of the cluster's DNS is not known.
const LEARNED: &str = "resolvers:
- {name: pod, serversFile: FILE, localDns: true, mustAgree: true}
- {name: node, resolvConf: /etc/resolv.conf, mustAgree: true, pathFor: [registries]}
targets: [{host: kv.vault.azure.net}, {host: contoso.azurecr.io}, {host: b.vault.azure.net, resolver: pod}]
";

fn learned(name: &str, content: Option<&str>) -> Plan {
    let scratch = Scratch::new(name);
    let file = scratch.0.join("cluster-dns");
    if let Some(content) = content {
        scratch.write("cluster-dns", content);
    }
    let text = LEARNED.replace("FILE", &file.display().to_string());
    load(&[scratch.write("config.yaml", &text)]).unwrap_or_else(|error| panic!("{error}"))
}

fn paths(plan: &Plan) -> Vec<&str> {
    let targets = plan.targets.iter();
    targets.map(|target| &*target.resolver).collect()
}

#[test]
fn the_servers_that_the_observer_learned_are_those_of_pods() {
    let plan = learned("learned", Some("10.0.0.10\n"));
    assert_eq!(plan.warnings, [""; 0]);
    assert_eq!(paths(&plan), ["pod", "node", "pod"]);
    assert_eq!(
        plan.resolvers[0].servers,
        Servers::OfPods {
            cluster: vec!["10.0.0.10:53".parse().expect("an address")],
            node: "/etc/resolv.conf".into(),
        }
    );
}

#[test]
fn until_the_observer_learned_them_there_is_only_the_path_of_the_node_and_a_warning() {
    for (name, content) in [
        ("absent", None),
        ("empty", Some("\n")),
        ("name", Some("dns.example.com\n")),
        ("loopback", Some("127.0.0.1\n")),
        ("port", Some("10.0.0.10:5353\n")),
        ("many", Some("10.0.0.1\n10.0.0.2\n10.0.0.3\n10.0.0.4\n")),
        ("binary", Some("\u{0}\u{1b}[31m")),
    ] {
        let plan = learned(name, content);
        assert_eq!(paths(&plan), ["node"; 3], "{name}");
        assert_eq!(plan.resolvers.len(), 1, "{name}");
        let [warning] = &plan.warnings[..] else {
            panic!("{name}: {:?}", plan.warnings)
        };
        assert!(warning.contains("`pod` is left out"), "{name}: {warning}");
        assert!(!warning.contains('\u{1b}'), "{name}: {warning}");
    }
}

#[test]
fn the_file_of_learned_servers_is_read_again_when_it_changes() {
    let scratch = Scratch::new("learned-later");
    let file = scratch.0.join("cluster-dns");
    let text = LEARNED.replace("FILE", &file.display().to_string());
    let path = [scratch.write("config.yaml", &text)];
    let mut files = Files::default();
    let before = read_files(&path, &mut files, &mut LastGood::default()).expect("a plan");
    assert!(!files.changed());
    scratch.write("cluster-dns", "10.0.0.10\n");
    assert!(files.changed());
    let after = read_files(&path, &mut Files::default(), &mut LastGood::default());
    assert_ne!(before.hash, after.expect("a plan").hash);
}
