//! Probe: gathering the facts of one target: resolve, classify, connect, handshake, ask. It judges
//! nothing.
//!
//! [`Prober`] leads through one probe, in the order of the files below.

mod nameserver;

mod exchange;
mod message;
mod rate_limit;
mod resolve;

mod connect;
mod connection_budget;
mod dial;
mod proxy;

mod certificate;
mod chain_cache;
mod handshake;
mod roots;
mod starttls;

mod service;

mod evidence;
mod evidence_cache;
mod per_server;
mod service_cache;
mod zone_cache;

mod prober;

#[cfg(fuzzing)]
pub mod fuzzing;

pub use self::evidence_cache::{Due, EvidenceCache};
pub use self::prober::{Prober, Settings};
pub use self::rate_limit::SLOW;
