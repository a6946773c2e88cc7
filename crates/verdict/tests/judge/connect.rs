//! Whether every address answers on the target's port.

use privatelink_verdict::observation::{Connection, Handshake, Skip, TcpOutcome};
use privatelink_verdict::reason::{Reason, Severity};
use privatelink_verdict::target::Expectation;

use crate::observed::{
    Change, ends, has_no_route, is_unreachable, not_dialled, refuses, resets, times_out,
};
use crate::probe::{Probe, VAULT, VAULT_ALIAS, ip};
use Severity::{Fail, Warn};

const THREE: [&str; 3] = ["10.1.2.3", "10.1.2.4", "10.1.2.5"];

fn three() -> Probe {
    Probe::healthy_vault().resolves_to(THREE)
}

#[test]
fn an_address_that_does_not_connect_has_its_own_reason() {
    let outcomes: [(Change, Reason, &str); 4] = [
        (times_out, Reason::ConnectTimeout, "10.1.2.3:443 timeout"),
        (refuses, Reason::ConnectRefused, "10.1.2.3:443 refused"),
        (
            is_unreachable,
            Reason::ConnectUnreachable,
            "10.1.2.3:443 unreachable",
        ),
        (resets, Reason::ConnectReset, "10.1.2.3:443 reset"),
    ];
    for (outcome, reason, detail) in outcomes {
        let probe = Probe::healthy_vault().everywhere(outcome);
        assert_eq!(probe.findings(), [(reason, Fail)]);
        assert_eq!(probe.finding(reason).address, Some(ip("10.1.2.3")));
        assert_eq!(probe.finding(reason).detail, detail);
    }
}

#[test]
fn the_commonest_outcome_decides() {
    let probe = three().everywhere(resets).at("10.1.2.3", times_out);
    assert_eq!(probe.findings(), [(Reason::ConnectReset, Fail)]);
    let finding = probe.finding(Reason::ConnectReset);
    assert_eq!(finding.address, Some(ip("10.1.2.4")), "one it concerns");
    assert_eq!(
        finding.detail,
        "10.1.2.3:443 timeout, 10.1.2.4:443 reset, 10.1.2.5:443 reset"
    );
}

#[test]
fn between_equally_common_outcomes_the_order_of_the_table_decides() {
    let ranked: [(Change, Reason); 4] = [
        (times_out, Reason::ConnectTimeout),
        (refuses, Reason::ConnectRefused),
        (is_unreachable, Reason::ConnectUnreachable),
        (resets, Reason::ConnectReset),
    ];
    for (first, (better, reason)) in ranked.into_iter().enumerate() {
        for (worse, _) in ranked.into_iter().skip(first + 1) {
            let probe = Probe::healthy_vault()
                .resolves_to(["10.1.2.3", "10.1.2.4"])
                .at("10.1.2.3", worse)
                .at("10.1.2.4", better);
            assert_eq!(probe.findings(), [(reason, Fail)]);
        }
    }
}

#[test]
fn at_most_four_addresses_are_told() {
    let probe = Probe::healthy_vault()
        .resolves_to(["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5"])
        .everywhere(refuses);
    assert_eq!(
        probe.finding(Reason::ConnectRefused).detail,
        "10.0.0.1:443 refused, 10.0.0.2:443 refused, 10.0.0.3:443 refused, 10.0.0.4:443 refused and 1 \
         more"
    );
}

#[test]
fn an_ipv6_address_is_told_in_brackets() {
    let probe = Probe::of(VAULT)
        .via([VAULT_ALIAS])
        .resolves_to(["fd00::7"])
        .everywhere(refuses);
    assert_eq!(
        probe.finding(Reason::ConnectRefused).detail,
        "[fd00::7]:443 refused"
    );
}

