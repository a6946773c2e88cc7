//! Command: the one command that would settle a finding, with the target's own names filled in.

use std::net::{IpAddr, SocketAddr};

use crate::address::Family;
use crate::case::Case;
use crate::catalogue;
use crate::fact::{Fact, LISTED, ServiceFact, TlsFact};
use crate::observation::{Comparison, QueryOutcome, Refusal};
use crate::protocol::Protocol;
use crate::reason::{Reason, Stage};
use crate::verdict::Finding;
use crate::zone::{ZoneAuthority, is_azure_private_dns};

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
        &case.target.server_name,
        case.last_name(),
        case.resource(),
    ];
    let mut names = names.into_iter().chain(case.alias).chain(case.zone());
    if !names.all(plain) {
        return None;
    }
    match finding.reason.stage() {
        Stage::Agent | Stage::None => None,
        Stage::Dns => about_dns(case, finding),
        Stage::Address => about_address(case, finding),
        Stage::Connect => Some(format!(
            "nc -vz -w 5 {} {}",
            finding.address?, case.target.port
        )),
        Stage::Tls => handshake(case, finding),
        Stage::Http if is_host_blocked(finding) => Some(format!(
            "mysql --host {} --user ADMIN --password --execute 'SELECT ip, host, count_host_blocked_errors FROM performance_schema.host_cache'",
            case.host()
        )),
        Stage::Http if finding.reason == Reason::WrongPrivateEndpoint => {
            Some(owner_of(finding.address?))
        }
        Stage::Http => asked(case, finding.address?),
    }
}

fn is_host_blocked(finding: &Finding) -> bool {
    finding.facts.iter().any(|fact| {
        matches!(
            fact,
            Fact::Service(ServiceFact::RefusedByProtocol {
                refusal: Refusal::HostBlocked,
                ..
            })
        )
    })
}

fn about_dns(case: &Case<'_>, finding: &Finding) -> Option<String> {
    let host = case.host();
    let server = case.observation.resolution.server();
    let kind = record_type(case, finding);
    match finding.reason {
        Reason::DnsPrivateZoneNotLinked => links(case),
        Reason::DnsPrivateRecordMissing => {
            let is_own_server = case.authority == ZoneAuthority::Private
                && !case.soa.is_some_and(is_azure_private_dns);
            if is_own_server {
                Some(dig(&format!("{} {kind}", case.last_name()), server))
            } else {
                record(case)
            }
        }
        Reason::DnsAliasDangling => Some(endpoints(case)),
        Reason::DnsTcpFailed => Some(dig(&format!("+tcp {host} {kind}"), server)),
        Reason::DnsZoneShadows => Some(dig(&format!("{host} SOA"), server)),
        // The list is the client's, and dig reads the same resolv.conf.
        Reason::DnsSearchCapture => Some(format!("dig +search +showsearch {host} A")),
        _ => Some(dig(&format!("{host} {kind}"), server)),
    }
}

fn about_address(case: &Case<'_>, finding: &Finding) -> Option<String> {
    let host = case.host();
    let server = case.observation.resolution.server();
    let kind = record_type(case, finding);
    match finding.reason {
        Reason::PublicFallback => links(case),
        // The private address: the host goes another way. The public one: there is no record.
        Reason::PublicFallbackZoneLinked => Some(dig(&format!("{} {kind}", case.alias?), server)),
        Reason::NoPrivateEndpoint => Some(endpoints(case)),
        Reason::UnexpectedPrivateAddress => Some(owner_of(finding.address?)),
        Reason::AddressFlapping => {
            Some(each_server(case).unwrap_or_else(|| dig(&format!("{host} {kind}"), server)))
        }
        Reason::ResolverDisagreement | Reason::ResolverUnavailable => {
            let server = compared(case, finding.reason)?;
            Some(dig(&format!("{host} {kind}"), Some(server)))
        }
        Reason::ProxyWouldBeUsed => None,
        _ => Some(dig(&format!("{host} {kind}"), server)),
    }
}

/// The private endpoints of the resource.
fn endpoints(case: &Case<'_>) -> String {
    let resource = case.resource();
    // The first label of a shared host names a region, and the group id of its service is what tells.
    let wanted = match catalogue::sharing(resource) {
        Some(service) => service.subresources.first().copied().unwrap_or_default(),
        None => resource.split_once('.').map_or(resource, |(label, _)| {
            // The secondary of a storage account is the same resource.
            label.strip_suffix("-secondary").unwrap_or(label)
        }),
    };
    graph(&format!(
        "resources | where type =~ \"microsoft.network/privateendpoints\" and tostring(properties) contains \"{wanted}\" | project name, resourceGroup, subscriptionId"
    ))
}

