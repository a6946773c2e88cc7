//! Zone cache: the SOA of each zone, by resolver, asked for at most once a minute for all targets
//! together.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use privatelink_verdict::observation::{Resolution, Soa, ZoneEvidence};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};
use tracing::debug;

use super::evidence_cache::MAX_AGE;
use super::resolve::ResolverClient;

/// The shortest time between two questions to a resolver for one zone's SOA.
const PAUSE: Duration = Duration::from_mins(1);
/// Zones that are kept: more than a configuration can name.
const MAX_ZONES: usize = 2048;
/// Different SOAs that are shared. Further ones are kept by each target.
const MAX_SOAS: usize = 256;

/// The SOA of every zone asked for, per resolver.
#[derive(Debug, Default)]
pub(crate) struct ZoneCache {
    asked: std::sync::Mutex<HashMap<(String, String), Entry>>,
    seen: std::sync::Mutex<HashSet<Arc<Soa>>>,
}

impl ZoneCache {
    /// The SOA of `zone` by this resolver, asked at most once a minute; an answer counts until a
    /// newer one comes.
    pub(super) async fn ask(
        &self,
        client: ResolverClient<'_>,
        zone: &str,
        deadline: Instant,
    ) -> Option<Arc<ZoneEvidence>> {
        let entry = self.entry(client.resolver, zone);
        // Another target may be asking.
        let mut known = timeout_at(deadline, entry.lock()).await.ok()?;
        if let Some((evidence, at)) = &*known
            && at.elapsed() < PAUSE
        {
            return Some(Arc::clone(evidence));
        }
        debug!(zone, "evidence: ask for the zone's SOA");
        let asked = client.zone(zone, deadline).await?;
        let older = known
            .take()
            .map(|(evidence, _)| evidence)
            .filter(|_| asked.outcome.is_failure())
            .filter(|older| older.checked_at.elapsed().is_ok_and(|age| age < MAX_AGE));
        let evidence = older.unwrap_or_else(|| Arc::new(asked));
        *known = Some((Arc::clone(&evidence), Instant::now()));
        Some(evidence)
    }

    /// Replaces the SOAs of `resolution` by those of other targets that are alike: a zone's SOA comes with
    /// every negative answer.
    pub(super) fn share(&self, resolution: &mut Resolution) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for soa in resolution
            .queries
            .iter_mut()
            .filter_map(|query| query.soa.as_mut())
        {
            if let Some(known) = seen.get(soa) {
                soa.clone_from(known);
                continue;
            }
            if seen.len() >= MAX_SOAS {
                seen.retain(|soa| Arc::strong_count(soa) > 1);
            }
            if seen.len() < MAX_SOAS {
                seen.insert(Arc::clone(soa));
            }
        }
    }

    fn entry(&self, resolver: &str, zone: &str) -> Entry {
        let mut zones = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if zones.len() >= MAX_ZONES {
            zones.clear();
        }
        Arc::clone(
            zones
                .entry((resolver.to_owned(), zone.to_owned()))
                .or_default(),
        )
    }
}

/// What one resolver said of one zone, and when.
type Entry = Arc<Mutex<Option<(Arc<ZoneEvidence>, Instant)>>>;
