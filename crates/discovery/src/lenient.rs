//! Lenient: reads objects that other people write. What has the wrong type counts as absent, what nothing
//! asks for is dropped while it is parsed, and no field makes the rest of the object unreadable.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// A type that can be read from any JSON value; its default where the value is of another type.
pub(crate) trait Lenient: Default {
    /// From a string.
    fn from_text(_: &str) -> Self {
        Self::default()
    }

    /// From a boolean.
    fn from_bool(_: bool) -> Self {
        Self::default()
    }

    /// From a whole number.
    fn from_number(_: u64) -> Self {
        Self::default()
    }

    /// From a list, which has to be read to its end.
    fn from_list<'de, A: SeqAccess<'de>>(mut list: A) -> Result<Self, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }

    /// From a mapping, which has to be read to its end.
    fn from_map<'de, A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }
}

/// Deserializes any value into a [`Lenient`] one.
#[derive(Debug)]
pub(crate) struct Read<T>(pub(crate) T);

impl<'de, T: Lenient> Deserialize<'de> for Read<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any(PhantomData)).map(Self)
    }
}

struct Any<T>(PhantomData<T>);

impl<'de, T: Lenient> Visitor<'de> for Any<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        Ok(T::from_text(text))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<T, E> {
        Ok(T::from_bool(value))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        Ok(T::from_number(number))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        Ok(u64::try_from(number).map_or_else(|_| T::default(), T::from_number))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_unit<E: Error>(self) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_none<E: Error>(self) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        Read::deserialize(deserializer).map(|read| read.0)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<T, A::Error> {
        T::from_list(list)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::from_map(map)
    }
}

impl Lenient for String {
    fn from_text(text: &str) -> Self {
        text.to_owned()
    }
}

impl Lenient for bool {
    fn from_bool(value: bool) -> Self {
        value
    }
}

impl Lenient for u16 {
    fn from_number(number: u64) -> Self {
        number.try_into().unwrap_or_default()
    }
}

impl<T: Lenient> Lenient for Vec<T> {
    fn from_list<'de, A: SeqAccess<'de>>(mut list: A) -> Result<Self, A::Error> {
        let mut items = Self::new();
        while let Some(Read(item)) = list.next_element()? {
            items.push(item);
        }
        Ok(items)
    }
}

/// A mapping of strings. Values of other types are left out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Texts(Vec<(String, String)>);

impl Texts {
    /// The first value whose key is `key` in any case, without the spaces around it; `None` where it is
    /// empty.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        let mut pairs = self.0.iter();
        let (_, value) = pairs.find(|(known, _)| known.eq_ignore_ascii_case(key))?;
        Some(value.trim()).filter(|value| !value.is_empty())
    }

    /// Every key.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(key, _)| key.as_str())
    }
}

impl Lenient for Texts {
    fn from_map<'de, A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        let mut texts = Vec::new();
        while let Some((key, Read(Maybe(value)))) =
            map.next_entry::<String, Read<Maybe<String>>>()?
        {
            texts.extend(value.map(|value| (key, value)));
        }
        Ok(Self(texts))
    }
}

/// A string, unless it is something else.
#[derive(Debug, Default)]
struct Maybe<T>(Option<T>);

impl Lenient for Maybe<String> {
    fn from_text(text: &str) -> Self {
        Self(Some(text.to_owned()))
    }
}

/// Whether there is a mapping, whatever is in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Present(pub(crate) bool);

impl Lenient for Present {
    fn from_map<'de, A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self(true))
    }
}

/// Reads a key of a mapping: which of `0` it is, without keeping it.
pub(crate) struct KeyOf(pub(crate) &'static [&'static str]);

impl<'de> DeserializeSeed<'de> for KeyOf {
    type Value = Option<&'static str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeyOf {
    type Value = Option<&'static str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().find(|key| **key == text).copied())
    }
}

/// Defines a struct that is read from a mapping: each field with its key. Objects may hold secrets
/// anywhere, so `Debug` shows none of their fields.
macro_rules! record {
    ($(#[$about:meta])* $vis:vis $name:ident { $($(#[$doc:meta])* $field:ident: $type:ty = $key:literal,)* }) => {
        $(#[$about])*
        #[derive(Clone, Default)]
        $vis struct $name { $($(#[$doc])* $vis $field: $type,)* }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }

        impl $crate::lenient::Lenient for $name {
            fn from_map<'de, A: serde::de::MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
                #[allow(unused_mut, reason = "a record may have no field")]
                let mut record = Self::default();
                while let Some(key) = map.next_key_seed($crate::lenient::KeyOf(&[$($key),*]))? {
                    match key {
                        $(Some($key) => {
                            record.$field = map.next_value::<$crate::lenient::Read<$type>>()?.0;
                        })*
                        _ => {
                            map.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(record)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::lenient::Read::deserialize(deserializer).map(|read| read.0)
            }
        }
    };
}
pub(crate) use record;

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    record! {
        /// Everything that a field can be.
        pub(crate) Sample {
            text: String = "text",
            flag: bool = "flag",
            port: u16 = "port",
            list: Vec<String> = "list",
            texts: Texts = "texts",
            present: Present = "present",
        }
    }

    fn sample(value: Value) -> Sample {
        serde_json::from_value(value).expect("anything can be read")
    }

    #[test]
    fn a_field_of_the_wrong_type_is_absent_and_the_others_are_read() {
        for wrong in [
            json!(null),
            json!(1.5),
            json!(-1),
            json!(70_000),
            json!({"a": []}),
            json!([[], {}]),
        ] {
            let read = sample(json!({"flag": wrong, "text": "kept"}));
            assert!(!read.flag, "{wrong}");
            assert_eq!(read.text, "kept", "{wrong}");
            let read = sample(json!({"text": wrong, "port": wrong, "flag": true}));
            assert_eq!((read.text.as_str(), read.port), ("", 0), "{wrong}");
            assert!(read.flag, "{wrong}");
        }
        let read = sample(json!({"list": ["a", 1, "b"], "texts": {"k": "v", "n": 1}}));
        assert_eq!(read.list, ["a", "", "b"]);
        assert_eq!(read.texts.get("K"), Some("v"));
        assert_eq!(read.texts.get("n"), None);
    }

    #[test]
    fn a_key_that_is_written_twice_does_no_harm() {
        let read: Sample =
            serde_json::from_str(r#"{"text": "a", "text": "b", "present": {}}"#).expect("read");
        assert_eq!((read.text.as_str(), read.present), ("b", Present(true)));
    }

    #[test]
    fn what_was_read_is_never_printed() {
        let read = sample(json!({"text": "marked-secret"}));
        assert_eq!(format!("{read:?}"), "Sample { .. }");
    }

    /// Any JSON value, a few levels deep.
    pub(crate) fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            let key = prop_oneof![
                Just("text".to_owned()),
                Just("list".to_owned()),
                ".{0,4}".prop_map(String::from)
            ];
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                proptest::collection::vec((key, inner), 0..6)
                    .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_value_can_be_read(value in any_json()) {
            sample(value);
        }
    }
}
