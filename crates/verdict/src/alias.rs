//! Alias: the privatelink name of an answer's chain, and the private DNS zone a name lies in.

use crate::catalogue::{self, internal_zone, privatelink_zone};
use crate::name::{ancestry, is_privatelink_label, is_within};
use crate::observation::Resolution;
use crate::target::Target;

/// The privatelink name of the chain: the host itself, or the first alias that is one.
pub fn alias<'a>(target: &'a Target, resolution: &'a Resolution) -> Option<&'a str> {
    let chain = resolution.chain().iter();
    std::iter::once(target.host.as_str())
        .chain(chain)
        .find(|name| {
            privatelink_zone(name).is_some_and(|zone| zone != *name)
                || configured_zone(target, name).is_some()
        })
}

/// Whether a privatelink alias is in the answer's chain, or the host is one itself.
pub fn has_alias(target: &Target, resolution: &Resolution) -> bool {
    alias(target, resolution).is_some()
}

/// Whether `name` is itself a privatelink name: in a private zone of the catalogue, or in the target's
/// `privateZone` where that has the label.
pub(crate) fn is_privatelink_name(target: &Target, name: &str) -> bool {
    privatelink_zone(name).is_some()
        || configured_zone(target, name)
            .is_some_and(|zone| ancestry(zone).any(is_privatelink_label))
}

/// The private DNS zone that `name` lies in: by the target's `privateZone`, or by the catalogue.
pub fn zone_of<'a>(target: &'a Target, name: &'a str) -> Option<&'a str> {
    configured_zone(target, name)
        .or_else(|| privatelink_zone(name).filter(|zone| *zone != name))
        .or_else(|| catalogue::private_only_zone(name))
        .or_else(|| internal_zone(name))
}

/// The zone that most likely holds the record of `name`: a private-only name is made in a zone of
/// its own as a rule, named like its parent (AKS: a GUID, flexible servers: the server or a name
/// given).
pub fn own_zone_of<'a>(target: &'a Target, name: &'a str) -> Option<&'a str> {
    let zone = zone_of(target, name)?;
    let parent = name.split_once('.').map(|(_, parent)| parent);
    let own = parent.filter(|parent| {
        is_within(parent, zone)
            && catalogue::private_only_zone(name).is_some()
            && configured_zone(target, name).is_none()
    });
    Some(own.unwrap_or(zone))
}

fn configured_zone<'a>(target: &'a Target, name: &str) -> Option<&'a str> {
    let zone = target.private_zone.as_deref()?;
    (zone != name && is_within(name, zone)).then_some(zone)
}
