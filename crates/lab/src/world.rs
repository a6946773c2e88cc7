//! World: the data file of the lab: DNS servers, what listens, targets, and what must come out.
//!
//! ```yaml
//! story: The private DNS zone is not linked to this network.
//! target: {host: kv-prod.vault.azure.net}     # as in the agent's configuration
//! verdict: {outcome: fail, reason: public_fallback}
//! dns:
//!   records:                                  # name [ttl] TYPE data; one recursive server knows all
//!     - kv-prod.vault.azure.net CNAME kv-prod.privatelink.vaultcore.azure.net
//!     - kv-prod.privatelink.vaultcore.azure.net CNAME data-prod-weu.vaultcore.azure.net
//!     - data-prod-weu.vaultcore.azure.net 60 A 127.0.2.10
//!     - privatelink.vaultcore.azure.net SOA public  # or `private`, or `mname rname`
//!   faults:                                   # the first that matches; all but `then` is optional
//!     - {name: "kv-*", type: AAAA, transport: udp, edns: false, times: 2, then: servfail}
//!   sequences:                                # every A question for the name begins a phase
//!     flaps.test: [[flaps.test A 127.0.1.1], [flaps.test A 127.0.2.1]]
//! endpoints:                                  # at one port for all, unless the key names another
//!   127.0.2.10: {tls: {names: ["*.vault.azure.net"]}}
//!   127.0.2.10:5671: closed
//!   127.0.1.10: {postgres: {tls: {names: [db.test]}}}   # or mysql, tds; or `postgres: noTls`
//!   "10.1.2.3:443": {tls: {names: ["*.vault.azure.net"]}}   # simulated, as all below
//!   127.0.1.11: {errno: EHOSTUNREACH}
//!   127.0.1.12: noRoute
//! resolvConf: {system: "search corp.example\noptions ndots:5 edns0"}
//! environment: {HTTPS_PROXY: "http://proxy.corp.example:3128", NO_PROXY: .svc}
//! rounds: 3                                   # probes of each target; the last one counts
//! ```
//!
//! What is simulated: an address that is none of loopback's, and a port below 1024, are served by a
//! stand-in on loopback; `errno` and `noRoute` are what the system says without being asked; the
//! servers of a `resolvConf`, which have no port to write, are stand-ins for the lab's; and
//! `environment` takes the place of the process's own. Probe from [`RunningWorld::machine`] to see
//! it. The rest is real sockets.
//!
//! Several stories share a world as `scenes`, each with its own target, verdict, records and
//! endpoints. Several `servers` take the place of `dns`, asked in order, or each under a `resolver`.

mod file;

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value, json};

use self::file::File;
use super::dns::Server;
use super::endpoint::{Endpoint, Place};
use super::expected::ExpectedVerdict;
use super::running::RunningWorld;

/// A data file, read and checked.
#[derive(Clone, Debug)]
pub struct World {
    /// What the world is about, in a sentence.
    pub story: String,
    /// The targets, each with the verdict it must get.
    pub scenes: Vec<Scene>,
    /// Probes to make of each target before the verdict counts; at least 1.
    pub rounds: u32,
    config: Map<String, Value>,
    resolvers: Map<String, Value>,
    /// Lines of a resolver's resolv.conf, by its name.
    pub(super) resolv_conf: BTreeMap<String, String>,
    pub(super) environment: BTreeMap<String, String>,
    pub(super) servers: Vec<Server>,
    pub(super) endpoints: BTreeMap<Place, Endpoint>,
}

/// One target and what must come out.
#[derive(Clone, Debug)]
pub struct Scene {
    /// Why the verdict is what it is; the world's where the scene has none of its own.
    pub story: String,
    /// The target as the agent's configuration has it; a name alone for one that the configuration
    /// makes of another scene's, such as `contoso:data:westeurope`.
    pub target: Map<String, Value>,
    /// Holds for every target that the configuration makes of it, data endpoints too, unless those
    /// have a scene of their own.
    pub verdict: ExpectedVerdict,
}

/// A data file that is none, with the place where it is wrong.
#[derive(Debug)]
pub struct WorldError(String);

