//! Run: the agent, until it is told to stop.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use clap::Args;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::shutdown::told_to_stop;
use super::{EXIT_OK, Failure, node, runtime};
use crate::agent::Agent;
use crate::http;
use privatelink_board::{Board, Probed, SharedBoard};
use privatelink_config::plan::Plan;
use privatelink_config::reload::Watcher;
use privatelink_report::log::{self, AgentStarted, AgentStopping, ConfigLoaded};
use privatelink_report::metrics::{Histograms, Metrics};

/// How long answers under way may take once the agent was told to stop.
const GRACE: Duration = Duration::from_secs(2);

/// Run the agent: probe every target at its interval, export metrics, serve the status page.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    privatelink-prober run --config config.yaml\n  \
    privatelink-prober run --config config.yaml --listen 127.0.0.1:9797 --log-format text\n  \
    privatelink-prober run --config config.yaml targets/discovered.yaml\n\n\
    An edit of a file is taken over within seconds, or at once on SIGHUP; one that cannot be used is \
    refused, and the configuration before it goes on. Try it with `validate` first.")]
pub(super) struct RunArgs {
    /// Configuration; the operator's first, then any number of target lists, which may be absent.
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    config: Vec<PathBuf>,

    /// Where to serve metrics, health, the API and the status page [default: [::]:9797].
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,

    /// Name of this node, on every series and report [default: the host name].
    #[arg(long, value_name = "NAME", env = "NODE_NAME")]
    node_name: Option<String>,

    /// How log lines are written.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    log_format: log::Format,

    /// Least important lines to write: error, warn, info, debug or trace.
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    log_level: String,

    /// Histograms of stage durations: per stage, per target and stage, or none.
    #[arg(long, value_name = "WHICH", value_enum, default_value_t)]
    histograms: Histograms,
}

pub(super) fn run(args: RunArgs) -> Result<ExitCode, Failure> {
    let RunArgs {
        config,
        listen,
        node_name,
        log_format,
        log_level,
        histograms,
    } = args;
    log::init(log_format, &log_level)?;
    runtime()?.block_on(async {
        let (plan, watcher) = Watcher::start(&config)?;
        let listener = http::bind(listen).await?;
        let node = node::name(node_name.as_deref());
        let station = Station {
            node,
            histograms,
            listener,
            watcher: Some(watcher),
            seen: Vec::new(),
        };
        let cause = station.serve(&plan).await?;
        AgentStopping { cause }.emit();
        Ok(EXIT_OK.into())
    })
}

/// An agent with its listener: what `run` and `demo` start.
#[derive(Debug)]
pub(super) struct Station {
    /// The node's name.
    pub(super) node: String,
    /// Which histograms are kept.
    pub(super) histograms: Histograms,
    /// Where it serves.
    pub(super) listener: TcpListener,
    /// What brings new configurations.
    pub(super) watcher: Option<Watcher>,
    /// Probes that were made before it starts, oldest first.
    pub(super) seen: Vec<Probed>,
}

impl Station {
    /// Probes and serves until the process is told to stop; returns by what.
    pub(super) async fn serve(self, plan: &Plan) -> Result<&'static str, Failure> {
        let Self {
            node,
            histograms,
            listener,
            watcher,
            seen,
        } = self;
        let mut board = Board::new(node.clone(), plan, SystemTime::now());
        for probed in seen {
            board.record(Arc::new(probed));
        }
        let board = SharedBoard::new(board);
        let metrics = Metrics::new(board.clone(), histograms)?;
        let listen = listener.local_addr()?;
        AgentStarted {
            node: &node,
            listen,
            targets: plan.targets.len(),
        }
        .emit();
        ConfigLoaded {
            targets: plan.targets.len(),
            warnings: &plan.warnings,
        }
        .emit();

        let shutdown = CancellationToken::new();
        let agent = Agent::new(plan, board.clone(), metrics.clone());
        let mut agent = tokio::spawn(agent.run(watcher, shutdown.clone()));
        let mut server = tokio::spawn(http::serve(listener, board, metrics, shutdown.clone()));
        let cause = tokio::select! {
            told = told_to_stop() => told?,
            done = &mut agent => {
                done?;
                return Err("the agent stopped by itself".into());
            }
            done = &mut server => {
                done?;
                return Err("the server stopped by itself".into());
            }
        };
        shutdown.cancel();
        // What does not end in time ends with the process.
        let ended = async { tokio::join!(agent, server) };
        let _ = timeout(GRACE, ended).await;
        Ok(cause)
    }
}
