//! Exchange: one question put to the servers of a resolver until one of them answers.
//!
//! A try that is given up keeps its socket: a late answer still counts.

mod attempt;
mod failure;
mod try_timeout;

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hickory_proto::rr::{Name, RecordType};
use privatelink_verdict::observation::{QueryOutcome, Rcode, Transport};
use privatelink_verdict::sanitize::sentence;
use tokio::time::{Instant, timeout_at};
use tracing::debug;
use tracing::field::display as display_value;

use self::attempt::{Attempt, ExchangeProgress};
use self::failure::TryFailure;
use self::try_timeout::try_timeout;
use super::message::DnsReply;
use super::nameserver::Nameservers;
use super::rate_limit::DnsBudget;

/// One question to a resolver.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exchange<'a> {
    /// The absolute name.
    pub name: &'a Name,
    /// The record type.
    pub kind: RecordType,
    /// Whether to begin with EDNS.
    pub edns: bool,
    /// The servers to ask.
    pub nameservers: &'a Nameservers,
    /// Until when.
    pub deadline: Instant,
    /// What it may spend.
    pub budget: DnsBudget<'a>,
}

/// How an exchange ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ExchangeResult {
    /// The deciding message; none where no usable one came.
    pub reply: Option<DnsReply>,
    /// The reply's outcome, or the best of the failed tries'.
    pub outcome: QueryOutcome,
    /// The RCODE behind a server failure.
    pub rcode: Option<Rcode>,
    /// The server that decided.
    pub server: Option<SocketAddr>,
    /// How the deciding message travelled.
    pub transport: Transport,
    /// Questions sent over UDP, EDNS retries not counted.
    pub tries: u32,
    /// Whether it was answered only after a try was lost, or without EDNS.
    pub degraded: bool,
    /// The server of the first try that was lost before the answer.
    pub lost_at: Option<SocketAddr>,
    /// From the first try to the outcome.
    pub elapsed: Duration,
    /// What went wrong, in words.
    pub detail: Option<String>,
    /// A socket error that is none of the network's.
    pub fault: Option<String>,
}

type Pending<'a> = FuturesUnordered<Pin<Box<dyn Future<Output = Attempt> + Send + 'a>>>;

impl Exchange<'_> {
    /// Puts the question to one server after another, in rounds, until one answers or time is up.
    /// SERVFAIL, REFUSED, NOTIMP, FORMERR, an unreadable message and silence lead to the next.
    pub(super) async fn run(self) -> ExchangeResult {
        let started = Instant::now();
        let servers = self.order();
        let count = u32::try_from(servers.len()).unwrap_or(u32::MAX);
        let tries = count.saturating_mul(self.nameservers.attempts).max(1);
        let share = try_timeout(self.deadline - started, tries, self.nameservers.timeout);

        let progress = ExchangeProgress::default();
        let mut pending = Pending::new();
        let mut failed: Vec<Attempt> = Vec::new();
        let mut number = 0;
        for server in servers.iter().cycle().take(tries as usize) {
            let until = (Instant::now() + share).min(self.deadline);
            number += 1;
            pending.push(Box::pin(self.attempt(number, *server, share, &progress)));
            loop {
                match timeout_at(until, pending.next()).await {
                    Ok(Some(attempt)) if attempt.result.is_ok() => {
                        return answered(attempt, number, &failed, started);
                    }
                    Ok(Some(attempt)) => {
                        let is_latest = attempt.number == number;
                        failed.push(attempt);
                        if is_latest {
                            break;
                        }
                    }
                    Ok(None) => break,
                    // It stays pending: its answer counts, should it still come.
                    Err(_) => {
                        failed.push(Attempt::silent(number, *server));
                        break;
                    }
                }
            }
            if let Some(attempt) = failed.last() {
                debug!(
                    name = %self.name,
                    "type" = %self.kind,
                    failure = attempt.failure().map(|text| display_value(sentence(&text).into_owned())),
                    "dns try failed"
                );
                if attempt.had_no_socket() && pending.is_empty() {
                    break;
                }
            }
        }
        // A truncated answer that came late is still being fetched over TCP.
        while progress.is_fetching_over_tcp() {
            match timeout_at(self.deadline, pending.next()).await {
                Ok(Some(attempt)) if attempt.result.is_ok() => {
                    return answered(attempt, number, &failed, started);
                }
                Ok(Some(attempt)) => failed.push(attempt),
                Ok(None) | Err(_) => break,
            }
        }
        unanswered(failed, progress.noisy_server(), number, started)
    }

    fn order(&self) -> Vec<SocketAddr> {
        let mut servers = self.nameservers.servers.clone();
        if self.nameservers.rotate && !servers.is_empty() {
            let first = fastrand::usize(..servers.len());
            servers.rotate_left(first);
        }
        servers
    }
}

