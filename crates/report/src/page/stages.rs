//! Stages: the way of a probe from the name to the service, with the broken stage marked, and what was seen
//! at each.

use maud::{Markup, display, html};
use privatelink_verdict::address::Class;
use privatelink_verdict::observation::{TcpOutcome, TlsOutcome};
use privatelink_verdict::reason::{Reason, Severity, Stage};
use privatelink_verdict::service_evidence::ReplyOutcome;
use privatelink_verdict::target::Expectation;

use super::components::{Breakable, address, label, milliseconds};
use crate::json::{AddressReport, ConnectionReport, DnsReport, TargetReport};

/// The most names, addresses or connections that a stage shows; tables below have more.
const SHOWN: usize = 4;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Name,
    Alias,
    Address,
    Connect,
    Tls,
    Service,
}

/// The stages of the latest probe.
pub(super) fn stages(report: &TargetReport) -> Markup {
    html! {
        h3 { "The path" }
        ol.path {
            @for (step, name, seen) in steps(report) {
                @let (state, word) = state_of(step, report, seen.is_some());
                li.(state) {
                    p { strong { (name) } " " (label(state, word)) }
                    @if let Some(seen) = seen { (seen) }
                }
            }
        }
    }
}

/// What was seen at each step; nothing where the probe did not come that far.
fn steps(report: &TargetReport) -> [(Step, &'static str, Option<Markup>); 6] {
    [
        (Step::Name, "Name", name(report)),
        (Step::Alias, "Alias", alias(report)),
        (Step::Address, "Address", addresses(report)),
        (Step::Connect, "Connect", connects(report)),
        (Step::Tls, "TLS", handshakes(report)),
        (Step::Service, "Service", services(report)),
    ]
}

/// The worst that was found at a step; else whether the probe came that far.
fn state_of(step: Step, report: &TargetReport, was_reached: bool) -> (&'static str, &'static str) {
    let dns = report.dns.as_ref();
    let has_alias = dns.is_some_and(|dns| dns.chain.len() > 1);
    let was_answered = || {
        dns.is_some_and(|dns| {
            dns.queries
                .iter()
                .any(|query| !query.outcome.0.is_failure())
        })
    };
    let could_be_asked = || {
        report.connections.iter().any(|one| {
            one.tcp.0 == TcpOutcome::Ok
                && matches!(one.tls.0, TlsOutcome::Ok | TlsOutcome::NotApplicable)
        })
    };
    let here = report
        .findings
        .iter()
        .filter(|finding| step_of(finding.reason.0, has_alias) == Some(step));
    match here.map(|finding| finding.severity.0).max() {
        Some(Severity::Fail) => ("fail", "broken"),
        Some(Severity::Warn) => ("warn", "warning"),
        _ if step == Step::Alias && is_cause(report) => ("warn", "the cause"),
        _ if was_reached => ("pass", "ok"),
        _ if step == Step::Alias && was_answered() => ("unknown", "none"),
        _ if step == Step::Service && could_be_asked() => ("unknown", "not asked"),
        _ => ("unknown", "not reached"),
    }
}

/// Whether an address is wrong because of the alias: it is missing, or its zone is answered by the public side.
fn is_cause(report: &TargetReport) -> bool {
    let is_of_alias = |reason| {
        matches!(
            reason,
            Reason::PublicFallback | Reason::PublicFallbackZoneLinked | Reason::NoPrivateEndpoint
        )
    };
    let mut findings = report.findings.iter();
    findings.any(|finding| finding.severity.0 == Severity::Fail && is_of_alias(finding.reason.0))
}

fn step_of(reason: Reason, has_alias: bool) -> Option<Step> {
    match reason.stage() {
        Stage::Agent | Stage::None => None,
        // The name has an alias, and the alias leads nowhere.
        Stage::Dns if has_alias => match reason {
            Reason::DnsPrivateRecordMissing
            | Reason::DnsAliasDangling
            | Reason::DnsPrivateZoneNotLinked
            | Reason::DnsIncompleteAnswer => Some(Step::Alias),
            _ => Some(Step::Name),
        },
        Stage::Dns => Some(Step::Name),
        Stage::Address => Some(Step::Address),
        Stage::Connect => Some(Step::Connect),
        Stage::Tls => Some(Step::Tls),
        Stage::Http => Some(Step::Service),
    }
}

fn name(report: &TargetReport) -> Option<Markup> {
    let dns = report.dns.as_ref()?;
    let server = dns.queries.iter().find_map(|query| query.server.as_deref());
    Some(html! {
        p { (Breakable(&report.host)) }
        p.quiet {
            "asked by " (dns.resolver)
            @if let Some(server) = server { " at " span.ip { (server) } }
        }
        @if dns.privatelink && dns.chain.len() < 2 { p.quiet { (zone(dns)) } }
        ul.quiet {
            @for query in &dns.queries {
                li { (query.record_type) " " (query.outcome) " " (milliseconds(Some(query.seconds))) }
            }
        }
    })
}

fn alias(report: &TargetReport) -> Option<Markup> {
    let dns = report.dns.as_ref()?;
    let aliases = dns.chain.get(1..).filter(|aliases| !aliases.is_empty())?;
    Some(html! {
        ul { @for name in aliases.iter().take(SHOWN) { li { (Breakable(name)) } } }
        (more(aliases.len()))
        p.quiet { @if dns.privatelink { (zone(dns)) } @else { "no privatelink alias" } }
    })
}

/// Who answers for the zone of the alias.
fn zone(dns: &DnsReport) -> &'static str {
    match dns.zone_authority.0.as_str() {
        "private" => "its zone is answered by the private side",
        "public" => "its zone is answered by the public side",
        "unknown" => "who answers for its zone is not known",
        _ => "its zone was not asked for",
    }
}

