//! Prober: one probe of one target, from the first question to the last reply.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::future::join_all;
use privatelink_verdict::observation::{
    AgentFault, Connection, Handshake, Observation, Resolution, Skip, TcpOutcome, Timing,
};
use privatelink_verdict::resolver::Resolver;
use privatelink_verdict::target::{Protocol, Target};
use rustls::pki_types::CertificateDer;
use tokio::time::Instant;
use tracing::field::debug as debug_value;
use tracing::{Instrument, debug, debug_span};

use super::connect::{Candidate, candidates, dial};
use super::evidence::{Evidence, LoadedNameservers};
use super::evidence_cache::EvidenceCache;
use super::handshake::{TlsDialer, close};
use super::nameserver::Nameservers;
use super::proxy::Proxy;
use super::rate_limit::RateLimit;
use super::resolve::ResolverClient;
use super::roots::Roots;
use super::service;
use super::zone_cache::ZoneCache;
use privatelink_machine::Machine;

/// The most that asking a service may add to a probe.
const MAX_SERVICE_TIME: Duration = Duration::from_secs(3);

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
    pub(super) rate_limit: Arc<RateLimit>,
    proxy: Proxy,
    machine: Machine,
    pub(super) zones: Arc<ZoneCache>,
    http_interval: Duration,
}

