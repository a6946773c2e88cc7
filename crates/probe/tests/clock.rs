//! Clock: the durations of a probe agree with those of the servers, which know when they read a message and
//! when they had answered it. Each stage is held up in turn, which must show in that stage alone.

use std::fmt::Write as _;
use std::time::Duration;

use privatelink_config::load_text;
use privatelink_lab::{RunningWorld, Turn, World};
use privatelink_probe::{EvidenceCache, Prober, Settings};
use privatelink_verdict::observation::Handshake;
use privatelink_verdict::reason::Stage;
use privatelink_verdict::target::Target;

/// How far the agent's clock may be from the servers', beside a tenth of what holds the probe up: half of the
/// time for which Linux delays an acknowledgement, so that an agent that waits for one is seen.
const OFFSET: Duration = Duration::from_millis(20);

/// How long a stage is held up.
const DELAY: Duration = Duration::from_millis(60);

/// Probes of a target, of which the closest counts: the machine may be busy.
const ROUNDS: usize = 5;

const STAGES: [Stage; 4] = [Stage::Dns, Stage::Connect, Stage::Tls, Stage::Http];

/// A target, and how long its servers hold up which stage.
#[derive(Clone, Debug)]
struct Case {
    host: String,
    protocol: &'static str,
    endpoint: String,
    held_up: Option<(Stage, Duration)>,
}

/// How long a stage took: by the agent's clock, and by the servers'.
#[derive(Clone, Copy, Debug)]
struct Clocks {
    agent: Duration,
    servers: Duration,
}

#[tokio::test]
async fn a_handshake_takes_as_long_as_the_server_says_in_every_protocol_and_version() {
    let mut cases = Vec::new();
    for (protocol, domain, endpoint, versions) in [
        ("tls", "test", "tls: TLS", "tls12 tls13"),
        ("postgres", "test", "postgres: {tls: TLS}", "tls12 tls13"),
        ("mysql", "test", "mysql: {tls: TLS}", "tls12 tls13"),
        ("tds", "test", "tds: {tls: TLS}", "tls12"),
        (
            "tls",
            "database.windows.net",
            "tdsStrict: TLS",
            "tls12 tls13",
        ),
    ] {
        for version in versions.split(' ') {
            for held_up in [None, Some((Stage::Tls, DELAY))] {
                let host = format!("host-{}.{domain}", cases.len());
                let delay = held_up.map_or(0, |(_, delay)| delay.as_millis());
                let tls = format!(
                    "{{names: [{host}], versions: [{version}], delay: {{handshake: {delay}ms}}}}"
                );
                cases.push(Case {
                    endpoint: endpoint.replace("TLS", &tls),
                    host,
                    protocol,
                    held_up,
                });
            }
        }
    }
    assert_clocks_agree(&cases, "", ROUNDS).await;
}

#[tokio::test]
async fn a_request_takes_as_long_as_the_service_says() {
    let cases = ["tls12", "tls13"].map(|version| Case {
        endpoint: format!(
            r#"tls: {{names: ["*.vault.azure.net"], versions: [{version}], delay: {{reply: 60ms}},
               reply: "HTTP/1.1 401 Unauthorized\nContent-Length: 2\n\nno"}}"#
        ),
        held_up: Some((Stage::Http, DELAY)),
        ..plain(&format!("{version}.vault.azure.net"))
    });
    assert_clocks_agree(&cases, "", ROUNDS).await;
}

#[tokio::test]
async fn resolving_takes_as_long_as_the_dns_server_says_over_udp_and_tcp() {
    let cases = ["udp.test", "tcp.test"].map(|host| Case {
        held_up: Some((Stage::Dns, DELAY)),
        ..plain(host)
    });
    // Questions with EDNS are evidence, which is asked for beside the connection.
    let faults = "{name: tcp.test, edns: false, transport: udp, then: truncate}, \
                  {edns: false, then: {delay: 60ms}}";
    assert_clocks_agree(&cases, faults, ROUNDS).await;
}

#[tokio::test]
async fn connecting_takes_until_the_repeated_syn_is_accepted() {
    // The kernel repeats a SYN that was dropped after a second.
    let dropped = Duration::from_millis(900);
    let case = Case {
        endpoint: "tls: {names: [late.test], delay: {connect: 900ms}}".to_owned(),
        held_up: Some((Stage::Connect, dropped)),
        ..plain("late.test")
    };
    assert_clocks_agree(&[case], "", 1).await;
}

