//! Zones: what Azure's DNS holds for one Key Vault, in the states a private endpoint can be in.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};

/// The host that the worlds are about.
pub(crate) const HOST: &str = "kv-prod.vault.azure.net";
/// Where its alias points.
pub(crate) const ALIAS: &str = "kv-prod.privatelink.vaultcore.azure.net";
/// The name that the public side of the alias leads to.
pub(crate) const PUBLIC_NAME: &str = "data-prod-weu.vaultcore.azure.net";

/// The server of every zone, which has its address in the root.
pub(crate) const NAME_SERVER: &str = "ns.lab";

/// Seconds. Short, so that a repaired zone shows through caches within a probe's interval.
const TTL: u32 = 1;

/// Whose start of authority a zone carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Authority {
    /// Azure's public name servers.
    Public,
    /// A private zone linked to the network, as 168.63.129.16 answers for it.
    Private,
}

/// One zone: its name and its records in master file format (RFC 1035 section 5).
#[derive(Clone, Debug)]
pub(crate) struct Zone {
    pub(crate) name: String,
    authority: Authority,
    records: String,
}

impl Zone {
    pub(crate) fn new(name: &str, authority: Authority) -> Self {
        Self {
            name: name.to_owned(),
            authority,
            records: String::new(),
        }
    }

    /// Adds an alias from `owner` to `target`, both absolute names without the last dot.
    pub(crate) fn alias(mut self, owner: &str, target: &str) -> Self {
        writeln!(self.records, "{owner}. CNAME {target}.").expect("a string takes all");
        self
    }

    pub(crate) fn address(mut self, owner: &str, address: impl Into<IpAddr>) -> Self {
        let address = address.into();
        let kind = if address.is_ipv4() { "A" } else { "AAAA" };
        writeln!(self.records, "{owner}. {kind} {address}").expect("a string takes all");
        self
    }

    /// The zone as a file. A server reads it again only when `serial` has grown.
    pub(crate) fn file(&self, serial: u32) -> String {
        let (server, mailbox) = match self.authority {
            Authority::Public => ("ns1-06.azure-dns.com", "azuredns-hostmaster.microsoft.com"),
            Authority::Private => ("azureprivatedns.net", "azureprivatedns-host.microsoft.com"),
        };
        format!(
            "$TTL {TTL}\n@ SOA {server}. {mailbox}. {serial} 3600 600 86400 {TTL}\n@ NS {NAME_SERVER}.\n{}",
            self.records,
        )
    }
}

/// `label.vault.azure.net` with its alias, the zone the alias is in, and the public name behind it.
///
/// `privatelink` is that zone, holding what the state of the world puts there.
pub(crate) fn vault_zones(labels: &[&str], privatelink: Zone, public: Ipv4Addr) -> Vec<Zone> {
    let vault = labels.iter().fold(
        Zone::new("vault.azure.net", Authority::Public),
        |zone, label| zone.alias(&format!("{label}.vault.azure.net"), &alias_of(label)),
    );
    let core = Zone::new("vaultcore.azure.net", Authority::Public).address(PUBLIC_NAME, public);
    vec![vault, privatelink, core]
}

/// The empty zone that private endpoints of Key Vaults are registered in.
pub(crate) fn privatelink(authority: Authority) -> Zone {
    Zone::new("privatelink.vaultcore.azure.net", authority)
}

pub(crate) fn alias_of(label: &str) -> String {
    format!("{label}.privatelink.vaultcore.azure.net")
}
