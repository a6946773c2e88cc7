//! Observe: the observer, until a signal stops it.

use std::collections::{BTreeMap, HashSet};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderValue;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use clap::Args;
use privatelink_config::duration;
use privatelink_config::plan::Plan;
use privatelink_config::problem::ConfigError;
use privatelink_config::reload::{FileWatcher, Watcher};
use privatelink_config::web::{ClientFiles, WebClient};
use privatelink_discovery::{DiscoveryRules, Source};
use privatelink_observer::private_link_target::admission::AdmissionRules;
use privatelink_observer::{AgentAccess, Observer, ObserverRules, Options};
use privatelink_report::events::{ConfigRefused, ObserverStarted, ObserverStopping};
use privatelink_report::log_setup;
use privatelink_verdict::catalogue::Cloud;
use privatelink_verdict::suggest::did_you_mean;
use privatelink_verdict::target;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::run::{LogFormat, read_again};
use super::shutdown::wait_for_signal;
use super::web::{self, Web, WebArgs};
use super::{EXIT_OK, Failure, node_name, runtime};
use crate::http::{self, Site};

/// How long replies under way and the lease may take after the signal to stop.
const GRACE: Duration = Duration::from_secs(3);

/// Run the observer: find the private services that this cluster uses, and publish them as targets for
/// the agents.
#[derive(Args, Debug)]
#[command(
    after_help = "The chart runs it as a Deployment of two replicas, of which one writes. It needs a \
    ConfigMap and a\nLease in its namespace, which the chart makes, and rights to list and watch what it \
    reads.\n\nExamples:\n  \
    privatelink-prober observe --config config.yaml --namespace privatelink\n  \
    privatelink-prober observe --config config.yaml --namespace shop --watch-namespaces shop"
)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch that is typed by itself"
)]
pub(super) struct ObserveArgs {
    /// The configuration of the agents; `limits.maxTargets` and `allowedHosts` count.
    #[arg(long, value_name = "FILE", required = true, num_args = 1.., value_parser = read_again)]
    config: Vec<PathBuf>,

    /// Namespace of the ConfigMap and the Lease.
    #[arg(long, value_name = "NAMESPACE", env = "POD_NAMESPACE")]
    namespace: String,

    /// Name of this replica, on the page and in the Lease [default: the host name].
    #[arg(long, value_name = "NAME", env = "POD_NAME")]
    pod_name: Option<String>,

    /// Name of the node that it runs on, on every series [default: the host name].
    #[arg(long, value_name = "NAME", env = "NODE_NAME")]
    node_name: Option<String>,

    /// ConfigMap that the agents mount; its key `targets.yaml` is written.
    #[arg(
        long,
        value_name = "NAME",
        default_value = "privatelink-prober-targets"
    )]
    config_map: String,

    /// Lease of the replica that leads.
    #[arg(
        long,
        value_name = "NAME",
        default_value = "privatelink-prober-observer"
    )]
    lease: String,

    /// Where services are looked for, with commas between; empty for nowhere [default: all but
    /// environment and dapr, whose values may be secret].
    #[arg(long, value_name = "SOURCES", value_parser = sources)]
    sources: Option<Sources>,

    /// Let teams declare targets by `PrivateLinkTarget` objects.
    #[arg(long)]
    crd: bool,

    /// Targets that the objects of one namespace may make.
    #[arg(long, value_name = "N", default_value_t = 50)]
    crd_per_namespace: usize,

    /// Targets that one namespace may have of those that are found.
    #[arg(long, value_name = "N", default_value_t = 100)]
    discovered_per_namespace: usize,

    /// Learn the address of the cluster's DNS server from the service kube-system/kube-dns, and publish it
    /// under the key `cluster-dns`.
    #[arg(long)]
    learn_cluster_dns: bool,

    /// Namespaces to look at, with commas between; objects of the whole cluster are then left out
    /// [default: the whole cluster].
    #[arg(long, value_name = "NAMESPACES", value_delimiter = ',')]
    watch_namespaces: Vec<String>,

    /// How long a target stays after its last user.
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, default_value = "1h")]
    linger: Duration,

    /// The cloud that the cluster is in: where an object names none, its driver takes this one.
    #[arg(long, value_name = "CLOUD", value_parser = cloud, default_value = "commercial")]
    cloud: Cloud,

    /// Labels of this release's pods in the namespace of the observer, as a selector: the agents to read,
    /// and the other replicas. Without it the agents are not read.
    #[arg(long, value_name = "SELECTOR")]
    release_pods: Option<String>,

    /// Tell of failures by events on nodes and on `PrivateLinkTarget` objects.
    #[arg(long, requires = "release_pods")]
    events: bool,

    /// ConfigMap in which the history of the fleet outlives restarts.
    #[arg(
        long,
        value_name = "NAME",
        default_value = "privatelink-prober-history"
    )]
    history: String,

    /// Where to serve metrics, health and the page [default: `[::]:9797`].
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,

    #[command(flatten)]
    web: WebArgs,

    /// How agents, and the replica that leads, are read: TLS, a certificate and a password, in the form of
    /// Prometheus' HTTP clients [default: over plain HTTP].
    #[arg(long, value_name = "FILE", value_parser = read_again)]
    client_config_file: Option<PathBuf>,

    /// Let the API server say who may read: a bearer token that it knows is needed, and the right to `get` the
    /// path as a non-resource URL. Passwords of the web configuration are then not asked for.
    #[arg(long)]
    authorize: bool,

    /// How log lines are written.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    log_format: LogFormat,

    /// Least important lines to write: error, warn, info, debug or trace; or levels by module, such
    /// as `info,privatelink_observer=debug`.
    #[arg(
        long,
        value_name = "LEVEL",
        default_value = "info,kube_client=error,kube_runtime=error"
    )]
    log_level: String,
}

