//! Objects: the `PrivateLinkTarget`s of the cluster, as the watch says.

use std::collections::HashMap;

use kube::runtime::watcher::Event;
use privatelink_discovery::Key;

use super::checked::{Declared, WatchedTarget};

/// How many objects are kept. Of each only bounded values are.
const MOST_OBJECTS: usize = 20_000;

/// The objects. A list that is read again takes the place of the present one when it is complete.
#[derive(Debug, Default)]
pub struct TargetObjects {
    present: HashMap<Key, Declared>,
    next: Option<HashMap<Key, Declared>>,
    is_complete: bool,
    /// Objects that there was no room for, since the last list.
    left_out: usize,
}

impl TargetObjects {
    /// Takes what the API server says.
    pub fn take(&mut self, event: Event<WatchedTarget>) {
        match event {
            Event::Init => {
                self.next = Some(HashMap::new());
                self.left_out = 0;
            }
            Event::InitApply(object) => {
                let objects = self.next.get_or_insert_default();
                self.left_out += usize::from(!set(objects, object));
            }
            Event::InitDone => {
                if let Some(next) = self.next.take() {
                    self.present = next;
                    self.is_complete = true;
                }
            }
            Event::Apply(object) => self.left_out += usize::from(!set(&mut self.present, object)),
            Event::Delete(object) => {
                self.present.remove(&Declared::new(object).key);
            }
        }
    }

    /// The objects, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Declared> {
        self.present.values()
    }

    /// Whether they were listed completely at least once. Before that it is not known which are missing, so
    /// nothing may be published.
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// How many objects there was no room for.
    pub fn left_out(&self) -> usize {
        self.left_out
    }
}

/// Whether there was room.
fn set(objects: &mut HashMap<Key, Declared>, object: WatchedTarget) -> bool {
    let declared = Declared::new(object);
    let has_room = objects.len() < MOST_OBJECTS || objects.contains_key(&declared.key);
    if has_room {
        objects.insert(declared.key.clone(), declared);
    }
    has_room
}
