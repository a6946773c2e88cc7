//! Resolver facts in words.

use privatelink_verdict::fact::{
    AddressList, Consequence, DifferenceSource, ResolverFact, ServerList, ServerSaid,
};
use privatelink_verdict::observation::QueryOutcome;

use super::{at, private, public, reads, text};
use crate::probe::ip;

fn servers() -> ServerList {
    let said = |server, answers, times| ServerSaid {
        server: at(server),
        answers,
        times,
    };
    let answer = |outcome| (Some(outcome), AddressList::default());
    let several = vec![(Some(QueryOutcome::Answer), private()), (None, public())];
    ServerList {
        first: vec![
            said("10.0.0.4:53", several, 2),
            said("10.0.0.5:53", vec![answer(QueryOutcome::Timeout)], 4),
            said("10.0.0.6:53", vec![answer(QueryOutcome::Nodata)], 1),
        ],
        more: 2,
    }
}

#[test]
fn servers_that_were_asked_alone() {
    let each = "10.0.0.4:53 gives 10.1.2.3 (private) and no answer, 10.0.0.5:53 gives no answer \
                (timeout) each of 4 times, 10.0.0.6:53 gives no address (nodata) and 2 more servers";
    let from = |source| ResolverFact::ServersAskedAlone {
        servers: servers(),
        source,
    };
    reads([
        (
            from(DifferenceSource::BehindTheOnlyServer),
            &*format!(
                "{each}: it is the only server asked, so its upstreams differ, or the record itself \
                 changes"
            ),
        ),
        (
            from(DifferenceSource::TheOnlyServer),
            &format!("{each} by turns, and is the only server asked: its upstreams differ"),
        ),
        (from(DifferenceSource::TheServers), each),
        (
            from(DifferenceSource::BehindTheServers),
            &format!(
                "{each}; asked alone they agree, so what lies behind them differs, or the record \
                 itself changes"
            ),
        ),
        (
            from(DifferenceSource::Behind(at("10.0.0.4:53"))),
            &format!("{each}; what lies behind 10.0.0.4:53 differs"),
        ),
        (
            from(DifferenceSource::BehindSeveral),
            &format!("{each}; what lies behind them differs"),
        ),
        (
            ResolverFact::ServersDiffer {
                resolver: text("pod"),
                servers: servers(),
            },
            &format!("asked one by one, the servers of the resolver pod differ: {each}"),
        ),
    ]);
}

#[test]
fn resolvers_and_caches() {
    let local = |expired| ResolverFact::ThroughLocalDns {
        server: ip("169.254.10.11"),
        expired,
    };
    let silent = |outcome| ResolverFact::ResolverSilent {
        resolver: text("node"),
        outcome,
    };
    reads([
        (
            ResolverFact::Cached { seconds: 900 },
            "a cache gives this answer (its TTL falls), and may keep it for up to 900 s",
        ),
        (
            ResolverFact::TtlStays,
            "its TTL does not fall from probe to probe, so the server asks anew each time or serves \
             what has expired",
        ),
        (
            local(false),
            "it came through LocalDNS (169.254.10.11), which keeps answers for up to an hour and may \
             serve expired ones",
        ),
        (
            local(true),
            "it came through LocalDNS (169.254.10.11), which keeps answers for up to an hour and may \
             serve expired ones and gives them a TTL of 0 s, as here",
        ),
        (
            ResolverFact::ResolversDiffer {
                path: (text("pod"), private()),
                other: (text("node"), AddressList::default()),
            },
            "the path pod gives 10.1.2.3 (private), node gives no address",
        ),
        (
            ResolverFact::Consequence(Consequence::NodeGoesPublic),
            "pods resolve it privately, the node does not: image pulls and CSI mounts will go public",
        ),
        (
            ResolverFact::Consequence(Consequence::NodeFails),
            "pods resolve it privately, the node not at all: image pulls and CSI mounts will fail",
        ),
        (
            ResolverFact::Consequence(Consequence::PodsGoPublic),
            "the node resolves it privately, pods do not: applications will go public",
        ),
        (
            ResolverFact::Consequence(Consequence::PodsFail),
            "the node resolves it privately, pods not at all: applications will fail",
        ),
        (
            ResolverFact::MayBeCached {
                resolver: text("node"),
                seconds: 780,
            },
            "node may have it from a cache, where it may last up to 780 s more",
        ),
        (silent(None), "the resolver node could not be asked"),
        (
            silent(Some(QueryOutcome::Timeout)),
            "the resolver node did not answer: timeout",
        ),
        (
            ResolverFact::OtherPath {
                path: text("pod"),
                other: (text("node"), private()),
            },
            "that is the path pod, while node gives 10.1.2.3 (private)",
        ),
    ]);
}
