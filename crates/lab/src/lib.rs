//! Lab: DNS servers and TLS services on loopback, as a data file describes them.
//!
//! The scenario tests and `demo` run the real agent against such a world. A world needs no privilege
//! and no network. The lab knows the words of a verdict, and nothing of how the agent probes or judges.
//!
//! `tests/scenarios/README.md` describes the data file, with every key of it.
//!
//! Addresses: 127.0.1.0/24 and `::1` are private, 127.0.2.0/24 is public. 127.0.3.0/24 is private too,
//! for endpoints outside an expected subnet.

mod configuration;
mod directory;
mod dns;
mod endpoint;
mod error;
mod resolv_conf;
mod running;
mod tasks;
mod turn;
mod world;

pub use self::error::Error;
pub use self::running::RunningWorld;
pub use self::turn::Turn;
pub use self::world::{ExpectedVerdict, Scenario, World};

/// The world that `demo` shows: many targets, each broken in another way.
///
/// The name of a target ends in the reason of its verdict, with dashes for underscores.
pub fn demo() -> Result<World, Error> {
    World::parse(include_str!("demo.yaml"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::dns::Server;
    use crate::endpoint::{Endpoint, EndpointAddress};

    #[test]
    fn every_target_of_the_demo_is_named_after_its_reason() {
        let world = demo().expect("a world");
        for scenario in &world.scenarios {
            let reason = scenario.verdict.reason.as_str().replace('_', "-");
            let service = scenario.name().strip_suffix(&reason);
            let is_named_after_it =
                service.is_some_and(|service| service.is_empty() || service.ends_with('-'));
            assert!(is_named_after_it, "{} gets {reason}", scenario.name());
        }
        let reasons: BTreeSet<_> = world.scenarios.iter().map(|it| it.verdict.reason).collect();
        assert!(world.scenarios.len() >= 26, "{}", world.scenarios.len());
        assert!(reasons.len() >= 24, "{reasons:?}");
    }

    #[test]
    fn the_demo_simulates_nothing_since_the_agent_runs_on_the_real_machine() {
        let world = demo().expect("a world");
        assert!(world.endpoints.keys().all(EndpointAddress::is_real));
        assert!(world.resolv_conf.is_empty() && world.environment.is_empty());
        let simulated =
            |endpoint: &Endpoint| matches!(endpoint, Endpoint::Errno(_) | Endpoint::NoRoute);
        assert!(!world.endpoints.values().any(simulated));
    }

    #[tokio::test]
    async fn the_demo_starts_and_every_service_has_a_record_that_leads_to_it() {
        let world = demo().expect("a world");
        let in_records: BTreeSet<_> = world.servers.iter().flat_map(Server::addresses).collect();
        for address in world.endpoints.keys() {
            assert!(in_records.contains(&address.ip), "no record has {address}");
        }
        let running = RunningWorld::start(&world).await.expect("a running world");
        assert_eq!(running.dns.len(), 1);
        assert!(running.configuration.contains("public-fallback"));
        running.stop().await;
    }
}