fn answered(attempt: Attempt, tries: u32, failed: &[Attempt], started: Instant) -> ExchangeResult {
    // A try that failed by a fault of ours says nothing about the server.
    let mut failed = failed.iter().filter(|attempt| !attempt.is_fault());
    let is_first = failed.clone().next().is_none();
    let lost = failed.next();
    let lost_at = lost.map(|attempt| attempt.server);
    let reply = attempt.result.ok();
    ExchangeResult {
        outcome: reply
            .as_ref()
            .map_or(QueryOutcome::Invalid, |reply| reply.outcome),
        rcode: reply.as_ref().map(|reply| reply.rcode),
        server: Some(attempt.server),
        transport: attempt.transport,
        tries,
        degraded: !is_first || attempt.without_edns,
        lost_at,
        elapsed: started.elapsed(),
        detail: lost.and_then(Attempt::failure).or_else(|| {
            attempt
                .without_edns
                .then(|| "the server refuses EDNS".to_owned())
        }),
        fault: None,
        reply,
    }
}

/// What an exchange comes to whose only server sends `message`, and nothing else.
#[cfg(fuzzing)]
pub(super) fn of_message(question: &super::message::Question, message: &[u8]) -> ExchangeResult {
    use super::message::Received;

    let (started, server) = (Instant::now(), SocketAddr::from(([10, 0, 0, 10], 53)));
    let mut attempt = Attempt::silent(1, server);
    let mut noisy = None;
    match question.receive(message) {
        Received::Foreign => {}
        Received::Noise => noisy = Some(server),
        Received::Malformed(error) => {
            attempt.result = Err(TryFailure::unreadable(&error.to_string()));
        }
        Received::Reply(reply) => attempt.result = attempt::usable(*reply),
    }
    if attempt.result.is_ok() {
        answered(attempt, 1, &[], started)
    } else {
        unanswered(vec![attempt], noisy, 1, started)
    }
}

/// The failed try that came closest to an answer is the result. A server that sent something that is no
/// DNS message is reported for that, not as silent.
fn unanswered(
    mut failed: Vec<Attempt>,
    noisy_server: Option<SocketAddr>,
    tries: u32,
    started: Instant,
) -> ExchangeResult {
    for attempt in failed
        .iter_mut()
        .filter(|attempt| Some(attempt.server) == noisy_server)
    {
        if attempt.result.as_ref().is_err_and(TryFailure::is_silence) {
            attempt.result = Err(TryFailure::unreadable("it is no DNS message"));
        }
    }
    let closeness =
        |attempt: &Attempt| attempt.result.as_ref().err().map(|f| f.outcome.closeness());
    let best = failed.into_iter().rev().max_by_key(closeness);
    let (server, transport) = best.as_ref().map_or((None, Transport::Udp), |attempt| {
        (Some(attempt.server), attempt.transport)
    });
    let failure = best
        .and_then(|attempt| attempt.result.err())
        .unwrap_or_else(TryFailure::silence);
    ExchangeResult {
        reply: None,
        outcome: failure.outcome,
        rcode: failure.rcode,
        server,
        transport,
        tries,
        degraded: false,
        lost_at: None,
        elapsed: started.elapsed(),
        fault: failure
            .fault
            .then(|| failure.detail.clone().unwrap_or_default()),
        detail: failure.detail,
    }
}

#[cfg(test)]
mod tests;
