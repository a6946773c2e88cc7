//! Reliability: faults while an agent runs, and a long run. docs/reliability.md says what must hold.
//!
//! `tests/reliability/run` makes the network that this program runs in, where it may do what it likes.

mod agent;
mod campaign;
mod clock;
mod configuration;
mod fault;
mod http;
mod invariants;
mod metrics;
mod report;
mod self_test;
mod slope;
mod soak;
mod watch;
mod world;

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use tokio::runtime;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let is_bounded = arguments.iter().any(|it| it == "--bounded");
    let mut words = arguments.iter().filter(|it| !it.starts_with("--"));
    let (command, filter) = (words.next(), words.next());
    let filter = filter.map_or("", String::as_str);
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let is_kept = match command.map(String::as_str) {
        Some("chaos") => runtime.block_on(chaos(is_bounded, filter)),
        Some("soak") => runtime.block_on(soak::run(&folder("soak"), is_bounded)),
        _ => panic!("usage: tests/reliability/run chaos|soak [--bounded] [PHASE]"),
    };
    if is_kept {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

async fn chaos(is_bounded: bool, filter: &str) -> bool {
    say(&format!(
        "the invariants notice {} of as many breaks",
        self_test::run()
    ));
    say(&format!("the program is {}", agent::program().display()));
    let folder = folder("chaos");
    let outcome = campaign::run(&folder, is_bounded, filter, chart_limit()).await;
    say("");
    say(report::HEAD);
    for row in &outcome.rows {
        say(&row.to_string());
    }
    for violation in &outcome.violations {
        say(&format!("BROKEN {violation}"));
    }
    let is_kept = outcome.violations.is_empty();
    if is_kept {
        // What is left there is of no use.
        _ = fs::remove_dir_all(folder);
    } else {
        say(&format!("the agent's log is in {}", folder.display()));
    }
    is_kept
}

/// A folder for the files of a run.
fn folder(command: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("reliability-{command}"));
    // It is there after a run that failed.
    _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// What the chart lets the agent take, in KiB.
fn chart_limit() -> u64 {
    let values =
        fs::read_to_string("charts/privatelink-prober/values.yaml").expect("the chart's values");
    let (_, limits) = values
        .split_once("\n  limits:\n    memory: ")
        .expect("a limit");
    let (mebibytes, _) = limits.split_once("Mi").expect("a number of MiB");
    mebibytes.parse::<u64>().expect("a number") * 1024
}

/// Tells the person who runs it.
#[expect(clippy::print_stdout, reason = "the output of this program")]
fn say(line: &str) {
    println!("{line}");
}
