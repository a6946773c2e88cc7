//! Merging: several files as one list, and files that change.

use privatelink_verdict::target::{Expectation, Source};

use super::*;
use crate::reload::Watcher;

const OPERATORS: &str = "
resolvers: [{name: pod, servers: [10.0.0.10]}, {name: node, servers: [10.0.0.11], pathFor: [registries, volumes]}]
allowedHosts: ['*.corp.example']
targets: [{host: kv.vault.azure.net, name: my-vault}]
";

fn merged(name: &str, later: &str) -> Plan {
    let scratch = Scratch::new(name);
    let files = [
        scratch.write("config.yaml", OPERATORS),
        scratch.write("observed.yaml", later),
    ];
    let mut plan = load(&files).expect("a target file never makes the configuration invalid");
    let location = scratch.0.display().to_string();
    for warning in &mut plan.warnings {
        *warning = warning.replace(&location, "/config");
    }
    plan
}

#[test]
fn the_same_host_and_port_is_one_target_of_the_first_source() {
    let plan = merged(
        "merging-same",
        "targets:
  - {source: discovered, host: KV.vault.azure.net}
  - {source: discovered, host: reg.azurecr.io}
  - {source: crd, name: 'shop:reg', host: reg.azurecr.io}
  - {source: crd, name: 'shop:db', host: db.corp.example, port: 5432, protocol: postgres}
  - {source: discovered, host: stor.blob.core.windows.net, usage: volumes}
",
    );
    assert_eq!(
        names(&plan),
        [
            "my-vault",
            "shop:db",
            "shop:reg",
            "stor.blob.core.windows.net"
        ]
    );
    assert_eq!(plan.warnings, [""; 0]);
    let registry = target(&plan, "shop:reg");
    assert_eq!(registry.source, Source::Crd);
    assert_eq!(registry.expect, Expectation::PrivateEndpoint);
    assert_eq!(&*registry.resolver, "node");
    let blob = target(&plan, "stor.blob.core.windows.net");
    assert_eq!(blob.source, Source::Discovered);
    assert_eq!((blob.expect, &*blob.resolver), (Expectation::Auto, "node"));
}

