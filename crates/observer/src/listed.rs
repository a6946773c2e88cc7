//! Listed: what is kept of the objects of one watch. A list that is read again takes the place of what is known
//! when it is complete.

use kube::runtime::watcher::Event;

/// What is kept, in a collection `C`.
#[derive(Debug, Default)]
pub(crate) struct Listed<C> {
    present: C,
    /// The list that is being read.
    next: Option<C>,
    is_complete: bool,
}

impl<C: Default> Listed<C> {
    /// What a complete list holds.
    pub(crate) fn of(present: C) -> Self {
        Self {
            present,
            next: None,
            is_complete: true,
        }
    }

    /// What is known.
    pub(crate) const fn present(&self) -> &C {
        &self.present
    }

    /// Whether it was listed completely at least once. Before that it is not known what is missing.
    pub(crate) const fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Takes what the API server says: `set` keeps an object in a collection, and `remove` removes it.
    pub(crate) fn take<O>(
        &mut self,
        event: Event<O>,
        set: impl FnOnce(&mut C, O),
        remove: impl FnOnce(&mut C, O),
    ) {
        match event {
            Event::Init => self.next = Some(C::default()),
            Event::InitApply(object) => set(self.next.get_or_insert_default(), object),
            Event::InitDone => {
                if let Some(next) = self.next.take() {
                    self.present = next;
                    self.is_complete = true;
                }
            }
            Event::Apply(object) => set(&mut self.present, object),
            Event::Delete(object) => remove(&mut self.present, object),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn what_is_known_stays_until_the_new_list_is_complete() {
        let mut listed = Listed::<BTreeSet<&str>>::default();
        let mut take = |event| {
            let set = |known: &mut BTreeSet<_>, name| {
                known.insert(name);
            };
            let remove = |known: &mut BTreeSet<_>, name| {
                known.remove(name);
            };
            listed.take(event, set, remove);
            let known: Vec<_> = listed.present().iter().copied().collect();
            (known.join(" "), listed.is_complete())
        };
        let known = |names: &str, is_complete| (names.to_owned(), is_complete);
        take(Event::Init);
        assert_eq!(take(Event::InitApply("a")), known("", false));
        assert_eq!(take(Event::InitDone), known("a", true));
        assert_eq!(take(Event::Apply("b")), known("a b", true));
        take(Event::Init);
        assert_eq!(take(Event::InitApply("c")), known("a b", true));
        assert_eq!(take(Event::Delete("a")), known("b", true));
        assert_eq!(take(Event::InitDone), known("c", true));
    }
}