fn addresses(report: &TargetReport) -> Option<Markup> {
    let dns = report
        .dns
        .as_ref()
        .filter(|dns| !dns.addresses.is_empty())?;
    Some(html! {
        ul {
            @for one in dns.addresses.iter().take(SHOWN) {
                li { (address(one, state_of_address(one, report))) }
            }
        }
        (more(dns.addresses.len()))
        p.quiet { "expected: " (expected(report)) }
    })
}

/// What the address should be, in words.
fn expected(report: &TargetReport) -> &'static str {
    match report.expect_effective.unwrap_or(report.expect).0 {
        Expectation::PrivateEndpoint => "a private address",
        Expectation::ServiceEndpoint => "a public address that lets us in",
        Expectation::Public => "any address",
        Expectation::Auto => "a private address, once there is one",
    }
}

/// Whether an address is what it should be: `pass`, `fail`, or empty where nothing is asked of it.
pub(super) fn state_of_address(address: &AddressReport, report: &TargetReport) -> &'static str {
    let is_blamed = report.findings.iter().any(|finding| {
        finding.severity.0 == Severity::Fail
            && finding.stage.0 == Stage::Address
            && finding.address == Some(address.ip)
    });
    let expects = report.expect_effective.map(|expect| expect.0);
    match (expects, address.class.0) {
        _ if is_blamed => "fail",
        (_, Class::Reserved) | (Some(Expectation::PrivateEndpoint), Class::Public) => "fail",
        (Some(Expectation::PrivateEndpoint), Class::Private | Class::Expected) => "pass",
        _ => "",
    }
}

fn connects(report: &TargetReport) -> Option<Markup> {
    per_address(report, |connection| {
        let tcp = connection.tcp.0;
        (tcp != TcpOutcome::Skipped).then(|| {
            html! {
                span.bad[tcp != TcpOutcome::Ok] { (spaced(tcp.as_str())) } " "
                span.quiet { (milliseconds(connection.tcp_seconds)) }
            }
        })
    })
}

