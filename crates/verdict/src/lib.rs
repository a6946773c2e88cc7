//! What a probe is judged by: targets, observations, reasons, the catalogue and the judge.
//!
//! This crate is pure: it knows no runtime, no socket and no clock, so the same target, observation
//! and history always give the same verdict. The dependency list keeps it so.

pub mod address;
pub mod admission;
pub mod alias;
mod case;
pub mod catalogue;
pub mod duration;
pub mod fact;
pub mod history;
pub mod host;
pub mod judge;
pub mod name;
pub mod names;
pub mod observation;
pub mod prose;
mod protocol;
pub mod reason;
pub mod resolver;
pub mod sanitize;
pub mod service_evidence;
pub mod suggest;
pub mod surroundings;
pub mod target;
pub mod verdict;
mod words;
pub mod zone;
