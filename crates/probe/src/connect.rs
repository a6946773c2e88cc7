//! Connect: opening a connection to every address of an answer, each outcome kept apart.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use privatelink_verdict::address::Family;
use privatelink_verdict::observation::{Address, Skip, TcpOutcome};
use privatelink_verdict::target::Target;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout_at};

use privatelink_machine::Machine;

/// Addresses of one family that are dialled in one probe.
const MAX_PER_FAMILY: usize = 16;

/// One address, and why it is not dialled, if it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    /// The address.
    pub ip: IpAddr,
    /// Why it is not dialled.
    pub skip: Option<Skip>,
}

/// Decides which addresses are dialled: none that is reserved, none of a family for which there is
/// no route, at most sixteen of a family.
pub(super) fn candidates(
    machine: &Machine,
    target: &Target,
    addresses: &[Address],
) -> Vec<Candidate> {
    let dialable = |ip| target.rules.may_dial(ip);
    let unroutable: Vec<Family> = [Family::Ipv4, Family::Ipv6]
        .into_iter()
        .filter(|family| {
            let mut of_family = addresses
                .iter()
                .filter(|address| Family::of(address.ip) == *family && dialable(address.ip))
                .peekable();
            of_family.peek().is_some() && !of_family.any(|address| machine.has_route(address.ip))
        })
        .collect();
    let mut dialled = [0; 2];
    addresses
        .iter()
        .map(|Address { ip, .. }| {
            let family = Family::of(*ip);
            let count = &mut dialled[family as usize];
            let skip = if !dialable(*ip) {
                Some(Skip::Reserved)
            } else if unroutable.contains(&family) {
                Some(Skip::NoRoute)
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

/// What became of dialling one address.
#[derive(Debug)]
pub(super) struct Dialled {
    /// The connection, if it was opened.
    pub stream: Option<TcpStream>,
    /// How it ended.
    pub outcome: TcpOutcome,
    /// Time to the outcome.
    pub elapsed: Duration,
    /// What the system said.
    pub detail: Option<String>,
    /// Another port of the service, and whether it opened.
    pub other_port: Option<(u16, bool)>,
}

/// Dials `ip` on `port` until `deadline`. When half of the time has passed in vain, `other_port`
/// is dialled too, to tell a blocked port from a dead endpoint.
pub(super) async fn dial(
    machine: &Machine,
    ip: IpAddr,
    port: u16,
    other_port: Option<u16>,
    deadline: Instant,
) -> Dialled {
    let started = Instant::now();
    let at = |port| SocketAddr::new(ip.to_canonical(), port);
    let halfway = started + (deadline - started) / 2;
    let main = async {
        let result = timeout_at(deadline, machine.connect(at(port))).await;
        (result, started.elapsed())
    };
    let other = async {
        sleep_until(halfway).await;
        let port = other_port?;
        // It ends a little before the main one, which would otherwise not wait for it.
        let until = deadline - (deadline - halfway) / 16;
        let opened = timeout_at(until, machine.connect(at(port))).await;
        Some((port, matches!(opened, Ok(Ok(_)))))
    };
    tokio::pin!(main, other);
    let mut other_port = None;
    let mut other_done = false;
    let (result, elapsed) = loop {
        tokio::select! {
            biased;
            done = &mut main => break done,
            tried = &mut other, if !other_done => {
                other_port = tried;
                other_done = true;
            }
        }
    };
    let (stream, outcome, detail) = match result {
        Ok(Ok(stream)) => (Some(stream), TcpOutcome::Ok, None),
        Ok(Err(error)) => (None, outcome_of(&error), Some(error.to_string())),
        Err(_) => (None, TcpOutcome::Timeout, None),
    };
    Dialled {
        stream,
        outcome,
        elapsed,
        detail,
        other_port,
    }
}

fn outcome_of(error: &io::Error) -> TcpOutcome {
    const EACCES: i32 = 13;
    match error.kind() {
        io::ErrorKind::TimedOut => TcpOutcome::Timeout,
        io::ErrorKind::ConnectionRefused => TcpOutcome::Refused,
        io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::NetworkDown => TcpOutcome::Unreachable,
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => TcpOutcome::Reset,
        // A route of type `prohibit` says EACCES (ip-route(8)).
        _ if error.raw_os_error() == Some(EACCES) => TcpOutcome::Unreachable,
        _ => TcpOutcome::Error,
    }
}
