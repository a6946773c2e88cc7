//! Prober: one probe of one target, from the first question to the last reply.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use privatelink_machine::Machine;
use privatelink_verdict::observation::{AgentFault, Connection, Observation, Resolution, Timing};
use privatelink_verdict::resolver::Resolver;
use privatelink_verdict::target::Target;
use rustls::pki_types::CertificateDer;
use tokio::time::Instant;
use tracing::{Instrument, debug, debug_span};

use super::connect::Connector;
use super::connection_budget::ConnectionBudget;
use super::evidence::{Gathered, Gatherer};
use super::evidence_cache::EvidenceCache;
use super::handshake::TlsDialer;
use super::nameserver::Nameservers;
use super::proxy::Proxy;
#[cfg(doc)]
use super::rate_limit::SLOW;
use super::rate_limit::{DnsBudget, RateLimit};
use super::resolve::ResolverClient;
use super::roots::Roots;
use super::zone_cache::ZoneCache;

/// What a plan says of every probe.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Every resolver; each target names one of them.
    pub resolvers: Vec<Resolver>,
    /// Trusted beside the built-in roots.
    pub ca_certificates: Arc<[CertificateDer<'static>]>,
    /// DNS messages a second, all resolvers together.
    pub max_dns_qps: u32,
    /// How often a service may be asked for evidence.
    pub http_interval: Duration,
}

/// What the probes of one plan share.
#[derive(Debug)]
pub struct Prober {
    resolvers: Vec<Resolver>,
    tls_dialer: TlsDialer,
    rate_limit: Arc<RateLimit>,
    budget: ConnectionBudget,
    proxy: Proxy,
    machine: Machine,
    zones: Arc<ZoneCache>,
    http_interval: Duration,
}

impl Prober {
    /// Probes from `machine` by `settings`.
    pub fn new(machine: Machine, settings: Settings) -> Self {
        Self {
            tls_dialer: TlsDialer::new(Arc::new(Roots::new(&settings.ca_certificates))),
            rate_limit: Arc::new(RateLimit::new(settings.max_dns_qps)),
            budget: ConnectionBudget::new(),
            proxy: Proxy::of(&machine),
            machine,
            zones: Arc::default(),
            resolvers: settings.resolvers,
            http_interval: settings.http_interval,
        }
    }

    /// Probes by new settings, within the same limits: probes by the old ones may still be under way.
    #[must_use]
    pub fn renewed(&self, settings: Settings) -> Self {
        self.rate_limit.set_rate(settings.max_dns_qps);
        let mut new = Self::new(self.machine.clone(), settings);
        new.rate_limit = Arc::clone(&self.rate_limit);
        new.budget = self.budget.clone();
        // The zones are known by the resolver's name alone.
        if self.resolvers == new.resolvers {
            new.zones = Arc::clone(&self.zones);
        }
        new
    }

    /// Waits until the cap on DNS messages lets a probe start. Not part of the probe's timeout.
    /// A target whose latest probe took longer than [`SLOW`] waits among such targets alone.
    pub async fn ready(&self, is_slow: bool) {
        self.rate_limit.ready(is_slow).await;
    }

    /// Gathers the facts of `target`, within its timeout and the budget of the evidence. `cache` is the
    /// target's own, from one probe to the next; `is_slow` is what [`Self::ready`] was given.
    pub async fn probe(
        &self,
        target: &Target,
        cache: &mut EvidenceCache,
        is_slow: bool,
    ) -> Observation {
        let span = debug_span!("probe", target = target.name, path = &*target.resolver);
        let budget = DnsBudget {
            rate_limit: &self.rate_limit,
            connections: &self.budget,
            is_slow,
            started: Instant::now(),
        };
        self.observe(target, cache, budget).instrument(span).await
    }

