//! Rare: facts that few probes have. Where there are none they take the room of a pointer, since the agent keeps the
//! observation of every target.

use std::fmt;
use std::ops::{Deref, DerefMut};

/// Facts that few probes have; read like `T`.
#[derive(Clone)]
pub struct Rare<T>(Option<Box<T>>);

/// Facts that there may be none of.
pub trait RareFacts: Clone + PartialEq + 'static {
    /// None of them.
    const NONE: &'static Self;
}

impl<T> Default for Rare<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: RareFacts> From<T> for Rare<T> {
    fn from(facts: T) -> Self {
        Self((facts != *T::NONE).then(|| Box::new(facts)))
    }
}

impl<T: RareFacts> Deref for Rare<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_deref().unwrap_or(T::NONE)
    }
}

impl<T: RareFacts> DerefMut for Rare<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.get_or_insert_with(|| Box::new(T::NONE.clone()))
    }
}

impl<T: RareFacts> PartialEq for Rare<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: fmt::Debug> fmt::Debug for Rare<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl RareFacts for [u8; 2] {
        const NONE: &'static Self = &[0, 0];
    }

    #[test]
    fn facts_take_room_only_where_there_are_some() {
        let none = Rare::from([0, 0]);
        assert!(none.0.is_none());
        assert_eq!(*none, [0, 0]);
        assert_eq!(*Rare::from([1, 0]), [1, 0]);
    }

    #[test]
    fn facts_that_were_taken_back_are_equal_to_none() {
        let mut facts = Rare::<[u8; 2]>::default();
        facts[1] = 7;
        assert_ne!(facts, Rare::default());
        facts[1] = 0;
        assert_eq!(facts, Rare::default());
    }
}
