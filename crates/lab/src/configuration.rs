//! Configuration: the agent's configuration for a running world.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::world::World;

/// What the agent must know of a running world.
pub(crate) struct ConfigurationParts<'a> {
    /// Its DNS servers, in the order of the data file.
    pub(crate) dns: &'a [SocketAddr],
    /// The port of every endpoint that names none.
    pub(crate) port: u16,
    /// The resolv.conf of a resolver that has one.
    pub(crate) resolv_confs: &'a BTreeMap<String, PathBuf>,
    /// The certificate to trust.
    pub(crate) ca_file: &'a Path,
}

/// The agent's configuration for `world`, as JSON, which is YAML too: resolvers, classes, authority
/// and targets, and over those the `config` of the data file.
pub(crate) fn configuration(world: &World, parts: &ConfigurationParts<'_>) -> String {
    let mut servers_of: Vec<(&str, Vec<String>)> = Vec::new();
    for (server, address) in world.servers.iter().zip(parts.dns) {
        let name = server.resolver();
        match servers_of.iter_mut().find(|(known, _)| *known == name) {
            Some((_, servers)) => servers.push(address.to_string()),
            None => servers_of.push((name, vec![address.to_string()])),
        }
    }
    let resolvers = servers_of.into_iter().map(|(name, servers)| {
        let mut resolver = match parts.resolv_confs.get(name) {
            Some(path) => json!({"name": name, "resolvConf": path}),
            None => json!({"name": name, "servers": servers}),
        };
        if let Some(more) = world.resolvers.get(name) {
            merge(&mut resolver, more);
        }
        resolver
    });
    let configured = world.scenarios.iter().filter(|it| it.is_configured());
    let targets = configured.map(|scenario| {
        let mut target = json!({"port": parts.port});
        merge(&mut target, &Value::Object(scenario.target.clone()));
        target
    });
    let mut configuration = json!({
        "resolvers": resolvers.collect::<Vec<_>>(),
        "classify": {
            "private": ["127.0.1.0/24", "127.0.3.0/24", "::1/128"],
            "public": ["127.0.2.0/24"],
        },
        "tls": {"caFiles": [parts.ca_file]},
        "targets": targets.collect::<Vec<_>>(),
    });
    merge(&mut configuration, &Value::Object(world.config.clone()));
    format!("{configuration:#}\n")
}

/// Lays `over` onto `under`: objects key by key, anything else reparts.
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

    #[test]
    fn the_configuration_joins_the_world_and_what_the_file_says() {
        let world = World::parse(
            "story: Two resolvers.\n\
             target: {host: kv.test, owner: payments}\n\
             verdict: {outcome: warn, reason: resolver_disagreement}\n\
             config: {timeout: 3s, tls: {expiryWarning: 1h}, classify: {public: []}}\n\
             servers: [{resolver: pod}, {resolver: node}, {resolver: pod}]\n\
             resolvers: {node: {mustAgree: true}}\n\
             resolvConf: {node: 'options ndots:5'}\n",
        );
        let dns = [4053, 4054, 4055].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let resolv_confs = [("node".to_owned(), PathBuf::from("/tmp/resolv.conf"))].into();
        let configuration = configuration(
            &world.expect("a world"),
            &ConfigurationParts {
                dns: &dns,
                port: 8443,
                resolv_confs: &resolv_confs,
                ca_file: Path::new("/tmp/ca.pem"),
            },
        );
        assert_eq!(
            serde_json::from_str::<Value>(&configuration).expect("JSON"),
            json!({
                "resolvers": [
                    {"name": "pod", "servers": ["127.0.0.1:4053", "127.0.0.1:4055"]},
                    {"name": "node", "resolvConf": "/tmp/resolv.conf", "mustAgree": true},
                ],
                "classify": {
                    "private": ["127.0.1.0/24", "127.0.3.0/24", "::1/128"],
                    "public": [],
                },
                "tls": {"caFiles": ["/tmp/ca.pem"], "expiryWarning": "1h"},
                "targets": [{"port": 8443, "host": "kv.test", "owner": "payments"}],
                "timeout": "3s",
            })
        );
    }
}