impl World {
    /// Reads a data file. Unknown fields are errors.
    pub fn parse(yaml: &str) -> Result<Self, WorldError> {
        // `no` is a word, as in YAML 1.2, not a boolean.
        let options = serde_saphyr::options! { strict_booleans: true };
        let file: File = serde_saphyr::from_str_with_options(yaml, options)
            .map_err(|error| WorldError(error.to_string()))?;
        file.check().map_err(WorldError)
    }

    /// The agent's configuration for this world, as JSON, which is YAML too: its resolvers,
    /// classes, authority and targets, and over those the file's `config`.
    pub fn configuration(&self, running: &RunningWorld) -> String {
        let mut resolvers: Vec<(&str, Vec<String>)> = Vec::new();
        for (server, address) in self.servers.iter().zip(&running.dns) {
            let name = server.resolver();
            match resolvers.iter_mut().find(|(known, _)| *known == name) {
                Some((_, servers)) => servers.push(address.to_string()),
                None => resolvers.push((name, vec![address.to_string()])),
            }
        }
        let resolvers = resolvers.into_iter().map(|(name, servers)| {
            let mut resolver = match running.resolv_conf(name) {
                Some(path) => json!({"name": name, "resolvConf": path}),
                None => json!({"name": name, "servers": servers}),
            };
            if let Some(more) = self.resolvers.get(name) {
                merge(&mut resolver, more);
            }
            resolver
        });
        let written = self.scenes.iter().filter(|scene| scene.is_written());
        let targets = written.map(|scene| {
            let mut target = json!({"port": running.port});
            merge(&mut target, &Value::Object(scene.target.clone()));
            target
        });
        let mut configuration = json!({
            "resolvers": resolvers.collect::<Vec<_>>(),
            "classify": {
                "private": ["127.0.1.0/24", "127.0.3.0/24", "::1/128"],
                "public": ["127.0.2.0/24"],
            },
            "tls": {"caFiles": [running.ca_file()]},
            "targets": targets.collect::<Vec<_>>(),
        });
        merge(&mut configuration, &Value::Object(self.config.clone()));
        format!("{configuration:#}\n")
    }
}

impl Scene {
    /// The target's name: its `name`, else its host.
    pub fn name(&self) -> &str {
        let name = self.target.get("name").or_else(|| self.target.get("host"));
        name.and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether the target is in the agent's configuration, rather than made of one that is.
    fn is_written(&self) -> bool {
        self.target.contains_key("host")
    }

    /// Whether the configuration makes the target called `name` of this one.
    pub fn owns(&self, name: &str) -> bool {
        let rest = name.strip_prefix(self.name());
        rest.is_some_and(|rest| rest.starts_with(":data:"))
    }

    /// Whether the target's name ends in the reason of its verdict, with dashes for underscores:
    /// `public-fallback`, `key-vault-ok`.
    pub fn name_promises_its_reason(&self) -> bool {
        let reason = self.verdict.reason.replace('_', "-");
        self.name()
            .strip_suffix(&reason)
            .is_some_and(|service| service.is_empty() || service.ends_with('-'))
    }
}

impl fmt::Display for WorldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot read the lab's world: {}", self.0)
    }
}

impl std::error::Error for WorldError {}

