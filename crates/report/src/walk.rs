//! Walk: goes through the targets of a board one at a time, and locks the board only for one. Much may
//! happen on the board between two steps.
//!
//! Which targets there are is settled at the start, by name: one that a reload removes before its turn
//! is left out, one that it adds is not visited, and none is visited twice.

use std::sync::Arc;
use std::vec::IntoIter;

use privatelink_board::{Entry, SharedBoard};
use privatelink_verdict::target::Target;

/// A walk through the targets of a board.
#[derive(Debug)]
pub(crate) struct Walk {
    board: SharedBoard,
    /// With their places on the board at the start.
    left: IntoIter<(Arc<Target>, usize)>,
}

impl Walk {
    /// Through the targets in the plan's order.
    pub(crate) fn new(board: SharedBoard) -> Self {
        let left = entries(&board, |_| {});
        Self { board, left }
    }

    /// Through the targets by a key, those with the same key in the plan's order.
    pub(crate) fn by_key<K: Ord>(board: SharedBoard, key: impl Fn(&Entry) -> K) -> Self {
        let left = entries(&board, |entries| {
            entries.sort_by_key(|(_, entry)| key(entry));
        });
        Self { board, left }
    }

    /// Through the targets by name.
    pub(crate) fn by_name(board: SharedBoard) -> Self {
        let left = entries(&board, |entries| {
            entries.sort_by(|(_, one), (_, other)| one.target.name.cmp(&other.target.name));
        });
        Self { board, left }
    }

    /// The names of the targets that are left.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.left
            .as_slice()
            .iter()
            .map(|(target, _)| target.name.as_str())
    }

    /// What `read` gives of the next target.
    pub(crate) fn next<T>(&mut self, read: impl FnOnce(&Entry) -> T) -> Option<T> {
        let board = self.board.lock();
        let entry = self.left.find_map(|(target, place)| {
            let name = target.name.as_str();
            // A reload may have moved it.
            let entry = board.entries.get(place);
            entry
                .filter(|entry| entry.target.name == name)
                .or_else(|| board.entry(name))
        });
        entry.map(read)
    }
}

fn entries(
    board: &SharedBoard,
    sort: impl FnOnce(&mut Vec<(usize, &Entry)>),
) -> IntoIter<(Arc<Target>, usize)> {
    let board = board.lock();
    let mut entries: Vec<_> = board.entries.iter().enumerate().collect();
    sort(&mut entries);
    let targets = entries
        .into_iter()
        .map(|(place, entry)| (Arc::clone(&entry.target), place));
    // Not in place of the vector before, which is larger.
    let targets: Vec<_> = targets.collect();
    targets.into_iter()
}

#[cfg(test)]
mod tests {
    use privatelink_board::fixtures;

    use super::*;

    fn next(walk: &mut Walk) -> Option<String> {
        walk.next(|entry| entry.target.name.clone())
    }

    fn rest(mut walk: Walk) -> Vec<String> {
        std::iter::from_fn(|| next(&mut walk)).collect()
    }

    fn reload<'a>(board: &SharedBoard, names: impl IntoIterator<Item = &'a str>) {
        let targets = names
            .into_iter()
            .map(|name| Arc::new(fixtures::target(name)));
        board
            .lock()
            .adopt(&fixtures::plan(targets), fixtures::now());
    }

    fn board(names: &[&str]) -> SharedBoard {
        let board = fixtures::shared();
        reload(&board, names.iter().copied());
        board
    }

    #[test]
    fn every_target_is_visited_in_the_order_asked_for() {
        let names = ["b", "c", "a"];
        assert_eq!(rest(Walk::new(board(&names))), names);
        assert_eq!(rest(Walk::by_name(board(&names))), ["a", "b", "c"]);
        let by_key = Walk::by_key(board(&names), |entry| entry.target.name == "b");
        assert_eq!(rest(by_key), ["c", "a", "b"]);
    }

    #[test]
    fn a_reload_on_the_way_makes_no_target_come_twice_and_leaves_none_out_that_stays() {
        let board = board(&["b", "d", "a", "c", "e"]);
        let mut walk = Walk::by_name(board.clone());
        let first = [next(&mut walk), next(&mut walk)].map(|name| name.expect("a target"));
        assert_eq!(first, ["a", "b"]);
        reload(&board, ["new", "e", "c", "b", "aa"]);
        assert_eq!(rest(walk), ["c", "e"]);
    }
}
