//! Read: a view from the bytes of `/api/v1/summary`. Who answers at the address of an agent may be
//! anybody, so every text is bounded and every number checked.

use std::borrow::Cow;

use privatelink_verdict::address::Class;
use privatelink_verdict::catalogue::Usage;
use privatelink_verdict::reason::Reason;
use privatelink_verdict::sanitize::from_wire;
use privatelink_verdict::target::{self, Expectation, Users};
use privatelink_verdict::verdict::Outcome;
use serde::Deserialize;

use super::{Cell, FleetTarget, Interned, PathState, View};
use crate::Moment;

/// Targets of one node. The configuration's own limit is lower unless it was raised on purpose.
const MOST_TARGETS: usize = 10_000;

/// Paths of one target.
const MOST_PATHS: usize = 8;

/// The longest version, hash or name of a resolver, in bytes.
const LONGEST_WORD: usize = 128;

/// The longest word about a service or a user, in bytes.
const LONGEST_TEXT: usize = 512;

/// Why a summary is no view.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// Not the JSON of a summary.
    #[error("this is no summary of an agent")]
    NotASummary(#[source] serde_json::Error),
    /// An agent of another node.
    #[error("this is the summary of the node {0}")]
    OtherNode(String),
    /// More than an agent says.
    #[error("the summary has more than {most} {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there may be.
        most: usize,
    },
    /// A text that no agent writes.
    #[error("the {0} is too long or has control characters")]
    BadText(&'static str),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Summary<'a> {
    #[serde(borrow)]
    version: Cow<'a, str>,
    #[serde(borrow)]
    node: Cow<'a, str>,
    #[serde(borrow)]
    agent_started_at: Option<Cow<'a, str>>,
    #[serde(borrow)]
    config_hash: Cow<'a, str>,
    config_loaded: bool,
    #[serde(borrow)]
    targets: Vec<TargetRow<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TargetRow<'a> {
    #[serde(borrow)]
    target: Cow<'a, str>,
    #[serde(borrow, default)]
    host: Option<Cow<'a, str>>,
    #[serde(borrow)]
    service: Cow<'a, str>,
    #[serde(borrow)]
    expect: Cow<'a, str>,
    #[serde(borrow)]
    outcome: Option<Cow<'a, str>>,
    #[serde(borrow)]
    reason: Option<Cow<'a, str>>,
    #[serde(borrow)]
    since: Option<Cow<'a, str>>,
    confirmed: bool,
    stale: bool,
    #[serde(borrow)]
    paths: Vec<PathSummary<'a>>,
    #[serde(borrow, default)]
    users: Option<UsersSummary<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PathSummary<'a> {
    #[serde(borrow)]
    resolver: Cow<'a, str>,
    #[serde(borrow)]
    classes: Vec<Cow<'a, str>>,
    #[serde(borrow)]
    answered_since: Option<Cow<'a, str>>,
    #[serde(borrow)]
    last_non_private_at: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UsersSummary<'a> {
    #[serde(borrow)]
    usage: Option<Cow<'a, str>>,
    workloads: u64,
    namespaces: u64,
    #[serde(borrow)]
    examples: Vec<Cow<'a, str>>,
}

impl View {
    /// The view of the agent on `node`, from the bytes of its summary.
    ///
    /// A word that this program does not know, from an agent of a later version, makes a target one of
    /// which nothing is known yet.
    pub fn read(bytes: &[u8], node: &str, interned: &mut Interned) -> Result<Self, ViewError> {
        let summary: Summary<'_> = serde_json::from_slice(bytes).map_err(ViewError::NotASummary)?;
        if summary.node != node {
            let other = from_wire(&summary.node).into_owned();
            return Err(ViewError::OtherNode(other));
        }
        at_most("targets", MOST_TARGETS, summary.targets.len())?;
        let mut cells = Vec::with_capacity(summary.targets.len());
        for target in &summary.targets {
            cells.push(cell(target, interned)?);
        }
        cells.sort_by(|a, b| a.target.name.cmp(&b.target.name));
        cells.dedup_by(|a, b| a.target.name == b.target.name);
        Ok(Self {
            version: interned.text(text("version", &summary.version, LONGEST_WORD)?),
            agent_started: moment(summary.agent_started_at.as_deref()).unwrap_or_default(),
            config_hash: interned.text(text("hash", &summary.config_hash, LONGEST_WORD)?),
            config_loaded: summary.config_loaded,
            cells,
        })
    }
}

fn cell(summary: &TargetRow<'_>, interned: &mut Interned) -> Result<Cell, ViewError> {
    let longest = target::Target::LONGEST_NAME;
    let name = text("name of a target", &summary.target, longest)?;
    let host = summary.host.as_deref().unwrap_or(name);
    let users = summary.users.as_ref().map(users).transpose()?;
    let target = FleetTarget {
        name: name.to_owned(),
        host: text("host of a target", host, longest)?.to_owned(),
        service: text("service", &summary.service, LONGEST_WORD)?.to_owned(),
        users,
    };
    let outcome = summary.outcome.as_deref();
    let outcome = outcome.and_then(|said| word(Outcome::ALL, Outcome::as_str, said));
    let reason = summary.reason.as_deref();
    let reason = reason.and_then(|said| word(Reason::ALL, Reason::as_str, said));
    let expect = word(Expectation::ALL, Expectation::as_str, &summary.expect);
    at_most("paths of a target", MOST_PATHS, summary.paths.len())?;
    let paths = summary.paths.iter().map(|path| path_state(path, interned));
    let paths = paths.collect::<Result<Vec<_>, _>>()?;
    let paths = interned.paths(&paths);
    Ok(Cell {
        target: interned.target(target),
        // Without its expectation a verdict says nothing.
        judged: outcome.zip(reason).filter(|_| expect.is_some()),
        since: moment(summary.since.as_deref()).unwrap_or_default(),
        is_confirmed: summary.confirmed,
        is_stale: summary.stale,
        expect: expect.unwrap_or(Expectation::Auto),
        paths,
    })
}

fn path_state(summary: &PathSummary<'_>, interned: &mut Interned) -> Result<PathState, ViewError> {
    let resolver = text("name of a resolver", &summary.resolver, LONGEST_WORD)?;
    at_most("classes", Class::ALL.len(), summary.classes.len())?;
    // What is none of the classes that are known is certainly not known to be private.
    let class = |said: &Cow<'_, str>| word(Class::ALL, Class::as_str, said);
    let classes = summary.classes.iter();
    let classes = classes.map(|said| class(said).unwrap_or(Class::Public));
    Ok(PathState {
        resolver: interned.text(resolver),
        classes: classes.collect(),
        answered_since: moment(summary.answered_since.as_deref()),
        last_non_private: moment(summary.last_non_private_at.as_deref()),
    })
}

fn users(summary: &UsersSummary<'_>) -> Result<Users, ViewError> {
    let usage = summary.usage.as_deref();
    let examples = summary.examples.iter().take(Users::MOST_EXAMPLES);
    let examples = examples.map(|example| text("name of a user", example, LONGEST_TEXT));
    let examples: Result<Vec<_>, _> = examples.map(|text| text.map(str::to_owned)).collect();
    Ok(Users {
        usage: usage.and_then(|said| word(Usage::ALL, Usage::as_str, said)),
        workloads: summary.workloads,
        namespaces: summary.namespaces,
        examples: examples?,
    })
}

fn at_most(what: &'static str, most: usize, count: usize) -> Result<(), ViewError> {
    if count > most {
        return Err(ViewError::TooMany { what, most });
    }
    Ok(())
}

/// A text as agents write it: bounded, and without what a terminal would obey.
fn text<'a>(what: &'static str, text: &'a str, longest: usize) -> Result<&'a str, ViewError> {
    if text.len() > longest || text.chars().any(char::is_control) {
        return Err(ViewError::BadText(what));
    }
    Ok(text)
}

fn word<T: Copy>(all: &[T], as_str: impl Fn(T) -> &'static str, said: &str) -> Option<T> {
    all.iter().copied().find(|one| as_str(*one) == said)
}

fn moment(text: Option<&str>) -> Option<Moment> {
    text?.parse().ok()
}

#[cfg(test)]
mod tests;
