//! Command: another program, run to its end within a limit.

use std::fmt::Write as _;
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

/// How long a program may take that only asks the API server.
pub(crate) const SHORT: Duration = Duration::from_secs(30);

/// Runs `program`, which is killed after `limit`. `Ok` is its output, `Err` tells all that it said.
pub(crate) fn attempt(
    limit: Duration,
    program: &str,
    arguments: &[&str],
) -> Result<String, String> {
    let output = Command::new("timeout")
        .args(["--kill-after=5", &limit.as_secs().to_string(), program])
        .args(arguments)
        .output()
        .map_err(|error| format!("cannot run {program}: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(told(program, arguments, &output))
    }
}

/// Runs `program` and panics when it fails.
pub(crate) fn run(limit: Duration, program: &str, arguments: &[&str]) -> String {
    attempt(limit, program, arguments).unwrap_or_else(|told| panic!("{told}"))
}

/// Runs kubectl and panics when it fails.
pub(crate) fn kubectl(arguments: &[&str]) -> String {
    run(SHORT, "kubectl", arguments)
}

/// What kubectl prints as JSON.
pub(crate) fn kubectl_json(arguments: &[&str]) -> Value {
    let printed = kubectl(&[arguments, &["-o", "json"]].concat());
    serde_json::from_str(&printed).expect("kubectl prints JSON")
}

/// Tries until `attempt` succeeds and returns what it gave and how long that took; panics with its
/// last complaint after `limit`.
pub(crate) fn eventually<T>(
    limit: Duration,
    mut attempt: impl FnMut() -> Result<T, String>,
) -> (T, Duration) {
    let started = Instant::now();
    loop {
        match attempt() {
            Ok(value) => return (value, started.elapsed()),
            Err(complaint) => {
                assert!(
                    started.elapsed() < limit,
                    "not within {limit:?}: {complaint}"
                );
            }
        }
        sleep(Duration::from_millis(200));
    }
}

/// Holds `check` for as long as `time`, and panics with its first complaint.
pub(crate) fn throughout(time: Duration, mut check: impl FnMut() -> Result<(), String>) {
    let started = Instant::now();
    while started.elapsed() < time {
        if let Err(complaint) = check() {
            panic!("no more after {:?}: {complaint}", started.elapsed());
        }
        sleep(Duration::from_millis(500));
    }
}

/// Waits for other processes to act.
#[expect(
    clippy::disallowed_methods,
    reason = "no runtime here: the test waits for other processes"
)]
pub(crate) fn sleep(time: Duration) {
    std::thread::sleep(time);
}

/// `wanted` or a complaint that names what there is instead.
pub(crate) fn same<T: PartialEq + std::fmt::Debug>(
    what: &str,
    is: &T,
    wanted: &T,
) -> Result<(), String> {
    if is == wanted {
        Ok(())
    } else {
        Err(format!("{what} is {is:?} and not {wanted:?}"))
    }
}

fn told(program: &str, arguments: &[&str], output: &Output) -> String {
    let mut told = format!("{program} {}: {}", arguments.join(" "), output.status);
    for stream in [&output.stdout, &output.stderr] {
        let text = String::from_utf8_lossy(stream);
        if !text.trim().is_empty() {
            write!(told, "\n{}", text.trim_end()).expect("a string takes all");
        }
    }
    told
}
