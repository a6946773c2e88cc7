//! Word: one of a closed set, as it stands in JSON and its schema.

use std::borrow::Cow;

use privatelink_verdict::address::Class;
use privatelink_verdict::judge::ZoneAuthority;
use privatelink_verdict::observation::{QueryOutcome, TcpOutcome, TlsOutcome, Transport};
use privatelink_verdict::reason::{Reason, Severity, Stage};
use privatelink_verdict::service::ReplyOutcome;
use privatelink_verdict::target::{Expectation, Protocol, Source};
use privatelink_verdict::verdict::{Confidence, Outcome};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

/// A closed set of words.
pub trait Vocabulary: Copy + 'static {
    /// What the schema calls the set.
    const NAME: &'static str;
    /// Every value, in order.
    const VALUES: &'static [Self];

    /// The contract's word for the value.
    fn word(self) -> &'static str;
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
        let words: Vec<_> = T::VALUES.iter().map(|value| value.word()).collect();
        json_schema!({ "type": "string", "enum": words })
    }
}

impl<T: Vocabulary> JsonSchema for WordOrSkipped<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("{}OrSkipped", T::NAME).into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let words = T::VALUES.iter().map(|value| value.word());
        let words: Vec<_> = words.chain([SKIPPED]).collect();
        json_schema!({ "type": "string", "enum": words })
    }
}

macro_rules! vocabularies {
    ($($name:ident: $values:expr,)+) => {
        $(impl Vocabulary for $name {
            const NAME: &'static str = stringify!($name);
            const VALUES: &'static [Self] = $values;

            fn word(self) -> &'static str {
                self.as_str()
            }
        })+
    };
}

vocabularies! {
    Class: &Class::ALL,
    Confidence: Confidence::ALL,
    ReplyOutcome: ReplyOutcome::ALL,
    Expectation: Expectation::ALL,
    Outcome: Outcome::ALL,
    Protocol: Protocol::ALL,
    QueryOutcome: QueryOutcome::ALL,
    Reason: Reason::ALL,
    Severity: Severity::ALL,
    Source: Source::ALL,
    Stage: Stage::ALL,
    TcpOutcome: TcpOutcome::ALL,
    TlsOutcome: TlsOutcome::ALL,
    Transport: Transport::ALL,
    ZoneAuthority: ZoneAuthority::ALL,
}
