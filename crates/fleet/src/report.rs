//! Report: the fleet at a moment as plain data: what `/api/v1/fleet` serves and `report` shows.
//!
//! Sentences are in it, so that whoever shows it decides nothing. Words that a later version may add to
//! are texts, so that an older program still reads a newer report.

use privatelink_verdict::target::Users;
use privatelink_verdict::verdict::Outcome;
use serde::{Deserialize, Serialize};

use crate::gate::GateReport;
use crate::words::outcome;
use crate::{FleetQuery, Moment};

/// The fleet at a moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FleetReport {
    /// The version of this form. Fields are only added.
    pub schema_version: u32,
    /// When it was made.
    pub at: Moment,
    /// Who made it; set by who serves it.
    #[serde(default)]
    pub answered_by: AnsweredBy,
    /// What was asked.
    #[serde(default)]
    pub asked: FleetQuery,
    /// The nodes, counted.
    pub nodes: NodeCounts,
    /// What patterns say nothing of, each in a sentence.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Every target, in the order of their names.
    pub targets: Vec<TargetOnNodes>,
    /// What failing nodes have in common, the worst first.
    pub patterns: Vec<PatternReport>,
    /// Groups of nodes that agree on every target, the worst first; healthy ones last.
    pub groups: Vec<NodeGroup>,
    /// What did not fit.
    #[serde(default)]
    pub left_off: LeftOff,
    /// May public access be turned off? Where it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<GateReport>,
}

impl FleetReport {
    /// The version of the form that is written.
    pub const SCHEMA_VERSION: u32 = 1;
}

/// Who made a report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AnsweredBy {
    /// `observer` or `agents`.
    pub source: String,
    /// The name of the pod that answered, or of the context of kubectl.
    pub name: String,
    /// The version of the program.
    pub version: String,
}

/// The nodes, counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeCounts {
    /// All nodes of the cluster.
    pub all: u32,
    /// Those that the selector takes; all, where there is none. The other counts are about these.
    pub selected: u32,
    /// Their agent answered within the last three minutes.
    pub covered: u32,
    /// Their agent answered before and is silent now.
    pub stale: u32,
    /// No agent's view is known.
    pub uncovered: u32,
    /// Covered, and some target fails.
    pub failing: u32,
    /// Covered, none fails, and some target warns.
    pub warning: u32,
    /// At most five of the stale ones, the longest silent first.
    #[serde(default)]
    pub stale_samples: Vec<StaleNode>,
    /// The uncovered ones, by why.
    #[serde(default)]
    pub why_uncovered: Vec<UncoveredNodes>,
}

/// A node whose agent is silent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StaleNode {
    /// Its name.
    pub node: String,
    /// When its agent answered last.
    pub answered_last: Moment,
}

/// Uncovered nodes, for one reason.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UncoveredNodes {
    /// The word of `WhyUncovered`.
    pub why: String,
    /// The same in a sentence.
    pub meaning: String,
    /// How many.
    pub count: u32,
    /// At most five of them.
    pub samples: Vec<String>,
}

/// A target on all selected nodes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetOnNodes {
    /// Its name.
    pub target: String,
    /// Its host.
    pub host: String,
    /// The catalogue's word for its service.
    pub service: String,
    /// The nodes that judged it lately.
    pub nodes: u32,
    /// Those on which it fails.
    pub failing: u32,
    /// Those on which it warns.
    pub warning: u32,
    /// Those whose agent has it and has not judged it lately.
    pub not_judged: u32,
    /// With `since`: those on which it is well again since then.
    #[serde(default)]
    pub recovered: u32,
    /// The reason on most nodes that fail or, where none fails, that warn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who uses it, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<UsersOfTargets>,
}

/// Who uses a target, or several.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UsersOfTargets {
    /// `registries` for image pulls, `volumes` for mounts; else absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<String>,
    /// How many workloads. One that uses two targets counts twice.
    pub workloads: u64,
    /// In how many namespaces; counted in the same way.
    pub namespaces: u64,
    /// At most three of them.
    pub examples: Vec<String>,
    /// `image pulls of 14 workloads in 3 namespaces`.
    pub text: String,
}

impl From<&Users> for UsersOfTargets {
    fn from(users: &Users) -> Self {
        Self {
            usage: users.usage.map(|usage| usage.as_str().to_owned()),
            workloads: users.workloads,
            namespaces: users.namespaces,
            examples: users.examples.clone(),
            text: users.to_string(),
        }
    }
}

