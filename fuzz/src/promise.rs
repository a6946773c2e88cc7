//! Promise: what holds of everything that is said of a target, whatever its peers sent: the verdict is one of
//! the closed set, no text has a character that acts on a terminal, pages are well-formed, metrics can be read.

use std::cell::RefCell;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, LazyLock};
use std::time::SystemTime;

use privatelink_board::{Board, Probed, SharedBoard};
use privatelink_config::plan::Plan;
use privatelink_report::json::{Report, TargetReport};
use privatelink_report::metrics::{Exposition, Histograms, Metrics};
use privatelink_report::page::{self, View};
use privatelink_report::pieces::Pieces as _;
use privatelink_report::tree;
use privatelink_verdict::history::History;
use privatelink_verdict::judge::judge;
use privatelink_verdict::observation::Observation;
use privatelink_verdict::reason::{Reason, Severity};
use privatelink_verdict::sanitize::acts;
use privatelink_verdict::surroundings::Surroundings;
use privatelink_verdict::target::Target;
use privatelink_verdict::verdict::{Outcome, Verdict};
use serde_json::Value;

/// Elements of HTML that have no end (HTML Living Standard, section 13.1.2).
const VOID: [&str; 13] = [
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track",
    "wbr",
];

/// A plan without targets.
static PLAN: LazyLock<Plan> = LazyLock::new(|| {
    let plan = privatelink_config::load_text("plan", "targets: [{host: kv.vault.azure.net}]");
    Plan {
        targets: Vec::new(),
        ..plan.expect("a plan")
    }
});

/// Judges what was observed of `target`, one after another, and tells everybody.
pub fn holds(target: &Target, observations: Vec<Observation>) {
    let target = Arc::new(target.clone());
    let plan = Plan {
        targets: vec![Arc::clone(&target)],
        ..PLAN.clone()
    };
    let mut board = Board::new("node".to_owned(), &plan, SystemTime::now());
    let mut history = History::default();
    let mut has_news = false;
    for observation in observations {
        let surroundings = Surroundings::default();
        let verdict = judge(&target, &observation, &history, &surroundings);
        verdict_holds(&verdict);
        history.record(&observation);
        let probed = Arc::new(Probed {
            target: Arc::clone(&target),
            observation,
            verdict,
        });
        let report = told_to_programs(&probed);
        if is_new(&report) {
            told_on_a_terminal(&probed);
            has_news = true;
        }
        let entry = board.entry_mut(&target.name).expect("the target");
        entry.record(&probed);
    }
    // What was told before in all its details, pages and metrics tell alike. Most inputs are refused in the same
    // words.
    if !has_news {
        return;
    }
    let entry = board.entry(&target.name).expect("the target");
    let report = Report::of_entry(&board, entry);
    no_text_acts(&serde_json::to_value(report).expect("JSON"));
    let board = SharedBoard::new(board);
    let view = View {
        open: target.name.clone(),
        ..View::default()
    };
    let page = page::in_pieces(board.clone(), view, SystemTime::now());
    html_is_well_formed(&text(page.whole().expect("a page")));
    let metrics = Metrics::new(board, Histograms::Off).scrape(Exposition::OpenMetrics);
    metrics_can_be_read(&text(metrics.whole().expect("metrics")));
}

fn verdict_holds(verdict: &Verdict) {
    assert_eq!(
        verdict.outcome == Outcome::Pass,
        verdict.reason == Reason::Ok
    );
    let worst = verdict.findings.first().map(|finding| finding.severity);
    let expected = match worst {
        Some(Severity::Fail) => Outcome::Fail,
        Some(Severity::Warn) => Outcome::Warn,
        _ => Outcome::Pass,
    };
    assert_eq!(verdict.outcome, expected);
    let order = verdict.findings.iter();
    let order = order.map(|finding| (std::cmp::Reverse(finding.severity), finding.reason));
    assert!(order.clone().is_sorted(), "{:?}", verdict.findings);
    let reasons: HashSet<_> = order.map(|(_, reason)| reason).collect();
    assert_eq!(reasons.len(), verdict.findings.len(), "each reason once");
}

fn told_to_programs(probed: &Probed) -> Value {
    let report = serde_json::to_value(TargetReport::from(probed)).expect("JSON");
    let reason = report["reason"].as_str().expect("a reason");
    assert!(Reason::ALL.iter().any(|known| known.as_str() == reason));
    no_text_acts(&report);
    report
}

/// Whether a report differs from all before, but for when the probe was and how long it took.
fn is_new(report: &Value) -> bool {
    thread_local! {
        static KNOWN: RefCell<HashSet<u64>> = RefCell::default();
    }
    let mut hasher = DefaultHasher::new();
    hash(report, &mut hasher);
    KNOWN.with_borrow_mut(|known| {
        if known.len() == 1 << 20 {
            known.clear();
        }
        known.insert(hasher.finish())
    })
}

fn hash(value: &Value, hasher: &mut DefaultHasher) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                if key != "checkedAt" && !key.to_lowercase().ends_with("seconds") {
                    key.hash(hasher);
                    hash(value, hasher);
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|value| hash(value, hasher)),
        Value::String(text) => text.hash(hasher),
        Value::Number(number) => number.hash(hasher),
        Value::Bool(_) | Value::Null => value.as_bool().hash(hasher),
    }
}

