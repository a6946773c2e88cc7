//! Trouble: which questions an answer leads to that is trouble, and does not say by itself whose zone
//! it comes from.

use privatelink_verdict::address::Class;
use privatelink_verdict::alias::{alias, own_zone_of, zone_of};
use privatelink_verdict::catalogue;
use privatelink_verdict::name::is_within;
use privatelink_verdict::observation::{Query, QueryOutcome, Resolution};
use privatelink_verdict::target::{Expectation, Target};

/// What is to be asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Questions<'a> {
    /// The zone whose SOA is asked for.
    pub(super) zone: Option<&'a str>,
    /// The same label in the zone that people mistake the right one for.
    pub(super) mistaken: Option<String>,
    /// The last name of a chain that the server did not follow.
    pub(super) unchased: Option<String>,
    /// The alias by itself: it may come from another server than the host, where a forwarder serves the
    /// privatelink zone alone.
    pub(super) alias: Option<String>,
    /// The name of the SRV records of `MongoDB`: a host in a `mongodb+srv` connection string has these, and
    /// no address.
    pub(super) srv: Option<String>,
}

impl<'a> Questions<'a> {
    /// The questions that `resolution` leads to; none where it is no trouble.
    pub(super) fn of(target: &'a Target, resolution: &'a Resolution) -> Self {
        if !is_trouble(target, resolution) {
            return Self::default();
        }
        let is_negative = is_negative(resolution);
        let is_public = is_public_instead(target, resolution);
        let last = resolution.chain().last().unwrap_or(&target.host);
        let name =
            alias(target, resolution).or_else(|| catalogue::private_only_zone(last).map(|_| last));
        let zone = name.and_then(|name| own_zone_of(target, name));
        // Where one family has public addresses, the other's SOA is that of the public side, wherever
        // the answer would have come from: the zone has to be asked for by itself.
        let mut queries = resolution.queries.iter();
        let is_zone_known = is_negative && queries.any(|query| names_zone(target, query));
        let is_unchased = is_negative
            && resolution.queries.iter().all(Query::is_incomplete)
            && last != target.host;
        let has_no_address =
            resolution.outcome() == Some(QueryOutcome::Nodata) && last == target.host;
        Self {
            zone: zone.filter(|_| !is_zone_known),
            mistaken: name
                .zip(zone)
                .and_then(|(name, zone)| in_mistaken_zone(name, zone)),
            unchased: is_unchased.then(|| last.to_owned()),
            alias: name
                .filter(|name| is_public && *name != target.host)
                .map(str::to_owned),
            srv: has_no_address.then(|| format!("_mongodb._tcp.{}", target.host)),
        }
    }
}

/// Whether there are no addresses, or public ones where private ones are, or may be, expected.
pub(super) fn is_trouble(target: &Target, resolution: &Resolution) -> bool {
    is_negative(resolution) || is_public_instead(target, resolution)
}

fn is_negative(resolution: &Resolution) -> bool {
    let outcome = resolution.outcome();
    !resolution.answered() && outcome.is_some_and(|outcome| !outcome.is_failure())
}

/// Whether an address is public where a private one is, or may be, expected.
fn is_public_instead(target: &Target, resolution: &Resolution) -> bool {
    let mut classes = resolution.addresses.iter().map(|address| address.class);
    classes.any(|class| class == Class::Public)
        && matches!(
            target.expect,
            Expectation::PrivateEndpoint | Expectation::Auto
        )
}

/// Whether a negative answer carries the SOA of the zone that its last name lies in.
fn names_zone(target: &Target, query: &Query) -> bool {
    query.addresses.is_empty()
        && query.soa.is_some()
        && query
            .chain
            .last()
            .is_some_and(|last| zone_of(target, last).is_some())
}

/// The name that `alias`'s record has where it was made in the zone that people mistake for `zone`.
fn in_mistaken_zone(alias: &str, zone: &str) -> Option<String> {
    let record = alias
        .strip_suffix(zone)
        .filter(|_| is_within(alias, zone))?;
    let wrong = catalogue::mistaken_zones(zone).into_iter().next()?;
    Some(format!("{record}{wrong}"))
}
