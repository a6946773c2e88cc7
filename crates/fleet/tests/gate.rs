//! Gate: what happens to a small fleet in some hours, in a data file, and what the gate must answer then.
//!
//! Agents, and the observer that reads them once a minute and saves what it remembers, are played minute
//! by minute. Every file below `tests/gate/` is a test case; `tests/gate/README.md` says how to write one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::Failed;
use privatelink_fleet::gate::{GateReport, WhyUnknown};
use privatelink_fleet::history::Detail;
use privatelink_fleet::query::GateQuery;
use privatelink_fleet::{
    Cell, Coverage, Fleet, FleetHistory, FleetQuery, FleetTarget, Moment, Node, PathState, Traits,
    View, WhyUncovered,
};
use privatelink_verdict::address::{Class, ClassSet};
use privatelink_verdict::duration;
use privatelink_verdict::reason::Reason;
use privatelink_verdict::target::{Expectation, Users};
use privatelink_verdict::verdict::Outcome;
use serde::Deserialize;

use self::data_files::{Files, OverAll};

mod data_files;

/// When every file begins.
const BEGINNING: Moment = Moment(1_796_000_000);

/// After how many minutes an agent asks the path that is compared, and in which minutes after that.
const COMPARED_FIRST: u64 = 3;
const COMPARED_EVERY: u64 = 3;

/// In as many files each reason not to know must be given, and as many must end well.
const FILES_PER_REASON: usize = 1;

fn main() -> ExitCode {
    let over_all = (
        "every_reason_not_to_know_is_given_by_a_file",
        every_reason_has_a_file as OverAll,
    );
    data_files::run("gate", run, over_all)
}

/// A file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Case {
    #[expect(dead_code, reason = "for readers")]
    story: String,
    #[serde(default = "usual_nodes")]
    nodes: String,
    #[serde(default = "usual_targets")]
    targets: String,
    /// How long it takes; then the gate is asked.
    #[serde(default = "usual_time")]
    lasts: Span,
    #[serde(default)]
    events: Vec<Event>,
    #[serde(default)]
    gate: Asked,
    answer: String,
    /// Every reason not to know.
    #[serde(default)]
    unknown: Vec<String>,
    #[serde(default)]
    excused: Vec<String>,
    /// Target, path and number of nodes of all that breaks.
    #[serde(default)]
    breaks: Vec<String>,
    statement: Option<String>,
    /// How many nodes that left are judged.
    departed: Option<u32>,
}

/// A duration, as in a configuration.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
struct Span(Duration);

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let read = duration::parse(&text).map(Self);
        read.map_err(|_| format!("no duration: {text}"))
    }
}

/// Something that happens.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Event {
    /// How long after the beginning.
    at: Span,
    /// How long it lasts; for good, where it is left out.
    lasts: Option<Span>,
    what: What,
    #[serde(default = "all")]
    on: String,
    #[serde(default = "all")]
    targets: String,
    #[serde(default = "all")]
    path: String,
}

