//! Pattern: nodes that share a symptom, what they have in common, and the likely cause.

mod breadth;
mod confidence;
mod place;
mod together;
mod whom;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use privatelink_verdict::reason::Reason;
use privatelink_verdict::verdict::{Confidence, Outcome};

use self::place::LeftOut;
use self::together::Draft;
use crate::cause::{self, Cause, Circumstances};
use crate::fleet::Seen;
use crate::hurt;
use crate::report::{PatternReport, UsersOfTargets};
use crate::scope::Scope;
use crate::symptom::{PathScope, Symptom};
use crate::table::Table;
use crate::{FleetTarget, Moment};

/// A pattern that began within this time may still be spreading.
const SETTLED: Duration = Duration::from_mins(2);

/// How many names of nodes are shown as examples.
pub(crate) const SAMPLES: usize = 5;

/// Nodes that share a symptom.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// The worst outcome.
    pub outcome: Outcome,
    /// What is seen.
    pub symptom: Symptom,
    /// On which path.
    pub path: PathScope,
    /// The names of the resolvers that are ill, where some are well.
    pub resolvers: Vec<String>,
    /// What the nodes have in common.
    pub scope: Scope,
    /// The values that they have in common.
    pub values: Vec<Arc<str>>,
    /// The moment that parts them from the others by their time of joining.
    pub joined: Option<Moment>,
    /// Their names.
    pub nodes: Vec<Arc<str>>,
    /// How many nodes of that place judged the targets.
    pub of_nodes: usize,
    /// At most five nodes of that place that are well.
    pub except: Vec<String>,
    /// What else they share, and no other node has.
    pub also: Vec<String>,
    /// The place in words.
    pub place: String,
    /// The targets, in the order of their names.
    pub targets: Vec<Arc<FleetTarget>>,
    /// Whether these are all targets.
    pub is_every_target: bool,
    /// The primary reasons, the commonest first.
    pub reasons: Vec<Reason>,
    /// When the first node had it.
    pub since: Moment,
    /// When the latest node got it.
    pub until_all: Moment,
    /// The likely cause.
    pub cause: Cause,
    /// How sure it is.
    pub confidence: Confidence,
    /// Why it is not surer, in a few words; empty where it is sure.
    pub doubt: &'static str,
    /// The private DNS zones of the targets, where it is about them.
    pub zones: Vec<String>,
    /// At most five targets in the same zones that are well on these nodes, where that is part of the proof.
    pub same_zone: Vec<String>,
    /// Whom it hurts.
    pub hurts: Vec<UsersOfTargets>,
}

/// What failing nodes have in common, the worst first.
pub fn patterns<'a>(seen: impl Iterator<Item = Seen<'a>>, now: Moment) -> Vec<Pattern> {
    of_table(&Table::new(seen, now))
}

pub(crate) fn of_table(table: &Table<'_>) -> Vec<Pattern> {
    let drafts = together::drafts(table);
    let mut patterns: Vec<Pattern> = drafts
        .iter()
        .map(|draft| pattern(table, draft, &drafts))
        .collect();
    // Failures before warnings, then the most nodes, then the most targets; equals stay in order.
    patterns.sort_by_key(|pattern| {
        let size = (pattern.outcome, pattern.nodes.len(), pattern.targets.len());
        std::cmp::Reverse(size)
    });
    patterns
}

