//! Cost: what the agent computes and keeps, counted with valgrind and compared with what is committed.
//!
//! Instructions and bytes are counted, not seconds: they hardly depend on what else the machine does. A
//! count that is more than 5 % over its baseline fails. `tests/cost/run` builds and starts this program.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it is a program for the terminal"
)]

mod baseline;
mod measure;
mod valgrind;
mod workload;

use std::path::Path;
use std::process::ExitCode;

use privatelink_lab::{RunningWorld, World};
use tokio::runtime;

use self::baseline::Baseline;
use self::measure::{MEASURES, Measured};

const BASELINE: &str = "tests/cost/baseline.tsv";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        // This program again, under valgrind.
        [workload::MODE, name, configuration] => {
            workload::run(name, Path::new(configuration));
            ExitCode::SUCCESS
        }
        [] => compare(&measure_all()),
        ["--update"] => {
            let measured = measure_all();
            print!("{}", Baseline::of(&measured).table(&measured));
            Baseline::of(&measured).write(Path::new(BASELINE));
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("usage: tests/cost/run [--update]");
            ExitCode::from(2)
        }
    }
}

/// Takes every measure, one after the other. The servers that are probed run in this process, which is not
/// under valgrind.
fn measure_all() -> Vec<Measured> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let world = World::parse(&workload::world()).expect("a world");
        let world = RunningWorld::start(&world).await.expect("a running world");
        let configuration = world.directory().join("config.yaml");
        std::fs::write(&configuration, &world.configuration).expect("a file");
        let mut all = Vec::new();
        for measure in MEASURES {
            let configuration = configuration.clone();
            let measuring = tokio::task::spawn_blocking(move || measure.take(&configuration));
            all.push(measuring.await.expect("a measure"));
        }
        world.stop().await;
        all
    })
}

/// Prints every count beside its baseline. Fails where one is worse.
fn compare(measured: &[Measured]) -> ExitCode {
    let baseline = Baseline::read(Path::new(BASELINE));
    print!("{}", baseline.table(measured));
    let worse = baseline.worse(measured);
    for problem in &worse {
        eprintln!("{problem}");
    }
    if baseline.is_beaten(measured) {
        println!("Less than before: tests/cost/run --update keeps it so.");
    }
    if worse.is_empty() {
        return ExitCode::SUCCESS;
    }
    eprintln!(
        "Find out why: {}/*.callgrind with callgrind_annotate, *.dhat with dh_view.html. If the cost is worth it, run \
         tests/cost/run --update, and say why in the commit.",
        valgrind::folder().display()
    );
    ExitCode::FAILURE
}
