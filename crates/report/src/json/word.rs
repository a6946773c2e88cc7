//! Word: one of a closed set, as it stands in JSON and its schema.

use std::borrow::Cow;

use privatelink_verdict::address::Class;
use privatelink_verdict::judge::ZoneAuthority;
use privatelink_verdict::observation::{QueryOutcome, TcpOutcome, TlsOutcome, Transport};
use privatelink_verdict::reason::{Reason, Severity, Stage};
use privatelink_verdict::service_evidence::ReplyOutcome;
use privatelink_verdict::target::{Expectation, Protocol, Source};
use privatelink_verdict::verdict::{Confidence, Outcome};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

/// A closed set of words.
pub trait Vocabulary: Copy + 'static {
    /// What the schema calls the set.
    const NAME: &'static str;
    /// Every value, in order.
    const VALUES: &'static [Self];

    /// What the set is about, in a sentence.
    const ABOUT: &'static str;

    /// The contract's word for the value.
    fn word(self) -> &'static str;
    /// What the value says, in a sentence.
    fn description(self) -> &'static str;
}

/// A value as the contract's word for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word<T>(pub T);

/// The same of a stage that may not have run: `skipped` then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WordOrSkipped<T>(pub Option<T>);

const SKIPPED: &str = "skipped";

impl<T: Vocabulary> Serialize for Word<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.word())
    }
}

impl<T: Vocabulary> Serialize for WordOrSkipped<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.map_or(SKIPPED, T::word))
    }
}

impl<T: Vocabulary> JsonSchema for Word<T> {
    fn schema_name() -> Cow<'static, str> {
        T::NAME.into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "description": T::ABOUT, "oneOf": described::<T>() })
    }
}

impl<T: Vocabulary> JsonSchema for WordOrSkipped<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("{}OrSkipped", T::NAME).into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let mut words = described::<T>();
        words.push(json!({
            "description": "The stage did not run.",
            "type": "string",
            "const": SKIPPED,
        }));
        json_schema!({ "description": T::ABOUT, "oneOf": words })
    }
}

/// A schema for every word of the set, with what it says.
fn described<T: Vocabulary>() -> Vec<Value> {
    let words = T::VALUES.iter();
    words
        .map(|value| {
            json!({
                "description": value.description(),
                "type": "string",
                "const": value.word(),
            })
        })
        .collect()
}

macro_rules! vocabularies {
    ($($name:ident,)+) => {
        $(impl Vocabulary for $name {
            const NAME: &'static str = stringify!($name);
            const VALUES: &'static [Self] = $name::ALL;
            const ABOUT: &'static str = $name::ABOUT;

            fn word(self) -> &'static str {
                self.as_str()
            }

            fn description(self) -> &'static str {
                $name::description(self)
            }
        })+
    };
}

vocabularies! {
    Class,
    Confidence,
    ReplyOutcome,
    Expectation,
    Outcome,
    Protocol,
    QueryOutcome,
    Reason,
    Severity,
    Source,
    Stage,
    TcpOutcome,
    TlsOutcome,
    Transport,
    ZoneAuthority,
}
