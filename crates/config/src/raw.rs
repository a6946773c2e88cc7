//! Raw: the configuration as it is written, before its values are checked.
//!
//! The doc comments of the fields become the descriptions of the JSON schema: they are for users.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::spanned::Spanned;
use crate::text::{
    AllowedHostText, CidrText, DetailText, DurationText, ExpectText, FamilyText, HostText,
    NameText, PathText, PresetText, ProtocolText, RegionText, ServerText, UsageText,
};

/// The configuration of privatelink-prober.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "privatelink-prober configuration")]
pub(crate) struct RawConfig {
    /// Time between the starts of two probes of a target. Default: 30s.
    pub(crate) interval: Option<Spanned<DurationText>>,
    /// Budget of one probe, at least 2s. Default: 10s.
    pub(crate) timeout: Option<Spanned<DurationText>>,
    /// What the addresses of configured targets should be. Discovered targets get `auto`.
    /// Default: privateEndpoint.
    pub(crate) expect: Option<Spanned<ExpectText>>,
    /// How many series each target gets; `essential` is for very large clusters. Default: full.
    pub(crate) metrics: Option<Spanned<DetailText>>,
    /// Networks that are never dialled, such as the cluster's service range.
    pub(crate) denied_cidrs: Option<Vec<Spanned<CidrText>>>,
    /// Networks that hold the private endpoints. Empty: any private address is accepted.
    pub(crate) expected_cidrs: Option<Vec<Spanned<CidrText>>>,
    /// Networks whose addresses are private or public here, whatever range they are in.
    pub(crate) classify: Option<RawClassify>,
    /// Address families that are asked for. Default: both.
    #[schemars(length(min = 1))]
    pub(crate) address_families: Option<Spanned<Vec<Spanned<FamilyText>>>>,
    /// The shortest time between two requests to a service for evidence, at least 1m. Default: 10m.
    pub(crate) http_interval: Option<Spanned<DurationText>>,
    /// The resolvers. Default: one named `system`, with the servers of /etc/resolv.conf.
    pub(crate) resolvers: Option<Vec<Spanned<RawResolver>>>,
    /// Certificates.
    pub(crate) tls: Option<RawTls>,
    /// Limits of the agent.
    pub(crate) limits: Option<RawLimits>,
    /// Hosts that CRD and discovered targets may have beside the catalogue's: a host, or
    /// `*.zone` for everything below it.
    pub(crate) allowed_hosts: Option<Vec<Spanned<AllowedHostText>>>,
    /// Named sets of targets: `aks-egress`, or `aks-egress:REGION`, for what AKS needs in public.
    pub(crate) presets: Option<Vec<Spanned<PresetText>>>,
    /// What to probe.
    pub(crate) targets: Option<Vec<Spanned<RawTarget>>>,
}

impl RawConfig {
    /// Adds the targets of another file, and its settings, none of which is written here.
    pub(crate) fn add(&mut self, other: Self) {
        // Destructured, so that the compiler reports a new field that is not added here.
        let Self {
            interval,
            timeout,
            expect,
            metrics,
            denied_cidrs,
            expected_cidrs,
            classify,
            address_families,
            http_interval,
            resolvers,
            tls,
            limits,
            allowed_hosts,
            presets,
            targets,
        } = other;
        set(&mut self.interval, interval);
        set(&mut self.timeout, timeout);
        set(&mut self.expect, expect);
        set(&mut self.metrics, metrics);
        set(&mut self.denied_cidrs, denied_cidrs);
        set(&mut self.expected_cidrs, expected_cidrs);
        set(&mut self.classify, classify);
        set(&mut self.address_families, address_families);
        set(&mut self.http_interval, http_interval);
        set(&mut self.resolvers, resolvers);
        set(&mut self.tls, tls);
        set(&mut self.limits, limits);
        set(&mut self.allowed_hosts, allowed_hosts);
        set(&mut self.presets, presets);
        if let Some(targets) = targets {
            self.targets.get_or_insert_default().extend(targets);
        }
    }
}

fn set<T>(field: &mut Option<T>, other: Option<T>) {
    if other.is_some() {
        *field = other;
    }
}

