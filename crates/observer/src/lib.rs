//! Observer: the one part that knows Kubernetes. It watches what the cluster says that it uses, and
//! publishes the targets that the agents read.
//!
//! Data goes one way: watch → index → publish. Every replica watches; the one that the election made
//! leader writes. Nothing here is a precondition of probing: agents go on with what they read last.

pub mod as_pod;
pub mod caller;
mod client;
mod cluster_dns;
mod discovered_objects;
mod election;
mod events;
#[cfg(test)]
mod fake_api;
pub mod fleet;
mod listed;
pub mod metrics;
mod page;
mod pod;
pub mod private_link_target;
mod publish;
pub mod review;
mod served;
mod source_state;
mod watch;

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use k8s_openapi::jiff::Timestamp;
/// Whose client [`review::Reviewer::new`] takes.
pub use kube;
use kube::{Api, Client};
use privatelink_discovery::{Discovered, DiscoveryRules, Index, Kind, Source, Visitor, each_kind};
use privatelink_fleet::{Fleet, Moment, Standing, pattern};
use privatelink_verdict::target;
use tokio::sync::{Notify, watch as channel};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use self::client::{Clients, RequestCount};
use self::discovered_objects::Objects;
use self::events::StatusesWritten;
use self::fleet::FleetReader;
use self::fleet::announce::Announcer;
use self::fleet::history_store::HistoryStore;
use self::fleet::members::{Members, Nodes, ReleasePods};
use self::private_link_target::admission::{AcceptedTarget, Admission, AdmissionRules};
use self::private_link_target::health::health;
use self::private_link_target::objects::{Declarations, TargetObjects};
use self::private_link_target::status::{Health, StatusWriter};
use self::publish::Publisher;
use self::review::Reviewer;
use self::served::Served;
use self::source_state::States;
use self::watch::{Watch, Watched};

pub use self::client::ClientError;
pub use self::election::{Election, Leadership};
pub use self::fleet::ask::AgentAccess;
pub use self::publish::{CLUSTER_DNS, FILE};
pub use self::source_state::{SourceState, StateSince};

/// Between two rounds of writing statuses.
const STATUSES: Duration = Duration::from_secs(5);

/// Rounds between two looks at the health of declared targets.
const HEALTHS: u32 = 6;

/// What does not change while the observer runs.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Options {
    /// The namespace of the ConfigMap and the lease.
    pub namespace: String,
    /// The ConfigMap that the agents mount.
    pub config_map: String,
    /// The lease of the leader.
    pub lease: String,
    /// The name of this replica's pod.
    pub pod: String,
    /// The namespaces that are watched; empty for the whole cluster.
    pub watch_namespaces: Vec<String>,
    /// The sources that are on.
    pub sources: Vec<Source>,
    /// Whether teams may declare targets by `PrivateLinkTarget` objects.
    pub crd: bool,
    /// How long a target stays after its last user.
    pub linger: Duration,
    /// Whether the address of the cluster's DNS server is learned and published.
    pub cluster_dns: bool,
    /// The labels of this release's pods, in the observer's namespace, as a selector; `None` where the agents
    /// are not read.
    pub release: Option<String>,
    /// Whether failures are told by events on nodes and declared targets.
    pub events: bool,
    /// The ConfigMap in which the history of the fleet outlives restarts.
    pub history: String,
    /// Whether the API server says who may read.
    pub authorize: bool,
}

/// What a new configuration may change.
#[derive(Clone, Debug, Default)]
pub struct ObserverRules {
    /// What discovery goes by.
    pub discovery: DiscoveryRules,
    /// What teams may declare; `most` is how many targets agents have room for beside those of their own
    /// configuration.
    pub admission: AdmissionRules,
    /// How many targets of discovery one namespace may have.
    pub most_per_namespace: usize,
    /// The owners of the operator's own targets, by their names.
    pub owners: Arc<BTreeMap<String, String>>,
    /// How agents are asked.
    pub agents: AgentAccess,
}

