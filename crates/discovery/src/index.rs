//! Index: what the objects of the cluster say, folded into a list of targets with their users.
//!
//! An object is kept as what it names and who uses that; whole objects never are. A list that is read
//! again becomes a map beside the present one, and takes its place when it is complete, so that what was
//! deleted unseen goes, and nothing goes before its time.

mod aggregate;
mod intern;
mod room;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use privatelink_verdict::catalogue::Usage;
use privatelink_verdict::target::Users;

use self::aggregate::{HostAndPort, aggregate};
use self::intern::Interner;
pub use self::room::Room;
use self::room::{LeftOut, NoRoom, Taken};
use crate::finder::{Found, Link, Use};
use crate::omission::Omission;
use crate::source::Source;
use crate::user::User;

/// How long a target stays after its last user, unless an index is made otherwise.
pub const LINGER: Duration = Duration::from_hours(1);

/// How many hosts and ports without room are remembered at most.
const MOST_REMEMBERED: usize = 20_000;

/// What the API server says about the objects of a kind, in one namespace or in the whole cluster.
#[derive(Clone, Debug)]
pub enum Event {
    /// A list begins.
    Init,
    /// The list has this object.
    InitApply(Key, Found),
    /// The list is complete.
    InitDone,
    /// The object is new, or changed.
    Apply(Key, Found),
    /// The object is gone.
    Delete(Key),
}

/// An object among those of its kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Its namespace; empty for objects of the whole cluster.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// What the objects of the cluster say.
#[derive(Debug)]
pub struct Index {
    linger: Duration,
    tables: BTreeMap<&'static str, Table>,
    namespaces: Interner<str>,
    users: Interner<User>,
    uses: Interner<[Use]>,
    seen: HashMap<HostAndPort, Seen>,
}

/// The objects of a kind.
#[derive(Debug, Default)]
struct Table {
    present: Entries,
    /// The lists that are being read, by scope.
    next: BTreeMap<String, Entries>,
    /// The scopes that were listed completely at least once.
    complete: BTreeSet<String>,
}

/// By namespace and name.
type Entries = HashMap<(Arc<str>, Box<str>), Entry>;

/// What is kept of an object.
#[derive(Debug)]
struct Entry {
    user: Option<Arc<User>>,
    uses: Arc<[Use]>,
    links: Box<[Link]>,
    omissions: Box<[(Source, Omission)]>,
}

/// What is known of a target over time.
#[derive(Clone, Debug)]
struct Seen {
    first: SystemTime,
    last: SystemTime,
    connect_only: bool,
    usage: Option<Usage>,
    sources: Vec<Source>,
    /// The namespace whose room it takes; `None` for one that the whole cluster uses.
    namespace: Option<String>,
}

/// The list, and what could not be put on it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Discovered {
    /// The targets, by host and port.
    pub targets: Vec<DiscoveredTarget>,
    /// How many targets there was no room for, in all or in their namespaces.
    pub left_out: usize,
    /// What is used and is no target, by source and reason.
    pub omitted: Vec<Omitted>,
}

/// A host and port that the cluster uses.
#[derive(Clone, Debug, PartialEq)]
pub struct DiscoveredTarget {
    /// The host, normalised.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Whether no use of it needs more than a connection.
    pub connect_only: bool,
    /// Whose path it is judged on; `None` for that of pods, unless the catalogue says otherwise.
    pub usage: Option<Usage>,
    /// Where it is named.
    pub sources: Vec<Source>,
    /// Who uses it. `None`: no object does any more, and it stays for [`LINGER`].
    pub users: Option<Users>,
    /// When it was seen first.
    pub first_seen: SystemTime,
}

/// What is used and is no target, for one source and reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Omitted {
    /// Where.
    pub source: Source,
    /// Why.
    pub omission: Omission,
    /// Of how many objects.
    pub objects: usize,
    /// Some of them.
    pub examples: Vec<String>,
}

impl Default for Index {
    fn default() -> Self {
        Self::new(LINGER)
    }
}

impl Index {
    /// An empty one, in which a target stays for `linger` after its last user.
    pub fn new(linger: Duration) -> Self {
        Self {
            linger,
            tables: BTreeMap::new(),
            namespaces: Interner::default(),
            users: Interner::default(),
            uses: Interner::default(),
            seen: HashMap::new(),
        }
    }

    /// Takes what the API server says about the objects of `kind` (a name of [`crate::KINDS`]) in
    /// `scope`: a namespace, or empty for the whole cluster. A list replaces what is known of its scope.
    pub fn take(&mut self, kind: &'static str, scope: &str, event: Event) {
        match event {
            Event::Init => {
                self.table(kind)
                    .next
                    .insert(scope.to_owned(), Entries::new());
            }
            Event::InitApply(key, found) => {
                let (key, entry) = (self.key(key), self.entry(kind, found));
                let next = &mut self.table(kind).next;
                set(next.entry(scope.to_owned()).or_default(), key, entry);
            }
            Event::InitDone => {
                let table = self.table(kind);
                if let Some(next) = table.next.remove(scope) {
                    if scope.is_empty() {
                        table.present = next;
                    } else {
                        table.present.retain(|(place, _), _| **place != *scope);
                        table.present.extend(next);
                    }
                    table.present.shrink_to_fit();
                    table.complete.insert(scope.to_owned());
                }
                self.namespaces.purge();
                self.users.purge();
                self.uses.purge();
            }
            Event::Apply(key, found) => {
                let (key, entry) = (self.key(key), self.entry(kind, found));
                set(&mut self.table(kind).present, key, entry);
            }
            Event::Delete(key) => {
                let key = self.key(key);
                self.table(kind).present.remove(&key);
            }
        }
    }

