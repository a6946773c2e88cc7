//! Cli: the command line: what may be typed, and which part of the program does it.

mod check;
#[cfg(feature = "observer")]
mod check_as;
#[cfg(feature = "lab")]
mod demo;
pub mod flags;
mod generate;
mod node_name;
#[cfg(feature = "observer")]
mod observe;
mod progress;
mod relay;
#[cfg(feature = "observer")]
mod report;
mod run;
pub mod services;
mod shutdown;
mod table;
pub mod validate;
mod web;

use std::error::Error;
use std::io;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use privatelink_config::problem::ConfigError;

/// Everything passes or warns.
const EXIT_OK: u8 = 0;
/// Some target fails.
const EXIT_FAILING: u8 = 1;
/// The command line or the configuration is wrong.
const EXIT_USAGE: u8 = 2;

/// Asks, from every AKS node, whether each private service still resolves to its private endpoint,
/// answers, and presents the right certificate. Says which known cause it found, and what to do.
#[derive(Debug, Parser)]
#[command(
    name = "privatelink-prober",
    version,
    propagate_version = true,
    max_term_width = 100,
    arg_required_else_help = true,
    after_help = "First steps:\n  \
        privatelink-prober demo                          a broken world to look at, on this machine alone\n  \
        privatelink-prober check kv.vault.azure.net      one probe now, from here\n  \
        privatelink-prober services kv.vault.azure.net   what is known of a host\n  \
        privatelink-prober validate config.yaml          what a configuration means\n\n\
        Exit codes: 0 all pass or warn, 1 some target fails, 2 usage or configuration error; \
        `check`\nthat is interrupted: 130 (Ctrl-C) or 143 (SIGTERM)."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the agent: probe every target at its interval, export metrics, serve the status page.
    Run(run::RunArgs),
    /// Run the observer: find the private services that this cluster uses, and publish them as targets
    /// for the agents.
    #[cfg(feature = "observer")]
    Observe(Box<observe::ObserveArgs>),
    /// Probe once, now, and print what was found, per target.
    Check(Box<check::CheckArgs>),
    /// Print every node's view of every target, and whether public access may be turned off.
    #[cfg(feature = "observer")]
    Report(Box<report::ReportArgs>),
    /// Explain a configuration: its targets as they are understood, warnings, and what it costs.
    Validate(validate::ValidateArgs),
    /// List the Azure services that are known, or what is known of one host.
    Services(services::ServicesArgs),
    /// Show an embedded lab: healthy and broken services, on loopback, without root or network.
    #[cfg(feature = "lab")]
    Demo(demo::DemoArgs),
    /// Print a schema or table: of the configuration, the reports, the metrics, the reasons.
    Schema(generate::SchemaArgs),
    /// Print the completions of a shell.
    Completion(generate::CompletionArgs),
    /// Print the manual page, of the whole or of one command.
    Man(generate::ManArgs),
}

// The same program as a plugin of kubectl, which finds it by the name `kubectl-privatelink`.
#[cfg(feature = "observer")]
#[derive(Debug, Parser)]
#[command(
    name = "kubectl-privatelink",
    bin_name = "kubectl privatelink",
    version,
    propagate_version = true,
    max_term_width = 100,
    arg_required_else_help = true
)]
/// Show how every node reaches the Azure private services that a cluster depends on, and check single
/// hosts.
struct Plugin {
    #[command(subcommand)]
    command: PluginCommand,
}

#[cfg(feature = "observer")]
#[derive(Debug, Subcommand)]
enum PluginCommand {
    /// Print every node's view of every target, and whether public access may be turned off.
    Report(Box<report::ReportArgs>),
    /// Probe once, now, and print what was found, per target.
    Check(Box<check::CheckArgs>),
}

/// What a command that could not do its work says, and exits with.
type Failure = Box<dyn Error>;

/// Reads the command line and does what it asks for.
pub fn main() -> ExitCode {
    let args = check::tie_interval(std::env::args_os());
    #[cfg(feature = "observer")]
    if is_plugin(&args) {
        let done = match Plugin::parse_from(args).command {
            PluginCommand::Report(args) => report::report(*args),
            PluginCommand::Check(args) => check::check(*args),
        };
        return done.unwrap_or_else(|error| failed(error.as_ref()));
    }
    let Cli { command } = Cli::parse_from(args);
    let done = match command {
        Command::Run(args) => run::run(args),
        #[cfg(feature = "observer")]
        Command::Observe(args) => observe::observe(*args),
        Command::Check(args) => check::check(*args),
        #[cfg(feature = "observer")]
        Command::Report(args) => report::report(*args),
        Command::Validate(args) => validate::run(&args, &mut anstream::stdout()).map(Into::into),
        Command::Services(args) => services::run(&args, &mut anstream::stdout()).map(Into::into),
        #[cfg(feature = "lab")]
        Command::Demo(args) => demo::demo(&args),
        Command::Schema(args) => generate::schema(&args),
        Command::Completion(args) => generate::completion(&args),
        Command::Man(args) => generate::man(&args),
    };
    done.unwrap_or_else(|error| failed(error.as_ref()))
}

/// Whether it was called by the name under which kubectl looks for a plugin.
#[cfg(feature = "observer")]
fn is_plugin(args: &[std::ffi::OsString]) -> bool {
    let program = args.first().map(std::path::Path::new);
    program.and_then(|program| program.file_stem()) == Some("kubectl-privatelink".as_ref())
}

/// Prints an error with its causes. A reader that has gone away (`… | head`) is no error.
fn failed(error: &(dyn Error + 'static)) -> ExitCode {
    let gone = |e: &(dyn Error + 'static)| {
        e.downcast_ref::<io::Error>()
            .map(io::Error::kind)
            .or_else(|| e.downcast_ref::<serde_json::Error>()?.io_error_kind())
            .is_some_and(|kind| kind == io::ErrorKind::BrokenPipe)
    };
    if gone(error) {
        return EXIT_OK.into();
    }
    if let Some(error) = error.downcast_ref::<ConfigError>() {
        anstream::eprintln!("{}", error.rendered());
        return EXIT_USAGE.into();
    }
    let red = anstyle::AnsiColor::BrightRed.on_default().bold();
    anstream::eprintln!("{red}error{red:#}: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        anstream::eprintln!("  caused by: {error}");
        cause = error.source();
    }
    EXIT_USAGE.into()
}

/// The runtime of every command: one thread, since nothing here computes for long.
fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[cfg(feature = "observer")]
    #[test]
    fn kubectl_finds_a_plugin_by_its_name() {
        Plugin::command().debug_assert();
        let is = |program: &str| is_plugin(&[program.into()]);
        assert!(is("/usr/local/bin/kubectl-privatelink") && is("kubectl-privatelink.exe"));
        assert!(!is("/usr/local/bin/privatelink-prober"));
    }
}
