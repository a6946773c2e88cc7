//! Evidence: what is found against a yes while nodes are judged, counted by why.

use std::collections::BTreeMap;

use super::WhyUnknown;
use crate::Moment;
use crate::history::{PathNumber, TargetNumber};
use crate::pattern::SAMPLES;

/// What is found against a yes.
pub(super) struct Evidence<'a> {
    /// For each path.
    pub(super) breaks: Vec<Option<Broken<'a>>>,
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
    /// For each target's number, whether it is about that.
    about: Vec<bool>,
    /// The latest beginning of what is known.
    pub(super) since: Option<Moment>,
}

impl<'a> Evidence<'a> {
    pub(super) fn of_paths(count: usize) -> Self {
        Self {
            breaks: std::iter::repeat_with(|| None).take(count).collect(),
            unknown: BTreeMap::new(),
        }
    }

    pub(super) fn broken(
        &mut self,
        path: PathNumber,
        node: &'a str,
        last: Moment,
    ) -> &mut Broken<'a> {
        let broken = self.breaks[usize::from(path)].get_or_insert_default();
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
    /// Notes that it is about a target.
    pub(super) fn about(&mut self, target: TargetNumber) {
        let target = usize::from(target);
        if self.about.len() <= target {
            self.about.resize(target + 1, false);
        }
        self.about[target] = true;
    }

    /// The targets that it is about.
    pub(super) fn targets(&self) -> impl Iterator<Item = TargetNumber> {
        let numbers = self.about.iter().zip(0..);
        numbers.filter_map(|(is_about, target)| is_about.then_some(target))
    }

    /// Notes since when it is known, which the window has to reach.
    pub(super) fn known_since(&mut self, since: Option<Moment>) {
        self.since = self.since.max(since);
    }
}
