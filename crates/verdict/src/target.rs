//! Target: one host and port to probe, with an expectation.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::address::{Family, Rules};
use crate::catalogue::{Service, Usage};
pub use crate::protocol::Protocol;
use crate::service_evidence::ServiceEvidence;
use crate::words::words;

/// One host and port to probe, with everything the judge holds it to.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// The metric label; unique within a configuration.
    pub name: String,
    /// The host, lower case and without the trailing dot.
    pub host: String,
    /// The port, never 0.
    pub port: u16,
    /// How the handshake begins.
    pub protocol: Protocol,
    /// Judged on DNS alone: connecting counts against the client (`MySQL`), unless asked for.
    pub dns_only: bool,
    /// What the catalogue says the host is; `None` outside the catalogue.
    pub service: Option<&'static Service>,
    /// Where the target was declared.
    pub source: Source,
    /// What the address should be.
    pub expect: Expectation,
    /// How its addresses are classified; most targets share the global rules.
    pub rules: Arc<Rules>,
    /// The families asked for, at least one.
    pub families: &'static [Family],
    /// The resolver it is judged by, by name.
    pub resolver: Arc<str>,
    /// Time between the starts of two probes.
    pub interval: Duration,
    /// Budget of one probe.
    pub timeout: Duration,
    /// The name the certificate must cover and SNI carries, where it is not the host.
    pub server_name: Option<Box<str>>,
    /// Whether the service itself is asked (section 2, step 5).
    pub http: bool,
    /// The private DNS zone of a service outside the catalogue.
    pub private_zone: Option<String>,
    /// A certificate that ends within this time is worth a warning.
    pub expiry_warning: Duration,
    /// Names of targets of the same service, without which this one is of little use: a registry's
    /// data endpoints, blob beside dfs.
    pub companions: Vec<String>,
    /// For routing alerts; a label of `target_info`.
    pub owner: Option<String>,
    /// Who in the cluster uses it; `None` where that is not known.
    pub users: Option<Box<Users>>,
}

impl Target {
    /// The shortest and the longest interval, whatever the limits say.
    pub const INTERVALS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_hours(24));

    /// The shortest and the longest timeout: with less than two seconds a stage could not tell a lost
    /// packet from a slow one.
    pub const TIMEOUTS: (Duration, Duration) = (Duration::from_secs(2), Duration::from_mins(10));

    /// The longest name in bytes. It becomes a metric label.
    pub const LONGEST_NAME: usize = 253;

    /// The longest owner in bytes. It becomes a metric label.
    pub const LONGEST_OWNER: usize = 128;

    /// The name the certificate must cover and SNI carries: the host, unless configured.
    pub fn server_name(&self) -> &str {
        self.server_name.as_deref().unwrap_or(&self.host)
    }

    /// The catalogue's slug, `custom` outside the catalogue.
    pub fn service_slug(&self) -> &'static str {
        self.service.map_or("custom", |service| service.slug)
    }

    /// What its service may be asked before login, and what the reply proves.
    pub fn evidence(&self) -> Option<&'static ServiceEvidence> {
        self.service?.evidence
    }

    /// Whether the service is ever asked: it is wanted, there is something to ask, and TLS to ask it over.
    pub fn is_asked(&self) -> bool {
        self.http && self.evidence().is_some() && self.protocol != Protocol::Tcp
    }

    /// Whether it is SQL Server asked for strict encryption (TDS 8): TLS from the first byte, at the
    /// registered port or for a service that the catalogue knows to speak TDS.
    pub fn is_strict_tds(&self) -> bool {
        let ports = self.service.map_or(&[][..], |service| &service.ports);
        let speaks_tds = ports.iter().any(|port| port.protocol == Protocol::Tds);
        self.protocol == Protocol::Tls && (self.port == 1433 || speaks_tds)
    }

    /// Whether `other` is probed and judged alike: at most who uses it differs.
    pub fn is_probed_like(&self, other: &Self) -> bool {
        let without_users = |target: &Self| Self {
            users: None,
            ..target.clone()
        };
        without_users(self) == without_users(other)
    }

    /// Other ports that the catalogue lists for the service: what `port_blocked` compares with.
    pub fn other_ports(&self) -> impl Iterator<Item = u16> + '_ {
        let ports = self.service.map_or(&[][..], |service| &service.ports);
        ports
            .iter()
            .map(|port| port.number)
            .filter(|number| *number != self.port)
    }
}

/// Who in the cluster uses a target: whom a failure hurts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Users {
    /// What they do with it, where that decides the path.
    pub usage: Option<Usage>,
    /// How many workloads use it. Pods count for the controllers that make them.
    pub workloads: u64,
    /// In how many namespaces they are.
    pub namespaces: u64,
    /// At most [`Users::MOST_EXAMPLES`] of them, such as `Deployment payments/api`. Where no workload is
    /// known, the objects that name the target.
    pub examples: Vec<String>,
}

impl Users {
    /// How many examples are kept.
    pub const MOST_EXAMPLES: usize = 3;
}

impl fmt::Display for Users {
    /// `image pulls of 14 workloads in 3 namespaces`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.workloads == 0 {
            return write!(f, "named by {}", self.examples.join(", "));
        }
        f.write_str(match self.usage {
            Some(Usage::Registries) => "image pulls of ",
            Some(Usage::Volumes) => "mounts of ",
            None => "",
        })?;
        let plural = |count| if count == 1 { "" } else { "s" };
        let (workloads, namespaces) = (self.workloads, self.namespaces);
        write!(
            f,
            "{workloads} workload{} in {namespaces} namespace{}",
            plural(workloads),
            plural(namespaces)
        )
    }
}

words! {
    /// What the address should be.
    Expectation {
        /// Every address private, and expected where networks are given.
        PrivateEndpoint = "privateEndpoint",
        /// The address stays public and the service must let us in.
        ServiceEndpoint = "serviceEndpoint",
        /// No demand on the address.
        Public = "public",
        /// `privateEndpoint` as soon as an address is or was private, else `public`.
        Auto = "auto",
    }
}

words! {
    /// Where a target was declared.
    Source {
        /// The configuration, or the command line.
        Config = "config",
        /// A `PrivateLinkTarget`.
        Crd = "crd",
        /// What the cluster was seen to use.
        Discovered = "discovered",
    }
}