/// The network interface that has a private address, and its private endpoint.
fn owner_of(ip: IpAddr) -> String {
    graph(&format!(
        "resources | where type =~ \"microsoft.network/networkinterfaces\" | mv-expand config = properties.ipConfigurations | where config.properties.privateIPAddress == \"{ip}\" | project name, endpoint = properties.privateEndpoint.id"
    ))
}

/// Which networks see the zone, in whatever subscription it is.
fn links(case: &Case<'_>) -> Option<String> {
    let zone = case.zone()?;
    Some(graph(&format!(
        "resources | where type =~ \"microsoft.network/privatednszones/virtualnetworklinks\" and id contains \"/{zone}/\" | project name, resourceGroup, subscriptionId, network = properties.virtualNetwork.id"
    )))
}

/// What the zone holds for the host.
fn record(case: &Case<'_>) -> Option<String> {
    let zone = case.zone()?;
    let names = case
        .alias
        .into_iter()
        .chain([case.last_name(), case.host()]);
    let record = names
        .filter_map(|name| name.strip_suffix(zone))
        // A zone named like the one record that it holds has it at its apex.
        .find_map(|rest| {
            if rest.is_empty() {
                Some("@")
            } else {
                rest.strip_suffix('.')
            }
        })?;
    Some(format!(
        "az resource show --ids \"$({} --query 'data[0].id' --output tsv)/A/{record}\"",
        query(&format!(
            "resources | where type =~ \"microsoft.network/privatednszones\" and name =~ \"{zone}\""
        ))
    ))
}

/// A query of Azure Resource Graph, which searches all subscriptions: a private zone is as a rule in
/// that of a hub.
fn query(query: &str) -> String {
    format!("az graph query --graph-query '{query}'")
}

fn graph(of: &str) -> String {
    format!("{} --output table", query(of))
}

fn dig(arguments: &str, server: Option<SocketAddr>) -> String {
    match server {
        Some(server) if server.port() != 53 => {
            format!("dig {arguments} @{} -p {}", server.ip(), server.port())
        }
        Some(server) => format!("dig {arguments} @{}", server.ip()),
        None => format!("dig {arguments}"),
    }
}

/// Asks each server that was asked alone; the only one several times.
fn each_server(case: &Case<'_>) -> Option<String> {
    let answers = case.observation.resolution.servers.iter();
    let mut addresses = answers.flat_map(|answer| &answer.addresses).peekable();
    // Of a host that has IPv6 alone, A would show nothing.
    let family = if addresses.peek().is_some() && addresses.all(|address| address.ip.is_ipv6()) {
        Family::Ipv6
    } else {
        Family::Ipv4
    };
    let question = format!("+short {} {}", case.host(), family.record_type());
    let ask = |server: &SocketAddr| dig(&question, Some(*server));
    match case.observation.resolution.servers_asked_alone().as_slice() {
        [] => None,
        [only] => Some(format!("for i in 1 2 3 4; do {}; done", ask(only))),
        several => {
            let asked = several.iter().take(LISTED).map(ask);
            Some(asked.collect::<Vec<_>>().join("; "))
        }
    }
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
        None => troubled
            .or(queries.first())
            .map_or("A", |query| query.family.record_type()),
    }
}

/// The server of the resolver that differs, or that did not answer.
fn compared(case: &Case<'_>, reason: Reason) -> Option<SocketAddr> {
    let path = &case.observation.resolution;
    let is_meant = |other: &Comparison| match reason {
        Reason::ResolverDisagreement => other.agrees_with(path) == Some(false),
        _ => other
            .resolution
            .outcome()
            .is_some_and(QueryOutcome::is_failure),
    };
    let mut comparisons = case.observation.comparisons.iter();
    let found = comparisons.find(|other| other.must_agree && is_meant(other))?;
    found.resolution.server()
}

fn handshake(case: &Case<'_>, finding: &Finding) -> Option<String> {
    let (target, ip) = (case.target, finding.address?);
    let start = match target.protocol {
        Protocol::Postgres => " -starttls postgres",
        Protocol::Mysql => " -starttls mysql",
        // openssl knows no TDS; nmap's script does.
        Protocol::Tds => {
            return Some(format!(
                "nmap -Pn -p {} --script ssl-cert {ip}",
                target.port
            ));
        }
        Protocol::Tls | Protocol::Tcp => "",
    };
    let is_sent_alone = finding.facts.iter().any(|fact| {
        matches!(
            fact,
            Fact::Tls(TlsFact::UnknownIssuer {
                sent_alone: true,
                ..
            })
        )
    });
    let chain = if is_sent_alone { " -showcerts" } else { "" };
    // Without an end of its input it would wait for what to send.
    Some(format!(
        "openssl s_client -connect {} -servername {}{start}{chain} </dev/null",
        quoted(&SocketAddr::new(ip, target.port).to_string()),
        target.server_name
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
    let (host, port) = (&case.target.server_name, case.target.port);
    let ip = match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    let authority = match port {
        443 => host.clone(),
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
