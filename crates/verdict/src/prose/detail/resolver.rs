//! Resolver facts in words.

use super::{joined, list};
use crate::fact::{
    AddressList, Consequence, DifferenceSource, ResolverFact, ServerList, ServerSaid,
};
use crate::observation::QueryOutcome;

pub(super) fn clause(fact: &ResolverFact) -> String {
    match fact {
        ResolverFact::ServersAskedAlone { servers, source } => difference(servers, *source),
        ResolverFact::ServersDiffer { resolver, servers } => format!(
            "asked one by one, the servers of the resolver {resolver} differ: {}",
            each(servers)
        ),
        ResolverFact::Cached { seconds } => format!(
            "a cache gives this answer (its TTL falls), and may keep it for up to {seconds} s"
        ),
        ResolverFact::TtlStays => {
            "its TTL does not fall from probe to probe, so the server asks anew each \
                           time or serves what has expired"
                .to_owned()
        }
        ResolverFact::ThroughLocalDns { server, expired } => {
            let expired = if *expired {
                " and gives them a TTL of 0 s, as here"
            } else {
                ""
            };
            format!(
                "it came through LocalDNS ({server}), which keeps answers for up to an hour and may \
                 serve expired ones{expired}"
            )
        }
        ResolverFact::ResolversDiffer { path, other } => format!(
            "the path {} gives {}, {} gives {}",
            path.0,
            list(&path.1),
            other.0,
            list(&other.1)
        ),
        ResolverFact::Consequence(consequence) => self::consequence(*consequence).to_owned(),
        ResolverFact::MayBeCached { resolver, seconds } => {
            format!("{resolver} may have it from a cache, where it may last up to {seconds} s more")
        }
        ResolverFact::ResolverSilent { resolver, outcome } => match outcome {
            None => format!("the resolver {resolver} could not be asked"),
            Some(outcome) => format!("the resolver {resolver} did not answer: {outcome}"),
        },
        ResolverFact::OtherPath { path, other } => format!(
            "that is the path {path}, while {} gives {}",
            other.0,
            list(&other.1)
        ),
    }
}

const fn consequence(consequence: Consequence) -> &'static str {
    match consequence {
        Consequence::NodeGoesPublic => {
            "pods resolve it privately, the node does not: image pulls and CSI mounts will go public"
        }
        Consequence::NodeFails => {
            "pods resolve it privately, the node not at all: image pulls and CSI mounts will fail"
        }
        Consequence::PodsGoPublic => {
            "the node resolves it privately, pods do not: applications will go public"
        }
        Consequence::PodsFail => {
            "the node resolves it privately, pods not at all: applications will fail"
        }
    }
}

/// What each server says, and where the difference comes from.
fn difference(servers: &ServerList, source: DifferenceSource) -> String {
    let each = each(servers);
    match source {
        DifferenceSource::BehindTheOnlyServer => format!(
            "{each}: it is the only server asked, so its upstreams differ, or the record itself \
             changes"
        ),
        DifferenceSource::TheOnlyServer => {
            format!("{each} by turns, and is the only server asked: its upstreams differ")
        }
        DifferenceSource::TheServers => each,
        DifferenceSource::BehindTheServers => format!(
            "{each}; asked alone they agree, so what lies behind them differs, or the record itself \
             changes"
        ),
        DifferenceSource::Behind(server) => format!("{each}; what lies behind {server} differs"),
        DifferenceSource::BehindSeveral => format!("{each}; what lies behind them differs"),
    }
}

/// `10.0.0.4:53 gives 10.1.2.3 (private), 10.0.0.5:53 gives 52.1.2.3 (public)`.
fn each(servers: &ServerList) -> String {
    let mut text = joined(servers.first.iter().map(said), ", ");
    if servers.more > 0 {
        text.push_str(&format!(" and {} more servers", servers.more));
    }
    text
}

fn said(said: &ServerSaid) -> String {
    let ServerSaid {
        server,
        answers,
        times,
    } = said;
    let answer = |(outcome, addresses): &(Option<QueryOutcome>, AddressList)| match outcome {
        Some(QueryOutcome::Answer) => list(addresses),
        Some(outcome) if outcome.is_failure() => format!("no answer ({outcome})"),
        Some(outcome) => format!("no address ({outcome})"),
        None => "no answer".to_owned(),
    };
    let repeated = match (answers.len(), times) {
        (1, 2..) => format!(" each of {times} times"),
        _ => String::new(),
    };
    let answers = joined(answers.iter().map(answer), " and ");
    format!("{server} gives {answers}{repeated}")
}
