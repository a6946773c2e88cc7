//! Fuzz: each function takes one input of a target of the same name, gives it to what reads such input, and
//! panics if what comes of it breaks a promise: see [`promise`]. A panic of the reader itself is found too.

mod cluster;
mod file;
mod peer;
mod promise;
mod split;

pub use cluster::{discovery, private_link_target, summary};
pub use file::{config, resolv_conf, target_file};
pub use peer::{certificate, dns, http, starttls, tls};
