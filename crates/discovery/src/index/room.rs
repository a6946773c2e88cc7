//! Room: which targets are on the list where there is not room for all of them.
//!
//! Each target takes the room of one namespace that uses it, so that no namespace drives out what others
//! use. What the whole cluster uses, such as a volume that nothing claims, takes that of none.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use privatelink_verdict::target::Users;

use super::Omitted;
use super::aggregate::{HostAndPort, UserRef, Uses};
use crate::omission::Omission;
use crate::source::Source;

/// How much room the agents have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    /// For all targets of discovery.
    pub most: usize,
    /// For those of one namespace.
    pub most_per_namespace: usize,
    /// The hosts and ports that are targets without discovery: they take no more room.
    pub others: HashSet<(String, u16)>,
}

impl Room {
    /// Room for this number of targets, whose namespaces do not matter.
    pub fn of(most: usize) -> Self {
        Self {
            most,
            most_per_namespace: usize::MAX,
            others: HashSet::new(),
        }
    }
}

/// The room that is taken.
#[derive(Debug)]
pub(super) struct Taken<'r> {
    room: &'r Room,
    targets: usize,
    by_namespace: HashMap<String, usize>,
}

/// Why there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoRoom {
    InNamespace,
    InAll,
}

impl<'r> Taken<'r> {
    pub(super) fn new(room: &'r Room) -> Self {
        Self {
            room,
            targets: 0,
            by_namespace: HashMap::new(),
        }
    }

    /// The namespace whose room a target with these users takes: the first that has some, else the first.
    /// `None` where the whole cluster uses it.
    pub(super) fn payer<'a>(&self, users: &HashSet<UserRef<'a>>) -> Option<&'a str> {
        let places: Option<BTreeSet<&str>> = users.iter().map(UserRef::place).collect();
        let places = places?;
        let mut with_room = places.iter().filter(|place| self.has_room(place));
        with_room.next().or(places.first()).copied()
    }

    fn has_room(&self, namespace: &str) -> bool {
        let taken = self.by_namespace.get(namespace).copied();
        taken.unwrap_or_default() < self.room.most_per_namespace
    }

    /// Takes room for a target, in all and in this namespace.
    pub(super) fn admit(
        &mut self,
        endpoint: &HostAndPort,
        namespace: Option<&str>,
    ) -> Result<(), NoRoom> {
        let HostAndPort { host, port } = endpoint;
        if self.room.others.contains(&(host.clone(), *port)) {
            return Ok(());
        }
        if namespace.is_some_and(|namespace| !self.has_room(namespace)) {
            return Err(NoRoom::InNamespace);
        }
        if self.targets >= self.room.most {
            return Err(NoRoom::InAll);
        }
        self.targets += 1;
        if let Some(namespace) = namespace {
            *self.by_namespace.entry(namespace.to_owned()).or_default() += 1;
        }
        Ok(())
    }
}

/// What there was no room for.
#[derive(Debug, Default)]
pub(super) struct LeftOut<'a> {
    pub(super) targets: usize,
    /// Who uses the targets that had no room in their namespaces.
    users: BTreeMap<Source, BTreeSet<UserRef<'a>>>,
}

impl<'a> LeftOut<'a> {
    /// Counts the users of a target that has no room in its namespace.
    pub(super) fn name(&mut self, uses: &Uses<'a>) {
        for source in &uses.sources {
            let users = self.users.entry(*source).or_default();
            users.extend(&uses.named_by);
        }
    }

    pub(super) fn omitted(&self) -> impl Iterator<Item = Omitted> {
        self.users.iter().map(|(source, users)| Omitted {
            source: *source,
            omission: Omission::NamespaceFull,
            objects: users.len(),
            examples: users
                .iter()
                .take(Users::MOST_EXAMPLES)
                .map(UserRef::to_string)
                .collect(),
        })
    }
}