impl Event {
    fn is_at(&self, now: Duration) -> bool {
        let end = self.lasts.map(|lasts| self.at.0 + lasts.0);
        now >= self.at.0 && end.is_none_or(|end| now < end)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
enum What {
    /// The names resolve publicly.
    Public,
    /// The names are not answered.
    Unanswered,
    /// The agent is away, and remembers nothing when it is back.
    AgentAway,
    /// The DaemonSet has no pod there.
    NoAgent,
    /// The observer cannot reach the agent, which runs.
    Unreached,
    /// The clock of the agent's node is an hour ahead.
    ClockWrong,
    /// The node is there. It joins then, and leaves at the end.
    There,
    /// The node is not ready, and its agent does not run.
    NotReady,
    Windows,
    /// The observer is away.
    ObserverAway,
    /// What the observer saved is gone when it is back.
    Lost,
    /// The targets are configured.
    Configured,
    /// The targets are reached by a service endpoint.
    ServiceEndpoint,
    /// The path is watched.
    Watched,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct Asked {
    window: Option<Span>,
    target: Option<String>,
    selector: Option<String>,
    allow_uncovered: bool,
    unnamed_services: u32,
    published: Vec<String>,
    sources_unknown: Vec<String>,
    nodes_not_listed: bool,
}

fn usual_nodes() -> String {
    "a-0 a-1 a-2".to_owned()
}

fn usual_targets() -> String {
    "kv st".to_owned()
}

fn usual_time() -> Span {
    Span(Duration::from_hours(30))
}

fn all() -> String {
    "*".to_owned()
}

fn read(file: &Path) -> Result<Case, Failed> {
    let case: Case = data_files::read(file)?;
    for word in case.unknown.iter().chain(&case.excused) {
        if !WhyUnknown::ALL.iter().any(|why| why.as_str() == word) {
            return Err(format!("{}: no such word: {word}", file.display()).into());
        }
    }
    Ok(case)
}

fn run(file: &Path) -> Result<(), Failed> {
    let case = read(file)?;
    let report = Play::new(&case).report();
    let mut wrong = Vec::new();
    let mut compare = |what: &str, expected: String, seen: String| {
        if expected != seen {
            wrong.push(format!("{what}: expected {expected}, seen {seen}"));
        }
    };
    compare("answer", case.answer.clone(), report.answer.to_string());
    let whys = |all: &[privatelink_fleet::gate::Unknown]| {
        let words: Vec<&str> = all.iter().map(|unknown| &*unknown.why).collect();
        words.join(" ")
    };
    compare("unknown", case.unknown.join(" "), whys(&report.unknown));
    compare("excused", case.excused.join(" "), whys(&report.excused));
    let breaks = report.breaks.iter();
    let breaks: Vec<String> = breaks
        .map(|one| format!("{} {} {}", one.target, one.path, one.nodes))
        .collect();
    compare("breaks", case.breaks.join(", "), breaks.join(", "));
    if let Some(statement) = &case.statement {
        compare(
            "statement",
            statement.trim().replace('\n', " "),
            report.statement.clone(),
        );
    }
    if let Some(departed) = case.departed {
        compare(
            "departed",
            departed.to_string(),
            report.departed.to_string(),
        );
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{}\n{}\n{}",
        file.display(),
        wrong.join("\n"),
        report.statement
    )
    .into())
}

/// The fleet while it is played.
struct Play<'a> {
    case: &'a Case,
    now: Moment,
    /// What happens now.
    active: Vec<&'a Event>,
    agents: BTreeMap<String, Agent>,
    observer: Option<Observer>,
    /// What was saved, and the mark beside it.
    saved: Option<(String, Option<Moment>)>,
}

/// The agent of a node: since when it runs, and what it remembers of each target and path.
struct Agent {
    started: Moment,
    memory: BTreeMap<(String, String), Remembered>,
    private_seen: BTreeSet<String>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Remembered {
    classes: ClassSet,
    answered_since: Option<Moment>,
    answered_last: Option<Moment>,
    last_non_private: Option<Moment>,
}

/// The observer: the fleet, what it was told last, and when it saved last.
struct Observer {
    fleet: Fleet,
    told: BTreeMap<String, View>,
    saved_at: Option<Moment>,
}

impl<'a> Play<'a> {
    fn new(case: &'a Case) -> Self {
        Self {
            case,
            now: BEGINNING,
            active: Vec::new(),
            agents: BTreeMap::new(),
            observer: None,
            saved: None,
        }
    }