fn handshakes(report: &TargetReport) -> Option<Markup> {
    per_address(report, |connection| {
        let tls = connection.tls.0;
        let was_tried = !matches!(tls, TlsOutcome::Skipped | TlsOutcome::NotApplicable);
        was_tried.then(|| html! {
            span.bad[tls != TlsOutcome::Ok] { (spaced(tls.as_str())) } " "
            span.quiet { (milliseconds(connection.tls_seconds)) }
            @if let Some(leaf) = &connection.certificate {
                p.quiet {
                    "certificate for " (Breakable(leaf.names.first().map_or("no name", String::as_str)))
                    @if leaf.names.len() > 1 { " and " (leaf.names.len() - 1) " more" }
                    @if let Some(until) = leaf.not_after.as_deref().and_then(|time| time.get(..10)) {
                        ", until " (until)
                    }
                }
            }
        })
    })
}

fn services(report: &TargetReport) -> Option<Markup> {
    per_address(report, |connection| {
        let http = connection.http.as_ref()?;
        Some(html! {
            span.bad[http.outcome.0 != ReplyOutcome::Arrived] { (spaced(http.outcome.0.as_str())) }
            @if let Some(evidence) = &http.evidence { p.quiet { (Breakable(evidence)) } }
        })
    })
}

/// What was seen of each address at a stage that at least one came to.
fn per_address(
    report: &TargetReport,
    seen: impl Fn(&ConnectionReport) -> Option<Markup>,
) -> Option<Markup> {
    let seen = report
        .connections
        .iter()
        .filter_map(|one| Some((one, seen(one)?)));
    let seen: Vec<_> = seen.collect();
    (!seen.is_empty()).then(|| {
        html! {
            ul {
                @for (connection, seen) in seen.iter().take(SHOWN) {
                    li { span.ip { (display(connection.ip)) } " " (seen) }
                }
            }
            (more(seen.len()))
        }
    })
}

fn more(count: usize) -> Markup {
    html! { @if count > SHOWN { p.quiet { "and " (count - SHOWN) " more" } } }
}

/// A word of the contract as words of a sentence.
pub(super) fn spaced(word: &str) -> String {
    word.replace('_', " ")
}

#[cfg(test)]
mod tests {
    use privatelink_board::{Probed, fixtures};

    use super::*;
    use crate::json::enums::Enum;

    fn stages_of(probed: &Probed) -> [(&'static str, &'static str); 6] {
        let report = TargetReport::from(probed);
        steps(&report).map(|(step, _, seen)| state_of(step, &report, seen.is_some()))
    }

    #[test]
    fn the_stage_of_the_failure_is_marked_and_those_after_it_say_whether_they_were_reached() {
        let ok = ("pass", "ok");
        let (broken, beyond) = (("fail", "broken"), ("unknown", "not reached"));
        let not_asked = ("unknown", "not asked");
        assert_eq!(
            stages_of(&fixtures::healthy()),
            [ok, ok, ok, ok, ok, not_asked]
        );
        assert_eq!(
            stages_of(&fixtures::public_fallback()),
            [ok, ("warn", "the cause"), broken, ok, ok, not_asked]
        );
        assert_eq!(
            stages_of(&fixtures::connect_timeout()),
            [ok, ok, ok, broken, beyond, beyond]
        );
        assert_eq!(
            stages_of(&fixtures::name_mismatch()),
            [ok, ok, ok, ok, broken, beyond]
        );
        assert_eq!(
            stages_of(&fixtures::dns_timeout()),
            [broken, beyond, beyond, beyond, beyond, beyond]
        );
    }

    #[test]
    fn a_public_address_is_wrong_only_where_a_private_one_is_expected() {
        let mut report = TargetReport::from(&fixtures::public_fallback());
        let public = report.dns.as_ref().expect("an answer").addresses[0].clone();
        assert_eq!(state_of_address(&public, &report), "fail");
        report.findings.clear();
        assert_eq!(state_of_address(&public, &report), "fail");
        report.expect_effective = Some(Enum(Expectation::Public));
        assert_eq!(state_of_address(&public, &report), "");
    }
}
