//! File: what people and the observer write, and what the agent mounts.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};

use privatelink_config::plan::Plan;
use privatelink_config::problem::ConfigError;
use privatelink_verdict::sanitize::acts;
use privatelink_verdict::target::Target;

use crate::promise::does_not_act;

/// A configuration of the operator.
pub fn config(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    holds(privatelink_config::load_text("config.yaml", text));
}

/// A file of the observer, beside a configuration: whatever it holds, there is a plan.
pub fn target_file(input: &[u8]) {
    let plan = beside_a_configuration(input);
    assert!(plan.targets.iter().any(|target| target.host == OPERATORS));
    holds(Ok(plan));
}

/// The host of the operator's own target.
const OPERATORS: &str = "operators-own.vault.azure.net";

/// The plan where `input` is the observer's file.
pub fn beside_a_configuration(input: &[u8]) -> Plan {
    let directory = directory();
    let operators = directory.join("config.yaml");
    // In a directory of its own, as it is mounted: beside the operator's it could be another one of his.
    let observers = directory.join("mounted/targets.yaml");
    fs::write(&operators, format!("targets: [{{host: {OPERATORS}}}]\n")).expect("written");
    fs::write(&observers, input).expect("written");
    let plan = privatelink_config::load(&[operators, observers]);
    plan.expect("the observer's file stops nobody")
}

/// A resolv.conf of the node.
pub fn resolv_conf(input: &[u8]) {
    let path = directory().join("resolv.conf");
    fs::write(&path, input).expect("written");
    match privatelink_probe::fuzzing::nameservers(&path) {
        Ok(servers) => assert!((1..=3).contains(&servers), "{servers} servers"),
        Err(fault) => assert!(!fault.cause.is_empty()),
    }
}

/// What holds of a configuration that is used, and of one that is refused.
pub fn holds(loaded: Result<Plan, ConfigError>) {
    match loaded {
        Ok(plan) => {
            plan.warnings
                .iter()
                .for_each(|warning| does_not_act(warning));
            let demand = plan.demand();
            assert!(demand.dns_queries.is_finite() && demand.connections.is_finite());
            let mut names: Vec<_> = plan.targets.iter().map(|target| &target.name).collect();
            names.sort_unstable();
            assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
            for target in &plan.targets {
                target_holds(target);
            }
        }
        Err(error) => {
            assert!(!error.problems.is_empty());
            error.to_string().lines().for_each(does_not_act);
            let rendered = error.rendered();
            let plain = anstream::adapter::strip_str(&rendered).to_string();
            plain.lines().for_each(does_not_act);
        }
    }
}

fn target_holds(target: &Target) {
    for text in [&*target.name, &target.host, target.server_name()] {
        assert!((1..=253).contains(&text.len()), "{text:?}");
        assert!(text.bytes().all(|byte| byte.is_ascii_graphic()), "{text:?}");
    }
    assert!(!target.owner.iter().any(|owner| owner.chars().any(acts)));
    assert!(!target.families.is_empty());
    assert!(target.port > 0);
    assert!((Target::TIMEOUTS.0..=Target::TIMEOUTS.1).contains(&target.timeout));
    assert!((Target::INTERVALS.0..=Target::INTERVALS.1).contains(&target.interval));
}

/// A directory of this thread, which the system cleans with its temporary files.
fn directory() -> PathBuf {
    thread_local! {
        static DIRECTORY: RefCell<Option<PathBuf>> = const { RefCell::new(None) };
    }
    DIRECTORY.with_borrow_mut(|directory| {
        let made = directory.get_or_insert_with(|| {
            let memory = Path::new("/dev/shm");
            let parent = if memory.is_dir() {
                memory.to_owned()
            } else {
                std::env::temp_dir()
            };
            let made = parent.join(format!("privatelink-fuzz-{}", std::process::id()));
            fs::create_dir_all(made.join("mounted")).expect("a directory");
            made
        });
        made.clone()
    })
}
