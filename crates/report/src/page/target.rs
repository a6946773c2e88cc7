//! Target: everything that the latest probe of one target found, below its row.

use maud::{Markup, display, html};
use privatelink_verdict::observation::QueryOutcome;
use privatelink_verdict::service_evidence::ReplyOutcome;
use privatelink_verdict::verdict::Outcome;

use super::components::{Breakable, NO_VALUE, address, command, milliseconds, state, table};
use super::runbook_section::runbook_section;
use super::stages::{spaced, stages, state_of_address};
use crate::json::{
    AddressReport, CertificateReport, ConnectionReport, DnsReport, FindingReport, HistoryReport,
    HttpReport, QueryReport, ResolverReport, ServerReport, TargetReport, TransitionReport,
};

/// The most addresses of an answer, and connections, that are shown; the API has more.
const ADDRESSES: usize = 32;

/// The most changes of the verdict that are shown; the API has them all.
const CHANGES: usize = 20;

pub(super) fn target(report: &TargetReport, history: &HistoryReport) -> Markup {
    let reason = report.reason.filter(|_| {
        report
            .outcome
            .is_some_and(|outcome| outcome.0 != Outcome::Pass)
    });
    html! {
        p.facts {
            "expects " (report.expect)
            " · probed " (report.checked_at.as_deref().unwrap_or("never"))
            " in " (milliseconds(report.duration_seconds)) " · "
            a href={"api/v1/targets/" (report.target)} { "JSON" }
        }
        @if let Some(users) = &report.users {
            p.facts {
                "used: " (Breakable(&users.summary))
                @if users.workloads > 0 { " (" (Breakable(&users.examples.join(", "))) ")" }
            }
        }
        (stages(report))
        (findings(&report.findings))
        @if let Some(reason) = reason { (runbook_section(reason.0.as_str())) }
        (changes(history))
        @if let Some(answer) = &report.dns { (dns(answer, report)) }
        (connections(&report.connections))
        (resolvers(report))
    }
}

fn findings(findings: &[FindingReport]) -> Markup {
    html! {
        @if !findings.is_empty() {
            h3 { "Findings, and commands that settle them" }
            @if findings.iter().any(|finding| finding.command.is_some()) {
                p.quiet { "Run " code { "az" } " where you are logged in, and the others on this node or in a pod on it." }
            }
            ul.findings {
                @for finding in findings {
                    li {
                        p { (state(finding.severity)) " " code { (finding.reason) } }
                        div {
                            p { (Breakable(&finding.detail)) }
                            p.quiet { (finding.meaning) " (" (finding.confidence) " confidence)" }
                            @if let Some(text) = &finding.command { (command(text)) }
                        }
                    }
                }
            }
        }
    }
}

fn dns(dns: &DnsReport, report: &TargetReport) -> Markup {
    let others_differ = report.resolvers.iter().any(|one| one.agrees == Some(false));
    html! {
        h3 {
            "Resolution by " (dns.resolver)
            @if others_differ { ", the path of this verdict" }
        }
        ol.chain {
            @for name in &dns.chain { li { (Breakable(name)) } }
            @for one in dns.addresses.iter().take(ADDRESSES) {
                li { (address(one, state_of_address(one, report))) " " small { "ttl " (one.ttl_seconds) " s" } }
            }
        }
        @if dns.privatelink {
            p.facts {
                "authority over the privatelink zone: " (spaced(dns.zone_authority.0.as_str()))
            }
        }
        (table("Queries", ["Type", "Server", "Via", "Outcome", "Code", "Time", "Tries"], &dns.queries, query))
        (servers(&dns.servers, report))
    }
}

fn query(query: &QueryReport) -> [Markup; 7] {
    let failed = query.outcome.0.is_failure();
    [
        html! { (query.record_type) },
        html! { span.ip { (query.server.as_deref().unwrap_or(NO_VALUE)) } },
        html! { (query.transport) },
        html! { span.bad[failed] { (query.outcome) } },
        html! { (query.rcode.as_deref().unwrap_or(NO_VALUE)) },
        milliseconds(Some(query.seconds)),
        html! { (query.tries) },
    ]
}

