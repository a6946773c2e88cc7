//! An agent that asks, from every AKS node, whether each private service still resolves to its
//! private endpoint, answers, and presents the right certificate.
//!
//! Data goes one way, and each step is a crate: configuration (`privatelink_config`) → targets →
//! [`schedule`] → facts (`privatelink_probe`) → verdict (`privatelink_verdict`) → what is known now
//! (`privatelink_board`) → reports (`privatelink_report`). The [`agent`] takes every probe along this
//! way, [`http`] serves what the board holds, [`cli`] is what a person types.

pub mod agent;
pub mod cli;
pub mod http;
pub mod schedule;
