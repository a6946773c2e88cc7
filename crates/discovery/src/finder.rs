//! Finder: takes what a source reads in an object, applies the rules for hosts, and keeps the result.

use privatelink_verdict::admission::{self, Allowed, Refusal};
use privatelink_verdict::catalogue::{self, Cloud, Service, Usage};
use privatelink_verdict::host;

use crate::omission::Omission;
use crate::source::Source;
use crate::user::User;

/// How many services are read of one object.
pub(crate) const MOST_USES: usize = 64;

/// How many texts of one object are looked up.
const MOST_TEXTS: usize = 1024;

/// The longest names that one link may have, in bytes: those of an object have at most 253, and of its namespace 63.
/// Nothing says how long the name may be by which an object names another.
const MOST_LINK: usize = 253 + 63;

/// What discovery goes by; the same for every object.
#[derive(Clone, Debug)]
pub struct DiscoveryRules {
    /// The cloud that the cluster is in: where an object does not say which, the drivers take this one.
    pub cloud: Cloud,
    /// Hosts beside the catalogue's.
    pub allowed: Vec<Allowed>,
    /// The sources that are on.
    pub sources: Vec<Source>,
}

impl Default for DiscoveryRules {
    fn default() -> Self {
        Self {
            cloud: Cloud::Commercial,
            allowed: Vec::new(),
            sources: Source::on_by_default(),
        }
    }
}

/// What one object says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Who uses what it names, where that is a workload. `None`: the object itself, until workloads
    /// that mount it are known.
    pub user: Option<User>,
    /// The services that it names.
    pub uses: Vec<Use>,
    /// The other objects through which it uses services.
    pub links: Vec<Link>,
    /// What it may use, and is no target.
    pub omissions: Vec<(Source, Omission)>,
}

/// A service that an object names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Use {
    /// The host, normalised.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Whether a connection is all that the use needs: a mount over NFS has no TLS at this port.
    pub connect_only: bool,
    /// Whose path counts, where it is not the pods'.
    pub usage: Option<Usage>,
    /// Where it is named.
    pub source: Source,
}

/// How one object uses a service that another one names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Link {
    /// It mounts this `SecretProviderClass` of its namespace.
    SecretProviderClass(String),
    /// It mounts this claim of its namespace.
    Claim(String),
    /// It mounts the claims of its namespace that are called so, with `-` and a number after it: those that a
    /// `StatefulSet` makes from a template.
    ClaimsOf(String),
    /// It is a volume that this claim is bound to.
    ClaimedBy {
        /// The claim's namespace.
        namespace: String,
        /// The claim's name.
        name: String,
    },
}

impl Link {
    /// How long its names are.
    const fn bytes(&self) -> usize {
        match self {
            Self::SecretProviderClass(name) | Self::Claim(name) | Self::ClaimsOf(name) => {
                name.len()
            }
            Self::ClaimedBy { namespace, name } => namespace.len() + name.len(),
        }
    }
}

/// Which services a text may name, and what happens to other hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Container registries. Others are not ours to judge: most images come from public registries.
    Registry,
    /// API servers, likewise.
    ApiServer,
    /// Key vaults. Another host is a mistake, or a cloud that the catalogue does not have.
    KeyVault,
    /// Storage accounts, likewise.
    Storage,
    /// Any service of the catalogue. Other hosts are not ours to judge.
    Any,
    /// What a person asked for: everything that is not admitted is counted.
    Asked,
}

impl Wanted {
    fn includes(self, service: &Service) -> bool {
        let starts = |prefix: &str| service.slug.starts_with(prefix);
        match self {
            Self::Registry => starts("container-registry"),
            Self::ApiServer => starts("kubernetes-api"),
            Self::KeyVault => starts("key-vault"),
            Self::Storage => starts("storage-"),
            Self::Any | Self::Asked => true,
        }
    }

    /// Whether a text that names no such service is worth counting.
    fn counts_others(self) -> bool {
        matches!(self, Self::KeyVault | Self::Storage | Self::Asked)
    }
}

/// How a service is used.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct How {
    pub(crate) port: Option<u16>,
    pub(crate) connect_only: bool,
    pub(crate) usage: Option<Usage>,
}

impl How {
    pub(crate) const fn by(usage: Usage) -> Self {
        Self {
            port: None,
            connect_only: false,
            usage: Some(usage),
        }
    }
}

/// Takes what a source reads in an object.
#[derive(Debug)]
pub struct Finder<'a> {
    pub(crate) rules: &'a DiscoveryRules,
    source: Source,
    texts: usize,
    found: Found,
}

impl<'a> Finder<'a> {
    pub(crate) fn new(rules: &'a DiscoveryRules) -> Self {
        Self {
            rules,
            source: Source::Images,
            texts: 0,
            found: Found::default(),
        }
    }

    pub(crate) fn finish(self) -> Found {
        self.found
    }

    /// Calls `read` if the source is on; what it finds is the source's.
    pub(crate) fn from(&mut self, source: Source, read: impl FnOnce(&mut Self)) {
        if self.rules.sources.contains(&source) {
            self.source = source;
            read(self);
        }
    }

