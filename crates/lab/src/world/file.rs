//! File: the data file of a world as it is written, checked into a [`World`].

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::super::dns::Server;
use super::super::endpoint::{Endpoint, Place};
use super::super::expected::ExpectedVerdict;
use super::super::fault::Rule;
use super::super::records::Line;
use super::{Scene, World};

/// The data file, read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct File {
    story: String,
    target: Option<Map<String, Value>>,
    verdict: Option<ExpectedVerdict>,
    #[serde(default)]
    scenes: Vec<SceneFile>,
    /// Merged into the agent's configuration.
    #[serde(default)]
    config: Map<String, Value>,
    dns: Option<Server>,
    #[serde(default)]
    servers: Vec<Server>,
    /// More settings of a resolver, by its name.
    #[serde(default)]
    resolvers: Map<String, Value>,
    /// Lines of the resolv.conf that a resolver reads, by its name. The lab adds its servers unless
    /// the lines name others.
    #[serde(default)]
    resolv_conf: BTreeMap<String, String>,
    /// The variables of the environment.
    #[serde(default)]
    environment: BTreeMap<String, String>,
    #[serde(default)]
    endpoints: BTreeMap<Place, Endpoint>,
    #[serde(default = "once")]
    rounds: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SceneFile {
    story: Option<String>,
    target: Map<String, Value>,
    verdict: ExpectedVerdict,
    /// What the first server knows besides.
    #[serde(default)]
    dns: Knowledge,
    #[serde(default)]
    endpoints: BTreeMap<Place, Endpoint>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Knowledge {
    records: Vec<Line>,
    sequences: BTreeMap<String, Vec<Vec<Line>>>,
    faults: Vec<Rule>,
}

impl File {
    /// The world that it describes, or what is wrong with it.
    pub(super) fn check(self) -> Result<World, String> {
        let mut scenes = match (self.target, self.verdict) {
            (Some(target), Some(verdict)) => vec![Scene {
                story: self.story.clone(),
                target,
                verdict,
            }],
            (None, None) => vec![],
            (Some(_), None) => return Err("`target` has no `verdict`".to_owned()),
            (None, Some(_)) => return Err("`verdict` has no `target`".to_owned()),
        };
        let mut servers = match self.dns {
            Some(_) if !self.servers.is_empty() => {
                return Err("give either `dns` or `servers`".to_owned());
            }
            Some(server) => vec![server],
            None if self.servers.is_empty() => vec![Server::default()],
            None => self.servers,
        };
        let mut endpoints = self.endpoints;
        for scene in self.scenes {
            if let Some(first) = servers.first_mut() {
                first.records.extend(scene.dns.records);
                first.sequences.extend(scene.dns.sequences);
                first.faults.extend(scene.dns.faults);
            }
            for (place, endpoint) in scene.endpoints {
                if endpoints.insert(place, endpoint).is_some() {
                    return Err(format!("two scenes have an endpoint at {}", place.ip));
                }
            }
            scenes.push(Scene {
                story: scene.story.unwrap_or_else(|| self.story.clone()),
                target: scene.target,
                verdict: scene.verdict,
            });
        }
        if scenes.is_empty() {
            return Err("it has no `target` and no `scenes`".to_owned());
        }
        let mut names = BTreeSet::new();
        for scene in &scenes {
            let owned = || scenes.iter().any(|other| other.owns(scene.name()));
            if !scene.is_written() && !owned() {
                return Err("a target has no `host`".to_owned());
            }
            if !names.insert(scene.name()) {
                return Err(format!("two targets are named `{}`", scene.name()));
            }
        }
        for resolver in self.resolv_conf.keys() {
            if !servers.iter().any(|server| server.resolver() == resolver) {
                return Err(format!(
                    "`resolvConf` names the resolver `{resolver}`, which has no server"
                ));
            }
        }
        if self.rounds == 0 {
            return Err("`rounds` is 0: a verdict takes at least one probe".to_owned());
        }
        Ok(World {
            story: self.story,
            scenes,
            rounds: self.rounds,
            config: self.config,
            resolvers: self.resolvers,
            resolv_conf: self.resolv_conf,
            environment: self.environment,
            servers,
            endpoints,
        })
    }
}

const fn once() -> u32 {
    1
}
