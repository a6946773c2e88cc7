//! What the TTL of an answer, and the server it came from, say of a cache.

use std::time::Duration;

use privatelink_verdict::fact::{Fact, ResolverFact};
use privatelink_verdict::history::History;
use privatelink_verdict::judge::judge;
use privatelink_verdict::observation::{Observation, Query};
use privatelink_verdict::reason::{Reason, Severity};
use privatelink_verdict::surroundings::Surroundings;

use crate::observed::answer;
use crate::probe::{Probe, VAULT, VAULT_ALIAS};
use crate::rendered::rendered;

const PRIVATE: &[&str] = &["10.1.2.3"];
const PUBLIC: &[&str] = &["52.168.109.101"];
const FALLS: &str = "; a cache gives this answer (its TTL falls), and may keep it for up to 900 s";
const STAYS: &str = "; its TTL does not fall from probe to probe, so the server asks anew each \
                     time or serves what has expired";
const LOCAL: &str = "; it came through LocalDNS (169.254.10.11), which keeps answers for up to an \
                     hour and may serve expired ones";

/// An answer with this TTL, whose longest is 900 s.
fn ttl(ttl: u32) -> Query {
    Query {
        ttl: Some(ttl),
        longest_ttl: Some(900),
        ..answer()
    }
}

fn by(server: &str, query: Query) -> Query {
    Query {
        server: Some(server.parse().expect("a server")),
        ..query
    }
}

/// The vault as seen so many seconds after the first probe.
fn public_at(seconds: u64, query: Query) -> Probe {
    Probe::public_vault().a(query).seconds_later(seconds)
}

/// The detail of a public fallback after probes of it, the last one in the list.
fn fallback<const N: usize>(probes: [Probe; N]) -> String {
    let mut history = History::default();
    let mut last: Option<(Probe, Observation)> = None;
    for probe in probes {
        if let Some((_, observation)) = last {
            history.record(&observation);
        }
        let observation = probe.observation();
        last = Some((probe, observation));
    }
    let (probe, observation) = last.expect("a probe");
    let verdict = judge(
        &probe.target,
        &observation,
        &history,
        &Surroundings::default(),
    );
    let mut findings = rendered(&probe.target, &observation, &verdict)
        .findings
        .into_iter();
    let found = findings.find(|finding| finding.reason == Reason::PublicFallback);
    found.expect("a public fallback").detail
}

#[track_caller]
fn says(detail: &str, told: Option<&str>) {
    for note in [FALLS, STAYS] {
        assert_eq!(detail.ends_with(note), told == Some(note), "{detail}");
    }
}

#[test]
fn a_ttl_that_falls_with_time_is_a_caches() {
    says(
        &fallback([public_at(0, ttl(287)), public_at(30, ttl(257))]),
        Some(FALLS),
    );
    // Rounding may take a second from it, or give one.
    for left in [256, 258] {
        says(
            &fallback([public_at(0, ttl(287)), public_at(30, ttl(left))]),
            Some(FALLS),
        );
    }
}

#[test]
fn a_ttl_that_stays_twice_before_it_has_run_out_is_counted_down_by_nobody() {
    let stays = [0, 30, 60].map(|at| public_at(at, ttl(300)));
    says(&fallback(stays.clone()), Some(STAYS));
    let [first, second, _] = stays;
    says(&fallback([first, second]), None);
}

#[test]
fn what_has_another_reading_is_not_told() {
    let first = || public_at(0, ttl(287));
    let moved = Probe::public_vault().resolves_to(["52.168.109.102"]);
    let authority = |mut query: Query| {
        query.flags.authoritative = true;
        query
    };
    for (why, detail) in [
        (
            "it fell by another time",
            fallback([first(), public_at(30, ttl(200))]),
        ),
        ("it rose", fallback([first(), public_at(30, ttl(300))])),
        (
            "it may have run out",
            fallback([public_at(0, ttl(31)), public_at(30, ttl(1))]),
        ),
        (
            "too short a gap",
            fallback([first(), public_at(2, ttl(285))]),
        ),
        (
            "the clock was set back",
            fallback([public_at(60, ttl(287)), public_at(30, ttl(257))]),
        ),
        (
            "another server",
            fallback([first(), public_at(30, by("10.0.0.11:53", ttl(257)))]),
        ),
        (
            "other addresses",
            fallback([first(), moved.a(ttl(257)).seconds_later(30)]),
        ),
        (
            "an authority",
            fallback([
                public_at(0, authority(ttl(287))),
                public_at(30, authority(ttl(257))),
            ]),
        ),
    ] {
        assert!(!detail.contains("TTL"), "{why}: {detail}");
    }
    // What an interval of 30 s sees of a cache that serves expired answers with a TTL of 30 s.
    let short = [0, 30, 60, 90].map(|at| public_at(at, ttl(30)));
    says(&fallback(short), None);
}

