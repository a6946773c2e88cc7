//! What the service's own reply proves of the path to it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use privatelink_verdict::fact::{Fact, ServiceFact};
use privatelink_verdict::observation::{Connection, Handshake, NoReply, ServiceReply, TcpOutcome};
use privatelink_verdict::reason::{Reason, Severity};
use privatelink_verdict::service_evidence::{Reply, ReplyOutcome};
use privatelink_verdict::target::{Expectation, Protocol};
use privatelink_verdict::verdict::Outcome;

use crate::observed::{Change, ends, has_no_route, refuses};
use crate::probe::{Probe, VAULT, ip};
use Severity::{Fail, Info, Warn};

const SEEN: &str = "x-ms-keyvault-network-info";

fn replies(connection: &mut Connection, reply: Result<Reply, NoReply>) {
    connection.service = Some(Arc::new(ServiceReply {
        reply,
        checked_at: SystemTime::UNIX_EPOCH,
    }));
}

fn reply(status: u16, headers: &[(&str, &str)], body: &str) -> Reply {
    let headers = headers.iter();
    Reply {
        status,
        headers: headers
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        body: body.to_owned(),
    }
}

fn arrives_privately(connection: &mut Connection) {
    let seen = "conn_type=PrivateLink;addr=10.7.7.7;act_addr_fam=InterNetwork;";
    replies(connection, Ok(reply(200, &[(SEEN, seen)], "")));
}

fn arrives_publicly(connection: &mut Connection) {
    let seen = "conn_type=Ipv4;addr=20.1.2.3;act_addr_fam=InterNetwork;";
    replies(connection, Ok(reply(200, &[(SEEN, seen)], "")));
}

fn denies(connection: &mut Connection) {
    replies(connection, Ok(reply(403, &[], "ForbiddenByConnection")));
}

fn denies_a_public_client(connection: &mut Connection) {
    let body = "ForbiddenByFirewall: client IP 20.1.2.3 is not allowed";
    replies(connection, Ok(reply(403, &[], body)));
}

fn is_a_proxy(connection: &mut Connection) {
    replies(
        connection,
        Ok(reply(403, &[("content-type", "text/html")], "blocked")),
    );
}

fn is_throttled(connection: &mut Connection) {
    replies(connection, Ok(reply(429, &[("x-ms-request-id", "1")], "")));
}

fn private(change: Change) -> Probe {
    Probe::healthy_vault().everywhere(change)
}

fn public(change: Change) -> Probe {
    Probe::public_vault()
        .expecting(Expectation::ServiceEndpoint)
        .everywhere(change)
}

#[test]
fn a_service_that_lets_us_in_is_no_finding() {
    assert_eq!(private(arrives_privately).findings(), []);
    assert_eq!(public(arrives_publicly).findings(), []);
    assert_eq!(
        public(arrives_privately).findings(),
        [],
        "a service endpoint"
    );
}

#[test]
fn a_denial_at_a_private_address_is_the_endpoint_of_something_else() {
    let probe = private(denies);
    assert_eq!(probe.findings(), [(Reason::WrongPrivateEndpoint, Fail)]);
    let finding = probe.finding(Reason::WrongPrivateEndpoint);
    assert_eq!(finding.address, Some(ip("10.1.2.3")));
    assert_eq!(
        finding.detail,
        "the service behind 10.1.2.3 denies this path: ForbiddenByConnection"
    );
}

#[test]
fn a_denial_at_a_public_address_denies_access() {
    for denied in [denies as Change, denies_a_public_client] {
        let probe = public(denied);
        assert_eq!(probe.findings(), [(Reason::AccessDenied, Fail)]);
        let finding = probe.finding(Reason::AccessDenied);
        assert_eq!(finding.address, Some(ip("52.168.109.101")));
        let facts = probe.facts(Reason::AccessDenied);
        let is_denied = |fact: &Fact| {
            matches!(fact, Fact::Service(ServiceFact::AccessDenied { ip, evidence })
                if Some(*ip) == finding.address && evidence.starts_with("ForbiddenBy"))
        };
        assert!(is_denied(&facts[0]), "{facts:?}");
    }
}

#[test]
fn an_address_in_expected_networks_is_private_to_the_service_too() {
    let probe = Probe::public_vault()
        .expected_in(["52.168.109.0/24"])
        .everywhere(denies);
    assert_eq!(probe.findings(), [(Reason::WrongPrivateEndpoint, Fail)]);
}

#[test]
fn a_private_address_with_a_public_source_is_resolved_anew_on_the_way() {
    let denied = [
        (Reason::WrongPrivateEndpoint, Fail),
        (Reason::PublicPathSeen, Fail),
    ];
    for (seen, findings) in [
        (arrives_publicly as Change, &denied[1..]),
        (denies_a_public_client, &denied[..]),
    ] {
        let probe = private(seen);
        assert_eq!(probe.findings(), findings);
        let facts = probe.facts(Reason::PublicPathSeen);
        let is_seen = matches!(
            facts[..],
            [Fact::Service(ServiceFact::SeenFrom { ip: dialled, from, .. })]
                if dialled == ip("10.1.2.3") && from == ip("20.1.2.3")
        );
        assert!(is_seen, "{facts:?}");
    }
}

