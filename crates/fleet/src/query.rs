//! Query: what somebody asks of the fleet.

mod url;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use privatelink_verdict::suggest::did_you_mean;
use serde::{Deserialize, Serialize};

pub use self::url::BadQuery;
use crate::{Moment, Node};

/// What somebody asks of the fleet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FleetQuery {
    /// Only this target, by its name or its host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Only these nodes.
    pub selector: Selector,
    /// Only what began, or was well again, since then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Moment>,
    /// May public access be turned off?
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gate: Option<GateQuery>,
}

/// What the gate is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GateQuery {
    /// How far back it looks, in seconds.
    pub window_seconds: u64,
    /// Whether nodes that can have no agent are excused.
    pub allow_uncovered: bool,
    /// How many services discovery saw that it could not name, or that agents have no room for.
    pub unnamed_services: u32,
    /// The hosts of the targets that the observer publishes, each of which an agent should have. They are not
    /// written into a report.
    #[serde(skip)]
    pub published: Vec<String>,
    /// The sources of targets of which it is not known what they say.
    pub sources_unknown: Vec<String>,
    /// Whether the nodes of the cluster cannot be listed, so that those without an agent are not known.
    pub nodes_not_listed: bool,
}

impl GateQuery {
    /// The shortest window: in less, agents say nothing new.
    pub const SHORTEST: Duration = Duration::from_mins(1);

    /// The same as a duration.
    pub const fn window(&self) -> Duration {
        Duration::from_secs(self.window_seconds)
    }
}

impl Default for GateQuery {
    fn default() -> Self {
        Self {
            window_seconds: 24 * 3600,
            allow_uncovered: false,
            unnamed_services: 0,
            published: Vec::new(),
            sources_unknown: Vec::new(),
            nodes_not_listed: false,
        }
    }
}

impl FleetQuery {
    /// Whether it is about the target of this name and host.
    pub fn takes_target(&self, name: &str, host: &str) -> bool {
        let asked = self.target.as_deref();
        asked.is_none_or(|asked| asked == name || asked.eq_ignore_ascii_case(host))
    }
}

/// Which nodes: for each key the values of which a node has one. `pool=a,pool=b,zone=1`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Selector(BTreeMap<Key, Vec<String>>);

/// What a selector can ask of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Node,
    Pool,
    Zone,
    Region,
    Subnet,
    Image,
    InstanceType,
}

const KEYS: [(&str, Key); 7] = [
    ("node", Key::Node),
    ("pool", Key::Pool),
    ("zone", Key::Zone),
    ("region", Key::Region),
    ("subnet", Key::Subnet),
    ("image", Key::Image),
    ("instanceType", Key::InstanceType),
];

/// Why a text is no selector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotASelector(String);

impl fmt::Display for NotASelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotASelector {}

impl Selector {
    /// Whether it takes every node.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it takes this node.
    pub fn takes(&self, node: &Node) -> bool {
        let traits = &node.traits;
        self.0.iter().all(|(key, values)| {
            let value = match key {
                Key::Node => Some(&node.name),
                Key::Pool => traits.pool.as_ref(),
                Key::Zone => traits.zone.as_ref(),
                Key::Region => traits.region.as_ref(),
                Key::Subnet => traits.subnet.as_ref(),
                Key::Image => traits.image.as_ref(),
                Key::InstanceType => traits.instance_type.as_ref(),
            };
            value.is_some_and(|value| values.iter().any(|wanted| **wanted == **value))
        })
    }
}

impl FromStr for Selector {
    type Err = NotASelector;

    fn from_str(text: &str) -> Result<Self, NotASelector> {
        let mut wanted: BTreeMap<Key, Vec<String>> = BTreeMap::new();
        for part in text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            let quoted = privatelink_verdict::sanitize::quoted;
            let (word, value) = part
                .split_once('=')
                .filter(|(_, value)| !value.trim().is_empty())
                .ok_or_else(|| {
                    NotASelector(format!("{} is not of the form key=value", quoted(part)))
                })?;
            let word = word.trim();
            let known = KEYS
                .iter()
                .find(|(known, _)| known.eq_ignore_ascii_case(word));
            let Some((_, key)) = known else {
                let valid = KEYS.map(|(known, _)| known);
                let hint = did_you_mean(word, valid)
                    .unwrap_or_else(|| format!("the keys are {}", valid.join(", ")));
                let word = quoted(word);
                return Err(NotASelector(format!("a node has no {word}: {hint}")));
            };
            wanted
                .entry(*key)
                .or_default()
                .push(value.trim().to_owned());
        }
        Ok(Self(wanted))
    }
}

impl TryFrom<String> for Selector {
    type Error = NotASelector;

    fn try_from(text: String) -> Result<Self, NotASelector> {
        text.parse()
    }
}

impl From<Selector> for String {
    fn from(selector: Selector) -> Self {
        selector.to_string()
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        for (key, values) in &self.0 {
            let word = KEYS.iter().find(|(_, known)| known == key);
            let word = word.map_or("", |(word, _)| word);
            parts.extend(values.iter().map(|value| format!("{word}={value}")));
        }
        f.write_str(&parts.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_is_written_as_it_is_read() {
        let selector: Selector = "zone=1, pool=a,pool=b".parse().expect("a selector");
        assert_eq!(selector.to_string(), "pool=a,pool=b,zone=1");
    }

    #[test]
    fn a_wrong_key_is_told_with_the_one_that_was_probably_meant() {
        let refused = "pol=a".parse::<Selector>().expect_err("no such key");
        assert_eq!(
            refused.to_string(),
            "a node has no `pol`: did you mean `pool`?"
        );
        let refused = "pool".parse::<Selector>().expect_err("no value");
        assert_eq!(refused.to_string(), "`pool` is not of the form key=value");
    }
}
