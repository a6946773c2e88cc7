//! Bounds: how much of what came from the wire a report lists (section 4 of the contract).

use privatelink_verdict::names::Names;
use privatelink_verdict::sanitize::from_wire;

/// The most names of one list: a CNAME chain, a certificate.
pub(crate) const NAMES: usize = 20;

/// The most addresses of one answer. An answer over TCP could carry thousands.
pub(super) const ADDRESSES: usize = 256;

/// The first [`NAMES`] of `names`, each without characters that act on a terminal.
pub(super) fn names(names: &Names) -> Vec<String> {
    let names = names.iter().take(NAMES);
    names.map(|name| from_wire(name).into_owned()).collect()
}
