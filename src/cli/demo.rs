//! Demo: the embedded lab, with the real agent running against it.

use std::future::pending;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::time::SystemTime;

use clap::Args;

use super::check::{Form, Output, results, round};
use super::progress::Progress;
use super::run::serve;
use super::shutdown::wait_for_signal;
use super::web::Web;
use super::{EXIT_OK, Failure, runtime};
use crate::agent::Agent;
use crate::http;
use privatelink_config::reload::Watcher;
use privatelink_lab::RunningWorld;
use privatelink_machine::Machine;
use privatelink_report::log_setup;
use privatelink_report::metrics::Histograms;

/// Show an embedded lab: healthy and broken services, on loopback, without root or network.
#[derive(Args, Debug)]
#[command(
    after_help = "Everything is real but the world: a DNS server and TLS services on \
    loopback stand for Azure, and the agent that runs in clusters probes them. Every target's name \
    says what is wrong with it.\n\n\
    Examples:\n  \
    privatelink-prober demo                      goes on probing, with page and metrics\n  \
    privatelink-prober demo --once -o short      a line per target, and done\n  \
    privatelink-prober demo --once -o json"
)]
pub(super) struct DemoArgs {
    /// Probe as many times as the slowest verdict needs, print what was found, and exit with 0.
    #[arg(long)]
    once: bool,

    /// How to print what was found.
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t)]
    output: Output,

    /// Where to serve the page and the metrics.
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "127.0.0.1:9797",
        conflicts_with = "once"
    )]
    listen: SocketAddr,
}

pub(super) fn demo(args: &DemoArgs) -> Result<ExitCode, Failure> {
    let DemoArgs {
        once,
        output,
        listen,
    } = *args;
    runtime()?.block_on(async {
        // Before anything is made, so that a port that is taken is reported at once and an interrupt
        // leaves no file behind.
        let listener = if once {
            None
        } else {
            Some(http::bind(Some(listen))?)
        };
        let stop = wait_for_signal();
        let world = privatelink_lab::demo()?;
        let running = RunningWorld::start(&world).await?;
        let file = running.directory().join("config.yaml");
        std::fs::write(&file, &running.configuration)?;
        let (plan, watcher) = Watcher::start(std::slice::from_ref(&file))?;

        let began = SystemTime::now();
        let node = "demo".to_owned();
        let mut agent = Agent::new(Machine::real(), node, &plan, Histograms::On);
        // Some verdicts need more than one probe.
        let rounds = async {
            for number in 1..=world.rounds.into() {
                let rounds = Some(world.rounds.into());
                let progress = Progress::of_round(number, rounds, plan.targets.len());
                round(&mut agent, pending::<()>(), progress).await;
            }
        };
        let interrupted = tokio::select! {
            signal = stop => signal.map(|_| true)?,
            () = rounds => false,
        };
        if !interrupted {
            let form = Form {
                output,
                began,
                watched: false,
            };
            form.print(&results(&agent, &plan)?)?;
            if let Some(listener) = listener {
                announce(listener.local_addr()?, &file);
                log_setup::init(log_setup::LineFormat::Text, "info")?;
                serve(agent, &plan, listener, watcher, Web::default()).await?;
            }
        }
        running.stop().await;
        Ok(EXIT_OK.into())
    })
}

fn announce(at: SocketAddr, file: &Path) {
    anstream::eprintln!(
        "\nThe agent goes on probing this world:\n  \
         page           http://{at}/\n  \
         metrics        http://{at}/metrics\n  \
         API            http://{at}/api/v1/targets\n  \
         configuration  {} (JSON, which is YAML too; an edit is taken over within seconds)\n\n\
         Stop it with Ctrl-C. Only changes are logged from here on.\n",
        file.display()
    );
}
