//! Dns facts in words.

use privatelink_verdict::address::Family;
use privatelink_verdict::fact::{
    DanglingAlias, DnsFact, FailedQuery, MissingRecord, Negative, ZoneAnswers,
};
use privatelink_verdict::observation::{QueryOutcome, Rcode};

use super::{at, reads, text};
use crate::observed::own_soa;
use crate::probe::ip;

fn failed(outcome: QueryOutcome, tries: u32) -> FailedQuery {
    FailedQuery {
        outcome,
        rcode: None,
        server: Some((at("10.0.0.10:53"), tries)),
        detail: None,
    }
}

#[test]
fn queries_that_fail_or_come_late() {
    let both = || vec![Family::Ipv4, Family::Ipv6];
    reads([
        (
            DnsFact::QueryFailed {
                families: both(),
                query: failed(QueryOutcome::Timeout, 2),
            },
            "A and AAAA: timeout (10.0.0.10:53, 2 tries)",
        ),
        (
            DnsFact::QueryFailed {
                families: both(),
                query: FailedQuery {
                    server: None,
                    detail: Some(text("truncated over UDP, and TCP to 10.0.0.10:53 fails")),
                    ..failed(QueryOutcome::Truncated, 1)
                },
            },
            "A and AAAA: truncated over UDP, and TCP to 10.0.0.10:53 fails",
        ),
        (
            DnsFact::FamilyFails {
                families: vec![Family::Ipv6],
                query: FailedQuery {
                    rcode: Some(Rcode(2)),
                    detail: Some(text("lame delegation")),
                    ..failed(QueryOutcome::ServerFailure, 1)
                },
            },
            "AAAA: SERVFAIL (10.0.0.10:53, 1 try): lame delegation; some clients then fail the \
             whole name",
        ),
        (
            DnsFact::AnsweredLate {
                families: both(),
                at_try: 1,
                lost: Some(text("FORMERR with EDNS")),
                lost_at: None,
            },
            "A and AAAA answered only when asked again: FORMERR with EDNS",
        ),
        (
            DnsFact::AnsweredLate {
                families: vec![Family::Ipv4],
                at_try: 3,
                lost: None,
                lost_at: None,
            },
            "A answered only at try 3: an earlier try was lost",
        ),
        (
            DnsFact::RecordsBeforeTheirAlias {
                families: both(),
                owner: text("kv.pl.net"),
            },
            "the answer to A and AAAA has the addresses of kv.pl.net before the CNAME that leads to \
             it: clients with glibc ignore them, others may not",
        ),
        (
            DnsFact::SearchListLeadsElsewhere {
                name: text("kv.example.com"),
                addresses: vec![ip("192.0.2.1"), ip("192.0.2.2")],
            },
            "the search list turns the name into kv.example.com = 192.0.2.1, 192.0.2.2",
        ),
        (
            DnsFact::MarkedStale,
            "the DNS server marks its answer as stale (extended DNS error)",
        ),
    ]);
}

