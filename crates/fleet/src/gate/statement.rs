//! Statement: the gate's answer in sentences.

use super::answer::{Answer, Break, GateReport, NotJudged, Unknown};
use super::evidence::{Broken, Evidence, Unclear};
use super::judging::Case;
use super::{WhyNotJudged, WhyUnknown};
use crate::history::PathNumber;
use crate::pattern::SAMPLES;
use crate::report::UsersOfTargets;

/// How many names of targets are listed.
const MOST_NAMES: usize = 100;

/// The report of what was found.
pub(super) fn report(case: &Case<'_>, evidence: &Evidence<'_>) -> GateReport {
    let mut breaks: Vec<Break> = evidence
        .breaks
        .iter()
        .zip(0..)
        .filter_map(|(broken, path)| Some(breaks_of(case, path, broken.as_ref()?)))
        .collect();
    breaks.sort_by(|a, b| {
        let size = |one: &Break| std::cmp::Reverse((one.nodes, one.now));
        size(a)
            .cmp(&size(b))
            .then_with(|| (&a.target, &a.path).cmp(&(&b.target, &b.path)))
    });
    let (excused, unknown): (Vec<_>, Vec<_>) = evidence
        .unknown
        .iter()
        .partition(|(why, _)| case.asked.allow_uncovered && why.is_excusable());
    let told = |all: Vec<(&WhyUnknown, &Unclear<'_>)>| -> Vec<Unknown> {
        all.into_iter()
            .map(|(why, unclear)| unknown_of(case, *why, unclear))
            .collect()
    };
    let (excused, unknown) = (told(excused), told(unknown));
    let answer = match (breaks.is_empty(), unknown.is_empty()) {
        (false, _) => Answer::No,
        (true, false) => Answer::CannotTell,
        (true, true) => Answer::Yes,
    };
    GateReport {
        answer,
        exit_code: answer.exit_code(),
        headline: headline(case, answer, &breaks),
        statement: statement(case, answer, &breaks, &unknown, &excused),
        from: case.from,
        until: case.now,
        targets: count(case.targets.len()),
        nodes: case.nodes,
        departed: case.departed,
        breaks,
        unknown,
        excused,
        not_judged: case
            .not_judged
            .iter()
            .map(|(why, names)| not_judged(*why, names))
            .collect(),
    }
}

/// The answer in one sentence.
fn headline(case: &Case<'_>, answer: Answer, breaks: &[Break]) -> String {
    let (from, until) = (case.from.to_the_minute(), case.now.to_the_minute());
    match answer {
        Answer::Yes => format!(
            "Public access may be turned off: from {from} to {until} {} stayed private on every path, {}.",
            counted(count(case.targets.len()), "private target"),
            on_nodes(case.nodes, case.departed)
        ),
        Answer::No => format!(
            "Public access must stay on: turning it off would break {}.",
            counted(distinct(breaks), "target")
        ),
        Answer::CannotTell => format!(
            "It cannot be said whether public access may be turned off: not all is known from {from} to \
             {until}."
        ),
    }
}

fn statement(
    case: &Case<'_>,
    answer: Answer,
    breaks: &[Break],
    unknown: &[Unknown],
    excused: &[Unknown],
) -> String {
    let mut sentences = vec![headline(case, answer, breaks)];
    let alike: Vec<&[Break]> = breaks.chunk_by(is_alike).collect();
    sentences.extend(alike.iter().take(SAMPLES).map(|paths| sentence(paths)));
    if let Some(more) = alike.get(SAMPLES..).filter(|more| !more.is_empty()) {
        let paths = count(more.iter().map(|paths| paths.len()).sum());
        sentences.push(format!("{} more would break.", counted(paths, "path")));
    }
    sentences.extend(unknown.iter().map(|one| one.sentence.clone()));
    for one in excused {
        sentences.push(format!("Excused: {}", one.sentence));
    }
    if answer == Answer::CannotTell && !case.targets.is_empty() {
        sentences.push("Nothing that is known would break.".to_owned());
    }
    for (why, names) in &case.not_judged {
        let what = match why {
            WhyNotJudged::Public => "not judged, because nothing says that it should be private",
            WhyNotJudged::ServiceEndpoint => {
                "not judged, because a service endpoint needs its public address"
            }
        };
        sentences.push(format!("{}: {what}.", listed(names)));
    }
    sentences.join(" ")
}

fn breaks_of(case: &Case<'_>, path: PathNumber, broken: &Broken<'_>) -> Break {
    let (name, resolver) = case.history.paths.names(path);
    let target = case.targets.get(&**name);
    let users = target
        .and_then(|target| target.users.as_ref())
        .map(UsersOfTargets::from);
    let host = target.map_or(&**name, |target| &*target.host);
    let mut one = Break {
        target: name.to_string(),
        host: host.to_owned(),
        path: resolver.to_string(),
        nodes: broken.nodes,
        departed: broken.departed,
        samples: broken.samples.iter().map(ToString::to_string).collect(),
        last_non_private: broken.last,
        now: broken.now,
        users,
        sentence: String::new(),
    };
    one.sentence = sentence(std::slice::from_ref(&one));
    one
}

