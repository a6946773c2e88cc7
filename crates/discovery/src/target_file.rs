//! Target file: what the agents read: the targets of the observer, one a line.
//!
//! The text depends on the targets alone, so that it changes only when they do. It is YAML in which every
//! value is written as JSON; what it holds is read by `privatelink-config`.

use std::fmt::Write as _;
use std::time::SystemTime;

use privatelink_verdict::catalogue::Usage;
use privatelink_verdict::target::{Protocol, Source};
use serde_json::{Value, json};

use crate::index::DiscoveredTarget;

/// The first line.
const HEADER: &str =
    "# Written by the observer of privatelink-prober. What is written here by hand is lost.\n";

/// How a target's line begins.
const MARK: &str = "- ";

/// A file with these lines, one for each target, in at most `room` bytes; and how many had no room in it.
pub fn render(lines: &[String], room: usize) -> (String, usize) {
    let mut file = String::from(HEADER);
    file.push_str(if lines.is_empty() {
        "targets: []\n"
    } else {
        "targets:\n"
    });
    for (index, line) in lines.iter().enumerate() {
        if file.len() + line.len() > room {
            return (file, lines.len() - index);
        }
        file.push_str(line);
    }
    (file, 0)
}

/// The line of a discovered target.
pub fn line(target: &DiscoveredTarget) -> String {
    let mut keys = json!({
        "source": Source::Discovered.as_str(),
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
    let _ = writeln!(line, "{MARK}{keys}");
    line
}

/// The discovered targets of a file that [`render`] wrote, as seen first at `now` and with no user; of
/// another text, none.
pub fn read(file: &str, now: SystemTime) -> Vec<DiscoveredTarget> {
    let entries = file.lines().filter_map(|line| line.strip_prefix(MARK));
    entries
        .filter_map(|entry| {
            let keys: Value = serde_json::from_str(entry).ok()?;
            let usage = keys["usage"].as_str();
            (keys["source"] == Source::Discovered.as_str()).then_some(())?;
            Some(DiscoveredTarget {
                host: keys["host"].as_str()?.to_owned(),
                port: keys["port"].as_u64()?.try_into().ok()?,
                connect_only: keys["protocol"] == Protocol::Tcp.as_str(),
                usage: Usage::ALL
                    .iter()
                    .copied()
                    .find(|known| usage == Some(known.as_str())),
                sources: Vec::new(),
                users: None,
                first_seen: now,
            })
        })
        .collect()
}
