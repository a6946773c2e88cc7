//! An agent that asks, from every AKS node, whether each private service still resolves to its
//! private endpoint, answers, and presents the right certificate.
//!
//! Data goes one way: [`config`] → targets → [`schedule`] → [`probe`] (resolve → classify → connect →
//! handshake) → verdict (the crate `privatelink_verdict`) → [`board`] → [`report`]. The [`agent`]
//! turns the wheel, [`http`] serves what the board holds, [`cli`] is what a person types.

pub mod agent;
pub mod board;
pub mod cli;
pub mod config;
pub mod http;
#[cfg(feature = "lab")]
pub mod lab;
pub mod machine;
mod near;
pub mod probe;
pub mod report;
pub mod rounds;
pub mod schedule;
pub mod wire;