/// An observer. Clones are the same.
#[derive(Clone, Debug)]
pub struct Observer {
    options: Arc<Options>,
    shared: Shared,
    leadership: Leadership,
    reviewer: Option<Reviewer>,
    requests: RequestCount,
    started: SystemTime,
}

/// What the tasks of the observer share.
#[derive(Clone, Debug)]
struct Shared {
    inner: Arc<Inner>,
    /// What is news to the publisher.
    changed: Arc<Notify>,
    rules: channel::Receiver<ObserverRules>,
}

/// No lock is held across an await. Where two are held, `members` is taken before `fleet`.
#[derive(Debug)]
struct Inner {
    index: Mutex<Index>,
    declared: Mutex<TargetObjects>,
    states: Mutex<States>,
    /// The lists as they were last made.
    discovered: Mutex<Discovered>,
    admission: Mutex<Admission>,
    /// Why nothing can be published; empty where it can.
    publishing: Mutex<String>,
    /// The address of the cluster's DNS server, once it is known.
    cluster_dns: Mutex<Option<IpAddr>>,
    /// Whether the lists were made once of all that could be known.
    is_ready: AtomicBool,
    /// The labels of this release's pods.
    release: String,
    members: Mutex<Members>,
    fleet: Mutex<Fleet>,
    /// Whether every agent was asked once since this replica leads.
    is_fleet_read: AtomicBool,
    /// Events that were dropped because too many waited.
    events_dropped: AtomicU64,
    web_reloads: Mutex<WebReloads>,
}

/// Whether the latest attempts to load these files succeeded; `None` where there is no such file.
#[derive(Clone, Copy, Debug, Default)]
struct WebReloads {
    /// The web configuration.
    server: Option<bool>,
    /// How agents are read.
    client: Option<bool>,
}

impl WebReloads {
    fn are_ok(self) -> Option<bool> {
        let all = self.server.into_iter().chain(self.client);
        all.reduce(|one, other| one && other)
    }
}

impl Shared {
    fn new(options: &Options, rules: channel::Receiver<ObserverRules>) -> Self {
        Self {
            inner: Arc::new(Inner {
                index: Mutex::new(Index::new(options.linger)),
                declared: Mutex::default(),
                states: Mutex::new(States::new(SystemTime::now())),
                discovered: Mutex::default(),
                admission: Mutex::default(),
                publishing: Mutex::default(),
                cluster_dns: Mutex::default(),
                is_ready: AtomicBool::default(),
                release: options.release.clone().unwrap_or_default(),
                members: Mutex::default(),
                fleet: Mutex::default(),
                is_fleet_read: AtomicBool::default(),
                events_dropped: AtomicU64::default(),
                web_reloads: Mutex::default(),
            }),
            changed: Arc::default(),
            rules,
        }
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        locked(&self.inner.index)
    }

    fn declared(&self) -> MutexGuard<'_, TargetObjects> {
        locked(&self.inner.declared)
    }

    fn admission(&self) -> MutexGuard<'_, Admission> {
        locked(&self.inner.admission)
    }

    fn states(&self) -> MutexGuard<'_, States> {
        locked(&self.inner.states)
    }

    fn discovered(&self) -> MutexGuard<'_, Discovered> {
        locked(&self.inner.discovered)
    }

    fn publishing(&self) -> MutexGuard<'_, String> {
        locked(&self.inner.publishing)
    }

    fn cluster_dns(&self) -> MutexGuard<'_, Option<IpAddr>> {
        locked(&self.inner.cluster_dns)
    }

    fn is_ready(&self) -> bool {
        self.inner.is_ready.load(Ordering::Relaxed)
    }

    fn note_ready(&self) {
        self.inner.is_ready.store(true, Ordering::Relaxed);
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        locked(&self.inner.members)
    }

    fn fleet(&self) -> MutexGuard<'_, Fleet> {
        locked(&self.inner.fleet)
    }

    fn is_fleet_read(&self) -> bool {
        self.inner.is_fleet_read.load(Ordering::Relaxed)
    }

    fn note_fleet_read(&self, is_read: bool) {
        self.inner.is_fleet_read.store(is_read, Ordering::Relaxed);
    }

    fn drop_event(&self) {
        self.inner.events_dropped.fetch_add(1, Ordering::Relaxed);
    }
}

