//! Fleet: what the agents of all nodes say together: which nodes agree, what the failing ones have in
//! common, and whether public access may be turned off. Pure: no I/O, no runtime, no clock.

mod by_trait;
pub mod cause;
pub mod fleet;
pub mod gate;
mod group;
pub mod history;
mod hurt;
mod making;
mod moment;
mod node;
mod node_set;
pub mod pattern;
pub mod query;
pub mod report;
pub mod scope;
pub mod standing;
pub mod symptom;
mod table;
mod view;
mod words;

pub use self::by_trait::{Counted, NodesByTrait, NodesWith};
pub use self::fleet::Fleet;
pub use self::history::FleetHistory;
pub use self::moment::Moment;
pub use self::node::{Coverage, Node, Traits, WhyUncovered};
pub use self::query::FleetQuery;
pub use self::report::FleetReport;
pub use self::standing::Standing;
pub use self::view::{
    Cell, CellPaths, FleetTarget, Interned, PathState, PathView, View, ViewError,
};
