//! Demo: the embedded lab, with the real agent running against it.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::SystemTime;

use clap::Args;

use super::check::{Output, print, probe};
use super::run::Station;
use super::{EXIT_OK, Failure, runtime};
use crate::config::reload::Watcher;
use crate::http;
use crate::lab;
use crate::report::log;
use crate::report::metrics::Histograms;
use crate::rounds::Rounds;

/// Show an embedded lab: healthy and broken services, on loopback, without root or network.
#[derive(Args, Debug)]
#[command(
    after_help = "Everything is real but the world: a DNS server and TLS services on \
    loopback stand for Azure, and the agent that runs in clusters probes them. Every target's name \
    says what is wrong with it."
)]
pub(super) struct DemoArgs {
    /// Probe as many times as the slowest verdict needs, print what was found, and exit.
    #[arg(long)]
    once: bool,

    /// How to print what was found.
    #[arg(short, long, value_enum, default_value_t)]
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
        let world = lab::demo()?;
        let running = world.start().await?;
        let file = running.directory().join("config.yaml");
        std::fs::write(&file, world.configuration(&running))?;
        let (plan, watcher) = Watcher::start(std::slice::from_ref(&file))?;

        let began = SystemTime::now();
        let mut rounds = Rounds::new(&plan);
        let mut probed = Vec::new();
        for _ in 0..world.rounds {
            probed = probe(&mut rounds, plan.targets.len()).await;
        }
        print(&probed, output, began)?;
        if !once {
            log::init(log::Format::Text, "warn")?;
            let listener = http::bind(Some(listen)).await?;
            let at = listener.local_addr()?;
            anstream::eprintln!(
                "\nThe agent goes on probing this world:\n  \
                 page           http://{at}/\n  \
                 metrics        http://{at}/metrics\n  \
                 API            http://{at}/api/v1/targets\n  \
                 configuration  {} (edit it, and watch it reload)\n\n\
                 Stop it with Ctrl-C.",
                file.display()
            );
            let node = "demo".to_owned();
            let histograms = Histograms::On;
            let station = Station {
                node,
                histograms,
                listener,
                watcher: Some(watcher),
            };
            station.serve(&plan).await?;
        }
        running.stop().await;
        Ok(EXIT_OK.into())
    })
}
