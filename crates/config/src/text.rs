//! Text: a value as it is written, with the schema of the texts that are allowed.
//!
//! Values stay texts in the raw configuration, so that one reading reports every mistake and not only
//! the first.

use std::borrow::Cow;

use privatelink_verdict::target::{Expectation, Protocol, Target};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use crate::{duration, host, network};

macro_rules! texts {
    ($($(#[$meta:meta])* $name:ident = $schema_name:literal: $schema:expr;)+) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
        #[serde(transparent)]
        pub(crate) struct $name(pub(crate) String);

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                Cow::Borrowed($schema_name)
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
    )+};
}

fn words(words: impl IntoIterator<Item = &'static str>) -> Schema {
    let words: Vec<&str> = words.into_iter().collect();
    json_schema!({"type": "string", "enum": words})
}

texts! {
    /// A duration.
    DurationText = "Duration": json_schema!({
        "type": "string",
        "description": "Whole numbers with units, longest first: 30s, 10m, 1h30m, 500ms.",
        "pattern": duration::PATTERN,
        "minLength": 2,
        "maxLength": 64,
    });
    /// A network.
    CidrText = "Cidr": json_schema!({
        "type": "string",
        "description": "A network without bits beyond its prefix: 10.1.2.0/24, fd00:1::/64.",
        "pattern": network::cidr_pattern(),
    });
    /// A DNS server.
    ServerText = "Server": json_schema!({
        "type": "string",
        "description": "A DNS server: 10.0.0.10, 10.0.0.10:5353, [fd00::10]:53.",
        "pattern": network::server_pattern(),
    });
    /// A host or zone.
    HostText = "Host": json_schema!({
        "type": "string",
        "description": "A DNS name. A trailing dot is dropped, upper case is lowered; an \
                        internationalised name is written in its xn-- form.",
        "pattern": host::PATTERN,
        "maxLength": 254,
        "allOf": [{"pattern": host::LAST_LABEL_PATTERN}],
    });
    /// A host, or every host below a zone.
    AllowedHostText = "AllowedHost": json_schema!({
        "type": "string",
        "description": "A DNS name, or `*.` and a DNS name for every name below it.",
        "pattern": host::ALLOWED_PATTERN,
        "maxLength": 256,
        "allOf": [{"pattern": host::LAST_LABEL_PATTERN}],
    });
    /// The name of a target, resolver, preset or region.
    NameText = "Name": json_schema!({
        "type": "string",
        "pattern": NAME_PATTERN,
    });
    /// A preset.
    PresetText = "Preset": json_schema!({
        "type": "string",
        "pattern": "^aks-egress(:[a-z0-9]+)?$",
    });
    /// A region of Azure.
    RegionText = "Region": json_schema!({
        "type": "string",
        "description": "A region as Azure's tools write it: westeurope, not West Europe.",
        "pattern": "^[A-Za-z0-9]+$",
    });
    /// A file.
    PathText = "Path": json_schema!({"type": "string", "minLength": 1});
    /// An expectation.
    ExpectText = "Expectation": words(Expectation::ALL.iter().map(|word| word.as_str()));
    /// A protocol.
    ProtocolText = "Protocol": words(Protocol::ALL.iter().map(|word| word.as_str()));
    /// An address family.
    FamilyText = "Family": words(["ipv4", "ipv6"]);
    /// How many series a target gets.
    DetailText = "Detail": words(["full", "essential"]);
    /// Which targets a resolver is the path for.
    UsageText = "Usage": words(["registries", "volumes"]);
}

/// The pattern of a name, for the JSON schema.
pub(crate) const NAME_PATTERN: &str = "^[A-Za-z0-9][A-Za-z0-9._:-]{0,252}$";

/// Whether `text` matches [`NAME_PATTERN`].
pub(crate) fn is_name(text: &str) -> bool {
    text.len() <= Target::LONGEST_NAME
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte))
}
