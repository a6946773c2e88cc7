//! Scenarios: a scripted world in a data file, and the verdict that the real agent must come to.
//!
//! Every file below `tests/scenarios/` is one story. `SCENARIO=part-of-a-path cargo test --test
//! scenarios` runs only those that match.

use std::fmt::Display;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::time::Instant;

use futures_util::StreamExt;
use futures_util::stream::iter;
use privatelink_board::Probed;
use privatelink_config::plan::Plan;
use privatelink_lab::{ExpectedVerdict, Scene, World};
use privatelink_machine::Machine;
use privatelink_prober::agent::Agent;
use privatelink_report::json::TargetReport;
use privatelink_report::metrics::Histograms;
use privatelink_verdict::reason::Reason;
use serde_json::Value;

/// Worlds that are played side by side: they mostly wait.
const AT_ONCE: usize = 12;

/// Files that must promise a reason, and files that must deny it in a world one step away.
const FEWEST: usize = 3;

#[test]
fn every_scenario_gets_the_verdict_its_file_promises() {
    let wanted = std::env::var("SCENARIO").unwrap_or_default();
    let files: Vec<PathBuf> = scenario_files()
        .into_iter()
        .filter(|file| file.to_string_lossy().contains(&wanted))
        .collect();
    assert!(!files.is_empty(), "no scenario matches {wanted:?}");
    let started = Instant::now();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let (complaints, again) = runtime.expect("a runtime").block_on(async {
        let played = iter(&files).map(|file| async move { (file, play(file).await) });
        let played: Vec<_> = played.buffer_unordered(AT_ONCE).collect().await;
        let failed = played.iter().filter(|(_, wrong)| !wrong.is_empty());
        let failed: Vec<&PathBuf> = failed.map(|(file, _)| *file).collect();
        // A machine that is busy elsewhere misses deadlines; what is wrong is wrong when alone too.
        let mut complaints = Vec::new();
        for file in &failed {
            complaints.extend(play(file).await);
        }
        (complaints, failed)
    });
    let (count, time) = (files.len(), started.elapsed());
    let _ = writeln!(
        std::io::stderr(),
        "{count} scenarios played in {time:.1?}, {} of them twice: {again:?}",
        again.len()
    );
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn every_reason_has_three_scenarios_and_three_near_misses() {
    let worlds: Vec<World> = scenario_files()
        .iter()
        .map(|file| read(file).unwrap_or_else(|wrong| panic!("{wrong}")))
        .collect();
    let files_where = |holds: &dyn Fn(&ExpectedVerdict) -> bool| {
        let told = |world: &&World| world.scenes.iter().any(|scene| holds(&scene.verdict));
        worlds.iter().filter(told).count()
    };
    let mut table = format!("{} scenario files\n", worlds.len());
    let mut lacking = Vec::new();
    for reason in Reason::ALL.iter().filter(|reason| **reason != Reason::Ok) {
        let is_it = |word: &String| word == reason.as_str();
        let promised = files_where(&|verdict| {
            is_it(&verdict.reason) || verdict.findings.iter().flatten().any(is_it)
        });
        let denied = files_where(&|verdict| verdict.absent.iter().any(is_it));
        table += &format!("{reason:<30} promised by {promised:>3}, denied by {denied:>3}\n");
        if promised < FEWEST || denied < FEWEST {
            lacking.push(reason.as_str());
        }
    }
    let _ = write!(std::io::stderr(), "{table}");
    assert!(
        lacking.is_empty(),
        "fewer than {FEWEST} scenarios or near misses: {lacking:?}\n{table}"
    );
}

#[test]
fn every_word_for_a_reason_is_one() {
    for file in scenario_files() {
        let world = read(&file).unwrap_or_else(|wrong| panic!("{wrong}"));
        for verdict in world.scenes.iter().map(|scene| &scene.verdict) {
            let findings = verdict.findings.iter().flatten();
            for word in findings.chain(&verdict.absent).chain([&verdict.reason]) {
                let known = Reason::ALL.iter().any(|reason| reason.as_str() == word);
                // A slip in `absent` would hold for ever.
                assert!(known, "{}: there is no reason `{word}`", file.display());
            }
        }
    }
}

fn scenario_files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut directories = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).expect("a directory of scenarios") {
            let path = entry.expect("a directory entry").path();
            if path.is_dir() {
                directories.push(path);
            } else if path
                .extension()
                .is_some_and(|extension| extension == "yaml")
            {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

fn read(file: &Path) -> Result<World, String> {
    let text = fs::read_to_string(file).map_err(|error| said(file, error))?;
    World::parse(&text).map_err(|error| said(file, error))
}

fn said(file: &Path, error: impl Display) -> String {
    format!("{}: {error}", file.display())
}

/// Plays one file; returns what is not as it promises, or why it cannot be played.
async fn play(file: &Path) -> Vec<String> {
    played(file).await.unwrap_or_else(|wrong| vec![wrong])
}

async fn played(file: &Path) -> Result<Vec<String>, String> {
    let world = read(file)?;
    let running = world.start().await.map_err(|error| said(file, error))?;
    let name = file.display().to_string();
    let plan = privatelink_config::load_text(&name, &world.configuration(&running))
        .map_err(|error| said(file, error))?;
    let probed = probe(running.machine.clone(), &plan, world.rounds).await;
    running.stop().await;

    let mut complaints = Vec::new();
    for scene in &world.scenes {
        let mine = probed
            .iter()
            .filter(|probed| belongs(probed, scene, &world))
            .collect::<Vec<_>>();
        if mine.is_empty() {
            complaints.push(format!("{name}: no target called {}", scene.name()));
        }
        for probed in mine {
            let differences = differences(probed, scene);
            if !differences.is_empty() {
                complaints.push(format!(
                    "{name}: {}\n  story: {}\n  {}\n  seen: {:?} {} {}\n  findings: {:#?}",
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
    Ok(complaints)
}

/// Lets the agent probe every target of `plan` so many times; what came of the last time.
async fn probe(machine: Machine, plan: &Plan, rounds: u32) -> Vec<Arc<Probed>> {
    let node = "scenario".to_owned();
    let mut agent = Agent::new(machine, node, plan, Histograms::Off).expect("metrics");
    for _ in 0..rounds {
        agent.round(|_| {}).await;
    }
    agent.latest()
}

/// A scene's own target, and the data endpoints that the configuration makes of it, unless they have
/// a scene of their own.
fn belongs(probed: &Probed, scene: &Scene, world: &World) -> bool {
    let name = &probed.target.name;
    let has_its_own = || world.scenes.iter().any(|scene| scene.name() == name);
    name == scene.name() || (scene.begets(name) && !has_its_own())
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