/// A TLS service that holds nothing up.
fn plain(host: &str) -> Case {
    Case {
        host: host.to_owned(),
        protocol: "tls",
        endpoint: format!("tls: {{names: [{host}]}}"),
        held_up: None,
    }
}

/// Probes each of `cases` some rounds, with `faults` of the DNS server.
async fn assert_clocks_agree(cases: &[Case], faults: &str, rounds: usize) {
    let world = start(cases, faults).await;
    let plan = load_text("config.yaml", &world.configuration).expect("a plan");
    let settings = Settings {
        resolvers: plan.resolvers.clone(),
        ca_certificates: plan.ca_certificates.clone(),
        max_dns_qps: plan.limits.max_dns_qps,
        http_interval: plan.http_interval,
    };
    let prober = Prober::new(world.machine.clone(), settings);
    let mut disagreements = String::new();
    for (case, target) in cases.iter().zip(&plan.targets) {
        assert_eq!(case.host, target.host);
        let mut measured = Vec::new();
        for _ in 0..rounds {
            measured.push(probe(&prober, target, &world).await);
        }
        let (held_up, delay) = case.held_up.unwrap_or((Stage::None, Duration::ZERO));
        for (index, stage) in STAGES.into_iter().enumerate() {
            let clocks = measured.iter().map(|probe| probe[index]);
            if stage == held_up {
                assert!(clocks.clone().all(|it| it.servers >= delay), "{case:?}");
            }
            let closest = clocks.min_by_key(Clocks::difference).expect("a probe");
            if closest.difference() > OFFSET + delay / 10 {
                _ = writeln!(disagreements, "{stage}: {closest:?}, {case:?}");
            }
        }
    }
    assert!(disagreements.is_empty(), "\n{disagreements}");
    world.stop().await;
}

async fn start(cases: &[Case], faults: &str) -> RunningWorld {
    let mut scenarios = Vec::new();
    for (
        number,
        Case {
            host,
            protocol,
            endpoint,
            ..
        },
    ) in (1..).zip(cases)
    {
        scenarios.push(format!(
            "{{target: {{host: {host}, protocol: {protocol}, http: true}}, verdict: {{outcome: pass}}, \
             dns: {{records: [{host} A 127.0.1.{number}]}}, endpoints: {{127.0.1.{number}: {{{endpoint}}}}}}}"
        ));
    }
    let scenarios = scenarios.join(", ");
    let world = World::parse(&format!(
        "{{story: x, config: {{interval: 1h}}, scenarios: [{scenarios}], dns: {{faults: [{faults}]}}}}"
    ));
    let world = RunningWorld::start(&world.expect("a world")).await;
    world.expect("a running world")
}

/// One probe of `target`, by stage in the order of [`STAGES`].
async fn probe(prober: &Prober, target: &Target, world: &RunningWorld) -> [Clocks; 4] {
    world.take_turns();
    let observation = prober
        .probe(target, &mut EvidenceCache::default(), false)
        .await;
    let turns = world.take_turns();
    assert_eq!(
        observation.connections[0].handshake,
        Handshake::Ok,
        "{observation:?}"
    );
    let timing = observation.timing;
    let of = |stage| turns.iter().filter(move |turn| turn.stage == stage);
    let accepted = of(Stage::Connect)
        .map(|turn| turn.began)
        .max()
        .expect("accepted");
    // Evidence is asked for beside the connection, and after it.
    let resolving = of(Stage::Dns).filter(|turn| turn.ended <= accepted);
    let resolved = resolving
        .clone()
        .map(|turn| turn.ended)
        .max()
        .expect("resolved");
    let servers = [
        busy(resolving),
        accepted - resolved,
        busy(of(Stage::Tls)),
        busy(of(Stage::Http)),
    ];
    let agent = [timing.dns, timing.connect, timing.tls, timing.http];
    std::array::from_fn(|stage| Clocks {
        agent: agent[stage].unwrap_or_default(),
        servers: servers[stage],
    })
}

/// The time in which at least one of `turns` went on.
fn busy<'a>(turns: impl Iterator<Item = &'a Turn>) -> Duration {
    let mut turns: Vec<&Turn> = turns.collect();
    turns.sort_by_key(|turn| turn.began);
    let mut until = turns.first().map(|turn| turn.began);
    let mut busy = Duration::ZERO;
    for turn in turns {
        let began = until.map_or(turn.began, |until| until.max(turn.began));
        busy += turn.ended.saturating_duration_since(began);
        until = until.max(Some(turn.ended));
    }
    busy
}

impl Clocks {
    fn difference(&self) -> Duration {
        self.agent.abs_diff(self.servers)
    }
}
