//! Words: closed sets of values that are written as their words in JSON, and read back; and sets whose words have
//! a meaning and a remedy.

/// Implements `Serialize` and `Deserialize` by the set's words.
macro_rules! serde_words {
    ($($name:ty),+) => {$(
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = String::deserialize(deserializer)?;
                let mut all = Self::ALL.iter().copied();
                all.find(|value| value.as_str() == word).ok_or_else(|| {
                    serde::de::Error::custom(format!("{} is no word of this set",
                        privatelink_verdict::sanitize::quoted(&word)))
                })
            }
        }
    )+};
}
pub(crate) use serde_words;

/// Defines a set of words, each with what it means and what to do about it.
macro_rules! advised_words {
    (
        #[doc = $about:literal]
        $name:ident;
        $(
            $variant:ident = $word:literal,
            means $meaning:literal,
            remedy $remedy:literal;
        )+
    ) => {
        privatelink_verdict::words! {
            #[doc = $about]
            $name { $(#[doc = $meaning] $variant = $word,)+ }
        }

        impl $name {
            /// What it means, in one sentence.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)+ }
            }

            /// What to do about it, in one sentence.
            pub const fn remedy(self) -> &'static str {
                match self { $(Self::$variant => $remedy,)+ }
            }
        }
    };
}
pub(crate) use advised_words;

/// An outcome as its word: the type is another crate's.
pub(crate) mod outcome {
    use privatelink_verdict::verdict::Outcome;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
    pub(crate) fn serialize<S: Serializer>(outcome: &Outcome, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(outcome.as_str())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Outcome, D::Error> {
        let word = String::deserialize(from)?;
        let mut all = Outcome::ALL.iter().copied();
        all.find(|outcome| outcome.as_str() == word)
            .ok_or_else(|| D::Error::custom("no outcome"))
    }
}
