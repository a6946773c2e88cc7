//! Scenarios: a world in a data file, and the verdict that the agent must come to.
//!
//! Every file below `tests/scenarios/` is a test case, named by its path: `cargo test --test scenarios
//! key-vault/` runs those of one folder, `cargo test --test scenarios -- --list` names all. With
//! `SCENARIO_REPORTS=DIR` each case also writes the `targets` of `check -o json` to `DIR/<name>.json`.
//! `tests/scenarios/README.md` says how to write one.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use privatelink_board::Probed;
use privatelink_config::plan::Plan;
use privatelink_lab::{ExpectedVerdict, RunningWorld, Scenario, World};
use privatelink_machine::Machine;
use privatelink_prober::agent::Agent;
use privatelink_report::json::TargetReport;
use privatelink_report::metrics::Histograms;
use privatelink_verdict::reason::Reason;
use serde_json::{Value, json};

/// Cases that run at once unless `--test-threads` says otherwise. They mostly wait.
const CASES_AT_ONCE: usize = 24;

/// For every reason, as many files must promise it, and as many must deny it in a world one step away.
const FILES_PER_REASON: usize = 3;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(CASES_AT_ONCE);
    let mut files = scenario_files();
    // The world of `demo` promises verdicts too.
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/lab/src/demo.yaml");
    files.insert("demo".to_owned(), demo);
    let mut cases: Vec<Trial> = files
        .iter()
        .map(|(name, file)| {
            let (name, file) = (name.clone(), file.clone());
            Trial::test(name.clone(), move || run(&name, &file))
        })
        .collect();
    cases.push(Trial::test(
        "every_reason_has_three_scenarios_and_three_near_misses",
        move || every_reason_has_enough_files(&files),
    ));
    libtest_mimic::run(&arguments, cases).exit_code()
}

/// Every file, by its path below `tests/scenarios` without the extension.
fn scenario_files() -> BTreeMap<String, PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut files = BTreeMap::new();
    let mut directories = vec![root.clone()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).expect("a directory of scenarios") {
            let path = entry.expect("a directory entry").path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|kind| kind == "yaml") {
                let name = path.strip_prefix(&root).expect("a path below it");
                files.insert(name.with_extension("").display().to_string(), path);
            }
        }
    }
    files
}

/// Reads a world, and refuses a word that is no reason: misspelt in `absent` it would never be found.
fn read(file: &Path) -> Result<World, Failed> {
    let wrong = |error: &dyn Display| Failed::from(format!("{}: {error}", file.display()));
    let text = fs::read_to_string(file).map_err(|error| wrong(&error))?;
    World::parse(&text).map_err(|error| wrong(&error))
}

/// Runs one file, once.
fn run(name: &str, file: &Path) -> Result<(), Failed> {
    let world = read(file)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let probed = runtime.block_on(probe(&world))?;
    if let Ok(directory) = std::env::var("SCENARIO_REPORTS") {
        write_report(&Path::new(&directory).join(name), &probed)?;
    }
    let differences = differences_from(&world, &probed);
    if differences.is_empty() {
        return Ok(());
    }
    Err(format!("{}\n{}", file.display(), differences.join("\n")).into())
}

/// What the agent makes of the world: the latest probe of every target.
async fn probe(world: &World) -> Result<Vec<Arc<Probed>>, Failed> {
    let running = RunningWorld::start(world).await?;
    let plan = privatelink_config::load_text("the world", &running.configuration)?;
    let probed = run_rounds(running.machine.clone(), &plan, world.rounds).await?;
    running.stop().await;
    Ok(probed)
}

async fn run_rounds(machine: Machine, plan: &Plan, count: u32) -> Result<Vec<Arc<Probed>>, Failed> {
    let mut agent = Agent::new(machine, "scenario".to_owned(), plan, Histograms::Off);
    for _ in 0..count {
        agent.round(|_| {}).await;
    }
    Ok(agent.latest())
}

fn write_report(path: &Path, probed: &[Arc<Probed>]) -> Result<(), Failed> {
    let targets = probed.iter().map(|probed| TargetReport::from(&**probed));
    let report = json!({"targets": targets.collect::<Vec<_>>()});
    let path = path.with_extension("json");
    fs::create_dir_all(path.parent().unwrap_or(&path))?;
    fs::write(&path, format!("{report:#}\n"))?;
    Ok(())
}

