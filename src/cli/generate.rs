//! Generate: what the binary prints of itself: schemas, tables, completions, the manual page.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Args, CommandFactory, ValueEnum};

use super::{Cli, EXIT_OK, Failure};
use crate::config::schema as config_schema;
use crate::report::schema as report_schema;

/// What `schema` may be asked for.
#[derive(Args, Debug)]
pub(super) struct SchemaArgs {
    /// What to print.
    #[arg(value_enum)]
    what: What,
    /// How to print a table. Schemas are JSON in any case.
    #[arg(short, long, value_enum, default_value_t = Form::Markdown)]
    output: Form,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    /// JSON schema of the configuration file.
    Config,
    /// JSON schema of `check -o json` and /api/v1/targets.
    Report,
    /// JSON schema of /api/v1/summary.
    Summary,
    /// Every metric.
    Metrics,
    /// Every reason, with its meaning and remedy.
    Reasons,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Form {
    /// A Markdown table.
    Markdown,
    /// JSON.
    Json,
}

/// What `completion` may be asked for.
#[derive(Args, Debug)]
pub(super) struct CompletionArgs {
    /// The shell, as in `source <(privatelink-prober completion bash)`.
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

/// What `man` may be asked for.
#[derive(Args, Debug)]
pub(super) struct ManArgs {
    /// The command whose page it should be; without it, the page of the whole.
    command: Option<String>,
}

pub(super) fn schema(args: &SchemaArgs) -> Result<ExitCode, Failure> {
    let mut out = io::stdout().lock();
    match (args.what, args.output) {
        (What::Config, _) => {
            serde_json::to_writer_pretty(&mut out, &config_schema::config())?;
            writeln!(out)?;
        }
        (What::Report, _) => report_schema::report(&mut out)?,
        (What::Summary, _) => report_schema::summary(&mut out)?,
        (What::Metrics, Form::Markdown) => report_schema::metrics_markdown(&mut out)?,
        (What::Metrics, Form::Json) => report_schema::metrics_json(&mut out)?,
        (What::Reasons, Form::Markdown) => report_schema::reasons_markdown(&mut out)?,
        (What::Reasons, Form::Json) => report_schema::reasons_json(&mut out)?,
    }
    Ok(EXIT_OK.into())
}

pub(super) fn completion(args: &CompletionArgs) -> Result<ExitCode, Failure> {
    let mut text = Vec::new();
    let mut command = Cli::command();
    let name = command.get_name().to_owned();
    clap_complete::generate(args.shell, &mut command, name, &mut text);
    io::stdout().write_all(&text)?;
    Ok(EXIT_OK.into())
}

pub(super) fn man(args: &ManArgs) -> Result<ExitCode, Failure> {
    let mut text = Vec::new();
    let mut whole = Cli::command();
    whole.build();
    let command = match &args.command {
        None => whole.after_help("Each command has a page: privatelink-prober man COMMAND."),
        Some(name) => {
            let of = whole.find_subcommand(name).cloned();
            of.ok_or_else(|| format!("there is no command called {name}; --help lists them"))?
        }
    };
    clap_mangen::Man::new(command).render(&mut text)?;
    io::stdout().write_all(&text)?;
    Ok(EXIT_OK.into())
}
