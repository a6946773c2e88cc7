//! Evidence: what is found against a yes while nodes are judged, counted by why.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::WhyUnknown;
use crate::Moment;
use crate::history::PathNumber;
use crate::pattern::SAMPLES;

/// What is found against a yes.
#[derive(Default)]
pub(super) struct Evidence<'a> {
    pub(super) breaks: BTreeMap<PathNumber, Broken<'a>>,
    pub(super) unknown: BTreeMap<WhyUnknown, Unclear<'a>>,
}

/// A path that was not private.
#[derive(Default)]
pub(super) struct Broken<'a> {
    pub(super) nodes: u32,
    pub(super) departed: u32,
    pub(super) now: u32,
    pub(super) samples: Vec<&'a str>,
    pub(super) last: Moment,
}

/// What is not known for one reason.
#[derive(Default)]
pub(super) struct Unclear<'a> {
    pub(super) count: u32,
    latest_node: Option<&'a str>,
    pub(super) samples: Vec<&'a str>,
    pub(super) targets: BTreeSet<&'a Arc<str>>,
    /// The latest beginning of what is known.
    pub(super) since: Option<Moment>,
}

impl<'a> Evidence<'a> {
    pub(super) fn broken(
        &mut self,
        path: PathNumber,
        node: &'a str,
        last: Moment,
    ) -> &mut Broken<'a> {
        let broken = self.breaks.entry(path).or_default();
        broken.nodes += 1;
        broken.last = broken.last.max(last);
        if broken.samples.len() < SAMPLES {
            broken.samples.push(node);
        }
        broken
    }

    /// Notes something about a node; nodes come one after another, and each counts once.
    pub(super) fn unclear(&mut self, why: WhyUnknown, node: &'a str) -> &mut Unclear<'a> {
        let unclear = self.unknown.entry(why).or_default();
        if unclear.latest_node != Some(node) {
            unclear.latest_node = Some(node);
            unclear.count += 1;
            if unclear.samples.len() < SAMPLES {
                unclear.samples.push(node);
            }
        }
        unclear
    }

    /// Notes something that is not about a node.
    pub(super) fn unclear_in_all(&mut self, why: WhyUnknown, count: u32) -> &mut Unclear<'a> {
        let unclear = self.unknown.entry(why).or_default();
        unclear.count += count;
        unclear
    }
}

impl Unclear<'_> {
    /// Notes since when it is known, which the window has to reach.
    pub(super) fn known_since(&mut self, since: Option<Moment>) {
        self.since = self.since.max(since);
    }
}
