//! Probe: gathering the facts of one target: resolve, classify, connect, handshake. It judges
//! nothing.

mod certificate;
mod connect;
mod evidence;
mod exchange;
mod handshake;
mod message;
mod nameserver;
mod pace;
mod proxy;
mod resolve;
mod roots;
mod servers;
mod service;
mod starttls;

use std::collections::BTreeMap;
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

use self::connect::{Candidate, candidates, dial};
pub use self::evidence::Memory;
use self::evidence::Zones;
use self::handshake::{Shaker, take_leave};
pub use self::nameserver::Nameservers;
pub use self::pace::Pace;
use self::proxy::Proxy;
use self::resolve::Path;
use self::roots::Roots;
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
    shaker: Shaker,
    pace: Arc<Pace>,
    proxy: Proxy,
    machine: Machine,
    zones: Arc<Zones>,
    http_interval: Duration,
}

impl Prober {
    /// Probes from `machine` by `settings`.
    pub fn new(machine: Machine, settings: Settings) -> Self {
        Self {
            shaker: Shaker::new(Arc::new(Roots::new(&settings.ca_certificates))),
            pace: Arc::new(Pace::new(settings.max_dns_qps)),
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
        self.pace.set_rate(settings.max_dns_qps);
        let mut new = Self::new(self.machine.clone(), settings);
        new.pace = Arc::clone(&self.pace);
        // The zones are known by the resolver's name alone.
        if self.resolvers == new.resolvers {
            new.zones = Arc::clone(&self.zones);
        }
        new
    }

    /// Waits until the cap on DNS messages lets a probe start. Not part of the probe's timeout.
    pub async fn ready(&self) {
        self.pace.ready().await;
    }

    /// Gathers the facts of `target`, within its timeout and the budget of the evidence.
    /// `memory` is the target's own, from one probe to the next.
    pub async fn probe(&self, target: &Target, memory: &mut Memory) -> Observation {
        let started = Instant::now();
        let deadline = started + target.timeout;
        let mut observation = Observation {
            checked_at: SystemTime::now(),
            timing: Timing::default(),
            fault: None,
            resolution: Resolution {
                resolver: target.resolver.clone(),
                ..Resolution::default()
            },
            comparisons: Vec::new(),
            connections: Vec::new(),
            proxy: self.proxy.diverts(target),
        };

        let nameservers = self.load_resolvers();
        match self
            .resolve(target, &nameservers, started + target.timeout / 2)
            .await
        {
            Ok(resolution) => observation.resolution = resolution,
            Err(fault) => observation.fault = Some(fault),
        }
        observation.timing.dns = Some(started.elapsed());

        let asks_service = memory.asks_service(target, &observation.resolution, self.http_interval);
        let evidence = self.gather(target, &nameservers, observation.resolution.clone(), memory);
        let connections = self.connect_all(target, &observation.resolution, asks_service, deadline);
        let (evidence, (mut connections, mut timing)) = tokio::join!(evidence, connections);
        memory.keep_service_replies(asks_service, &mut connections);
        timing.dns = observation.timing.dns;
        timing.total = started.elapsed();
        observation.timing = timing;
        observation.connections = connections;
        (observation.resolution, observation.comparisons) = evidence;
        observation.checked_at = SystemTime::now();
        observation
    }

    /// The servers of every resolver, by name: a resolv.conf is read anew for each probe, since the
    /// node's may change under a running agent.
    fn load_resolvers(&self) -> BTreeMap<&str, Result<Nameservers, AgentFault>> {
        let load = |r: &Resolver| {
            let mut nameservers = Nameservers::load(&r.servers)?;
            for server in &mut nameservers.servers {
                *server = self.machine.destination(*server);
            }
            Ok(nameservers)
        };
        self.resolvers
            .iter()
            .map(|r| (r.name.as_str(), load(r)))
            .collect()
    }

    async fn resolve(
        &self,
        target: &Target,
        nameservers: &BTreeMap<&str, Result<Nameservers, AgentFault>>,
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
        let path = Path {
            resolver,
            nameservers,
            pace: &self.pace,
        };
        path.find(&target.host, &target.families, &target.rules, deadline)
            .await
    }

    /// Dials and shakes hands with every address at once. Connecting gets half of what is left,
    /// handshaking the rest; what one does not use the other may.
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
                    Some(_) => skipped(target, candidate),
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
        let shaken = self.shaker.shake(stream, target, budget.handshake).await;
        connection.handshake = shaken.outcome;
        connection.handshake_elapsed = Some(shaken.elapsed);
        connection.handshake_detail = shaken.detail;
        connection.refusal = shaken.refusal;
        connection.certificate = shaken.certificate;
        let Some(mut stream) = shaken.stream else {
            return connection;
        };
        if let Some(evidence) = target.evidence().filter(|_| budget.asks_service) {
            let asked = Instant::now();
            let until = asked + (target.timeout / 2).min(MAX_SERVICE_TIME);
            let reply =
                service::ask(&mut stream, &target.server_name, evidence.request, until).await;
            connection.service = Some(reply);
            connection.service_elapsed = Some(asked.elapsed());
        }
        take_leave(stream).await;
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
fn settings(plan: &privatelink_config::plan::Plan) -> Settings {
    Settings {
        resolvers: plan.resolvers.clone(),
        ca_certificates: Arc::clone(&plan.ca_certificates),
        max_dns_qps: plan.limits.max_dns_qps,
        http_interval: plan.http_interval,
    }
}