#[test]
fn no_route_to_any_address_is_unreachable() {
    fn routeless(connection: &mut Connection) {
        ends(connection, TcpOutcome::Unreachable);
        connection.skip = Some(Skip::NoRoute);
    }
    let probe = Probe::healthy_vault()
        .resolves_to(["10.1.2.3", "fd00::7"])
        .everywhere(routeless);
    assert_eq!(probe.findings(), [(Reason::ConnectUnreachable, Fail)]);
    assert_eq!(
        probe.finding(Reason::ConnectUnreachable).detail,
        "10.1.2.3:443 unreachable, [fd00::7]:443 unreachable; the pod has no route to any address"
    );
    let dialled = Probe::healthy_vault().everywhere(is_unreachable);
    assert_eq!(
        dialled.finding(Reason::ConnectUnreachable).detail,
        "10.1.2.3:443 unreachable",
        "a router on the way said so"
    );
}

#[test]
fn a_blocked_port_is_told_by_another_that_opens() {
    fn opens_elsewhere(connection: &mut Connection) {
        times_out(connection);
        connection.trouble.other_port = Some((5671, true));
    }
    fn opens_nowhere(connection: &mut Connection) {
        times_out(connection);
        connection.trouble.other_port = Some((5671, false));
    }
    fn refuses_slowly(connection: &mut Connection) {
        refuses(connection);
        connection.trouble.other_port = Some((5671, true));
    }
    let probe = Probe::healthy_vault().everywhere(opens_elsewhere);
    assert_eq!(probe.findings(), [(Reason::PortBlocked, Fail)]);
    assert_eq!(
        probe.finding(Reason::PortBlocked).detail,
        "10.1.2.3:443 timeout; port 5671 of the same service opens"
    );
    let one_of_three = three()
        .everywhere(opens_nowhere)
        .at("10.1.2.5", opens_elsewhere);
    assert_eq!(one_of_three.findings(), [(Reason::PortBlocked, Fail)]);
    let dead = Probe::healthy_vault().everywhere(opens_nowhere);
    assert_eq!(dead.findings(), [(Reason::ConnectTimeout, Fail)]);
    assert_eq!(
        dead.finding(Reason::ConnectTimeout).detail,
        "10.1.2.3:443 timeout"
    );
    let refused = Probe::healthy_vault().everywhere(refuses_slowly);
    assert_eq!(refused.findings(), [(Reason::ConnectRefused, Fail)]);
}

#[test]
fn some_addresses_that_connect_and_some_that_do_not_are_partial() {
    let probe = three().at("10.1.2.4", times_out);
    assert_eq!(probe.findings(), [(Reason::PartiallyReachable, Fail)]);
    let finding = probe.finding(Reason::PartiallyReachable);
    assert_eq!(finding.address, Some(ip("10.1.2.4")));
    assert_eq!(
        finding.detail,
        "2 of 3 addresses connect; 10.1.2.4:443 timeout"
    );
    let probe = three().everywhere(refuses).at("10.1.2.5", |c| {
        c.tcp = TcpOutcome::Ok;
    });
    assert_eq!(
        probe.finding(Reason::PartiallyReachable).detail,
        "1 of 3 addresses connect; 10.1.2.3:443 refused, 10.1.2.4:443 refused"
    );
}

#[test]
fn partial_is_a_warning_where_nothing_private_is_expected() {
    let public = |expect| {
        Probe::of(VAULT)
            .expecting(expect)
            .resolves_to(["52.0.0.1", "52.0.0.2"])
            .at("52.0.0.2", times_out)
    };
    let partial = |severity| [(Reason::PartiallyReachable, severity)];
    assert_eq!(public(Expectation::Public).findings(), partial(Warn));
    assert_eq!(public(Expectation::Auto).findings(), partial(Warn));
    assert_eq!(
        public(Expectation::ServiceEndpoint).findings()[..1],
        partial(Fail)
    );
    let latched = public(Expectation::Auto).after([&["10.1.2.3"]]);
    assert!(latched.findings().contains(&partial(Fail)[0]));
}