/// A task that panicked while it held the lock left what it guards as usable as before.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The tasks of an observer.
#[derive(Debug)]
pub struct ObserverTasks {
    election: tokio::task::JoinHandle<()>,
    others: JoinSet<()>,
}

impl Observer {
    /// Begins to watch, to stand for election and, when it leads, to publish, until `shutdown`.
    pub async fn start(
        options: Options,
        rules: channel::Receiver<ObserverRules>,
        shutdown: CancellationToken,
    ) -> Result<(Self, ObserverTasks), ClientError> {
        let requests = RequestCount::default();
        let client = client::connect(&requests).await?;
        Ok(Self::start_with(
            &client, requests, options, rules, shutdown,
        ))
    }

    fn start_with(
        clients: &Clients,
        requests: RequestCount,
        options: Options,
        rules: channel::Receiver<ObserverRules>,
        shutdown: CancellationToken,
    ) -> (Self, ObserverTasks) {
        let shared = Shared::new(&options, rules);
        let leases = Api::namespaced(clients.calling.clone(), &options.namespace);
        // A pod that is started again is another candidate: nothing says that its last write has ended.
        let identity = format!("{}_{:016x}", options.pod, fastrand::u64(..));
        let (election, leadership) = Election::new(leases, &options.lease, &identity);
        let election = tokio::spawn(election.run(shutdown));

        let mut others = JoinSet::new();
        let (served_sender, served) = channel::channel(Served::default());
        others.spawn(served::follow(clients.calling.clone(), served_sender));
        let config_maps = Api::namespaced(clients.calling.clone(), &options.namespace);
        let publisher = Publisher::new(
            config_maps,
            &options.config_map,
            shared.clone(),
            leadership.clone(),
        );
        others.spawn(publisher.run());
        if options.cluster_dns {
            shared.states().add((cluster_dns::NAME, String::new()));
            let client = clients.calling.clone();
            others.spawn(cluster_dns::learn(client, shared.clone()));
        }
        let mut watches = StartWatches {
            client: &clients.watching,
            shared: &shared,
            served: &served,
            options: &options,
            tasks: &mut others,
        };
        each_kind(&mut watches);
        if options.crd {
            watches.start::<Declarations>();
        }
        if options.release.is_some() {
            watches.start::<Nodes>();
            watches.start_in::<ReleasePods>(&options.namespace);
        }
        if options.crd {
            let writer = StatusWriter::new(clients.calling.clone());
            let reads_agents = options.release.is_some();
            let (shared, leadership) = (shared.clone(), leadership.clone());
            others.spawn(write_statuses(writer, reads_agents, shared, leadership));
        }
        if options.release.is_some() {
            let config_maps = Api::namespaced(clients.calling.clone(), &options.namespace);
            let store = HistoryStore::new(config_maps, &options.history);
            let reader = FleetReader::new(store, shared.clone(), leadership.clone());
            others.spawn(reader.run());
        }
        if options.events {
            let client = clients.calling.clone();
            let announcer =
                Announcer::new(client, &options.pod, shared.clone(), leadership.clone());
            others.spawn(announcer.run());
        }
        let reviewer = options
            .authorize
            .then(|| Reviewer::new(clients.calling.clone()));
        let observer = Self {
            options: Arc::new(options),
            shared,
            leadership,
            reviewer,
            requests,
            started: SystemTime::now(),
        };
        (observer, ObserverTasks { election, others })
    }

    /// An observer that watches nothing and leads, with a fleet that was read already: for tests of its page.
    pub fn of_fleet(fleet: Fleet, rules: ObserverRules) -> Self {
        let options = Options {
            pod: "observer-0".to_owned(),
            release: Some(String::new()),
            ..Options::default()
        };
        let (_, rules) = channel::channel(rules);
        let shared = Shared::new(&options, rules);
        shared.note_ready();
        shared.note_fleet_read(true);
        *shared.fleet() = fleet;
        Self {
            leadership: Leadership::of(&options.pod),
            options: Arc::new(options),
            shared,
            reviewer: None,
            requests: RequestCount::default(),
            started: SystemTime::now(),
        }
    }