/// Sources that are on.
#[derive(Clone, Debug)]
struct Sources(Vec<Source>);

fn sources(list: &str) -> Result<Sources, String> {
    let words = list
        .split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty());
    let sources = words.map(|word| {
        let all = Source::ALL.iter().map(|source| source.as_str());
        let known = Source::ALL.iter().find(|source| source.as_str() == word);
        known.copied().ok_or_else(|| unknown(word, all))
    });
    sources.collect::<Result<_, _>>().map(Sources)
}

fn cloud(word: &str) -> Result<Cloud, String> {
    let known = Cloud::ALL.iter().find(|cloud| cloud.as_str() == word);
    known
        .copied()
        .ok_or_else(|| unknown(word, Cloud::ALL.iter().map(|cloud| cloud.as_str())))
}

fn unknown<'a>(word: &str, all: impl Iterator<Item = &'a str> + Clone) -> String {
    did_you_mean(word, all.clone())
        .unwrap_or_else(|| format!("there is {}", all.collect::<Vec<_>>().join(", ")))
}

pub(super) fn observe(args: ObserveArgs) -> Result<ExitCode, Failure> {
    let ObserveArgs {
        config,
        namespace,
        pod_name,
        node_name,
        config_map,
        lease,
        sources,
        crd,
        crd_per_namespace,
        discovered_per_namespace,
        learn_cluster_dns,
        watch_namespaces,
        linger,
        cloud,
        release_pods,
        events,
        history,
        listen,
        web,
        client_config_file,
        authorize,
        log_format,
        log_level,
    } = args;
    log_setup::init(log_format.into(), &log_level)?;
    let sources = sources.map_or_else(Source::on_by_default, |sources| sources.0);
    let pod = node_name::or_hostname(pod_name.as_deref());
    let node = node_name::or_hostname(node_name.as_deref());
    let fixed = FixedRules {
        cloud,
        sources: sources.clone(),
        crd_per_namespace,
        discovered_per_namespace,
    };
    runtime()?.block_on(async {
        let (plan, mut watcher) = Watcher::start(&config)?;
        let web = Web::start(web)?;
        let (agents, client) = ClientReload::start(client_config_file)?;
        let listener = http::bind(listen)?;
        let (current, known) = watch::channel(ObserverRules {
            agents,
            ..fixed.rules(&plan)
        });
        let options = Options {
            namespace,
            config_map,
            lease,
            pod,
            watch_namespaces: watch_namespaces
                .into_iter()
                .filter(|name| !name.is_empty())
                .collect(),
            sources: sources.clone(),
            crd,
            linger,
            cluster_dns: learn_cluster_dns,
            release: release_pods,
            events,
            history,
            authorize,
        };
        let shutdown = CancellationToken::new();
        ObserverStarted {
            listen: listener.local_addr()?,
        }
        .emit();
        let (observer, mut tasks) = Observer::start(options, known, shutdown.clone()).await?;
        let site = Site::Observer(observer.clone(), node);
        let serving = http::serve(listener, site, web.access(), shutdown.clone());
        let mut server = tokio::spawn(serving);
        let mut changes = std::pin::pin!(web.follow(|is_ok| observer.note_web_reload(is_ok)));
        let agents = client.follow(&current, |is_ok| observer.note_client_reload(is_ok));
        let mut agents = std::pin::pin!(agents);
        let cause = loop {
            tokio::select! {
                never = &mut changes => match never {},
                signal = wait_for_signal() => break signal?.as_str(),
                plan = watcher.changed() => match plan {
                    Ok(plan) => current.send_modify(|known| {
                        let agents = std::mem::take(&mut known.agents);
                        *known = ObserverRules { agents, ..fixed.rules(&plan) };
                    }),
                    Err(error) => ConfigRefused { error: &error.to_string() }.log(),
                },
                never = &mut agents => match never {},
                failed = tasks.failed() => return Err(failed.into()),
                done = &mut server => {
                    done?;
                    return Err("the server stopped by itself".into());
                }
            }
        };
        shutdown.cancel();
        // What does not end in time ends with the process.
        let ended = async { tokio::join!(tasks.stop(), server) };
        let _ = timeout(GRACE, ended).await;
        ObserverStopping { cause }.emit();
        Ok(EXIT_OK.into())
    })
}

