//! Whether the handshake completes, and the certificate is the right one.

use privatelink_verdict::fact::{Fact, TlsFact};
use privatelink_verdict::names::Names;
use privatelink_verdict::observation::{Connection, Handshake, TlsOutcome, Trust};
use privatelink_verdict::reason::{Reason, Severity};
use privatelink_verdict::verdict::{Confidence, Outcome};

use crate::observed::{Change, DAY, NOW, certificate, certificate_of, refuses};
use crate::probe::{Probe, VAULT, VAULT_ALIAS, ip};
use crate::rendered::rendered;
use Severity::Fail;

fn is_for_other_names(connection: &mut Connection) {
    let certificate = certificate_of(connection);
    certificate.covers_name = false;
    certificate.leaf_mut().names = ["*.example.com", "example.com"].iter().collect();
}

fn is_of_unknown_issuer(connection: &mut Connection) {
    let certificate = certificate_of(connection);
    certificate.trust = Trust::UnknownIssuer;
    certificate.leaf_mut().issuer = "CN=Corp Inspection CA".into();
}

fn has_expired(connection: &mut Connection) {
    certificate_of(connection).leaf_mut().not_after = NOW - 3 * DAY;
}

fn begins_later(connection: &mut Connection) {
    certificate_of(connection).leaf_mut().not_before = NOW + 5 * 3600;
}

fn cannot_serve(connection: &mut Connection) {
    certificate_of(connection).trust = Trust::Invalid("it is for clients".to_owned());
}

fn has_an_expired_issuer(connection: &mut Connection) {
    certificate_of(connection).trust = Trust::ChainExpired;
}

/// The only finding of a vault whose connections are changed so.
fn found(change: Change) -> (Reason, Severity, String) {
    let probe = Probe::healthy_vault().everywhere(change);
    let [(reason, severity)] = probe.findings()[..] else {
        panic!("{:#?}", probe.verdict())
    };
    let finding = probe.finding(reason);
    assert_eq!(finding.address, Some(ip("10.1.2.3")));
    (reason, severity, finding.detail)
}

#[test]
fn each_defect_of_a_certificate_has_its_own_reason() {
    let expected: [(Change, Reason, &str); 6] = [
        (
            is_for_other_names,
            Reason::TlsNameMismatch,
            "10.1.2.3 presents a certificate for *.example.com, example.com, \
             not kv-prod.vault.azure.net",
        ),
        (
            is_of_unknown_issuer,
            Reason::TlsUntrustedIssuer,
            "10.1.2.3 presents a certificate of an unknown issuer: CN=Corp Inspection CA",
        ),
        (
            has_expired,
            Reason::TlsCertificateExpired,
            "the certificate of 10.1.2.3 expired 3 days ago",
        ),
        (
            has_an_expired_issuer,
            Reason::TlsCertificateExpired,
            "an issuer's certificate in the chain of 10.1.2.3 has expired",
        ),
        (
            begins_later,
            Reason::TlsCertificateNotYetValid,
            "the certificate of 10.1.2.3 begins in 5 hours",
        ),
        (
            cannot_serve,
            Reason::TlsCertificateInvalid,
            "10.1.2.3 presents a certificate that cannot serve TLS: it is for clients",
        ),
    ];
    for (defect, reason, detail) in expected {
        assert_eq!(found(defect), (reason, Fail, detail.to_owned()));
    }
}

#[test]
fn the_name_the_issuer_and_the_dates_are_judged_each_by_itself() {
    let probe = Probe::healthy_vault()
        .everywhere(is_for_other_names)
        .everywhere(is_of_unknown_issuer)
        .everywhere(has_expired);
    assert_eq!(
        probe.findings(),
        [
            (Reason::TlsNameMismatch, Fail),
            (Reason::TlsUntrustedIssuer, Fail),
            (Reason::TlsCertificateExpired, Fail),
        ]
    );
}

#[test]
fn an_expired_certificate_of_an_expired_issuer_is_told_once() {
    let probe = Probe::healthy_vault()
        .everywhere(has_expired)
        .everywhere(has_an_expired_issuer);
    assert_eq!(
        probe.finding(Reason::TlsCertificateExpired).detail,
        "the certificate of 10.1.2.3 expired 3 days ago"
    );
}

#[test]
fn a_certificate_is_judged_even_when_the_handshake_fails_after_it() {
    let probe = Probe::healthy_vault().everywhere(|c| {
        is_of_unknown_issuer(c);
        c.handshake = Handshake::Failed;
        c.trouble.handshake_detail = Some("the peer asks for a client certificate".into());
    });
    assert_eq!(
        probe.findings(),
        [
            (Reason::TlsUntrustedIssuer, Fail),
            (Reason::TlsHandshakeFailed, Fail)
        ]
    );
}

