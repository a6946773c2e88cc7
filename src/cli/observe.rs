//! Observe: the observer, until a signal stops it.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use privatelink_config::duration;
use privatelink_config::plan::Plan;
use privatelink_config::reload::Watcher;
use privatelink_discovery::{DiscoveryRules, Source};
use privatelink_observer::private_link_target::admission::AdmissionRules;
use privatelink_observer::{Observer, ObserverRules, Options};
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
        log_format,
        log_level,
    } = args;
    log_setup::init(log_format.into(), &log_level)?;
    let sources = sources.map_or_else(Source::on_by_default, |sources| sources.0);
    let pod = node_name::or_hostname(pod_name.as_deref());
    let node = node_name::or_hostname(node_name.as_deref());
    let rules = |plan: &Plan| {
        let targets = plan.targets.iter();
        let own = targets.filter(|target| target.source == target::Source::Config);
        let names = own.clone().map(|target| target.name.clone()).collect();
        let configured: HashSet<_> = own
            .map(|target| (target.host.clone(), target.port))
            .collect();
        ObserverRules {
            discovery: DiscoveryRules {
                cloud,
                allowed: plan.allowed.clone(),
                sources: sources.clone(),
            },
            admission: AdmissionRules {
                allowed: plan.allowed.clone(),
                denied: plan.denied.clone(),
                most_per_namespace: crd_per_namespace,
                most: plan.limits.max_targets.saturating_sub(configured.len()),
                configured,
                names,
            },
            most_per_namespace: discovered_per_namespace,
        }
    };
    runtime()?.block_on(async {
        let (plan, mut watcher) = Watcher::start(&config)?;
        let listener = http::bind(listen)?;
        let (current, known) = watch::channel(rules(&plan));
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
        };
        let shutdown = CancellationToken::new();
        ObserverStarted {
            listen: listener.local_addr()?,
        }
        .emit();
        let (observer, mut tasks) = Observer::start(options, known, shutdown.clone()).await?;
        let site = Site::Observer(observer, node);
        let mut server = tokio::spawn(http::serve(listener, site, shutdown.clone()));
        let cause = loop {
            tokio::select! {
                signal = wait_for_signal() => break signal?.as_str(),
                plan = watcher.changed() => match plan {
                    Ok(plan) => { current.send_replace(rules(&plan)); }
                    Err(error) => ConfigRefused { error: &error.to_string() }.log(),
                },
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