/// Every way in which the verdicts are not those that the world promises.
fn differences_from(world: &World, probed: &[Arc<Probed>]) -> Vec<String> {
    let mut all = Vec::new();
    for scenario in &world.scenarios {
        let mut targets = probed
            .iter()
            .filter(|probed| belongs(probed, scenario, world))
            .peekable();
        if targets.peek().is_none() {
            all.push(format!("no target is called {}", scenario.name()));
        }
        for probed in targets {
            let differences = differences(probed, &scenario.verdict);
            if !differences.is_empty() {
                all.push(format!(
                    "target: {}\n  story: {}\n  {}\n  seen: {} {}: {}\n  findings: {:#?}",
                    probed.target.name,
                    scenario.story,
                    differences.join("\n  "),
                    probed.verdict.outcome,
                    probed.verdict.reason,
                    probed.prose().summary(),
                    probed.verdict.findings,
                ));
            }
        }
    }
    all
}

/// Whether `scenario` is about this target: its own, or a data endpoint that the configuration makes of
/// it and that has no scenario of its own.
fn belongs(probed: &Probed, scenario: &Scenario, world: &World) -> bool {
    let name = &probed.target.name;
    let has_its_own = || world.scenarios.iter().any(|other| other.name() == name);
    name == scenario.name() || (scenario.owns(name) && !has_its_own())
}

fn differences(probed: &Probed, expected: &ExpectedVerdict) -> Vec<String> {
    let verdict = &probed.verdict;
    let mut differences = Vec::new();
    let mut compare = |what: &str, wanted: String, got: String| {
        if wanted != got {
            differences.push(format!("{what}: wanted {wanted}, got {got}"));
        }
    };
    compare(
        "outcome",
        expected.outcome.to_string(),
        verdict.outcome.to_string(),
    );
    compare(
        "reason",
        expected.reason.to_string(),
        verdict.reason.to_string(),
    );
    let found: Vec<Reason> = verdict.findings.iter().map(|it| it.reason).collect();
    if let Some(wanted) = &expected.findings {
        compare("findings", words(wanted), words(&found));
    }
    for absent in &expected.absent {
        if found.contains(absent) {
            compare("absent", format!("no {absent}"), words(&found));
        }
    }
    let report = serde_json::to_value(TargetReport::from(probed)).expect("a report");
    for (pointer, wanted) in &expected.facts {
        let got = report.pointer(pointer).unwrap_or(&Value::Null);
        let is_as_wanted = match wanted.get("contains").and_then(Value::as_str) {
            Some(part) => got.as_str().is_some_and(|text| text.contains(part)),
            None => wanted == got,
        };
        if !is_as_wanted {
            compare(pointer, wanted.to_string(), got.to_string());
        }
    }
    differences
}

fn words(reasons: &[Reason]) -> String {
    let words: Vec<&str> = reasons.iter().map(|reason| reason.as_str()).collect();
    words.join(", ")
}

fn every_reason_has_enough_files(files: &BTreeMap<String, PathBuf>) -> Result<(), Failed> {
    let worlds = files.values().map(|file| read(file));
    let worlds: Vec<World> = worlds.collect::<Result<_, _>>()?;
    let files_where = |holds: &dyn Fn(&ExpectedVerdict) -> bool| {
        let some_verdict = |world: &&World| world.scenarios.iter().any(|it| holds(&it.verdict));
        worlds.iter().filter(some_verdict).count()
    };
    let mut lacking = Vec::new();
    for reason in Reason::ALL.iter().filter(|reason| **reason != Reason::Ok) {
        let promised = files_where(&|verdict| {
            verdict.reason == *reason || verdict.findings.iter().flatten().any(|it| it == reason)
        });
        let denied = files_where(&|verdict| verdict.absent.contains(reason));
        if promised < FILES_PER_REASON || denied < FILES_PER_REASON {
            lacking.push(format!(
                "{reason}: promised by {promised}, denied by {denied}"
            ));
        }
    }
    if lacking.is_empty() {
        return Ok(());
    }
    let lacking = lacking.join("\n");
    Err(format!("fewer than {FILES_PER_REASON} scenarios or near misses:\n{lacking}").into())
}