    fn report(mut self) -> GateReport {
        let end = BEGINNING.after(self.case.lasts.0);
        let minute = Duration::from_mins(1);
        while self.now < end {
            self.play_minute();
            self.now = self.now.after(minute);
        }
        self.now = Moment(self.now.0 - 60);
        let asked = &self.case.gate;
        let usual = GateQuery::default();
        let window = asked.window.map(|window| window.0);
        let query = FleetQuery {
            target: asked.target.clone(),
            selector: asked
                .selector
                .as_deref()
                .unwrap_or("")
                .parse()
                .expect("a selector"),
            gate: Some(GateQuery {
                window_seconds: window.map_or(usual.window_seconds, |window| window.as_secs()),
                allow_uncovered: asked.allow_uncovered,
                unnamed_services: asked.unnamed_services,
                published: asked.published.clone(),
                sources_unknown: asked.sources_unknown.clone(),
                nodes_not_listed: asked.nodes_not_listed,
            }),
            ..FleetQuery::default()
        };
        let observer = self.observer.expect("an observer at the end");
        let mut report = observer.fleet.report(&query, self.now);
        if let Some(gate) = &mut report.asked.gate {
            // It is not written.
            gate.published.clear();
        }
        // It must survive the way through JSON.
        let text = serde_json::to_string(&report).expect("JSON");
        let back: privatelink_fleet::FleetReport = serde_json::from_str(&text).expect("a report");
        assert_eq!(back, report);
        report.gate.expect("the gate's answer")
    }

    /// Whether something is the case now.
    fn is(&self, what: What, node: &str, target: &str, path: &str) -> bool {
        self.event(what, node, target, path).is_some()
    }

    fn event(&self, what: What, node: &str, target: &str, path: &str) -> Option<&'a Event> {
        let mut active = self.active.iter().copied();
        active.find(|event| {
            event.what == what
                && takes(&event.on, node)
                && takes(&event.targets, target)
                && takes(&event.path, path)
        })
    }

    /// The nodes that there are, with the moments at which they joined.
    fn nodes(&self) -> Vec<(String, Moment)> {
        let month = Duration::from_hours(720);
        let first = self
            .case
            .nodes
            .split(' ')
            .map(|name| (name.to_owned(), BEGINNING.before(month)));
        let mut nodes: Vec<(String, Moment)> = first
            .filter(|(name, _)| {
                // A node with times of its own is there at these times only.
                let mut events = self.case.events.iter();
                !events.any(|event| event.what == What::There && event.on == *name)
            })
            .collect();
        for event in self
            .case
            .events
            .iter()
            .filter(|event| event.what == What::There)
        {
            if event.is_at(self.now.since(BEGINNING)) {
                nodes.push((event.on.clone(), BEGINNING.after(event.at.0)));
            }
        }
        nodes
    }

    fn play_minute(&mut self) {
        let now = self.now.since(BEGINNING);
        let events = self.case.events.iter();
        self.active = events.filter(|event| event.is_at(now)).collect();
        let nodes = self.nodes();
        self.agents
            .retain(|name, _| nodes.iter().any(|(node, _)| node == name));
        for (name, joined) in &nodes {
            self.play_agent(name, *joined);
        }
        if self.is(What::Lost, "", "", "") {
            self.saved = Some(("no history".to_owned(), None));
        }
        if self.is(What::ObserverAway, "", "", "") {
            self.observer = None;
            return;
        }
        let mut observer = self.observer.take().unwrap_or_else(|| self.new_observer());
        self.play_observer(&mut observer, &nodes);
        self.observer = Some(observer);
    }

    fn new_observer(&self) -> Observer {
        let history = self.saved.as_ref().map(|(text, mark)| {
            FleetHistory::restore(text, *mark, self.now).unwrap_or_else(|_| FleetHistory::lost())
        });
        Observer {
            fleet: Fleet::remembering(history.unwrap_or_default()),
            told: BTreeMap::new(),
            saved_at: None,
        }
    }