impl Prober {
    /// Probes from `machine` by `settings`.
    pub fn new(machine: Machine, settings: Settings) -> Self {
        Self {
            tls_dialer: TlsDialer::new(Arc::new(Roots::new(&settings.ca_certificates))),
            rate_limit: Arc::new(RateLimit::new(settings.max_dns_qps)),
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
        // The zones are known by the resolver's name alone.
        if self.resolvers == new.resolvers {
            new.zones = Arc::clone(&self.zones);
        }
        new
    }

    /// Waits until the cap on DNS messages lets a probe start. Not part of the probe's timeout.
    pub async fn ready(&self) {
        self.rate_limit.ready().await;
    }

    /// Gathers the facts of `target`, within its timeout and the budget of the evidence. `cache` is the
    /// target's own, from one probe to the next.
    pub async fn probe(&self, target: &Target, cache: &mut EvidenceCache) -> Observation {
        let span = debug_span!("probe", target = %target.name, path = %target.resolver);
        self.gather(target, cache).instrument(span).await
    }

    async fn gather(&self, target: &Target, cache: &mut EvidenceCache) -> Observation {
        let started = Instant::now();
        let deadline = started + target.timeout;
        debug!(host = %target.host, port = target.port, "probe begins");
        let nameservers = self.load_nameservers();
        let found = self
            .resolve(target, &nameservers, started + target.timeout / 2)
            .await;
        let dns_elapsed = started.elapsed();
        let (resolution, fault) = match found {
            Ok(resolution) => (resolution, None),
            Err(fault) => {
                debug!(operation = %fault.operation, cause = %fault.cause, "the agent cannot resolve");
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
        let evidence = Evidence {
            target,
            resolvers: &self.resolvers,
            nameservers: &nameservers,
            rate_limit: &self.rate_limit,
            zones: &self.zones,
        };
        let evidence = evidence.gather(resolution.clone(), cache);
        let connections = self.connect_all(target, &resolution, asks_service, deadline);
        let (evidence, (mut connections, timing)) = tokio::join!(evidence, connections);
        cache.service.keep(asks_service, &mut connections);
        let (resolution, comparisons) = evidence;
        Observation {
            checked_at: SystemTime::now(),
            timing: Timing {
                dns: Some(dns_elapsed),
                total: started.elapsed(),
                ..timing
            },
            fault,
            resolution,
            comparisons,
            connections,
            proxy: self.proxy.diverts(target),
        }
    }

    /// The servers of every resolver, by name: a resolv.conf is read anew for each probe, since the
    /// node's may change under a running agent.
    fn load_nameservers(&self) -> LoadedNameservers<'_> {
        let load = |resolver: &Resolver| {
            let mut nameservers = Nameservers::load(&resolver.servers)?;
            for server in &mut nameservers.servers {
                *server = self.machine.destination(*server);
            }
            Ok(nameservers)
        };
        self.resolvers
            .iter()
            .map(|resolver| (resolver.name.as_str(), load(resolver)))
            .collect()
    }

    async fn resolve(
        &self,
        target: &Target,
        nameservers: &LoadedNameservers<'_>,
        deadline: Instant,
    ) -> Result<Resolution, AgentFault> {
        let resolver = target.resolver.as_str();
        let nameservers = nameservers
            .get(resolver)
            .ok_or_else(|| AgentFault {
                operation: format!("ask the resolver {resolver}"),
                cause: "the configuration has none of that name".to_owned(),
            })?
            .as_ref()
            .map_err(Clone::clone)?;
        let client = ResolverClient {
            resolver,
            nameservers,
            rate_limit: &self.rate_limit,
        };
        client
            .find(&target.host, &target.families, &target.rules, deadline)
            .await
    }

    /// Connects to every address at once and makes a handshake on each connection. Connecting gets half
    /// of what is left of the time, handshaking the rest; what one does not use the other may.
    async fn connect_all(
        &self,
        target: &Target,
        resolution: &Resolution,
        asks_service: bool,
        deadline: Instant,
    ) -> (Vec<Connection>, Timing) {
        let now = Instant::now();
        let budget = Budget {
            connect: now + deadline.saturating_duration_since(now) / 2,
            handshake: deadline,
            asks_service,
        };
        let candidates = candidates(&self.machine, target, &resolution.addresses);
        let nothing_has_a_route = !target.dns_only
            && !candidates.is_empty()
            && candidates
                .iter()
                .all(|c| matches!(c.skip, Some(Skip::NoRoute | Skip::Reserved)));
        let connections = join_all(candidates.into_iter().map(|candidate| {
            let Candidate { ip, skip } = candidate;
            async move {
                match skip {
                    None => self.connect(target, ip, budget).await,
                    Some(Skip::NoRoute) if nothing_has_a_route => Connection {
                        tcp: TcpOutcome::Unreachable,
                        ..skipped(target, candidate)
                    },
                    Some(skip) => {
                        debug!(%ip, why = skip.as_str(), "not dialled");
                        skipped(target, candidate)
                    }
                }
            }
        }))
        .await;
        let longest =
            |of: fn(&Connection) -> Option<Duration>| connections.iter().filter_map(of).max();
        let timing = Timing {
            connect: longest(|connection| connection.tcp_elapsed),
            tls: longest(|connection| connection.handshake_elapsed),
            http: longest(|connection| connection.service_elapsed),
            ..Timing::default()
        };
        (connections, timing)
    }

    async fn connect(&self, target: &Target, ip: IpAddr, budget: Budget) -> Connection {
        let other_port = target.other_ports().next();
        let dialled = dial(&self.machine, ip, target.port, other_port, budget.connect).await;
        debug!(
            %ip,
            port = target.port,
            outcome = dialled.outcome.as_str(),
            seconds = dialled.elapsed.as_secs_f64(),
            detail = dialled.detail.as_deref(),
            "connect"
        );
        let mut connection = Connection {
            tcp: dialled.outcome,
            tcp_elapsed: Some(dialled.elapsed),
            tcp_detail: dialled.detail,
            other_port: dialled.other_port,
            ..skipped(target, Candidate { ip, skip: None })
        };
        let Some(stream) = dialled.stream else {
            return connection;
        };
        if target.protocol == Protocol::Tcp {
            return connection;
        }
        let attempt = self
            .tls_dialer
            .attempt(stream, target, budget.handshake)
            .await;
        debug!(
            %ip,
            outcome = attempt.outcome.as_str(),
            seconds = attempt.elapsed.as_secs_f64(),
            names = attempt.certificate.as_ref().map(|found| debug_value(&found.names)),
            detail = attempt.detail.as_deref(),
            "handshake"
        );
        connection.handshake = attempt.outcome;
        connection.handshake_elapsed = Some(attempt.elapsed);
        connection.handshake_detail = attempt.detail;
        connection.refusal = attempt.refusal;
        connection.certificate = attempt.certificate;
        let Some(mut stream) = attempt.stream else {
            return connection;
        };
        if let Some(evidence) = target.evidence().filter(|_| budget.asks_service) {
            let asked = Instant::now();
            let until = asked + (target.timeout / 2).min(MAX_SERVICE_TIME);
            let reply = service::ask(&mut stream, &target.server_name, evidence.request, until);
            let reply = reply.await;
            debug!(
                %ip,
                method = evidence.request.method,
                path = evidence.request.path,
                status = reply.reply.as_ref().ok().map(|reply| reply.status),
                failure = reply.failure(),
                seconds = asked.elapsed().as_secs_f64(),
                "service request"
            );
            connection.service = Some(reply);
            connection.service_elapsed = Some(asked.elapsed());
        }
        close(stream).await;
        connection
    }
}

/// Until when one address may be worked on, and how far.
#[derive(Clone, Copy, Debug)]
struct Budget {
    connect: Instant,
    handshake: Instant,
    asks_service: bool,
}

/// An address that nothing has been done with.
fn skipped(target: &Target, Candidate { ip, skip }: Candidate) -> Connection {
    Connection {
        ip,
        port: target.port,
        skip,
        tcp: TcpOutcome::Skipped,
        tcp_elapsed: None,
        tcp_detail: None,
        other_port: None,
        handshake: match target.protocol {
            Protocol::Tcp => Handshake::NotApplicable,
            _ => Handshake::Skipped,
        },
        handshake_elapsed: None,
        handshake_detail: None,
        refusal: None,
        certificate: None,
        service: None,
        service_elapsed: None,
    }
}

/// What the tests take from a plan.
#[cfg(test)]
pub(super) fn settings(plan: &privatelink_config::plan::Plan) -> Settings {
    Settings {
        resolvers: plan.resolvers.clone(),
        ca_certificates: Arc::clone(&plan.ca_certificates),
        max_dns_qps: plan.limits.max_dns_qps,
        http_interval: plan.http_interval,
    }
}
