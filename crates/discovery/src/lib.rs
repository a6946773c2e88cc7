//! Discovery: which private services the cluster says that it uses, and who uses each.
//!
//! Kubernetes objects go in, one at a time and already read ([`find`]); an [`Index`] folds what they say
//! into a list of targets with their users; [`target_file::render`] writes the file that the agents mount.
//! This crate is pure: it knows no API server, no clock and no runtime. The dependency list keeps it so.
//!
//! Nothing is guessed: what an object uses and does not name is counted, with a reason ([`Omission`]).

mod finder;
mod index;
mod kind;
mod lenient;
mod metadata;
mod object;
mod omission;
mod reference;
mod source;
mod sources;
pub mod target_file;
mod user;
mod workload;

pub use finder::{DiscoveryRules, Finder, Found, Link, Use};
pub use index::{Discovered, DiscoveredTarget, Event, Index, Key, LINGER, Omitted, Room};
pub use kind::{KINDS, Kind, Resource, Visitor, each_kind};
pub use metadata::{HASH_LABELS, HOSTS_ANNOTATION, Hashes, HostsAnnotation, Metadata, Owner};
pub use object::Object;
pub use omission::Omission;
pub use source::{Source, Switch};
pub use user::User;

/// What one object says, by the sources that are on.
pub fn find<K: Kind>(metadata: &Metadata, object: &K, rules: &DiscoveryRules) -> Found {
    let mut finder = Finder::new(rules);
    object.find(metadata, &mut finder);
    finder.finish()
}
