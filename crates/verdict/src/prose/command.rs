//! Command: the one command that would settle a finding, with the target's own names filled in.

mod azure;
mod resolution;

use std::net::{IpAddr, SocketAddr};

use super::advice_by_facts::connect;
use crate::case::Case;
use crate::fact::{ConnectFact, Fact, ServiceFact, TlsFact};
use crate::observation::Refusal;
use crate::reason::{Reason, Stage};
use crate::verdict::Finding;

/// The command that would settle `finding`, where there is one.
///
/// People paste it into a shell, and names come from the wire or from users who may declare targets.
/// A name that holds anything but letters, digits, dots, dashes and underscores, or that a tool would
/// take for an option, gets no command.
pub(super) fn command(case: &Case<'_>, finding: &Finding) -> Option<String> {
    let plain = |name: &str| {
        !name.starts_with('-')
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    let names = [
        case.host(),
        case.target.server_name(),
        case.last_name(),
        case.resource(),
    ];
    let owner = case.soa.map(|soa| soa.owner.as_str());
    let mut names = names
        .into_iter()
        .chain(case.alias)
        .chain(case.zone())
        .chain(owner);
    if !names.all(plain) {
        return None;
    }
    match finding.reason.stage() {
        Stage::Agent | Stage::None => None,
        Stage::Dns => resolution::about_dns(case, finding),
        Stage::Address => resolution::about_address(case, finding),
        Stage::Connect => about_connection(case, finding),
        Stage::Tls => handshake(case, finding),
        Stage::Http if finding.reason == Reason::AccessDenied => access_rules(case, finding),
        Stage::Http if finding.reason == Reason::WrongPrivateEndpoint => {
            Some(azure::owner_of(finding.address?))
        }
        Stage::Http => asked(case, finding.address?),
    }
}

/// What shows why access is denied.
fn access_rules(case: &Case<'_>, finding: &Finding) -> Option<String> {
    let ip = finding.address?;
    let mut facts = finding.facts.iter();
    let refused = facts.find_map(|fact| match fact {
        Fact::Service(ServiceFact::RefusedByProtocol { refused, .. }) => Some(refused.by),
        _ => None,
    });
    match refused {
        Some(Refusal::HostBlocked) => Some(format!(
            "mysql --host {} --user ADMIN --password --execute 'SELECT ip, host, count_host_blocked_errors FROM performance_schema.host_cache'",
            case.host()
        )),
        Some(Refusal::HostNotAllowed) => None,
        Some(_) if case.target.rules.classify(ip).is_private() => Some(azure::owner_of(ip)),
        Some(_) | None => azure::network_rules(case),
    }
}

/// Whose address it is, where a record may have outlived its endpoint; else another attempt.
fn about_connection(case: &Case<'_>, finding: &Finding) -> Option<String> {
    let ip = finding.address?;
    let is_endpoint = case.may_be_endpoint() && case.target.rules.classify(ip).is_private();
    let asks_whose = match finding.reason {
        Reason::ConnectRefused | Reason::PartiallyReachable => true,
        Reason::ConnectTimeout => connect::neighbour_answers(finding),
        _ => false,
    };
    let route_prohibits = Fact::Connect(ConnectFact::RouteProhibits);
    Some(
        if is_endpoint && asks_whose && !connect::is_rejected(finding) {
            azure::owner_of(ip)
        } else if finding.facts.contains(&route_prohibits) {
            format!("ip route get {ip}")
        } else {
            format!("nc -vz -w 5 {ip} {}", case.target.port)
        },
    )
}

fn handshake(case: &Case<'_>, finding: &Finding) -> Option<String> {
    let (target, ip) = (case.target, finding.address?);
    let Some(start) = target.protocol.openssl_arguments() else {
        // A script of nmap speaks what openssl does not.
        return Some(format!(
            "nmap -Pn -p {} --script ssl-cert {ip}",
            target.port
        ));
    };
    let shows_chain = finding.facts.iter().any(|fact| {
        matches!(
            fact,
            Fact::Tls(
                TlsFact::UnknownIssuer {
                    sent_alone: true,
                    ..
                } | TlsFact::IssuerExpired { .. }
                    | TlsFact::ChainNotFollowed { .. }
            )
        )
    });
    let (chain, then) = match finding.reason {
        _ if shows_chain => (" -showcerts", ""),
        Reason::TlsTimeout | Reason::TlsInterrupted | Reason::TlsHandshakeFailed => ("", ""),
        // s_client alone shows neither the names nor, before OpenSSL 3, the dates.
        _ => (
            "",
            " | openssl x509 -noout -subject -issuer -dates -ext subjectAltName",
        ),
    };
    // Without an end of its input it would wait for what to send.
    Some(format!(
        "openssl s_client -connect {} -servername {}{start}{chain} </dev/null{then}",
        quoted(&SocketAddr::new(ip, target.port).to_string()),
        target.server_name()
    ))
}

/// The service's own request, as it was sent to `ip`.
fn asked(case: &Case<'_>, ip: IpAddr) -> Option<String> {
    let mut connections = case.observation.connections.iter();
    if !connections.any(|connection| connection.ip == ip && connection.service.is_some()) {
        return None;
    }
    let request = case.target.evidence()?.request;
    let show = if request.method == "HEAD" {
        "-sSI"
    } else {
        "-sSi"
    };
    let mut headers = String::new();
    for (name, value) in request.headers {
        headers.push_str(&format!(" -H '{name}: {value}'"));
    }
    let (host, port) = (case.target.server_name(), case.target.port);
    let ip = match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    let authority = match port {
        443 => host.to_owned(),
        port => format!("{host}:{port}"),
    };
    Some(format!(
        "curl {show} --max-time 10 --resolve {}{headers} 'https://{authority}{}'",
        quoted(&format!("{host}:{port}:{ip}")),
        request.path
    ))
}

/// Fit for a shell: some take brackets for a pattern of file names.
fn quoted(word: &str) -> String {
    if word.contains('[') {
        format!("'{word}'")
    } else {
        word.to_owned()
    }
}
