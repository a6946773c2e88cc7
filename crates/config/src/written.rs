//! Written: a value together with the place it was written at.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};
use serde_saphyr::{Location, Spanned};

/// A value and its place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Written<T> {
    /// What was written.
    pub(crate) value: T,
    /// Where.
    pub(crate) place: Place,
}

/// Where something was written. Line 0: nowhere in particular.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// In which text.
    pub(crate) origin: Origin,
    /// Line, from 1.
    pub(crate) line: usize,
    /// Column, from 1, in characters.
    pub(crate) column: usize,
    /// Width in characters; 0: the word that starts there.
    pub(crate) width: usize,
}

/// Which text a place is in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The file being read.
    #[default]
    File,
    /// The command line.
    CommandLine,
}

impl<T> Written<T> {
    /// A value that was written nowhere in particular.
    pub(crate) fn nowhere(value: T) -> Self {
        Self {
            value,
            place: Place::default(),
        }
    }
}

impl From<Location> for Place {
    fn from(location: Location) -> Self {
        let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        Self {
            origin: Origin::File,
            line: number(location.line()),
            column: number(location.column()),
            width: number(location.span().len()),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Written<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<T>::deserialize(deserializer)?;
        Ok(Self {
            value: spanned.value,
            place: spanned.referenced.into(),
        })
    }
}

impl<T: JsonSchema> JsonSchema for Written<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}
