//! Connect: every address of an answer at once: dialled, its handshake made, its service asked, each
//! outcome kept apart.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use privatelink_machine::Machine;
use privatelink_verdict::address::Family;
use privatelink_verdict::observation::{
    Address, Connection, ConnectionTrouble, Handshake, Rare, RareFacts as _, ServiceReply, Skip,
    TcpOutcome,
};
use privatelink_verdict::service_evidence::ServiceEvidence;
use privatelink_verdict::target::{Protocol, Target};
use rustls::ProtocolVersion;
use tokio::time::{Instant, timeout_at};
use tracing::debug;
use tracing::field::debug as debug_value;

use super::connection_budget::{ConnectionBudget, ProbeConnections};
use super::dial::dial;
use super::handshake::{Stream, TlsDialer, close};
use super::service;
use super::starttls::Channel;

/// Addresses of one family that are dialled in one probe.
const MAX_PER_FAMILY: usize = 16;

/// The most that asking a service may add to a probe.
const MAX_SERVICE_TIME: Duration = Duration::from_secs(3);

/// Connects to the addresses of one target.
#[derive(Clone, Copy, Debug)]
pub(super) struct Connector<'a> {
    /// What dials.
    pub machine: &'a Machine,
    /// What makes the handshakes.
    pub tls_dialer: &'a TlsDialer,
    /// The target.
    pub target: &'a Target,
    /// Until when an address may be dialled.
    pub connect_deadline: Instant,
    /// Until when a handshake may take.
    pub handshake_deadline: Instant,
    /// Whether the service is asked after the handshake.
    pub asks_service: bool,
    /// What all probes may have open.
    pub budget: &'a ConnectionBudget,
}