#[test]
fn names_are_listed_up_to_five() {
    let names = |count: usize| (0..count).map(|n| format!("n{n}.example.com"));
    let named = |count: usize| {
        let mut observation = Probe::healthy_vault().observation();
        let certificate = certificate_of(&mut observation.connections[0]);
        certificate.covers_name = false;
        certificate.leaf_mut().names = names(count).collect();
        let probe = Probe::healthy_vault();
        let verdict = privatelink_verdict::judge::judge(
            &probe.target,
            &observation,
            &probe.history(),
            &privatelink_verdict::surroundings::Surroundings::default(),
        );
        rendered(&probe.target, &observation, &verdict).findings[0]
            .detail
            .clone()
    };
    assert_eq!(
        named(5),
        "10.1.2.3 presents a certificate for n0.example.com, n1.example.com, n2.example.com, \
         n3.example.com, n4.example.com, not kv-prod.vault.azure.net"
    );
    assert_eq!(
        named(7),
        "10.1.2.3 presents a certificate for n0.example.com, n1.example.com, n2.example.com, \
         n3.example.com, n4.example.com and 2 more, not kv-prod.vault.azure.net"
    );
    assert!(named(20).contains("n4.example.com and 15 more, not"));
    assert_eq!(
        named(0),
        "10.1.2.3 presents a certificate without any DNS name (subject CN=vault.azure.net), \
         not kv-prod.vault.azure.net"
    );
    let nameless = found(|c| {
        is_for_other_names(c);
        let certificate = certificate_of(c);
        let leaf = certificate.leaf_mut();
        (leaf.names, leaf.subject) = (Names::default(), Box::default());
    });
    assert!(nameless.2.contains("(subject empty)"), "{}", nameless.2);
}

#[test]
fn a_privatelink_host_is_told_to_use_the_public_name() {
    let probe = Probe::of(VAULT_ALIAS)
        .resolves_to(["10.1.2.3"])
        .everywhere(is_for_other_names);
    assert_eq!(probe.findings(), [(Reason::PrivatelinkHostUsed, Fail)]);
    assert_eq!(
        probe.finding(Reason::PrivatelinkHostUsed).detail,
        format!(
            "{VAULT_ALIAS} is a privatelink name, which no certificate covers; 10.1.2.3 presents \
             a certificate for *.example.com, example.com"
        )
    );
    let covered = Probe::of("aks-1.privatelink.westeurope.azmk8s.io").resolves_to(["10.1.2.3"]);
    assert_eq!(
        covered.findings(),
        [],
        "an API server's certificate covers it"
    );
}

#[test]
fn a_privatelink_host_with_another_server_name_presents_a_wrong_certificate() {
    let probe = Probe::of(VAULT_ALIAS)
        .with(|target| target.server_name = Some(VAULT.into()))
        .resolves_to(["10.1.2.3"])
        .everywhere(is_for_other_names);
    assert_eq!(probe.findings(), [(Reason::TlsNameMismatch, Fail)]);
    let reverse = Probe::healthy_vault()
        .with(|target| target.server_name = Some(VAULT_ALIAS.into()))
        .everywhere(is_for_other_names);
    assert_eq!(reverse.findings(), [(Reason::TlsNameMismatch, Fail)]);
}

#[test]
fn a_handshake_that_does_not_complete_has_its_own_reason() {
    let expected: [(Change, Reason, &str); 3] = [
        (
            |c| c.handshake = Handshake::Timeout,
            Reason::TlsTimeout,
            "10.1.2.3: no answer to the handshake in time",
        ),
        (
            |c| c.handshake = Handshake::Interrupted,
            Reason::TlsInterrupted,
            "10.1.2.3: the peer closed the connection during the handshake",
        ),
        (
            |c| {
                c.handshake = Handshake::Failed;
                c.trouble.handshake_detail = Some("received corrupt message".into());
            },
            Reason::TlsHandshakeFailed,
            "10.1.2.3: received corrupt message",
        ),
    ];
    for (change, reason, detail) in expected {
        assert_eq!(found(change), (reason, Fail, detail.to_owned()));
    }
}

#[test]
fn a_handshake_that_was_not_needed_is_no_finding() {
    for handshake in [Handshake::Skipped, Handshake::NotApplicable] {
        let mut observation = Probe::healthy_vault().observation();
        observation.connections[0].handshake = handshake;
        observation.connections[0].certificate = None;
        let probe = Probe::healthy_vault();
        let verdict = privatelink_verdict::judge::judge(
            &probe.target,
            &observation,
            &probe.history(),
            &privatelink_verdict::surroundings::Surroundings::default(),
        );
        assert_eq!(verdict.outcome, Outcome::Pass, "{handshake}");
    }
}

