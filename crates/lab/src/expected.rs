//! Expected: the verdict that a scene must get.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// What the agent must say.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExpectedVerdict {
    /// `pass`, `warn` or `fail`.
    pub outcome: Outcome,
    /// The primary reason.
    #[serde(default = "ok")]
    pub reason: String,
    /// Every finding's reason, in the agent's order; `None`: not looked at.
    pub findings: Option<Vec<String>>,
    /// Reasons that must not be found.
    #[serde(default)]
    pub absent: Vec<String>,
    /// Values in the target's object of `check -o json`, by JSON pointer (RFC 6901), such as
    /// `/dns/zoneAuthority: public`; of a text, a part will do: `{contains: image pulls}`.
    #[serde(default)]
    pub facts: BTreeMap<String, Value>,
}

/// The outcome of a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// Nothing wrong.
    Pass,
    /// Works, but not as it should.
    Warn,
    /// Broken.
    Fail,
}

impl Outcome {
    /// The contract's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

fn ok() -> String {
    "ok".to_owned()
}
