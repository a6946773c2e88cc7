//! Cache: what an answer's TTL, and the server it came from, say of how long it may outlive a repair.
//!
//! All of it is told in the detail of another finding: no TTL proves that an answer is stale (the
//! history's `aging` says why), so `dns_stale_answer` remains what the server itself says (RFC 8914
//! sections 4.4 and 4.20). LocalDNS, AKS's cache on the node, is known by its addresses; it keeps
//! answers for up to an hour and may serve expired ones (AKS documentation, "DNS resolution in AKS").
//! It runs `CoreDNS` (Azure/AgentBaker, `localdns.sh`), which gives expired ones a TTL of 0 s (its
//! documentation of the plugin cache).

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::Case;
use crate::address::{Class, ClassSet};
use crate::history::{Answered, Trend};
use crate::observation::{Comparison, Query, Resolution};

/// Where LocalDNS listens on a node, for pods and for the node itself.
const LOCAL_DNS: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 10, 10)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 10, 11)),
];

/// No cache keeps an answer for longer, whatever its TTL (RFC 8767 section 4).
const LONGEST: Duration = Duration::from_hours(7 * 24);

/// What a TTL that stays says; too little for the summary.
pub(super) const STAYS: &str = "; its TTL does not fall from probe to probe, so the server asks anew \
                                each time or serves what has expired";

/// What is known of a cache on the path, to be added to a detail.
pub(super) fn kept(case: &Case<'_>) -> String {
    let resolution = &case.observation.resolution;
    let mut text = match case.history.ttl_trend(case.observation) {
        Some(Trend::Falls) => format!(
            "; a cache gives this answer (its TTL falls), and may keep it for up to {} s",
            longest(resolution).as_secs()
        ),
        Some(Trend::Stays) => STAYS.to_owned(),
        None => String::new(),
    };
    text.push_str(&local_dns(resolution));
    text
}

/// How long the other resolver's public answer may outlive the repair that the path has seen: the
/// path is private now and was not, within what is remembered.
pub(super) fn left_over(case: &Case<'_>, other: &Comparison) -> String {
    let resolution = &other.resolution;
    let mut text = String::new();
    let private = |classes: ClassSet| classes.iter().all(Class::is_private);
    let window = case.history.window(&case.observation.resolution);
    let healed = private(case.observation.classes())
        && window
            .map(Answered::classes)
            .any(|classes| !private(classes));
    let age = case.observation.checked_at.duration_since(other.checked_at);
    let left = longest(resolution).saturating_sub(age.unwrap_or_default());
    if healed && resolution.classes().contains(Class::Public) && !left.is_zero() {
        text = format!(
            "; {} may have it from a cache, where it may last up to {} s more",
            resolution.resolver,
            left.as_secs().max(1)
        );
    }
    text.push_str(&local_dns(resolution));
    text
}

fn local_dns(resolution: &Resolution) -> String {
    let Some(query) = answer(resolution) else {
        return String::new();
    };
    let Some(server) = query.server.map(|server| server.ip()) else {
        return String::new();
    };
    if !LOCAL_DNS.contains(&server) {
        return String::new();
    }
    let expired = match query.ttl {
        Some(0) => " and gives them a TTL of 0 s, as here",
        _ => "",
    };
    format!(
        "; it came through LocalDNS ({server}), which keeps answers for up to an hour and may serve \
         expired ones{expired}"
    )
}

fn longest(resolution: &Resolution) -> Duration {
    let ttl = answer(resolution).and_then(|query| query.longest_ttl);
    Duration::from_secs(ttl.unwrap_or_default().into()).min(LONGEST)
}

fn answer(resolution: &Resolution) -> Option<&Query> {
    let mut queries = resolution.queries.iter();
    queries.find(|query| !query.addresses.is_empty())
}
