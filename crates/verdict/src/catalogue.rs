//! Catalogue: the table of Azure services: host suffix, private DNS zone, ports, protocol,
//! private-only names, per cloud.
//!
//! The rows are in `catalogue.tsv`: from the private endpoint DNS page of the Azure documentation,
//! with what the page leaves out inferred and marked so in the notes. A pattern is a name in which
//! `{…}` stands for exactly one label.

mod doubt;
mod table;

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::LazyLock;

use crate::name::{ancestry, fits, fixed_end, is_privatelink_label, is_within};
use crate::protocol::Protocol;
use crate::service_evidence::ServiceEvidence;
use crate::words::words;

pub use doubt::{Doubt, doubt};

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

words! {
    /// When a service is asked before login.
    Asked {
        /// Where the target says `http: true`.
        OnRequest = "on-request",
        /// By default, at port 443.
        ByDefault = "default",
        /// By default, where the host is a public name: its private zone holds names of other services
        /// too.
        ByDefaultAtPublicName = "default-public-name",
    }
}

words! {
    /// What of a cluster uses a service, where that decides the path: the words of `pathFor`.
    Usage {
        /// Image pulls: the container runtime.
        Registries = "registries",
        /// Mounts: kubelet and the CSI drivers.
        Volumes = "volumes",
    }
}

words! {
    /// Who issues the certificates of a service.
    Issuer {
        /// A public CA.
        Public = "public",
        /// A CA of each instance's own: an API server's is its cluster's (Kubernetes documentation, "PKI
        /// certificates and requirements").
        Own = "own",
    }
}

