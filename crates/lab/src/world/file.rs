//! File: the data file of a world as it is written, checked into a [`World`].

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

use privatelink_verdict::suggest::did_you_mean;
use serde::Deserialize;
use serde_json::{Map, Value};
use serde_saphyr::{Location, Spanned};

use super::{ExpectedVerdict, Scenario, World};
use crate::dns::{FaultRule, Phases, RecordLine, RecordName, Server};
use crate::endpoint::{Endpoint, EndpointAddress};

/// Reads a data file; an error says what is wrong, and where.
pub(super) fn read(yaml: &str) -> Result<World, String> {
    // `no` is a word, as in YAML 1.2, not a boolean.
    let options = serde_saphyr::options! { strict_booleans: true };
    serde_saphyr::from_str_with_options::<WorldFile>(yaml, options)
        .map_err(|error| explained(&error))?
        .check()
}

/// The data file, read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WorldFile {
    story: String,
    target: Option<Spanned<Map<String, Value>>>,
    verdict: Option<Spanned<ExpectedVerdict>>,
    #[serde(default)]
    scenarios: Vec<ScenarioFile>,
    #[serde(default)]
    config: Map<String, Value>,
    dns: Option<Server>,
    servers: Option<Spanned<Vec<Server>>>,
    #[serde(default)]
    resolvers: Map<String, Value>,
    #[serde(default)]
    resolv_conf: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    #[serde(default)]
    endpoints: BTreeMap<EndpointAddress, Endpoint>,
    #[serde(default = "once")]
    rounds: NonZeroU32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ScenarioFile {
    story: Option<String>,
    target: Spanned<Map<String, Value>>,
    verdict: ExpectedVerdict,
    /// What the first server knows in addition.
    #[serde(default)]
    dns: ScenarioDns,
    #[serde(default)]
    endpoints: BTreeMap<EndpointAddress, Endpoint>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct ScenarioDns {
    records: Vec<RecordLine>,
    sequences: BTreeMap<RecordName, Phases>,
    faults: Vec<FaultRule>,
}

impl WorldFile {
    /// The world that the file describes, or what is wrong with it.
    fn check(self) -> Result<World, String> {
        let written = all_scenarios(self.target, self.verdict, self.scenarios)?;
        let mut servers = match (self.dns, self.servers) {
            (Some(_), Some(servers)) => {
                return Err(at(servers.referenced, "give either `dns` or `servers`"));
            }
            (None, Some(servers)) => servers.value,
            (dns, None) => vec![dns.unwrap_or_default()],
        };
        let mut endpoints = self.endpoints;
        let mut scenarios = Vec::new();
        let mut targets = Vec::new();
        for scenario in written {
            let place = scenario.target.referenced;
            if let Some(first) = servers.first_mut() {
                first.records.extend(scenario.dns.records);
                first.sequences.extend(scenario.dns.sequences);
                first.faults.extend(scenario.dns.faults);
            }
            for (address, endpoint) in scenario.endpoints {
                if endpoints.insert(address, endpoint).is_some() {
                    let wrong = format!("another scenario has an endpoint at {address}, too");
                    return Err(at(place, &wrong));
                }
            }
            targets.push(place);
            scenarios.push(Scenario {
                story: scenario.story.unwrap_or_else(|| self.story.clone()),
                target: scenario.target.value,
                verdict: scenario.verdict,
            });
        }
        check_names(&scenarios, &targets)?;
        for (resolver, lines) in &self.resolv_conf {
            if !servers.iter().any(|server| server.resolver() == resolver) {
                let wrong = format!("the resolver `{resolver}` has no server");
                return Err(at(lines.referenced, &wrong));
            }
        }
        let resolv_conf = self.resolv_conf.into_iter();
        Ok(World {
            scenarios,
            rounds: self.rounds.get(),
            config: self.config,
            resolvers: self.resolvers,
            resolv_conf: resolv_conf
                .map(|(name, lines)| (name, lines.value))
                .collect(),
            environment: self.environment,
            servers,
            endpoints,
        })
    }
}

/// The scenarios of a file, also where it has one `target` and `verdict` instead.
fn all_scenarios(
    target: Option<Spanned<Map<String, Value>>>,
    verdict: Option<Spanned<ExpectedVerdict>>,
    mut scenarios: Vec<ScenarioFile>,
) -> Result<Vec<ScenarioFile>, String> {
    match (target, verdict) {
        (Some(target), Some(verdict)) => {
            let scenario = ScenarioFile {
                story: None,
                target,
                verdict: verdict.value,
                dns: ScenarioDns::default(),
                endpoints: BTreeMap::new(),
            };
            scenarios.insert(0, scenario);
        }
        (Some(target), None) => {
            return Err(at(target.referenced, "this target has no `verdict`"));
        }
        (None, Some(verdict)) => {
            return Err(at(verdict.referenced, "this verdict has no `target`"));
        }
        (None, None) if scenarios.is_empty() => {
            return Err("it has neither a `target` nor `scenarios`".to_owned());
        }
        (None, None) => {}
    }
    Ok(scenarios)
}

/// Checks that every target has a name of its own, and a host unless the configuration makes it of another
/// target.
fn check_names(scenarios: &[Scenario], targets: &[Location]) -> Result<(), String> {
    let mut names = BTreeSet::new();
    for (scenario, place) in scenarios.iter().zip(targets) {
        let name = scenario.name();
        if !scenario.is_configured() && !scenarios.iter().any(|other| other.owns(name)) {
            return Err(at(*place, "this target has no `host`"));
        }
        if !names.insert(name) {
            return Err(at(*place, &format!("two targets are named `{name}`")));
        }
    }
    Ok(())
}

/// The library's message with its snippet, and the nearest spelling of a word that there is not.
fn explained(error: &serde_saphyr::Error) -> String {
    let hint =
        unknown_word(error).and_then(|(word, valid)| did_you_mean(word, valid.iter().copied()));
    let message = error.to_string();
    let message = message.trim_start_matches("error: ");
    match hint {
        Some(hint) => format!("{message}\n{hint}"),
        None => message.to_owned(),
    }
}

/// The key or word that there is not, and those that there are.
fn unknown_word(error: &serde_saphyr::Error) -> Option<(&str, &[&'static str])> {
    use serde_saphyr::Error::{SerdeUnknownField, SerdeUnknownVariant};
    match error.without_snippet() {
        SerdeUnknownField {
            field: word,
            expected,
            ..
        }
        | SerdeUnknownVariant {
            variant: word,
            expected,
            ..
        } => Some((word, expected)),
        _ => None,
    }
}

fn at(place: Location, wrong: &str) -> String {
    format!("line {}, column {}: {wrong}", place.line(), place.column())
}

const fn once() -> NonZeroU32 {
    NonZeroU32::MIN
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: &str = "target: {host: kv.vault.azure.net}\nverdict: {outcome: pass}\n";

    fn refused(yaml: &str) -> String {
        read(yaml).expect_err("no world")
    }

    #[test]
    fn a_mistake_is_refused_with_its_line_and_what_is_wrong() {
        for (mistake, message) in [
            ("rounds: 0", "nonzero"),
            (
                "dns:\n  records:\n    - a.test A 127.0.0",
                "`127.0.0` is no IPv4 address",
            ),
            ("dns: {faults: [{then: {delay: -1s}}]}", "-1s"),
            (
                "endpoints: {127.0.1.1: {tls: {names: [], notAfter: soon}}}",
                "soon",
            ),
            ("endpoints: {10.0.0.1: {errno: EWOULD}}", "EWOULD"),
            (
                "endpoints: {localhost: closed}",
                "`localhost` is no address",
            ),
            (
                "resolvConf: {node: ''}",
                "the resolver `node` has no server",
            ),
            ("dns: {}\nservers: [{}]", "either `dns` or `servers`"),
        ] {
            let error = refused(&format!("story: A test.\n{TARGET}{mistake}\n"));
            assert!(error.contains(message), "{message}: {error}");
            assert!(error.contains("line "), "no place: {error}");
        }
    }

    #[test]
    fn a_misspelt_word_is_refused_with_its_line_and_the_nearest_spelling() {
        for (mistake, near) in [
            ("dns: {recrods: []}", "records"),
            ("dns: {faults: [{then: servfial}]}", "servfail"),
            ("dns: {faults: [{typ: A, then: empty}]}", "type"),
            ("dns: {udp: close}", "closed"),
            ("endpoints: {127.0.1.1: blackholle}", "blackhole"),
            (
                "endpoints: {127.0.1.1: {tls: {names: [], notafter: -1d}}}",
                "notAfter",
            ),
            ("resolveConf: {}", "resolvConf"),
        ] {
            let error = refused(&format!("story: A test.\n{TARGET}{mistake}\n"));
            assert!(
                error.contains(&format!("did you mean `{near}`?")),
                "{error}"
            );
            assert!(error.contains("line 4"), "no place: {error}");
        }
        let error = refused(
            "story: x\ntarget: {host: a}\nverdict: {outcome: fail, absent: [tls_time_out]}",
        );
        assert!(error.contains("did you mean `tls_timeout`?"), "{error}");
        assert!(error.contains("line 3"), "{error}");
    }

    #[test]
    fn a_file_without_a_whole_scenario_is_refused() {
        for (yaml, message) in [
            ("story: x", "neither a `target` nor `scenarios`"),
            (
                "story: x\ntarget: {host: a}",
                "line 2, column 9: this target has no `verdict`",
            ),
            (
                "story: x\nverdict: {outcome: pass}",
                "line 2, column 10: this verdict has no `target`",
            ),
            (
                "story: x\ntarget: {}\nverdict: {outcome: pass}",
                "line 2, column 9: this target has no `host`",
            ),
        ] {
            let error = refused(yaml);
            assert!(error.contains(message), "{error}");
        }
    }

    #[test]
    fn scenarios_share_a_world_but_neither_name_nor_address() {
        let scenario = "{target: {host: a.test}, verdict: {outcome: pass}, \
                        endpoints: {127.0.1.1: closed}}";
        let error = refused(&format!(
            "{{story: x, scenarios: [{scenario},\n {scenario}]}}"
        ));
        assert!(error.contains("line 2"), "{error}");
        assert!(error.contains("an endpoint at 127.0.1.1, too"), "{error}");
        let scenario = "{target: {host: a.test}, verdict: {outcome: pass}}";
        let error = refused(&format!(
            "{{story: x, scenarios: [{scenario}, {scenario}]}}"
        ));
        assert!(error.contains("named `a.test`"), "{error}");
    }

    /// Read at run time: the image is built from the sources without this file.
    fn documentation() -> String {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../tests/scenarios/README.md"
        );
        std::fs::read_to_string(path).expect("the documentation")
    }

    #[test]
    fn the_examples_of_the_documentation_are_worlds() {
        let documentation = documentation();
        let blocks = documentation.split("```yaml\n").skip(1);
        let examples: Vec<&str> = blocks.filter_map(|rest| rest.split("```").next()).collect();
        assert_eq!(examples.len(), 2);
        for example in examples {
            read(example).expect("a world");
        }
    }

    #[test]
    fn the_documentation_has_every_key_and_word_of_a_data_file() {
        let documentation = documentation();
        // What a refusal names as valid is the whole set.
        for misspelt in [
            "x: 1",
            "verdict: {outcome: pass, x: 1}",
            "scenarios: [{x: 1}]",
            "scenarios: [{dns: {x: 1}}]",
            "dns: {x: 1}",
            "dns: {udp: x}",
            "dns: {soa: x}",
            "dns: {faults: [{x: 1}]}",
            "dns: {faults: [{then: x}]}",
            "endpoints: {127.0.1.1: x}",
            "endpoints: {127.0.1.1: {errno: x}}",
            "endpoints: {127.0.1.1: {icmp: {x: 1}}}",
            "endpoints: {127.0.1.1: {mysql: x}}",
            "endpoints: {127.0.1.1: {tls: {x: 1}}}",
            "endpoints: {127.0.1.1: {tls: {issuer: x}}}",
            "endpoints: {127.0.1.1: {tls: {intermediate: x}}}",
            "endpoints: {127.0.1.1: {tls: {usage: x}}}",
            "endpoints: {127.0.1.1: {tls: {algorithm: x}}}",
            "endpoints: {127.0.1.1: {tls: {versions: [x]}}}",
            "endpoints: {127.0.1.1: {tls: {delivery: x}}}",
            "endpoints: {127.0.1.1: {tls: {delay: {x: 1}}}}",
        ] {
            let error = serde_saphyr::from_str::<WorldFile>(misspelt)
                .err()
                .expect("refused");
            let (_, valid) = unknown_word(&error).expect("an unknown word");
            for word in valid {
                let spellings = [
                    format!("`{word}`"),
                    format!("{word}: "),
                    format!("[{word}]"),
                ];
                let is_documented = spellings.iter().any(|it| documentation.contains(it));
                assert!(is_documented, "{word} is missing");
            }
        }
    }
}