#[test]
fn names_without_an_address() {
    let (name, zone) = (|| text("kv.pl.net"), || text("pl.net"));
    let dangling = DanglingAlias {
        alias: name(),
        negative: Negative::Nodata,
        last: Some(text("kv.example.com")),
        other_zone: Some(own_soa("pl.net")),
        zone: zone(),
    };
    reads([
        (
            DnsFact::Referral,
            "the server answers with nothing but other servers to ask: it does not recurse, and \
             neither do applications",
        ),
        (
            DnsFact::NotChased { alias: name() },
            "the server answers with the alias kv.pl.net alone, without its address: it does not \
             chase aliases, and neither do applications",
        ),
        (
            DnsFact::AskedForItself(Ok(ip("10.1.2.3"))),
            "asked for the alias itself: 10.1.2.3",
        ),
        (
            DnsFact::AskedForItself(Err(QueryOutcome::Nxdomain)),
            "asked for the alias itself: nxdomain",
        ),
        (
            DnsFact::PrivateOnlyName {
                name: None,
                zone: zone(),
            },
            "the name exists only in the private zone pl.net, and here it is NXDOMAIN",
        ),
        (
            DnsFact::PrivateOnlyName {
                name: Some(name()),
                zone: zone(),
            },
            "kv.pl.net exists only in the private zone pl.net, and here it is NXDOMAIN",
        ),
        (
            DnsFact::AliasDangles(DanglingAlias {
                negative: Negative::Nxdomain,
                last: None,
                other_zone: None,
                ..dangling.clone()
            }),
            "the alias kv.pl.net leads nowhere (NXDOMAIN), and the public side answers for pl.net",
        ),
        (
            DnsFact::AliasDangles(dangling),
            "the alias kv.pl.net leads nowhere (no address for kv.example.com), and a zone pl.net \
             of dc1.corp.example.com answers for pl.net",
        ),
        (
            DnsFact::ZoneShadows {
                owner: zone(),
                served_by: None,
                negative: Negative::Nodata,
            },
            "the private zone pl.net answers for it here (no address) and hides the public name",
        ),
        (
            DnsFact::ZoneShadows {
                owner: zone(),
                served_by: Some(text("dc1.corp")),
                negative: Negative::Nxdomain,
            },
            "the private zone pl.net of dc1.corp answers for it here (NXDOMAIN) and hides the \
             public name",
        ),
        (
            DnsFact::NoAddress {
                negative: Negative::Nxdomain,
                name: name(),
                server: Some(at("10.0.0.10:53")),
            },
            "NXDOMAIN for kv.pl.net (10.0.0.10:53)",
        ),
        (
            DnsFact::ProbablyMeant { instead: name() },
            "perhaps kv.pl.net was meant",
        ),
        (
            DnsFact::SaidByPrivateZone { owner: zone() },
            "the private zone pl.net says so",
        ),
    ]);
}

#[test]
fn records_that_are_missing_or_in_the_wrong_zone() {
    let missing = |answers, leads_to| {
        DnsFact::RecordMissing(MissingRecord {
            zone: text("pl.net"),
            answers,
            name: text("kv.pl.net"),
            leads_to,
            negative: Negative::Nxdomain,
        })
    };
    let mname = || text("dc1.corp");
    reads([
        (
            missing(ZoneAnswers::Linked, None),
            "the zone pl.net is linked here, but has no record for kv.pl.net (NXDOMAIN)",
        ),
        (
            missing(ZoneAnswers::Linked, Some(text("x.net"))),
            "the zone pl.net is linked here, but has no address for kv.pl.net: it leads on to x.net \
             (NXDOMAIN)",
        ),
        (
            missing(ZoneAnswers::ServedBy(mname()), None),
            "the zone pl.net is served by dc1.corp here, and has no record for kv.pl.net (NXDOMAIN)",
        ),
        (
            missing(ZoneAnswers::InPlace(text("net")), None),
            "the private zone net is linked here and answers in place of pl.net, and has no record \
             for kv.pl.net (NXDOMAIN)",
        ),
        (
            missing(ZoneAnswers::Unknown(mname()), None),
            "dc1.corp answers for pl.net, be it privately or not, and has no record for kv.pl.net \
             (NXDOMAIN)",
        ),
        (
            missing(ZoneAnswers::Silent, None),
            "the zone pl.net does not say who answers for it, and has no record for kv.pl.net \
             (NXDOMAIN)",
        ),
        (
            DnsFact::RecordInOtherZone {
                name: text("kv.wrong.net"),
                ip: None,
            },
            "kv.wrong.net has one: the record was made in the wrong zone",
        ),
        (
            DnsFact::RecordInOtherZone {
                name: text("kv.wrong.net"),
                ip: Some(ip("10.1.2.3")),
            },
            "kv.wrong.net has 10.1.2.3: the record was made in the wrong zone",
        ),
    ]);
}
