//! Config: what the user wrote, made into a plan: raw → plan.

pub mod plan;
pub mod trust;
