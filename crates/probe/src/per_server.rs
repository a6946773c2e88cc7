//! Per server: what each server of the path's resolver says when it is asked alone: evidence on which
//! one differs from the others, where the target's answers flap.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use futures_util::future::join_all;
use privatelink_verdict::observation::{QueryOutcome, Resolution, ServerAnswer};
use privatelink_verdict::target::Target;
use tokio::time::Instant;
use tracing::debug;

use super::nameserver::Nameservers;
use super::resolve::ResolverClient;

/// The most servers of one resolver that are asked.
const MAX_SERVERS: usize = 8;
/// They are asked at most so often, whatever changes.
const PAUSE: Duration = Duration::from_mins(1);
/// How often each of several servers is asked where the answers flap: twice tells a server that
/// differs from the others from one that differs from itself.
const TIMES: u32 = 2;
/// How often the only one is: of two upstreams that take turns at random both are seen in 7 of 8
/// rounds.
const TIMES_ALONE: u32 = 4;

/// What a target's servers said when they were asked alone, from one probe to the next.
#[derive(Debug, Default)]
pub(super) struct PerServer {
    at: Option<Instant>,
    flaps: bool,
    answers: Vec<ServerAnswer>,
}

impl PerServer {
    /// Sets whether the target's answers flap.
    pub(super) fn set_flapping(&mut self, flaps: bool) {
        self.flaps = flaps;
    }

    /// How often each of `servers` is to be asked in this probe, which came to `resolution`: several
    /// once in a first probe, all where the answers flap, and where they differed when last asked as
    /// often as other resolvers are compared.
    pub(super) fn times(
        &mut self,
        servers: &[SocketAddr],
        resolution: &Resolution,
        compares: bool,
    ) -> u32 {
        let known = |answer: &ServerAnswer| servers.contains(&answer.server);
        if !self.answers.iter().all(known) {
            // The node's resolv.conf has changed: others answer now.
            *self = Self {
                flaps: self.flaps,
                ..Self::default()
            };
        }
        let usable = resolution.outcome().is_some_and(|o| !o.is_failure());
        // Where none of them answered there is nothing to compare.
        if !usable || self.at.is_some_and(|at| at.elapsed() < PAUSE) {
            return 0;
        }
        let alone = servers.len() < 2;
        if self.flaps || (compares && ServerAnswer::differ(self.answers.iter())) {
            if alone { TIMES_ALONE } else { TIMES }
        } else {
            u32::from(self.at.is_none() && !alone)
        }
    }

    /// What they say: `asked` now, or what they said last, for as long as the answers flap or it
    /// accounts for the addresses of `resolution`.
    pub(super) fn answers(
        &mut self,
        resolution: &Resolution,
        asked: Option<Vec<ServerAnswer>>,
    ) -> Vec<ServerAnswer> {
        if let Some(asked) = asked {
            self.at = Some(Instant::now());
            self.answers = asked;
        } else if !self.flaps && !self.accounts_for(resolution) {
            self.answers.clear();
        }
        self.answers.clone()
    }

    fn accounts_for(&self, resolution: &Resolution) -> bool {
        let known = |ip| {
            let mut said = self.answers.iter().flat_map(|answer| &answer.addresses);
            said.any(|address| address.ip == ip)
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
        let path = ResolverClient {
            nameservers: &alone,
            ..self
        };
        let (host, families) = (&target.host, &target.families);
        let mut said: Vec<ServerAnswer> = Vec::new();
        for _ in 0..times {
            let found = path.find(host, families, &target.rules, deadline).await;
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
            match said.iter_mut().find(|known| known.is_like(&answer)) {
                Some(known) => {
                    *known = ServerAnswer {
                        times: known.times + 1,
                        ..answer
                    };
                }
                None => said.push(answer),
            }
            if failed {
                break;
            }
        }
        said
    }
}

#[cfg(test)]
mod tests;