    async fn observe(
        &self,
        target: &Target,
        cache: &mut EvidenceCache,
        budget: DnsBudget<'_>,
    ) -> Observation {
        debug!(host = target.host, port = target.port, "probe begins");
        let nameservers = self.nameservers(&target.resolver);
        let started = Instant::now();
        let deadline = started + target.timeout;
        let found = match &nameservers {
            Ok(nameservers) => {
                let deadline = started + target.timeout / 2;
                self.resolve(target, nameservers, budget, deadline).await
            }
            Err(fault) => Err(fault.clone()),
        };
        let dns_elapsed = started.elapsed();
        let (mut resolution, fault) = match found {
            Ok(mut resolution) => {
                self.zones.share(&mut resolution);
                (resolution, None)
            }
            Err(fault) => {
                debug!(
                    operation = fault.operation,
                    cause = fault.cause,
                    "the agent cannot resolve"
                );
                self.rate_limit.give_back(budget.is_slow);
                let resolution = Resolution {
                    resolver: target.resolver.clone(),
                    ..Resolution::default()
                };
                (resolution, Some(fault))
            }
        };

        let asks_service = cache
            .service
            .is_due(target, &resolution, self.http_interval);
        let evidence = async {
            match (&nameservers, &fault) {
                (Ok(nameservers), None) => {
                    let gatherer = Gatherer {
                        target,
                        resolvers: &self.resolvers,
                        machine: &self.machine,
                        nameservers,
                        budget,
                        zones: &self.zones,
                    };
                    gatherer.gather(&resolution, cache).await
                }
                // It would fail in the same way, and each try to get a port where none is left takes the
                // kernel milliseconds.
                _ => Gathered::default(),
            }
        };
        // Connecting gets half of what is left of the time, handshaking the rest; what one does not use
        // the other may.
        let now = Instant::now();
        let connector = Connector {
            machine: &self.machine,
            tls_dialer: &self.tls_dialer,
            target,
            connect_deadline: now + deadline.saturating_duration_since(now) / 2,
            handshake_deadline: deadline,
            asks_service,
            budget: &self.budget,
        };
        let connections = connector.connect_all(&resolution.addresses);
        let (gathered, mut connections) = tokio::join!(evidence, connections);
        resolution.evidence = gathered.evidence;
        resolution.search = gathered.search;
        cache.service.keep(asks_service, &mut connections);
        let total = started.elapsed();
        debug!(elapsed = ?total, "probe ends");
        Observation {
            checked_at: SystemTime::now(),
            timing: Timing {
                dns: Some(dns_elapsed),
                total,
                ..slowest(&connections)
            },
            fault: fault.map(Box::new),
            resolution,
            comparisons: gathered.comparisons,
            connections,
            proxy: self.proxy.diverts(target),
        }
    }

    async fn resolve(
        &self,
        target: &Target,
        nameservers: &Nameservers,
        budget: DnsBudget<'_>,
        deadline: Instant,
    ) -> Result<Resolution, AgentFault> {
        let client = ResolverClient {
            resolver: &target.resolver,
            nameservers,
            budget,
        };
        client
            .find(&target.host, target.families, &target.rules, deadline)
            .await
    }

    /// The servers of the resolver called `name`.
    fn nameservers(&self, name: &str) -> Result<Nameservers, AgentFault> {
        let resolver = self.resolvers.iter().find(|it| *it.name == *name);
        let resolver = resolver.ok_or_else(|| AgentFault {
            operation: format!("ask the resolver {name}"),
            cause: "the configuration has none of that name".to_owned(),
        })?;
        Nameservers::of(resolver, &self.machine)
    }
}

/// How long the slowest connection took, by stage.
fn slowest(connections: &[Connection]) -> Timing {
    let longest = |of: fn(&Connection) -> Option<Duration>| connections.iter().filter_map(of).max();
    Timing {
        connect: longest(|connection| connection.tcp_elapsed),
        tls: longest(|connection| connection.handshake_elapsed),
        http: longest(|connection| connection.service_elapsed),
        ..Timing::default()
    }
}

#[cfg(test)]
pub(super) mod tests;
