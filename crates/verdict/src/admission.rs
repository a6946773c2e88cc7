//! Admission: which hosts and ports may be probed for people other than the operator.
//!
//! A person who can create a `PrivateLinkTarget` or a pod must not be able to make every node dial
//! hosts other than the catalogue's and `allowedHosts`, or a port that the catalogue does not list.

use crate::catalogue::{self, Service};
use crate::name::is_within;

/// One entry of `allowedHosts`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// This host.
    Host(String),
    /// Everything below this zone: `*.zone`.
    Below(String),
}

impl Allowed {
    /// Whether the entry allows `host` (normalised).
    pub fn covers(&self, host: &str) -> bool {
        match self {
            Self::Host(allowed) => allowed == host,
            Self::Below(zone) => host != zone && is_within(host, zone),
        }
    }
}

/// Why a host and port may not be probed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A name of the cluster itself, or of this machine.
    ClusterInternal,
    /// Neither in the catalogue nor in `allowedHosts`.
    UnknownHost,
    /// A port that the catalogue does not list for the host.
    Port,
}

/// Whether `host` (normalised) may be probed at `port`, or at its usual one: the port, and what the
/// catalogue knows of the host.
pub fn admit(
    host: &str,
    port: Option<u16>,
    allowed: &[Allowed],
) -> Result<(u16, Option<&'static Service>), Refusal> {
    let service = catalogue::lookup(host).map(|known| known.service);
    let port = admit_known(host, port, service, allowed)?;
    Ok((port, service))
}

/// The same where it is known already what service `host` is: the port.
pub fn admit_known(
    host: &str,
    port: Option<u16>,
    service: Option<&'static Service>,
    allowed: &[Allowed],
) -> Result<u16, Refusal> {
    if is_cluster_internal(host) {
        return Err(Refusal::ClusterInternal);
    }
    let ports = service.map_or(&[][..], |service| &service.ports);
    let usual = ports.first().map_or(443, |port| port.number);
    let port = port.unwrap_or(usual);
    if allowed.iter().any(|allowed| allowed.covers(host)) {
        return Ok(port);
    }
    let Some(service) = service else {
        return Err(Refusal::UnknownHost);
    };
    let has = |service: &Service| service.ports.iter().any(|listed| listed.number == port);
    if has(service) || namesakes(service).any(has) {
        return Ok(port);
    }
    Err(Refusal::Port)
}

/// The services whose hosts end like those of `service`, so that a host does not say which it is: a namespace
/// of Event Hubs, which has the port of Kafka, is called like one of Service Bus, which has not.
fn namesakes(service: &'static Service) -> impl Iterator<Item = &'static Service> {
    let services = catalogue::services().iter();
    services.filter(|other| {
        let mut suffixes = other.suffixes.iter();
        suffixes.any(|suffix| service.suffixes.contains(suffix))
    })
}

fn is_cluster_internal(host: &str) -> bool {
    !host.contains('.')
        || ["svc", "cluster.local", "localhost"]
            .iter()
            .any(|zone| is_within(host, zone))
        || host.split('.').any(|label| label == "svc")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_allows_what_is_below_it_and_nothing_beside_it() {
        let zone = Allowed::Below("example.com".to_owned());
        assert!(zone.covers("a.example.com"));
        assert!(zone.covers("a.b.example.com"));
        assert!(!zone.covers("example.com"));
        assert!(!zone.covers("badexample.com"));
        let host = Allowed::Host("example.com".to_owned());
        assert!(host.covers("example.com"));
        assert!(!host.covers("a.example.com"));
    }

    #[test]
    fn names_of_the_cluster_itself_are_refused_even_where_they_are_allowed() {
        for name in [
            "kubernetes",
            "api.default.svc",
            "api.default.svc.cluster.local",
            "api.default.svc.corp.example",
            "x.localhost",
        ] {
            let allowed = [Allowed::Host(name.to_owned())];
            assert_eq!(
                admit(name, None, &allowed),
                Err(Refusal::ClusterInternal),
                "{name}"
            );
        }
    }

    #[test]
    fn the_catalogue_gives_the_port_and_an_allowed_host_may_have_any() {
        let admitted = |host: &str, port, allowed: &[Allowed]| {
            admit(host, port, allowed).map(|(port, service)| (port, service.map(|row| row.slug)))
        };
        assert_eq!(
            admitted("a.database.windows.net", None, &[]),
            Ok((1433, Some("sql")))
        );
        assert_eq!(
            admitted("kv.vault.azure.net", Some(22), &[]),
            Err(Refusal::Port)
        );
        assert_eq!(
            admitted("a.servicebus.windows.net", Some(9093), &[]),
            Ok((9093, Some("service-bus"))),
            "a host of Event Hubs ends like one of Service Bus"
        );
        assert_eq!(admitted("a.example", None, &[]), Err(Refusal::UnknownHost));
        let allowed = [Allowed::Host("a.example".to_owned())];
        assert_eq!(admitted("a.example", None, &allowed), Ok((443, None)));
        assert_eq!(
            admitted("a.example", Some(8443), &allowed),
            Ok((8443, None))
        );
    }
}