#[test]
fn what_is_not_dialled_is_neither_connected_nor_failed() {
    let no_route = Probe::healthy_vault()
        .resolves_to(["10.1.2.3", "fd00::7"])
        .at("fd00::7", has_no_route);
    assert_eq!(no_route.findings(), []);
    let counted = three()
        .at("10.1.2.4", |c| not_dialled(c, Skip::TooMany))
        .at("10.1.2.5", times_out);
    assert_eq!(
        counted.finding(Reason::PartiallyReachable).detail,
        "1 of 2 addresses connect; 10.1.2.5:443 timeout"
    );
    let nothing = three().everywhere(|c| not_dialled(c, Skip::DnsOnly));
    assert_eq!(nothing.findings(), []);
    let rest = three()
        .everywhere(times_out)
        .at("10.1.2.4", |c| not_dialled(c, Skip::TooMany));
    assert_eq!(rest.findings(), [(Reason::ConnectTimeout, Fail)]);
}

#[test]
fn a_socket_error_of_ours_is_the_agents_and_no_ones_connection() {
    fn out_of_descriptors(connection: &mut Connection) {
        ends(connection, TcpOutcome::Error);
        connection.trouble.tcp_detail = Some("Too many open files (os error 24)".into());
    }
    let probe = Probe::healthy_vault().everywhere(out_of_descriptors);
    assert_eq!(probe.findings(), [(Reason::AgentError, Fail)]);
    let finding = probe.finding(Reason::AgentError);
    assert_eq!(finding.address, Some(ip("10.1.2.3")));
    assert_eq!(
        finding.detail,
        "connect to 10.1.2.3:443: Too many open files (os error 24)"
    );
    let probe = three().at("10.1.2.4", out_of_descriptors);
    assert_eq!(probe.findings(), [(Reason::AgentError, Fail)]);
    let probe = three()
        .everywhere(times_out)
        .at("10.1.2.4", out_of_descriptors);
    assert_eq!(
        probe.findings(),
        [(Reason::AgentError, Fail), (Reason::ConnectTimeout, Fail)]
    );
}

#[test]
fn what_the_agent_had_no_room_to_test_is_no_verdict_on_the_service() {
    let busy = |c: &mut Connection| not_dialled(c, Skip::Busy);
    let probe = three().at("10.1.2.4", busy);
    assert_eq!(probe.findings(), [(Reason::AgentError, Warn)]);
    let finding = probe.finding(Reason::AgentError);
    assert_eq!(finding.address, Some(ip("10.1.2.4")));
    assert_eq!(
        finding.detail,
        "1 of 3 addresses were not tested, because the agent had too many connections open, or too \
         much to read, at that moment"
    );
    // What was tested is judged as ever, and comes first.
    let probe = three().at("10.1.2.3", times_out).at("10.1.2.4", busy);
    let partly = (Reason::PartiallyReachable, Fail);
    assert_eq!(probe.findings(), [partly, (Reason::AgentError, Warn)]);
    let nothing = three().everywhere(busy);
    assert_eq!(nothing.findings(), [(Reason::AgentError, Fail)]);
}

#[test]
fn a_handshake_that_the_agent_gave_up_says_nothing_of_the_peer() {
    let probe = Probe::healthy_vault().everywhere(|c| {
        c.skip = Some(Skip::Busy);
        c.handshake = Handshake::Skipped;
        c.certificate = None;
    });
    assert_eq!(probe.findings(), [(Reason::AgentError, Fail)]);
}

#[test]
fn what_the_system_said_of_the_network_is_not_repeated() {
    let probe = Probe::healthy_vault().everywhere(|c| {
        refuses(c);
        c.trouble.tcp_detail = Some("Connection refused (os error 111)".into());
    });
    assert_eq!(
        probe.finding(Reason::ConnectRefused).detail,
        "10.1.2.3:443 refused"
    );
}
