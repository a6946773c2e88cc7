//! Detail: everything that one probe found, below its row.

use std::fmt::Write as _;

use privatelink_verdict::observation::QueryOutcome;
use privatelink_verdict::service_evidence::ReplyOutcome;

use super::markup::{Breakable, Chip, Text};
use super::{Page, html};
use crate::json::{
    AddressReport, CertificateReport, ConnectionReport, DnsReport, FindingReport, HistoryReport,
    HttpReport, ResolverReport, ServerReport, TargetReport,
};

/// How many changes of the verdict are shown; the API has them all.
const CHANGES: usize = 20;

impl Page<'_> {
    pub(super) fn detail(&mut self, report: &TargetReport, history: &HistoryReport) {
        html!(
            self,
            "<p class=\"facts\">expects {} · probed {} in {} · \
             <a href=\"api/v1/targets/{}\">JSON</a></p>\n",
            report.expect.0,
            report.checked_at.as_deref().unwrap_or("never"),
            Millis(report.duration_seconds),
            Text(&report.target)
        );
        if !report.findings.is_empty() {
            self.findings(&report.findings);
        }
        if let Some(dns) = &report.dns {
            let differs = |resolver: &ResolverReport| resolver.agrees == Some(false);
            self.dns(dns, report.resolvers.iter().any(differs));
        }
        if !report.connections.is_empty() {
            self.connections(&report.connections);
        }
        if !report.resolvers.is_empty() {
            self.resolvers(&report.resolvers);
        }
        self.history(history);
    }

    fn section(&mut self, title: &str, columns: &[&str], rows: impl FnOnce(&mut Self)) {
        html!(
            self,
            "<h3>{title}</h3>\n<div class=\"scroll\"><table class=\"facts\"><thead><tr>"
        );
        for column in columns {
            html!(self, "<th scope=\"col\">{column}</th>");
        }
        self.html.push_str("</tr></thead><tbody>\n");
        rows(self);
        self.html.push_str("</tbody></table></div>\n");
    }

    fn findings(&mut self, findings: &[FindingReport]) {
        self.html
            .push_str("<h3>Findings</h3>\n<ul class=\"findings\">\n");
        for finding in findings {
            let (severity, reason) = (finding.severity.0, finding.reason.0);
            html!(
                self,
                "<li><span class=\"state {severity}\">{severity}</span> <code>{reason}</code>\
                 <div><p>{}</p><p class=\"quiet\">{} ({} confidence)</p>",
                Breakable(&finding.detail),
                Text(&finding.meaning),
                finding.confidence.0
            );
            if let Some(command) = &finding.command {
                html!(self, "<pre>{}</pre>", Text(command));
            }
            self.html.push_str("</div></li>\n");
        }
        self.html.push_str("</ul>\n");
    }

    /// `alone` is whether another resolver gives something else.
    fn dns(&mut self, dns: &DnsReport, alone: bool) {
        let path = if alone {
            ", the path of this verdict"
        } else {
            ""
        };
        let title = format!("Resolution by {}{path}", Text(&dns.resolver));
        let zone = dns.zone_authority.0.as_str().replace('_', " ");
        html!(self, "<h3>{title}</h3>\n<ol class=\"chain\">");
        for name in &dns.chain {
            html!(self, "<li>{}</li>", Breakable(name));
        }
        for address in dns.addresses.iter().take(32) {
            html!(
                self,
                "<li>{} <small>ttl {} s</small></li>",
                Chip(address),
                address.ttl_seconds
            );
        }
        self.html.push_str("</ol>\n");
        if dns.privatelink {
            html!(
                self,
                "<p class=\"facts\">authority over the privatelink zone: {zone}</p>\n"
            );
        }
        let columns = ["Type", "Server", "Via", "Outcome", "Code", "Time", "Tries"];
        self.section("Queries", &columns, |page| {
            for query in &dns.queries {
                let failed = if query.outcome.0.is_failure() {
                    " class=\"bad\""
                } else {
                    ""
                };
                html!(
                    page,
                    "<tr><td>{}</td><td class=\"ip\">{}</td><td>{}</td><td{failed}>{}</td>\
                     <td>{}</td><td>{}</td><td>{}</td></tr>\n",
                    query.record_type,
                    query.server.as_deref().unwrap_or("—"),
                    query.transport.0,
                    query.outcome.0,
                    query.rcode.as_deref().unwrap_or("—"),
                    Millis(Some(query.seconds)),
                    query.tries
                );
            }
        });
        if !dns.servers.is_empty() {
            self.servers(&dns.servers);
        }
    }

    /// What each server of the path said when it was asked alone.
    fn servers(&mut self, servers: &[ServerReport]) {
        let columns = ["Server alone", "Answer", "Times", "Asked"];
        self.section("Its servers one by one", &columns, |page| {
            for server in servers {
                html!(page, "<tr><td class=\"ip\">{}</td><td>", server.server);
                page.answer(server.outcome.0, &server.addresses);
                html!(
                    page,
                    "</td><td>{}</td><td class=\"ip\">{}</td></tr>\n",
                    server.times,
                    server.checked_at.as_deref().unwrap_or("—")
                );
            }
        });
    }

    /// The addresses, or why there are none.
    fn answer(&mut self, outcome: Option<QueryOutcome>, addresses: &[AddressReport]) {
        if addresses.is_empty() {
            let outcome = outcome.map_or("skipped", |outcome| outcome.as_str());
            self.html.push_str(outcome);
        }
        for address in addresses.iter().take(32) {
            html!(self, "{} ", Chip(address));
        }
    }

    fn connections(&mut self, connections: &[ConnectionReport]) {
        let columns = ["Address", "TCP", "TLS", "Service", "Certificate"];
        self.section("Connections", &columns, |page| {
            for connection in connections.iter().take(32) {
                html!(
                    page,
                    "<tr><td class=\"ip\">{} <small>port {}</small></td>",
                    connection.ip,
                    connection.port
                );
                let (tcp, tls) = (connection.tcp.0.as_str(), connection.tls.0.as_str());
                page.ended(tcp, connection.tcp_seconds);
                page.ended(tls, connection.tls_seconds);
                page.html.push_str("<td>");
                match &connection.http {
                    Some(http) => page.service(http),
                    None => page.html.push('—'),
                }
                page.html.push_str("</td><td>");
                match &connection.certificate {
                    Some(certificate) => page.certificate(certificate),
                    None => page.html.push('—'),
                }
                page.html.push_str("</td></tr>\n");
            }
        });
    }

    fn ended(&mut self, word: &str, seconds: Option<f64>) {
        let quiet = matches!(word, "ok" | "skipped" | "not_applicable");
        let class = if quiet { "" } else { " class=\"bad\"" };
        let time = Millis(seconds);
        html!(self, "<td{class}>{word} <small>{time}</small></td>");
    }

    fn service(&mut self, http: &HttpReport) {
        let outcome = http.outcome.0;
        let class = if outcome == ReplyOutcome::Arrived {
            ""
        } else {
            " class=\"bad\""
        };
        let word = outcome.as_str().replace('_', " ");
        html!(self, "<span{class}>{word}</span>");
        if let Some(evidence) = &http.evidence {
            html!(self, "<p class=\"quiet\">{}</p>", Breakable(evidence));
        }
    }

    fn certificate(&mut self, certificate: &CertificateReport) {
        for (index, name) in certificate.names.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            html!(self, "{separator}{}", Breakable(name));
        }
        html!(
            self,
            "<p class=\"quiet\">by {}<br>from {} to {}<br><span class=\"print\">sha256 {}</span></p>",
            Text(&certificate.issuer),
            certificate.not_before.as_deref().unwrap_or("—"),
            certificate.not_after.as_deref().unwrap_or("—"),
            certificate.fingerprint_sha256
        );
    }

    fn resolvers(&mut self, resolvers: &[ResolverReport]) {
        let columns = ["Resolver", "Server", "Answer", "Agrees"];
        self.section("Other resolvers", &columns, |page| {
            for resolver in resolvers {
                html!(
                    page,
                    "<tr><td>{}</td><td class=\"ip\">{}</td><td>",
                    Text(&resolver.resolver),
                    resolver.server.as_deref().unwrap_or("—")
                );
                page.answer(resolver.outcome.0, &resolver.addresses);
                page.html.push_str(match resolver.agrees {
                    Some(true) => "</td><td>yes</td></tr>\n",
                    Some(false) => "</td><td class=\"bad\">no</td></tr>\n",
                    None => "</td><td>—</td></tr>\n",
                });
            }
        });
    }

    fn history(&mut self, history: &HistoryReport) {
        let columns = ["When", "", "Reason", "What was seen"];
        self.section("Changes", &columns, |page| {
            for transition in history.history.iter().rev().take(CHANGES) {
                let outcome = transition.outcome.0;
                html!(
                    page,
                    "<tr><td class=\"ip\">{}</td><td><span class=\"state {outcome}\">{outcome}</span>\
                     </td><td><code>{}</code></td><td>{}</td></tr>\n",
                    transition.at.as_deref().unwrap_or("—"),
                    transition.reason.0,
                    Breakable(&transition.summary)
                );
            }
        });
        html!(
            self,
            "<p class=\"facts\">kept since {} · last not private: {}</p>\n",
            history.history_since.as_deref().unwrap_or("—"),
            history.last_non_private_at.as_deref().unwrap_or("not seen")
        );
    }
}

/// Seconds, shown in milliseconds.
struct Millis(Option<f64>);

impl std::fmt::Display for Millis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(seconds) if seconds < 0.01 => write!(f, "{:.1} ms", seconds * 1e3),
            Some(seconds) => write!(f, "{:.0} ms", seconds * 1e3),
            None => Ok(()),
        }
    }
}