/// Lays `over` onto `under`: objects key by key, anything else replaces.
fn merge(under: &mut Value, over: &Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (key, value) in over {
                merge(under.entry(key).or_insert(Value::Null), value);
            }
        }
        (under, over) => *under = over.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: &str = "target: {host: kv.vault.azure.net}\nverdict: {outcome: pass}\n";

    fn refused(yaml: &str) -> String {
        World::parse(yaml).expect_err("no world").to_string()
    }

    #[test]
    fn the_example_above_is_a_world() {
        let header = include_str!("world.rs")
            .lines()
            .filter_map(|line| line.strip_prefix("//! "));
        let example = header.skip_while(|line| *line != "```yaml").skip(1);
        let example: Vec<&str> = example.take_while(|line| *line != "```").collect();
        World::parse(&example.join("\n")).expect("a world");
    }

    #[test]
    fn a_mistake_is_told_with_its_line_and_its_text() {
        for (mistake, told) in [
            ("dns: {recrods: []}", "recrods"),
            (
                "dns:\n  records:\n    - a.test A 127.0.0",
                "`127.0.0` is no IPv4 address",
            ),
            ("dns: {faults: [{then: vanish}]}", "vanish"),
            (
                "endpoints: {127.0.1.1: {tls: {names: [], notAfter: soon}}}",
                "`soon` is no span",
            ),
            ("endpoints: {10.0.0.1: {errno: EWOULD}}", "EWOULD"),
            ("endpoints: {localhost: closed}", "`localhost` is no place"),
        ] {
            let error = refused(&format!("story: A test.\n{TARGET}{mistake}\n"));
            assert!(error.contains(told), "{told}: {error}");
            assert!(
                error.contains("line") || error.contains("-->"),
                "no place: {error}"
            );
        }
    }

    #[test]
    fn what_cannot_be_a_world_is_refused() {
        for (yaml, told) in [
            ("story: x", "no `target` and no `scenes`"),
            ("story: x\ntarget: {host: a}", "`target` has no `verdict`"),
            (
                "story: x\nverdict: {outcome: pass}",
                "`verdict` has no `target`",
            ),
            (
                "story: x\ntarget: {}\nverdict: {outcome: pass}",
                "no `host`",
            ),
        ] {
            let error = refused(yaml);
            assert!(error.contains(told), "{error}");
        }
        let error = refused(&format!("story: x\n{TARGET}resolvConf: {{node: ''}}"));
        assert!(error.contains("`node`, which has no server"), "{error}");
        let error = refused(&format!("story: x\n{TARGET}rounds: 0"));
        assert!(error.contains("`rounds` is 0"), "{error}");
        let error = refused(&format!("story: x\n{TARGET}dns: {{}}\nservers: [{{}}]"));
        assert!(error.contains("either `dns` or `servers`"), "{error}");
    }

    #[test]
    fn scenes_share_a_world_but_neither_name_nor_place() {
        let scene = "{target: {host: a.test}, verdict: {outcome: pass}, \
                     endpoints: {127.0.1.1: closed}}";
        let error = refused(&format!("{{story: x, scenes: [{scene}, {scene}]}}"));
        assert!(error.contains("endpoint at 127.0.1.1"), "{error}");
        let scene = "{target: {host: a.test}, verdict: {outcome: pass}}";
        let error = refused(&format!("{{story: x, scenes: [{scene}, {scene}]}}"));
        assert!(error.contains("named `a.test`"), "{error}");
    }

    #[tokio::test]
    async fn the_configuration_joins_the_world_and_what_the_file_says() {
        let world = World::parse(
            "story: Two resolvers.\n\
             target: {host: kv.test, owner: payments}\n\
             verdict: {outcome: warn, reason: resolver_disagreement}\n\
             config: {timeout: 3s, tls: {expiryWarning: 1h}, classify: {public: []}}\n\
             servers: [{resolver: pod}, {resolver: node}, {resolver: pod}]\n\
             resolvers: {node: {mustAgree: true}}\n",
        )
        .expect("a world");
        let running = RunningWorld::start(&world).await.expect("a running world");
        let configuration: Value =
            serde_json::from_str(&world.configuration(&running)).expect("JSON");
        let dns: Vec<String> = running.dns.iter().map(ToString::to_string).collect();
        assert_eq!(
            configuration,
            json!({
                "resolvers": [
                    {"name": "pod", "servers": [dns[0], dns[2]]},
                    {"name": "node", "servers": [dns[1]], "mustAgree": true},
                ],
                "classify": {
                    "private": ["127.0.1.0/24", "127.0.3.0/24", "::1/128"],
                    "public": [],
                },
                "tls": {"caFiles": [running.ca_file()], "expiryWarning": "1h"},
                "targets": [{"port": running.port, "host": "kv.test", "owner": "payments"}],
                "timeout": "3s",
            })
        );
        running.stop().await;
    }
}