    /// Whether a service was found.
    pub(crate) fn has_found(&self) -> bool {
        !self.found.uses.is_empty()
    }

    pub(crate) fn used_by(&mut self, user: User) {
        self.found.user = Some(user);
    }

    pub(crate) fn link(&mut self, link: Link) {
        if self.found.links.len() >= MOST_USES || link.bytes() > MOST_LINK {
            self.omit(Omission::TooMany);
        } else if !self.found.links.contains(&link) {
            self.found.links.push(link);
        }
    }

    pub(crate) fn omit(&mut self, omission: Omission) {
        let omission = (self.source, omission);
        if !self.found.omissions.contains(&omission) {
            self.found.omissions.push(omission);
        }
    }

    /// A host that the object names.
    pub(crate) fn host(&mut self, text: &str, wanted: Wanted, how: How) {
        if self.texts >= MOST_TEXTS {
            self.omit(Omission::TooMany);
            return;
        }
        self.texts += 1;
        if is_placeholder(text) {
            self.omit(Omission::Placeholder);
            return;
        }
        let Ok(host) = host::parse(text) else {
            if wanted.counts_others() {
                self.omit(Omission::NotAHost);
            }
            return;
        };
        let refusal = match admission::admit(&host, how.port, &self.rules.allowed) {
            Ok((port, service)) => {
                let includes = service.is_none_or(|service| wanted.includes(service));
                if includes && (wanted == Wanted::Asked || names_a_resource(&host)) {
                    self.add(Use {
                        host,
                        port,
                        connect_only: how.connect_only,
                        usage: how.usage,
                        source: self.source,
                    });
                    return;
                }
                Omission::NotAllowed
            }
            Err(Refusal::ClusterInternal) => Omission::ClusterInternal,
            Err(Refusal::UnknownHost) => Omission::NotAllowed,
            Err(Refusal::Port) => {
                let known = catalogue::lookup(&host);
                if known.is_some_and(|known| wanted.includes(known.service)) {
                    self.omit(Omission::PortNotAllowed);
                    return;
                }
                Omission::NotAllowed
            }
        };
        if wanted.counts_others() {
            self.omit(refusal);
        }
    }

    /// A URL, or a host with or without a port, that the object names.
    pub(crate) fn url(&mut self, text: &str, wanted: Wanted, how: How) {
        let text = text.trim();
        let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let authority = authority.rsplit('@').next().unwrap_or_default();
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') => (host, Some(port)),
            _ => (authority, None),
        };
        let port = match port.map(str::parse) {
            None => how.port,
            Some(Ok(port)) if port != 0 => Some(port),
            Some(_) => return self.omit(Omission::NotAHost),
        };
        self.host(host, wanted, How { port, ..how });
    }

    /// An Azure resource that the object names without its suffix; `suffix` is that of its service.
    pub(crate) fn resource(&mut self, name: &str, suffix: &str, wanted: Wanted, how: How) {
        if is_placeholder(name) || is_placeholder(suffix) {
            return self.omit(Omission::Placeholder);
        }
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if !name.bytes().all(is_part) {
            return self.omit(Omission::NotAHost);
        }
        self.host(&format!("{name}.{suffix}"), wanted, how);
    }

    fn add(&mut self, new: Use) {
        if self.found.uses.contains(&new) {
            return;
        }
        if self.found.uses.len() >= MOST_USES {
            self.omit(Omission::TooMany);
        } else {
            self.found.uses.push(new);
        }
    }
}

/// The public suffix of a service in a cloud, by the catalogue's word for it.
pub(crate) fn suffix(slug: &str, cloud: Cloud) -> Option<&'static str> {
    let mut rows = catalogue::services().iter();
    let row = rows.find(|row| row.slug == slug && row.cloud == cloud)?;
    row.suffixes.first().copied()
}

/// The cloud with this name, as Microsoft's libraries for Go know it (`EnvironmentFromName` of
/// go-autorest, in any case). `None` for one whose suffixes are not known: Germany is closed, and Azure
/// Stack's are in a file.
pub(crate) fn cloud(name: &str) -> Option<Cloud> {
    match name.to_ascii_uppercase().as_str() {
        "AZURECLOUD" | "AZUREPUBLICCLOUD" => Some(Cloud::Commercial),
        "AZUREUSGOVERNMENT" | "AZUREUSGOVERNMENTCLOUD" => Some(Cloud::UsGov),
        "AZURECHINACLOUD" => Some(Cloud::China),
        _ => None,
    }
}

/// Whether the host is one resource's: neither the zone of private endpoints itself nor a name that the
/// resources of many customers share.
fn names_a_resource(host: &str) -> bool {
    !host.starts_with("privatelink.") && catalogue::sharing(host).is_none()
}

/// Whether a text is a template that has not been filled in: `{{ .Values.registry }}`, `${NAME}`,
/// `$NAME`, `$(NAME)`, `<name>`, `{account-name}`. No host and no name of a resource has these characters.
pub(crate) fn is_placeholder(text: &str) -> bool {
    text.contains(['{', '}', '<', '>', '$'])
}
