//! Campaign: runs the phases of campaign.yaml, one after the other, and says what came of each.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::Path;
use std::time::Duration;

use privatelink_lab::RunningWorld;
use tokio::time::{Instant, sleep};

use crate::agent::{ADDRESS, Agent, Surroundings, remove_cgroup, shell};
use crate::configuration::Configuration;
use crate::fault::{Action, Fault, Phase, phases};
use crate::http;
use crate::invariants::{Expectation, Figures, Invariants, SETTLE, Violation};
use crate::metrics::Metrics;
use crate::report::Row;
use crate::watch::Watch;
use crate::world::{self, GOOD, GROUPS, Group, INTERVAL};
use crate::{say, self_test};

/// How soon the agent must be gone after SIGTERM.
const ORDERLY: Duration = Duration::from_secs(5);

/// How much later than other changes one of a file is noticed that no signal announces: the agent looks at
/// its files every 5 s.
const UNANNOUNCED: Duration = Duration::from_secs(6);

/// Which local ports the kernel gives where it has hardly any.
const LAST_PORTS: [u16; 2] = [61_000, 61_001];
const PORT_RANGE: &str = "/proc/sys/net/ipv4/ip_local_port_range";

/// What came of a campaign.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) rows: Vec<Row>,
    pub(crate) violations: Vec<Violation>,
}

struct Campaign<'a> {
    folder: &'a Path,
    is_bounded: bool,
    lab: RunningWorld,
    configuration: Configuration,
    agent: Agent,
    invariants: Invariants,
    watch: Watch,
    /// The ports that [`Action::NoPorts`] takes.
    taken: Vec<(UdpSocket, TcpListener)>,
    rows: Vec<Row>,
}

/// Runs the phases whose name contains `filter`, and those that others need.
pub(crate) async fn run(folder: &Path, is_bounded: bool, filter: &str, chart: u64) -> Outcome {
    let lab = world::start().await;
    let configuration = Configuration::new(folder, &lab);
    let agent = Agent::start(folder, &configuration.path(), Surroundings::Plain);
    let mut campaign = Campaign {
        folder,
        is_bounded,
        lab,
        configuration,
        agent,
        invariants: Invariants::new(chart),
        watch: Watch::new(),
        taken: Vec::new(),
        rows: Vec::new(),
    };
    campaign.begin("the start").await;
    campaign.notices_a_stop().await;
    for phase in phases() {
        let is_wanted = phase.faults.is_empty() || phase.name.contains(filter);
        if let Some(lasts) = phase.lasts(is_bounded).filter(|_| is_wanted) {
            campaign.phase(&phase, lasts).await;
        }
    }
    campaign.end_agent("TERM").await;
    remove_cgroup();
    Outcome {
        rows: campaign.rows,
        violations: campaign.invariants.violations,
    }
}

