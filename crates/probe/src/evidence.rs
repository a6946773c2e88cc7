//! Evidence: what is asked besides the probe itself: on trouble the zone's SOA and names that people
//! confuse, and every few probes the other resolvers, EDNS and the search list.
//!
//! It has a budget of its own; its failure never decides an outcome, and what it found stays valid
//! until it is asked anew or the addresses change.

mod trouble;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::future::{OptionFuture, join_all};
use privatelink_machine::Machine;
use privatelink_verdict::names::Names;
use privatelink_verdict::observation::{
    self, Comparison, NameEvidence, QueryOutcome, Rare, Resolution, SrvEvidence, ZoneEvidence,
};
use privatelink_verdict::resolver::Resolver;
use privatelink_verdict::target::Target;
use tokio::time::Instant;
use tracing::debug;

use self::trouble::{Questions, is_trouble};
use super::evidence_cache::{EvidenceCache, TroubleEvidence, refreshed};
use super::nameserver::Nameservers;
use super::rate_limit::DnsBudget;
use super::resolve::{ResolverClient, share_chain};
use super::zone_cache::ZoneCache;

/// The most that gathering evidence may add to a probe.
const MAX_BUDGET: Duration = Duration::from_secs(3);

/// What evidence about one target is gathered with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gatherer<'a> {
    pub(super) target: &'a Target,
    pub(super) resolvers: &'a [Resolver],
    pub(super) machine: &'a Machine,
    /// Those of the target's own resolver.
    pub(super) nameservers: &'a Nameservers,
    pub(super) budget: DnsBudget<'a>,
    pub(super) zones: &'a ZoneCache,
}

/// What was asked beside a probe's own question, as last asked.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) evidence: Rare<observation::Evidence>,
    pub(super) search: Option<Arc<NameEvidence>>,
    /// What the other resolvers say.
    pub(super) comparisons: Arc<[Comparison]>,
}

