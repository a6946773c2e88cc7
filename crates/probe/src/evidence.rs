//! Evidence: what is asked besides the probe itself: on trouble the zone's SOA and names that people
//! confuse, and now and then the other resolvers, EDNS and the search list.
//!
//! It has a budget of its own; its failure never decides an outcome, and what it found stays valid
//! until it is asked anew or the addresses change.

mod zones;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use futures_util::future::{OptionFuture, join_all};
use privatelink_verdict::address::Class;
use privatelink_verdict::alias::{alias, own_zone_of, zone_of};
use privatelink_verdict::catalogue;
use privatelink_verdict::name::is_within;
use privatelink_verdict::observation::{
    AgentFault, Comparison, Connection, NameEvidence, Query, QueryOutcome, Resolution,
    ServiceReply, ZoneEvidence,
};
use privatelink_verdict::target::{Expectation, Target};
use tokio::time::Instant;

pub(super) use self::zones::Zones;
use super::Prober;
use super::nameserver::Nameservers;
use super::resolve::Path;
use super::servers::Servers;

/// Every so many probes the other resolvers are asked, and EDNS for extended errors.
const COMPARE_EVERY: u64 = 5;
/// Every so many probes the relative name is asked.
const SEARCH_EVERY: u64 = 20;
/// A name that trouble leads to is asked at most so often per target.
const NAME_PAUSE: Duration = Duration::from_mins(1);
/// A service is asked at most so often, whatever changes.
const SERVICE_PAUSE: Duration = Duration::from_mins(1);
/// The most that gathering evidence may add to a probe.
const MAX_BUDGET: Duration = Duration::from_secs(3);

/// What a target's evidence was, from one probe to the next.
#[derive(Debug, Default)]
pub struct Memory {
    probes: u64,
    addresses: Vec<IpAddr>,
    comparisons: Vec<Comparison>,
    extended_errors: Vec<u16>,
    search: Option<NameEvidence>,
    /// What the names said that trouble led to.
    names: Vec<NameEvidence>,
    servers: Servers,
    service: Asked,
}

/// What a target's service replied, and what makes asking it again worth while.
#[derive(Debug, Default)]
struct Asked {
    at: Option<Instant>,
    addresses: Vec<IpAddr>,
    replies: Vec<(IpAddr, ServiceReply)>,
    changed: bool,
}

type Loaded<'a> = BTreeMap<&'a str, Result<Nameservers, AgentFault>>;

impl Prober {
    /// Adds its evidence to the path's resolution, and what the other resolvers say.
    pub(super) async fn gather(
        &self,
        target: &Target,
        nameservers: &Loaded<'_>,
        mut resolution: Resolution,
        memory: &mut Memory,
    ) -> (Resolution, Vec<Comparison>) {
        let deadline = Instant::now() + (target.timeout / 2).min(MAX_BUDGET);
        let Some(Ok(own)) = nameservers.get(target.resolver.as_str()) else {
            return (resolution, Vec::new());
        };
        let path = Path {
            resolver: &target.resolver,
            nameservers: own,
            pace: &self.pace,
        };
        let turn = memory.turn(&resolution);

        let trouble = self.trouble(target, path, &resolution, &memory.names, deadline);
        let comparisons: OptionFuture<_> = turn
            .compare
            .then(|| self.compare(target, nameservers, deadline))
            .into();
        let errors: OptionFuture<_> = turn
            .compare
            .then(|| extended_errors(target, path, deadline))
            .into();
        let known: Vec<IpAddr> = resolution
            .addresses
            .iter()
            .map(|address| address.ip)
            .collect();
        let search: OptionFuture<_> = turn
            .search
            .then(|| path.search(&target.host, &known, deadline))
            .into();
        let times = memory
            .servers
            .times(&own.servers, &resolution, turn.compare);
        let servers: OptionFuture<_> = (times > 0)
            .then(|| path.each_server(target, times, deadline))
            .into();
        let (trouble, comparisons, errors, search, servers) =
            tokio::join!(trouble, comparisons, errors, search, servers);

        memory.names = trouble.names().cloned().collect();
        resolution.zone = trouble.zone;
        resolution.mistaken = trouble.mistaken;
        resolution.unchased = trouble.unchased;
        resolution.alias = trouble.alias;
        if let Some(comparisons) = comparisons {
            memory.comparisons = comparisons;
        }
        if let Some(Some(errors)) = errors {
            memory.extended_errors = errors;
        }
        if let Some(Some(search)) = search {
            memory.search = search;
        }
        resolution
            .extended_errors
            .clone_from(&memory.extended_errors);
        resolution.search.clone_from(&memory.search);
        resolution.servers = memory.servers.answers(&resolution, servers);
        (resolution, memory.comparisons.clone())
    }

