//! World: what a data file describes: DNS servers, what listens, targets, and the verdicts they must
//! get. `tests/scenarios/README.md` documents the file.

mod expected;
mod file;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

pub use self::expected::ExpectedVerdict;
use crate::dns::Server;
use crate::endpoint::{Endpoint, EndpointAddress};
use crate::error::Error;

/// A data file, read and checked.
#[derive(Clone, Debug)]
pub struct World {
    /// The targets, each with the verdict it must get; at least one.
    pub scenarios: Vec<Scenario>,
    /// Probes to make of each target before the verdict counts; at least 1.
    pub rounds: u32,
    /// Merged into the agent's configuration.
    pub(crate) config: Map<String, Value>,
    /// More settings of a resolver, by its name.
    pub(crate) resolvers: Map<String, Value>,
    /// Lines of a resolver's resolv.conf, by its name.
    pub(crate) resolv_conf: BTreeMap<String, String>,
    /// The variables of the environment.
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) servers: Vec<Server>,
    pub(crate) endpoints: BTreeMap<EndpointAddress, Endpoint>,
}

/// One target and the verdict that it must get.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Why the verdict is what it is.
    pub story: String,
    /// The target as the agent's configuration has it. It is a name alone for a target that the
    /// configuration makes of another scenario's, such as `contoso:data:westeurope`.
    pub(crate) target: Map<String, Value>,
    /// Holds for every target that the configuration makes of it, data endpoints too, unless those
    /// have a scenario of their own.
    pub verdict: ExpectedVerdict,
}

impl World {
    /// Reads a data file. Unknown keys and words are errors, with their line.
    pub fn parse(yaml: &str) -> Result<Self, Error> {
        file::read(yaml).map_err(Error::World)
    }
}

impl Scenario {
    /// The target's name: its `name`, else its host.
    pub fn name(&self) -> &str {
        let name = self.target.get("name").or_else(|| self.target.get("host"));
        name.and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether the configuration makes the target called `name` of this one.
    pub fn owns(&self, name: &str) -> bool {
        let rest = name.strip_prefix(self.name());
        rest.is_some_and(|rest| rest.starts_with(":data:"))
    }

    /// Whether the agent's configuration names the target, rather than making it of another one.
    pub(crate) fn is_configured(&self) -> bool {
        self.target.contains_key("host")
    }
}
