//! Election: which of the replicas leads. One writes, the others are ready to.
//!
//! The algorithm is that of client-go (docs/adr/0014): the leader renews a Lease, and another replica
//! takes it when it has seen no change for as long as the lease lasts. No replica's clock is compared
//! with another's; each measures with its own how long the record has not changed. Every write names
//! the version that it replaces, so of two candidates one gets a conflict.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::PostParams;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::client::CALL;
use crate::events::{LeadershipChanged, LeaseNotRenewed};

/// How long another replica waits after the last change of the lease until it takes it.
const LEASE: Duration = Duration::from_secs(15);

/// How long a leader acts after it began its last renewal that succeeded. Shorter than the lease by
/// what a call may take, so that its last write has ended before another replica leads.
const RENEWED: Duration = Duration::from_secs(10);

/// Between two attempts.
const RETRY: Duration = Duration::from_secs(2);

/// Added to it at random, so that candidates do not stay in step.
const JITTER: Duration = Duration::from_millis(400);

/// A replica that has just started waits that much longer than one that has watched the lease, which sees its
/// last change up to a pause later. So a leader whose container is killed does not lead again before its lists
/// are complete.
const NEWCOMER: Duration = Duration::from_secs(3);

/// What is known of who leads. Clones share it.
#[derive(Clone, Debug)]
pub struct Leadership(watch::Receiver<Term>);

/// What the latest attempt said.
#[derive(Clone, Debug, Default)]
struct Term {
    /// Until when this replica leads.
    until: Option<Instant>,
    /// Who holds the lease; empty where no replica does.
    holder: Arc<str>,
}

impl Term {
    fn is_current(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() < until)
    }
}

impl Leadership {
    /// Of a replica that leads for a day without an election.
    pub(crate) fn of(pod: &str) -> Self {
        let (_, known) = watch::channel(Term {
            until: Some(Instant::now() + Duration::from_hours(24)),
            holder: pod.into(),
        });
        Self(known)
    }

    /// Whether this replica leads now. To be asked right before every write.
    pub fn is_leading(&self) -> bool {
        self.0.borrow().is_current()
    }

    /// Who holds the lease, as far as this replica knows; empty where no replica does.
    pub fn holder(&self) -> Arc<str> {
        Arc::clone(&self.0.borrow().holder)
    }

    /// Waits until this replica leads.
    pub(crate) async fn gained(&mut self) {
        if self.0.wait_for(Term::is_current).await.is_err() {
            // The election has ended, and with it the process.
            std::future::pending::<()>().await;
        }
    }
}

/// A candidate.
pub struct Election {
    leases: Api<Lease>,
    name: String,
    identity: String,
    term: watch::Sender<Term>,
    /// The lease as it was read or written last, and when it was seen to have changed.
    observed: Option<(Lease, Instant)>,
    /// Whether the lease was never read.
    is_newcomer: bool,
    /// What was logged last.
    said_leading: bool,
    /// Whether the last attempt failed, so that a failure that lasts is logged once.
    is_failing: bool,
}

impl Election {
    /// A candidate for the lease `name`; `identity` is no other replica's.
    pub fn new(leases: Api<Lease>, name: &str, identity: &str) -> (Self, Leadership) {
        let (term, known) = watch::channel(Term::default());
        let election = Self {
            leases,
            name: name.to_owned(),
            identity: identity.to_owned(),
            term,
            observed: None,
            is_newcomer: true,
            said_leading: false,
            is_failing: false,
        };
        (election, Leadership(known))
    }

