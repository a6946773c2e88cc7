//! Evidence: what is asked besides the probe itself: on trouble the zone's SOA and names that people
//! confuse, and every few probes the other resolvers, EDNS and the search list.
//!
//! It has a budget of its own; its failure never decides an outcome, and what it found stays valid
//! until it is asked anew or the addresses change.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use futures_util::future::{OptionFuture, join_all};
use privatelink_verdict::address::Class;
use privatelink_verdict::alias::{alias, own_zone_of, zone_of};
use privatelink_verdict::catalogue;
use privatelink_verdict::name::is_within;
use privatelink_verdict::observation::{
    AgentFault, Comparison, NameEvidence, Query, QueryOutcome, Resolution, ZoneEvidence,
};
use privatelink_verdict::resolver::Resolver;
use privatelink_verdict::target::{Expectation, Target};
use tokio::time::Instant;
use tracing::debug;

use super::evidence_cache::{EvidenceCache, recent};
use super::nameserver::Nameservers;
use super::rate_limit::RateLimit;
use super::resolve::ResolverClient;
use super::zone_cache::ZoneCache;

/// The most that gathering evidence may add to a probe.
const MAX_BUDGET: Duration = Duration::from_secs(3);

/// The servers of every resolver, by the resolver's name.
pub(super) type LoadedNameservers<'a> = BTreeMap<&'a str, Result<Nameservers, AgentFault>>;

/// What evidence about one target is gathered with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Evidence<'a> {
    pub(super) target: &'a Target,
    pub(super) resolvers: &'a [Resolver],
    pub(super) nameservers: &'a LoadedNameservers<'a>,
    pub(super) rate_limit: &'a RateLimit,
    pub(super) zones: &'a ZoneCache,
}