    /// Whether the objects of `kind` in `scope` were listed completely at least once.
    pub fn is_complete(&self, kind: &str, scope: &str) -> bool {
        let table = self.tables.get(kind);
        table.is_some_and(|table| table.complete.contains(scope))
    }

    /// Takes the targets of a file that [`crate::target_file::render`] wrote: those that no object uses
    /// stay for [`LINGER`] from `now`, as if they had been in use until now.
    pub fn remember(&mut self, targets: Vec<DiscoveredTarget>, now: SystemTime) {
        for target in targets {
            let seen = Seen {
                first: target.first_seen,
                last: now,
                connect_only: target.connect_only,
                usage: target.usage,
                sources: target.sources,
                namespace: None,
            };
            let endpoint = HostAndPort {
                host: target.host,
                port: target.port,
            };
            let known = self.seen.entry(endpoint).or_insert(seen);
            known.first = known.first.min(target.first_seen);
        }
    }

    /// The list at `now`, as far as there is room: those in use before those that stay for a while, and
    /// those that were seen first before later ones, so that new ones never drive out others.
    pub fn discovered(&mut self, now: SystemTime, room: &Room) -> Discovered {
        let Self {
            tables,
            seen,
            linger,
            ..
        } = self;
        let mut found = aggregate(tables);
        for (endpoint, uses) in &found.endpoints {
            let before = seen.remove(endpoint);
            let known = Seen {
                first: before.as_ref().map_or(now, |before| before.first),
                last: now,
                connect_only: uses.connect_only,
                usage: uses.usage,
                sources: uses.sources.clone(),
                namespace: before.and_then(|before| before.namespace),
            };
            seen.insert(endpoint.clone(), known);
        }
        // A clock that was set back makes an age negative: such a target is as good as seen now.
        let age = |seen: &Seen| now.duration_since(seen.last).unwrap_or_default();
        seen.retain(|_, seen| age(seen) < *linger);

        let mut order: Vec<_> = seen
            .iter()
            .map(|(endpoint, seen)| {
                (
                    !found.endpoints.contains_key(endpoint),
                    seen.first,
                    endpoint.clone(),
                )
            })
            .collect();
        order.sort_unstable();
        let mut taken = Taken::new(room);
        let (mut targets, mut left_out) = (Vec::new(), LeftOut::default());
        for (_, _, endpoint) in order {
            let Some(known) = seen.get_mut(&endpoint) else {
                continue;
            };
            let uses = found.endpoints.remove(&endpoint);
            if let Some(uses) = &uses {
                known.namespace = taken.payer(&uses.named_by).map(str::to_owned);
            }
            if let Err(why) = taken.admit(&endpoint, known.namespace.as_deref()) {
                if let (NoRoom::InNamespace, Some(uses)) = (why, &uses) {
                    left_out.name(uses);
                }
                left_out.targets += 1;
                if left_out.targets > MOST_REMEMBERED {
                    seen.remove(&endpoint);
                }
                continue;
            }
            targets.push(DiscoveredTarget {
                host: endpoint.host,
                port: endpoint.port,
                connect_only: known.connect_only,
                usage: known.usage,
                sources: known.sources.clone(),
                users: uses.map(|uses| uses.users),
                first_seen: known.first,
            });
        }
        targets.sort_by(|a, b| (&a.host, a.port).cmp(&(&b.host, b.port)));
        let mut omitted = found.omitted;
        omitted.extend(left_out.omitted());
        omitted.sort_by_key(|omitted| (omitted.source, omitted.omission));
        Discovered {
            targets,
            left_out: left_out.targets,
            omitted,
        }
    }

    fn table(&mut self, kind: &'static str) -> &mut Table {
        self.tables.entry(kind).or_default()
    }

    fn key(&mut self, key: Key) -> (Arc<str>, Box<str>) {
        (
            self.namespaces.intern(key.namespace.into()),
            key.name.into(),
        )
    }

    /// `None` for an object that says nothing.
    fn entry(&mut self, kind: &str, found: Found) -> Option<Entry> {
        let Found {
            user,
            uses,
            links,
            omissions,
        } = found;
        // The pods of a Job name the Job, and only the Job names its CronJob.
        let is_job = kind == crate::user::JOB && user.is_some();
        let says_something =
            !uses.is_empty() || !links.is_empty() || !omissions.is_empty() || is_job;
        says_something.then(|| Entry {
            user: user.map(|user| self.users.intern(user.into())),
            uses: self.uses.intern(uses.into()),
            links: links.into(),
            omissions: omissions.into(),
        })
    }
}

fn set(entries: &mut Entries, key: (Arc<str>, Box<str>), entry: Option<Entry>) {
    match entry {
        Some(entry) => entries.insert(key, entry),
        None => entries.remove(&key),
    };
}

#[cfg(test)]
mod tests;