    /// Step 6: only where the answer is trouble, and does not say by itself whose zone it is.
    async fn trouble(
        &self,
        target: &Target,
        path: Path<'_>,
        resolution: &Resolution,
        known: &[NameEvidence],
        deadline: Instant,
    ) -> Trouble {
        let chain = resolution.chain();
        let last = chain.last().map_or(target.host.as_str(), String::as_str);
        let negative = !resolution.answered()
            && resolution
                .outcome()
                .is_some_and(|outcome| !outcome.is_failure());
        let public = resolution
            .addresses
            .iter()
            .any(|address| address.class == Class::Public)
            && matches!(
                target.expect,
                Expectation::PrivateEndpoint | Expectation::Auto
            );
        if !negative && !public {
            return Trouble::default();
        }
        let name =
            alias(target, resolution).or_else(|| catalogue::private_only_zone(last).map(|_| last));
        let zone = name.and_then(|name| own_zone_of(target, name));

        let ask = |name: String| async move {
            match remembered(known, &name) {
                Some(evidence) => Some(evidence.clone()),
                None => path.name(&name, deadline).await,
            }
        };
        // Where one family has public addresses, the other's SOA is that of the public side, wherever
        // the answer would have come from: the zone has to be asked for by itself.
        let told = negative
            && resolution
                .queries
                .iter()
                .any(|query| tells_zone(target, query));
        let soa: OptionFuture<_> = zone
            .filter(|_| !told)
            .map(|zone| self.zones.ask(path, zone, deadline))
            .into();
        let mistaken = name
            .zip(zone)
            .and_then(|(name, zone)| mistaken_for(name, zone));
        let mistaken: OptionFuture<_> = mistaken.map(ask).into();
        let unchased =
            resolution.queries.iter().all(Query::is_incomplete) && negative && last != target.host;
        let unchased: OptionFuture<_> = unchased.then(|| ask(last.to_owned())).into();
        // The host may come from another server than the alias would: a forwarder for the
        // privatelink zone alone.
        let bypassed = name.filter(|name| public && *name != target.host);
        let alias: OptionFuture<_> = bypassed.map(|name| ask(name.to_owned())).into();
        let (zone, mistaken, unchased, alias) = tokio::join!(soa, mistaken, unchased, alias);
        Trouble {
            zone: zone.flatten(),
            mistaken: mistaken.flatten(),
            unchased: unchased.flatten(),
            alias: alias.flatten(),
        }
    }

