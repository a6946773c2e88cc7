//! Servers: what the servers of the path's resolver, each asked alone, say of a difference: which of
//! them gives what, or that it lies behind them.

use std::net::SocketAddr;

use super::Case;
use crate::fact::{AddressList, DifferenceSource, LISTED, ResolverFact, ServerList, ServerSaid};
use crate::observation::ServerAnswer;

/// Whether the servers, or one of them from one time to the next, gave different classes.
pub(super) fn differ(case: &Case<'_>) -> bool {
    ServerAnswer::differ(case.observation.resolution.evidence.servers.iter())
}

/// Where a difference that was seen from probe to probe comes from; `None` where no server was asked
/// alone.
pub(super) fn source(case: &Case<'_>) -> Option<ResolverFact> {
    let servers = case.observation.resolution.servers_asked_alone();
    let is_unsteady = |server: &&SocketAddr| ServerAnswer::differ(of(case, **server));
    let unsteady: Vec<&SocketAddr> = servers.iter().filter(is_unsteady).collect();
    let source = match (servers.as_slice(), unsteady.as_slice()) {
        ([], _) => return None,
        ([_], []) => DifferenceSource::BehindTheOnlyServer,
        ([_], _) => DifferenceSource::TheOnlyServer,
        (_, []) if differ(case) => DifferenceSource::TheServers,
        (_, []) => DifferenceSource::BehindTheServers,
        (_, [one]) => DifferenceSource::Behind(**one),
        (_, _) => DifferenceSource::BehindSeveral,
    };
    let servers = each(case);
    Some(ResolverFact::ServersAskedAlone { servers, source })
}

/// What each server said.
pub(super) fn each(case: &Case<'_>) -> ServerList {
    let servers = case.observation.resolution.servers_asked_alone();
    let said = |server: &SocketAddr| ServerSaid {
        server: *server,
        answers: of(case, *server)
            .map(|answer| (answer.outcome(), AddressList::of(&answer.addresses)))
            .collect(),
        times: of(case, *server).map(|answer| answer.times).sum(),
    };
    ServerList {
        first: servers.iter().take(LISTED).map(said).collect(),
        more: servers.len().saturating_sub(LISTED),
    }
}

fn of<'a>(
    case: &Case<'a>,
    server: SocketAddr,
) -> impl Iterator<Item = &'a ServerAnswer> + Clone + use<'a> {
    let answers = case.observation.resolution.evidence.servers.iter();
    answers.filter(move |answer| answer.server == server)
}