#[test]
fn the_users_of_a_target_are_the_observers_to_tell_whatever_the_targets_source_is() {
    let plan = merged(
        "merging-users",
        "targets:
  - {source: discovered, host: kv.vault.azure.net, port: 443, users: {workloads: 2, namespaces: 1, examples: [Deployment a/b]}}
  - {source: discovered, host: reg.azurecr.io, usage: registries, users: {workloads: 14, namespaces: 3, examples: [a, b, c, d]}}
  - {source: discovered, host: lingers.azurecr.io}
  - {source: discovered, host: odd.azurecr.io, users: none}
  - {source: discovered, host: hostile.azurecr.io, users: {examples: [\"\\e[31mx\"]}}
",
    );
    assert_eq!(plan.warnings, [""; 0]);
    let users = |name: &str| target(&plan, name).users.as_deref();
    let text = |name: &str| users(name).map(ToString::to_string);
    assert_eq!(
        text("my-vault").as_deref(),
        Some("2 workloads in 1 namespace")
    );
    assert_eq!(
        text("reg.azurecr.io").as_deref(),
        Some("image pulls of 14 workloads in 3 namespaces")
    );
    let examples = users("reg.azurecr.io").map(|users| users.examples.join(" "));
    assert_eq!(examples.as_deref(), Some("a b c"));
    assert_eq!(text("lingers.azurecr.io"), None);
    assert_eq!(
        text("odd.azurecr.io"),
        None,
        "no reason to refuse the target"
    );
    assert_eq!(
        text("hostile.azurecr.io").as_deref(),
        Some("named by \\u{1b}[31mx")
    );
}

#[test]
fn a_bad_target_of_the_observer_is_refused_alone() {
    let plan = merged(
        "merging-bad",
        "interval: 1s
targets:
  - {source: crd, name: 'a:ok', host: ok.vault.azure.net}
  - {source: crd, name: 'a:imds', host: imds.vault.azure.net, classify: {private: [169.254.169.254/32]}}
  - {source: crd, name: 'a:other', host: other.example.com}
  - {source: crd, name: 'a:port', host: p.vault.azure.net, port: 22}
  - {source: crd, name: 'a:internal', host: api.default.svc.cluster.local}
  - {source: crd, host: nameless.vault.azure.net}
  - {source: crd, name: my-vault, host: taken.vault.azure.net}
  - {source: config, name: x, host: x.vault.azure.net}
  - {name: y, host: y.vault.azure.net}
  - {source: discovered, host: 10.1.2.3}
  - {source: discovered, host: z.vault.azure.net, colour: red}
  - {source: discovered, host: w.vault.azure.net, interval: 1ms}
  - nonsense
",
    );
    assert_eq!(names(&plan), ["my-vault", "a:ok"]);
    assert_eq!((plan.rejected.crd, plan.rejected.discovered), (6, 6));
    insta::assert_snapshot!(plan.warnings.join("\n"), @"
    /config/observed.yaml: `interval` is ignored: only `targets` is read from a target file
    the crd target `a:imds` is refused: /config/observed.yaml:4:5: `classify` is allowed only in the operator's configuration
    the crd target `a:other` is refused: /config/observed.yaml:5:5: the host `other.example.com` is neither in the catalogue nor in allowedHosts
    the crd target `a:port` is refused: /config/observed.yaml:6:5: the catalogue does not list the port 22 for `p.vault.azure.net` (a host in allowedHosts may have any port)
    the crd target `a:internal` is refused: /config/observed.yaml:7:5: the host `api.default.svc.cluster.local` is a name of the cluster itself
    the crd target `nameless.vault.azure.net` is refused: /config/observed.yaml:8:5: it has no `name` (a PrivateLinkTarget is called `namespace:name`)
    the discovered target `x` is refused: /config/observed.yaml:10:5: `config` is not a value of source (valid are crd, discovered)
    the discovered target `y` is refused: /config/observed.yaml:11:5: it has no `source` (write `source: crd` or `source: discovered`)
    the discovered target `10.1.2.3` is refused: /config/observed.yaml:12:5: the host `10.1.2.3` is an IP address (write the name that applications use: the probe is about how it resolves and which certificate answers to it)
    the discovered target `z.vault.azure.net` is refused: /config/observed.yaml:13:5: unknown field `colour`, expected one of `host`, `name`, `port`, `protocol`, `resolver`, `expect`, `expectedCidrs`, `addressFamilies`, `interval`, `timeout`, `serverName`, `http`, `dataRegions`, `privateZone`, `classify`, `sameService`, `owner`
    the discovered target `w.vault.azure.net` is refused: /config/observed.yaml:14:5: interval is `1ms`, shorter than `1s`
    the discovered target `without a host` is refused: /config/observed.yaml:15:5: it has no `source` (write `source: crd` or `source: discovered`)
    /config/observed.yaml: the crd target `my-vault` is refused: another target has that name
    ");
}

#[test]
fn what_is_quoted_of_a_bad_target_acts_on_no_terminal() {
    let plan = merged(
        "merging-quoted",
        "targets:\n  - {source: crd, name: 'a:b', host: b.vault.azure.net, \"\\e[2Jcolour\": red}\n",
    );
    let warning = plan.warnings.join("\n");
    assert!(warning.contains("[2Jcolour"), "{warning}");
    assert!(!warning.contains('\u{1b}'), "{warning:?}");
}

#[test]
fn only_the_operator_shortens_intervals_or_ties_targets_together() {
    let plan = merged(
        "merging-pace",
        "targets:
  - {source: crd, name: 'a:eager', host: eager.vault.azure.net, interval: 1s, timeout: 10m}
  - {source: crd, name: 'a:db', host: d.postgres.database.azure.com, interval: 30s}
  - {source: crd, name: 'a:modest', host: modest.vault.azure.net, interval: 5m, timeout: 5s}
  - {source: crd, name: 'a:resolver', host: r.vault.azure.net, resolver: node}
  - {source: crd, name: 'a:friend', host: f.vault.azure.net, sameService: [my-vault]}
",
    );
    let pace = |name: &str| {
        let target = target(&plan, name);
        (target.interval.as_secs(), target.timeout.as_secs())
    };
    assert_eq!(pace("a:eager"), (30, 10));
    assert_eq!(pace("a:db"), (60, 10));
    assert_eq!(pace("a:modest"), (300, 5));
    assert_eq!(plan.rejected.crd, 2);
    insta::assert_snapshot!(plan.warnings.join("\n"), @"
    /config/observed.yaml:2:5: interval is `1s`, shorter than is usual: `30s` is used
    /config/observed.yaml:2:5: timeout is `10m`, longer than is usual: `10s` is used
    /config/observed.yaml:3:5: interval is `30s`, shorter than is usual: `1m` is used
    the crd target `a:resolver` is refused: /config/observed.yaml:5:5: `resolver` is allowed only in the operator's configuration
    the crd target `a:friend` is refused: /config/observed.yaml:6:5: `sameService` is allowed only in the operator's configuration
    ");
}

#[test]
fn a_target_file_may_be_absent_empty_or_not_yaml() {
    let scratch = Scratch::new("merging-later");
    let first = scratch.write("config.yaml", "targets: []\n");
    let latin = scratch.0.join("latin.yaml");
    std::fs::write(&latin, b"targets: []\n# caf\xe9\n").expect("a temporary file");
    let deep = format!("targets: {}{}", "[".repeat(50), "]".repeat(50));
    let invalid = "no target of this file";
    for (later, warning, rejected) in [
        (scratch.write("empty.yaml", ""), "the file is empty", 0),
        (scratch.0.join("absent.yaml"), "cannot be read", 0),
        (scratch.write("broken.yaml", "targets: [{"), invalid, 1),
        (scratch.write("deep.yaml", &deep), "too deep", 1),
        (scratch.write("list.yaml", "[1, 2]"), invalid, 1),
        (scratch.write("words.yaml", "targets: none"), invalid, 1),
        (latin, "not UTF-8", 1),
        (scratch.0.clone(), "not a regular file", 1),
    ] {
        let plan = load(&[first.clone(), later.clone()]).expect("a plan");
        assert!(plan.targets.is_empty());
        assert_eq!(plan.warnings.len(), 1, "{later:?}: {:?}", plan.warnings);
        assert!(plan.warnings[0].contains(warning), "{:?}", plan.warnings);
        assert_eq!(plan.rejected.discovered, rejected, "{later:?}");
    }
    load(std::slice::from_ref(&first)).expect_err("alone, a file without targets is a mistake");
}

fn several(name: &str, texts: &[(&str, &str)]) -> Result<Plan, String> {
    let scratch = Scratch::new(name);
    let files: Vec<_> = texts
        .iter()
        .map(|(name, text)| scratch.write(name, text))
        .collect();
    let location = format!("{}/", scratch.0.display());
    load(&files).map_err(|error| plain(&error).replace(&location, ""))
}

#[test]
fn a_file_in_another_directory_cannot_pass_for_the_operators() {
    let (mine, theirs) = (Scratch::new("merging-mine"), Scratch::new("merging-theirs"));
    let first = mine.write("config.yaml", "targets: [{host: kv.vault.azure.net}]");
    let later = theirs.write(
        "observed.yaml",
        "classify: {private: [0.0.0.0/0]}\ntargets: [{host: x.example.com}]",
    );
    let plan = load(&[first, later]).expect("a target file never makes it invalid");
    assert_eq!(names(&plan), ["kv.vault.azure.net"]);
    assert!(plan.targets[0].rules.global.private.is_empty());
    assert_eq!(plan.rejected.discovered, 1);
    let [warning] = &plan.warnings[..] else {
        panic!("{:?}", plan.warnings)
    };
    assert!(
        warning.contains("nothing of this file is used"),
        "{warning}"
    );
}

#[test]
fn several_files_of_the_operator_are_one_configuration() {
    let plan = several(
        "several-merged",
        &[
            (
                "a.yaml",
                "interval: 20s\ntargets: [{host: a.example.com}]\n",
            ),
            ("b.yaml", "targets: [{host: b.example.com, port: 8443}]\n"),
            (
                "observed.yaml",
                "targets: [{source: discovered, host: kv.vault.azure.net}]\n",
            ),
            ("c.yaml", "timeout: 5s\ndeniedCidrs: [10.0.0.0/16]\n"),
        ],
    );
    let plan = plan.expect("a plan");
    assert_eq!(
        names(&plan),
        ["a.example.com", "b.example.com", "kv.vault.azure.net"]
    );
    assert_eq!(plan.warnings, [""; 0]);
    let b = target(&plan, "b.example.com");
    assert_eq!((b.source, b.port), (Source::Config, 8443));
    assert_eq!((b.interval.as_secs(), b.timeout.as_secs()), (20, 5));
    assert_eq!(b.rules.denied.len(), 1);
}

#[test]
fn the_limit_of_targets_counts_wherever_it_is_written() {
    let mut many = "targets:\n".to_owned();
    for number in 0..600 {
        many += &format!("  - host: h{number}.example.com # {}\n", "x".repeat(120));
    }
    let limits = |most| format!("limits: {{maxTargets: {most}}}\n");
    let plan = several(
        "several-limit",
        &[("a.yaml", &many), ("b.yaml", &limits(600))],
    );
    assert_eq!(plan.expect("a plan").targets.len(), 600);
    let refused = several(
        "several-beyond",
        &[("a.yaml", &many), ("b.yaml", &limits(599))],
    );
    let refused = refused.expect_err("too many");
    assert!(refused.contains("there are 600 targets"), "{refused}");
}

#[test]
fn the_same_setting_in_two_files_is_refused_with_both_places() {
    let refused = several(
        "several-settings",
        &[
            (
                "a.yaml",
                "interval: 30s\ntargets: [{host: a.example.com}]\n",
            ),
            (
                "b.yaml",
                "targets: [{host: b.example.com}]\n\ninterval: 30s\n",
            ),
        ],
    );
    insta::assert_snapshot!(refused.expect_err("twice"), @"
    error: `interval` is written in two files; the first is a.yaml:1
     --> b.yaml:3:1
      |
    3 | interval: 30s
      | ^^^^^^^^
      |
      = help: keep it in one of them: it counts for the targets of all files
    ");
}

#[test]
fn the_same_target_in_two_files_is_refused_with_both_places() {
    let refused = several(
        "several-targets",
        &[
            (
                "a.yaml",
                "targets:\n  - host: kv.vault.azure.net\n  - {host: a.example.com, name: x}\n",
            ),
            (
                "b.yaml",
                "targets:\n  - {host: b.example.com, name: x}\n  - host: kv.vault.azure.net\n",
            ),
        ],
    );
    insta::assert_snapshot!(refused.expect_err("twice"), @"
    error: two targets are called `x` (the first is at a.yaml:3)
     --> b.yaml:2:33
      |
    2 |   - {host: b.example.com, name: x}
      |                                 ^
      |
      = help: give one of them another `name`, or remove it

    error: two targets are called `kv.vault.azure.net:443` (the first is at a.yaml:2)
     --> b.yaml:3:11
      |
    3 |   - host: kv.vault.azure.net
      |           ^^^^^^^^^^^^^^^^^^
      |
      = help: give one of them another `name`, or remove it
    ");
}

#[test]
fn the_mistakes_of_all_files_are_reported_at_once_each_in_its_file() {
    let refused = several(
        "several-mistakes",
        &[
            ("b.yaml", "targets: [{host: 10.1.2.3}]\n"),
            ("a.yaml", "targets: [{host: a.example.com, port: 0}]\n"),
        ],
    );
    insta::assert_snapshot!(refused.expect_err("mistakes"), @"
    error: the host `10.1.2.3` is an IP address
     --> b.yaml:1:18
      |
    1 | targets: [{host: 10.1.2.3}]
      |                  ^^^^^^^^
      |
      = help: write the name that applications use: the probe is about how it resolves and which certificate answers to it

    error: the port 0 is not between 1 and 65535
     --> a.yaml:1:39
      |
    1 | targets: [{host: a.example.com, port: 0}]
      |                                       ^
    ");
    let refused = several(
        "several-shapes",
        &[
            ("b.yaml", "intervall: 30s\ntargets: []\n"),
            ("a.yaml", "targets: [kv.vault.azure.net]\n"),
        ],
    );
    let refused = refused.expect_err("mistakes");
    assert!(
        refused.contains("b.yaml:1:1") && refused.contains("a.yaml:1:11"),
        "{refused}"
    );
}

#[test]
fn a_file_with_one_source_is_the_observers_and_one_that_says_nothing_too() {
    let plan = merged(
        "several-observers",
        "targets:\n  - {host: bare.vault.azure.net}\n  - {source: discovered, host: kv2.vault.azure.net}\n",
    );
    assert_eq!(names(&plan), ["my-vault", "kv2.vault.azure.net"]);
    assert_eq!(plan.rejected.discovered, 1);
    for nothing in ["targets: []", "targets:", "{}", "# later"] {
        assert_eq!(
            names(&merged("several-nothing", nothing)),
            ["my-vault"],
            "{nothing}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_file_of_the_operator_that_becomes_invalid_is_refused_as_the_first_is() {
    let scratch = Scratch::new("several-reload");
    let first = scratch.write("a.yaml", "targets: [{host: a.example.com}]\n");
    let second = scratch.write("b.yaml", "targets: [{host: b.example.com}]\n");
    let (plan, mut watcher) = Watcher::start(&[first, second.clone()]).expect("a plan");
    assert_eq!(names(&plan), ["a.example.com", "b.example.com"]);
    for bad in ["targets: [{", "targets: [{hosst: b.example.com}]\n", ""] {
        scratch.write("b.yaml", bad);
        let refused = watcher.changed().await;
        refused.expect_err(bad);
    }
    std::fs::remove_file(&second).expect("the file");
    watcher.changed().await.expect_err("the file is gone");
    scratch.write("b.yaml", "targets: [{host: c.example.com}]\n");
    let plan = watcher.changed().await.expect("a plan");
    assert_eq!(names(&plan), ["a.example.com", "c.example.com"]);
}

#[test]
fn what_is_beyond_the_limit_is_refused_from_the_end() {
    let scratch = Scratch::new("merging-limit");
    let files = [
        scratch.write(
            "config.yaml",
            "limits: {maxTargets: 2}\ntargets: [{host: a.example.com}]\n",
        ),
        scratch.write(
            "observed.yaml",
            "targets:
  - {source: discovered, host: d.vault.azure.net}
  - {source: crd, name: 'a:c', host: c.vault.azure.net}
",
        ),
    ];
    let plan = load(&files).expect("a plan");
    assert_eq!(names(&plan), ["a.example.com", "a:c"]);
    assert_eq!((plan.rejected.crd, plan.rejected.discovered), (0, 1));
}

#[test]
fn the_hash_changes_with_the_content_alone() {
    let scratch = Scratch::new("merging-hash");
    let (text, other) = (
        "targets: [{host: a.example.com}]\n",
        "targets: [{host: b.example.com}]\n",
    );
    let hash = |name: &str, text: &str| {
        let plan = load(&[scratch.write(name, text)]).expect("a plan");
        assert!(plan.hash < 1 << 48, "a gauge must hold it exactly");
        plan.hash
    };
    assert_eq!(hash("a.yaml", text), hash("b.yaml", text));
    assert_ne!(hash("a.yaml", text), hash("a.yaml", other));
    assert_eq!(
        hash("a.yaml", text),
        261_714_027_715_660,
        "stable over runs and versions"
    );
}

/// What kubelet does to a mounted `ConfigMap`: a new directory, and `..data` renamed onto it.
fn publish(mount: &Path, revision: &str, text: &str) {
    let data = mount.join(format!("..{revision}"));
    std::fs::create_dir_all(&data).expect("a directory");
    std::fs::write(data.join("config.yaml"), text).expect("a file");
    let next = mount.join("..data_tmp");
    std::os::unix::fs::symlink(format!("..{revision}"), &next).expect("a link");
    std::fs::rename(&next, mount.join("..data")).expect("the swap");
    let file = mount.join("config.yaml");
    if !file.is_symlink() {
        std::os::unix::fs::symlink("..data/config.yaml", file).expect("a link");
    }
}

#[tokio::test(start_paused = true)]
async fn a_swapped_config_map_is_read_again_and_the_same_mistake_is_reported_once() {
    let scratch = Scratch::new("merging-swap");
    publish(&scratch.0, "1", "targets: [{host: a.example.com}]\n");
    let paths = [scratch.0.join("config.yaml")];
    let (plan, mut watcher) = Watcher::start(&paths).expect("a plan");
    assert_eq!(names(&plan), ["a.example.com"]);

    publish(&scratch.0, "2", "targets: [{host: a.example.com}]\n");
    quiet(&mut watcher, "a swap that changes no content is no change").await;

    publish(&scratch.0, "3", "targets: [{host: b.example.com}]\n");
    let plan = watcher.changed().await.expect("a good configuration");
    assert_eq!(names(&plan), ["b.example.com"]);

    publish(&scratch.0, "4", "targets: [{hosst: c.example.com}]\n");
    let error = watcher.changed().await.expect_err("a bad configuration");
    assert!(
        error.to_string().contains("did you mean `host`?"),
        "{error}"
    );
    quiet(&mut watcher, "the same mistake is reported once").await;

    publish(&scratch.0, "5", "targets: [{host: b.example.com}]\n");
    let again = watcher.changed().await.expect("the good one is back");
    assert_eq!(again.hash, plan.hash);

    std::fs::remove_file(scratch.0.join("..data")).expect("the link");
    let error = watcher.changed().await.expect_err("the file is gone");
    assert!(error.to_string().contains("cannot be read"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_changed_ca_file_is_noticed_also_while_the_configuration_is_bad() {
    let scratch = Scratch::new("merging-ca");
    let ca = scratch.write("ca.pem", "not yet\n");
    let text = format!(
        "tls: {{caFiles: [{}]}}\ntargets: [{{host: a.example.com}}]\n",
        ca.display()
    );
    let config = scratch.write("config.yaml", "targets: [{host: a.example.com}]\n");
    let (_, mut watcher) = Watcher::start(std::slice::from_ref(&config)).expect("a plan");

    scratch.write("config.yaml", &text);
    watcher
        .changed()
        .await
        .expect_err("the CA file holds no certificate");
    let key = rcgen::KeyPair::generate().expect("a key");
    let params = rcgen::CertificateParams::new(vec!["ca.example".to_owned()]).expect("a name");
    let certificate = params.self_signed(&key).expect("a certificate");
    scratch.write("ca.pem", &certificate.pem());
    let plan = watcher.changed().await.expect("the CA file is good now");
    assert_eq!(plan.ca_certificates.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_target_file_that_becomes_invalid_keeps_its_last_good_targets_with_a_warning() {
    let scratch = Scratch::new("merging-last-good");
    let first = scratch.write("config.yaml", OPERATORS);
    let observed = |host: &str| format!("targets: [{{source: discovered, host: {host}}}]\n");
    let later = scratch.write("observed.yaml", &observed("a.vault.azure.net"));
    let (_, mut watcher) = Watcher::start(&[first, later.clone()]).expect("a plan");

    scratch.write("observed.yaml", &observed("b.vault.azure.net"));
    let plan = watcher.changed().await.expect("a plan");
    assert_eq!(names(&plan), ["my-vault", "b.vault.azure.net"]);

    for bad in [&b"targets: [{"[..], b"[1]", b"targets: []\n# caf\xe9\n"] {
        std::fs::write(&later, bad).expect("a temporary file");
        let plan = watcher.changed().await.expect("a plan");
        assert_eq!(names(&plan), ["my-vault", "b.vault.azure.net"]);
        assert_eq!(plan.rejected.discovered, 1);
        let warning = &plan.warnings[..];
        let says = "the targets of its last good content stay in use";
        assert!(
            warning.len() == 1 && warning[0].ends_with(says),
            "{warning:?}"
        );
    }

    // What the operator changes meanwhile counts for them too.
    scratch.write(
        "config.yaml",
        &format!("{OPERATORS}deniedCidrs: [10.9.0.0/16]\n"),
    );
    let plan = watcher.changed().await.expect("a plan");
    let kept = target(&plan, "b.vault.azure.net");
    assert_eq!(kept.rules.denied.len(), 1);

    scratch.write("observed.yaml", "targets: []\n");
    let plan = watcher.changed().await.expect("a plan");
    assert_eq!(names(&plan), ["my-vault"]);
    scratch.write("observed.yaml", "targets: [{");
    let plan = watcher.changed().await.expect("a plan");
    assert_eq!(names(&plan), ["my-vault"], "the last good one had none");
}

#[tokio::test(start_paused = true)]
async fn an_empty_or_absent_target_file_has_no_targets_whatever_it_held_before() {
    let scratch = Scratch::new("merging-forget");
    let first = scratch.write("config.yaml", OPERATORS);
    let good = "targets: [{source: discovered, host: a.vault.azure.net}]\n";
    let later = scratch.write("observed.yaml", good);
    let (_, mut watcher) = Watcher::start(&[first, later.clone()]).expect("a plan");
    for absent in [false, true] {
        if absent {
            std::fs::remove_file(&later).expect("the file");
        } else {
            scratch.write("observed.yaml", "");
        }
        let plan = watcher.changed().await.expect("a plan");
        assert_eq!(names(&plan), ["my-vault"]);
        assert_eq!(plan.rejected.discovered, 0);
        scratch.write("observed.yaml", "targets: [{");
        let plan = watcher.changed().await.expect("a plan");
        assert_eq!(names(&plan), ["my-vault"], "what was gone does not return");
        scratch.write("observed.yaml", good);
        let plan = watcher.changed().await.expect("a plan");
        assert_eq!(names(&plan), ["my-vault", "a.vault.azure.net"]);
    }
}

async fn quiet(watcher: &mut Watcher, why: &str) {
    let changed = tokio::time::timeout(std::time::Duration::from_mins(1), watcher.changed());
    assert!(changed.await.is_err(), "{why}");
}

#[test]
fn the_warnings_about_target_files_are_bounded() {
    let mut later = "targets:\n".to_owned();
    for number in 0..2_000 {
        later += &format!("  - {{source: crd, name: 'a:{number}', host: h{number}.example.com}}\n");
    }
    for number in 0..200 {
        later += &format!("other{number}: 1\n");
    }
    let plan = merged("merging-long", &later);
    assert_eq!(plan.rejected.crd, 2_000);
    assert!(plan.warnings.len() < 60, "{}", plan.warnings.len());
}
