//! Whether a certificate is valid now, and for how long still.

use std::time::Duration;

use privatelink_verdict::fact::TlsFact;
use privatelink_verdict::observation::Trust;
use privatelink_verdict::reason::{Reason, Severity};
use privatelink_verdict::verdict::Outcome;

use crate::observed::{Change, DAY, NOW, certificate_of};
use crate::probe::Probe;
use Severity::{Fail, Warn};

#[test]
fn a_certificate_that_ends_within_the_warning_is_expiring() {
    let ending = |left: i64| {
        let mut observation = Probe::healthy_vault().observation();
        certificate_of(&mut observation.connections[0])
            .leaf_mut()
            .not_after = NOW + left;
        let probe = Probe::healthy_vault();
        privatelink_verdict::judge::judge(
            &probe.target,
            &observation,
            &probe.history(),
            &privatelink_verdict::surroundings::Surroundings::default(),
        )
    };
    let fortnight = 14 * DAY;
    assert_eq!(ending(fortnight).findings, []);
    let soon = ending(fortnight - 1);
    assert_eq!(soon.reason, Reason::TlsCertificateExpiring);
    assert_eq!(soon.outcome, Outcome::Warn);
    let (ip, seconds) = (crate::probe::ip("10.1.2.3"), fortnight - 1);
    assert_eq!(
        soon.findings[0].facts,
        [TlsFact::CertificateEnds { ip, seconds }.into()]
    );
    // The last second of validity counts (RFC 5280 section 4.1.2.5).
    assert_eq!(ending(0).reason, Reason::TlsCertificateExpiring);
    assert_eq!(ending(-1).reason, Reason::TlsCertificateExpired);
    let expired = TlsFact::CertificateExpired { ip, seconds: 1 };
    assert_eq!(ending(-1).findings[0].facts, [expired.into()]);
}

#[test]
fn a_warning_of_no_time_is_no_warning_and_one_without_end_always_is() {
    let ends_now: Change = |c| certificate_of(c).leaf_mut().not_after = NOW;
    let never = Probe::healthy_vault()
        .everywhere(ends_now)
        .with(|target| target.expiry_warning = Duration::ZERO);
    assert_eq!(never.findings(), []);
    let always = Probe::healthy_vault().with(|target| target.expiry_warning = Duration::MAX);
    assert_eq!(always.findings(), [(Reason::TlsCertificateExpiring, Warn)]);
}

#[test]
fn dates_at_the_ends_of_time_are_judged_too() {
    let forever = Probe::healthy_vault().everywhere(|c| {
        let certificate = certificate_of(c);
        let leaf = certificate.leaf_mut();
        (leaf.not_before, leaf.not_after) = (i64::MIN, i64::MAX);
    });
    assert_eq!(forever.findings(), []);
    let long_ago =
        Probe::healthy_vault().everywhere(|c| certificate_of(c).leaf_mut().not_after = i64::MIN);
    assert_eq!(long_ago.findings(), [(Reason::TlsCertificateExpired, Fail)]);
    let never =
        Probe::healthy_vault().everywhere(|c| certificate_of(c).leaf_mut().not_before = i64::MAX);
    assert_eq!(
        never.findings(),
        [(Reason::TlsCertificateNotYetValid, Fail)]
    );
}

#[test]
fn a_certificate_begins_with_its_first_second() {
    let begins = |at: i64| {
        let mut observation = Probe::healthy_vault().observation();
        certificate_of(&mut observation.connections[0])
            .leaf_mut()
            .not_before = at;
        let probe = Probe::healthy_vault();
        privatelink_verdict::judge::judge(
            &probe.target,
            &observation,
            &probe.history(),
            &privatelink_verdict::surroundings::Surroundings::default(),
        )
        .reason
    };
    assert_eq!(begins(NOW), Reason::Ok);
    assert_eq!(begins(NOW + 1), Reason::TlsCertificateNotYetValid);
}

#[test]
fn an_invalid_certificate_is_not_expiring_as_well() {
    let probe = Probe::healthy_vault()
        .everywhere(|c| {
            certificate_of(c).trust = Trust::Invalid("it is for clients".to_owned());
        })
        .everywhere(|c| {
            certificate_of(c).leaf_mut().not_after = NOW;
        });
    assert_eq!(probe.findings(), [(Reason::TlsCertificateInvalid, Fail)]);
}