    fn play_agent(&mut self, name: &str, joined: Moment) {
        let is_new = self.now.since(joined) < Duration::from_mins(2);
        let none = [
            What::AgentAway,
            What::NoAgent,
            What::NotReady,
            What::Windows,
        ];
        if is_new || none.iter().any(|what| self.is(*what, name, "", "")) {
            self.agents.remove(name);
            return;
        }
        let mut agent = self.agents.remove(name).unwrap_or_else(|| Agent {
            started: self.now,
            memory: BTreeMap::new(),
            private_seen: BTreeSet::new(),
        });
        for target in self
            .case
            .targets
            .split(' ')
            .filter(|target| self.is_configured(target, name))
        {
            for path in ["pod", "node"]
                .into_iter()
                .filter(|path| self.is_watched(path))
            {
                // The path that is compared is asked later, and less often.
                let age = self.now.since(agent.started).as_secs() / 60;
                if path == "node" && (age < COMPARED_FIRST || !age.is_multiple_of(COMPARED_EVERY)) {
                    continue;
                }
                let is = |what| self.is(what, name, target, path);
                let is_public = is(What::Public) || is(What::ServiceEndpoint);
                let class = if is_public {
                    Class::Public
                } else {
                    Class::Private
                };
                let answered = !is(What::Unanswered);
                let memory = agent
                    .memory
                    .entry((target.to_owned(), path.to_owned()))
                    .or_default();
                memory.probe(answered.then_some(class), self.now);
                if answered && path == "pod" && class.is_private() {
                    agent.private_seen.insert(target.to_owned());
                }
            }
        }
        self.agents.insert(name.to_owned(), agent);
    }

    /// Whether the node's agent has the target: always, unless the file says from when.
    fn is_configured(&self, target: &str, node: &str) -> bool {
        let mut events = self.case.events.iter();
        let is_told =
            events.any(|event| event.what == What::Configured && takes(&event.targets, target));
        !is_told || self.is(What::Configured, node, target, "")
    }

    fn is_watched(&self, path: &str) -> bool {
        let mut events = self.case.events.iter();
        !events.any(|event| event.what == What::Watched) || self.is(What::Watched, "", "", path)
    }

    fn play_observer(&mut self, observer: &mut Observer, nodes: &[(String, Moment)]) {
        let now = self.now;
        let listed = nodes.iter().map(|(name, joined)| self.node(name, *joined));
        observer.fleet.set_nodes(listed.collect(), now);
        for (name, _) in nodes {
            let unreached = self.is(What::Unreached, name, "", "");
            let Some(agent) = self.agents.get(name).filter(|_| !unreached) else {
                observer.fleet.note_silent(name, WhyUncovered::AgentSilent);
                continue;
            };
            let is_clock_wrong = self.is(What::ClockWrong, name, "", "");
            let ahead = Duration::from_hours(u64::from(is_clock_wrong));
            observer.fleet.note_clock(name, now.after(ahead), now);
            let view = self.view(name, agent);
            if observer.told.get(name) != Some(&view) || !observer.fleet.confirm_view(name, now) {
                assert!(observer.fleet.set_view(name, view.clone(), now));
                observer.told.insert(name.clone(), view);
            }
        }
        let history = observer.fleet.history_mut();
        let is_due = observer
            .saved_at
            .is_none_or(|at| now.since(at) >= Duration::from_mins(2));
        if history.is_changed(now) {
            if is_due {
                self.saved = Some((history.save(Detail::Minutes, now), None));
                observer.saved_at = Some(now);
            }
        } else if let (Some(mark), Some((_, saved))) = (history.mark(now), &mut self.saved) {
            *saved = Some(mark);
        }
    }

    fn node(&self, name: &str, joined: Moment) -> Node {
        let why = [
            (What::Windows, WhyUncovered::Windows),
            (What::NotReady, WhyUncovered::NodeNotReady),
            (What::NoAgent, WhyUncovered::NoAgent),
        ];
        let mut why = why
            .into_iter()
            .filter(|(what, _)| self.is(*what, name, "", ""));
        Node {
            name: name.into(),
            traits: Traits {
                pool: Some("a".into()),
                ..Traits::default()
            },
            joined: Some(joined),
            coverage: why
                .next()
                .map_or(Coverage::Covered, |(_, why)| Coverage::Uncovered(why)),
        }
    }

