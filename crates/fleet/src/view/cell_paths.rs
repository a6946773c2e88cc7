//! Cell paths: what each path to one target answers on one node, kept in little memory: a large fleet has a
//! million of them, and nearly every cell has two.

use std::fmt;
use std::sync::Arc;

use privatelink_verdict::address::ClassSet;

use super::PathState;
use crate::Moment;

/// What each path to a target answers on one node: the one that it is judged by first, then the others.
#[derive(Clone, Default, PartialEq)]
pub struct CellPaths {
    /// The names of the resolvers, shared by cells that have the same.
    resolvers: Arc<Vec<Arc<str>>>,
    states: [Packed; 2],
    others: Box<[Packed]>,
}

/// What one of them answers. Moments are kept as seconds, 0 for none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Packed {
    answered_since: u32,
    last_non_private: u32,
    classes: ClassSet,
}

/// What one path to a target answers on one node, to be read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PathView<'a> {
    /// The resolver's name, shared by all nodes.
    pub resolver: &'a Arc<str>,
    /// The classes of the latest answer; empty where the latest question got no address.
    pub classes: ClassSet,
    /// Since when it was answered without a gap; `None` while there is a gap.
    pub answered_since: Option<Moment>,
    /// When an answer last had an address that is not private.
    pub last_non_private: Option<Moment>,
}

impl CellPaths {
    pub(super) fn new(resolvers: Arc<Vec<Arc<str>>>, paths: &[PathState]) -> Self {
        let mut states = paths.iter().map(Packed::new);
        Self {
            resolvers,
            states: [(); 2].map(|()| states.next().unwrap_or_default()),
            others: states.collect(),
        }
    }

    /// Each path.
    pub fn iter(&self) -> impl Iterator<Item = PathView<'_>> {
        let states = self.states.iter().chain(&self.others);
        self.resolvers
            .iter()
            .zip(states)
            .map(|(resolver, state)| state.view(resolver))
    }

    /// The same without moments.
    #[must_use]
    pub(crate) fn without_times(&self) -> Self {
        let timeless = |state: &Packed| Packed {
            classes: state.classes,
            ..Packed::default()
        };
        Self {
            resolvers: Arc::clone(&self.resolvers),
            states: self.states.each_ref().map(timeless),
            others: self.others.iter().map(timeless).collect(),
        }
    }
}

impl Packed {
    fn new(path: &PathState) -> Self {
        let seconds = |moment: Option<Moment>| moment.map_or(0, |moment| moment.0);
        Self {
            answered_since: seconds(path.answered_since),
            last_non_private: seconds(path.last_non_private),
            classes: path.classes,
        }
    }

    fn view<'a>(&self, resolver: &'a Arc<str>) -> PathView<'a> {
        let moment = |seconds: u32| (seconds > 0).then_some(Moment(seconds));
        PathView {
            resolver,
            classes: self.classes,
            answered_since: moment(self.answered_since),
            last_non_private: moment(self.last_non_private),
        }
    }
}

impl fmt::Debug for CellPaths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Without sharing anything.
impl FromIterator<PathState> for CellPaths {
    fn from_iter<I: IntoIterator<Item = PathState>>(paths: I) -> Self {
        let paths: Vec<PathState> = paths.into_iter().collect();
        let resolvers = paths.iter().map(|path| Arc::clone(&path.resolver));
        Self::new(Arc::new(resolvers.collect()), &paths)
    }
}

impl From<PathView<'_>> for PathState {
    fn from(path: PathView<'_>) -> Self {
        Self {
            resolver: Arc::clone(path.resolver),
            classes: path.classes,
            answered_since: path.answered_since,
            last_non_private: path.last_non_private,
        }
    }
}

#[cfg(test)]
mod tests {
    use privatelink_verdict::address::Class;

    use super::*;
    use crate::Cell;

    #[test]
    fn every_path_is_read_as_it_was_written_however_many_there_are() {
        for count in 0..5_u32 {
            let paths = (0..count).map(|n| PathState {
                resolver: format!("r{n}").into(),
                classes: [Class::ALL[n as usize % 4]].into_iter().collect(),
                answered_since: (n % 2 == 0).then_some(Moment(n + 1)),
                last_non_private: (n % 2 == 1).then_some(Moment(n + 7)),
            });
            let paths: Vec<PathState> = paths.collect();
            let kept: CellPaths = paths.iter().cloned().collect();
            let read: Vec<PathState> = kept.iter().map(PathState::from).collect();
            assert_eq!(read, paths);
        }
    }

    #[test]
    fn a_cell_takes_little_memory() {
        assert_eq!(size_of::<Cell>(), 72);
    }
}
