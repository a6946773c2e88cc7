//! What the answers, or their absence, say about names and zones.

use privatelink_verdict::observation::{QueryOutcome, Rcode};
use privatelink_verdict::reason::{Reason, Severity};
use privatelink_verdict::verdict::Outcome;

use crate::observed::{QueryExt, answer, failed, name, nodata, nxdomain, servfail};
use crate::probe::{Probe, VAULT, ip};
use Severity::{Fail, Info, Warn};

#[test]
fn a_fault_of_ours_is_the_agents() {
    let probe = Probe::of(VAULT).at_fault("read /etc/resolv.conf", "No such file or directory");
    assert_eq!(probe.findings(), [(Reason::AgentError, Fail)]);
    assert_eq!(
        probe.finding(Reason::AgentError).detail,
        "read /etc/resolv.conf: No such file or directory"
    );
}

#[test]
fn a_query_that_fails_for_both_families_has_its_own_reason() {
    for (outcome, reason) in [
        (QueryOutcome::Timeout, Reason::DnsTimeout),
        (QueryOutcome::Unreachable, Reason::DnsServerUnreachable),
        (QueryOutcome::ServerFailure, Reason::DnsServerFailure),
        (QueryOutcome::Truncated, Reason::DnsTcpFailed),
        (QueryOutcome::Invalid, Reason::DnsInvalidAnswer),
    ] {
        let probe = Probe::of(VAULT).both(failed(outcome));
        assert_eq!(probe.findings(), [(reason, Fail)], "{outcome}");
    }
}

#[test]
fn a_failed_family_outranks_a_negative_one_when_there_is_no_address() {
    for negative in [nodata(), nxdomain()] {
        let probe = Probe::of(VAULT).a(negative.clone()).aaaa(servfail());
        assert_eq!(probe.findings(), [(Reason::DnsServerFailure, Fail)]);
        let probe = Probe::of(VAULT)
            .a(failed(QueryOutcome::Timeout))
            .aaaa(negative);
        assert_eq!(probe.findings(), [(Reason::DnsTimeout, Fail)]);
    }
}

#[test]
fn of_two_failed_families_the_row_that_comes_first_decides() {
    let probe = Probe::of(VAULT)
        .a(servfail())
        .aaaa(failed(QueryOutcome::Timeout));
    assert_eq!(probe.findings(), [(Reason::DnsTimeout, Fail)]);
    let probe = Probe::of(VAULT)
        .a(failed(QueryOutcome::Invalid))
        .aaaa(failed(QueryOutcome::Unreachable));
    assert_eq!(probe.findings(), [(Reason::DnsServerUnreachable, Fail)]);
}

#[test]
fn a_failure_is_told_with_its_family_server_tries_and_rcode() {
    let detail = |probe: Probe, reason| probe.finding(reason).detail;
    assert_eq!(
        detail(
            Probe::of(VAULT).both(failed(QueryOutcome::Timeout).after_tries(6)),
            Reason::DnsTimeout
        ),
        "A and AAAA: timeout (10.0.0.10:53, 6 tries)"
    );
    let mut refused = servfail();
    refused.rcode = Some(Rcode(5));
    assert_eq!(
        detail(
            Probe::of(VAULT).a(refused).aaaa(nodata()),
            Reason::DnsServerFailure
        ),
        "A: REFUSED (10.0.0.10:53, 1 try)"
    );
    let mut looping = failed(QueryOutcome::Invalid).with_detail("the chain loops at a.example.com");
    (looping.server, looping.rcode) = (None, Some(Rcode(0)));
    assert_eq!(
        detail(
            Probe::of(VAULT).a(looping).aaaa(nodata()),
            Reason::DnsInvalidAnswer
        ),
        "A: invalid: the chain loops at a.example.com"
    );
}