    /// Stands until `shutdown`; then gives the lease back, so that another replica need not wait.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let attempts = async {
            loop {
                let pause = self.attempt().await + JITTER.mul_f64(fastrand::f64());
                sleep(pause).await;
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = attempts => {}
        }
        self.release().await;
    }

    /// Renews the lease or takes it, if that is allowed; returns how long to wait until the next attempt.
    async fn attempt(&mut self) -> Duration {
        let started = Instant::now();
        match timeout(CALL, self.try_to_hold()).await {
            Ok(Ok(is_holder)) => {
                self.is_failing = false;
                self.set(is_holder.then(|| started + RENEWED));
            }
            Ok(Err(error)) => {
                // Somebody else wrote, or the answer to a renewal never came: the lease has to be read before the
                // next write. A term goes on until its own end, before which no other replica takes the lease.
                if is_conflict(&error) {
                    self.observed = None;
                    return Duration::ZERO;
                }
                self.failed(&error.to_string());
            }
            Err(_) => self.failed("no answer in time"),
        }
        let expires = self
            .observed
            .as_ref()
            .map(|(lease, seen)| *seen + duration(lease));
        let remaining = expires.map(|at| at.saturating_duration_since(Instant::now()));
        match remaining {
            // To be there when it expires.
            Some(remaining) if !self.is_leading() && !remaining.is_zero() => remaining.min(RETRY),
            _ => RETRY,
        }
    }

    /// Whether this replica holds the lease after this.
    async fn try_to_hold(&mut self) -> kube::Result<bool> {
        let held = self
            .observed
            .as_ref()
            .filter(|(lease, _)| holder(lease) == self.identity);
        let lease = if let Some((lease, _)) = held {
            lease.clone()
        } else {
            let lease = self.leases.get(&self.name).await?;
            self.observe(lease.clone());
            lease
        };
        let holder = holder(&lease);
        let is_ours = holder == self.identity;
        let has_expired = self
            .observed
            .as_ref()
            .is_some_and(|(lease, seen)| seen.elapsed() >= duration(lease));
        if !is_ours && !holder.is_empty() && !has_expired {
            return Ok(false);
        }
        let renewed = self.renewed(lease, is_ours);
        let written = self
            .leases
            .replace(&self.name, &PostParams::default(), &renewed)
            .await?;
        self.observed = Some((written, Instant::now()));
        Ok(true)
    }

    fn renewed(&self, mut lease: Lease, is_ours: bool) -> Lease {
        let now = Some(MicroTime(Timestamp::now()));
        let spec = lease.spec.get_or_insert_default();
        if !is_ours {
            spec.acquire_time.clone_from(&now);
            spec.lease_transitions = Some(spec.lease_transitions.unwrap_or(0).saturating_add(1));
        }
        spec.renew_time = now;
        spec.holder_identity = Some(self.identity.clone());
        spec.lease_duration_seconds = i32::try_from(LEASE.as_secs()).ok();
        lease
    }

    /// Takes note of a lease that was read. The time runs from when it was first seen as it is.
    fn observe(&mut self, lease: Lease) {
        let is_known = self.observed.as_ref().is_some_and(|(known, _)| {
            known.metadata.resource_version == lease.metadata.resource_version
        });
        if !is_known {
            let mut seen = Instant::now();
            if std::mem::take(&mut self.is_newcomer) {
                seen += NEWCOMER;
            }
            self.observed = Some((lease, seen));
        }
    }

    async fn release(&mut self) {
        let was_leading = self.is_leading();
        self.observed = None;
        self.set(None);
        if was_leading {
            // Without an answer the lease expires by itself.
            let _ = timeout(CALL, self.give_back()).await;
        }
    }

    async fn give_back(&self) -> kube::Result<()> {
        // Read again: the last renewal may have been under way.
        let mut lease = self.leases.get(&self.name).await?;
        if holder(&lease) == self.identity {
            lease.spec = Some(LeaseSpec {
                holder_identity: Some(String::new()),
                lease_duration_seconds: Some(1),
                ..lease.spec.unwrap_or_default()
            });
            let no_options = PostParams::default();
            self.leases.replace(&self.name, &no_options, &lease).await?;
        }
        Ok(())
    }

    fn is_leading(&self) -> bool {
        self.term.borrow().is_current()
    }

    fn set(&mut self, until: Option<Instant>) {
        let held = self
            .observed
            .as_ref()
            .map_or("", |(lease, _)| holder(lease));
        let holder = held.into();
        self.term.send_replace(Term { until, holder });
        self.say();
    }

    /// A term that is not renewed ends by its own time.
    fn failed(&mut self, error: &str) {
        if !std::mem::replace(&mut self.is_failing, true) {
            LeaseNotRenewed {
                lease: &self.name,
                error,
            }
            .emit();
        }
        self.say();
    }

    fn say(&mut self) {
        let is_leading = self.is_leading();
        if std::mem::replace(&mut self.said_leading, is_leading) != is_leading {
            let holder = &*self.term.borrow().holder;
            LeadershipChanged { is_leading, holder }.emit();
        }
    }
}

fn holder(lease: &Lease) -> &str {
    let spec = lease.spec.as_ref();
    spec.and_then(|spec| spec.holder_identity.as_deref())
        .unwrap_or_default()
}

/// How long the lease lasts after a change: as its holder said. A lease that says nothing, or nonsense,
/// lasts as long as one of ours.
fn duration(lease: &Lease) -> Duration {
    let spec = lease.spec.as_ref();
    let seconds = spec.and_then(|spec| spec.lease_duration_seconds);
    let seconds = seconds.and_then(|seconds| u64::try_from(seconds).ok());
    seconds
        .filter(|seconds| (1..=60).contains(seconds))
        .map_or(LEASE, Duration::from_secs)
}

fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 409)
}

#[cfg(test)]
mod tests;