impl Campaign<'_> {
    async fn during(&mut self, time: Duration) {
        let Self {
            agent,
            lab,
            invariants,
            watch,
            ..
        } = self;
        let began = Instant::now();
        watch.during(time, agent, lab, invariants).await;
        // The process ended by itself, which was told: the campaign goes on with another.
        if began.elapsed() < time && self.agent.ended().is_some() {
            self.start_agent(Surroundings::Plain);
            sleep(time.saturating_sub(began.elapsed())).await;
        }
    }

    /// Waits until the agent answers and every target has passed.
    async fn begin(&mut self, phase: &str) {
        self.invariants.begin(phase);
        self.answers().await;
        self.all_must(&["ok"], Duration::ZERO);
        self.during(SETTLE).await;
    }

    /// Waits for the first answer of an agent that was just started.
    async fn answers(&mut self) {
        if let Err(error) = self.agent.answers_within(ORDERLY).await {
            let log = self.agent.log();
            let seen = format!("{error}; its log ends:\n{log}");
            self.invariants
                .violated("the agent starts", "", seen, "an answer in 5 s");
        }
    }

    /// Expects the same of all targets from now on.
    fn all_must(&mut self, reasons: &[&str], more: Duration) {
        let targets = GROUPS.iter().flat_map(Group::names);
        let reasons: Vec<String> = reasons.iter().map(|&it| it.to_owned()).collect();
        let all = Expectation::new("all", targets, &reasons, Instant::now(), SETTLE + more);
        self.invariants.expect(vec![all]);
    }

    /// A check of the checking: a process that is stopped without an announcement is noticed.
    async fn notices_a_stop(&mut self) {
        let before = self.invariants.violations.len();
        self.agent.signal("STOP");
        self.during(Duration::from_secs(3)).await;
        self.agent.signal("CONT");
        let noticed = self.invariants.violations.split_off(before);
        self_test::expect_stop(&noticed);
        self.begin("after the stop").await;
    }

    async fn phase(&mut self, phase: &Phase, lasts: Duration) {
        say(&format!("{}: {} s", phase.name, lasts.as_secs()));
        let before = self.invariants.violations.len();
        self.invariants.begin(&phase.name);
        let is_file = |it: &Fault| matches!(it.action, Action::Authority);
        let more = if phase.faults.iter().any(is_file) {
            UNANNOUNCED
        } else {
            Duration::ZERO
        };

        let failed_before = self.failures().await;
        self.expect(phase, Duration::from_hours(1));
        for fault in &phase.faults {
            self.apply(fault, lasts).await;
        }
        self.expect(phase, SETTLE + more);
        if !phase.faults.is_empty() {
            self.during(SETTLE + more).await;
        }
        self.hold(phase, lasts).await;
        let (right, figures) = (self.right_after(), self.invariants.figures);
        if let Some(milliseconds) = phase.delay {
            self.invariants.see_delay(milliseconds);
        }
        if phase.faults.is_empty() {
            self.invariants.is_calm();
        }

        self.expect_repair(phase, Duration::from_hours(1));
        for fault in &phase.faults {
            self.undo(fault).await;
        }
        if !phase.faults.is_empty() {
            self.expect_repair(phase, SETTLE + more);
            self.during(SETTLE + more + Duration::from_millis(500))
                .await;
        }
        self.invariants.no_burst = false;
        if phase.is_agents_own_trouble() {
            self.blames_itself(failed_before).await;
        }
        let repaired = self.right_after();
        self.record(phase, figures, &right, &repaired, before);
    }

    /// Watches while the faults of the phase last.
    async fn hold(&mut self, phase: &Phase, lasts: Duration) {
        let flaps = |it: &&Fault| matches!(it.action, Action::FlapDns);
        let Some(flapping) = phase.faults.iter().find(flaps) else {
            return self.during(lasts).await;
        };
        let until = Instant::now() + lasts;
        while Instant::now() < until {
            self.stop_dns(flapping).await;
            self.during(Duration::from_secs(1)).await;
            self.start_dns(flapping).await;
            self.during(Duration::from_secs(1)).await;
        }
    }

    fn expect(&mut self, phase: &Phase, within: Duration) {
        let now = Instant::now();
        let expected = phase.faults.iter();
        let expected =
            expected.map(|it| Expectation::new(&it.name, it.targets(), &it.must, now, within));
        self.invariants.expect(expected.collect());
    }

    fn expect_repair(&mut self, phase: &Phase, within: Duration) {
        let (now, ok) = (Instant::now(), ["ok".to_owned()]);
        let expected = phase.faults.iter();
        let expected =
            expected.map(|it| Expectation::new(&it.name, it.targets(), &ok, now, within));
        self.invariants.expect(expected.collect());
    }

    fn right_after(&self) -> Vec<Option<Duration>> {
        let expectations = self.invariants.expectations().iter();
        expectations.map(Expectation::right_after).collect()
    }

    fn record(
        &mut self,
        phase: &Phase,
        figures: Figures,
        right: &[Option<Duration>],
        repaired: &[Option<Duration>],
        before: usize,
    ) {
        let violations = &self.invariants.violations[before..];
        for violation in violations {
            say(&format!("  BROKEN {violation}"));
        }
        let latest = |times: &[Option<Duration>]| times.iter().flatten().max().copied();
        let row = Row {
            phase: phase.name.clone(),
            right_after: latest(right),
            repaired_after: latest(repaired),
            figures,
            violations: self.invariants.broken(),
        };
        say(&format!("  {row}"));
        self.rows.push(row);
    }

    async fn apply(&mut self, fault: &Fault, lasts: Duration) {
        let groups = fault.groups();
        match &fault.action {
            Action::Dns(faults) => self.set_faults(&groups, &faults.to_string()),
            Action::StopDns => self.stop_dns(fault).await,
            Action::FlapDns => {}
            Action::Peer(endpoint) => self.set_peers(&groups, &endpoint.to_string()),
            Action::Packets(rules) => packets("-I", &groups, rules),
            Action::Pause => self.pause(lasts).await,
            Action::Clock(seconds) => {
                self.invariants.no_burst = true;
                self.set_clock(*seconds);
            }
            Action::Descriptors(more) => {
                self.invariants.must_answer = false;
                self.agent.limit_descriptors(Some(*more)).await;
            }
            Action::NoPorts => self.take_ports(),
            Action::Replace { times, bounded } => {
                let times = if self.is_bounded { *bounded } else { *times };
                self.replace(times).await;
            }
            Action::Authority => self.configuration.swap_authority(),
            Action::End(signal) => self.end_under_load(signal).await,
            Action::Start(surroundings) => {
                self.end_agent("TERM").await;
                self.start_agent(*surroundings);
                self.answers().await;
            }
        }
    }

    async fn undo(&mut self, fault: &Fault) {
        let groups = fault.groups();
        match &fault.action {
            Action::Dns(_) => self.set_faults(&groups, "[]"),
            Action::StopDns => self.start_dns(fault).await,
            Action::Peer(_) => self.set_peers(&groups, GOOD),
            Action::Packets(rules) => packets("-D", &groups, rules),
            Action::Clock(_) => self.set_clock(0),
            Action::Descriptors(_) => {
                self.agent.limit_descriptors(None).await;
                // The loop that accepts connections waits for 200 ms where it could not.
                sleep(Duration::from_millis(500)).await;
                self.invariants.must_answer = true;
            }
            Action::NoPorts => {
                self.taken.clear();
                fs::write(PORT_RANGE, "32768 60999").expect("the range of ports");
            }
            Action::Authority => self.configuration.restore(),
            Action::Start(_) => {
                self.end_agent("TERM").await;
                self.start_agent(Surroundings::Plain);
                self.answers().await;
            }
            Action::FlapDns | Action::Pause | Action::Replace { .. } | Action::End(_) => {}
        }
    }

    /// Failures so far whose stage is the agent itself, and all others.
    async fn failures(&self) -> (f64, f64) {
        let scrape = http::get(ADDRESS, "/metrics", Duration::from_secs(3)).await;
        let metrics = scrape
            .map(|reply| Metrics::read(&reply.body))
            .unwrap_or_default();
        let mut failures = (0.0, 0.0);
        for (labels, count) in metrics.series("privatelink_probe_failures_total") {
            if labels.get("stage") == Some(&"agent") {
                failures.0 += count;
            } else {
                failures.1 += count;
            }
        }
        failures
    }

    /// What failed since must have failed for the agent's own trouble, also while nobody could ask for verdicts.
    async fn blames_itself(&mut self, before: (f64, f64)) {
        let after = self.failures().await;
        let (own, other) = (after.0 - before.0, after.1 - before.1);
        if own <= 0.0 || other != 0.0 {
            let seen = format!("{own} of itself and {other} of others");
            self.invariants
                .violated("the agent blames itself alone", "", seen, "some, and 0");
        }
    }

    fn set_faults(&self, groups: &[&Group], faults: &str) {
        for group in groups {
            let set = self.lab.set_faults(group.server(), faults);
            set.expect("faults of a DNS server");
        }
    }

    fn set_peers(&self, groups: &[&Group], endpoint: &str) {
        for group in groups {
            let set = self.lab.set_endpoint(group.address, endpoint);
            set.expect("an endpoint");
        }
    }

    async fn stop_dns(&mut self, fault: &Fault) {
        for group in fault.groups() {
            let stopped = self.lab.stop_server(group.server()).await;
            stopped.expect("a DNS server");
        }
    }

    async fn start_dns(&mut self, fault: &Fault) {
        for group in fault.groups() {
            let started = self.lab.start_server(group.server()).await;
            started.expect("a DNS server");
        }
    }

    fn set_clock(&mut self, seconds: i64) {
        self.agent.set_clock(seconds);
        #[expect(clippy::cast_precision_loss, reason = "a few years")]
        let seconds = seconds as f64;
        self.invariants.clock = seconds;
    }

    /// Stops the process for so long, and lets it go on. Whatever answers meanwhile is not the agent.
    async fn pause(&mut self, lasts: Duration) {
        self.agent.signal("STOP");
        let until = Instant::now() + lasts;
        while Instant::now() < until {
            if let Ok(reply) = http::get(ADDRESS, "/healthz", Duration::from_secs(1)).await {
                self.invariants.violated(
                    "/healthz is honest",
                    "",
                    reply.status,
                    "no reply of a stopped process",
                );
            }
        }
        self.agent.signal("CONT");
        self.invariants.no_burst = true;
        // The scheduler has shown no sign of life for long: the first reply may say so.
        let first = http::get(ADDRESS, "/healthz", Duration::from_secs(2)).await;
        say(&format!(
            "  the first reply afterwards: {:?}",
            first.map(|reply| reply.status)
        ));
    }

    fn take_ports(&mut self) {
        let [first, last] = LAST_PORTS;
        fs::write(PORT_RANGE, format!("{first} {last}")).expect("the range of ports");
        let taken = LAST_PORTS.map(|port| {
            let any = (Ipv4Addr::UNSPECIFIED, port);
            (
                UdpSocket::bind(any).expect("a port"),
                TcpListener::bind(any).expect("a port"),
            )
        });
        self.taken.extend(taken);
    }

    /// Replaces the configuration so many times, and checks now and then that the agent says what it thinks
    /// of the latest.
    async fn replace(&mut self, times: u32) {
        let (whole, fewer) = (
            self.configuration.whole(),
            self.configuration.without("churn-"),
        );
        let invalid = whole.replacen("\"targets\"", "\"targtes\"", 1);
        let (half, _) = whole.split_at(whole.len() / 2);
        for time in 0..times {
            let is_valid = match time % 6 {
                0 | 3 => self.swap(&fewer, true),
                1 => self.swap(&invalid, false),
                2 => {
                    self.configuration.overwrite(half);
                    false
                }
                4 => self.swap("", false),
                _ => self.swap(&whole, true),
            };
            self.agent.signal("HUP");
            self.during(Duration::from_millis(30)).await;
            if time % 50 < 6 {
                self.reports_configuration(is_valid).await;
            }
        }
        self.configuration.restore();
        self.agent.signal("HUP");
        self.reports_configuration(true).await;
        self.runs_the_whole().await;
    }

    /// The whole configuration must run within 2 s.
    async fn runs_the_whole(&mut self) {
        let targets = self.configuration.targets();
        let until = Instant::now() + Duration::from_secs(2);
        loop {
            let page = http::get(ADDRESS, "/readyz", Duration::from_secs(1)).await;
            let wanted = format!("of {targets} targets");
            if page.as_ref().is_ok_and(|page| page.body.contains(&wanted)) {
                return;
            }
            if Instant::now() > until {
                let invariant = "the latest valid configuration runs within 2 s";
                return self
                    .invariants
                    .violated(invariant, "", format!("{page:?}"), wanted);
            }
            self.during(Duration::from_millis(50)).await;
        }
    }

    fn swap(&mut self, text: &str, is_valid: bool) -> bool {
        self.configuration.swap(text);
        is_valid
    }

    /// The metric must say within 2 s whether the latest configuration was good.
    async fn reports_configuration(&mut self, is_valid: bool) {
        let wanted = f64::from(u8::from(is_valid));
        let until = Instant::now() + Duration::from_secs(2);
        loop {
            let scrape = http::get(ADDRESS, "/metrics", Duration::from_secs(2)).await;
            let metrics = scrape
                .map(|reply| Metrics::read(&reply.body))
                .unwrap_or_default();
            let seen = metrics.of_agent("privatelink_config_last_reload_successful");
            if seen == Some(wanted) {
                return;
            }
            if Instant::now() > until {
                let invariant = "the configuration's metric is right within 2 s";
                return self
                    .invariants
                    .violated(invariant, "", format!("{seen:?}"), wanted);
            }
            self.during(Duration::from_millis(50)).await;
        }
    }

    /// Ends the agent while many probes hang, and starts it again.
    async fn end_under_load(&mut self, signal: &str) {
        let groups: Vec<&Group> = GROUPS.iter().filter(|it| it.name != "healthy").collect();
        let by_dns = [Group::named("dns"), Group::named("pair")];
        self.set_peers(&groups, "silent");
        self.set_faults(&by_dns, r#"[{"then": "silence"}]"#);
        self.during(INTERVAL + Duration::from_secs(1)).await;
        self.end_agent(signal).await;
        self.set_peers(&groups, GOOD);
        self.set_faults(&by_dns, "[]");
        self.start_agent(Surroundings::Plain);
        self.answers().await;
    }

    /// Ends the agent by a signal, and checks how it ends.
    async fn end_agent(&mut self, signal: &str) {
        let began = Instant::now();
        self.agent.signal(signal);
        let ended = self.agent.ends_within(ORDERLY).await;
        say(&format!(
            "  SIG{signal}: {ended:?} after {:.2} s",
            began.elapsed().as_secs_f64()
        ));
        let is_orderly = ended.is_some_and(|status| signal != "TERM" || status.success());
        if !is_orderly {
            self.invariants.violated(
                "an orderly exit under 5 s",
                "",
                format!("{ended:?}"),
                "exit code 0",
            );
        }
    }

    fn start_agent(&mut self, surroundings: Surroundings) {
        self.agent = Agent::start(self.folder, &self.configuration.path(), surroundings);
        self.invariants.restarted();
    }
}

/// Adds (`-I`) or removes (`-D`) rules for what arrives.
fn packets(how: &str, groups: &[&Group], rules: &[String]) {
    for group in groups {
        for rule in rules {
            shell(&format!(
                "iptables {how} INPUT {}",
                rule.replace("ADDRESS", group.address)
            ));
        }
    }
}
