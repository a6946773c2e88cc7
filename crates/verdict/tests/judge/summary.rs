//! The story of a verdict in one sentence.

use privatelink_verdict::observation::{Handshake, QueryOutcome, Skip, TcpOutcome};
use privatelink_verdict::reason::Reason;
use privatelink_verdict::target::{Expectation, Protocol};

use crate::observed::{
    Change, QueryExt, certificate_of, ends, failed, is_unreachable, name, nodata, not_dialled,
    nxdomain, private_soa, public_soa, refuses, resets, servfail, times_out,
};
use crate::probe::{Probe, VAULT, VAULT_ALIAS, VAULT_ZONE};

fn summary(probe: &Probe) -> String {
    probe.rendered().summary
}

/// A probe for every kind of sentence.
pub(crate) fn every_story() -> Vec<Probe> {
    let changes: [Change; 8] = [
        times_out,
        refuses,
        is_unreachable,
        resets,
        |c| ends(c, TcpOutcome::Error),
        |c| certificate_of(c).covers_name = false,
        |c| c.handshake = Handshake::Interrupted,
        |c| {
            c.handshake = Handshake::Failed;
            c.trouble.handshake_detail = Some("received fatal alert: access denied.".into());
        },
    ];
    let mut probes: Vec<Probe> = changes
        .into_iter()
        .map(|change| Probe::healthy_vault().everywhere(change))
        .collect();
    for outcome in QueryOutcome::ALL {
        probes.push(Probe::of(VAULT).both(failed(*outcome)));
    }
    for soa in [private_soa(VAULT_ZONE), public_soa(VAULT_ZONE)] {
        probes.push(
            Probe::of(VAULT)
                .via([VAULT_ALIAS])
                .both(nxdomain().with_soa(soa.clone())),
        );
        probes.push(Probe::public_vault().asked_for_soa(Some(soa)));
    }
    for expect in Expectation::ALL {
        probes.push(Probe::healthy_vault().expecting(*expect));
        probes.push(Probe::public_vault().expecting(*expect));
        let mixed = Probe::healthy_vault().resolves_to(["10.1.2.3", "52.0.0.1"]);
        probes.push(mixed.expecting(*expect));
    }
    probes.extend([
        Probe::of(VAULT).at_fault("read /etc/resolv.conf", "No such file or directory"),
        Probe::of(VAULT).resolves_to(["0.0.0.0"]),
        Probe::of(VAULT).resolves_to(["52.168.109.101"]),
        Probe::of(VAULT).via([VAULT_ALIAS]).both(nodata()),
        Probe::healthy_vault().expected_in(["10.9.0.0/16"]),
        Probe::healthy_vault().after([&["10.1.2.3"], &["52.0.0.1"]]),
        Probe::healthy_vault().behind_proxy("HTTPS_PROXY"),
        Probe::healthy_vault().evidence(|r| r.search = Some(name("a.example.com", ["192.0.2.1"]))),
        Probe::healthy_vault().must_agree_with(Probe::public_vault().by("node")),
    ]);
    probes
}

#[test]
fn every_summary_is_one_sentence_that_names_the_host() {
    for probe in every_story() {
        let text = summary(&probe);
        assert!(text.starts_with(VAULT), "{text}");
        let body = text.strip_suffix('.').expect("a full stop");
        assert!(!body.ends_with(['.', ' ', ':', ';', ',']), "{text}");
        assert!(!body.contains(". ") && !body.contains("  "), "{text}");
        assert!(body.len() > VAULT.len() + 10, "{text}");
    }
}

#[test]
fn every_finding_has_a_detail() {
    for probe in every_story() {
        for finding in probe.rendered().findings {
            assert!(!finding.detail.is_empty(), "{}", finding.reason);
        }
    }
}

#[test]
fn a_healthy_target_is_told_by_what_was_proved() {
    assert_eq!(
        summary(&Probe::healthy_vault()),
        "kv-prod.vault.azure.net resolves to its private endpoint, 10.1.2.3 (private), and answers \
         on port 443 with the right certificate."
    );
    let tcp = Probe::healthy_vault()
        .with(|target| target.protocol = Protocol::Tcp)
        .everywhere(|c| {
            c.handshake = Handshake::NotApplicable;
            c.certificate = None;
        });
    assert_eq!(
        summary(&tcp),
        "kv-prod.vault.azure.net resolves to its private endpoint, 10.1.2.3 (private), and answers \
         on port 443."
    );
    let dns_only = Probe::healthy_vault().everywhere(|c| not_dialled(c, Skip::DnsOnly));
    assert_eq!(
        summary(&dns_only),
        "kv-prod.vault.azure.net resolves to its private endpoint, 10.1.2.3 (private)."
    );
}

