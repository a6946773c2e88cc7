//! Expected: the verdict that a target must get.

use std::collections::BTreeMap;

use privatelink_verdict::reason::Reason;
use privatelink_verdict::suggest::did_you_mean;
use privatelink_verdict::verdict::Outcome;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// The verdict that a target must get.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExpectedVerdict {
    /// `pass`, `warn` or `fail`.
    #[serde(deserialize_with = "outcome")]
    pub outcome: Outcome,
    /// The primary reason.
    #[serde(default = "ok", deserialize_with = "reason")]
    pub reason: Reason,
    /// Every finding's reason, in the agent's order; `None`: not looked at.
    #[serde(default, deserialize_with = "all_findings")]
    pub findings: Option<Vec<Reason>>,
    /// Reasons that must not be found.
    #[serde(default, deserialize_with = "reasons")]
    pub absent: Vec<Reason>,
    /// Values in the target's object of `check -o json`, by JSON pointer (RFC 6901), such as
    /// `/dns/zoneAuthority: public`. `{contains: image pulls}` is a part of a text.
    #[serde(default)]
    pub facts: BTreeMap<String, Value>,
}

fn ok() -> Reason {
    Reason::Ok
}

fn outcome<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Outcome, D::Error> {
    let word = String::deserialize(deserializer)?;
    let known = Outcome::ALL.iter().find(|outcome| outcome.as_str() == word);
    known
        .copied()
        .ok_or_else(|| D::Error::custom(format!("`{word}` is none of `pass`, `warn`, `fail`")))
}

fn reason<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Reason, D::Error> {
    let word = String::deserialize(deserializer)?;
    reason_called(&word).map_err(D::Error::custom)
}

fn reasons<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Reason>, D::Error> {
    let words = Vec::<String>::deserialize(deserializer)?;
    let reasons = words.iter().map(|word| reason_called(word));
    reasons.collect::<Result<_, _>>().map_err(D::Error::custom)
}

fn all_findings<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<Reason>>, D::Error> {
    reasons(deserializer).map(Some)
}

fn reason_called(word: &str) -> Result<Reason, String> {
    let known = Reason::ALL.iter().find(|reason| reason.as_str() == word);
    known.copied().ok_or_else(|| {
        let words = Reason::ALL.iter().map(|reason| reason.as_str());
        let hint = did_you_mean(word, words).unwrap_or_else(|| "see docs/reasons.md".to_owned());
        format!("there is no reason `{word}`, {hint}")
    })
}
