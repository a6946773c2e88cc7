//! Command: the one command that would settle a finding, with the target's own names filled in.

use std::net::{IpAddr, SocketAddr};

use super::zone::is_azures;
use super::{Case, ZoneAuthority, servers};
use crate::address::Family;
use crate::reason::Reason;
use crate::service::request;
use crate::target::Protocol;
use crate::verdict::Finding;

/// The command that would settle `finding`, where there is one.
///
/// People paste it into a shell, and names come from the wire or from whoever may declare targets:
/// one that holds anything but letters, digits, dots, dashes and underscores, or that a tool would
/// take for an option, gets no command.
pub(super) fn command(case: &Case<'_>, finding: &Finding) -> Option<String> {
    let plain = |name: &str| {
        !name.starts_with('-')
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    let names = [case.host(), &case.target.server_name, case.last_name()];
    let mut names = names.into_iter().chain(case.alias).chain(case.zone());
    if !names.all(plain) {
        return None;
    }
    let host = case.host();
    let port = case.target.port;
    let server = case.observation.resolution.server();
    let dig = |arguments: String| match server {
        Some(server) => dig_at(&arguments, server),
        None => format!("dig {arguments}"),
    };
    let kind = record_type(case, finding);
    Some(match finding.reason {
        Reason::PublicFallback | Reason::DnsPrivateZoneNotLinked => format!(
            "az network private-dns link vnet list --resource-group <group> --zone-name {} --output table",
            case.zone()?
        ),
        // The private address: the host goes another way. The public one: there is no record.
        Reason::PublicFallbackZoneLinked => dig(format!("{} {kind}", case.alias?)),
        Reason::DnsPrivateRecordMissing => {
            let zone = case.zone()?;
            let names = case.alias.into_iter().chain([case.last_name(), host]);
            let record = { names }
                .filter_map(|name| name.strip_suffix(zone))
                // A zone named like the one record that it holds has it at its apex.
                .find_map(|rest| {
                    if rest.is_empty() {
                        Some("@")
                    } else {
                        rest.strip_suffix('.')
                    }
                })?;
            if case.authority == ZoneAuthority::Private && !case.soa.is_some_and(is_azures) {
                return Some(dig(format!("{} {kind}", case.last_name())));
            }
            format!(
                "az network private-dns record-set a show --resource-group <group> --zone-name {zone} --name {record}"
            )
        }
        Reason::NoPrivateEndpoint | Reason::DnsAliasDangling | Reason::UnexpectedPrivateAddress => {
            let resource = host.split('.').next().unwrap_or(host);
            format!(
                "az network private-endpoint list --query \"[?contains(to_string(privateLinkServiceConnections), '{resource}')]\" --output table"
            )
        }
        Reason::DnsTimeout
        | Reason::DnsServerUnreachable
        | Reason::DnsServerFailure
        | Reason::DnsInvalidAnswer
        | Reason::DnsIncompleteAnswer
        | Reason::DnsNameNotFound
        | Reason::DnsDegraded
        | Reason::MixedAddresses => dig(format!("{host} {kind}")),
        Reason::AddressFlapping => {
            each_server(case).unwrap_or_else(|| dig(format!("{host} {kind}")))
        }
        Reason::DnsTcpFailed => dig(format!("+tcp {host} {kind}")),
        Reason::DnsZoneShadows => dig(format!("{host} SOA")),
        Reason::ConnectTimeout
        | Reason::ConnectRefused
        | Reason::ConnectUnreachable
        | Reason::ConnectReset
        | Reason::PortBlocked
        | Reason::PartiallyReachable => format!("nc -vz -w 5 {} {port}", finding.address?),
        Reason::TlsNameMismatch
        | Reason::PrivatelinkHostUsed
        | Reason::TlsUntrustedIssuer
        | Reason::TlsCertificateExpired
        | Reason::TlsCertificateNotYetValid
        | Reason::TlsCertificateInvalid
        | Reason::TlsCertificateExpiring
        | Reason::TlsTimeout
        | Reason::TlsInterrupted
        | Reason::TlsHandshakeFailed => {
            let ip = finding.address?;
            let start = match case.target.protocol {
                Protocol::Postgres => " -starttls postgres",
                Protocol::Mysql => " -starttls mysql",
                // openssl knows no TDS; nmap's script does.
                Protocol::Tds => return Some(format!("nmap -Pn -p {port} --script ssl-cert {ip}")),
                Protocol::Tls | Protocol::Tcp => "",
            };
            format!(
                "openssl s_client -connect {} -servername {}{start}",
                SocketAddr::new(ip, port),
                case.target.server_name
            )
        }
        // Which endpoint has the address is the whole question.
        Reason::WrongPrivateEndpoint => format!(
            "az network nic list --query \"[?ipConfigurations[?privateIPAddress=='{}']].{{nic:name, endpoint:privateEndpoint.id}}\" --output table",
            finding.address?
        ),
        Reason::AccessDenied
        | Reason::PublicPathSeen
        | Reason::UnexpectedResponder
        | Reason::HttpTimeout
        | Reason::ServiceError => asked(case, finding.address?)?,
        _ => return None,
    })
}

fn dig_at(arguments: &str, server: SocketAddr) -> String {
    if server.port() == 53 {
        format!("dig {arguments} @{}", server.ip())
    } else {
        format!("dig {arguments} @{} -p {}", server.ip(), server.port())
    }
}

/// Asks each server that was asked alone; the only one several times.
fn each_server(case: &Case<'_>) -> Option<String> {
    let ask = |server: &SocketAddr| dig_at(&format!("+short {} A", case.host()), *server);
    match servers::asked(case).as_slice() {
        [] => None,
        [only] => Some(format!("for i in 1 2 3 4; do {}; done", ask(only))),
        several => {
            let asked = several.iter().take(servers::MOST).map(ask);
            Some(asked.collect::<Vec<_>>().join("; "))
        }
    }
}

/// The service's own request, as it was sent to `ip`.
fn asked(case: &Case<'_>, ip: IpAddr) -> Option<String> {
    let asked = case.observation.connections.iter();
    let asked = { asked }.any(|connection| connection.ip == ip && connection.service.is_some());
    let request = request(case.target.service_slug()).filter(|_| asked)?;
    let method = if request.method == "HEAD" { "I" } else { "i" };
    let headers = { request.headers.iter() }.map(|(name, value)| format!(" -H '{name}: {value}'"));
    let (host, port) = (&case.target.server_name, case.target.port);
    let ip = match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    Some(format!(
        "curl -sS{method} --max-time 10 --resolve {host}:{port}:{ip}{} 'https://{host}{}'",
        headers.collect::<String>(),
        request.path
    ))
}

/// The record type to ask for: of the address at fault, else of the family that had trouble.
fn record_type(case: &Case<'_>, finding: &Finding) -> &'static str {
    let queries = &case.observation.resolution.queries;
    let troubled = queries
        .iter()
        .find(|q| q.outcome.is_failure() || q.degraded);
    match finding.address {
        // By what it is written as: a mapped address comes from an AAAA record.
        Some(ip) if ip.is_ipv6() => Family::Ipv6.record_type(),
        Some(_) => Family::Ipv4.record_type(),
        None => { troubled.or(queries.first()) }.map_or("A", |query| query.family.record_type()),
    }
}