#[test]
fn addresses_with_different_certificates_are_told_apart() {
    let probe = Probe::healthy_vault()
        .resolves_to(["10.1.2.3", "10.1.2.4", "10.1.2.5"])
        .at("10.1.2.4", is_for_other_names)
        .at("10.1.2.5", has_expired)
        .at("10.1.2.5", is_for_other_names);
    assert_eq!(
        probe.findings(),
        [
            (Reason::TlsNameMismatch, Fail),
            (Reason::TlsCertificateExpired, Fail)
        ]
    );
    let mismatch = probe.finding(Reason::TlsNameMismatch);
    assert_eq!(mismatch.address, Some(ip("10.1.2.4")));
    let mismatched = probe.facts(Reason::TlsNameMismatch).into_iter();
    let mismatched: Vec<_> = mismatched
        .map(|fact| match fact {
            Fact::Tls(TlsFact::OtherNames { ip, .. }) => ip,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(mismatched, [ip("10.1.2.4"), ip("10.1.2.5")]);
    assert_eq!(
        probe.finding(Reason::TlsCertificateExpired).address,
        Some(ip("10.1.2.5"))
    );
}

#[test]
fn an_address_whose_text_ends_with_another_is_a_fact_of_its_own() {
    let probe = Probe::of(VAULT)
        .expecting(privatelink_verdict::target::Expectation::Public)
        .resolves_to(["152.1.2.3", "52.1.2.3"])
        .everywhere(|c| c.handshake = Handshake::Timeout);
    assert_eq!(
        probe.finding(Reason::TlsTimeout).detail,
        "152.1.2.3: no answer to the handshake in time; \
         52.1.2.3: no answer to the handshake in time"
    );
}

#[test]
fn what_did_not_connect_has_no_handshake_to_judge() {
    let probe = Probe::healthy_vault().everywhere(refuses);
    assert_eq!(probe.findings(), [(Reason::ConnectRefused, Fail)]);
}

#[test]
fn one_word_tells_handshake_and_certificate_together() {
    let told = |change: Change| {
        let mut observation = Probe::healthy_vault().observation();
        change(&mut observation.connections[0]);
        observation.connections[0].tls()
    };
    assert_eq!(told(|_| ()), TlsOutcome::Ok);
    assert_eq!(told(|c| c.certificate = None), TlsOutcome::Ok);
    assert_eq!(told(is_for_other_names), TlsOutcome::NameMismatch);
    assert_eq!(told(is_of_unknown_issuer), TlsOutcome::Untrusted);
    assert_eq!(told(has_expired), TlsOutcome::Expired);
    assert_eq!(told(has_an_expired_issuer), TlsOutcome::Expired);
    assert_eq!(told(begins_later), TlsOutcome::NotYetValid);
    assert_eq!(told(cannot_serve), TlsOutcome::Invalid);
    assert_eq!(
        told(|c| c.handshake = Handshake::Timeout),
        TlsOutcome::Timeout
    );
    assert_eq!(
        told(|c| c.handshake = Handshake::Interrupted),
        TlsOutcome::Interrupted
    );
    assert_eq!(
        told(|c| c.handshake = Handshake::Skipped),
        TlsOutcome::Skipped
    );
    assert_eq!(
        told(|c| c.handshake = Handshake::NotApplicable),
        TlsOutcome::NotApplicable
    );
    // A failed handshake is told by its certificate where that is the cause.
    assert_eq!(
        told(|c| c.handshake = Handshake::Failed),
        TlsOutcome::Failed
    );
    assert_eq!(
        told(|c| {
            has_expired(c);
            c.handshake = Handshake::Failed;
        }),
        TlsOutcome::Expired
    );
}

#[test]
fn a_chain_that_is_not_followed_to_its_end_is_of_an_issuer_that_is_not_known_for_certain() {
    let probe = Probe::healthy_vault().everywhere(|connection| {
        let (issuers, tried) = (40, 6);
        certificate_of(connection).trust = Trust::NotFollowed { issuers, tried };
    });
    assert_eq!(probe.findings(), [(Reason::TlsUntrustedIssuer, Fail)]);
    let finding = probe.finding(Reason::TlsUntrustedIssuer);
    assert_eq!(finding.confidence, Confidence::Medium);
    assert!(
        finding.detail.contains("sends 40 certificates"),
        "{}",
        finding.detail
    );
}

#[test]
fn of_several_defects_one_word_tells_the_first_of_the_table() {
    let mut worst = certificate();
    worst.covers_name = false;
    worst.trust = Trust::UnknownIssuer;
    let leaf = worst.leaf_mut();
    (leaf.not_before, leaf.not_after) = (NOW + 1, NOW - 1);
    assert_eq!(worst.outcome(), TlsOutcome::NameMismatch);
    worst.covers_name = true;
    assert_eq!(worst.outcome(), TlsOutcome::Untrusted);
    worst.trust = Trust::Invalid(String::new());
    assert_eq!(worst.outcome(), TlsOutcome::Expired);
    worst.leaf_mut().not_after = NOW;
    assert_eq!(worst.outcome(), TlsOutcome::NotYetValid);
    worst.leaf_mut().not_before = NOW;
    assert_eq!(worst.outcome(), TlsOutcome::Invalid);
    worst.trust = Trust::CaFile;
    assert_eq!(worst.outcome(), TlsOutcome::Ok);
}
