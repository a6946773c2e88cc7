//! Patterns: a small fleet in a data file, and the patterns that it must and must not give.
//!
//! Every file below `tests/patterns/` is a test case. `tests/patterns/README.md` says how to write one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::Failed;
use privatelink_fleet::cause::Cause;
use privatelink_fleet::report::PatternReport;
use privatelink_fleet::scope::Scope;
use privatelink_fleet::{
    Cell, Coverage, Fleet, FleetQuery, FleetReport, FleetTarget, Moment, Node, PathState, Traits,
    View, WhyUncovered,
};
use privatelink_verdict::address::{Class, ClassSet};
use privatelink_verdict::duration;
use privatelink_verdict::reason::{Reason, Severity, Stage};
use privatelink_verdict::target::{Expectation, Users};
use privatelink_verdict::verdict::Outcome;
use serde::Deserialize;

use self::data_files::{Files, OverAll};

mod data_files;

/// When every file is looked at.
const NOW: Moment = Moment(1_796_000_000);

/// In as many files every cause must be promised, and in as many denied.
const FILES_PER_CAUSE: usize = 2;

fn main() -> ExitCode {
    let over_all = (
        "every_cause_is_promised_twice_and_denied_twice",
        every_cause_has_enough_files as OverAll,
    );
    data_files::run("patterns", run, over_all)
}