fn servers(servers: &[ServerReport], report: &TargetReport) -> Markup {
    let row = |server: &ServerReport| {
        [
            html! { span.ip { (server.server) } },
            answer(server.outcome.0, &server.addresses, report),
            html! { (server.times) },
            html! { (server.checked_at.as_deref().unwrap_or(NO_VALUE)) },
        ]
    };
    html! {
        @if !servers.is_empty() {
            (table("Its servers one by one", ["Server alone", "Answer", "Times", "Asked"], servers, row))
        }
    }
}

/// The addresses, or why there are none.
fn answer(
    outcome: Option<QueryOutcome>,
    addresses: &[AddressReport],
    report: &TargetReport,
) -> Markup {
    html! {
        @if addresses.is_empty() { (outcome.map_or("skipped", QueryOutcome::as_str)) }
        @for one in addresses.iter().take(ADDRESSES) { (address(one, state_of_address(one, report))) " " }
    }
}

fn connections(connections: &[ConnectionReport]) -> Markup {
    let shown = &connections[..connections.len().min(ADDRESSES)];
    html! {
        @if !shown.is_empty() {
            (table("Connections", ["Address", "TCP", "TLS", "Service", "Certificate"], shown, connection))
        }
    }
}

fn connection(connection: &ConnectionReport) -> [Markup; 5] {
    [
        html! { span.ip { (display(connection.ip)) } " " small { "port " (connection.port) } },
        stage(connection.tcp.0.as_str(), connection.tcp_seconds),
        stage(connection.tls.0.as_str(), connection.tls_seconds),
        connection.http.as_ref().map_or_else(no_value, service),
        connection
            .certificate
            .as_ref()
            .map_or_else(no_value, certificate),
    ]
}

fn no_value() -> Markup {
    html! { (NO_VALUE) }
}

/// How connecting or the handshake ended, and how long it took.
fn stage(outcome: &str, seconds: Option<f64>) -> Markup {
    let failed = !matches!(outcome, "ok" | "skipped" | "not_applicable");
    html! { span.bad[failed] { (spaced(outcome)) } " " small { (milliseconds(seconds)) } }
}

fn service(http: &HttpReport) -> Markup {
    let failed = http.outcome.0 != ReplyOutcome::Arrived;
    html! {
        span.bad[failed] { (spaced(http.outcome.0.as_str())) }
        @if let Some(evidence) = &http.evidence { p.quiet { (Breakable(evidence)) } }
    }
}

fn certificate(certificate: &CertificateReport) -> Markup {
    html! {
        @for (index, name) in certificate.names.iter().enumerate() {
            @if index > 0 { ", " }
            (Breakable(name))
        }
        p.quiet {
            "by " (certificate.issuer) br;
            "from " (certificate.not_before.as_deref().unwrap_or(NO_VALUE))
            " to " (certificate.not_after.as_deref().unwrap_or(NO_VALUE)) br;
            span.print { "sha256 " (certificate.fingerprint_sha256) }
        }
    }
}

fn resolvers(report: &TargetReport) -> Markup {
    let row = |resolver: &ResolverReport| {
        [
            html! { (resolver.resolver) },
            html! { span.ip { (resolver.server.as_deref().unwrap_or(NO_VALUE)) } },
            answer(resolver.outcome.0, &resolver.addresses, report),
            html! {
                @match resolver.agrees {
                    Some(true) => "yes",
                    Some(false) => span.bad { "no" },
                    None => (NO_VALUE),
                }
            },
        ]
    };
    html! {
        @if !report.resolvers.is_empty() {
            (table("Other resolvers", ["Resolver", "Server", "Answer", "Agrees"], &report.resolvers, row))
        }
    }
}

/// The latest changes of the verdict, the newest first.
fn changes(history: &HistoryReport) -> Markup {
    let row = |change: &TransitionReport| {
        [
            html! { span.time { (change.at.as_deref().unwrap_or(NO_VALUE)) } },
            state(change.outcome),
            html! { code { (change.reason) } },
            html! { (Breakable(&change.summary)) },
        ]
    };
    let latest = history.history.iter().rev().take(CHANGES);
    html! {
        (table("Last changes", ["When", "Outcome", "Reason", "What was seen"], latest, row))
        p.facts {
            "history kept since " (history.history_since.as_deref().unwrap_or(NO_VALUE))
            " · last address that was not private: "
            (history.last_non_private_at.as_deref().unwrap_or("none was seen"))
        }
    }
}
