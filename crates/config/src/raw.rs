//! Raw: the configuration as it was written: shapes and words, before anything is checked.
//!
//! The doc comments here are the descriptions of the JSON schema, so they speak to users.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::text::{
    AllowedHostText, CidrText, DetailText, DurationText, ExpectText, FamilyText, HostText,
    NameText, PathText, PresetText, ProtocolText, RegionText, ServerText, UsageText,
};
use crate::written::Written;

/// The configuration of privatelink-prober.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(title = "privatelink-prober configuration")]
pub(crate) struct RawConfig {
    /// Time between the starts of two probes of a target. Default: 30s.
    pub(crate) interval: Option<Written<DurationText>>,
    /// Budget of one probe, at least 2s. Default: 10s.
    pub(crate) timeout: Option<Written<DurationText>>,
    /// What the addresses of configured targets should be. Discovered targets get `auto`.
    /// Default: privateEndpoint.
    pub(crate) expect: Option<Written<ExpectText>>,
    /// How many series a target gets; `essential` is for very large fleets. Default: full.
    pub(crate) metrics: Option<Written<DetailText>>,
    /// Networks that are never dialled, such as the cluster's service range.
    pub(crate) denied_cidrs: Option<Vec<Written<CidrText>>>,
    /// Networks in which private endpoints live. Empty: any private address will do.
    pub(crate) expected_cidrs: Option<Vec<Written<CidrText>>>,
    /// Networks that are private or public here, whatever the rest of the world says.
    pub(crate) classify: Option<RawClassify>,
    /// Address families that are asked for. Default: both.
    #[schemars(length(min = 1))]
    pub(crate) address_families: Option<Written<Vec<Written<FamilyText>>>>,
    /// How often a service itself may be asked for evidence, at least 1m. Default: 10m.
    pub(crate) http_interval: Option<Written<DurationText>>,
    /// Ways to resolve names. Default: one, called `system`, that reads /etc/resolv.conf.
    pub(crate) resolvers: Option<Vec<Written<RawResolver>>>,
    /// Certificates.
    pub(crate) tls: Option<RawTls>,
    /// What bounds the agent.
    pub(crate) limits: Option<RawLimits>,
    /// Hosts that CRD and discovered targets may have beside the catalogue's: a host, or
    /// `*.zone` for everything below it.
    pub(crate) allowed_hosts: Option<Vec<Written<AllowedHostText>>>,
    /// Named sets of targets: `aks-egress`, or `aks-egress:REGION`, for what AKS needs in public.
    pub(crate) presets: Option<Vec<Written<PresetText>>>,
    /// What to probe.
    pub(crate) targets: Option<Vec<Written<RawTarget>>>,
}

/// One host and port to probe, with an expectation.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RawTarget {
    /// The name that applications use.
    pub(crate) host: Written<HostText>,
    /// The metric label. Default: the host, with `:port` where a host repeats.
    #[serde(default)]
    pub(crate) name: Option<Written<NameText>>,
    /// Default: the catalogue's, else 443.
    #[serde(default)]
    #[schemars(range(min = 1, max = 65535))]
    pub(crate) port: Option<Written<i64>>,
    /// How the handshake begins. Default: the catalogue's, else tls.
    #[serde(default)]
    pub(crate) protocol: Option<Written<ProtocolText>>,
    /// The resolver it is judged by. Default: the one whose `pathFor` fits, else the first.
    #[serde(default)]
    pub(crate) resolver: Option<Written<NameText>>,
    /// What the address should be.
    #[serde(default)]
    pub(crate) expect: Option<Written<ExpectText>>,
    /// Replaces the global `expectedCidrs`.
    #[serde(default)]
    pub(crate) expected_cidrs: Option<Vec<Written<CidrText>>>,
    /// Replaces the global `addressFamilies`.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub(crate) address_families: Option<Written<Vec<Written<FamilyText>>>>,
    /// Replaces the global `interval`.
    #[serde(default)]
    pub(crate) interval: Option<Written<DurationText>>,
    /// Replaces the global `timeout`.
    #[serde(default)]
    pub(crate) timeout: Option<Written<DurationText>>,
    /// The name the certificate must cover. Default: the host.
    #[serde(default)]
    pub(crate) server_name: Option<Written<HostText>>,
    /// Whether the service itself is asked for evidence. Default: for ACR login servers, Key
    /// Vault and Storage at port 443.
    #[serde(default)]
    pub(crate) http: Option<Written<bool>>,
    /// Regions of a container registry's data endpoints; each becomes a target of its own,
    /// named `<name>:data:<region>`.
    #[serde(default)]
    pub(crate) data_regions: Option<Vec<Written<RegionText>>>,
    /// The private DNS zone of a service that is not in the catalogue.
    #[serde(default)]
    pub(crate) private_zone: Option<Written<HostText>>,
    /// Comes before the global `classify`.
    #[serde(default)]
    pub(crate) classify: Option<RawClassify>,
    /// Names of other targets of the same service, judged together with this one: dfs with blob,
    /// a database with the hosts it redirects to.
    #[serde(default)]
    pub(crate) same_service: Option<Vec<Written<NameText>>>,
    /// Whom it belongs to; a label of `privatelink_target_info`, for routing alerts.
    #[serde(default)]
    #[schemars(regex(pattern = "[^ ]"))]
    pub(crate) owner: Option<Written<String>>,
}