fn told_on_a_terminal(probed: &Probed) {
    let mut shown = Vec::new();
    tree::tree(&mut shown, [probed], Some(100)).expect("written");
    tree::short(&mut shown, [probed]).expect("written");
    let shown = text(shown);
    for line in anstream::adapter::strip_str(&shown).to_string().lines() {
        does_not_act(line);
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("UTF-8")
}

/// No character of `line` does something instead of being seen.
pub fn does_not_act(line: &str) {
    // Nearly every line is ASCII, of which the controls are all that acts.
    let is_plain = line.bytes().all(|byte| (b' '..0x7f).contains(&byte));
    assert!(is_plain || !line.chars().any(acts), "{line:?}");
}

/// The same for every text of `value`, of which none is longer than a sentence may be.
pub fn no_text_acts(value: &Value) {
    match value {
        Value::String(text) => does_not_act(text),
        Value::Array(list) => list.iter().for_each(no_text_acts),
        Value::Object(fields) => fields.iter().for_each(|(key, value)| {
            does_not_act(key);
            no_text_acts(value);
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Every element ends where it should, every value of an attribute is quoted, and no text has a bare `<`.
pub fn html_is_well_formed(page: &str) {
    // The head is the same for all pages but for the title, and is most of a page.
    let (head, body) = page.split_once("</head>").expect("a head");
    let (_, title) = head.split_once("<title>").expect("a title");
    let (title, _) = title.split_once("</title>").expect("the end of the title");
    does_not_act(title);
    assert!(!title.contains('<'), "{title}");
    // So is the script.
    let (body, _) = body.split_once("<script>").unwrap_or((body, ""));
    body.lines().for_each(does_not_act);
    let mut open = vec!["html"];
    let mut rest = body;
    while let Some((before, after)) = rest.split_once('<') {
        assert!(!before.contains('>'), "a bare > in {before:?}");
        if let Some(after) = after.strip_prefix('/') {
            let (name, next) = after.split_once('>').expect("an end of the end");
            assert_eq!(open.pop(), Some(name), "after {before:?}");
            rest = next;
            continue;
        }
        let length = after.find(|c: char| c.is_whitespace() || c == '>' || c == '/');
        let (name, mut tag) = after.split_at(length.expect("an end of the tag"));
        let is_declaration = name == "!DOCTYPE";
        let named = |c: char| c.is_ascii_alphanumeric() || c == '-';
        assert!(
            is_declaration || !name.is_empty() && name.chars().all(named),
            "<{name:?}"
        );
        loop {
            tag = tag.trim_start();
            if let Some(next) = tag.strip_prefix('>') {
                rest = next;
                break;
            }
            let length = tag.find(|c: char| c.is_whitespace() || c == '=' || c == '>');
            let (attribute, after) = tag.split_at(length.expect("an end of the attribute"));
            let is_name = !attribute.is_empty() && !attribute.contains(['"', '\'', '<', '/']);
            assert!(is_name, "{attribute:?} of <{name}");
            tag = match after.strip_prefix("=\"") {
                Some(value) => {
                    let (value, next) = value.split_once('"').expect("an end of the value");
                    assert!(!value.contains('<'), "{value:?}");
                    assert!(next.starts_with([' ', '>']), "after {attribute}={value:?}");
                    next
                }
                None => after,
            };
            assert!(
                !tag.starts_with('='),
                "{attribute} has a value that is not quoted"
            );
        }
        if !is_declaration && !VOID.contains(&name) {
            open.push(name);
        }
    }
    // The script, and what encloses it, comes last; a page that is a file has none.
    assert!(
        matches!(open[..], [] | ["html", "body"]),
        "{open:?} do not end"
    );
}

/// Every line is a comment or a sample, and no series is there twice.
fn metrics_can_be_read(metrics: &str) {
    let mut series = HashSet::new();
    for line in metrics.lines() {
        does_not_act(line);
        if line.starts_with("# ") {
            continue;
        }
        let (name_and_labels, value) = line.rsplit_once(' ').expect("a value");
        let number = value.parse::<f64>();
        assert!(
            number.is_ok() || matches!(value, "+Inf" | "-Inf" | "NaN"),
            "{line}"
        );
        let (name, labels) = name_and_labels
            .split_once('{')
            .unwrap_or((name_and_labels, "}"));
        let named = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
        assert!(!name.is_empty() && name.chars().all(named), "{line}");
        labels_can_be_read(labels);
        assert!(series.insert(name_and_labels), "{line} is there twice");
    }
}

/// `name="value",…}`.
fn labels_can_be_read(mut labels: &str) {
    while labels != "}" {
        let (name, rest) = labels.split_once("=\"").expect("a label");
        let named = |c: char| c.is_ascii_alphanumeric() || c == '_';
        assert!(!name.is_empty() && name.chars().all(named), "{labels}");
        let mut is_escape = false;
        let end = rest.find(|c| {
            let ends = c == '"' && !is_escape;
            is_escape = c == '\\' && !is_escape;
            ends
        });
        let rest = &rest[end.expect("an end of the value") + 1..];
        labels = rest.strip_prefix(',').unwrap_or(rest);
    }
}
