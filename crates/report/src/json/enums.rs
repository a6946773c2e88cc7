//! Enums: values of a closed set, as strings in JSON and as `oneOf` in its schema.

use std::borrow::Cow;

use privatelink_verdict::address::Class;
use privatelink_verdict::catalogue::Usage;
use privatelink_verdict::observation::{QueryOutcome, TcpOutcome, TlsOutcome, Transport};
use privatelink_verdict::reason::{Reason, Severity, Stage};
use privatelink_verdict::service_evidence::ReplyOutcome;
use privatelink_verdict::target::{Expectation, Protocol, Source};
use privatelink_verdict::verdict::{Confidence, Outcome};
use privatelink_verdict::zone::ZoneAuthority;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

/// An enum whose values have the contract's words.
pub trait ClosedEnum: Copy + 'static {
    /// What the schema calls it.
    const NAME: &'static str;
    /// What it is about, in a sentence.
    const ABOUT: &'static str;
    /// Every value, in order.
    const VALUES: &'static [Self];

    /// The contract's word for the value.
    fn word(self) -> &'static str;
    /// What the value says, in a sentence.
    fn description(self) -> &'static str;
}

macro_rules! closed_enums {
    ($($name:ident,)+) => {
        $(impl ClosedEnum for $name {
            const NAME: &'static str = stringify!($name);
            const ABOUT: &'static str = $name::ABOUT;
            const VALUES: &'static [Self] = $name::ALL;

            fn word(self) -> &'static str {
                self.as_str()
            }

            fn description(self) -> &'static str {
                $name::description(self)
            }
        })+
    };
}

closed_enums! {
    Class,
    Confidence,
    Expectation,
    Outcome,
    Protocol,
    QueryOutcome,
    Reason,
    ReplyOutcome,
    Severity,
    Source,
    Stage,
    TcpOutcome,
    TlsOutcome,
    Transport,
    Usage,
    ZoneAuthority,
}

/// A value as the contract's word for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enum<T>(pub T);

impl<T: ClosedEnum> Serialize for Enum<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.word())
    }
}

impl<T: ClosedEnum> JsonSchema for Enum<T> {
    fn schema_name() -> Cow<'static, str> {
        T::NAME.into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "description": T::ABOUT, "oneOf": words::<T>() })
    }
}

/// The same for a stage that may not have run: `skipped` where there is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnumOrSkipped<T>(pub Option<T>);

const SKIPPED: &str = "skipped";

impl<T: ClosedEnum> Serialize for EnumOrSkipped<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.map_or(SKIPPED, T::word))
    }
}

impl<T: ClosedEnum> JsonSchema for EnumOrSkipped<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("{}OrSkipped", T::NAME).into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let mut words = words::<T>();
        words.push(word(SKIPPED, "The stage did not run."));
        json_schema!({ "description": T::ABOUT, "oneOf": words })
    }
}

/// A schema for each value of `T`.
fn words<T: ClosedEnum>() -> Vec<Value> {
    let values = T::VALUES.iter();
    values
        .map(|value| word(value.word(), value.description()))
        .collect()
}

fn word(word: &str, description: &str) -> Value {
    json!({ "description": description, "type": "string", "const": word })
}