    /// Changes the fleet of such an observer.
    pub fn change_fleet(&self, change: impl FnOnce(&mut Fleet)) {
        change(&mut self.shared.fleet());
    }

    /// What asks the API server who may read, if it shall be asked.
    pub fn reviewer(&self) -> Option<Reviewer> {
        self.reviewer.clone()
    }

    /// Notes whether the latest attempt to load the web configuration succeeded.
    pub fn note_web_reload(&self, is_ok: bool) {
        locked(&self.shared.inner.web_reloads).server = Some(is_ok);
    }

    /// Notes whether the latest attempt to load how agents are read succeeded.
    pub fn note_client_reload(&self, is_ok: bool) {
        locked(&self.shared.inner.web_reloads).client = Some(is_ok);
    }

    /// Whether the observer answers questions about the cluster: every source was listed once, or it was known why
    /// not, or a minute has passed. It stays so, whatever the API server does.
    pub fn is_ready(&self) -> bool {
        self.shared.is_ready()
    }

    /// The state of each source that is on, by its word: those of discovery, the declared targets, the address of
    /// the cluster's DNS, and the nodes and agents of the fleet.
    fn sources(&self) -> Vec<(&'static str, &'static str, StateSince)> {
        let mut sources = self.sources_of_targets();
        let states = self.shared.states();
        let learned = states.of_kind(cluster_dns::NAME);
        sources.extend(learned.map(|known| (cluster_dns::NAME, cluster_dns::ABOUT, known)));
        for (watch, word, about) in [
            (Nodes::NAME, "nodes", NODES),
            (ReleasePods::NAME, "agents", AGENTS),
        ] {
            sources.extend(states.of_kind(watch).map(|known| (word, about, known)));
        }
        sources
    }

    /// The same of those that name targets.
    fn sources_of_targets(&self) -> Vec<(&'static str, &'static str, StateSince)> {
        let states = self.shared.states();
        let sources = self.options.sources.iter();
        let mut sources: Vec<_> = sources
            .filter_map(|source| Some((source.as_str(), source.description(), states.of(*source)?)))
            .collect();
        let declared = states.of_kind(Declarations::RESOURCE.kind);
        sources.extend(declared.map(|known| (target::Source::Crd.as_str(), DECLARED, known)));
        sources
    }
}

/// What the declared targets are, beside the sources of discovery.
const DECLARED: &str = "`PrivateLinkTarget` objects, in which teams declare targets.";

/// What the two watches of the fleet are.
const NODES: &str = "The nodes of the cluster, of which those without an agent are uncovered.";
const AGENTS: &str =
    "The pods of this release: the agents that are read, and the replicas of the observer.";

impl ObserverTasks {
    /// Waits until a task ends by itself, which none should; its name or what it said.
    pub async fn failed(&mut self) -> String {
        tokio::select! {
            ended = &mut self.election => match ended {
                Ok(()) => "the election ended".to_owned(),
                Err(error) => format!("the election ended: {error}"),
            },
            Some(ended) = self.others.join_next() => match ended {
                Ok(()) => "a task of the observer ended".to_owned(),
                Err(error) => format!("a task of the observer ended: {error}"),
            },
        }
    }

    /// Stops watching and publishing, and waits until the lease is given back.
    pub async fn stop(mut self) {
        self.others.shutdown().await;
        let _ = self.election.await;
    }
}

/// Starts the watches of every kind that a source which is on reads.
struct StartWatches<'a> {
    client: &'a Client,
    shared: &'a Shared,
    served: &'a channel::Receiver<Served>,
    options: &'a Options,
    tasks: &'a mut JoinSet<()>,
}