impl Connector<'_> {
    /// Connects to every address that may be dialled.
    pub(super) async fn connect_all(self, addresses: &[Address]) -> Vec<Connection> {
        let candidates = candidates(self.target, addresses);
        let free = self.budget.probe();
        // An answer may hold many more addresses than are dialled: only these take the memory of a dial.
        let dialled = candidates
            .iter()
            .enumerate()
            .filter(|(_, candidate)| candidate.skip.is_none())
            .map(|(index, candidate)| self.connect_when(&free, index, candidate.ip));
        let dialled = join_all(dialled).await;
        let mut connections: Vec<Connection> = candidates
            .into_iter()
            .map(|candidate| match candidate.skip {
                None => untouched(self.target, candidate),
                Some(_) => self.not_dialled(candidate),
            })
            .collect();
        for (index, connection) in dialled {
            connections[index] = connection;
        }
        self.forgive_missing_routes(&mut connections);
        connections
    }

    /// Addresses of a family for which there is no route count as not dialled, unless there are no others.
    /// The kernel refuses to dial them at once, so it is asked about routes only then.
    fn forgive_missing_routes(self, connections: &mut [Connection]) {
        let may_be_dialled = |one: &Connection| one.skip != Some(Skip::Reserved);
        for family in [Family::Ipv4, Family::Ipv6] {
            let is_of_it = |one: &Connection| may_be_dialled(one) && Family::of(one.ip) == family;
            let has_route = |one: &Connection| {
                let failed_at_once = matches!(one.tcp, TcpOutcome::Unreachable | TcpOutcome::Error);
                one.skip.is_none() && !failed_at_once || self.machine.has_route(one.ip)
            };
            if connections
                .iter()
                .any(|one| is_of_it(one) && has_route(one))
            {
                continue;
            }
            for connection in connections.iter_mut().filter(|one| is_of_it(one)) {
                let (ip, skip) = (connection.ip, Some(Skip::NoRoute));
                *connection = self.not_dialled(Candidate { ip, skip });
            }
        }
        let is_routeless = |one: &Connection| one.skip == Some(Skip::NoRoute);
        let mut dialable = connections.iter().filter(|one| may_be_dialled(one));
        if !self.target.dns_only && dialable.all(is_routeless) {
            for connection in connections.iter_mut().filter(|one| is_routeless(one)) {
                connection.tcp = TcpOutcome::Unreachable;
            }
        }
    }

    /// Connects to `ip` as soon as another connection may be opened, and gives it up where that takes half
    /// of the time for connecting: the other half is for the address.
    async fn connect_when(
        self,
        free: &ProbeConnections<'_>,
        index: usize,
        ip: IpAddr,
    ) -> (usize, Connection) {
        let now = Instant::now();
        let until = now + self.connect_deadline.saturating_duration_since(now) / 2;
        let connection = if let Ok(_held) = timeout_at(until, free.free()).await {
            self.connect(ip).await
        } else {
            let skip = Some(Skip::Busy);
            self.not_dialled(Candidate { ip, skip })
        };
        (index, connection)
    }

    async fn connect(self, ip: IpAddr) -> Connection {
        let target = self.target;
        let other_port = target.other_ports().next();
        let deadline = self.connect_deadline;
        let dialled = dial(self.machine, ip, target.port, other_port, deadline).await;
        debug!(
            %ip,
            port = target.port,
            outcome = dialled.outcome.as_str(),
            elapsed = ?dialled.elapsed,
            detail = dialled.detail.as_deref(),
            obstacle = dialled.obstacle.map(debug_value),
            "tcp connect"
        );
        let connection = Connection {
            tcp: dialled.outcome,
            tcp_elapsed: Some(dialled.elapsed),
            trouble: ConnectionTrouble {
                tcp_detail: dialled.detail.map(String::into_boxed_str),
                obstacle: dialled.obstacle,
                other_port: dialled.other_port,
                ..ConnectionTrouble::NONE.clone()
            }
            .into(),
            ..untouched(target, Candidate { ip, skip: None })
        };
        let Some(stream) = dialled.stream else {
            return connection;
        };
        if target.protocol == Protocol::Tcp {
            return connection;
        }
        self.talk(stream, connection).await
    }

    /// Makes the handshake on the open `stream`, asks the service, and adds to `connection` what came of it.
    pub(super) async fn talk<C: Channel + 'static>(
        self,
        stream: C,
        mut connection: Connection,
    ) -> Connection {
        let (target, ip) = (self.target, connection.ip);
        let deadline = self.handshake_deadline;
        let attempt = self
            .tls_dialer
            .attempt(stream, target, self.budget, deadline)
            .await;
        debug!(
            %ip,
            protocol = target.protocol.as_str(),
            server_name = target.server_name(),
            outcome = attempt.outcome.as_str(),
            elapsed = ?attempt.elapsed,
            version = attempt.stream.as_ref().and_then(version).map(debug_value),
            names = attempt.certificate.as_ref().map(|found| debug_value(&found.leaf.names)),
            client_certificate_required = attempt.client_certificate_required,
            detail = attempt.detail.as_deref(),
            "tls handshake"
        );
        connection.skip = attempt.gave_up.then_some(Skip::Busy);
        connection.handshake = attempt.outcome;
        connection.handshake_elapsed = Some(attempt.elapsed);
        connection.trouble = ConnectionTrouble {
            handshake_detail: attempt.detail.map(String::into_boxed_str),
            client_certificate_required: attempt.client_certificate_required,
            no_handshake: attempt.no_handshake,
            refused: attempt.refused,
            ..(*connection.trouble).clone()
        }
        .into();
        connection.certificate = attempt.certificate;
        if let Some(mut stream) = attempt.stream {
            if let Some(evidence) = target.evidence().filter(|_| self.asks_service) {
                let (reply, elapsed) = self.ask_service(ip, &mut stream, evidence).await;
                connection.service = Some(Arc::new(reply));
                connection.service_elapsed = Some(elapsed);
            }
            close(stream).await;
        }
        connection
    }

    async fn ask_service(
        self,
        ip: IpAddr,
        stream: &mut Stream,
        evidence: &ServiceEvidence,
    ) -> (ServiceReply, Duration) {
        let started = Instant::now();
        let deadline = started + (self.target.timeout / 2).min(MAX_SERVICE_TIME);
        let host = self.target.server_name();
        let reply = service::ask(stream, host, evidence.request, deadline).await;
        let elapsed = started.elapsed();
        debug!(
            %ip,
            request = %format_args!("{} {}", evidence.request.method, evidence.request.path),
            status = reply.reply.as_ref().ok().map(|reply| reply.status),
            failure = reply.reply.as_ref().err().map(|failure| failure.as_str()),
            ?elapsed,
            "service request"
        );
        (reply, elapsed)
    }

    fn not_dialled(self, candidate: Candidate) -> Connection {
        debug!(
            ip = %candidate.ip,
            why = candidate.skip.map(Skip::as_str),
            "not dialled"
        );
        untouched(self.target, candidate)
    }
}

