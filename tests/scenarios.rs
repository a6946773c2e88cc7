//! Scenarios: a scripted world in a data file, and the verdict that the agent must come to.
//!
//! Every file below `tests/scenarios/` is a test case, named by its path: `cargo test --test scenarios
//! key-vault/` runs those of one folder, `-- --list` names all. With `SCENARIO_REPORTS=DIR` each case
//! also writes the report of `check -o json` to `DIR/<name>.json`.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use privatelink_board::Probed;
use privatelink_config::plan::Plan;
use privatelink_lab::{ExpectedVerdict, RunningWorld, Scene, World};
use privatelink_machine::Machine;
use privatelink_prober::agent::Agent;
use privatelink_report::json::TargetReport;
use privatelink_report::metrics::Histograms;
use privatelink_verdict::reason::Reason;
use serde_json::{Value, json};

/// Cases that run side by side unless `--test-threads` says otherwise: they mostly wait.
const AT_ONCE: usize = 12;

/// Files that must promise a reason, and files that must deny it in a world one step away.
const FEWEST: usize = 3;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(AT_ONCE);
    let files = scenario_files();
    let mut cases: Vec<Trial> = files
        .iter()
        .map(|(name, file)| {
            let (name, file) = (name.clone(), file.clone());
            Trial::test(name.clone(), move || run(&name, &file))
        })
        .collect();
    let all = files.clone();
    cases.push(Trial::test(
        "every_reason_has_three_scenarios_and_three_near_misses",
        move || enough_scenarios(&all),
    ));
    cases.push(Trial::test("every_word_for_a_reason_is_one", move || {
        known_reasons(&files)
    }));
    libtest_mimic::run(&arguments, cases).exit_code()
}

/// Every file, by its name.
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
    let plan = privatelink_config::load_text("the world", &world.configuration(&running))?;
    let probed = rounds(running.machine.clone(), &plan, world.rounds).await?;
    running.stop().await;
    Ok(probed)
}

async fn rounds(machine: Machine, plan: &Plan, count: u32) -> Result<Vec<Arc<Probed>>, Failed> {
    let mut agent = Agent::new(machine, "scenario".to_owned(), plan, Histograms::Off)?;
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
    let mut told = Vec::new();
    for scene in &world.scenes {
        let mut mine = probed
            .iter()
            .filter(|probed| belongs(probed, scene, world))
            .peekable();
        if mine.peek().is_none() {
            told.push(format!("no target called {}", scene.name()));
        }
        for probed in mine {
            let differences = differences(probed, scene);
            if !differences.is_empty() {
                told.push(format!(
                    "target: {}\n  story: {}\n  {}\n  seen: {} {}: {}\n  findings: {:#?}",
                    probed.target.name,
                    scene.story,
                    differences.join("\n  "),
                    probed.verdict.outcome,
                    probed.verdict.reason,
                    probed.prose().summary(),
                    probed.verdict.findings,
                ));
            }
        }
    }
    told
}

/// A scene's own target, and the data endpoints that the configuration makes of it, unless they have
/// a scene of their own.
fn belongs(probed: &Probed, scene: &Scene, world: &World) -> bool {
    let name = &probed.target.name;
    let has_its_own = || world.scenes.iter().any(|scene| scene.name() == name);
    name == scene.name() || (scene.owns(name) && !has_its_own())
}

fn differences(probed: &Probed, scene: &Scene) -> Vec<String> {
    let (verdict, expected) = (&probed.verdict, &scene.verdict);
    let mut differences = Vec::new();
    let mut hold = |what: &str, wanted: String, got: String| {
        if wanted != got {
            differences.push(format!("{what}: wanted {wanted}, got {got}"));
        }
    };
    hold(
        "outcome",
        expected.outcome.as_str().to_owned(),
        verdict.outcome.to_string(),
    );
    hold(
        "reason",
        expected.reason.clone(),
        verdict.reason.to_string(),
    );
    let found: Vec<String> = verdict
        .findings
        .iter()
        .map(|f| f.reason.to_string())
        .collect();
    if let Some(wanted) = &expected.findings {
        hold("findings", wanted.join(", "), found.join(", "));
    }
    for absent in &expected.absent {
        if found.contains(absent) {
            hold("absent", format!("no {absent}"), found.join(", "));
        }
    }
    let report = serde_json::to_value(TargetReport::from(probed)).expect("a report");
    for (pointer, wanted) in &expected.facts {
        let got = report.pointer(pointer).unwrap_or(&Value::Null);
        let held = match wanted.get("contains").and_then(Value::as_str) {
            Some(part) => got.as_str().is_some_and(|text| text.contains(part)),
            None => wanted == got,
        };
        if !held {
            hold(pointer, wanted.to_string(), got.to_string());
        }
    }
    differences
}

fn enough_scenarios(files: &BTreeMap<String, PathBuf>) -> Result<(), Failed> {
    let worlds: Vec<World> = files
        .values()
        .map(|file| read(file))
        .collect::<Result<_, _>>()?;
    let files_where = |holds: &dyn Fn(&ExpectedVerdict) -> bool| {
        let told = |world: &&World| world.scenes.iter().any(|scene| holds(&scene.verdict));
        worlds.iter().filter(told).count()
    };
    let mut lacking = Vec::new();
    for reason in Reason::ALL.iter().filter(|reason| **reason != Reason::Ok) {
        let is_it = |word: &String| word == reason.as_str();
        let promised = files_where(&|verdict| {
            is_it(&verdict.reason) || verdict.findings.iter().flatten().any(is_it)
        });
        let denied = files_where(&|verdict| verdict.absent.iter().any(is_it));
        if promised < FEWEST || denied < FEWEST {
            lacking.push(format!(
                "{reason}: promised by {promised}, denied by {denied}"
            ));
        }
    }
    if lacking.is_empty() {
        return Ok(());
    }
    let lacking = lacking.join("\n");
    Err(format!("fewer than {FEWEST} scenarios or near misses:\n{lacking}").into())
}

/// A misspelt reason in `absent` would hold for ever.
fn known_reasons(files: &BTreeMap<String, PathBuf>) -> Result<(), Failed> {
    for (name, file) in files {
        let world = read(file)?;
        for verdict in world.scenes.iter().map(|scene| &scene.verdict) {
            let findings = verdict.findings.iter().flatten();
            for word in findings.chain(&verdict.absent).chain([&verdict.reason]) {
                if !Reason::ALL.iter().any(|reason| reason.as_str() == word) {
                    return Err(format!("{name}: there is no reason `{word}`").into());
                }
            }
        }
    }
    Ok(())
}