#[test]
fn nothing_is_said_of_a_certificate_that_was_not_seen() {
    let unseen = Probe::healthy_vault().everywhere(|c| c.certificate = None);
    assert!(
        !summary(&unseen).contains("certificate"),
        "{}",
        summary(&unseen)
    );
    let tcp = Probe::healthy_vault().with(|target| target.protocol = Protocol::Tcp);
    assert!(!summary(&tcp).contains("certificate"), "{}", summary(&tcp));
}

#[test]
fn what_a_target_resolves_to_is_told_by_its_expectation() {
    let service = Probe::public_vault().expecting(Expectation::ServiceEndpoint);
    assert!(
        summary(&service).starts_with(
            "kv-prod.vault.azure.net resolves to its public address, as a service endpoint keeps \
             it, 52.168.109.101 (public), and answers"
        ),
        "{}",
        summary(&service)
    );
    for probe in [Probe::public_vault(), Probe::healthy_vault()] {
        let probe = probe.expecting(Expectation::Public);
        let address = &probe.resolution().addresses[0];
        assert!(
            summary(&probe).starts_with(&format!(
                "kv-prod.vault.azure.net resolves to {} ({}), and answers",
                address.ip, address.class
            )),
            "{}",
            summary(&probe)
        );
    }
}

#[test]
fn a_fallback_is_told_with_why_nobody_notices() {
    let probe = Probe::public_vault().asked_for_soa(Some(private_soa(VAULT_ZONE)));
    assert_eq!(
        summary(&probe),
        format!(
            "kv-prod.vault.azure.net falls back to its public address, which still answers: the \
             alias {VAULT_ALIAS} ends at 52.168.109.101 (public), although its zone is answered \
             privately here."
        )
    );
    let dead = Probe::public_vault().everywhere(times_out);
    assert!(
        summary(&dead)
            .starts_with("kv-prod.vault.azure.net falls back to its public address: the alias"),
        "{}",
        summary(&dead)
    );
    let none = Probe::of(VAULT).resolves_to(["52.168.109.101"]);
    assert_eq!(
        summary(&none),
        "kv-prod.vault.azure.net has no private endpoint, though its public address answers: it \
         resolves to 52.168.109.101 (public) without any privatelink alias."
    );
    let dead = none.everywhere(times_out);
    assert_eq!(
        summary(&dead),
        "kv-prod.vault.azure.net has no private endpoint: it resolves to 52.168.109.101 (public) \
         without any privatelink alias."
    );
}

#[test]
fn every_stage_has_its_own_opening() {
    let opening = |probe: Probe, reason: Reason, words: &str| {
        let verdict = probe.rendered();
        assert_eq!(verdict.reason, reason);
        assert!(
            verdict.summary.starts_with(&format!("{VAULT}{words}")),
            "{}",
            verdict.summary
        );
    };
    opening(
        Probe::of(VAULT).at_fault("open a socket", "Too many open files"),
        Reason::AgentError,
        " could not be probed: open a socket: Too many open files.",
    );
    opening(
        Probe::of(VAULT).both(failed(QueryOutcome::Timeout)),
        Reason::DnsTimeout,
        " cannot be resolved: A and AAAA: timeout (10.0.0.10:53, 1 try).",
    );
    opening(
        Probe::of(VAULT).both(nxdomain()),
        Reason::DnsNameNotFound,
        " is not known to DNS here: NXDOMAIN (10.0.0.10:53).",
    );
    opening(
        Probe::healthy_vault().resolves_to(["10.1.2.3", "52.0.0.1"]),
        Reason::MixedAddresses,
        " resolves to private and public addresses at once: 10.1.2.3 (private), 52.0.0.1 (public).",
    );
    opening(
        Probe::healthy_vault().everywhere(times_out),
        Reason::ConnectTimeout,
        " does not answer on port 443: 10.1.2.3:443 timeout.",
    );
    opening(
        Probe::healthy_vault().everywhere(|c| certificate_of(c).covers_name = false),
        Reason::TlsNameMismatch,
        " gets a certificate for other names: 10.1.2.3 presents a certificate for *.vault.azure.net.",
    );
    opening(
        Probe::healthy_vault().everywhere(|c| c.handshake = Handshake::Interrupted),
        Reason::TlsInterrupted,
        " connects, but completes no handshake: 10.1.2.3: the peer closed",
    );
    opening(
        Probe::healthy_vault().aaaa(servfail()),
        Reason::DnsDegraded,
        " resolves, but not without trouble: AAAA: SERVFAIL",
    );
    opening(
        Probe::healthy_vault().after([&["10.1.2.3"], &["52.0.0.1"]]),
        Reason::AddressFlapping,
        " resolves now to one class of address, now to another: 2 changes",
    );
}

