//! What a server says by its own protocol before TLS: a ban is a denial, anything else no handshake.

use privatelink_verdict::observation::{Connection, Handshake, Refusal, Refused};
use privatelink_verdict::reason::Reason;
use privatelink_verdict::reason::Severity::Fail;
use privatelink_verdict::reason::Stage;
use privatelink_verdict::target::{Expectation, Protocol};

use crate::observed::Change;
use crate::probe::{Probe, VAULT};

const WORDS: &str = "the server refuses with MySQL error 1129: Host '10.9.9.9' is blocked";

fn mysql(address: &str, change: Change) -> Probe {
    Probe::of("orders.mysql.database.azure.com")
        .with(|target| {
            target.protocol = Protocol::Mysql;
            target.port = 3306;
        })
        .resolves_to([address])
        .everywhere(change)
}

fn by(by: Refusal) -> Refused {
    Refused {
        by,
        seen_from: None,
    }
}

fn is_blocked(connection: &mut Connection) {
    fails(connection);
    connection.trouble.refused = Some(by(Refusal::HostBlocked));
}

fn fails(connection: &mut Connection) {
    connection.handshake = Handshake::Failed;
    connection.trouble.handshake_detail = Some(WORDS.into());
    connection.certificate = None;
}

#[test]
fn a_blocked_host_is_denied_and_nothing_is_wrong_with_tls() {
    let probe = mysql("10.1.2.3", is_blocked);
    assert_eq!(probe.findings(), [(Reason::AccessDenied, Fail)]);
    assert_eq!(probe.verdict().reason.stage(), Stage::Http);
    let finding = probe.finding(Reason::AccessDenied);
    assert_eq!(finding.detail, format!("10.1.2.3: {WORDS}"));
    assert_eq!(
        finding.address,
        Some("10.1.2.3".parse().expect("an address"))
    );
}

#[test]
fn a_host_that_may_not_log_in_is_denied_even_without_a_word() {
    let probe = mysql("10.1.2.3", |c| {
        is_blocked(c);
        c.trouble.refused = Some(by(Refusal::HostNotAllowed));
        c.trouble.handshake_detail = None;
    });
    let finding = probe.finding(Reason::AccessDenied);
    assert_eq!(
        finding.detail,
        "10.1.2.3: no account of the server may log in from this host"
    );
}

#[test]
fn any_other_error_before_tls_is_a_handshake_that_failed() {
    let probe = mysql("10.1.2.3", fails);
    assert_eq!(probe.findings(), [(Reason::TlsHandshakeFailed, Fail)]);
}

#[test]
fn a_public_address_outranks_what_the_server_says_there() {
    let probe = mysql("52.1.2.3", is_blocked);
    let reasons: Vec<Reason> = probe.findings().iter().map(|(reason, _)| *reason).collect();
    assert_eq!(reasons, [Reason::NoPrivateEndpoint, Reason::AccessDenied]);
}

fn sql(address: &str, change: Change) -> Probe {
    Probe::of("sql-prod.database.windows.net")
        .resolves_to([address])
        .everywhere(change)
}

/// A server refuses a client that it says has this address.
fn is_refused(connection: &mut Connection, by: Refusal, seen_from: [u8; 4]) {
    fails(connection);
    connection.trouble.refused = Some(Refused {
        by,
        seen_from: Some(seen_from.into()),
    });
}

#[test]
fn a_network_rule_of_the_server_is_advised_for_as_the_expectation_is() {
    use Expectation::{PrivateEndpoint, Public, ServiceEndpoint};
    let firewall: Change = |c| is_refused(c, Refusal::NoFirewallRule, [20, 50, 1, 2]);
    let subnet: Change = |c| is_refused(c, Refusal::NoSubnetRule, [20, 50, 1, 2]);
    let off: Change = |c| is_refused(c, Refusal::PublicAccessOff, [20, 50, 1, 2]);
    for (expect, refused, advice) in [
        (
            Public,
            firewall,
            "a firewall rule for the outbound address 20.50.1.2",
        ),
        (Public, subnet, "a virtual network rule for that subnet"),
        (
            ServiceEndpoint,
            firewall,
            "Enable the service endpoint on the nodes' subnet",
        ),
        (PrivateEndpoint, firewall, "resolve to its private endpoint"),
        (Public, off, "so no rule lets this path in"),
    ] {
        let probe = sql("52.1.2.3", refused).expecting(expect);
        let finding = probe.finding(Reason::AccessDenied);
        assert!(finding.remedy.contains(advice), "{}", finding.remedy);
        let command = finding.command.expect("a command");
        assert!(command.contains("\"microsoft.sql/servers\""), "{command}");
    }
}

