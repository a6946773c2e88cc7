//! Properties: what holds for every configuration, however odd.

use std::fmt::Write;

use proptest::prelude::*;

use super::*;

/// A value as somebody might write it: mostly sensible, sometimes not.
fn value(sensible: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop_oneof![
        6 => proptest::sample::select(sensible).prop_map(str::to_owned),
        1 => "[ -~]{0,12}".prop_map(|text| format!("'{}'", text.replace('\'', "''"))),
        1 => proptest::sample::select(&["0", "-1", "[]", "{}", "null", "yes", "~", "99999999999999999999"][..])
            .prop_map(str::to_owned),
    ]
}

fn field() -> impl Strategy<Value = (String, String)> {
    let of = |name: &'static str, sensible| {
        value(sensible).prop_map(move |value| (name.to_owned(), value))
    };
    prop_oneof![
        of("name", &["one", "two", "a:b", "three"]),
        of("port", &["443", "8443", "1433"]),
        of("protocol", &["tls", "tcp", "mysql"]),
        of("expect", &["privateEndpoint", "auto", "public"]),
        of("interval", &["10s", "1h30m", "5m", "500ms"]),
        of("timeout", &["2s", "20s", "1s"]),
        of(
            "expectedCidrs",
            &["[10.0.0.0/8]", "['fd00::/8']", "[10.1.2.3/24]"]
        ),
        of(
            "dataRegions",
            &["[westeurope]", "[westeurope, northeurope]", "[x y]"]
        ),
        of("addressFamilies", &["[ipv4]", "[ipv4, ipv6]"]),
        of("resolver", &["system", "pod"]),
        of("http", &["true", "false"]),
        of("owner", &["payments"]),
    ]
}

fn target_text() -> impl Strategy<Value = String> {
    let host = value(&[
        "a.example.com",
        "kv.vault.azure.net",
        "contoso.azurecr.io",
        "db.mysql.database.azure.com",
        "10.1.2.3",
    ]);
    (
        host,
        proptest::collection::btree_map(field().prop_map(|(name, _)| name), Just(()), 0..5),
        proptest::collection::vec(field(), 0..5),
    )
        .prop_map(|(host, _, fields)| {
            let mut text = format!("  - host: {host}\n");
            for (name, value) in fields {
                let _ = writeln!(text, "    {name}: {value}");
            }
            text
        })
}

proptest! {
    #[test]
    fn every_configuration_is_planned_or_refused_with_a_reason(
        targets in proptest::collection::vec(target_text(), 0..5),
        interval in value(&["30s", "1m", "5m"]),
        max in value(&["500", "2", "1"]),
    ) {
        let text = format!(
            "interval: {interval}\nlimits: {{maxTargets: {max}}}\ntargets:\n{}",
            targets.concat()
        );
        match load_text("config.yaml", &text) {
            Ok(plan) => {
                let mut names = names(&plan);
                names.sort_unstable();
                names.dedup();
                prop_assert_eq!(names.len(), plan.targets.len(), "names are unique");
                prop_assert!(plan.targets.len() <= plan.limits.max_targets);
                for target in &plan.targets {
                    prop_assert!(plan.resolvers.iter().any(|one| one.name == target.resolver));
                    prop_assert!(target.port != 0 && !target.families.is_empty());
                    prop_assert!(target.interval >= plan.limits.min_interval);
                    prop_assert_eq!(host(&target.host).ok(), Some(target.host.clone()));
                }
            }
            Err(error) => {
                prop_assert!(!error.problems.is_empty());
                prop_assert!(!error.to_string().is_empty());
            }
        }
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "[ -~\n\t\u{0}é]{0,200}") {
        if let Err(error) = load_text("config.yaml", &text) {
            let shown = error.to_string();
            prop_assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{shown:?}");
        }
    }

    #[test]
    fn the_order_in_the_observers_file_changes_nothing(
        order in Just((0..6).collect::<Vec<usize>>()).prop_shuffle(),
    ) {
        let items = [
            "{source: crd, name: 'a:kv', host: kv.vault.azure.net}",
            "{source: crd, name: 'b:kv', host: kv.vault.azure.net}",
            "{source: discovered, host: kv.vault.azure.net}",
            "{source: discovered, host: reg.azurecr.io}",
            "{source: crd, name: 'a:bus', host: bus.servicebus.windows.net, port: 5671}",
            "{source: discovered, host: bus.servicebus.windows.net, port: 443}",
        ];
        let mut later = "targets:\n".to_owned();
        for item in order {
            let _ = writeln!(later, "  - {}", items[item]);
        }
        let file = SourceText { name: "config.yaml".to_owned(), text: "".into() };
        let mut last_good = LastGood::default();
        let path = Path::new("observed.yaml");
        let later = match LaterFile::new(path, path, Ok(later.into_bytes()), &mut last_good) {
            LaterFile::Observers(file) => file,
            LaterFile::Operators(file) => panic!("it is the observer's: {file:?}"),
        };
        let parts = Parts {
            files: vec![file],
            target_files: vec![later],
            may_be_empty: true,
            ..Parts::default()
        };
        let plan = assemble(&parts, &mut Files::default()).expect("a plan");
        prop_assert_eq!(
            names(&plan),
            ["a:bus", "a:kv", "bus.servicebus.windows.net:443", "reg.azurecr.io"]
        );
    }
}
