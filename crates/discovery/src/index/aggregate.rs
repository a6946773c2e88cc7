//! Aggregate: who uses what, from the objects as they are now.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;

use privatelink_verdict::catalogue::Usage;
use privatelink_verdict::target::Users;

use super::{Entry, Omitted, Table};
use crate::finder::{Link, Use};
use crate::kind::Kind as _;
use crate::omission::Omission;
use crate::source::Source;
use crate::sources::annotations::Namespace;
use crate::sources::secret_provider_class::SecretProviderClass;
use crate::sources::volumes::PersistentVolume;
use crate::user::{self, JOB};

const CLASS: &str = SecretProviderClass::RESOURCE.kind;
const VOLUME: &str = PersistentVolume::RESOURCE.kind;
const NAMESPACE: &str = Namespace::RESOURCE.kind;

/// A host and port.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct HostAndPort {
    pub(super) host: String,
    pub(super) port: u16,
}

/// Who uses what.
#[derive(Debug)]
pub(super) struct Aggregate<'a> {
    pub(super) endpoints: HashMap<HostAndPort, Uses<'a>>,
    pub(super) omitted: Vec<Omitted>,
}

/// The uses of a host and port.
#[derive(Debug)]
pub(super) struct Uses<'a> {
    pub(super) connect_only: bool,
    pub(super) usage: Option<Usage>,
    pub(super) sources: Vec<Source>,
    pub(super) users: Users,
    /// The users themselves.
    pub(super) named_by: HashSet<UserRef<'a>>,
}

/// A user, borrowed from the index. Workloads are in order before other objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct UserRef<'a> {
    is_object: bool,
    namespace: &'a str,
    kind: &'a str,
    name: &'a str,
}

impl<'a> UserRef<'a> {
    /// The namespace that it is in, or is. `None`: it concerns the whole cluster.
    pub(super) fn place(&self) -> Option<&'a str> {
        match self.namespace {
            "" => (self.kind == NAMESPACE).then_some(self.name),
            namespace => Some(namespace),
        }
    }
}

impl fmt::Display for UserRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        user::write(f, self.namespace, self.kind, self.name)
    }
}

/// The uses of a host and port, while they are collected.
#[derive(Default)]
struct Collected<'a> {
    uses: BTreeSet<(Source, Option<Usage>)>,
    needs_more: bool,
    users: HashSet<UserRef<'a>>,
}

pub(super) fn aggregate<'a>(tables: &'a BTreeMap<&'static str, Table>) -> Aggregate<'a> {
    let mut collector = Collector {
        tables,
        claimed: Claimed::new(tables),
        mounted: HashSet::new(),
        endpoints: HashMap::new(),
        omitted: BTreeMap::new(),
    };
    for (kind, table) in tables {
        for ((namespace, name), entry) in &table.present {
            collector.add(kind, namespace, name, entry);
        }
    }
    // What workloads mount is known only now.
    for kind in [CLASS, VOLUME] {
        for ((namespace, name), entry) in tables.get(kind).iter().flat_map(|table| &table.present) {
            collector.add_mountable(kind, namespace, name, entry);
        }
    }
    collector.finish()
}

/// Volumes, by the claims that they are bound to.
#[derive(Default)]
struct Claimed<'a> {
    /// By the claim's namespace and name.
    by_name: HashMap<(&'a str, &'a str), Vec<&'a Entry>>,
    /// The same without the number at the end of the name, where there is one.
    by_stem: HashMap<(&'a str, &'a str), Vec<&'a Entry>>,
}

impl<'a> Claimed<'a> {
    fn new(tables: &'a BTreeMap<&'static str, Table>) -> Self {
        let mut claimed = Self::default();
        let volumes = tables.get(VOLUME).into_iter();
        for entry in volumes.flat_map(|table| table.present.values()) {
            for link in &entry.links {
                let Link::ClaimedBy { namespace, name } = link else {
                    continue;
                };
                let (namespace, name) = (namespace.as_str(), name.as_str());
                let claim = (namespace, name);
                claimed.by_name.entry(claim).or_default().push(entry);
                let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
                if let Some((stem, number)) = name.rsplit_once('-')
                    && is_number(number)
                {
                    let claims = (namespace, stem);
                    claimed.by_stem.entry(claims).or_default().push(entry);
                }
            }
        }
        claimed
    }
}

