//! Plan: what a configuration means: checked, defaulted and expanded, ready to run.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use privatelink_verdict::target::Target;

use crate::config::trust::Roots;

/// What a configuration means.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Every target, data endpoints expanded, in the order written.
    pub targets: Vec<Arc<Target>>,
    /// Every resolver, at least one; each target names one of them as its path.
    pub resolvers: Vec<Resolver>,
    /// The roots that certificates are verified against.
    pub roots: Arc<Roots>,
    /// How often a service may be asked for evidence.
    pub http_interval: Duration,
    /// How many series a target gets.
    pub metrics: Detail,
    /// What bounds the agent.
    pub limits: Limits,
    /// How many targets of each source were refused, with the reason in `warnings`.
    pub rejected: Rejected,
    /// What is doubtful, for a log line each.
    pub warnings: Vec<String>,
    /// Changes when, and only when, the content of the files behind the plan changes.
    pub hash: u64,
}

/// A way to resolve names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolver {
    /// Its name: a metric label.
    pub name: String,
    /// Where its servers come from.
    pub servers: Servers,
    /// Whether a difference to the path is a finding.
    pub must_agree: bool,
}

/// Where a resolver's servers come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Servers {
    /// Written in the configuration; port 53 unless given.
    Listed(Vec<SocketAddr>),
    /// A resolv.conf, read anew before every use.
    ResolvConf(PathBuf),
}

/// How many series a target gets (section 6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// All of them.
    #[default]
    Full,
    /// The few that alerts need, for very large fleets.
    Essential,
}

/// What bounds the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Targets of all sources together.
    pub max_targets: usize,
    /// Probes in flight.
    pub max_concurrent: usize,
    /// The shortest interval a target may have.
    pub min_interval: Duration,
    /// DNS messages a second, all resolvers together.
    pub max_dns_qps: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_targets: 500,
            max_concurrent: 32,
            min_interval: Duration::from_secs(5),
            max_dns_qps: 50,
        }
    }
}

/// How many targets of each source were refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rejected {
    /// Of the configuration: always 0, a bad one is refused as a whole.
    pub config: usize,
    /// Of `PrivateLinkTarget`s.
    pub crd: usize,
    /// Of what was discovered.
    pub discovered: usize,
}

impl Plan {
    /// The resolver with this name.
    pub fn resolver(&self, name: &str) -> Option<&Resolver> {
        self.resolvers.iter().find(|resolver| resolver.name == name)
    }
}
