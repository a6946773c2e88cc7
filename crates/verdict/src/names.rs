//! Names: a list of names, in one piece of memory that clones share.
//!
//! An agent keeps the names of every answer and certificate for as long as they are the latest ones. A
//! vector of strings would take an allocation, and the room around it, for each.

use std::fmt;
use std::sync::Arc;

/// A list of names. Clones share it.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Names(Option<Arc<str>>);

/// What ends each name. It is no character, and names of DNS and of certificates are ASCII.
const END: char = '\u{ffff}';

impl Names {
    /// No names.
    pub const NONE: &Self = &Self(None);

    /// The names, in their order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &str> + Clone {
        self.0.as_deref().unwrap_or_default().split_terminator(END)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The first one.
    pub fn first(&self) -> Option<&str> {
        self.iter().next()
    }

    /// The last one.
    pub fn last(&self) -> Option<&str> {
        self.iter().next_back()
    }
}

impl<S: AsRef<str>> FromIterator<S> for Names {
    fn from_iter<I: IntoIterator<Item = S>>(names: I) -> Self {
        let mut text = String::new();
        for name in names {
            let name = name.as_ref();
            if name.contains(END) {
                text.extend(name.chars().filter(|c| *c != END));
            } else {
                text.push_str(name);
            }
            text.push(END);
        }
        Self((!text.is_empty()).then(|| text.into()))
    }
}

impl<S: AsRef<str>> From<&[S]> for Names {
    fn from(names: &[S]) -> Self {
        names.iter().collect()
    }
}

impl<S: AsRef<str>, const N: usize> PartialEq<[S; N]> for Names {
    fn eq(&self, other: &[S; N]) -> bool {
        self.iter().eq(other.iter().map(AsRef::as_ref))
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_in_comes_out() {
        for names in [&[][..], &[""], &["a"], &["a", ""], &["", "b.example", "c"]] {
            let kept: Names = names.into();
            assert_eq!(kept.iter().collect::<Vec<_>>(), names);
            assert_eq!(kept.len(), names.len());
            assert_eq!(kept.is_empty(), names.is_empty());
            assert_eq!(
                (kept.first(), kept.last()),
                (names.first().copied(), names.last().copied())
            );
            assert_eq!(format!("{kept:?}"), format!("{names:?}"));
        }
    }

    #[test]
    fn a_name_stays_one_name_whatever_it_holds() {
        let kept: Names = ["a\u{ffff}b", "\n"].into_iter().collect();
        assert_eq!(kept, ["ab", "\n"]);
    }
}