fn pattern(table: &Table<'_>, draft: &Draft, all: &[Draft]) -> Pattern {
    let place = &draft.place;
    let illnesses = || draft.illnesses.iter().map(|index| &table.illnesses[*index]);
    let mut numbers: Vec<usize> = illnesses().map(|illness| illness.target).collect();
    numbers.sort_unstable_by_key(|target| &table.targets[*target].target.name);
    numbers.dedup();
    let mut reasons: BTreeMap<Reason, usize> = BTreeMap::new();
    for (reason, count) in illnesses().flat_map(|illness| &illness.reasons) {
        *reasons.entry(*reason).or_default() += count;
    }
    let mut reasons: Vec<(Reason, usize)> = reasons.into_iter().collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let (since, until_all) = draft.began(table);
    let is_same = |other: &&Draft| (other.symptom, other.path) == (draft.symptom, draft.path);
    let is_alone = all.iter().filter(is_same).count() == 1;
    let resolvers: BTreeSet<&str> = illnesses()
        .flat_map(|i| i.resolvers.iter().copied())
        .collect();
    let case = Circumstances {
        symptom: draft.symptom,
        path: draft.path,
        whom: whom::of(table, place),
        breadth: breadth::of(table, &numbers, draft),
        on_node: breadth::on_node(table, &numbers, place),
    };
    let cause = cause::likely(case);
    let left_out = LeftOut::of(table, draft, &numbers);
    let is_settled = table.now.since(until_all) >= SETTLED;
    let (confidence, doubt) = if is_settled {
        confidence::of(table, draft, all, cause, case, &left_out)
    } else {
        (Confidence::Low, "it has just begun, or still spreads")
    };
    let hurting = illnesses()
        .filter(|illness| illness.hurts)
        .map(|illness| illness.target);
    let hurting: BTreeSet<usize> = hurting.collect();
    let users = hurting
        .iter()
        .filter_map(|target| table.targets[*target].target.users.as_ref());
    Pattern {
        outcome: illnesses()
            .map(|i| i.outcome)
            .max()
            .unwrap_or(Outcome::Warn),
        symptom: draft.symptom,
        path: draft.path,
        resolvers: resolvers.into_iter().map(str::to_owned).collect(),
        scope: place.scope,
        values: place.values.clone(),
        joined: place.joined,
        nodes: place
            .nodes
            .iter()
            .map(|node| table.nodes[node].name.clone())
            .collect(),
        of_nodes: place.of.len(),
        except: match place.scope {
            Scope::SomeNodes if place.values.is_empty() => Vec::new(),
            _ => table.names(&place.of.without(&place.nodes), SAMPLES),
        },
        also: place::also(table, place),
        place: place::text(table, place, &left_out, numbers.len() == 1, is_alone),
        is_every_target: numbers.len() == table.targets.len(),
        targets: numbers
            .iter()
            .map(|target| table.targets[*target].target.clone())
            .collect(),
        reasons: reasons.into_iter().map(|(reason, _)| reason).collect(),
        since,
        until_all,
        cause,
        confidence,
        doubt,
        zones: breadth::zones(table, &numbers, draft.symptom, cause),
        same_zone: breadth::same_zone(table, &numbers, draft, case.breadth),
        hurts: hurt::summed(users),
    }
}

impl Pattern {
    /// All of it in one sentence.
    pub fn headline(&self) -> String {
        let names: Vec<&str> = self.targets.iter().map(|target| &*target.name).collect();
        let targets = match names[..] {
            [one] => one.to_owned(),
            [one, other] => format!("{one} and {other}"),
            _ if self.is_every_target => format!("all {} targets", names.len()),
            [one, ..] => format!("{one} and {} other targets", names.len() - 1),
            [] => "no target".to_owned(),
        };
        let phrase = self.symptom.phrase_for(&self.reasons, names.len() == 1);
        let path = match self.path {
            PathScope::PodPathOnly => ", on the pod path only".to_owned(),
            PathScope::NodePathOnly => ", on the node path only".to_owned(),
            PathScope::SomePaths => format!(", by {} only", self.resolvers.join(" and ")),
            PathScope::EveryPath | PathScope::AnyPath => String::new(),
        };
        let since = self.since.to_the_minute();
        let mut sentence = format!("{targets} {phrase} on {}{path}, since {since}.", self.place);
        if let Some(first) = sentence.get_mut(..1).filter(|_| self.is_every_target) {
            first.make_ascii_uppercase();
        }
        sentence
    }
}

impl From<&Pattern> for PatternReport {
    fn from(pattern: &Pattern) -> Self {
        let samples = pattern.nodes.iter().take(SAMPLES);
        let targets = pattern.targets.iter();
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Self {
            outcome: pattern.outcome,
            headline: pattern.headline(),
            symptom: pattern.symptom.to_string(),
            scope: pattern.scope.to_string(),
            values: pattern.values.iter().map(ToString::to_string).collect(),
            joined: pattern.joined,
            place: pattern.place.clone(),
            path: pattern.path.to_string(),
            resolvers: pattern.resolvers.clone(),
            nodes: count(pattern.nodes.len()),
            of_nodes: count(pattern.of_nodes),
            samples: samples.map(ToString::to_string).collect(),
            except: pattern.except.clone(),
            also: pattern.also.clone(),
            targets: targets.map(|target| target.name.clone()).collect(),
            reasons: pattern.reasons.iter().map(ToString::to_string).collect(),
            since: pattern.since,
            until_all: pattern.until_all,
            cause: pattern.cause.to_string(),
            meaning: pattern.cause.meaning().to_owned(),
            remedy: pattern.cause.remedy().to_owned(),
            confidence: pattern.confidence.to_string(),
            doubt: pattern.doubt.to_owned(),
            zones: pattern.zones.clone(),
            same_zone: pattern.same_zone.clone(),
            hurts: pattern.hurts.clone(),
        }
    }
}
