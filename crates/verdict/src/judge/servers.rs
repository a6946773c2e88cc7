//! Servers: what the servers of the path's resolver, each asked alone, say of a difference: which of
//! them gives what, or that it lies behind them.

use std::net::SocketAddr;

use super::{Case, list};
use crate::observation::{QueryOutcome, ServerAnswer};

/// The most servers that are told.
pub(super) const MOST: usize = 4;

/// Whether the servers, or one of them from one time to the next, gave different classes.
pub(super) fn differ(case: &Case<'_>) -> bool {
    ServerAnswer::differ(case.observation.resolution.servers.iter())
}

/// The servers asked, in their order.
pub(super) fn asked(case: &Case<'_>) -> Vec<SocketAddr> {
    let mut servers: Vec<SocketAddr> = Vec::new();
    for answer in &case.observation.resolution.servers {
        if !servers.contains(&answer.server) {
            servers.push(answer.server);
        }
    }
    servers
}

/// Where a difference that was seen from probe to probe comes from; `None` where nobody was asked.
pub(super) fn source(case: &Case<'_>) -> Option<String> {
    let servers = asked(case);
    let is_unsteady = |server: &&SocketAddr| ServerAnswer::differ(of(case, **server));
    let unsteady: Vec<&SocketAddr> = servers.iter().filter(is_unsteady).collect();
    Some(match (servers.as_slice(), unsteady.as_slice()) {
        ([], _) => return None,
        ([only], []) => format!(
            "{}: it is the only server asked, so its upstreams differ, or the record itself changes",
            said(case, *only)
        ),
        ([only], _) => format!(
            "{} by turns, and is the only server asked: its upstreams differ",
            said(case, *only)
        ),
        (_, []) if differ(case) => each(case),
        (_, []) => format!(
            "{}; asked alone they agree, so what lies behind them differs, or the record itself \
             changes",
            each(case)
        ),
        (_, [one]) => format!("{}; what lies behind {one} differs", each(case)),
        (_, _) => format!("{}; what lies behind them differs", each(case)),
    })
}

/// `10.0.0.4:53 gives 10.1.2.3 (private), 10.0.0.5:53 gives 52.1.2.3 (public)`.
pub(super) fn each(case: &Case<'_>) -> String {
    let servers = asked(case);
    let shown = servers.iter().take(MOST).map(|server| said(case, *server));
    let mut text = shown.collect::<Vec<_>>().join(", ");
    if servers.len() > MOST {
        text.push_str(&format!(" and {} more servers", servers.len() - MOST));
    }
    text
}

fn of<'a>(
    case: &Case<'a>,
    server: SocketAddr,
) -> impl Iterator<Item = &'a ServerAnswer> + Clone + use<'a> {
    let answers = case.observation.resolution.servers.iter();
    answers.filter(move |answer| answer.server == server)
}

fn said(case: &Case<'_>, server: SocketAddr) -> String {
    let answers: Vec<String> = of(case, server).map(told).collect();
    let times: u32 = of(case, server).map(|answer| answer.times).sum();
    let times = match (answers.len(), times) {
        (1, 2..) => format!(" each of {times} times"),
        _ => String::new(),
    };
    format!("{server} gives {}{times}", answers.join(" and "))
}

fn told(answer: &ServerAnswer) -> String {
    match answer.outcome() {
        Some(QueryOutcome::Answer) => list(&answer.addresses),
        Some(outcome) if outcome.is_failure() => format!("no answer ({outcome})"),
        Some(outcome) => format!("no address ({outcome})"),
        None => "no answer".to_owned(),
    }
}
