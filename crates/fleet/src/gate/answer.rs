//! Answer: what the gate says, as plain data that a change ticket can quote.

use privatelink_verdict::words;
use serde::{Deserialize, Serialize};

use crate::Moment;
use crate::report::UsersOfTargets;
use crate::words::serde_words;

words! {
    /// May public access be turned off?
    Answer {
        /// Every private target stayed private on every node, on every path.
        Yes = "yes",
        /// Something would break.
        No = "no",
        /// Something is not known.
        CannotTell = "cannot_tell",
    }
}
serde_words!(Answer);

impl Answer {
    /// The exit code of `report --gate`.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Yes => 0,
            Self::No => 1,
            Self::CannotTell => 3,
        }
    }
}

/// What the gate says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GateReport {
    /// May public access be turned off?
    pub answer: Answer,
    /// The same as the exit code of `report --gate`.
    pub exit_code: u8,
    /// The answer in one sentence.
    #[serde(default)]
    pub headline: String,
    /// The answer in sentences, which a change ticket can quote.
    pub statement: String,
    /// The window: from when.
    pub from: Moment,
    /// Until when.
    pub until: Moment,
    /// How many targets were judged.
    pub targets: u32,
    /// On how many nodes that are there now.
    pub nodes: u32,
    /// On how many nodes that left within the window.
    pub departed: u32,
    /// What would break, the most nodes first.
    pub breaks: Vec<Break>,
    /// What is not known, by why.
    pub unknown: Vec<Unknown>,
    /// What would be unknown and is excused by `--allow-uncovered`.
    pub excused: Vec<Unknown>,
    /// Targets that were not judged, by why.
    pub not_judged: Vec<NotJudged>,
}

/// A target that would break.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Break {
    /// Its name.
    pub target: String,
    /// Its host.
    pub host: String,
    /// The path on which it was not private, by the resolver's name.
    pub path: String,
    /// On how many nodes.
    pub nodes: u32,
    /// How many of these left since.
    pub departed: u32,
    /// At most five of them.
    pub samples: Vec<String>,
    /// When an address last was not private, on any of them.
    pub last_non_private: Moment,
    /// On how many nodes it is so now.
    pub now: u32,
    /// Who uses it, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<UsersOfTargets>,
    /// All of it in one sentence.
    pub sentence: String,
}

/// Something that is not known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Unknown {
    /// The word of `WhyUnknown`.
    pub why: String,
    /// What it means.
    pub meaning: String,
    /// What to do about it.
    pub remedy: String,
    /// How many nodes, or services, it is about.
    pub count: u32,
    /// At most five of the nodes.
    pub samples: Vec<String>,
    /// At most five of the targets, where it is about some and not about all.
    #[serde(default)]
    pub targets: Vec<String>,
    /// When it will be known if nothing else happens, where that can be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_from: Option<Moment>,
    /// All of it in one sentence.
    pub sentence: String,
}

/// Targets that the gate does not judge, for one reason.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NotJudged {
    /// The word of `WhyNotJudged`.
    pub why: String,
    /// What it means.
    pub meaning: String,
    /// How many targets.
    pub count: u32,
    /// Their names, at most 100.
    pub targets: Vec<String>,
}
