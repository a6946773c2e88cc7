//! Object: an object as the API server sends it, read in one pass: its metadata, and of the rest what its
//! kind reads.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::StrDeserializer;
use serde::de::{DeserializeSeed, Error, IntoDeserializer as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::finder::{DiscoveryRules, Found};
use crate::kind::Kind;
use crate::lenient::Read;
use crate::metadata::Metadata;

/// An object of the kind `K`.
#[derive(Clone, Debug, Default)]
pub struct Object<K> {
    /// Its metadata.
    pub metadata: Metadata,
    /// What of the rest its kind reads.
    pub content: K,
}

impl<K: Kind> Object<K> {
    /// What it says.
    pub fn find(&self, rules: &DiscoveryRules) -> Found {
        crate::find(&self.metadata, &self.content, rules)
    }
}

impl<'de, K: Kind> Deserialize<'de> for Object<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields(PhantomData))
    }
}

struct Fields<K>(PhantomData<K>);

impl<'de, K: Kind> Visitor<'de> for Fields<K> {
    type Value = Object<K>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of Kubernetes")
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Object<K>, A::Error> {
        let mut metadata = Metadata::default();
        let content = K::deserialize(serde::de::value::MapAccessDeserializer::new(Rest {
            fields,
            metadata: &mut metadata,
        }))?;
        Ok(Object { metadata, content })
    }
}

/// The fields without the metadata, which is read on the way.
struct Rest<'a, A> {
    fields: A,
    metadata: &'a mut Metadata,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Rest<'_, A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        while let Some(key) = self.fields.next_key_seed(Key)? {
            match key {
                Some(key) => {
                    let key: StrDeserializer<'_, A::Error> = key.as_str().into_deserializer();
                    return seed.deserialize(key).map(Some);
                }
                None => *self.metadata = self.fields.next_value::<Read<Metadata>>()?.0,
            }
        }
        Ok(None)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.fields.next_value_seed(seed)
    }
}

/// Reads a key: `None` for that of the metadata.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Self::Value, E> {
        Ok((key != "metadata").then(|| key.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::Pod;

    #[test]
    fn the_metadata_is_read_wherever_it_stands() {
        for text in [
            r#"{"kind":"Pod","metadata":{"name":"a","resourceVersion":"7"},"spec":{"containers":[{"image":"x.azurecr.io/a"}]}}"#,
            r#"{"spec":{"containers":[{"image":"x.azurecr.io/a"}]},"metadata":{"name":"a","resourceVersion":"7"}}"#,
        ] {
            let object: Object<Pod> = serde_json::from_str(text).expect("an object");
            assert_eq!(object.metadata.name, "a", "{text}");
            assert_eq!(object.metadata.resource_version, "7", "{text}");
            let found = object.find(&DiscoveryRules::default());
            assert_eq!(found.uses[0].host, "x.azurecr.io", "{text}");
        }
    }

    #[test]
    fn metadata_of_the_wrong_type_counts_as_none() {
        for text in [
            r#"{"metadata":null}"#,
            r#"{"metadata":[1]}"#,
            r#"{"metadata":{"name":{}}}"#,
            "{}",
        ] {
            let object: Object<Pod> = serde_json::from_str(text).expect("an object");
            assert_eq!(object.metadata.name, "", "{text}");
        }
    }
}
