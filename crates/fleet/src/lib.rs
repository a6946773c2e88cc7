//! Fleet: what the agents of all nodes say together: which nodes agree, what the failing ones have in
//! common, and whether public access may be turned off. Pure: no I/O, no runtime, no clock.

mod moment;
mod node;
mod view;

pub use self::moment::Moment;
pub use self::node::{Coverage, Node, Traits, WhyUncovered};
pub use self::view::{Cell, PathState, Target, View};
