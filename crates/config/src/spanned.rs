//! Spanned: a value together with the location at which it is written.

use std::borrow::Cow;
use std::cell::Cell;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};

/// A value and its location.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spanned<T> {
    /// What is written.
    pub(crate) value: T,
    /// Where.
    pub(crate) location: Location,
}

/// Where something is written. Line 0: the location is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Location {
    /// In which text.
    pub(crate) origin: Origin,
    /// Line, from 1.
    pub(crate) line: usize,
    /// Column, from 1, in characters.
    pub(crate) column: usize,
    /// Width in characters; 0: the word that starts there.
    pub(crate) width: usize,
}

/// Which text a location is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A file, by its index among those that are read together.
    File(u16),
    /// The command line.
    CommandLine,
}

impl Default for Origin {
    fn default() -> Self {
        Self::File(0)
    }
}

thread_local! {
    /// The index of the file that is being read. Serde hands no context to what it deserializes.
    static READING: Cell<u16> = const { Cell::new(0) };
}

/// Calls `read`, which deserializes the file with this index.
pub(crate) fn within_file<T>(index: u16, read: impl FnOnce() -> T) -> T {
    let before = READING.replace(index);
    let result = read();
    READING.set(before);
    result
}

/// A text that a configuration is read from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SourceText {
    /// Its name in messages: a path, `-`, `command line`.
    pub(crate) name: String,
    /// Its content.
    pub(crate) text: Arc<str>,
}

impl SourceText {
    /// A line, from 1; empty beyond the text.
    pub(crate) fn line(&self, number: usize) -> &str {
        let index = number.checked_sub(1);
        index
            .and_then(|index| self.text.lines().nth(index))
            .unwrap_or_default()
    }
}

impl<T> Spanned<T> {
    /// A value whose location is not known.
    pub(crate) fn unspanned(value: T) -> Self {
        Self {
            value,
            location: Location::default(),
        }
    }
}

impl From<serde_saphyr::Location> for Location {
    fn from(location: serde_saphyr::Location) -> Self {
        let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        Self {
            origin: Origin::File(READING.get()),
            line: number(location.line()),
            column: number(location.column()),
            width: number(location.span().len()),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Spanned<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = serde_saphyr::Spanned::<T>::deserialize(deserializer)?;
        Ok(Self {
            value: spanned.value,
            location: spanned.referenced.into(),
        })
    }
}

/// The schema is that of the value.
impl<T: JsonSchema> JsonSchema for Spanned<T> {
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