/// A file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Case {
    #[expect(dead_code, reason = "for readers")]
    story: String,
    /// Node pools by name; their nodes are `a-0`, `a-1` and so on.
    pools: BTreeMap<String, Pool>,
    /// What single nodes have of their own.
    #[serde(default)]
    nodes: BTreeMap<String, OneNode>,
    #[serde(default = "usual_targets")]
    targets: Vec<OneTarget>,
    /// What is wrong; a later entry replaces an earlier one.
    #[serde(default)]
    ill: Vec<Ill>,
    /// Every pattern that must be there, in order.
    patterns: Vec<Expected>,
    /// What patterns say nothing of.
    notes: Option<Vec<String>>,
    #[serde(default)]
    absent: Absent,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Pool {
    nodes: usize,
    /// One after another.
    #[serde(default)]
    zones: Vec<String>,
    #[serde(default = "usual_subnet")]
    subnet: String,
    #[serde(default = "usual_image")]
    image: String,
    #[serde(default = "usual_age")]
    age: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct OneNode {
    zone: Option<String>,
    subnet: Option<String>,
    image: Option<String>,
    age: Option<String>,
    /// How long ago its agent answered.
    heard: Option<String>,
    /// Why it has no agent.
    uncovered: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct OneTarget {
    name: String,
    /// The nodes that have it.
    #[serde(default = "everywhere")]
    only: String,
    #[serde(default)]
    workloads: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Ill {
    #[serde(default = "everywhere")]
    on: String,
    #[serde(default = "everywhere")]
    targets: String,
    reason: String,
    /// The path that is ill: `pod` or `node`; both where it is left out.
    path: Option<String>,
    outcome: Option<String>,
    #[serde(default = "usual_trouble")]
    since: String,
    /// Whether the latest probe is too old.
    #[serde(default)]
    stale: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Expected {
    scope: String,
    #[serde(default)]
    values: Vec<String>,
    cause: String,
    path: Option<String>,
    symptom: Option<String>,
    nodes: Option<u32>,
    place: Option<String>,
    #[serde(default)]
    also: Option<Vec<String>>,
    targets: Option<String>,
    confidence: Option<String>,
    doubt: Option<String>,
    zones: Option<String>,
    same_zone: Option<String>,
    headline: Option<String>,
    hurts: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct Absent {
    causes: Vec<String>,
    scopes: Vec<String>,
}

fn usual_targets() -> Vec<OneTarget> {
    let names = ["kv-1", "kv-2", "acr-1", "st-1", "sql-1", "public-1"];
    names.map(OneTarget::named).into()
}

impl OneTarget {
    fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            only: everywhere(),
            workloads: 0,
        }
    }
}

fn usual_subnet() -> String {
    "snet".to_owned()
}

fn usual_image() -> String {
    "2026.10".to_owned()
}

fn usual_age() -> String {
    "720h".to_owned()
}

fn usual_trouble() -> String {
    "20m".to_owned()
}

fn everywhere() -> String {
    "*".to_owned()
}

fn read(file: &Path) -> Result<Case, Failed> {
    let case: Case = data_files::read(file)?;
    let causes = case.patterns.iter().map(|pattern| &pattern.cause);
    for word in causes.chain(&case.absent.causes) {
        known(word, Cause::ALL.iter().map(|cause| cause.as_str()))?;
    }
    let scopes = case.patterns.iter().map(|pattern| &pattern.scope);
    for word in scopes.chain(&case.absent.scopes) {
        known(word, Scope::ALL.iter().map(|scope| scope.as_str()))?;
    }
    Ok(case)
}

fn known(word: &str, mut words: impl Iterator<Item = &'static str>) -> Result<(), Failed> {
    if words.any(|known| known == word) {
        return Ok(());
    }
    Err(format!("no such word: {word}").into())
}

fn run(file: &Path) -> Result<(), Failed> {
    let case = read(file)?;
    let report = case.report();
    let mut wrong = Vec::new();
    for (index, expected) in case.patterns.iter().enumerate() {
        match report.patterns.get(index) {
            Some(seen) => wrong.extend(expected.differences(seen)),
            None => wrong.push(format!("missing: {expected:?}")),
        }
    }
    for seen in report.patterns.iter().skip(case.patterns.len()) {
        wrong.push(format!("one too many: {}", seen.headline));
    }
    for seen in &report.patterns {
        if case.absent.causes.contains(&seen.cause) || case.absent.scopes.contains(&seen.scope) {
            wrong.push(format!("must be absent: {} {}", seen.scope, seen.cause));
        }
    }
    if let Some(notes) = case.notes.as_ref().filter(|notes| **notes != report.notes) {
        wrong.push(format!(
            "notes: expected {notes:?}, seen {:?}",
            report.notes
        ));
    }
    if wrong.is_empty() {
        return Ok(());
    }
    let seen: Vec<String> = report.patterns.iter().map(shown).collect();
    let (wrong, seen) = (wrong.join("\n"), seen.join("\n"));
    Err(format!("{}\n{wrong}\nseen:\n{seen}", file.display()).into())
}

fn shown(seen: &PatternReport) -> String {
    let PatternReport {
        headline,
        scope,
        values,
        path,
        symptom,
        cause,
        confidence,
        doubt,
        also,
        ..
    } = seen;
    format!(
        "  {headline}\n    scope {scope} {values:?}, path {path}, symptom {symptom}, cause {cause}, \
         confidence {confidence} ({doubt}), nodes {}, also {also:?}, targets {:?}, hurts {:?}",
        seen.nodes, seen.targets, seen.hurts
    )
}

impl Expected {
    fn differences(&self, seen: &PatternReport) -> Vec<String> {
        let mut all = Vec::new();
        let mut compare =
            |what: &str, expected: &dyn std::fmt::Debug, seen: &dyn std::fmt::Debug| {
                let (expected, seen) = (format!("{expected:?}"), format!("{seen:?}"));
                if expected != seen {
                    all.push(format!("{what}: expected {expected}, seen {seen}"));
                }
            };
        compare("scope", &self.scope, &seen.scope);
        compare("values", &self.values, &seen.values);
        compare("cause", &self.cause, &seen.cause);
        let mut optional = |what: &str, expected: &Option<String>, seen: &str| {
            if let Some(expected) = expected {
                compare(what, expected, &seen);
            }
        };
        optional("path", &self.path, &seen.path);
        optional("symptom", &self.symptom, &seen.symptom);
        optional("place", &self.place, &seen.place);
        optional("targets", &self.targets, &seen.targets.join(" "));
        optional("confidence", &self.confidence, &seen.confidence);
        optional("doubt", &self.doubt, &seen.doubt);
        optional("zones", &self.zones, &seen.zones.join(" "));
        optional("same zone", &self.same_zone, &seen.same_zone.join(" "));
        optional("headline", &self.headline, &seen.headline);
        if let Some(nodes) = self.nodes {
            compare("nodes", &nodes, &seen.nodes);
        }
        if let Some(also) = &self.also {
            compare("also", also, &seen.also);
        }
        if let Some(hurts) = &self.hurts {
            let texts: Vec<&String> = seen.hurts.iter().map(|users| &users.text).collect();
            compare("hurts", hurts, &texts);
        }
        all
    }
}

impl Case {
    fn report(&self) -> FleetReport {
        let mut fleet = Fleet::default();
        let nodes: Vec<Node> = self
            .pools
            .iter()
            .flat_map(|(name, pool)| self.nodes_of(name, pool))
            .collect();
        fleet.set_nodes(nodes.clone(), NOW);
        let targets = self.targets.iter();
        let targets: Vec<(Arc<FleetTarget>, &OneTarget)> =
            targets.map(|one| (Arc::new(target(one)), one)).collect();
        for node in &nodes {
            let own = self.nodes.get(&*node.name);
            if own.is_some_and(|own| own.uncovered.is_some()) {
                continue;
            }
            let cells = targets
                .iter()
                .filter(|(_, one)| takes(&one.only, &node.name));
            let cells = cells
                .map(|(target, _)| self.cell(&node.name, target))
                .collect();
            let heard = own.and_then(|own| own.heard.as_deref()).map_or(NOW, ago);
            assert!(fleet.set_view(&node.name, view(cells), heard));
        }
        fleet.report(&FleetQuery::default(), NOW)
    }

    fn nodes_of(&self, name: &str, pool: &Pool) -> Vec<Node> {
        let usual = OneNode::default();
        let nodes = (0..pool.nodes).map(|index| {
            let node = format!("{name}-{index}");
            let own = self.nodes.get(&node).unwrap_or(&usual);
            let zone = pool.zones.get(index % pool.zones.len().max(1)).cloned();
            let some = |own: &Option<String>, of_pool: &str| -> Option<Arc<str>> {
                Some(own.as_deref().unwrap_or(of_pool).into())
            };
            Node {
                traits: Traits {
                    pool: Some(name.into()),
                    zone: own.zone.clone().or(zone).map(Arc::from),
                    region: Some("westeurope".into()),
                    instance_type: None,
                    subnet: some(&own.subnet, &pool.subnet),
                    image: some(&own.image, &pool.image),
                },
                joined: Some(ago(own.age.as_ref().unwrap_or(&pool.age))),
                coverage: own.uncovered.as_deref().map_or(Coverage::Covered, |why| {
                    let mut all = WhyUncovered::ALL.iter();
                    Coverage::Uncovered(*all.find(|known| known.as_str() == why).expect("a why"))
                }),
                name: node.into(),
            }
        });
        nodes.collect()
    }

    fn cell(&self, node: &str, target: &Arc<FleetTarget>) -> Cell {
        let is_public = target.name.starts_with("public");
        let well = if is_public {
            Class::Public
        } else {
            Class::Private
        };
        let judged_by = if target.name.starts_with("acr") {
            "node"
        } else {
            "pod"
        };
        let compared = if judged_by == "pod" { "node" } else { "pod" };
        let mut cell = Cell {
            target: target.clone(),
            judged: Some((Outcome::Pass, Reason::Ok)),
            since: ago("24h"),
            is_confirmed: true,
            is_stale: false,
            expect: if is_public {
                Expectation::Public
            } else {
                Expectation::PrivateEndpoint
            },
            paths: [judged_by, compared]
                .map(|resolver| path(resolver, well))
                .into_iter()
                .collect(),
        };
        let ills = self.ill.iter();
        for ill in ills.filter(|ill| takes(&ill.on, node) && takes(&ill.targets, &target.name)) {
            ill.make(&mut cell);
        }
        cell
    }
}

impl Ill {
    fn make(&self, cell: &mut Cell) {
        let mut reasons = Reason::ALL.iter().copied();
        let reason = reasons.find(|reason| reason.as_str() == self.reason);
        let reason = reason.unwrap_or_else(|| panic!("no reason: {}", self.reason));
        let is_on = |path: &PathState| self.path.as_deref().is_none_or(|on| on == &*path.resolver);
        let mut paths: Vec<PathState> = cell.paths.iter().map(PathState::from).collect();
        let is_judged = is_on(&paths[0]);
        for path in paths.iter_mut().filter(|path| is_on(path)) {
            match (reason.stage(), reason) {
                (Stage::Dns, _) => path.classes = ClassSet::default(),
                (_, Reason::UnexpectedPrivateAddress) => {}
                (Stage::Address, _) => path.classes = [Class::Public].into_iter().collect(),
                _ => {}
            }
        }
        cell.paths = paths.into_iter().collect();
        let (outcome, reason) = match (is_judged, reason.stage()) {
            (true, _) if reason.severity() == Severity::Warn => (Outcome::Warn, reason),
            (true, _) => (Outcome::Fail, reason),
            // The other path is compared: another class is a warning, no answer is worth knowing.
            (false, Stage::Address) => (Outcome::Warn, Reason::ResolverDisagreement),
            (false, _) => return,
        };
        let mut outcomes = Outcome::ALL.iter().copied();
        let written = self.outcome.as_deref();
        let outcome = written.map_or(outcome, |written| {
            outcomes
                .find(|known| known.as_str() == written)
                .expect("an outcome")
        });
        cell.judged = Some((outcome, reason));
        cell.since = ago(&self.since);
        cell.is_stale = self.stale;
    }
}

fn path(resolver: &str, class: Class) -> PathState {
    PathState {
        resolver: resolver.into(),
        classes: [class].into_iter().collect(),
        answered_since: Some(ago("24h")),
        last_non_private: None,
    }
}

fn view(cells: Vec<Cell>) -> View {
    View {
        version: "0.1.0".into(),
        agent_started: ago("24h"),
        config_hash: "1".into(),
        config_loaded: true,
        cells,
    }
}

/// What the names of targets mean: `kv-1` is a vault, and so on.
fn target(one: &OneTarget) -> FleetTarget {
    let name = &one.name;
    let (kind, _) = name.split_once('-').expect("a kind and a number");
    let (suffix, service) = match kind {
        "kv" => ("vault.azure.net", "key-vault"),
        "acr" => ("azurecr.io", "container-registry"),
        "st" => ("blob.core.windows.net", "storage-blob"),
        "sql" => ("database.windows.net", "sql-database"),
        "api" => ("privatelink.westeurope.azmk8s.io", "kubernetes-api"),
        "public" => ("example.com", "custom"),
        _ => ("internal.example.com", "custom"),
    };
    let users = (one.workloads > 0).then(|| Users {
        usage: (kind == "acr").then_some(privatelink_verdict::catalogue::Usage::Registries),
        workloads: one.workloads,
        namespaces: 1,
        examples: vec![format!("Deployment {name}/app")],
    });
    FleetTarget {
        name: name.clone(),
        host: format!("{name}.{suffix}"),
        service: service.to_owned(),
        users,
    }
}

/// Whether one of the patterns, such as `a-*`, takes the name.
fn takes(patterns: &str, name: &str) -> bool {
    patterns
        .split(' ')
        .any(|pattern| match pattern.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => pattern == name,
        })
}

fn ago(text: &str) -> Moment {
    let duration: Duration =
        duration::parse(text).unwrap_or_else(|_| panic!("no duration: {text}"));
    NOW.before(duration)
}

fn every_cause_has_enough_files(files: &Files) -> Result<(), Failed> {
    let mut promised: BTreeMap<String, usize> = BTreeMap::new();
    let mut denied: BTreeMap<String, usize> = BTreeMap::new();
    for file in files.values() {
        let case = read(file)?;
        let causes: BTreeSet<String> = case.patterns.into_iter().map(|p| p.cause).collect();
        for cause in causes {
            *promised.entry(cause).or_default() += 1;
        }
        let causes: BTreeSet<String> = case.absent.causes.into_iter().collect();
        for cause in causes {
            *denied.entry(cause).or_default() += 1;
        }
    }
    let mut missing = Vec::new();
    for cause in Cause::ALL {
        let count = |of: &BTreeMap<String, usize>| of.get(cause.as_str()).copied().unwrap_or(0);
        let (promised, denied) = (count(&promised), count(&denied));
        if promised < FILES_PER_CAUSE || denied < FILES_PER_CAUSE {
            missing.push(format!("{cause}: promised {promised}, denied {denied}"));
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(missing.join("\n").into())
}
