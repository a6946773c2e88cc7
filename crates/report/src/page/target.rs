//! Target: everything that the latest probe of one target found, below its row.

use maud::{Markup, display, html};
use privatelink_verdict::observation::QueryOutcome;
use privatelink_verdict::service_evidence::ReplyOutcome;

use super::components::{Breakable, NO_VALUE, address, milliseconds, state};
use crate::json::{
    AddressReport, CertificateReport, ConnectionReport, DnsReport, FindingReport, HistoryReport,
    HttpReport, QueryReport, ResolverReport, ServerReport, TargetReport,
};

/// The most addresses of an answer, and connections, that are shown; the API has more.
const ADDRESSES: usize = 32;

/// The most changes of the verdict that are shown; the API has them all.
const CHANGES: usize = 20;

pub(super) fn target(report: &TargetReport, history: &HistoryReport) -> Markup {
    let others_differ = report.resolvers.iter().any(|one| one.agrees == Some(false));
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
        (findings(&report.findings))
        @if let Some(answer) = &report.dns { (dns(answer, others_differ)) }
        (connections(&report.connections))
        (resolvers(&report.resolvers))
        (changes(history))
    }
}

fn findings(findings: &[FindingReport]) -> Markup {
    html! {
        @if !findings.is_empty() {
            h3 { "Findings" }
            ul.findings {
                @for finding in findings {
                    li {
                        (state(finding.severity)) " " code { (finding.reason) }
                        div {
                            p { (Breakable(&finding.detail)) }
                            p.quiet { (finding.meaning) " (" (finding.confidence) " confidence)" }
                            @if let Some(command) = &finding.command { pre { (command) } }
                        }
                    }
                }
            }
        }
    }
}

fn dns(dns: &DnsReport, others_differ: bool) -> Markup {
    let columns = ["Type", "Server", "Via", "Outcome", "Code", "Time", "Tries"];
    html! {
        h3 {
            "Resolution by " (dns.resolver)
            @if others_differ { ", the path of this verdict" }
        }
        ol.chain {
            @for name in &dns.chain { li { (Breakable(name)) } }
            @for one in dns.addresses.iter().take(ADDRESSES) {
                li { (address(one)) " " small { "ttl " (one.ttl_seconds) " s" } }
            }
        }
        @if dns.privatelink {
            p.facts {
                "authority over the privatelink zone: " (spaced(dns.zone_authority.0.as_str()))
            }
        }
        (table("Queries", &columns, &dns.queries, query))
        (servers(&dns.servers))
    }
}

fn query(query: &QueryReport) -> Markup {
    let failed = query.outcome.0.is_failure();
    html! {
        td { (query.record_type) }
        td.ip { (query.server.as_deref().unwrap_or(NO_VALUE)) }
        td { (query.transport) }
        td class=[failed.then_some("bad")] { (query.outcome) }
        td { (query.rcode.as_deref().unwrap_or(NO_VALUE)) }
        td { (milliseconds(Some(query.seconds))) }
        td { (query.tries) }
    }
}

fn servers(servers: &[ServerReport]) -> Markup {
    let columns = ["Server alone", "Answer", "Times", "Asked"];
    let row = |server: &ServerReport| {
        html! {
            td.ip { (server.server) }
            td { (answer(server.outcome.0, &server.addresses)) }
            td { (server.times) }
            td.ip { (server.checked_at.as_deref().unwrap_or(NO_VALUE)) }
        }
    };
    html! {
        @if !servers.is_empty() { (table("Its servers one by one", &columns, servers, row)) }
    }
}

/// The addresses, or why there are none.
fn answer(outcome: Option<QueryOutcome>, addresses: &[AddressReport]) -> Markup {
    html! {
        @if addresses.is_empty() { (outcome.map_or("skipped", QueryOutcome::as_str)) }
        @for one in addresses.iter().take(ADDRESSES) { (address(one)) " " }
    }
}

fn connections(connections: &[ConnectionReport]) -> Markup {
    let columns = ["Address", "TCP", "TLS", "Service", "Certificate"];
    let shown = &connections[..connections.len().min(ADDRESSES)];
    html! {
        @if !shown.is_empty() { (table("Connections", &columns, shown, connection)) }
    }
}

fn connection(connection: &ConnectionReport) -> Markup {
    html! {
        td.ip { (display(connection.ip)) " " small { "port " (connection.port) } }
        (stage(connection.tcp.0.as_str(), connection.tcp_seconds))
        (stage(connection.tls.0.as_str(), connection.tls_seconds))
        td {
            @match &connection.http {
                Some(http) => (service(http)),
                None => (NO_VALUE),
            }
        }
        td {
            @match &connection.certificate {
                Some(leaf) => (certificate(leaf)),
                None => (NO_VALUE),
            }
        }
    }
}

/// How connecting or the handshake ended, and how long it took.
fn stage(outcome: &str, seconds: Option<f64>) -> Markup {
    let failed = !matches!(outcome, "ok" | "skipped" | "not_applicable");
    html! {
        td class=[failed.then_some("bad")] { (outcome) " " small { (milliseconds(seconds)) } }
    }
}

fn service(http: &HttpReport) -> Markup {
    let failed = http.outcome.0 != ReplyOutcome::Arrived;
    html! {
        span class=[failed.then_some("bad")] { (spaced(http.outcome.0.as_str())) }
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

fn resolvers(resolvers: &[ResolverReport]) -> Markup {
    let columns = ["Resolver", "Server", "Answer", "Agrees"];
    let row = |resolver: &ResolverReport| {
        html! {
            td { (resolver.resolver) }
            td.ip { (resolver.server.as_deref().unwrap_or(NO_VALUE)) }
            td { (answer(resolver.outcome.0, &resolver.addresses)) }
            @match resolver.agrees {
                Some(true) => td { "yes" },
                Some(false) => td.bad { "no" },
                None => td { (NO_VALUE) },
            }
        }
    };
    html! {
        @if !resolvers.is_empty() { (table("Other resolvers", &columns, resolvers, row)) }
    }
}

/// The latest changes of the verdict, the newest first.
fn changes(history: &HistoryReport) -> Markup {
    let columns = ["When", "", "Reason", "What was seen"];
    let latest = history.history.iter().rev().take(CHANGES);
    html! {
        (table("Changes", &columns, latest, |change| html! {
            td.ip { (change.at.as_deref().unwrap_or(NO_VALUE)) }
            td { (state(change.outcome)) }
            td { code { (change.reason) } }
            td { (Breakable(&change.summary)) }
        }))
        p.facts {
            "kept since " (history.history_since.as_deref().unwrap_or(NO_VALUE))
            " · last not private: " (history.last_non_private_at.as_deref().unwrap_or("not seen"))
        }
    }
}

/// A table with a title; `row` gives the cells of one item.
fn table<T>(
    title: &str,
    columns: &[&str],
    items: impl IntoIterator<Item = T>,
    row: impl Fn(T) -> Markup,
) -> Markup {
    html! {
        h3 { (title) }
        div.scroll {
            table.facts {
                thead { tr { @for column in columns { th scope="col" { (column) } } } }
                tbody { @for item in items { tr { (row(item)) } } }
            }
        }
    }
}

/// A word of the contract as words of a sentence.
fn spaced(word: &str) -> String {
    word.replace('_', " ")
}
