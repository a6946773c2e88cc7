//! Fuzzing: gives what hostile peers send to what reads it, without a socket and without waiting. Only the
//! targets of `fuzz/` are built with this file.

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};
use std::time::SystemTime;

use hickory_proto::rr::RecordType;
use privatelink_machine::Machine;
use privatelink_verdict::address::Rules;
use privatelink_verdict::observation::{
    AgentFault, Certificate, Connection, NameEvidence, Resolution, ServiceReply, SrvEvidence,
    TcpOutcome, ZoneEvidence,
};
use privatelink_verdict::resolver::Servers;
use privatelink_verdict::service_evidence::Request;
use privatelink_verdict::target::Target;
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::certificate::examine;
use crate::connect::{Candidate, Connector, untouched};
use crate::connection_budget::ConnectionBudget;
use crate::exchange::{ExchangeResult, of_message};
use crate::handshake::TlsDialer;
use crate::message::Question;
use crate::nameserver::Nameservers;
use crate::resolve;
use crate::roots::Roots;
use crate::service;
use crate::starttls::Channel;

static ROOTS: LazyLock<Arc<Roots>> = LazyLock::new(|| Arc::new(Roots::new(&[])));
static TLS_DIALER: LazyLock<TlsDialer> = LazyLock::new(|| TlsDialer::new(Arc::clone(&ROOTS)));

/// What is found of `target` where the server of `resolver` answers the question for each family with one of
/// `messages`.
pub fn resolution(
    target: &Target,
    resolver: &Arc<str>,
    messages: &[&[u8]],
) -> Result<Resolution, AgentFault> {
    let exchanged = target
        .families
        .iter()
        .zip(messages)
        .map(|(family, bytes)| exchanged(&target.host, resolve::record_type(*family), bytes));
    let exchanged = exchanged.collect::<Result<_, _>>()?;
    let rules = &target.rules;
    resolve::resolution(resolver, &target.host, target.families, rules, exchanged)
}

/// What a server says of the SOA of `zone` with `message`.
pub fn zone(zone: &str, message: &[u8]) -> Result<ZoneEvidence, AgentFault> {
    let exchanged = exchanged(zone, RecordType::SOA, message)?;
    Ok(resolve::zone_evidence(zone, exchanged))
}

/// What a server says of the addresses of `name` with `message`.
pub fn name(name: &str, rules: &Rules, message: &[u8]) -> Result<NameEvidence, AgentFault> {
    let exchanged = exchanged(name, RecordType::A, message)?;
    Ok(resolve::name_evidence(name, exchanged, rules))
}

/// What a server says of the SRV records of `name` with `message`.
pub fn srv(name: &str, message: &[u8]) -> Result<SrvEvidence, AgentFault> {
    let exchanged = exchanged(name, RecordType::SRV, message)?;
    Ok(resolve::srv_evidence(name, exchanged))
}

/// How many servers a resolv.conf names.
pub fn nameservers(path: &Path) -> Result<usize, AgentFault> {
    let nameservers = Nameservers::load(&Servers::ResolvConf(path.to_owned()))?;
    Ok(nameservers.servers.len())
}

/// An answer to a question whose id the peer knows.
fn exchanged(name: &str, kind: RecordType, message: &[u8]) -> Result<ExchangeResult, AgentFault> {
    let question = Question::new(&resolve::absolute(name)?, kind, false);
    let mut message = message.to_vec();
    if let (Ok(wire), Some(id)) = (question.wire(), message.get_mut(..2)) {
        id.copy_from_slice(&wire[..2]);
    }
    Ok(of_message(&question, &message))
}

/// What becomes of the open connection to `ip` whose peer sends what `peer` holds.
pub async fn connection(target: &Target, ip: IpAddr, peer: Peer) -> Connection {
    let (machine, budget) = (Machine::real(), ConnectionBudget::new());
    let deadline = Instant::now() + target.timeout;
    let connector = Connector {
        machine: &machine,
        tls_dialer: &TLS_DIALER,
        target,
        connect_deadline: deadline,
        handshake_deadline: deadline,
        asks_service: true,
        budget: &budget,
    };
    let opened = Connection {
        tcp: TcpOutcome::Ok,
        ..untouched(target, Candidate { ip, skip: None })
    };
    connector.talk(peer, opened).await
}

/// What a chain of certificates, the leaf first, says for `server_name` at `now`.
pub fn certificate(chain: &[&[u8]], server_name: &str, now: SystemTime) -> Option<Certificate> {
    let chain: Vec<_> = chain.iter().map(|der| CertificateDer::from(*der)).collect();
    examine(&chain, server_name, &ROOTS, now)
}

/// What a service replies to `request` that sends what `peer` holds.
pub async fn reply(target: &Target, request: Request, mut peer: Peer) -> ServiceReply {
    let deadline = Instant::now() + target.timeout;
    service::ask(&mut peer, &target.host, request, deadline).await
}

/// A peer that sends bytes whatever it is told, in parts, and then ends the connection or falls silent.
#[derive(Clone, Debug)]
pub struct Peer {
    /// What it sends.
    pub bytes: VecDeque<u8>,
    /// How many of them it sends at a time, at least 1.
    pub at_a_time: usize,
    /// Whether it falls silent in the end.
    pub falls_silent: bool,
}

impl Channel for Peer {}

impl AsyncRead for Peer {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.bytes.is_empty() && self.falls_silent {
            return Poll::Pending;
        }
        let length = self.at_a_time.min(self.bytes.len()).min(buffer.remaining());
        for byte in self.bytes.drain(..length) {
            buffer.put_slice(&[byte]);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Peer {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
