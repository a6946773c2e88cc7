//! Gate: may public access be turned off? Judged by the classes of addresses, never by outcomes.

mod answer;

pub use self::answer::{Answer, Break, GateReport, NotJudged, Unknown};