impl RawTarget {
    /// A target of which only the host is written.
    pub(crate) fn of_host(host: Written<HostText>) -> Self {
        Self {
            host,
            name: None,
            port: None,
            protocol: None,
            resolver: None,
            expect: None,
            expected_cidrs: None,
            address_families: None,
            interval: None,
            timeout: None,
            server_name: None,
            http: None,
            data_regions: None,
            private_zone: None,
            classify: None,
            same_service: None,
            owner: None,
        }
    }
}

/// Networks that are private or public here. The longest prefix decides.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct RawClassify {
    /// Networks whose addresses are private.
    pub(crate) private: Option<Vec<Written<CidrText>>>,
    /// Networks whose addresses are public.
    pub(crate) public: Option<Vec<Written<CidrText>>>,
}

/// A way to resolve names: its own servers, or a resolv.conf.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("oneOf" = [
    {"required": ["servers"], "properties": {"servers": {"type": "array"}}},
    {"required": ["resolvConf"], "properties": {"resolvConf": {"type": "string"}}},
]))]
pub(crate) struct RawResolver {
    /// A metric label.
    pub(crate) name: Written<NameText>,
    /// DNS servers; port 53 unless written.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub(crate) servers: Option<Written<Vec<Written<ServerText>>>>,
    /// The resolv.conf to read instead, anew before every use.
    #[serde(default)]
    pub(crate) resolv_conf: Option<Written<PathText>>,
    /// Whether a difference between its answer and the path's is a finding. Default: false.
    #[serde(default)]
    pub(crate) must_agree: Option<bool>,
    /// Which targets are judged by it unless they name another.
    #[serde(default)]
    pub(crate) path_for: Option<Vec<Written<UsageText>>>,
}

/// Certificates.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct RawTls {
    /// PEM bundles of root certificates, added to the built-in ones; read again on change.
    pub(crate) ca_files: Option<Vec<Written<PathText>>>,
    /// A certificate that ends within this time is worth a warning. Default: 336h.
    pub(crate) expiry_warning: Option<Written<DurationText>>,
}

/// What bounds the agent.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct RawLimits {
    /// Targets of all sources together. Default: 500.
    #[schemars(range(min = 1, max = 10000))]
    pub(crate) max_targets: Option<Written<i64>>,
    /// Probes in flight. Default: 32.
    #[schemars(range(min = 1, max = 1000))]
    pub(crate) max_concurrent: Option<Written<i64>>,
    /// The shortest interval a target may have, at least 1s. Default: 5s.
    pub(crate) min_interval: Option<Written<DurationText>>,
    /// DNS messages a second, all resolvers together. Default: 50.
    #[schemars(range(min = 1, max = 10000))]
    pub(crate) max_dns_qps: Option<Written<i64>>,
}
