//! Zones: what Azure's DNS holds for the services, as a network with or without the private zones sees it.

use std::fmt::Write as _;
use std::net::Ipv4Addr;

/// Seconds that an answer lives. Short of an interval, or a target that is healed would be compared with the
/// other path's cache at its first probe, and doubted until the fifth.
pub(crate) const TTL: u64 = 2;

/// Vaults beside the first one, for tests that need many targets.
pub(crate) const MANY: usize = 50;
/// Where those are.
pub(crate) const MANY_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 1, 2, 9);

/// A service with a private endpoint.
pub(crate) struct Service {
    pub(crate) host: &'static str,
    /// The alias of `host`, inside the private zone.
    pub(crate) alias: &'static str,
    /// The zone that a network is linked to, or not.
    pub(crate) zone: &'static str,
    /// Where the alias leads in public DNS.
    pub(crate) public_name: &'static str,
    pub(crate) private: Ipv4Addr,
    pub(crate) public: Ipv4Addr,
}

pub(crate) const VAULT: Service = Service {
    host: "kv-e2e.vault.azure.net",
    alias: "kv-e2e.privatelink.vaultcore.azure.net",
    zone: "privatelink.vaultcore.azure.net",
    public_name: "data-prod-weu.vaultcore.azure.net",
    private: Ipv4Addr::new(10, 1, 2, 4),
    public: Ipv4Addr::new(198, 51, 100, 4),
};

pub(crate) const REGISTRY: Service = Service {
    host: "e2e.azurecr.io",
    alias: "e2e.privatelink.azurecr.io",
    zone: "privatelink.azurecr.io",
    public_name: "weu-3.fe.azcr.io",
    private: Ipv4Addr::new(10, 1, 2, 5),
    public: Ipv4Addr::new(203, 0, 113, 5),
};

/// The registry's layers are served from here; the record is one of the registry's zone.
pub(crate) const REGISTRY_DATA: Service = Service {
    host: "e2e.westeurope.data.azurecr.io",
    alias: "e2e.westeurope.data.privatelink.azurecr.io",
    zone: "privatelink.azurecr.io",
    public_name: "weu-3.fe.azcr.io",
    private: Ipv4Addr::new(10, 1, 2, 6),
    public: Ipv4Addr::new(203, 0, 113, 5),
};

pub(crate) const STORAGE: Service = Service {
    host: "ste2e.blob.core.windows.net",
    alias: "ste2e.privatelink.blob.core.windows.net",
    zone: "privatelink.blob.core.windows.net",
    public_name: "blob.ams23prdstr02a.store.core.windows.net",
    private: Ipv4Addr::new(10, 1, 2, 7),
    public: Ipv4Addr::new(203, 0, 113, 7),
};

pub(crate) const SERVICES: [Service; 4] = [VAULT, REGISTRY, REGISTRY_DATA, STORAGE];

/// The zones that a network may be linked to, each once.
pub(crate) fn private_zones() -> Vec<&'static str> {
    let mut zones: Vec<_> = SERVICES.iter().map(|service| service.zone).collect();
    zones.dedup();
    zones
}

/// The private zone `zone` as a network that is linked to it sees it, in master file format.
pub(crate) fn linked(zone: &str) -> String {
    let mut text = authority("azureprivatedns.net", "azureprivatedns-host.microsoft.com");
    for service in SERVICES.iter().filter(|service| service.zone == zone) {
        record(&mut text, service.alias, &format!("A {}", service.private));
    }
    if zone == VAULT.zone {
        record(
            &mut text,
            &format!("*.{zone}"),
            &format!("A {MANY_ADDRESS}"),
        );
    }
    text
}

/// `zone` as public DNS holds it.
pub(crate) fn unlinked(zone: &str) -> String {
    let mut text = public_authority();
    for service in SERVICES.iter().filter(|service| service.zone == zone) {
        record(
            &mut text,
            service.alias,
            &format!("CNAME {}.", service.public_name),
        );
    }
    if zone == VAULT.zone {
        record(
            &mut text,
            &format!("*.{zone}"),
            &format!("CNAME {}.", VAULT.public_name),
        );
    }
    text
}

/// Every other name, the same for all networks: one zone, the root.
pub(crate) fn root() -> String {
    let mut text = public_authority();
    record(&mut text, "ns.azure.lab", "A 172.29.0.53");
    // Two services may share a front end.
    let mut seen = Vec::new();
    for service in &SERVICES {
        record(
            &mut text,
            service.host,
            &format!("CNAME {}.", service.alias),
        );
        if !seen.contains(&service.public_name) {
            record(
                &mut text,
                service.public_name,
                &format!("A {}", service.public),
            );
            seen.push(service.public_name);
        }
    }
    for host in many() {
        let alias = host.replace(".vault.", ".privatelink.vaultcore.");
        record(&mut text, &host, &format!("CNAME {alias}."));
    }
    text
}

/// The hosts of the many vaults.
pub(crate) fn many() -> impl Iterator<Item = String> {
    (1..=MANY).map(|number| format!("kv-{number:02}.vault.azure.net"))
}

fn public_authority() -> String {
    authority("ns1-06.azure-dns.com", "azuredns-hostmaster.microsoft.com")
}

fn authority(server: &str, mailbox: &str) -> String {
    format!("$TTL {TTL}\n@ SOA {server}. {mailbox}. 1 3600 600 86400 {TTL}\n@ NS ns.azure.lab.\n")
}

fn record(text: &mut String, owner: &str, data: &str) {
    writeln!(text, "{owner}. {data}").expect("a string takes all");
}
