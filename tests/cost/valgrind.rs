//! Valgrind: runs a workload of this program under one of valgrind's tools, and reads what it counted.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::workload;

/// What was counted of a whole workload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted {
    pub(crate) count: u64,
    /// How many units of work that was.
    pub(crate) units: u64,
}

/// Where the profiles stay.
pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
}

/// The instructions that `workload` executes in `function` and what it calls.
pub(crate) fn instructions(
    name: &str,
    workload: &str,
    function: &str,
    configuration: &Path,
) -> Counted {
    let profile = folder().join(format!("{name}.callgrind"));
    let output = run(
        &[
            "--tool=callgrind",
            &format!("--toggle-collect={function}"),
            &format!("--callgrind-out-file={}", profile.display()),
        ],
        workload,
        configuration,
    );
    let text = std::fs::read_to_string(&profile).expect("a profile");
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
    let count = total.and_then(|total| total.trim().parse().ok());
    let count = count.expect("a total");
    assert!(count > 0, "{workload} has no function {function}");
    Counted {
        count,
        units: units(&output),
    }
}

/// The bytes that are on the heap when `workload` ends.
pub(crate) fn heap_at_end(workload: &str, configuration: &Path) -> Counted {
    let profile = folder().join(format!("{workload}.dhat"));
    let profile = format!("--dhat-out-file={}", profile.display());
    let output = run(&["--tool=dhat", &profile], workload, configuration);
    let text = String::from_utf8_lossy(&output.stderr);
    let (_, rest) = text.split_once("At t-end:").expect("dhat says it");
    let (bytes, _) = rest.split_once(" bytes").expect("dhat says it");
    Counted {
        count: bytes.trim().replace(',', "").parse().expect("a number"),
        units: units(&output),
    }
}

fn run(tool: &[&str], workload: &str, configuration: &Path) -> Output {
    let mut command = Command::new("valgrind");
    command
        .args(tool)
        .arg(std::env::current_exe().expect("this program"))
        .args([workload::MODE, workload])
        .arg(configuration);
    let output = command.output().unwrap_or_else(|error| {
        panic!("cannot run valgrind: {error}; tests/tools/install installs it")
    });
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// A workload prints how many units of work it did.
fn units(output: &Output) -> u64 {
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().expect("a number of units")
}