/// What the command line says of the rules, beside the configuration.
struct FixedRules {
    cloud: Cloud,
    sources: Vec<Source>,
    crd_per_namespace: usize,
    discovered_per_namespace: usize,
}

impl FixedRules {
    /// The rules with a configuration.
    fn rules(&self, plan: &Plan) -> ObserverRules {
        let targets = plan.targets.iter();
        let own = targets.filter(|target| target.source == target::Source::Config);
        let names = own.clone().map(|target| target.name.clone()).collect();
        let configured: HashSet<_> = own
            .map(|target| (target.host.clone(), target.port))
            .collect();
        ObserverRules {
            discovery: DiscoveryRules {
                cloud: self.cloud,
                allowed: plan.allowed.clone(),
                sources: self.sources.clone(),
            },
            admission: AdmissionRules {
                allowed: plan.allowed.clone(),
                denied: plan.denied.clone(),
                most_per_namespace: self.crd_per_namespace,
                most: plan.limits.max_targets.saturating_sub(configured.len()),
                configured,
                names,
            },
            most_per_namespace: self.discovered_per_namespace,
            owners: Arc::new(owners(plan)),
            agents: AgentAccess::default(),
        }
    }
}

/// How agents are read, as a file says, if there is one.
struct ClientReload(Option<FileWatcher<ClientFiles>>);

impl ClientReload {
    /// What the file says now, and its changes.
    fn start(file: Option<PathBuf>) -> Result<(AgentAccess, Self), ConfigError> {
        let Some(file) = file else {
            return Ok((AgentAccess::default(), Self(None)));
        };
        let (client, watcher) = FileWatcher::start(&[file])?;
        Ok((agent_access(client), Self(Some(watcher))))
    }

    /// Takes over each change of the file: see [`web::follow`].
    async fn follow(self, rules: &watch::Sender<ObserverRules>, said: impl Fn(bool)) -> Infallible {
        let take = |client| rules.send_modify(|rules| rules.agents = agent_access(client));
        web::follow(self.0, take, said).await
    }
}

fn agent_access(client: WebClient) -> AgentAccess {
    let WebClient { tls, basic_auth } = client;
    let authorization = basic_auth.and_then(|(user, password)| {
        let pair = BASE64_STANDARD.encode(format!("{user}:{password}"));
        let mut value = HeaderValue::try_from(format!("Basic {pair}")).ok()?;
        value.set_sensitive(true);
        Some(value)
    });
    AgentAccess {
        tls: tls.map(|tls| (tls.config, tls.server_name)),
        authorization,
    }
}

/// The owners of targets, by the names of the targets.
fn owners(plan: &Plan) -> BTreeMap<String, String> {
    let targets = plan.targets.iter();
    let owned = targets.filter_map(|target| Some((target.name.clone(), target.owner.clone()?)));
    owned.collect()
}