    fn view(&self, node: &str, agent: &Agent) -> View {
        let mut cells: Vec<Cell> = Vec::new();
        for target in self.case.targets.split(' ') {
            let paths = ["pod", "node"].into_iter();
            let paths: Vec<PathState> = paths
                .filter(|path| self.is_watched(path))
                .filter_map(|path| {
                    let known = agent.memory.get(&(target.to_owned(), path.to_owned()))?;
                    Some(PathState {
                        resolver: path.into(),
                        classes: known.classes,
                        answered_since: known.answered_since,
                        last_non_private: known.last_non_private.map(|last| {
                            // What goes on is not news.
                            let goes_on = known.classes.iter().any(|class| !class.is_private());
                            if goes_on { agent.started } else { last }
                        }),
                    })
                })
                .collect();
            if paths.is_empty() || !self.is_configured(target, node) {
                continue;
            }
            let expect = if self.is(What::ServiceEndpoint, node, target, "") {
                Expectation::ServiceEndpoint
            } else if agent.private_seen.contains(target) {
                Expectation::PrivateEndpoint
            } else {
                Expectation::Public
            };
            cells.push(Cell {
                target: Arc::new(Self::target(target)),
                judged: Some((Outcome::Pass, Reason::Ok)),
                since: agent.started,
                is_confirmed: true,
                is_stale: false,
                expect,
                paths: paths.into_iter().collect(),
            });
        }
        View {
            version: "0.1.0".into(),
            agent_started: agent.started,
            config_hash: "1".into(),
            config_loaded: true,
            cells,
        }
    }

    fn target(name: &str) -> FleetTarget {
        FleetTarget {
            name: name.to_owned(),
            host: format!("{name}.vault.azure.net"),
            service: "key-vault".to_owned(),
            users: (name == "kv").then(|| Users {
                usage: None,
                workloads: 4,
                namespaces: 2,
                examples: vec!["Deployment payments/api".to_owned()],
            }),
        }
    }
}

impl Remembered {
    fn probe(&mut self, answer: Option<Class>, now: Moment) {
        let gap = privatelink_fleet::history::GAP;
        let Some(class) = answer else {
            self.classes = ClassSet::default();
            if self.answered_last.is_none_or(|last| now.since(last) > gap) {
                self.answered_since = None;
            }
            return;
        };
        self.classes = [class].into_iter().collect();
        self.answered_last = Some(now);
        self.answered_since.get_or_insert(now);
        if !class.is_private() {
            self.last_non_private = Some(now);
        }
    }
}

/// Whether one of the names takes this one. No name is taken by all.
fn takes(patterns: &str, name: &str) -> bool {
    let mut patterns = patterns.split(' ');
    name.is_empty() || patterns.any(|pattern| pattern == "*" || pattern == name)
}

fn every_reason_has_a_file(files: &Files) -> Result<(), Failed> {
    let mut given: BTreeMap<String, usize> = BTreeMap::new();
    for file in files.values() {
        let case = read(file)?;
        for why in case.unknown.into_iter().chain(case.excused) {
            *given.entry(why).or_default() += 1;
        }
    }
    // What no play can lead to: another version, another moment, more nodes than these.
    let elsewhere = [
        WhyUnknown::Virtual,
        WhyUnknown::AgentNotReady,
        WhyUnknown::AgentUnreadable,
        WhyUnknown::NotRead,
        WhyUnknown::DepartedForgotten,
        WhyUnknown::NodesLeftOff,
        WhyUnknown::PathsLeftOff,
    ];
    let missing: Vec<&str> = WhyUnknown::ALL
        .iter()
        .filter(|why| !elsewhere.contains(why))
        .map(|why| why.as_str())
        .filter(|why| {
            given
                .get(*why)
                .is_none_or(|count| *count < FILES_PER_REASON)
        })
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(missing.join("\n").into())
}
