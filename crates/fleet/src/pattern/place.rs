//! A place in words.

use std::sync::Arc;

use crate::scope::{Place, Scope};
use crate::table::Table;

/// The place, to follow `on`: `all 5 nodes of pool a`. `is_alone` says that no other place has the symptom.
pub(super) fn text(table: &Table<'_>, place: &Place, is_alone: bool) -> String {
    let (ill, of) = (place.nodes.len(), place.of.len());
    let every = if ill == of {
        format!("all {of} nodes")
    } else {
        format!("{ill} of the {of} nodes")
    };
    let values = listed(&place.values);
    let plural = if place.values.len() == 1 { "" } else { "s" };
    let joined = place.joined.unwrap_or_default().to_the_minute();
    match place.scope {
        Scope::AllNodes if table.len() == 1 => "the only node".to_owned(),
        Scope::AllNodes if of < table.heard.len() => format!("{every} that have the target"),
        Scope::AllNodes if of < table.len() => {
            format!("{every} that are heard, of {}", table.len())
        }
        Scope::AllNodes => every,
        Scope::Pool => format!("{every} of pool{plural} {values}"),
        Scope::Subnet => format!("{every} of subnet{plural} {values}"),
        Scope::Zone => format!("{every} of zone{plural} {values}"),
        Scope::Image => format!("{every} with image{plural} {values}"),
        Scope::JoinedLater => format!("{every} that joined since {joined}"),
        Scope::JoinedEarlier => format!("{every} that joined before {joined}"),
        Scope::OneNode if is_alone => format!("node {values} alone"),
        Scope::OneNode => format!("node {values}"),
        Scope::SomeNodes if place.values.is_empty() => {
            format!("{ill} of {of} nodes, which share nothing that the others have not")
        }
        Scope::SomeNodes => format!("{ill} of the {of} nodes of pool {values}"),
    }
}

/// What else exactly these nodes have: `subnet snet-a`.
pub(super) fn also(table: &Table<'_>, place: &Place) -> Vec<String> {
    if matches!(place.scope, Scope::AllNodes | Scope::SomeNodes) {
        return Vec::new();
    }
    let mut also = Vec::new();
    for column in &table.traits {
        let mut values = place.of.iter().map(|node| column.of_node[node]);
        let Some(Some(value)) = values.next() else {
            continue;
        };
        let is_shared = values.all(|other| other == Some(value));
        let others = column.of_node.iter().enumerate();
        let mut others = others.filter(|(node, _)| !place.of.contains(*node));
        let name = &column.values[value];
        if is_shared
            && !place.values.contains(name)
            && !others.any(|(_, other)| *other == Some(value))
        {
            also.push(format!("{} {name}", column.name.noun()));
        }
    }
    also
}

/// `a`, `a and b`, `a, b and c`.
fn listed(values: &[Arc<str>]) -> String {
    match values {
        [] => String::new(),
        [one] => one.to_string(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
