//! What the servers of the path's resolver say, each asked alone.

use std::time::SystemTime;

use privatelink_verdict::address::{Family, Rules};
use privatelink_verdict::observation::{Address, QueryOutcome, ServerAnswer};
use privatelink_verdict::reason::{Reason, Severity};

use crate::observed::times_out;
use crate::probe::{Probe, ip};
use QueryOutcome::{Answer, Nodata, Nxdomain, Timeout};

const PRIVATE: &[&str] = &["10.1.2.3"];
const PUBLIC: &[&str] = &["52.168.109.101"];

/// A server that gives these addresses; a family without any has no data.
fn gives(server: &str, addresses: &[&str]) -> ServerAnswer {
    let outcome = |ipv4: bool| {
        let mut addresses = addresses.iter();
        if addresses.any(|text| ip(text).is_ipv4() == ipv4) {
            Answer
        } else {
            Nodata
        }
    };
    let rules = Rules::default();
    ServerAnswer {
        server: server.parse().expect("a server"),
        outcomes: vec![
            (Family::Ipv4, outcome(true)),
            (Family::Ipv6, outcome(false)),
        ],
        addresses: { addresses.iter() }
            .map(|text| Address {
                ip: ip(text),
                class: rules.classify(ip(text)),
                ttl: 10,
            })
            .collect(),
        times: 1,
        checked_at: SystemTime::UNIX_EPOCH,
    }
}

/// A server both of whose families ended so.
fn ends(server: &str, outcome: QueryOutcome) -> ServerAnswer {
    ServerAnswer {
        outcomes: vec![(Family::Ipv4, outcome), (Family::Ipv6, outcome)],
        ..gives(server, &[])
    }
}

fn times(times: u32, answer: ServerAnswer) -> ServerAnswer {
    ServerAnswer { times, ..answer }
}

fn asked(probe: Probe, servers: &[ServerAnswer]) -> Probe {
    probe.evidence(|resolution| resolution.evidence.servers = servers.to_vec())
}

fn flapping(servers: &[ServerAnswer]) -> Probe {
    asked(Probe::healthy_vault().after([PRIVATE, PUBLIC]), servers)
}

/// What is told beside the changes themselves.
fn source(servers: &[ServerAnswer]) -> String {
    let detail = flapping(servers).finding(Reason::AddressFlapping).detail;
    let seen = "2 changes in the last 3 answers: private, public, private; ";
    let source = detail.strip_prefix(seen);
    source.unwrap_or_else(|| panic!("{detail}")).to_owned()
}

fn command(servers: &[ServerAnswer]) -> Option<String> {
    flapping(servers).finding(Reason::AddressFlapping).command
}

#[test]
fn of_two_servers_that_differ_each_is_named_with_what_it_gives() {
    assert_eq!(
        source(&[gives("10.0.0.4:53", PRIVATE), gives("10.0.0.5:53", PUBLIC)]),
        "10.0.0.4:53 gives 10.1.2.3 (private), 10.0.0.5:53 gives 52.168.109.101 (public)"
    );
    assert_eq!(
        source(&[
            times(2, gives("10.0.0.4:53", PRIVATE)),
            times(2, ends("10.0.0.5:53", Nxdomain)),
        ]),
        "10.0.0.4:53 gives 10.1.2.3 (private) each of 2 times, 10.0.0.5:53 gives no address \
         (nxdomain) each of 2 times"
    );
}

#[test]
fn the_only_server_has_the_difference_behind_it() {
    assert_eq!(
        source(&[
            times(3, gives("10.0.0.10:53", PRIVATE)),
            gives("10.0.0.10:53", PUBLIC),
        ]),
        "10.0.0.10:53 gives 10.1.2.3 (private) and 52.168.109.101 (public) by turns, and is the \
         only server asked: its upstreams differ"
    );
    // A cache in between may give one answer for as long as it lasts.
    assert_eq!(
        source(&[times(4, gives("10.0.0.10:53", PRIVATE))]),
        "10.0.0.10:53 gives 10.1.2.3 (private) each of 4 times: it is the only server asked, so \
         its upstreams differ, or the record itself changes"
    );
}

#[test]
fn servers_that_agree_now_have_the_difference_behind_them() {
    assert_eq!(
        source(&[
            gives("10.0.0.4:53", PRIVATE),
            gives("10.0.0.5:53", &["10.9.9.9"])
        ]),
        "10.0.0.4:53 gives 10.1.2.3 (private), 10.0.0.5:53 gives 10.9.9.9 (private); asked alone \
         they agree, so what lies behind them differs, or the record itself changes"
    );
}