/// One host and port to probe, with an expectation.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RawTarget {
    /// The DNS name that applications use.
    pub(crate) host: Spanned<HostText>,
    /// The metric label. Default: the host, with `:port` where a host repeats.
    pub(crate) name: Option<Spanned<NameText>>,
    /// The TCP port. Default: the catalogue's, else 443.
    #[schemars(range(min = 1, max = 65535))]
    pub(crate) port: Option<Spanned<i64>>,
    /// The protocol that starts the connection. Default: the catalogue's, else tls.
    pub(crate) protocol: Option<Spanned<ProtocolText>>,
    /// The resolver that the target is judged by. Default: the one whose `pathFor` lists the target's
    /// usage, else the first.
    pub(crate) resolver: Option<Spanned<NameText>>,
    /// What the address should be.
    pub(crate) expect: Option<Spanned<ExpectText>>,
    /// Replaces the global `expectedCidrs`.
    pub(crate) expected_cidrs: Option<Vec<Spanned<CidrText>>>,
    /// Replaces the global `addressFamilies`.
    #[schemars(length(min = 1))]
    pub(crate) address_families: Option<Spanned<Vec<Spanned<FamilyText>>>>,
    /// Replaces the global `interval`.
    pub(crate) interval: Option<Spanned<DurationText>>,
    /// Replaces the global `timeout`.
    pub(crate) timeout: Option<Spanned<DurationText>>,
    /// The name that the certificate must cover. Default: the host.
    pub(crate) server_name: Option<Spanned<HostText>>,
    /// Whether the service itself is asked for evidence. Default: for ACR login servers, Key
    /// Vault and Storage at port 443.
    pub(crate) http: Option<Spanned<bool>>,
    /// Regions of a container registry's data endpoints; each becomes a target of its own,
    /// named `<name>:data:<region>`.
    pub(crate) data_regions: Option<Vec<Spanned<RegionText>>>,
    /// The private DNS zone of a service that is not in the catalogue.
    pub(crate) private_zone: Option<Spanned<HostText>>,
    /// Comes before the global `classify`.
    pub(crate) classify: Option<RawClassify>,
    /// Names of other targets of the same service. They are judged together with this one: dfs with
    /// blob, a database with the hosts it redirects to.
    pub(crate) same_service: Option<Vec<Spanned<NameText>>>,
    /// Who owns the target: a label of `privatelink_target_info`, for routing alerts.
    #[schemars(regex(pattern = "[^ ]"))]
    pub(crate) owner: Option<Spanned<String>>,
}

/// Networks whose addresses are private or public here. The longest prefix decides.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RawClassify {
    /// Networks whose addresses are private.
    pub(crate) private: Option<Vec<Spanned<CidrText>>>,
    /// Networks whose addresses are public.
    pub(crate) public: Option<Vec<Spanned<CidrText>>>,
}

/// A resolver: a list of DNS servers, a file with such a list, or a resolv.conf file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("oneOf" = [
    {"required": ["servers"], "properties": {"servers": {"type": "array"}}},
    {"required": ["resolvConf"], "properties": {"resolvConf": {"type": "string"}}},
    {"required": ["serversFile"], "properties": {"serversFile": {"type": "string"}}},
]))]
pub(crate) struct RawResolver {
    /// A metric label.
    pub(crate) name: Spanned<NameText>,
    /// DNS servers; port 53 unless written.
    #[schemars(length(min = 1))]
    pub(crate) servers: Option<Spanned<Vec<Spanned<ServerText>>>>,
    /// A resolv.conf file to read the servers from. It is read again before every use.
    pub(crate) resolv_conf: Option<Spanned<PathText>>,
    /// A file with the address of a DNS server in each line, which the observer writes; read again on
    /// change. While it is missing or empty the resolver is left out, with a warning.
    pub(crate) servers_file: Option<Spanned<PathText>>,
    /// Whether pods of this node ask LocalDNS (169.254.10.11) and not the servers, where /etc/resolv.conf
    /// names LocalDNS (169.254.10.10). Default: false.
    pub(crate) local_dns: Option<Spanned<bool>>,
    /// Whether an answer that differs from that of the target's own resolver is a finding. Default:
    /// false.
    pub(crate) must_agree: Option<bool>,
    /// The targets that are judged by this resolver unless they name another.
    pub(crate) path_for: Option<Vec<Spanned<UsageText>>>,
}

/// Certificates.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RawTls {
    /// PEM bundles of root certificates, added to the built-in ones; read again on change.
    pub(crate) ca_files: Option<Vec<Spanned<PathText>>>,
    /// A certificate that expires within this time is a warning. Default: 336h.
    pub(crate) expiry_warning: Option<Spanned<DurationText>>,
}

/// Limits of the agent.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RawLimits {
    /// Targets of all sources together. Default: 500.
    #[schemars(range(min = 1, max = 10000))]
    pub(crate) max_targets: Option<Spanned<i64>>,
    /// Probes in flight. A quarter of them is for targets that do not hang. Default: 256.
    #[schemars(range(min = 1, max = 1000))]
    pub(crate) max_concurrent: Option<Spanned<i64>>,
    /// The shortest interval a target may have, at least 1s. Default: 5s.
    pub(crate) min_interval: Option<Spanned<DurationText>>,
    /// DNS messages a second, all resolvers together. Default: 50.
    #[schemars(range(min = 1, max = 10000))]
    pub(crate) max_dns_qps: Option<Spanned<i64>>,
}