impl StartWatches<'_> {
    fn start<W: Watched>(&mut self) {
        let whole_cluster = [String::new()];
        let namespaces = match &self.options.watch_namespaces[..] {
            [] => &whole_cluster[..],
            // A Role cannot allow what belongs to the whole cluster.
            _ if !W::RESOURCE.is_namespaced => &[],
            namespaces => namespaces,
        };
        for namespace in namespaces {
            self.start_in::<W>(namespace);
        }
    }

    fn start_in<W: Watched>(&mut self, namespace: &str) {
        let watch = Watch {
            client: self.client.clone(),
            shared: self.shared.clone(),
            served: self.served.clone(),
            namespace: namespace.to_owned(),
        };
        // Before the first question whether the observer is ready.
        self.shared.states().add((W::NAME, namespace.to_owned()));
        self.tasks.spawn(watch.run::<W>());
    }
}

impl Visitor for StartWatches<'_> {
    fn visit<K: Kind>(&mut self, sources: &'static [Source]) {
        let is_on = |source: &Source| self.options.sources.contains(source);
        if sources.iter().any(is_on) {
            self.start::<Objects<K>>();
        }
    }
}

/// Says of each declared target whether it is probed and how it is, while this replica leads.
async fn write_statuses(
    mut writer: StatusWriter,
    reads_agents: bool,
    shared: Shared,
    leadership: Leadership,
) {
    let may_write = || leadership.is_leading();
    let mut round = 0u32;
    loop {
        sleep(STATUSES).await;
        if !may_write() {
            continue;
        }
        let admission = shared.admission().clone();
        let written = writer.write(&admission.decisions, Timestamp::now(), may_write);
        StatusesWritten(written.await).emit();
        round = round.wrapping_add(1);
        // What is missing before every agent was asked says nothing.
        if round.is_multiple_of(HEALTHS) && (!reads_agents || shared.is_fleet_read()) {
            let healths = shared.healths(&admission, reads_agents);
            let written = writer.write_health(&healths, may_write);
            StatusesWritten(written.await).emit();
        }
    }
}

impl Shared {
    /// How each declared target stands on all nodes, by its name.
    fn standings(&self, admission: &Admission, now: Moment) -> HashMap<String, Standing> {
        let targets = admission.targets.iter();
        let names: Vec<_> = targets.map(AcceptedTarget::names).collect();
        let standings = self.fleet().standings(&names, now);
        let targets = admission.targets.iter().map(|target| target.name.clone());
        targets.zip(standings).collect()
    }

    /// What the status of each object should say of its health: nothing where it is not probed, or the agents
    /// are not read.
    fn healths(&self, admission: &Admission, reads_agents: bool) -> Vec<Health> {
        let now = SystemTime::now().into();
        let standings = if reads_agents {
            self.standings(admission, now)
        } else {
            HashMap::new()
        };
        let is_ill = |standing: &Standing| standing.worst().is_some();
        let patterns = if standings.values().any(is_ill) {
            pattern::patterns(self.fleet().seen(now), now)
        } else {
            Vec::new()
        };
        let targets = admission.targets.iter();
        let names: HashMap<_, _> = targets.map(|one| (&one.name, one.names())).collect();
        let healths = admission.decisions.iter().map(|decision| {
            let target = decision.target.as_ref();
            let standing = target.and_then(|target| standings.get(target));
            let wanted = standing.map(|standing| {
                let names = target.and_then(|target| names.get(target));
                let is_named = |name: &String| names.is_some_and(|names| names.contains(name));
                // The worst comes first.
                let pattern = patterns
                    .iter()
                    .filter(|_| is_ill(standing))
                    .find(|pattern| {
                        let mut targets = pattern.targets.iter();
                        targets.any(|target| is_named(&target.name))
                    });
                let (generation, shown) = (decision.generation, &decision.shown);
                health(standing, pattern, generation, shown, Timestamp::now())
            });
            Health {
                key: decision.key.clone(),
                shown: decision.shown.clone(),
                wanted: wanted.unwrap_or_default(),
            }
        });
        healths.collect()
    }
}

/// A reason of conditions and events is one word, such as `PublicFallback`.
fn camel_case(word: &str) -> String {
    let parts = word.split('_');
    let capitalized = parts.map(|part| {
        let (first, rest) = part.split_at(part.len().min(1));
        first.to_ascii_uppercase() + rest
    });
    capitalized.collect()
}
