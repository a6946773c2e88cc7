//! Gate: may public access be turned off? Judged by the classes of addresses, never by outcomes: of every
//! private target on every node, did every path stay private, without a gap over five minutes, for the
//! window or for the node's life if that is shorter?
//!
//! What would break outweighs what is not known, and what is not known outweighs all that is well.

mod answer;
mod evidence;
mod judging;
mod statement;
mod targets;
mod why;

pub use self::answer::{Answer, Break, GateReport, NotJudged, Unknown};
pub(crate) use self::judging::judge;
pub use self::why::{WhyNotJudged, WhyUnknown};