    /// Step 7: what the resolvers other than the path say.
    async fn compare(
        &self,
        target: &Target,
        nameservers: &Loaded<'_>,
        deadline: Instant,
    ) -> Vec<Comparison> {
        let others = self
            .resolvers
            .iter()
            .filter(|resolver| resolver.name != target.resolver);
        let asked = others.map(|resolver| async move {
            let resolution = match nameservers.get(resolver.name.as_str()) {
                Some(Ok(nameservers)) => {
                    let path = Path {
                        resolver: &resolver.name,
                        nameservers,
                        pace: &self.pace,
                    };
                    let Target {
                        host,
                        families,
                        rules,
                        ..
                    } = target;
                    path.resolve(host, families, rules, nameservers.edns, deadline)
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
        join_all(asked).await
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

/// What is due in one probe.
struct Turn {
    compare: bool,
    search: bool,
}

impl Memory {
    fn turn(&mut self, resolution: &Resolution) -> Turn {
        let mut addresses: Vec<IpAddr> = resolution.addresses.iter().map(|a| a.ip).collect();
        addresses.sort_unstable();
        let changed = addresses != self.addresses;
        let turn = Turn {
            compare: changed || self.probes.is_multiple_of(COMPARE_EVERY),
            search: self.probes.is_multiple_of(SEARCH_EVERY),
        };
        if changed {
            self.addresses = addresses;
            self.search = None;
            self.names.clear();
        }
        self.probes += 1;
        turn
    }

    /// Tells that the target is judged otherwise than before: worth asking the service about.
    pub fn judged_otherwise(&mut self) {
        self.service.changed = true;
    }

    /// Tells whether the target's answers flap: worth asking each server of the resolver alone.
    pub fn flapping(&mut self, flaps: bool) {
        self.servers.flapping(flaps);
    }

    /// Step 5: whether the service is asked in this probe: every `interval`, and after a change of
    /// the addresses or the verdict, though at most once a minute.
    pub(super) fn asks_service(
        &mut self,
        target: &Target,
        resolution: &Resolution,
        interval: Duration,
    ) -> bool {
        let mut addresses: Vec<IpAddr> = resolution.addresses.iter().map(|a| a.ip).collect();
        addresses.sort_unstable();
        if addresses != self.service.addresses {
            self.service.addresses = addresses;
            self.service.replies.clear();
            self.service.changed = true;
        }
        let wait = if self.service.changed {
            SERVICE_PAUSE
        } else {
            interval
        };
        let due = self.service.at.is_none_or(|at| at.elapsed() >= wait);
        target.http && due && resolution.answered()
    }

    /// Keeps the replies that came, and gives those that were not asked for anew what they said last.
    pub(super) fn keep_service_replies(&mut self, asked: bool, connections: &mut [Connection]) {
        if asked
            && connections
                .iter()
                .any(|connection| connection.service.is_some())
        {
            self.service.at = Some(Instant::now());
            self.service.changed = false;
        }
        for connection in connections {
            let known = self
                .service
                .replies
                .iter_mut()
                .find(|(ip, _)| *ip == connection.ip);
            match (&connection.service, known) {
                (Some(reply), Some(known)) => known.1 = reply.clone(),
                (Some(reply), None) => {
                    self.service.replies.push((connection.ip, reply.clone()));
                }
                (None, Some((_, reply))) => connection.service = Some(reply.clone()),
                (None, None) => {}
            }
        }
    }
}

/// Whether a negative answer carries the SOA of the zone that its last name lies in.
fn tells_zone(target: &Target, query: &Query) -> bool {
    query.addresses.is_empty()
        && query.soa.is_some()
        && query
            .chain
            .last()
            .is_some_and(|last| zone_of(target, last).is_some())
}

/// What `name` said within the last minute. A failure is no answer: it is asked anew.
fn remembered<'a>(known: &'a [NameEvidence], name: &str) -> Option<&'a NameEvidence> {
    let fresh = |evidence: &&NameEvidence| {
        let age = evidence.checked_at.elapsed();
        evidence.name == name
            && !evidence.outcome.is_failure()
            && age.is_ok_and(|age| age < NAME_PAUSE)
    };
    known.iter().find(fresh)
}

/// The name that `alias`'s record has where it was made in the zone that people mistake for `zone`.
fn mistaken_for(alias: &str, zone: &str) -> Option<String> {
    let record = alias
        .strip_suffix(zone)
        .filter(|_| is_within(alias, zone))?;
    let wrong = catalogue::mistaken_zones(zone).into_iter().next()?;
    Some(format!("{record}{wrong}"))
}

/// One query with EDNS, for the extended errors alone: the probe itself asks as applications do.
/// `None` where it was not answered.
async fn extended_errors(target: &Target, path: Path<'_>, deadline: Instant) -> Option<Vec<u16>> {
    let Target {
        host,
        families,
        rules,
        ..
    } = target;
    let first = &families[..families.len().min(1)];
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