#[test]
fn a_source_is_read_with_its_port_too() {
    let with_port: Change = |c| replies(c, Ok(reply(200, &[(SEEN, "addr=20.1.2.3:4444")], "")));
    let ipv6: Change = |c| replies(c, Ok(reply(200, &[(SEEN, "addr=[2603::1]:443")], "")));
    for public in [with_port, ipv6] {
        assert_eq!(private(public).findings(), [(Reason::PublicPathSeen, Fail)]);
    }
    let own: Change = |c| replies(c, Ok(reply(200, &[(SEEN, "addr=10.7.7.7:4444")], "")));
    let nobody: Change = |c| replies(c, Ok(reply(200, &[(SEEN, "addr=nobody")], "")));
    for private_or_unknown in [own, nobody] {
        assert_eq!(private(private_or_unknown).findings(), []);
    }
}

#[test]
fn a_403_where_no_login_is_needed_is_a_denial_in_whatever_words() {
    let marked: Change = |c| replies(c, Ok(reply(403, &[("x-ms-request-id", "1")], "\u{1f}zip")));
    assert_eq!(
        private(marked).findings(),
        [(Reason::WrongPrivateEndpoint, Fail)]
    );
    assert_eq!(public(marked).findings(), [(Reason::AccessDenied, Fail)]);
    // Storage answers 403 to whoever does not log in.
    let storage = Probe::of("orders.blob.core.windows.net")
        .resolves_to(["10.1.2.3"])
        .everywhere(marked);
    assert_eq!(storage.findings(), []);
}

#[test]
fn a_registrys_challenge_has_no_case() {
    let probe = Probe::of("contoso.azurecr.io")
        .resolves_to(["10.1.2.3"])
        .everywhere(|c| {
            let challenge = "bearer REALM=\"https://contoso.azurecr.io/oauth2/token\"";
            replies(c, Ok(reply(401, &[("www-authenticate", challenge)], "")));
        });
    assert_eq!(probe.findings(), []);
}

#[test]
fn a_source_that_is_private_to_the_target_is_no_public_path() {
    let net = "20.0.0.0/8".parse().expect("a network");
    let probe = private(arrives_publicly)
        .with(|target| Arc::make_mut(&mut target.rules).target.private.push(net));
    assert_eq!(probe.findings(), []);
}

#[test]
fn a_reply_without_the_services_mark_is_somebody_elses() {
    let probe = private(is_a_proxy);
    assert_eq!(probe.findings(), [(Reason::UnexpectedResponder, Warn)]);
    assert_eq!(
        probe.finding(Reason::UnexpectedResponder).detail,
        "what answers at 10.1.2.3 is not the service: status 403 (text/html), without any mark of \
         the service"
    );
    let unreadable = private(|c| replies(c, Err(NoReply::Unreadable)));
    assert_eq!(unreadable.findings(), [(Reason::UnexpectedResponder, Warn)]);
}

#[test]
fn a_service_with_trouble_of_its_own_is_reached() {
    let probe = private(is_throttled);
    assert_eq!(probe.findings(), [(Reason::ServiceError, Info)]);
    assert_eq!(probe.verdict().outcome, Outcome::Pass);
    assert_eq!(
        probe.finding(Reason::ServiceError).detail,
        "the service at 10.1.2.3 has trouble of its own: status 429, header x-ms-request-id"
    );
}

#[test]
fn no_reply_is_a_warning() {
    for (failure, why) in [
        (NoReply::Timeout, "no answer in time"),
        (NoReply::Closed, "the connection was closed"),
    ] {
        let probe = match failure {
            NoReply::Timeout => private(|c| replies(c, Err(NoReply::Timeout))),
            _ => private(|c| replies(c, Err(NoReply::Closed))),
        };
        assert_eq!(probe.findings(), [(Reason::HttpTimeout, Warn)]);
        assert_eq!(
            probe.finding(Reason::HttpTimeout).detail,
            format!("10.1.2.3 gave no reply: {why}")
        );
    }
}

#[test]
fn every_address_is_judged_by_its_own_reply() {
    let probe = Probe::healthy_vault()
        .resolves_to(["10.1.2.3", "10.1.2.4", "10.1.2.5"])
        .everywhere(arrives_privately)
        .at("10.1.2.4", denies)
        .at("10.1.2.5", is_a_proxy);
    assert_eq!(
        probe.findings(),
        [
            (Reason::WrongPrivateEndpoint, Fail),
            (Reason::UnexpectedResponder, Warn)
        ]
    );
}

