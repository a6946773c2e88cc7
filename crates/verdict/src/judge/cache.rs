//! Cache: what an answer's TTL, and the server it came from, say of how long it may outlive a repair.
//!
//! All of it is a fact of another finding: no TTL proves that an answer is stale (the
//! history's `aging` says why), so `dns_stale_answer` remains what the server itself says (RFC 8914
//! sections 4.4 and 4.20). LocalDNS, AKS's cache on the node, is known by its addresses; it keeps
//! answers for up to an hour and may serve expired ones (AKS documentation, "DNS resolution in AKS").
//! It runs `CoreDNS` (Azure/AgentBaker, `localdns.sh`), which gives expired ones a TTL of 0 s (its
//! documentation of the plugin cache).

use std::net::IpAddr;
use std::time::Duration;

use super::Case;
use crate::address::{Class, ClassSet};
use crate::fact::ResolverFact;
use crate::history::{Answered, History, Trend};
use crate::observation::{Comparison, Query, Resolution};
use crate::resolver::{LOCAL_DNS_OF_NODE, LOCAL_DNS_OF_PODS};

/// Where LocalDNS listens on a node, for pods and for the node itself.
const LOCAL_DNS: [IpAddr; 2] = [LOCAL_DNS_OF_NODE, LOCAL_DNS_OF_PODS];

/// No cache keeps an answer for longer, whatever its TTL (RFC 8767 section 4).
const LONGEST: Duration = Duration::from_hours(7 * 24);

/// What is known of a cache on the path.
pub(super) fn on_path(case: &Case<'_>, history: &History) -> Vec<ResolverFact> {
    let resolution = &case.observation.resolution;
    let trend = history
        .ttl_trend(case.observation)
        .map(|trend| match trend {
            Trend::Falls => ResolverFact::Cached {
                seconds: longest(resolution).as_secs(),
            },
            Trend::Stays => ResolverFact::TtlStays,
        });
    trend.into_iter().chain(local_dns(resolution)).collect()
}

/// How long the other resolver's public answer may outlive the repair that the path has seen: the
/// path is private now and was not, within what is remembered.
pub(super) fn after_repair(
    case: &Case<'_>,
    history: &History,
    other: &Comparison,
) -> Vec<ResolverFact> {
    let mut facts = Vec::new();
    let resolution = &other.resolution;
    let private = |classes: ClassSet| classes.iter().all(Class::is_private);
    let window = history.window(&case.observation.resolution);
    let healed = private(case.observation.classes())
        && window
            .map(Answered::classes)
            .any(|classes| !private(classes));
    let age = case.observation.checked_at.duration_since(other.checked_at);
    let left = longest(resolution).saturating_sub(age.unwrap_or_default());
    if healed && resolution.classes().contains(Class::Public) && !left.is_zero() {
        facts.push(ResolverFact::MayBeCached {
            resolver: resolution.resolver.to_string(),
            seconds: left.as_secs().max(1),
        });
    }
    facts.extend(local_dns(resolution));
    facts
}

fn local_dns(resolution: &Resolution) -> Option<ResolverFact> {
    let query = answer(resolution)?;
    let server = query.server?.ip();
    LOCAL_DNS
        .contains(&server)
        .then_some(ResolverFact::ThroughLocalDns {
            server,
            expired: query.ttl == Some(0),
        })
}

fn longest(resolution: &Resolution) -> Duration {
    let ttl = answer(resolution).and_then(|query| query.longest_ttl);
    Duration::from_secs(ttl.unwrap_or_default().into()).min(LONGEST)
}

fn answer(resolution: &Resolution) -> Option<&Query> {
    let mut queries = resolution.queries.iter();
    queries.find(|query| !query.addresses.is_empty())
}
