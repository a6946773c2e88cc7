//! Zone cache: who answers for each zone, by resolver, asked at most once a minute for all targets together.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use privatelink_verdict::observation::ZoneEvidence;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tracing::debug;

use super::resolve::ResolverClient;

/// A zone's SOA is asked at most so often per resolver.
const PAUSE: Duration = Duration::from_mins(1);
/// A zone's SOA that cannot be asked anew is believed for so long.
const LASTS: Duration = Duration::from_mins(5);
/// Zones that are remembered: more than a configuration can name.
const MAX_ZONES: usize = 2048;

/// The SOA of every zone asked for, per resolver.
#[derive(Debug, Default)]
pub(crate) struct ZoneCache(std::sync::Mutex<HashMap<(String, String), Remembered>>);

impl ZoneCache {
    /// The SOA of `zone` by this resolver, asked at most once a minute; what was learnt stays until
    /// something newer is.
    pub(super) async fn ask(
        &self,
        path: ResolverClient<'_>,
        zone: &str,
        deadline: Instant,
    ) -> Option<ZoneEvidence> {
        let remembered = self.remembered(path.resolver, zone);
        let mut known = remembered.lock().await;
        if let Some((evidence, at)) = &*known
            && at.elapsed() < PAUSE
        {
            return Some(evidence.clone());
        }
        debug!(zone, "evidence: ask for the zone's SOA");
        let asked = path.zone(zone, deadline).await?;
        let older = known
            .take()
            .map(|(evidence, _)| evidence)
            .filter(|_| asked.outcome.is_failure())
            .filter(|older| older.checked_at.elapsed().is_ok_and(|age| age < LASTS));
        let evidence = older.unwrap_or(asked);
        *known = Some((evidence.clone(), Instant::now()));
        Some(evidence)
    }

    fn remembered(&self, resolver: &str, zone: &str) -> Remembered {
        let mut zones = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
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
type Remembered = Arc<Mutex<Option<(ZoneEvidence, Instant)>>>;