/// One row of the table.
#[derive(Debug, PartialEq)]
pub struct Service {
    /// The cloud it exists in.
    pub cloud: Cloud,
    /// Its name, for people.
    pub title: &'static str,
    /// The stable word for it: `key-vault`. Rows that a host cannot tell apart share one.
    pub slug: &'static str,
    /// The resource provider's type: `Microsoft.KeyVault/vaults`.
    pub resource_type: &'static str,
    /// The private endpoint's group ids.
    pub subresources: Box<[&'static str]>,
    /// Patterns of the private DNS zones, the one that holds the records first.
    pub private_zones: Box<[&'static str]>,
    /// Patterns of the public suffixes.
    pub suffixes: Box<[&'static str]>,
    /// The suffixes for which this row, among those that share them, decides.
    pub primary: Box<[&'static str]>,
    /// Patterns of the zones whose names exist nowhere in public.
    pub private_only: Box<[&'static str]>,
    /// Patterns of the zones whose names are in public DNS too, unless the resource is internal.
    pub internal: Box<[&'static str]>,
    /// Where the suffix is the parent of other services too: the only hosts that are this one.
    pub only_hosts: Box<[&'static str]>,
    /// Patterns of hosts that name no resource: many resources share each of them.
    pub shared_hosts: Box<[&'static str]>,
    /// Those of them that no private endpoint serves: each resource has a name of its own for that.
    pub unserved_hosts: Box<[&'static str]>,
    /// Its ports; never empty. The first is probed unless the target names another.
    pub ports: Vec<ServicePort>,
    /// What it may be asked before login, and what its reply proves.
    pub evidence: Option<&'static ServiceEvidence>,
    /// When it is asked.
    pub asked: Asked,
    /// What of a cluster uses it, where that decides the path.
    pub usage: Option<Usage>,
    /// Who issues its certificates.
    pub issuer: Issuer,
    /// What there is to know besides.
    pub notes: &'static str,
}

/// A port of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServicePort {
    /// The number.
    pub number: u16,
    /// The protocol of a probe there.
    pub protocol: Protocol,
}

/// What the catalogue knows of one host.
#[derive(Clone, Debug, PartialEq)]
pub struct Match {
    /// The row that decides.
    pub service: &'static Service,
    /// The public suffix that the host ends in, its placeholders filled in; for a host that is
    /// itself a private endpoint's alias, the private zone.
    pub suffix: String,
}

impl Match {
    /// The private DNS zone that holds the records of such hosts, its placeholders filled in;
    /// `None` where the suffix alone does not tell (Container Apps: the zone names the region).
    ///
    /// ```
    /// use privatelink_verdict::catalogue::lookup;
    /// let vault = lookup("kv-prod.vault.azure.net").expect("a Key Vault");
    /// assert_eq!(vault.private_zone().as_deref(), Some("privatelink.vaultcore.azure.net"));
    /// ```
    pub fn private_zone(&self) -> Option<String> {
        let zones = &self.service.private_zones;
        let is_zone = |name: &str| zones.iter().any(|zone| fits(name, zone));
        if is_zone(&self.suffix) {
            let zone = privatelink_zone(&self.suffix).unwrap_or(&self.suffix);
            return Some(zone.to_owned());
        }
        let regular = format!("privatelink.{}", self.suffix);
        if is_zone(&regular) {
            return Some(regular);
        }
        let mut suffixes = self.service.suffixes.iter();
        let suffix = suffixes.find(|suffix| fits(&self.suffix, suffix))?;
        filled(zones.first()?, suffix, &self.suffix)
    }
}

/// Every row, in the order of the data file.
pub fn services() -> &'static [Service] {
    &table::SERVICES
}

/// What the catalogue knows of `host` (normalised): the row of the longest suffix it ends in, at
/// least one label before it, unless the suffix is a shared host itself. Private zones count as suffixes, so that aliases are recognised.
///
/// Among equally long suffixes the one with fewer placeholders wins, then a public one over a
/// private zone, then the row that is primary.
pub fn lookup(host: &str) -> Option<Match> {
    if host.split('.').any(str::is_empty) {
        return None;
    }
    let candidates = endings_like(host)
        .filter(|known| !known.is_public || known.service().may_be(host))
        .filter_map(|known| {
            let suffix = ending(host, known.pattern);
            let suffix = suffix.or_else(|| known.service().is_itself(host, known.pattern))?;
            Some((known, suffix))
        });
    let (known, suffix) = candidates.max_by_key(|(known, _)| known.order())?;
    Some(Match {
        service: known.service(),
        suffix: suffix.to_owned(),
    })
}

/// What the hosts of a service end in.
#[derive(Clone, Copy, Debug)]
struct Ending {
    pattern: &'static str,
    /// Whether it is a public suffix, or a private zone.
    is_public: bool,
    /// The row of the table.
    row: usize,
}

impl Ending {
    fn service(self) -> &'static Service {
        &services()[self.row]
    }

    /// Of several endings of a host the largest decides.
    fn order(self) -> impl Ord {
        let service = self.service();
        let rank = if self.is_public {
            service.rank_of_suffix(self.pattern)
        } else {
            service.rank_of_zone(self.pattern)
        };
        (
            specificity(self.pattern),
            self.is_public,
            rank,
            Reverse(self.row),
        )
    }
}

/// The endings by their last two labels, which hold no placeholder: a configuration looks up every host,
/// and a probe the names of a chain.
static ENDINGS: LazyLock<HashMap<&str, Vec<Ending>>> = LazyLock::new(|| {
    let mut endings: HashMap<&str, Vec<Ending>> = HashMap::new();
    for (row, service) in services().iter().enumerate() {
        let public = service.suffixes.iter().map(|suffix| (*suffix, true));
        let private = service.private_zones.iter().map(|zone| (*zone, false));
        for (pattern, is_public) in public.chain(private) {
            let alike = endings.entry(tail(pattern, 2).unwrap_or(pattern));
            alike.or_default().push(Ending {
                pattern,
                is_public,
                row,
            });
        }
    }
    endings.values_mut().for_each(Vec::shrink_to_fit);
    endings
});

/// The endings that end as `name` does.
fn endings_like(name: &str) -> impl Iterator<Item = Ending> {
    let alike = tail(name, 2).and_then(|end| ENDINGS.get(end));
    alike.into_iter().flatten().copied()
}

/// The zone of a private-only name: `privatelink.westeurope.azmk8s.io` for an API server's.
///
/// A zone below it (`sub.privatelink.westeurope.azmk8s.io`) cannot be known from the
/// name, so the zone returned is the outermost possible one.
pub fn private_only_zone(name: &str) -> Option<&str> {
    ancestry(name).skip(1).find(|zone| {
        zones_like(zone).any(|(kind, pattern)| {
            kind == ZoneKind::PrivateOnly && holds_only_private(zone, pattern)
        })
    })
}

/// The private zone that `name` would lie in if its resource is internal: the public DNS has no such
/// name then. A resource of the same kind that is not internal has public names in the same suffix.
///
/// ```
/// use privatelink_verdict::catalogue::internal_zone;
/// let zone = internal_zone("app.ase-x.appserviceenvironment.net");
/// assert_eq!(zone, Some("ase-x.appserviceenvironment.net"));
/// ```
pub fn internal_zone(name: &str) -> Option<&str> {
    ancestry(name).skip(1).find(|zone| {
        zones_like(zone)
            .any(|(kind, pattern)| kind == ZoneKind::Internal && holds_only_private(zone, pattern))
    })
}

/// The service whose resources share `host`: its first label names a region, or nothing.
///
/// ```
/// use privatelink_verdict::catalogue::sharing;
/// let service = sharing("westeurope.api.cognitive.microsoft.com").expect("shared");
/// assert_eq!(service.slug, "ai-services");
/// assert!(sharing("contoso.cognitiveservices.azure.com").is_none());
/// ```
pub fn sharing(host: &str) -> Option<&'static Service> {
    let shares = |service: &&Service| service.shared_hosts.iter().any(|shared| fits(host, shared));
    services().iter().find(shares)
}

/// The private DNS zone of the catalogue that holds the first privatelink label of `name`. The label
/// means nothing in other names.
pub fn privatelink_zone(name: &str) -> Option<&str> {
    ancestry(name).find(|name| is_privatelink_label(name) && is_private_zone(name))
}

/// Whether `zone` is one of private-only names, by its pattern. Where the zone's name is its owner's
/// choice, it is none of those that the service itself has below its suffix: private endpoints, and
/// the virtual endpoints of `PostgreSQL` replicas (azure-docs, "Virtual endpoints for read replicas").
fn holds_only_private(zone: &str, pattern: &str) -> bool {
    let label = zone.split('.').next().unwrap_or_default();
    let is_the_services =
        || matches!(label, "writer" | "reader") || label.starts_with("privatelink");
    fits(zone, pattern) && !(pattern.starts_with('{') && is_the_services())
}

/// Whether `zone` is a private DNS zone of the catalogue.
pub fn is_private_zone(zone: &str) -> bool {
    zones_like(zone).any(|(kind, pattern)| match kind {
        ZoneKind::Private => fits(zone, pattern),
        ZoneKind::PrivateOnly => holds_only_private(zone, pattern),
        ZoneKind::Internal => false,
    })
}

/// Which column of the table a pattern of a zone is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ZoneKind {
    Private,
    PrivateOnly,
    Internal,
}

/// A pattern of zones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ZonePattern {
    kind: ZoneKind,
    pattern: &'static str,
    /// Its [`fixed_end`].
    end: &'static str,
}

/// The patterns of zones by their last two labels, which hold no placeholder: a probe looks up every
/// name of a chain and its parents.
static ZONES: LazyLock<HashMap<&str, Vec<ZonePattern>>> = LazyLock::new(|| {
    let mut zones: HashMap<&str, Vec<ZonePattern>> = HashMap::new();
    for service in services() {
        for (kind, patterns) in [
            (ZoneKind::Private, &service.private_zones),
            (ZoneKind::PrivateOnly, &service.private_only),
            (ZoneKind::Internal, &service.internal),
        ] {
            for pattern in patterns {
                let entries = zones
                    .entry(tail(pattern, 2).unwrap_or(pattern))
                    .or_default();
                let pattern = ZonePattern {
                    kind,
                    pattern,
                    end: fixed_end(pattern),
                };
                if !entries.contains(&pattern) {
                    entries.push(pattern);
                }
            }
        }
    }
    zones
});

/// The patterns of zones that end as `zone` does.
fn zones_like(zone: &str) -> impl Iterator<Item = (ZoneKind, &'static str)> {
    let entries = tail(zone, 2).and_then(|end| ZONES.get(end));
    let entries = entries.into_iter().flatten();
    entries
        .filter(|one| zone.ends_with(one.end))
        .map(|one| (one.kind, one.pattern))
}

/// Whether `zone` is a public suffix of the catalogue, or a parent of one with at least two labels:
/// a private zone of that name hides every public name of the service.
pub fn holds_suffix(zone: &str) -> bool {
    let depth = labels(zone);
    let mut suffixes = services().iter().flat_map(|service| &service.suffixes);
    depth >= 2
        && !is_private_zone(zone)
        && suffixes.any(|suffix| tail(suffix, depth).is_some_and(|tail| fits(zone, tail)))
}

/// The private zones that people create by mistake instead of `zone`, the likeliest first:
/// `privatelink.` before the public suffix, where that is not the right zone.
///
/// ```
/// use privatelink_verdict::catalogue::mistaken_zones;
/// assert_eq!(mistaken_zones("privatelink.vaultcore.azure.net"), ["privatelink.vault.azure.net"]);
/// assert!(mistaken_zones("privatelink.database.windows.net").is_empty());
/// ```
pub fn mistaken_zones(zone: &str) -> Vec<String> {
    let mut mistaken = Vec::new();
    for service in services() {
        let Some(right) = service.private_zones.first().filter(|own| fits(zone, own)) else {
            continue;
        };
        let outermost = service.suffixes.iter().filter(|suffix| {
            let mut others = service.suffixes.iter();
            !others.any(|other| other != *suffix && is_within(suffix, other))
        });
        for suffix in outermost {
            let regular = filled(&format!("privatelink.{suffix}"), right, zone);
            let wrong = regular.filter(|name| !is_private_zone(name) && !mistaken.contains(name));
            mistaken.extend(wrong);
        }
    }
    mistaken
}

/// The dedicated data endpoint of a container registry in `region`; `None` unless `login_host` is
/// a registry's login server and `region` can be a label.
///
/// ```
/// use privatelink_verdict::catalogue::data_endpoint;
/// let endpoint = data_endpoint("contoso.azurecr.io", "westeurope");
/// assert_eq!(endpoint.as_deref(), Some("contoso.westeurope.data.azurecr.io"));
/// ```
pub fn data_endpoint(login_host: &str, region: &str) -> Option<String> {
    let (registry, suffix) = login_host.split_once('.')?;
    let mut rows = services().iter();
    let is_region = !region.is_empty() && region.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let is_login_server = rows
        .any(|service| service.slug == "container-registry" && service.suffixes.contains(&suffix));
    (is_region && is_login_server && !registry.is_empty())
        .then(|| format!("{registry}.{}.data.{suffix}", region.to_ascii_lowercase()))
}

impl Service {
    /// Whether it is asked by default, where the host ends in `suffix`.
    pub fn is_asked_by_default(&self, suffix: &str) -> bool {
        let is_public = || self.suffixes.iter().any(|pattern| fits(suffix, pattern));
        match self.asked {
            Asked::OnRequest => false,
            Asked::ByDefault => true,
            Asked::ByDefaultAtPublicName => is_public(),
        }
    }

    /// Whether a host that ends in one of the suffixes is this service.
    fn may_be(&self, host: &str) -> bool {
        self.only_hosts.is_empty() || self.only_hosts.contains(&host)
    }

    /// Whether a private endpoint can serve `host`, where many resources share it.
    pub fn may_have_endpoint(&self, host: &str) -> bool {
        !self
            .unserved_hosts
            .iter()
            .any(|pattern| fits(host, pattern))
    }

    /// `host`, where a suffix is itself a host that many resources share: a portal.
    fn is_itself<'a>(&self, host: &'a str, pattern: &str) -> Option<&'a str> {
        (host == pattern && self.shared_hosts.contains(&pattern)).then_some(host)
    }

    /// How strong the row's claim to one of its suffixes is, among rows that share it.
    fn rank_of_suffix(&self, suffix: &str) -> u8 {
        u8::from(self.primary.contains(&suffix))
    }

    /// How strong the row's claim to one of its private zones is, among rows that share it.
    fn rank_of_zone(&self, zone: &str) -> u8 {
        let public = zone.strip_prefix("privatelink.").unwrap_or(zone);
        if self.primary.contains(&public) {
            2
        } else {
            u8::from(self.private_zones.first() == Some(&zone))
        }
    }
}

/// The number of labels of a name or pattern.
fn labels(name: &str) -> usize {
    1 + name.bytes().filter(|byte| *byte == b'.').count()
}

/// The last `depth` labels of a name or pattern, if it has as many.
fn tail(name: &str, depth: usize) -> Option<&str> {
    let mut starts = (1..=name.len())
        .rev()
        .filter(|at| name.as_bytes()[at - 1] == b'.')
        .chain([0]);
    starts.nth(depth.checked_sub(1)?).map(|at| &name[at..])
}

/// The ending of `host` that fits `pattern`, at least one label before it.
fn ending<'a>(host: &'a str, pattern: &str) -> Option<&'a str> {
    if !host.ends_with(fixed_end(pattern)) {
        return None;
    }
    let depth = labels(pattern);
    (labels(host) > depth)
        .then(|| tail(host, depth))?
        .filter(|ending| fits(ending, pattern))
}

/// What makes one pattern win over another: its labels, then those that are no placeholders.
fn specificity(pattern: &str) -> (usize, usize) {
    let placeholders = pattern.split('.').filter(|label| label.starts_with('{'));
    let depth = labels(pattern);
    (depth, depth - placeholders.count())
}

/// `pattern` with every placeholder replaced by the label that stands for it in `name`, which fits
/// `by`; `None` where `by` lacks a placeholder.
fn filled(pattern: &str, by: &str, name: &str) -> Option<String> {
    let value = |placeholder: &str| {
        let mut pairs = by.split('.').zip(name.split('.'));
        pairs
            .find(|(label, _)| *label == placeholder)
            .map(|(_, value)| value)
    };
    let labels = pattern.split('.').map(|label| {
        let is_placeholder = label.starts_with('{');
        if is_placeholder {
            value(label)
        } else {
            Some(label)
        }
    });
    Some(labels.collect::<Option<Vec<_>>>()?.join("."))
}
