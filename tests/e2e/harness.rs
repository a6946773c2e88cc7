//! Harness: runs the tests in their order and says how each one went.

use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use tokio::time::Instant;

use super::world::World;
use super::{
    check_as, faults, fleet, footprint, host_network, install, life, monitoring, observer, paths,
    published, upgrade, web,
};

/// A test: its name, and what panics when it does not hold.
pub(crate) type Test = (&'static str, fn(&mut World));

/// Runs the tests whose names contain one of `filters`, or all.
pub(crate) fn run(filters: &[String]) -> ExitCode {
    let started = Instant::now();
    // The complaint and where it was raised; what a test waits for says more than its call stack.
    panic::set_hook(Box::new(|panic| say(&panic.to_string())));
    let Ok(mut world) = catch_unwind(World::new) else {
        say("FAIL: the world could not be made; see above");
        return ExitCode::FAILURE;
    };
    say(&format!(
        "the world is ready after {:.1} s",
        started.elapsed().as_secs_f64()
    ));
    let (mut passed, mut failed) = (0, Vec::new());
    for (name, test) in tests() {
        if !filters.is_empty() && !filters.iter().any(|filter| name.contains(filter)) {
            continue;
        }
        let begun = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| test(&mut world)));
        let seconds = begun.elapsed().as_secs_f64();
        if outcome.is_ok() {
            passed += 1;
            say(&format!("PASS {seconds:6.1} s  {name}"));
        } else {
            say(&format!("FAIL {seconds:6.1} s  {name}"));
            say(&world.explain());
            failed.push(name);
        }
        for note in world.notes.drain(..) {
            say(&format!("                 {note}"));
        }
    }
    for name in &failed {
        say(&format!("failed: {name}"));
    }
    say(&format!(
        "{passed} passed, {} failed, in {:.0} s",
        failed.len(),
        started.elapsed().as_secs_f64()
    ));
    if failed.is_empty() && passed > 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// In the order of a cluster's life. Each begins with a state that it makes itself, and in this order
/// seldom has to: the networks' links change twice only, since agents remember changes for a while. What needs
/// old nodes, or an agent that was away for long, comes when others have passed that time.
fn tests() -> impl Iterator<Item = Test> {
    [
        // One network is not linked.
        install::TESTS,
        paths::TESTS,
        monitoring::TESTS,
        check_as::AS_INSTALLED,
        life::SIDE_BY_SIDE,
        life::TESTS,
        footprint::TESTS,
        fleet::TESTS,
        fleet::SENT_AWAY,
        // All are.
        paths::LATER,
        observer::TESTS,
        life::ALL_HEALTHY,
        faults::TESTS,
        fleet::KEPT_AWAY,
        host_network::TESTS,
        check_as::TESTS,
        fleet::ALL_HEALTHY,
        faults::LATER,
        web::TESTS,
        upgrade::TESTS,
        published::TESTS,
        // One is not again.
        paths::LAST,
        install::LAST,
    ]
    .concat()
    .into_iter()
}

#[expect(
    clippy::print_stdout,
    reason = "how the tests went is this program's output"
)]
fn say(line: &str) {
    println!("{line}");
}
