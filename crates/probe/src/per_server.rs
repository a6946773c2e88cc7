//! Per server: what each server of a resolver answers when it is asked alone. Where the target's answers
//! flap, this shows which server differs from the others.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use futures_util::future::join_all;
use privatelink_verdict::observation::{QueryOutcome, Resolution, ServerAnswer};
use privatelink_verdict::target::Target;
use tokio::time::Instant;
use tracing::debug;

use super::nameserver::Nameservers;
use super::resolve::ResolverClient;

/// The servers of one resolver that are asked at most.
const MAX_SERVERS: usize = 8;
/// The shortest time between two rounds of questions, whatever changes.
const PAUSE: Duration = Duration::from_mins(1);
/// How often each of several servers is asked in one round where the answers flap: two answers of one
/// server show whether it differs from the others or from itself.
const TIMES_EACH: u32 = 2;
/// How often the only server is asked: where it takes one of two upstreams at random, four answers come
/// from both with a probability of 7 in 8.
const TIMES_ALONE: u32 = 4;

/// What a target's servers answered when they were asked alone, kept from one probe to the next.
#[derive(Debug, Default)]
pub(super) struct PerServer {
    /// Whether the target's answers flap.
    pub(super) is_flapping: bool,
    /// `None` before they are asked: the servers of most targets never are.
    asked: Option<Box<Asked>>,
}

/// The latest round of questions.
#[derive(Debug)]
struct Asked {
    at: Instant,
    answers: Vec<ServerAnswer>,
}

impl PerServer {
    /// How often each of `servers` is to be asked in this probe, whose question was answered with
    /// `resolution`. Where the answers flap, every server is asked several times. So it is where they
    /// differed when last asked, in a probe that also `compares` resolvers. In the first of those several
    /// servers are asked once.
    pub(super) fn times(
        &mut self,
        servers: &[SocketAddr],
        resolution: &Resolution,
        compares: bool,
    ) -> u32 {
        let known = |answer: &ServerAnswer| servers.contains(&answer.server);
        // Where the node's resolv.conf has changed, other servers answer now.
        self.asked.take_if(|asked| !asked.answers.iter().all(known));
        let asked = self.asked.as_deref();
        let usable = resolution.outcome().is_some_and(|o| !o.is_failure());
        // No server answered: there is nothing to compare.
        if !usable || asked.is_some_and(|asked| asked.at.elapsed() < PAUSE) {
            return 0;
        }
        let alone = servers.len() < 2;
        let differ = asked.is_some_and(|asked| ServerAnswer::differ(asked.answers.iter()));
        if self.is_flapping || (compares && differ) {
            if alone { TIMES_ALONE } else { TIMES_EACH }
        } else {
            u32::from(compares && asked.is_none() && !alone)
        }
    }

    /// The answers `asked` for in this probe, or those of last time. The latter are dropped once the
    /// target's answers do not flap and they no longer contain the addresses of `resolution`.
    pub(super) fn answers(
        &mut self,
        resolution: &Resolution,
        asked: Option<Vec<ServerAnswer>>,
    ) -> Vec<ServerAnswer> {
        if let Some(answers) = asked {
            self.asked = Some(Box::new(Asked {
                at: Instant::now(),
                answers: answers.clone(),
            }));
            return answers;
        }
        let Some(known) = &mut self.asked else {
            return Vec::new();
        };
        if !self.is_flapping && !known.contains_all(resolution) {
            known.answers.clear();
        }
        known.answers.clone()
    }
}

impl Asked {
    fn contains_all(&self, resolution: &Resolution) -> bool {
        let known = |ip| {
            let mut known = self.answers.iter().flat_map(|answer| &answer.addresses);
            known.any(|address| address.ip == ip)
        };
        resolution.addresses.iter().all(|address| known(address.ip))
    }
}

impl ResolverClient<'_> {
    /// Asks each server by itself, `times` times one after the other, all servers at once. One that
    /// gives no answer is not asked again.
    pub(super) async fn each_server(
        self,
        target: &Target,
        times: u32,
        deadline: Instant,
    ) -> Vec<ServerAnswer> {
        debug!(times, "evidence: ask each server alone");
        let servers = self.nameservers.servers.iter().take(MAX_SERVERS);
        let asked = servers.map(|server| self.one_server(target, *server, times, deadline));
        join_all(asked).await.into_iter().flatten().collect()
    }

    async fn one_server(
        self,
        target: &Target,
        server: SocketAddr,
        times: u32,
        deadline: Instant,
    ) -> Vec<ServerAnswer> {
        let alone = Nameservers {
            servers: vec![server],
            attempts: 1,
            ..self.nameservers.clone()
        };
        let client = ResolverClient {
            nameservers: &alone,
            ..self
        };
        let (host, families) = (&target.host, &target.families);
        let mut answers: Vec<ServerAnswer> = Vec::new();
        for _ in 0..times {
            let found = client.find(host, families, &target.rules, deadline).await;
            let Ok(resolution) = found else {
                break;
            };
            let outcomes = resolution.queries.iter();
            let answer = ServerAnswer {
                server,
                outcomes: outcomes
                    .map(|query| (query.family, query.outcome))
                    .collect(),
                addresses: resolution.addresses,
                times: 1,
                checked_at: SystemTime::now(),
            };
            let failed = answer.outcome().is_none_or(QueryOutcome::is_failure);
            match answers.iter_mut().find(|known| known.is_like(&answer)) {
                Some(known) => {
                    *known = ServerAnswer {
                        times: known.times + 1,
                        ..answer
                    };
                }
                None => answers.push(answer),
            }
            if failed {
                break;
            }
        }
        answers
    }
}

#[cfg(test)]
mod tests;
