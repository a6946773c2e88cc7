//! Catalogue: the table of Azure services: host suffix, private DNS zone, ports, protocol,
//! private-only names, per cloud.

use std::fmt;

use crate::target::{Protocol, words};

words! {
    /// An Azure cloud.
    Cloud {
        /// Azure.
        Commercial = "commercial",
        /// Azure Government.
        UsGov = "usgov",
        /// Azure operated by 21Vianet.
        China = "china",
    }
}

/// One row of the table.
#[derive(Debug, PartialEq)]
pub struct Service {
    /// The cloud it exists in.
    pub cloud: Cloud,
    /// Its name, for people.
    pub title: &'static str,
    /// The stable word for it: `key-vault`.
    pub slug: &'static str,
    /// The resource provider's type: `Microsoft.KeyVault/vaults`.
    pub resource_type: &'static str,
    /// The private endpoint's group ids.
    pub subresources: Vec<&'static str>,
    /// Patterns of the private DNS zones; `{…}` is one label.
    pub private_zones: Vec<&'static str>,
    /// Patterns of the public suffixes; `{…}` is one label.
    pub suffixes: Vec<&'static str>,
    /// The suffixes for which this row, among those that share them, decides.
    pub primary: Vec<&'static str>,
    /// Patterns of the zones whose names exist nowhere in public.
    pub private_only: Vec<&'static str>,
    /// Its ports, the default one first.
    pub ports: Vec<ServicePort>,
    /// What there is to know besides.
    pub notes: &'static str,
}

/// A port of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServicePort {
    /// The number.
    pub number: u16,
    /// What a probe speaks there.
    pub protocol: Protocol,
}

/// What the catalogue knows of one host.
#[derive(Clone, Debug, PartialEq)]
pub struct Match {
    /// The row that decides.
    pub service: &'static Service,
    /// The public suffix that the host ends in, its placeholders filled in.
    pub suffix: String,
}

/// Every row, in the order of the data file.
pub fn services() -> &'static [Service] {
    &[]
}

/// What the catalogue knows of `host` (normalised): the row of the longest suffix it ends in.
pub fn lookup(host: &str) -> Option<Match> {
    let _ = host;
    None
}

/// The zone of a private-only name: `privatelink.westeurope.azmk8s.io` for an API server's.
pub fn private_only_zone(name: &str) -> Option<&str> {
    let _ = name;
    None
}

/// Whether `zone` is a private DNS zone of the catalogue.
pub fn is_private_zone(zone: &str) -> bool {
    let _ = zone;
    false
}

/// Whether `zone` is a public suffix of the catalogue, or a parent of one with at least two labels.
pub fn holds_suffix(zone: &str) -> bool {
    let _ = zone;
    false
}

/// The private zones that people create by mistake instead of `zone`.
pub fn mistaken_zones(zone: &str) -> Vec<String> {
    let _ = zone;
    Vec::new()
}