struct Collector<'a> {
    tables: &'a BTreeMap<&'static str, Table>,
    claimed: Claimed<'a>,
    /// Classes and volumes that a workload mounts.
    mounted: HashSet<*const Entry>,
    endpoints: HashMap<(&'a str, u16), Collected<'a>>,
    omitted: BTreeMap<(Source, Omission), (usize, BTreeSet<UserRef<'a>>)>,
}

impl<'a> Collector<'a> {
    fn add(&mut self, kind: &'a str, namespace: &'a str, name: &'a str, entry: &'a Entry) {
        let user = match &entry.user {
            None => object(kind, namespace, name),
            Some(user) => self.controller(UserRef {
                is_object: false,
                namespace: &user.namespace,
                kind: &user.kind,
                name: &user.name,
            }),
        };
        for (source, omission) in &entry.omissions {
            self.omit((*source, *omission), user);
        }
        if kind != CLASS && kind != VOLUME {
            self.add_uses(&entry.uses, user);
        }
        for link in &entry.links {
            match link {
                Link::SecretProviderClass(class) => {
                    let table = self.tables.get(CLASS);
                    let key = (namespace.into(), class.as_str().into());
                    if let Some(class) = table.and_then(|table| table.present.get(&key)) {
                        self.mount(class, user);
                    }
                }
                Link::Claim(claim) => {
                    let volumes = self.claimed.by_name.get(&(namespace, claim.as_str()));
                    for volume in volumes.cloned().unwrap_or_default() {
                        self.mount(volume, user);
                    }
                }
                Link::ClaimsOf(stem) => {
                    let volumes = self.claimed.by_stem.get(&(namespace, stem.as_str()));
                    for volume in volumes.cloned().unwrap_or_default() {
                        self.mount(volume, user);
                    }
                }
                Link::ClaimedBy { .. } => {}
            }
        }
    }

    fn mount(&mut self, mountable: &'a Entry, user: UserRef<'a>) {
        self.mounted.insert(std::ptr::from_ref(mountable));
        self.add_uses(&mountable.uses, user);
    }

    /// A class that nothing mounts is not used. A volume is there to be used.
    fn add_mountable(
        &mut self,
        kind: &'a str,
        namespace: &'a str,
        name: &'a str,
        entry: &'a Entry,
    ) {
        if self.mounted.contains(&std::ptr::from_ref(entry)) {
            return;
        }
        let object = object(kind, namespace, name);
        if kind == VOLUME {
            self.add_uses(&entry.uses, object);
        } else if !entry.uses.is_empty() {
            self.omit((Source::SecretProviderClasses, Omission::Unused), object);
        }
    }

    fn add_uses(&mut self, uses: &'a [Use], user: UserRef<'a>) {
        for named in uses {
            let endpoint = (named.host.as_str(), named.port);
            let collected = self.endpoints.entry(endpoint).or_default();
            collected.uses.insert((named.source, named.usage));
            collected.needs_more |= !named.connect_only;
            collected.users.insert(user);
        }
    }

    fn omit(&mut self, key: (Source, Omission), user: UserRef<'a>) {
        let (objects, examples) = self.omitted.entry(key).or_default();
        *objects += 1;
        examples.insert(user);
        if examples.len() > Users::MOST_EXAMPLES {
            examples.pop_last();
        }
    }

    /// The controller of a Job, where the Job names one.
    fn controller(&self, user: UserRef<'a>) -> UserRef<'a> {
        if user.kind != JOB {
            return user;
        }
        let job = || {
            let key = (user.namespace.into(), user.name.into());
            self.tables.get(JOB)?.present.get(&key)?.user.as_deref()
        };
        job().map_or(user, |maker| UserRef {
            kind: &maker.kind,
            name: &maker.name,
            ..user
        })
    }

    fn finish(self) -> Aggregate<'a> {
        let endpoints = self.endpoints.into_iter().map(|((host, port), collected)| {
            let host = host.to_owned();
            (HostAndPort { host, port }, collected.finish())
        });
        let omitted = self.omitted.into_iter();
        Aggregate {
            endpoints: endpoints.collect(),
            omitted: omitted
                .map(|((source, omission), (objects, examples))| Omitted {
                    source,
                    omission,
                    objects,
                    examples: examples.iter().map(UserRef::to_string).collect(),
                })
                .collect(),
        }
    }
}

impl<'a> Collected<'a> {
    fn finish(self) -> Uses<'a> {
        let usages = self.uses.iter().map(|(_, usage)| *usage);
        // What a node uses is judged on the node's path, also where pods use it; their path is compared.
        let usage = usages.max().flatten();
        let mut sources: Vec<_> = self.uses.iter().map(|(source, _)| *source).collect();
        sources.dedup();
        let workloads = self.users.iter().filter(|user| !user.is_object);
        let namespaces: HashSet<_> = workloads.clone().map(|user| user.namespace).collect();
        let workloads = workloads.count();
        let mut examples = BTreeSet::new();
        for user in &self.users {
            examples.insert(user);
            if examples.len() > Users::MOST_EXAMPLES {
                examples.pop_last();
            }
        }
        let examples = examples
            .into_iter()
            .filter(|user| workloads == 0 || !user.is_object);
        Uses {
            connect_only: !self.needs_more,
            usage,
            sources,
            users: Users {
                usage,
                workloads: workloads as u64,
                namespaces: namespaces.len() as u64,
                examples: examples.map(UserRef::to_string).collect(),
            },
            named_by: self.users,
        }
    }
}

fn object<'a>(kind: &'a str, namespace: &'a str, name: &'a str) -> UserRef<'a> {
    UserRef {
        is_object: true,
        namespace,
        kind,
        name,
    }
}
