//! Annotations: hosts that people name at a namespace or a workload, for what discovery cannot see.

use crate::finder::{Finder, How, Wanted};
use crate::kind::{Kind, Resource};
use crate::lenient::record;
use crate::metadata::Metadata;
use crate::source::Source;

record! {
    /// A namespace; only its annotation counts.
    pub(crate) Namespace {}
}

impl Kind for Namespace {
    const RESOURCE: Resource = Resource::built_in("", "Namespace", "namespaces").of_the_cluster();

    fn find(&self, metadata: &Metadata, finder: &mut Finder<'_>) {
        finder.from(Source::Annotations, |finder| {
            read(&metadata.hosts.0, finder);
        });
    }
}

/// Hosts with or without a port, with commas or spaces between them.
pub(crate) fn read(annotation: &str, finder: &mut Finder<'_>) {
    let separators = |c: char| c == ',' || c.is_whitespace();
    let hosts = annotation.split(separators);
    for host in hosts.filter(|host| !host.is_empty()) {
        finder.url(host, Wanted::Asked, How::default());
    }
}
