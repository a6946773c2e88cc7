//! x
#[cfg(feature = "lab")]
pub mod lab;