/// What failing nodes have in common, and why they probably fail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PatternReport {
    /// The worst outcome in it.
    #[serde(with = "outcome")]
    pub outcome: Outcome,
    /// All of it in one sentence.
    pub headline: String,
    /// What is seen: the word of `Symptom`.
    pub symptom: String,
    /// Where: the word of `Scope`.
    pub scope: String,
    /// The values that the nodes share, such as names of pools; empty for `all_nodes`, and for `some_nodes` that are
    /// not of one pool.
    pub values: Vec<String>,
    /// For `joined_later` and `joined_earlier`: the moment that parts the nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joined: Option<Moment>,
    /// The same in words: `all 5 nodes of pool a`.
    pub place: String,
    /// Which path: the word of `PathScope`.
    pub path: String,
    /// The names of the resolvers on that path, where the path matters.
    pub resolvers: Vec<String>,
    /// How many nodes have it.
    pub nodes: u32,
    /// Of how many nodes that judged these targets and are in that place.
    pub of_nodes: u32,
    /// At most five of them.
    pub samples: Vec<String>,
    /// At most five nodes of that place that do not have it.
    #[serde(default)]
    pub except: Vec<String>,
    /// What else the nodes share, and no other node has: `subnet snet-a`.
    #[serde(default)]
    pub also: Vec<String>,
    /// The targets, in the order of their names.
    pub targets: Vec<String>,
    /// The primary reasons seen, the commonest first.
    pub reasons: Vec<String>,
    /// When the first node had it.
    pub since: Moment,
    /// When the latest node got it.
    pub until_all: Moment,
    /// The likely cause: the word of `Cause`.
    pub cause: String,
    /// The same in a sentence.
    pub meaning: String,
    /// What to do about it.
    pub remedy: String,
    /// How sure the cause is: `high`, `medium`, `low`.
    pub confidence: String,
    /// Why it is not surer, in a few words; empty where it is sure.
    #[serde(default)]
    pub doubt: String,
    /// The private DNS zones of the targets, where it is about them.
    #[serde(default)]
    pub zones: Vec<String>,
    /// At most five targets in the same zones that are well on these nodes, where that is part of the proof.
    #[serde(default)]
    pub same_zone: Vec<String>,
    /// Whom it hurts, by what they do with the targets.
    pub hurts: Vec<UsersOfTargets>,
}

/// Nodes that agree on every target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeGroup {
    /// How many.
    pub count: u32,
    /// All their names.
    pub nodes: Vec<String>,
    /// Whether their agents are silent, so that nothing is known of them now.
    #[serde(default)]
    pub stale: bool,
    /// What all of them share: `pool a`, `zone 1`.
    pub shared: Vec<String>,
    /// How many targets pass on each of them, from the fewest to the most.
    pub passing: (u32, u32),
    /// What does not pass.
    pub troubles: Vec<Trouble>,
    /// The targets that do not pass on other nodes, and that these nodes do not have.
    #[serde(default)]
    pub lacking: Vec<String>,
}

/// Targets that do not pass, in the same way, on all nodes of a group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Trouble {
    /// `None` for targets that were not judged lately.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "optional")]
    pub outcome: Option<Outcome>,
    /// The primary reason; `not_judged` without an outcome.
    pub reason: String,
    /// Which path: the word of `PathScope`.
    pub path: String,
    /// The targets.
    pub targets: Vec<String>,
    /// Since when, on the first node.
    pub since: Moment,
}

/// What did not fit into a report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LeftOff {
    /// Nodes beyond what is kept.
    pub nodes: u32,
    /// Views of nodes with more targets than are kept in all.
    pub views: u32,
    /// Targets.
    pub targets: u32,
    /// Patterns.
    pub patterns: u32,
    /// Groups.
    pub groups: u32,
    /// The nodes of these groups.
    pub nodes_in_groups: u32,
}

/// An outcome that may be absent.
mod optional {
    use privatelink_verdict::verdict::Outcome;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Deserialize, Serialize)]
    struct Written(#[serde(with = "super::outcome")] Outcome);

    #[expect(
        clippy::ref_option,
        clippy::trivially_copy_pass_by_ref,
        reason = "serde gives a reference"
    )]
    pub(super) fn serialize<S: Serializer>(
        outcome: &Option<Outcome>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        outcome.map(Written).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Outcome>, D::Error> {
        let written = Option::<Written>::deserialize(from)?;
        Ok(written.map(|Written(outcome)| outcome))
    }
}
