//! Run: the agent, until a signal stops it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::shutdown::wait_for_signal;
use super::web::{Web, WebArgs};
use super::{EXIT_OK, Failure, node_name, runtime};
use crate::agent::Agent;
use crate::http::{self, Site};
use privatelink_config::STANDARD_INPUT;
use privatelink_config::plan::Plan;
use privatelink_config::reload::Watcher;
use privatelink_machine::Machine;
use privatelink_report::events::{AgentStarted, AgentStopping, ConfigLoaded};
use privatelink_report::log_setup;
use privatelink_report::metrics::Histograms;

/// How long answers under way may take after the signal to stop.
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
    /// Configuration; yours first, then more of yours, or target lists of the observer, which may be
    /// absent.
    #[arg(long, value_name = "FILE", required = true, num_args = 1.., value_parser = read_again)]
    config: Vec<PathBuf>,

    /// Where to serve metrics, health, the API and the status page [default: `[::]:9797`].
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,

    #[command(flatten)]
    web: WebArgs,

    /// Name of this node, on every series and report [default: the host name].
    #[arg(long, value_name = "NAME", env = "NODE_NAME")]
    node_name: Option<String>,

    /// How log lines are written.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    log_format: LogFormat,

    /// Least important lines to write: error, warn, info, debug or trace; or levels by module, such
    /// as `info,privatelink_probe=debug`.
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    log_level: String,

    /// Histograms of stage durations: per stage, per target and stage, or none.
    #[arg(long, value_name = "WHICH", value_enum, default_value_t)]
    histograms: WhichHistograms,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(super) enum LogFormat {
    /// One JSON object a line.
    #[default]
    Json,
    /// For people.
    Text,
}

impl From<LogFormat> for log_setup::LineFormat {
    fn from(format: LogFormat) -> Self {
        match format {
            LogFormat::Json => Self::Json,
            LogFormat::Text => Self::Text,
        }
    }
}

/// How many histograms of the stages' durations there are.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum WhichHistograms {
    /// One per stage and target: about 80 series more for every target.
    Target,
    /// One per stage.
    #[default]
    On,
    /// None.
    Off,
}

impl From<WhichHistograms> for Histograms {
    fn from(which: WhichHistograms) -> Self {
        match which {
            WhichHistograms::Target => Self::Target,
            WhichHistograms::On => Self::On,
            WhichHistograms::Off => Self::Off,
        }
    }
}

/// A file that can be read again: the agent does so for as long as it runs.
pub(super) fn read_again(name: &str) -> Result<PathBuf, &'static str> {
    if name == STANDARD_INPUT {
        return Err(
            "standard input can be read once, and the agent reads its configuration again \
                    when it changes; write it to a file",
        );
    }
    Ok(name.into())
}

pub(super) fn run(args: RunArgs) -> Result<ExitCode, Failure> {
    let RunArgs {
        config,
        listen,
        web,
        node_name,
        log_format,
        log_level,
        histograms,
    } = args;
    log_setup::init(log_format.into(), &log_level)?;
    runtime()?.block_on(async {
        let (plan, watcher) = Watcher::start(&config)?;
        let web = Web::start(web)?;
        let listener = http::bind(listen)?;
        let node = node_name::or_hostname(node_name.as_deref());
        let agent = Agent::new(Machine::real(), node, &plan, histograms.into());
        let cause = serve(agent, &plan, listener, watcher, web).await?;
        AgentStopping { cause }.emit();
        Ok(EXIT_OK.into())
    })
}

/// Probes and serves until a signal to stop arrives; returns which. `agent` has `plan`.
pub(super) async fn serve(
    agent: Agent,
    plan: &Plan,
    listener: TcpListener,
    watcher: Watcher,
    web: Web,
) -> Result<&'static str, Failure> {
    let (board, metrics) = (agent.board().clone(), agent.metrics().clone());
    AgentStarted {
        node: &board.lock().node,
        listen: listener.local_addr()?,
        targets: plan.targets.len(),
    }
    .emit();
    ConfigLoaded {
        targets: plan.targets.len(),
        warnings: &plan.warnings,
    }
    .emit();

    let shutdown = CancellationToken::new();
    let mut agent = tokio::spawn(agent.run(Some(watcher), shutdown.clone()));
    let mut server = tokio::spawn(http::serve(
        listener,
        Site::Agent(board.clone(), metrics),
        web.access(),
        shutdown.clone(),
    ));
    let changes = web.follow(|is_ok| board.lock().web_reload_ok = Some(is_ok));
    let cause = tokio::select! {
        never = changes => match never {},
        signal = wait_for_signal() => signal?.as_str(),
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