#[test]
fn one_family_that_fails_beside_an_answer_is_only_degraded() {
    for outcome in [
        QueryOutcome::Timeout,
        QueryOutcome::Unreachable,
        QueryOutcome::ServerFailure,
        QueryOutcome::Truncated,
        QueryOutcome::Invalid,
    ] {
        let probe = Probe::healthy_vault().aaaa(failed(outcome));
        assert_eq!(probe.findings(), [(Reason::DnsDegraded, Warn)], "{outcome}");
        assert_eq!(probe.verdict().outcome, Outcome::Warn);
    }
    let detail = Probe::healthy_vault()
        .aaaa(servfail())
        .finding(Reason::DnsDegraded)
        .detail;
    assert_eq!(
        detail,
        "AAAA: SERVFAIL (10.0.0.10:53, 1 try); some clients then fail the whole name"
    );
}

#[test]
fn an_answer_after_a_lost_try_is_degraded() {
    let probe = Probe::healthy_vault().a(answer().after_tries(2));
    assert_eq!(probe.findings(), [(Reason::DnsDegraded, Warn)]);
    assert_eq!(
        probe.finding(Reason::DnsDegraded).detail,
        "A answered only at try 2: an earlier try was lost"
    );
    let probe = Probe::healthy_vault().aaaa(
        nodata()
            .after_tries(3)
            .with_detail("10.0.0.10:53: timeout, then another server"),
    );
    assert_eq!(
        probe.finding(Reason::DnsDegraded).detail,
        "AAAA answered only at try 3: 10.0.0.10:53: timeout, then another server"
    );
}

#[test]
fn an_answer_only_without_edns_is_degraded() {
    let probe = Probe::healthy_vault().a(answer()
        .after_tries(1)
        .with_detail("the server refuses EDNS"));
    assert_eq!(probe.findings(), [(Reason::DnsDegraded, Warn)]);
    assert_eq!(
        probe.finding(Reason::DnsDegraded).detail,
        "A answered only when asked again: the server refuses EDNS"
    );
}

#[test]
fn a_negative_answer_after_a_lost_try_is_degraded_besides() {
    let probe = Probe::of(VAULT)
        .a(nxdomain().after_tries(2))
        .aaaa(nxdomain());
    assert_eq!(
        probe.findings(),
        [(Reason::DnsNameNotFound, Fail), (Reason::DnsDegraded, Warn)]
    );
}

#[test]
fn a_family_that_fails_altogether_is_not_degraded_as_well() {
    let probe = Probe::of(VAULT)
        .a(servfail().after_tries(4))
        .aaaa(failed(QueryOutcome::Timeout).after_tries(4));
    assert_eq!(probe.findings(), [(Reason::DnsTimeout, Fail)]);
    let probe = Probe::of(VAULT).a(servfail().after_tries(4)).aaaa(nodata());
    assert_eq!(probe.findings(), [(Reason::DnsServerFailure, Fail)]);
}

#[test]
fn what_the_search_list_captures_is_told() {
    let captured = name(
        "kv-prod.vault.azure.net.corp.example.com",
        ["192.0.2.7", "192.0.2.8", "192.0.2.9", "192.0.2.10"],
    );
    let probe = Probe::healthy_vault().evidence(|r| r.search = Some(captured));
    assert_eq!(probe.findings(), [(Reason::DnsSearchCapture, Warn)]);
    let finding = probe.finding(Reason::DnsSearchCapture);
    assert_eq!(finding.address, Some(ip("192.0.2.7")));
    assert_eq!(
        finding.detail,
        "the search list turns the name into \
         kv-prod.vault.azure.net.corp.example.com = 192.0.2.7, 192.0.2.8, 192.0.2.9"
    );
}

#[test]
fn a_stale_answer_is_worth_knowing_and_nothing_more() {
    for code in [3, 19] {
        let mut query = answer();
        query.trouble.extended_errors = vec![15, code];
        for probe in [
            Probe::healthy_vault().a(query),
            Probe::healthy_vault().evidence(|r| r.evidence.extended_errors = vec![code]),
        ] {
            assert_eq!(probe.findings(), [(Reason::DnsStaleAnswer, Info)]);
            assert_eq!(probe.verdict().outcome, Outcome::Pass);
            assert_eq!(probe.verdict().reason, Reason::Ok);
        }
    }
    let other = Probe::healthy_vault().evidence(|r| r.evidence.extended_errors = vec![4, 18, 22]);
    assert_eq!(other.findings(), []);
}
