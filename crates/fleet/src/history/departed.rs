//! Departed: a node that left, as long as somebody may ask for it.

use std::sync::Arc;

use super::{FleetHistory, GRACE, MOST_DEPARTED, NodeHistory};
use crate::{Moment, Node};

/// A node that left.
#[derive(Clone, Debug, PartialEq)]
pub struct Departed {
    pub(crate) name: Arc<str>,
    pub(crate) left: Moment,
    pub(crate) history: NodeHistory,
}

impl FleetHistory {
    /// Notes that a node has left. One that was well all its life is only counted.
    pub(super) fn depart(&mut self, name: Arc<str>, history: Option<NodeHistory>, now: Moment) {
        let Some(history) = history else {
            return;
        };
        // Of two moments the later: its agent may have answered while the node was not ready.
        let not_ready = history.not_ready;
        let left = not_ready.map_or(now, |at| at.max(history.last.unwrap_or(at)));
        let is_short = history
            .joined
            .is_some_and(|joined| left.since(joined) < GRACE);
        if history.last.is_none() && is_short {
            return;
        }
        if history.was_well_until(left) {
            *self.departed_well.entry(left.0 / 3600).or_default() += 1;
            return;
        }
        self.departed.push(Departed {
            name,
            left,
            history,
        });
        if self.departed.len() > MOST_DEPARTED {
            self.forget_earliest();
        }
    }

    /// What is remembered of a node that was not there just now: nothing, unless it only seemed to have left. Where
    /// nodes cannot be listed, one seems so while its agent's pod is replaced; there the name alone tells.
    pub(super) fn come_back(&mut self, node: &Node) -> NodeHistory {
        let is_it = |departed: &Departed| {
            departed.name == node.name && departed.history.joined == node.joined
        };
        match self.departed.iter().position(is_it) {
            Some(at) => self.departed.remove(at).history,
            None => NodeHistory {
                joined: node.joined,
                ..NodeHistory::default()
            },
        }
    }

    /// Forgets the node that left first, but for what was not private on it.
    fn forget_earliest(&mut self) {
        let earliest = self.departed.iter().enumerate();
        let Some((index, _)) = earliest.min_by_key(|(_, departed)| departed.left) else {
            return;
        };
        let departed = self.departed.remove(index);
        self.forgotten_until = self.forgotten_until.max(Some(departed.left));
        for (number, track) in &departed.history.tracks {
            if let Some(last) = track.non_private(departed.history.last) {
                let kept = self.forgotten_non_private.entry(*number).or_insert(last);
                *kept = (*kept).max(last);
            }
        }
    }
}

impl NodeHistory {
    /// Whether every path was answered from when the node joined until it left, and never public.
    fn was_well_until(&self, left: Moment) -> bool {
        let (Some(joined), Some(last), Some(usual)) = (self.joined, self.last, self.usual) else {
            return false;
        };
        let starts = |since: Moment| since <= joined.after(GRACE);
        let is_well = |track: &super::Track| {
            let is_open = track.until().is_none_or(|until| until.after(GRACE) >= left);
            is_open && track.non_private(self.last).is_none() && track.since().is_some_and(starts)
        };
        starts(usual)
            && last.after(GRACE) >= left
            && self.tracks.iter().all(|(_, track)| is_well(track))
    }
}
