//! Target file: what the agents read: the discovered targets, one a line.
//!
//! The text depends on the targets alone, so that it changes only when they do. It is YAML in which every
//! value is written as JSON; what it holds is read by `privatelink-config`.

use std::fmt::Write as _;

use privatelink_verdict::target::Protocol;
use serde_json::json;

use crate::index::DiscoveredTarget;

/// The first line.
const HEADER: &str =
    "# Written by the observer of privatelink-prober. What is written here by hand is lost.\n";

/// A file with these targets, in at most `room` bytes; and how many had no room in it.
pub fn render(targets: &[DiscoveredTarget], room: usize) -> (String, usize) {
    let mut file = String::from(HEADER);
    file.push_str(if targets.is_empty() {
        "targets: []\n"
    } else {
        "targets:\n"
    });
    for (index, target) in targets.iter().enumerate() {
        let line = line(target);
        if file.len() + line.len() > room {
            return (file, targets.len() - index);
        }
        file.push_str(&line);
    }
    (file, 0)
}

fn line(target: &DiscoveredTarget) -> String {
    let mut keys = json!({
        "source": "discovered",
        "host": target.host,
        "port": target.port,
    });
    if target.connect_only {
        keys["protocol"] = json!(Protocol::Tcp.as_str());
    }
    if let Some(usage) = target.usage {
        keys["usage"] = json!(usage.as_str());
    }
    if let Some(users) = &target.users {
        keys["users"] = json!({
            "workloads": users.workloads,
            "namespaces": users.namespaces,
            "examples": users.examples,
        });
    }
    let mut line = String::new();
    let _ = writeln!(line, "- {keys}");
    line
}
