//! Plan: what a configuration means: checked, defaulted and expanded, ready to run.

use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use privatelink_verdict::admission::Allowed;
use privatelink_verdict::resolver::Resolver;
use privatelink_verdict::target::Target;
use rustls_pki_types::CertificateDer;

/// What a configuration means.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Every target, data endpoints expanded, in the order written.
    pub targets: Vec<Arc<Target>>,
    /// Every resolver, at least one; each target names one of them as its path.
    pub resolvers: Vec<Resolver>,
    /// The certificates of the CA files, trusted beside the built-in roots.
    pub ca_certificates: Arc<[CertificateDer<'static>]>,
    /// How often a service may be asked for evidence.
    pub http_interval: Duration,
    /// How many series a target gets.
    pub metrics: Detail,
    /// What bounds the agent.
    pub limits: Limits,
    /// The hosts that others than the operator may name, beside the catalogue's.
    pub allowed: Vec<Allowed>,
    /// The networks that are never dialled.
    pub denied: Vec<IpNet>,
    /// How many targets of each source were refused, with the reason in `warnings`.
    pub rejected: Rejected,
    /// What is doubtful, for a log line each.
    pub warnings: Vec<String>,
    /// Changes when, and only when, the content of the files behind the plan changes.
    pub hash: u64,
}

/// How many series a target gets (section 6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// All of them.
    #[default]
    Full,
    /// The few that alerts need, for very large fleets.
    Essential,
}

/// What bounds the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Targets of all sources together.
    pub max_targets: usize,
    /// Probes in flight; a quarter of them is for targets that do not hang.
    pub max_concurrent: usize,
    /// The shortest interval a target may have.
    pub min_interval: Duration,
    /// DNS messages a second, all resolvers together.
    pub max_dns_qps: u32,
}

/// The largest `limits.maxTargets`.
pub(crate) const MOST_TARGETS: usize = 10_000;

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_targets: 500,
            max_concurrent: 256,
            min_interval: Duration::from_secs(5),
            max_dns_qps: 50,
        }
    }
}

/// How many targets of each source were refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rejected {
    /// Of the configuration: always 0, a bad one is refused as a whole.
    pub config: usize,
    /// Of `PrivateLinkTarget`s.
    pub crd: usize,
    /// Of what was discovered.
    pub discovered: usize,
}

/// What one node asks of the network, a second, when nothing fails and every name has one address.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Demand {
    /// DNS messages.
    pub dns_queries: f64,
    /// Connections opened, with their handshakes.
    pub connections: f64,
    /// Requests to the services themselves (section 2, step 5).
    pub service_requests: f64,
}

impl Plan {
    /// What one node asks of the network once everything is steady.
    pub fn demand(&self) -> Demand {
        // Other resolvers are asked at every fifth probe, with one query more for EDE; the
        // relative name at every twentieth.
        let others = self.resolvers.len().saturating_sub(1);
        let mut demand = Demand::default();
        for target in &self.targets {
            let families = f64::from(u8::try_from(target.families.len()).unwrap_or(u8::MAX));
            let others = f64::from(u32::try_from(others).unwrap_or(u32::MAX));
            let queries = families + (others * families + 1.0) / 5.0 + families / 20.0;
            let probes = 1.0 / target.interval.as_secs_f64();
            demand.dns_queries += queries * probes;
            if !target.dns_only {
                demand.connections += probes;
            }
            if target.is_asked() {
                demand.service_requests += 1.0 / self.http_interval.as_secs_f64();
            }
        }
        demand
    }
}
