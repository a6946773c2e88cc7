//! Dial: one address, and while it does not answer, another port of the service.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use privatelink_machine::{ConnectError, Machine};
use privatelink_verdict::observation::{Obstacle, TcpOutcome};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout_at};

/// What became of dialling one address.
#[derive(Debug)]
pub(super) struct DialResult {
    /// The connection, if it was opened.
    pub stream: Option<TcpStream>,
    /// How it ended.
    pub outcome: TcpOutcome,
    /// Time to the outcome.
    pub elapsed: Duration,
    /// What the system said.
    pub detail: Option<String>,
    /// What more is known of why it failed.
    pub obstacle: Option<Obstacle>,
    /// Another port of the service, and whether it opened.
    pub other_port: Option<(u16, bool)>,
}

/// Dials `ip` on `port` until `deadline`. When half of the time has passed without an answer,
/// `other_port` is dialled too, to tell a blocked port from a dead endpoint.
pub(super) async fn dial(
    machine: &Machine,
    ip: IpAddr,
    port: u16,
    other_port: Option<u16>,
    deadline: Instant,
) -> DialResult {
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
    let mut dialled = DialResult {
        stream: None,
        outcome: TcpOutcome::Timeout,
        elapsed,
        detail: None,
        obstacle: None,
        other_port,
    };
    match result {
        Ok(Ok(stream)) => {
            dialled.outcome = TcpOutcome::Ok;
            dialled.stream = Some(stream);
        }
        Ok(Err(failed)) => {
            dialled.obstacle = obstacle_of(&failed);
            dialled.outcome = match outcome_of(&failed.error) {
                // Of some obstacles the error number says nothing: EACCES, ENOPROTOOPT.
                TcpOutcome::Error if dialled.obstacle.is_some() => TcpOutcome::Unreachable,
                outcome => outcome,
            };
            dialled.detail = Some(failed.to_string());
        }
        Err(_) => {}
    }
    dialled
}

fn obstacle_of(failed: &ConnectError) -> Option<Obstacle> {
    const EACCES: i32 = 13;
    match failed.icmp {
        Some(icmp) => Some(Obstacle::Icmp(icmp)),
        None if failed.error.raw_os_error() == Some(EACCES) => Some(Obstacle::ProhibitRoute),
        None => None,
    }
}

fn outcome_of(error: &io::Error) -> TcpOutcome {
    match error.kind() {
        io::ErrorKind::TimedOut => TcpOutcome::Timeout,
        io::ErrorKind::ConnectionRefused => TcpOutcome::Refused,
        io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::NetworkDown => TcpOutcome::Unreachable,
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => TcpOutcome::Reset,
        _ => TcpOutcome::Error,
    }
}