#[test]
fn nothing_is_said_twice() {
    for probe in every_story() {
        let text = summary(&probe);
        let host = text.matches(VAULT).count();
        // The alias of a vault does not hold its host's name.
        assert_eq!(host, 1, "{text}");
    }
    let silent = summary(&Probe::of(VAULT).both(failed(QueryOutcome::Timeout)));
    assert_eq!(silent.matches("timeout").count(), 1, "{silent}");
    let truncated = failed(QueryOutcome::Truncated)
        .with_detail("truncated over UDP, and TCP to 10.0.0.10:53 fails: connection refused");
    assert_eq!(
        summary(&Probe::of(VAULT).both(truncated)),
        "kv-prod.vault.azure.net cannot be resolved: A and AAAA: truncated over UDP, and TCP to \
         10.0.0.10:53 fails: connection refused."
    );
    let only = "orders.private.postgres.database.azure.com";
    assert_eq!(
        summary(&Probe::of(only).both(nxdomain())),
        format!(
            "{only}: the name exists only in the private zone private.postgres.database.azure.com, \
             and here it is NXDOMAIN."
        )
    );
}

#[test]
fn families_that_fail_unlike_each_other_are_both_told() {
    assert_eq!(
        summary(
            &Probe::of(VAULT)
                .a(failed(QueryOutcome::Timeout))
                .aaaa(servfail())
        ),
        "kv-prod.vault.azure.net cannot be resolved: A: timeout (10.0.0.10:53, 1 try)."
    );
    let slower = failed(QueryOutcome::Timeout).after_tries(2);
    assert_eq!(
        summary(
            &Probe::of(VAULT)
                .a(failed(QueryOutcome::Timeout))
                .aaaa(slower)
        ),
        "kv-prod.vault.azure.net cannot be resolved: A: timeout (10.0.0.10:53, 1 try); AAAA: \
         timeout (10.0.0.10:53, 2 tries)."
    );
}

#[test]
fn where_the_paths_disagree_the_summary_says_who_goes_where() {
    let node = |probe: Probe| probe.by("node");
    let private_node = || node(Probe::healthy_vault());
    for (probe, told) in [
        (
            Probe::public_vault().must_agree_with(private_node()),
            "; the node resolves it privately, pods do not: applications will go public.",
        ),
        (
            node(Probe::public_vault()).must_agree_with(Probe::healthy_vault()),
            "; pods resolve it privately, the node does not: image pulls and CSI mounts will go \
             public.",
        ),
        (
            Probe::of(VAULT)
                .both(failed(QueryOutcome::Timeout))
                .must_agree_with(private_node()),
            "; the node resolves it privately, pods not at all: applications will fail.",
        ),
        (
            Probe::public_vault().must_agree_with(Probe::healthy_vault().by("10.0.0.5:53")),
            "; that is the path pod, while 10.0.0.5:53 gives 10.1.2.3 (private).",
        ),
    ] {
        let summary = summary(&probe);
        assert!(summary.ends_with(told), "{summary}");
    }
}

#[test]
fn a_disagreement_that_is_the_story_is_told_once() {
    let probe = Probe::healthy_vault().must_agree_with(Probe::public_vault().by("node"));
    let summary = summary(&probe);
    assert_eq!(summary.matches("go public").count(), 1, "{summary}");
    assert!(summary.contains(": the path pod gives"), "{summary}");
}

#[test]
fn paths_that_agree_or_may_differ_or_cannot_be_compared_are_no_part_of_the_story() {
    let alone = summary(&Probe::public_vault());
    let silent = || Probe::of(VAULT).both(failed(QueryOutcome::Timeout));
    for probe in [
        Probe::public_vault().must_agree_with(Probe::public_vault().by("node")),
        Probe::public_vault().may_differ_from(Probe::healthy_vault().by("node")),
        Probe::public_vault().must_agree_with(silent().by("node")),
    ] {
        assert_eq!(summary(&probe), alone);
    }
    let probe = silent().must_agree_with(silent().by("node"));
    assert_eq!(summary(&probe), summary(&silent()));
}
