//! Lab: a world in a box: DNS servers and TLS services on loopback, described by a data file.
//!
//! It needs no privilege and no network, and it plays the world only: it knows nothing of how the
//! agent probes or judges. `demo` and the scenario tests run the real agent against it.
//!
//! Addresses: 127.0.1.0/24 and `::1` are private, 127.0.2.0/24 public, 127.0.3.0/24 private, for
//! endpoints outside an expected subnet. See [`World`] for the data file, and for what of a world is
//! simulated.

mod answer;
mod certificate;
mod directory;
mod dns;
mod endpoint;
mod error;
mod expected;
mod fault;
mod listeners;
mod records;
mod recursor;
mod resolv_conf;
mod running;
mod sequence;
mod serve;
mod span;
mod starttls;
mod tasks;
mod tls;
mod world;

pub use self::dns::{Question, Transport};
pub use self::error::LabError;
pub use self::expected::{ExpectedVerdict, Outcome};
pub use self::running::RunningWorld;
pub use self::world::{Scene, World, WorldError};

/// The world that `demo` shows: many targets, each broken in its own way.
///
/// A target's name ends in the reason it promises, with dashes for underscores.
pub fn demo() -> Result<World, WorldError> {
    World::parse(include_str!("demo.yaml"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_target_of_the_demo_promises_the_reason_it_must_get() {
        let world = demo().expect("a world");
        for scene in &world.scenes {
            assert!(scene.name_promises_its_reason(), "{}", scene.name());
        }
        let reasons: BTreeSet<&str> = world
            .scenes
            .iter()
            .map(|scene| scene.verdict.reason.as_str())
            .collect();
        assert!(world.scenes.len() >= 26, "{}", world.scenes.len());
        assert!(reasons.len() >= 24, "{reasons:?}");
    }

    #[test]
    fn a_target_that_promises_another_reason_is_seen() {
        for (name, kept) in [
            ("public-fallback", true),
            ("key-vault-public-fallback", true),
            ("public-fallback-zone-linked", false),
            ("republic-fallback", false),
        ] {
            let world = World::parse(&format!(
                "story: x\ntarget: {{host: a.test, name: {name}}}\n\
                 verdict: {{outcome: fail, reason: public_fallback}}"
            ));
            let scene = &world.expect("a world").scenes[0];
            assert_eq!(scene.name_promises_its_reason(), kept, "{name}");
        }
    }

    #[test]
    fn the_demo_is_all_real_since_the_agent_runs_on_its_own_machine() {
        let world = demo().expect("a world");
        assert!(world.endpoints.keys().all(endpoint::Place::is_real));
        assert!(world.resolv_conf.is_empty() && world.environment.is_empty());
        let played = |endpoint: &endpoint::Endpoint| {
            use endpoint::Endpoint::{Errno, NoRoute};
            matches!(endpoint, Errno(_) | NoRoute)
        };
        assert!(!world.endpoints.values().any(played));
    }

    #[tokio::test]
    async fn the_demo_starts_and_every_service_has_a_record_that_leads_to_it() {
        let world = demo().expect("a world");
        let led_to: BTreeSet<_> = world
            .servers
            .iter()
            .flat_map(dns::Server::addresses)
            .collect();
        for place in world.endpoints.keys() {
            assert!(
                led_to.contains(&place.ip),
                "no record leads to {}",
                place.ip
            );
        }
        let running = RunningWorld::start(&world).await.expect("a running world");
        assert_eq!(running.dns.len(), 1);
        assert!(world.configuration(&running).contains("public-fallback"));
        running.stop().await;
    }
}