impl Gatherer<'_> {
    /// What is asked beside `resolution`, the path's.
    pub(super) async fn gather(
        self,
        resolution: &Resolution,
        cache: &mut EvidenceCache,
    ) -> Gathered {
        let target = self.target;
        let deadline = Instant::now() + (target.timeout / 2).min(MAX_BUDGET);
        let client = ResolverClient {
            resolver: &target.resolver,
            nameservers: self.nameservers,
            budget: self.budget,
        };
        let due = cache.due(resolution, is_trouble(target, resolution));
        let addresses: Vec<IpAddr> = resolution.addresses.iter().map(|a| a.ip).collect();
        let times = cache
            .servers
            .times(&self.nameservers.servers, resolution, due.comparisons);

        let questions = Questions::of(target, resolution);
        let srv = questions.srv.clone();
        let known = cache.trouble.take().unwrap_or_default();
        let srv = self.ask_for_srv(client, srv, known.srv.as_ref(), deadline);
        let trouble = self.ask_on_trouble(client, questions, &known.names, deadline);
        let path = resolution.chain().clone();
        let comparisons = when(due.comparisons, || self.compare(&path, deadline));
        let errors = when(due.comparisons, || {
            extended_errors(target, client, deadline)
        });
        let search = when(due.search, || {
            let (host, rules) = (&target.host, &target.rules);
            client.search(host, target.families, &addresses, rules, deadline)
        });
        let servers = when(times > 0, || client.each_server(target, times, deadline));
        let (answers, srv, comparisons, errors, search, servers) =
            tokio::join!(trouble, srv, comparisons, errors, search, servers);

        let trouble = TroubleEvidence {
            extended_errors: errors.flatten().unwrap_or(known.extended_errors),
            names: answers.names().cloned().collect(),
            srv,
        };
        if let Some(comparisons) = comparisons {
            // Made of nothing, each would take an allocation.
            cache.comparisons = if comparisons.is_empty() {
                Arc::default()
            } else {
                comparisons.into()
            };
        }
        if let Some(Some(search)) = search {
            cache.search = search.map(Arc::new);
        }
        let evidence = observation::Evidence {
            zone: answers.zone,
            mistaken: answers.mistaken,
            unchased: answers.unchased,
            alias: answers.alias,
            srv: trouble.srv.clone(),
            extended_errors: trouble.extended_errors.clone(),
            servers: cache.servers.answers(resolution, servers),
        };
        cache.trouble = (trouble != TroubleEvidence::default()).then(|| Box::new(trouble));
        Gathered {
            evidence: evidence.into(),
            search: cache.search.clone(),
            comparisons: Arc::clone(&cache.comparisons),
        }
    }

    /// Step 6: asks what trouble leads to. `known` is what the names said in earlier probes.
    async fn ask_on_trouble(
        self,
        client: ResolverClient<'_>,
        questions: Questions<'_>,
        known: &[Arc<NameEvidence>],
        deadline: Instant,
    ) -> Answers {
        let ask = |why: &'static str, name: String| async move {
            let known = known.iter().find(|evidence| evidence.name == name);
            let ask = async {
                debug!(name, why, "evidence: ask for another name");
                client.name(&name, &self.target.rules, deadline).await
            };
            refreshed(known, ask).await
        };
        let zone: OptionFuture<_> = questions
            .zone
            .map(|zone| self.zones.ask(client, zone, deadline))
            .into();
        let mistaken: OptionFuture<_> = questions
            .mistaken
            .map(|name| ask("the record may be in the zone that people mistake", name))
            .into();
        let unchased: OptionFuture<_> = questions
            .unchased
            .map(|name| ask("the server did not follow the CNAME", name))
            .into();
        let alias: OptionFuture<_> = questions
            .alias
            .map(|name| ask("the alias may go another way than the host", name))
            .into();
        let (zone, mistaken, unchased, alias) = tokio::join!(zone, mistaken, unchased, alias);
        Answers {
            zone: zone.flatten(),
            mistaken: mistaken.flatten(),
            unchased: unchased.flatten(),
            alias: alias.flatten(),
        }
    }

    /// The SRV records that lead to other hosts, where the host itself has no address.
    async fn ask_for_srv(
        self,
        client: ResolverClient<'_>,
        name: Option<String>,
        known: Option<&Arc<SrvEvidence>>,
        deadline: Instant,
    ) -> Option<Arc<SrvEvidence>> {
        let name = name?;
        let known = known.filter(|evidence| evidence.name == name);
        let ask = async {
            debug!(name, "evidence: ask for SRV records");
            client.srv(&name, deadline).await
        };
        refreshed(known, ask).await
    }

    /// Step 7: what the resolvers other than the path say.
    async fn compare(self, path: &Names, deadline: Instant) -> Vec<Comparison> {
        let others = self
            .resolvers
            .iter()
            .filter(|resolver| resolver.name != self.target.resolver);
        let comparisons = others.map(|resolver| async move {
            debug!(resolver = %resolver.name, "evidence: ask another resolver");
            let resolution = match &Nameservers::of(resolver, self.machine) {
                Ok(nameservers) => {
                    let client = ResolverClient {
                        resolver: &resolver.name,
                        nameservers,
                        budget: self.budget,
                    };
                    let Target {
                        host,
                        families,
                        rules,
                        ..
                    } = self.target;
                    client.find(host, families, rules, deadline).await.ok()
                }
                Err(_) => None,
            };
            let mut resolution = resolution.unwrap_or_else(|| Resolution {
                resolver: Arc::clone(&resolver.name),
                ..Resolution::default()
            });
            self.zones.share(&mut resolution);
            for query in &mut resolution.queries {
                share_chain(query, path);
            }
            Comparison {
                must_agree: resolver.must_agree,
                resolution,
                checked_at: SystemTime::now(),
            }
        });
        join_all(comparisons).await
    }
}

/// What was asked because an answer is trouble.
#[derive(Default)]
struct Answers {
    zone: Option<Arc<ZoneEvidence>>,
    mistaken: Option<Arc<NameEvidence>>,
    unchased: Option<Arc<NameEvidence>>,
    alias: Option<Arc<NameEvidence>>,
}

impl Answers {
    /// What the names said.
    fn names(&self) -> impl Iterator<Item = &Arc<NameEvidence>> {
        [&self.mistaken, &self.unchased, &self.alias]
            .into_iter()
            .flatten()
    }
}

/// A future that runs only if `condition` holds.
fn when<F: Future>(condition: bool, future: impl FnOnce() -> F) -> OptionFuture<F> {
    condition.then(future).into()
}

/// One query with EDNS, for the extended errors alone: the probe itself asks as applications do.
/// `None` where it was not answered.
async fn extended_errors(
    target: &Target,
    client: ResolverClient<'_>,
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
    let resolved = client
        .resolve(host, first, rules, true, deadline)
        .await
        .ok()?;
    let answered = resolved
        .outcome()
        .is_some_and(|outcome| outcome != QueryOutcome::Timeout);
    let queries = resolved.queries.into_iter();
    answered.then(|| {
        queries
            .flat_map(|query| query.trouble.extended_errors.clone())
            .collect()
    })
}

#[cfg(test)]
mod tests;