#[test]
fn a_server_that_differs_from_itself_is_the_one_to_look_behind() {
    let steady = times(2, gives("10.0.0.4:53", PRIVATE));
    let turns = |server| [gives(server, PRIVATE), gives(server, PUBLIC)];
    let [one, other] = turns("10.0.0.5:53");
    assert_eq!(
        source(&[steady, one.clone(), other.clone()]),
        "10.0.0.4:53 gives 10.1.2.3 (private) each of 2 times, 10.0.0.5:53 gives 10.1.2.3 \
         (private) and 52.168.109.101 (public); what lies behind 10.0.0.5:53 differs"
    );
    let [third, fourth] = turns("10.0.0.6:53");
    let both = source(&[one, other, third, fourth]);
    assert!(both.ends_with("; what lies behind them differs"), "{both}");
}

#[test]
fn a_server_that_gives_no_answer_is_told_and_is_no_difference() {
    let told = source(&[gives("10.0.0.4:53", PRIVATE), ends("10.0.0.5:53", Timeout)]);
    assert!(
        told.starts_with("10.0.0.4:53 gives 10.1.2.3 (private), 10.0.0.5:53 gives no answer (timeout); asked alone they agree"),
        "{told}"
    );
    let mut lost = gives("10.0.0.5:53", PRIVATE);
    lost.outcomes[1] = (Family::Ipv6, Timeout);
    let dual = gives("10.0.0.4:53", &["10.1.2.3", "2603:1030::7"]);
    let probe = asked(Probe::healthy_vault(), &[dual.clone(), lost]);
    assert!(
        !probe.rendered().summary.contains("differ"),
        "a family was lost"
    );
    let ipv4 = gives("10.0.0.5:53", PRIVATE);
    let probe = asked(Probe::healthy_vault(), &[dual, ipv4]);
    assert!(
        probe.rendered().summary.contains("differ"),
        "a family is denied"
    );
}

#[test]
fn only_four_servers_are_told_and_asked() {
    let servers = [1, 2, 3, 4, 5, 6].map(|n| gives(&format!("10.0.0.{n}:53"), PRIVATE));
    let told = source(&servers);
    assert!(told.contains("10.0.0.4:53 gives"), "{told}");
    assert!(told.contains(" and 2 more servers; asked alone"), "{told}");
    assert!(!told.contains("10.0.0.5"), "{told}");
    let command = command(&servers).expect("a command");
    assert_eq!(command.matches("dig ").count(), 4, "{command}");
}

#[test]
fn flapping_is_settled_by_asking_each_server_and_the_only_one_often() {
    assert_eq!(
        command(&[
            gives("10.0.0.4:53", PRIVATE),
            gives("127.0.0.1:5353", PUBLIC)
        ])
        .as_deref(),
        Some(
            "dig +short kv-prod.vault.azure.net A @10.0.0.4; \
             dig +short kv-prod.vault.azure.net A @127.0.0.1 -p 5353"
        )
    );
    assert_eq!(
        command(&[
            gives("10.0.0.10:53", PRIVATE),
            gives("10.0.0.10:53", PUBLIC)
        ])
        .as_deref(),
        Some("for i in 1 2 3 4; do dig +short kv-prod.vault.azure.net A @10.0.0.10; done")
    );
}

#[test]
fn of_a_host_with_ipv6_alone_each_server_is_asked_for_that() {
    let only = command(&[
        gives("10.0.0.10:53", &["fd00::7"]),
        gives("10.0.0.10:53", &["2603:1030::7"]),
    ]);
    assert_eq!(
        only.as_deref(),
        Some("for i in 1 2 3 4; do dig +short kv-prod.vault.azure.net AAAA @10.0.0.10; done")
    );
}

#[test]
fn servers_that_differ_before_anything_flapped_are_told_in_the_summary_of_any_verdict() {
    let servers = [gives("10.0.0.4:53", PRIVATE), gives("10.0.0.5:53", PUBLIC)];
    let told = "; asked one by one, the servers of the resolver pod differ: 10.0.0.4:53 gives \
                10.1.2.3 (private), 10.0.0.5:53 gives 52.168.109.101 (public).";
    let healthy = asked(Probe::healthy_vault(), &servers);
    assert_eq!(healthy.findings(), [], "no row of the contract fits");
    let summary = healthy.rendered().summary;
    assert!(summary.ends_with(told), "{summary}");
    let silent = asked(Probe::healthy_vault().everywhere(times_out), &servers);
    assert_eq!(
        silent.findings(),
        [(Reason::ConnectTimeout, Severity::Fail)]
    );
    let summary = silent.rendered().summary;
    assert!(summary.ends_with(told), "{summary}");
    let summary = flapping(&servers).rendered().summary;
    assert_eq!(summary.matches("10.0.0.5:53").count(), 1, "{summary}");
}

#[test]
fn servers_that_agree_are_nothing_to_tell() {
    let servers = [
        gives("10.0.0.4:53", PRIVATE),
        gives("10.0.0.5:53", &["10.9.9.9"]),
    ];
    let agreeing = asked(Probe::healthy_vault(), &servers).verdict();
    assert_eq!(agreeing, Probe::healthy_vault().verdict());
}