#[test]
fn a_public_address_that_is_seen_behind_a_private_one_is_a_path_that_turns_public() {
    let probe = sql("10.1.2.3", |c| {
        is_refused(c, Refusal::NoFirewallRule, [20, 50, 1, 2]);
    });
    let reasons: Vec<Reason> = probe.findings().iter().map(|(reason, _)| *reason).collect();
    assert_eq!(reasons, [Reason::AccessDenied, Reason::PublicPathSeen]);
    let finding = probe.finding(Reason::AccessDenied);
    assert!(
        finding.remedy.contains("since the server saw 20.50.1.2"),
        "{}",
        finding.remedy
    );
    let probe = sql("10.1.2.3", |c| {
        is_refused(c, Refusal::NoFirewallRule, [10, 9, 9, 9]);
    });
    assert_eq!(probe.findings(), [(Reason::AccessDenied, Fail)]);
    let finding = probe.finding(Reason::AccessDenied);
    assert!(
        finding.remedy.starts_with("Check the private endpoint"),
        "{}",
        finding.remedy
    );
    assert!(
        finding
            .command
            .expect("a command")
            .contains("privateIPAddress == \"10.1.2.3\"")
    );
}

#[test]
fn a_handshake_is_settled_by_a_command_that_speaks_the_protocol() {
    for (protocol, command) in [
        (
            Protocol::Mysql,
            "openssl s_client -connect 10.1.2.3:3306 -servername orders.mysql.database.azure.com \
             -starttls mysql </dev/null",
        ),
        (
            Protocol::Postgres,
            "openssl s_client -connect 10.1.2.3:3306 -servername orders.mysql.database.azure.com \
             -starttls postgres </dev/null",
        ),
        (Protocol::Tds, "nmap -Pn -p 3306 --script ssl-cert 10.1.2.3"),
    ] {
        let probe = mysql("10.1.2.3", fails).with(|target| target.protocol = protocol);
        let finding = probe.finding(Reason::TlsHandshakeFailed);
        assert_eq!(finding.command.as_deref(), Some(command));
    }
}

#[test]
fn strict_encryption_is_asked_for_where_sql_server_is_spoken_to_in_tls() {
    let sql = Probe::of("sql-prod.database.windows.net");
    let is_strict = |probe: &Probe, protocol, port| {
        let probe = probe.clone().with(|target| {
            target.protocol = protocol;
            target.port = port;
        });
        probe.target.is_strict_tds()
    };
    assert!(is_strict(&sql, Protocol::Tls, 1433));
    assert!(is_strict(&sql, Protocol::Tls, 3342));
    assert!(!is_strict(&sql, Protocol::Tds, 1433));
    let own = Probe::of("sql.corp.example.com");
    assert!(is_strict(&own, Protocol::Tls, 1433));
    assert!(!is_strict(&own, Protocol::Tls, 443));
}

#[test]
fn a_host_that_the_protocol_turns_away_is_denied_over_any_address() {
    let blocked: Change = |c| {
        c.handshake = Handshake::Failed;
        c.certificate = None;
        c.trouble.refused = Some(by(Refusal::HostBlocked));
    };
    let words: Change = |c| {
        c.trouble.refused = Some(by(Refusal::HostNotAllowed));
        c.trouble.handshake_detail = Some("error 1130: no entry for this host".into());
    };
    for probe in [
        Probe::healthy_vault(),
        Probe::of(VAULT).resolves_to(["10.1.2.3"]),
    ] {
        let probe = probe.everywhere(blocked);
        assert_eq!(probe.findings(), [(Reason::AccessDenied, Fail)]);
        assert_eq!(
            probe.finding(Reason::AccessDenied).detail,
            "10.1.2.3: the server has blocked this host"
        );
        let probe = probe.everywhere(words);
        assert_eq!(
            probe.finding(Reason::AccessDenied).detail,
            "10.1.2.3: error 1130: no entry for this host"
        );
    }
}
