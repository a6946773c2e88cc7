//! Which finding is primary, and what follows from it.

use privatelink_verdict::observation::{Handshake, QueryOutcome, Trust};
use privatelink_verdict::reason::{Reason, Severity, Stage};
use privatelink_verdict::target::Expectation;
use privatelink_verdict::verdict::Outcome;

use crate::observed::{
    DAY, NOW, answer, certificate_of, failed, name, nxdomain, servfail, times_out,
};
use crate::probe::{Probe, VAULT};
use Severity::{Fail, Info, Warn};

#[test]
fn nothing_found_is_ok_of_no_stage() {
    let verdict = Probe::healthy_vault().verdict();
    assert_eq!(verdict.outcome, Outcome::Pass);
    assert_eq!((verdict.reason, verdict.stage()), (Reason::Ok, Stage::None));
    assert_eq!(verdict.findings, []);
}

#[test]
fn information_is_never_primary() {
    let probe = Probe::healthy_vault()
        .evidence(|r| r.evidence.extended_errors = vec![3])
        .everywhere(|c| certificate_of(c).trust = Trust::CaFile)
        .must_agree_with(Probe::of(VAULT).by("node").both(servfail()));
    assert_eq!(
        probe.findings(),
        [
            (Reason::DnsStaleAnswer, Info),
            (Reason::ResolverUnavailable, Info),
            (Reason::TlsPrivateRoot, Info),
        ]
    );
    let verdict = probe.verdict();
    assert_eq!(verdict.outcome, Outcome::Pass);
    assert_eq!((verdict.reason, verdict.stage()), (Reason::Ok, Stage::None));
}

#[test]
fn a_warning_warns_and_a_failure_fails() {
    let warned = Probe::healthy_vault().behind_proxy("HTTPS_PROXY").verdict();
    assert_eq!(warned.outcome, Outcome::Warn);
    assert_eq!(warned.reason, Reason::ProxyWouldBeUsed);
    assert_eq!(warned.stage(), Stage::Address);
    let failed = Probe::public_vault().verdict();
    assert_eq!(failed.outcome, Outcome::Fail);
    assert_eq!(failed.reason, Reason::PublicFallback);
}

#[test]
fn severity_comes_before_stage_and_stage_before_row() {
    let probe = Probe::public_vault()
        .a(answer().after_tries_lost())
        .evidence(|r| {
            r.search = Some(name("kv.corp.example.com", ["192.0.2.7"]));
            r.evidence.extended_errors = vec![19];
        })
        .behind_proxy("HTTPS_PROXY")
        .everywhere(|c| {
            let certificate = certificate_of(c);
            certificate.covers_name = false;
            certificate.leaf_mut().not_after = NOW + DAY;
            c.handshake = Handshake::Failed;
        });
    assert_eq!(
        probe.findings(),
        [
            (Reason::PublicFallback, Fail),
            (Reason::TlsNameMismatch, Fail),
            (Reason::TlsHandshakeFailed, Fail),
            (Reason::DnsDegraded, Warn),
            (Reason::DnsSearchCapture, Warn),
            (Reason::ProxyWouldBeUsed, Warn),
            (Reason::TlsCertificateExpiring, Warn),
            (Reason::DnsStaleAnswer, Info),
        ]
    );
    let verdict = probe.verdict();
    assert_eq!(verdict.reason, Reason::PublicFallback);
    assert!(verdict.found(Reason::DnsStaleAnswer));
    assert!(!verdict.found(Reason::DnsTimeout));
}

#[test]
fn a_softened_reason_gives_way_to_a_later_failure() {
    let probe = Probe::public_vault()
        .expecting(Expectation::Auto)
        .everywhere(times_out);
    assert_eq!(
        probe.findings(),
        [
            (Reason::ConnectTimeout, Fail),
            (Reason::PublicFallback, Warn)
        ]
    );
    assert_eq!(probe.verdict().reason, Reason::ConnectTimeout);
}

#[test]
fn a_public_address_fails_however_well_everything_goes() {
    for probe in [
        Probe::public_vault(),
        Probe::of(VAULT).resolves_to(["52.168.109.101"]),
    ] {
        assert_eq!(probe.verdict().outcome, Outcome::Fail);
    }
}

#[test]
fn every_finding_is_of_the_stage_of_its_reason_and_in_order() {
    let probes = [
        Probe::of(VAULT).both(failed(QueryOutcome::Timeout)),
        Probe::of(VAULT).both(nxdomain()),
        Probe::public_vault().everywhere(times_out),
        Probe::healthy_vault().resolves_to(["10.1.2.3", "52.0.0.1", "0.0.0.0"]),
    ];
    for probe in probes {
        let findings = probe.findings();
        let keys: Vec<_> = findings
            .iter()
            .map(|(reason, severity)| (std::cmp::Reverse(*severity), reason.stage(), *reason))
            .collect();
        assert!(keys.is_sorted(), "{keys:?}");
        assert_eq!(probe.verdict().reason, findings[0].0);
    }
}

trait Lost {
    fn after_tries_lost(self) -> Self;
}

impl Lost for privatelink_verdict::observation::Query {
    fn after_tries_lost(mut self) -> Self {
        (self.tries, self.degraded) = (2, true);
        self
    }
}
