//! Whom a pattern concerns, as far as that matters for its cause.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::cause::Whom;
use crate::scope::{Place, Scope};
use crate::table::{Table, Trait};

pub(super) fn of(table: &Table<'_>, place: &Place) -> Whom {
    let is_whole = place.nodes.len() == place.of.len();
    match place.scope {
        Scope::AllNodes => Whom::All,
        Scope::Pool | Scope::Subnet | Scope::Zone | Scope::Image if !is_whole => Whom::Part,
        Scope::Pool | Scope::Subnet => Whom::Pool,
        Scope::Zone => Whom::Zone,
        Scope::Image => Whom::Image(age_of_images(table, &place.values)),
        Scope::JoinedLater => Whom::Newer,
        Scope::JoinedEarlier => Whom::Older,
        Scope::OneNode | Scope::SomeNodes if place.is_each_alone() => Whom::Node,
        Scope::OneNode | Scope::SomeNodes if place.values.is_empty() => Whom::Some,
        Scope::OneNode | Scope::SomeNodes => Whom::Part,
    }
}

/// Whether the images are all older or all newer than those of the other nodes.
fn age_of_images(table: &Table<'_>, images: &[Arc<str>]) -> Ordering {
    let columns = table.traits.iter();
    let all = columns
        .filter(|column| column.name == Trait::Image)
        .flat_map(|column| &column.values);
    let others = all.filter(|image| !images.contains(image));
    let compared = others.flat_map(|other| {
        let of_other = move |image: &Arc<str>| version(image).cmp(version(other));
        images.iter().map(of_other)
    });
    let mut compared = compared.fold(None, |before, next| match before {
        Some(before) if before != next => Some(Ordering::Equal),
        _ => Some(next),
    });
    compared.take().unwrap_or(Ordering::Equal)
}

/// `202611.03.0` of `AKSUbuntu-2204gen2containerd-202611.03.0`.
fn version(image: &str) -> &str {
    image.rsplit('-').next().unwrap_or(image)
}