/// Whether two paths of a target can be told in one sentence.
fn is_alike(a: &Break, b: &Break) -> bool {
    let nodes = |one: &Break| (one.nodes, one.departed, one.now);
    a.target == b.target && nodes(a) == nodes(b) && a.samples == b.samples
}

/// What is said of paths that are alike.
fn sentence(paths: &[Break]) -> String {
    let Some(one) = paths.first() else {
        return String::new();
    };
    let host = if one.host == one.target {
        String::new()
    } else {
        format!(" ({})", one.host)
    };
    let names: Vec<&str> = paths.iter().map(|one| &*one.path).collect();
    let last = paths.iter().map(|one| one.last_non_private).max();
    let when = match one.now {
        0 => format!("last at {}", last.unwrap_or_default().to_the_minute()),
        now if now == one.nodes => "and still is".to_owned(),
        now => format!("and still is on {now}"),
    };
    let left = match one.departed {
        0 => String::new(),
        departed if departed == one.nodes => ", which left since".to_owned(),
        departed => format!(", of which {departed} left since"),
    };
    let samples: Vec<&str> = one.samples.iter().map(String::as_str).collect();
    let path = if names.len() == 1 { "path" } else { "paths" };
    let whom = one
        .users
        .as_ref()
        .map_or(String::new(), |users| match users.examples.first() {
            Some(example) if users.workloads > 0 => {
                format!("; it is used by {}, such as {example}", users.text)
            }
            _ if users.workloads > 0 => format!("; it is used by {}", users.text),
            _ => format!("; it is {}", users.text),
        });
    format!(
        "{}{host} was not private on the {path} {} on {}{}{left}, {when}{whom}.",
        one.target,
        names.join(" and "),
        counted(one.nodes, "node"),
        such_as(one.nodes, &samples),
    )
}

fn unknown_of(case: &Case<'_>, why: WhyUnknown, unclear: &Unclear<'_>) -> Unknown {
    let about = match why {
        WhyUnknown::UnnamedServices => format!(" ({})", counted(unclear.count, "service")),
        WhyUnknown::SourcesUnknown => format!(" ({})", case.asked.sources_unknown.join(", ")),
        _ if unclear.count == 0 => String::new(),
        _ => {
            let samples = such_as(unclear.count, &unclear.samples);
            format!(" ({}{samples})", counted(unclear.count, "node"))
        }
    };
    let names = unclear
        .targets()
        .map(|target| case.history.paths.target_name(target));
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    let is_about_all = names.len() == case.targets.len();
    let targets = if names.is_empty() || is_about_all {
        String::new()
    } else {
        format!(", for {}", listed(&names))
    };
    let meaning = why.meaning();
    let body = meaning.trim_end_matches('.');
    let known_from = unclear.since.map(|since| since.after(case.asked.window()));
    let known_from = known_from.filter(|known| *known > case.now && !is_about_departed(why));
    let when = known_from.map_or(String::new(), |known| {
        format!(
            "; if nothing happens, it is known from {}",
            known.to_the_minute()
        )
    });
    Unknown {
        why: why.to_string(),
        meaning: meaning.to_owned(),
        remedy: why.remedy().to_owned(),
        count: unclear.count,
        samples: unclear.samples.iter().map(ToString::to_string).collect(),
        targets: if is_about_all {
            Vec::new()
        } else {
            names
                .iter()
                .take(SAMPLES)
                .map(ToString::to_string)
                .collect()
        },
        known_from,
        sentence: format!("{body}{about}{targets}{when}."),
    }
}

/// Whether waiting does not tell when it will be known.
const fn is_about_departed(why: WhyUnknown) -> bool {
    matches!(why, WhyUnknown::WindowTooLong)
}

fn not_judged(why: WhyNotJudged, names: &[&str]) -> NotJudged {
    NotJudged {
        why: why.to_string(),
        meaning: why.description().to_owned(),
        count: count(names.len()),
        targets: names
            .iter()
            .take(MOST_NAMES)
            .map(ToString::to_string)
            .collect(),
    }
}

fn on_nodes(nodes: u32, departed: u32) -> String {
    let nodes = match nodes {
        1 => "on the only node".to_owned(),
        nodes => format!("on all {nodes} nodes"),
    };
    match departed {
        0 => nodes,
        1 => format!("{nodes} and on one that left in that time"),
        departed => format!("{nodes} and on {departed} that left in that time"),
    }
}

fn distinct(breaks: &[Break]) -> u32 {
    let mut targets: Vec<&str> = breaks.iter().map(|one| &*one.target).collect();
    targets.sort_unstable();
    targets.dedup();
    count(targets.len())
}

fn such_as(of: u32, samples: &[&str]) -> String {
    match samples {
        [] => String::new(),
        all if u32::try_from(all.len()) == Ok(of) => format!(": {}", all.join(", ")),
        some => format!(", such as {}", some.join(", ")),
    }
}

/// The first names, and how many more.
fn listed(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        all if all.len() <= SAMPLES => {
            let (last, first) = all.split_last().unwrap_or((&"", &[]));
            format!("{} and {last}", first.join(", "))
        }
        all => format!(
            "{} and {} more",
            all[..SAMPLES].join(", "),
            all.len() - SAMPLES
        ),
    }
}

fn counted(count: u32, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

fn count(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
