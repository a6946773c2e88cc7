//! An agent that asks, from every AKS node, whether each private service still resolves to its
//! private endpoint, answers, and presents the right certificate.
//!
//! Data goes one way: config → targets → schedule → resolve → classify → connect → handshake →
//! verdict → report.

pub mod board;
pub mod config;
pub mod probe;
pub mod schedule;