/// One address, and why it is not dialled, if it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) ip: IpAddr,
    pub(super) skip: Option<Skip>,
}

/// Decides which addresses are dialled: none that is reserved, at most [`MAX_PER_FAMILY`] of a family.
fn candidates(target: &Target, addresses: &[Address]) -> Vec<Candidate> {
    let mut dialled = [0; 2];
    addresses
        .iter()
        .map(|Address { ip, .. }| {
            let count = &mut dialled[Family::of(*ip) as usize];
            let skip = if !target.rules.may_dial(*ip) {
                Some(Skip::Reserved)
            } else if target.dns_only {
                Some(Skip::DnsOnly)
            } else if *count == MAX_PER_FAMILY {
                Some(Skip::TooMany)
            } else {
                *count += 1;
                None
            };
            Candidate { ip: *ip, skip }
        })
        .collect()
}

fn version(stream: &Stream) -> Option<ProtocolVersion> {
    stream.get_ref().1.protocol_version()
}

/// An address that nothing has been done with.
pub(super) fn untouched(target: &Target, Candidate { ip, skip }: Candidate) -> Connection {
    Connection {
        ip,
        port: target.port,
        skip,
        tcp: TcpOutcome::Skipped,
        tcp_elapsed: None,
        handshake: match target.protocol {
            Protocol::Tcp => Handshake::NotApplicable,
            _ => Handshake::Skipped,
        },
        handshake_elapsed: None,
        certificate: None,
        service: None,
        service_elapsed: None,
        trouble: Rare::default(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use privatelink_config::load_text;
    use privatelink_verdict::address::Class;
    use tokio::net::TcpListener;

    use super::*;
    use crate::roots::Roots;

    /// Other probes hold every connection that is shared. At the first address the server holds the
    /// handshake; at the others nothing listens.
    #[tokio::test]
    async fn addresses_that_find_no_free_connection_are_busy_and_those_tested_are_judged() {
        let holds = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = holds.local_addr().expect("an address").port();
        let configuration = format!(
            "{{timeout: 2s, classify: {{private: [127.0.0.0/8]}}, targets: [\
              {{host: a.example.com, port: {port}, protocol: tls}}]}}"
        );
        let plan = load_text("config.yaml", &configuration).expect("a plan");
        let budget = ConnectionBudget::new();
        let tls_dialer = TlsDialer::new(Arc::new(Roots::new(&[])));
        let connect_all = async |last: &[u8]| {
            let now = Instant::now();
            let connector = Connector {
                machine: &Machine::real(),
                tls_dialer: &tls_dialer,
                target: &plan.targets[0],
                connect_deadline: now + Duration::from_millis(400),
                handshake_deadline: now + Duration::from_millis(800),
                asks_service: false,
                budget: &budget,
            };
            connector.connect_all(&addresses(last)).await
        };
        let held = budget.take_shared();
        let found = connect_all(&[1, 1, 1]).await;
        let skips: Vec<_> = found.iter().map(|one| (one.skip, one.handshake)).collect();
        let busy = (Some(Skip::Busy), Handshake::Skipped);
        assert_eq!(skips, [(None, Handshake::Timeout), busy, busy]);
        // Where one is done at once, the next takes its turn.
        let found = connect_all(&[2, 3]).await;
        assert!(found.iter().all(|one| one.tcp == TcpOutcome::Refused));
        drop(held);
        let found = connect_all(&[1, 1, 1]).await;
        assert!(found.iter().all(|one| one.skip.is_none()));
    }

    fn addresses(last: &[u8]) -> Vec<Address> {
        let (class, ttl) = (Class::Private, 60);
        let address = |last: &u8| Address {
            ip: IpAddr::from([127, 0, 0, *last]),
            class,
            ttl,
        };
        last.iter().map(address).collect()
    }
}