impl Evidence<'_> {
    /// Adds its evidence to the path's resolution, and what the other resolvers say.
    pub(super) async fn gather(
        self,
        mut resolution: Resolution,
        cache: &mut EvidenceCache,
    ) -> (Resolution, Vec<Comparison>) {
        let target = self.target;
        let deadline = Instant::now() + (target.timeout / 2).min(MAX_BUDGET);
        let Some(Ok(own)) = self.nameservers.get(target.resolver.as_str()) else {
            return (resolution, Vec::new());
        };
        let path = ResolverClient {
            resolver: &target.resolver,
            nameservers: own,
            rate_limit: self.rate_limit,
        };
        let due = cache.due(&resolution);
        let known: Vec<IpAddr> = resolution.addresses.iter().map(|a| a.ip).collect();
        let times = cache
            .servers
            .times(&own.servers, &resolution, due.comparisons);

        let trouble = self.trouble(path, &resolution, &cache.names, deadline);
        let comparisons = when(due.comparisons, || self.compare(deadline));
        let errors = when(due.comparisons, || extended_errors(target, path, deadline));
        let search = when(due.search, || path.search(&target.host, &known, deadline));
        let servers = when(times > 0, || path.each_server(target, times, deadline));
        let (trouble, comparisons, errors, search, servers) =
            tokio::join!(trouble, comparisons, errors, search, servers);

        cache.names = trouble.names().cloned().collect();
        resolution.zone = trouble.zone;
        resolution.mistaken = trouble.mistaken;
        resolution.unchased = trouble.unchased;
        resolution.alias = trouble.alias;
        if let Some(comparisons) = comparisons {
            cache.comparisons = comparisons;
        }
        if let Some(Some(errors)) = errors {
            cache.extended_errors = errors;
        }
        if let Some(Some(search)) = search {
            cache.search = search;
        }
        resolution
            .extended_errors
            .clone_from(&cache.extended_errors);
        resolution.search.clone_from(&cache.search);
        resolution.servers = cache.servers.answers(&resolution, servers);
        (resolution, cache.comparisons.clone())
    }

    /// Step 6: only where the answer is trouble, and does not say by itself whose zone it is.
    async fn trouble(
        self,
        path: ResolverClient<'_>,
        resolution: &Resolution,
        known: &[NameEvidence],
        deadline: Instant,
    ) -> Trouble {
        let target = self.target;
        let chain = resolution.chain();
        let last = chain.last().map_or(target.host.as_str(), String::as_str);
        let is_negative = !resolution.answered()
            && resolution
                .outcome()
                .is_some_and(|outcome| !outcome.is_failure());
        let is_public = is_public_instead(target, resolution);
        if !is_negative && !is_public {
            return Trouble::default();
        }
        let name =
            alias(target, resolution).or_else(|| catalogue::private_only_zone(last).map(|_| last));
        let zone = name.and_then(|name| own_zone_of(target, name));

        let ask = |why: &'static str, name: String| async move {
            if let Some(evidence) = recent(known, &name) {
                return Some(evidence.clone());
            }
            debug!(name, why, "evidence: ask for another name");
            path.name(&name, deadline).await
        };
        // Where one family has public addresses, the other's SOA is that of the public side, wherever
        // the answer would have come from: the zone has to be asked for by itself.
        let is_zone_known = is_negative
            && resolution
                .queries
                .iter()
                .any(|query| names_zone(target, query));
        let soa: OptionFuture<_> = zone
            .filter(|_| !is_zone_known)
            .map(|zone| self.zones.ask(path, zone, deadline))
            .into();
        let mistaken: OptionFuture<_> = name
            .zip(zone)
            .and_then(|(name, zone)| in_mistaken_zone(name, zone))
            .map(|name| ask("the record may be in the zone that people mistake", name))
            .into();
        let is_unchased = is_negative
            && resolution.queries.iter().all(Query::is_incomplete)
            && last != target.host;
        let unchased = when(is_unchased, || {
            ask("the server did not follow the CNAME", last.to_owned())
        });
        // The host may come from another server than the alias would: a forwarder for the
        // privatelink zone alone.
        let alias: OptionFuture<_> = name
            .filter(|name| is_public && *name != target.host)
            .map(|name| {
                ask(
                    "the alias may go another way than the host",
                    name.to_owned(),
                )
            })
            .into();
        let (zone, mistaken, unchased, alias) = tokio::join!(soa, mistaken, unchased, alias);
        Trouble {
            zone: zone.flatten(),
            mistaken: mistaken.flatten(),
            unchased: unchased.flatten(),
            alias: alias.flatten(),
        }
    }

    /// Step 7: what the resolvers other than the path say.
    async fn compare(self, deadline: Instant) -> Vec<Comparison> {
        let others = self
            .resolvers
            .iter()
            .filter(|resolver| resolver.name != self.target.resolver);
        let comparisons = others.map(|resolver| async move {
            debug!(resolver = %resolver.name, "evidence: ask another resolver");
            let resolution = match self.nameservers.get(resolver.name.as_str()) {
                Some(Ok(nameservers)) => {
                    let client = ResolverClient {
                        resolver: &resolver.name,
                        nameservers,
                        rate_limit: self.rate_limit,
                    };
                    let Target {
                        host,
                        families,
                        rules,
                        ..
                    } = self.target;
                    client
                        .resolve(host, families, rules, nameservers.edns, deadline)
                        .await
                        .ok()
                }
                _ => None,
            };
            Comparison {
                must_agree: resolver.must_agree,
                resolution: resolution.unwrap_or_else(|| Resolution {
                    resolver: resolver.name.clone(),
                    ..Resolution::default()
                }),
                checked_at: SystemTime::now(),
            }
        });
        join_all(comparisons).await
    }
}

/// What was asked because an answer is trouble.
#[derive(Default)]
struct Trouble {
    zone: Option<ZoneEvidence>,
    mistaken: Option<NameEvidence>,
    unchased: Option<NameEvidence>,
    alias: Option<NameEvidence>,
}

impl Trouble {
    /// The names that were asked.
    fn names(&self) -> impl Iterator<Item = &NameEvidence> {
        [&self.mistaken, &self.unchased, &self.alias]
            .into_iter()
            .flatten()
    }
}

/// A future that runs only if `condition` holds.
fn when<F: Future>(condition: bool, future: impl FnOnce() -> F) -> OptionFuture<F> {
    condition.then(future).into()
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

/// One query with EDNS, for the extended errors alone: the probe itself asks as applications do.
/// `None` where it was not answered.
async fn extended_errors(
    target: &Target,
    path: ResolverClient<'_>,
    deadline: Instant,
) -> Option<Vec<u16>> {
    let Target {
        host,
        families,
        rules,
        ..
    } = target;
    let first = &families[..families.len().min(1)];
    debug!("evidence: ask with EDNS, for extended errors");
    let resolved = path
        .resolve(host, first, rules, true, deadline)
        .await
        .ok()?;
    let answered = resolved
        .outcome()
        .is_some_and(|outcome| outcome != QueryOutcome::Timeout);
    let queries = resolved.queries.into_iter();
    answered.then(|| queries.flat_map(|query| query.extended_errors).collect())
}

#[cfg(test)]
mod tests;