#[test]
fn a_ttl_that_stayed_once_in_a_while_is_not_one_that_stays() {
    let probes = [(0, 300), (30, 300), (60, 270), (90, 270)];
    says(
        &fallback(probes.map(|(at, left)| public_at(at, ttl(left)))),
        None,
    );
}

#[test]
fn the_time_that_connecting_took_is_not_the_answers() {
    let slow = |probe: Probe, seconds| {
        let mut observation = probe.observation();
        observation.checked_at += Duration::from_secs(seconds);
        observation.timing.dns = Some(Duration::from_millis(2));
        observation.timing.total = Duration::from_secs(seconds);
        observation
    };
    let probe = public_at(30, ttl(257));
    let mut history = History::default();
    history.record(&slow(public_at(0, ttl(287)), 8));
    let verdict = judge(
        &probe.target,
        &slow(probe.clone(), 0),
        &history,
        &Surroundings::default(),
    );
    let facts = &verdict.findings[0].facts;
    assert!(
        facts.contains(&Fact::Resolver(ResolverFact::Cached { seconds: 900 })),
        "{facts:?}"
    );
}

#[test]
fn answers_that_are_forgotten_prove_nothing() {
    let probe = public_at(30, ttl(257));
    let mut history = History::default();
    history.record(&public_at(0, ttl(287)).observation());
    history.forget_answers();
    let verdict = judge(
        &probe.target,
        &probe.observation(),
        &history,
        &Surroundings::default(),
    );
    let facts = &verdict.findings[0].facts;
    let proved = |fact: &Fact| {
        use ResolverFact::{Cached, TtlStays};
        matches!(fact, Fact::Resolver(Cached { .. } | TtlStays))
    };
    assert!(!facts.iter().any(proved), "{facts:?}");
}

#[test]
fn local_dns_is_named_where_what_it_gives_is_wrong() {
    for server in ["169.254.10.10", "169.254.10.11"] {
        let query = by(&format!("{server}:53"), ttl(30));
        let detail = Probe::public_vault()
            .a(query)
            .finding(Reason::PublicFallback)
            .detail;
        assert!(
            detail.ends_with(&LOCAL.replace("169.254.10.11", server)),
            "{detail}"
        );
    }
    let local = by("169.254.10.11:53", ttl(0));
    let detail = Probe::public_vault()
        .a(local.clone())
        .finding(Reason::PublicFallback)
        .detail;
    let expired = format!("{LOCAL} and gives them a TTL of 0 s, as here");
    assert!(detail.ends_with(&expired), "{detail}");

    let flapping = Probe::healthy_vault()
        .a(local.clone())
        .after([PRIVATE, PUBLIC]);
    let detail = flapping.finding(Reason::AddressFlapping).detail;
    assert!(detail.ends_with(&expired), "{detail}");

    let healthy = Probe::healthy_vault().a(local);
    assert_eq!(
        healthy.verdict(),
        Probe::healthy_vault().verdict(),
        "nothing is wrong"
    );
}

fn node(query: Query) -> Probe {
    let node = Probe::of(VAULT).via([VAULT_ALIAS]).by("node");
    node.resolves_to(["52.168.109.101"]).a(query)
}

fn disagreement(probe: &Probe) -> String {
    probe.finding(Reason::ResolverDisagreement).detail
}

#[test]
fn after_a_repair_that_the_path_has_seen_the_other_resolvers_cache_may_last() {
    let probe = Probe::healthy_vault()
        .after([PUBLIC])
        .must_agree_with(node(ttl(60)).seconds_later(20))
        .seconds_later(140);
    assert_eq!(
        probe.findings(),
        [(Reason::ResolverDisagreement, Severity::Warn)]
    );
    let detail = disagreement(&probe);
    assert!(
        detail.ends_with("; node may have it from a cache, where it may last up to 780 s more"),
        "{detail}"
    );
}

#[test]
fn what_no_cache_can_hold_any_more_or_was_never_repaired_is_not_excused() {
    let other = || node(ttl(60)).seconds_later(20);
    let outlived = Probe::healthy_vault()
        .after([PUBLIC])
        .must_agree_with(other());
    let outlived = outlived.seconds_later(921);
    let always = Probe::healthy_vault()
        .after([PRIVATE])
        .must_agree_with(other());
    let first = Probe::healthy_vault().must_agree_with(other());
    let private = Probe::public_vault().after([PRIVATE]);
    let private = private.must_agree_with(node(ttl(60)).resolves_to(["10.1.2.3"]));
    for probe in [outlived, always, first, private] {
        let detail = disagreement(&probe);
        assert!(!detail.contains("cache"), "{detail}");
    }
}

#[test]
fn no_cache_keeps_an_answer_for_longer_than_a_week() {
    let endless = Query {
        longest_ttl: Some(u32::MAX),
        ..ttl(60)
    };
    let probe = Probe::healthy_vault()
        .after([PUBLIC])
        .must_agree_with(node(endless));
    assert!(disagreement(&probe).contains("up to 604800 s more"));
}