#[test]
fn a_service_endpoint_that_nobody_asked_is_unverified() {
    let vault = Probe::public_vault().expecting(Expectation::ServiceEndpoint);
    assert_eq!(vault.findings(), [(Reason::AccessUnverified, Info)]);
    assert_eq!(vault.verdict().outcome, Outcome::Pass);
    assert_eq!(
        vault.finding(Reason::AccessUnverified).detail,
        "the service was not asked (http is off): whether it lets this subnet in is not known"
    );
    let sql = Probe::of("sql-prod.database.windows.net")
        .with(|target| (target.port, target.protocol) = (1433, Protocol::Tds))
        .expecting(Expectation::ServiceEndpoint)
        .resolves_to(["52.0.0.1"]);
    assert_eq!(sql.findings(), [(Reason::AccessUnverified, Info)]);
    assert_eq!(
        sql.finding(Reason::AccessUnverified).detail,
        "the service can be asked nothing before login: whether it lets this subnet in is not known"
    );
}

#[test]
fn a_connection_without_handshake_is_unverified_too() {
    let probe = public(|c| {
        c.handshake = Handshake::NotApplicable;
        c.certificate = None;
    });
    assert_eq!(probe.findings(), [(Reason::AccessUnverified, Info)]);
}

#[test]
fn only_a_service_endpoint_that_answers_publicly_can_be_unverified() {
    for expect in [Expectation::Public, Expectation::Auto] {
        let probe = Probe::of(VAULT)
            .expecting(expect)
            .resolves_to(["52.168.109.101"]);
        assert_eq!(probe.findings(), [], "{expect}");
    }
    let refused = public(refuses);
    assert_eq!(refused.findings(), [(Reason::ConnectRefused, Fail)]);
    // Connect only: there is no handshake, whether or not it connects.
    let refused = public(|c| {
        ends(c, TcpOutcome::Refused);
        c.handshake = Handshake::NotApplicable;
    });
    assert_eq!(refused.findings(), [(Reason::ConnectRefused, Fail)]);
    let undialled = public(|c| {
        has_no_route(c);
        c.handshake = Handshake::NotApplicable;
    });
    assert_eq!(undialled.findings(), []);
    let interrupted = public(|c| c.handshake = Handshake::Interrupted);
    assert_eq!(interrupted.findings(), [(Reason::TlsInterrupted, Fail)]);
    let private = Probe::healthy_vault().expecting(Expectation::ServiceEndpoint);
    assert_eq!(
        private.findings(),
        [(Reason::UnexpectedPrivateAddress, Fail)]
    );
    let mixed = Probe::of(VAULT)
        .expecting(Expectation::ServiceEndpoint)
        .resolves_to(["52.168.109.101", "0.0.0.0"]);
    assert_eq!(mixed.findings(), [(Reason::ReservedAddress, Fail)]);
}

#[test]
fn a_fallback_that_the_service_denies_is_noticed_and_told_so() {
    let probe = Probe::public_vault().everywhere(denies);
    assert_eq!(
        probe.findings(),
        [(Reason::PublicFallback, Fail), (Reason::AccessDenied, Fail)]
    );
    let summary = probe.rendered().summary;
    assert!(
        summary.starts_with(
            "kv-prod.vault.azure.net falls back to its public address, where the service denies \
             access: the alias"
        ),
        "{summary}"
    );
    let open = Probe::public_vault()
        .everywhere(arrives_publicly)
        .rendered();
    assert!(
        open.summary.contains(", which still answers: "),
        "{}",
        open.summary
    );
}

#[test]
fn a_reply_proves_something_only_where_somebody_spoke() {
    let told = |reply| ServiceReply {
        reply,
        checked_at: SystemTime::UNIX_EPOCH,
    };
    let arrived = told(Ok(reply(200, &[("x-ms-request-id", "1")], "")));
    let proof = arrived
        .proof(Probe::of(VAULT).target.evidence())
        .expect("a proof");
    assert_eq!(proof.outcome, ReplyOutcome::Arrived);
    assert_eq!(arrived.failure(), "");
    let unreadable = told(Err(NoReply::Unreadable));
    let proof = unreadable
        .proof(Probe::of(VAULT).target.evidence())
        .expect("a proof");
    assert_eq!(proof.outcome, ReplyOutcome::Other);
    for failure in [NoReply::Timeout, NoReply::Closed] {
        let silent = told(Err(failure));
        assert_eq!(silent.proof(Probe::of(VAULT).target.evidence()), None);
        assert_eq!(silent.failure(), failure.as_str());
    }
}

#[test]
fn a_reply_that_did_not_come_timed_out_only_in_the_probe_that_asked() {
    let timed_out = |reply: Result<Reply, NoReply>, asked: bool| {
        let mut observation = Probe::healthy_vault().observation();
        replies(&mut observation.connections[0], reply);
        let elapsed = asked.then_some(Duration::from_secs(3));
        observation.connections[0].service_elapsed = elapsed;
        observation.http_timed_out()
    };
    assert!(timed_out(Err(NoReply::Timeout), true));
    assert!(!timed_out(Err(NoReply::Timeout), false), "asked earlier");
    assert!(!timed_out(Err(NoReply::Closed), true));
    assert!(!timed_out(Ok(reply(200, &[], "")), true));
    let mut unasked = Probe::healthy_vault().observation();
    unasked.timing.http = Some(Duration::ZERO);
    assert!(!unasked.http_timed_out());
}
