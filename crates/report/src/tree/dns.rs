//! DNS: what each resolver answered, in the tree.

use std::fmt::Write as _;

use privatelink_board::Probed;
use privatelink_verdict::address::Class;
use privatelink_verdict::alias::alias;
use privatelink_verdict::names::Names;
use privatelink_verdict::observation::{
    Address, Comparison, Observation, Query, QueryOutcome, Resolution, ServerAnswer,
};
use privatelink_verdict::sanitize::from_wire;
use privatelink_verdict::verdict::Outcome;
use privatelink_verdict::zone::{ZoneAuthority, zone_authority};

use super::branch::Branch;
use super::style::{DIM, paint, style_of};
use crate::time::short_duration;

/// The most names of a chain that are drawn.
const NAMES: usize = 16;

/// The most addresses that stand on one line.
const INLINE: usize = 3;

/// The resolver that the verdict is about, its server, and what it answered.
pub(super) fn path(probed: &Probed) -> Option<Branch> {
    let (target, observation) = (&probed.target, &probed.observation);
    let resolution = &observation.resolution;
    if resolution.queries.is_empty() {
        return None;
    }
    let queries: Vec<_> = resolution.queries.iter().map(query).collect();
    let mut line = format!("path {}  {}", resolver(resolution), queries.join(", "));
    let mut others = observation.comparisons.iter();
    if others.any(|one| one.agrees_with(resolution) == Some(false)) {
        line.push_str(&paint(DIM, "  ← the path of this verdict"));
    }
    let alias = alias(target, resolution);
    let chain = resolution.chain();
    // Without an alias, a chain of one name is the host that the headline names.
    let shown = if chain.len() > 1 || alias.is_some() {
        chain
    } else {
        Names::NONE
    };
    let names = shown.iter().take(NAMES).map(|name| {
        let shown = from_wire(name);
        if alias == Some(name) {
            let zone = zone_note(zone_authority(target, observation));
            let note = paint(DIM, &format!("← privatelink alias{zone}"));
            Branch::new(format!("{shown}  {note}"))
        } else {
            Branch::new(shown.into_owned())
        }
    });
    let servers = resolution.evidence.servers.iter().map(server_alone);
    Some(Branch::new(line).with(names).with(servers))
}

/// The other resolvers, each compared with the path.
pub(super) fn comparisons(observation: &Observation) -> impl Iterator<Item = Branch> {
    let path = &observation.resolution;
    let comparisons = observation.comparisons.iter();
    comparisons.map(|one| comparison(one, path))
}

/// The first addresses, or why there are none, on one line.
pub(super) fn answer(resolution: &Resolution) -> String {
    inline(resolution.outcome(), &resolution.addresses)
}

/// `10.1.2.3 (private)`.
pub(super) fn classified(address: &Address) -> String {
    let style = match address.class {
        Class::Expected | Class::Private => style_of(Outcome::Pass),
        Class::Public => style_of(Outcome::Warn),
        Class::Reserved => style_of(Outcome::Fail),
    };
    let class = paint(style, &format!("({})", address.class));
    format!("{} {class}", address.ip)
}

fn query(query: &Query) -> String {
    let (family, outcome) = (query.family.record_type(), query.outcome);
    let mut notes = vec![short_duration(query.elapsed)];
    if query.tries > 1 {
        notes.push(format!("{} tries", query.tries));
    }
    if let Some(owner) = &query.trouble.ignored_owner {
        notes.push(format!("records of {} ignored", from_wire(owner)));
    }
    let text = format!("{family} {outcome} ({})", notes.join(", "));
    if outcome.is_failure() {
        paint(style_of(Outcome::Fail), &text)
    } else {
        text
    }
}

/// `pod 10.0.0.10:53`; the name alone where no server answered.
fn resolver(resolution: &Resolution) -> String {
    let name = &resolution.resolver;
    match resolution.server() {
        Some(server) => format!("{name} {server}"),
        None => name.to_string(),
    }
}

const fn zone_note(authority: ZoneAuthority) -> &'static str {
    match authority {
        ZoneAuthority::Private => ", its zone is private here",
        ZoneAuthority::Public => ", its zone is the public one here",
        ZoneAuthority::Unknown => ", who answers for its zone is unknown",
        ZoneAuthority::NotAsked => "",
    }
}

/// What one server of the path said when it was asked alone.
fn server_alone(answer: &ServerAnswer) -> Branch {
    let said = inline(answer.outcome(), &answer.addresses);
    let times = match answer.times {
        ..=1 => String::new(),
        times => paint(DIM, &format!("  {times} times")),
    };
    Branch::new(format!("server {} alone  {said}{times}", answer.server))
}

fn comparison(comparison: &Comparison, path: &Resolution) -> Branch {
    let resolution = &comparison.resolution;
    let agrees = match comparison.agrees_with(path) {
        Some(true) => paint(DIM, "agrees"),
        Some(false) if comparison.must_agree => paint(style_of(Outcome::Warn), "disagrees"),
        Some(false) => "differs, as it may".to_owned(),
        None => paint(DIM, "cannot be compared"),
    };
    let (resolver, answer) = (resolver(resolution), answer(resolution));
    Branch::new(format!("resolver {resolver}  {answer}  {agrees}"))
}

fn inline(outcome: Option<QueryOutcome>, addresses: &[Address]) -> String {
    if let Some(outcome) = outcome
        && addresses.is_empty()
    {
        return paint(DIM, &format!("no address: {outcome}"));
    }
    let shown = addresses.iter().take(INLINE);
    let mut text = shown.map(classified).collect::<Vec<_>>().join(", ");
    if addresses.len() > INLINE {
        let _ = write!(text, " +{}", addresses.len() - INLINE);
    }
    text
}
