//! Invariants: what must be true of the agent at any time, checked against what is seen of it.
//!
//! Nothing here asks the agent or the machine: it is given what was seen, and remembers what was wrong.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::time::Duration;

use privatelink_prober::schedule::phase;
use tokio::time::Instant;

use crate::agent::Usage;
use crate::metrics::Metrics;
use crate::world::{GROUPS, Group, INTERVAL, NODE, TIMEOUT};

/// From a change until the verdict is right: the next beat, its probe, and a second for the scrape and the rest.
pub(crate) const SETTLE: Duration =
    Duration::from_millis((INTERVAL.as_secs() + TIMEOUT.as_secs()) * 1000 + 1000);

/// A healthy target starts within this of its beat.
const LATE: f64 = 1.0;

/// How old the latest probe of a healthy target may be, in seconds: an interval, a probe, and a second for
/// the beat and the scrape.
#[expect(clippy::cast_precision_loss, reason = "a few seconds")]
const STALE: f64 = (INTERVAL.as_secs() + TIMEOUT.as_secs() + 1) as f64;

/// Violations of one invariant that are told in a phase; all are counted.
const TOLD: usize = 5;

/// An invariant that was broken.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    pub(crate) phase: String,
    /// Since the start of the campaign.
    pub(crate) at: Duration,
    pub(crate) invariant: &'static str,
    pub(crate) seen: String,
    pub(crate) expected: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at.as_secs_f64();
        let Self {
            phase,
            invariant,
            seen,
            expected,
            ..
        } = self;
        write!(
            f,
            "{at:.1} s, {phase}: {invariant}: seen {seen}; expected {expected}"
        )
    }
}

/// What some targets must show from some time on.
#[derive(Clone, Debug)]
pub(crate) struct Expectation {
    /// What was done.
    pub(crate) name: String,
    pub(crate) targets: BTreeSet<String>,
    /// Reasons that are right; empty: any.
    pub(crate) reasons: Vec<String>,
    /// When it was done.
    pub(crate) changed: Instant,
    /// From then until the reasons must be right.
    pub(crate) within: Duration,
    /// Since when they are all right.
    right_since: Option<Instant>,
}

impl Expectation {
    pub(crate) fn new(
        name: &str,
        targets: impl IntoIterator<Item = String>,
        reasons: &[String],
        changed: Instant,
        within: Duration,
    ) -> Self {
        Self {
            name: name.to_owned(),
            targets: targets.into_iter().collect(),
            reasons: reasons.to_vec(),
            changed,
            within,
            right_since: None,
        }
    }

    /// How long it took until the verdicts were right and stayed so.
    pub(crate) fn right_after(&self) -> Option<Duration> {
        Some(self.right_since? - self.changed)
    }

    fn is_due(&self, now: Instant) -> bool {
        now >= self.changed + self.within
    }
}

/// The largest of what was seen in a phase.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Figures {
    /// How much later than its beat a healthy target started, in seconds.
    pub(crate) lateness: f64,
    pub(crate) usage: Usage,
    /// Questions that the DNS servers were asked in a second.
    pub(crate) questions: f64,
    /// Time for `/healthz`, in seconds.
    pub(crate) health: f64,
}

/// What bounds the agent's memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MemoryBounds {
    /// The limit of the chart, in KiB.
    pub(crate) chart: u64,
    /// Resident memory while nothing is wrong, in KiB.
    pub(crate) steady: Option<u64>,
}

#[derive(Debug)]
pub(crate) struct Invariants {
    started: Instant,
    phase: String,
    expectations: Vec<Expectation>,
    phases: BTreeMap<String, f64>,
    memory: MemoryBounds,
    /// What was seen while nothing was wrong.
    calm: Option<Figures>,
    counters: HashMap<String, f64>,
    /// What the agent's clock shows more than the true time, in seconds.
    pub(crate) clock: f64,
    /// Whether the agent must answer over HTTP.
    pub(crate) must_answer: bool,
    /// Whether it must not ask more at once than while nothing is wrong.
    pub(crate) no_burst: bool,
    told: BTreeMap<&'static str, usize>,
    pub(crate) violations: Vec<Violation>,
    pub(crate) figures: Figures,
}

impl Invariants {
    pub(crate) fn new(chart: u64) -> Self {
        let names = GROUPS.iter().flat_map(Group::names);
        let phase_of = |name: String| {
            let phase = phase(NODE, &name, INTERVAL).as_secs_f64();
            (name, phase)
        };
        Self {
            started: Instant::now(),
            phase: "start".to_owned(),
            expectations: Vec::new(),
            phases: names.map(phase_of).collect(),
            memory: MemoryBounds {
                chart,
                steady: None,
            },
            calm: None,
            counters: HashMap::new(),
            clock: 0.0,
            must_answer: true,
            no_burst: false,
            told: BTreeMap::new(),
            violations: Vec::new(),
            figures: Figures::default(),
        }
    }

    /// Begins a phase, with figures of its own.
    pub(crate) fn begin(&mut self, phase: &str) {
        phase.clone_into(&mut self.phase);
        self.told.clear();
        self.figures = Figures::default();
    }

    /// From now on, what was seen in this phase is how it is while nothing is wrong.
    pub(crate) fn is_calm(&mut self) {
        self.memory.steady = Some(self.figures.usage.resident);
        self.calm = Some(self.figures);
    }

    /// How many violations there were in this phase, told or not.
    pub(crate) fn broken(&self) -> usize {
        self.told.values().sum()
    }

    /// At the end of a phase: no healthy probe may have started so much later than while nothing was wrong.
    pub(crate) fn see_delay(&mut self, milliseconds: u32) {
        let calm = self.calm.map_or(0.0, |calm| calm.lateness);
        let most = calm + f64::from(milliseconds) / 1000.0;
        let lateness = self.figures.lateness;
        if lateness > most {
            let seen = format!("{lateness:.3} s after its beat");
            let expected = format!("at most {most:.3} s");
            self.violated("healthy targets are not delayed", "", seen, expected);
        }
    }

    /// Replaces what is expected of these targets; of all others, that they pass.
    pub(crate) fn expect(&mut self, expectations: Vec<Expectation>) {
        self.expectations = expectations;
    }

    pub(crate) fn expectations(&self) -> &[Expectation] {
        &self.expectations
    }

    /// Another process begins: its counters begin at zero.
    pub(crate) fn restarted(&mut self) {
        self.counters.clear();
        self.clock = 0.0;
    }

    pub(crate) fn violated(
        &mut self,
        invariant: &'static str,
        about: &str,
        seen: impl fmt::Display,
        expected: impl fmt::Display,
    ) {
        let told = self.told.entry(invariant).or_default();
        *told += 1;
        if *told > TOLD {
            return;
        }
        let about = if about.is_empty() {
            String::new()
        } else {
            format!("{about}: ")
        };
        self.violations.push(Violation {
            phase: self.phase.clone(),
            at: self.started.elapsed(),
            invariant,
            seen: format!("{about}{seen}"),
            expected: expected.to_string(),
        });
    }

    /// A scrape at `now`, which is `wall` seconds since 1970.
    pub(crate) fn see_metrics(&mut self, now: Instant, wall: f64, metrics: &Metrics) {
        self.see_counters(metrics);
        self.see_verdicts(now, metrics);
        self.see_times(now, wall, metrics);
    }

    fn see_counters(&mut self, metrics: &Metrics) {
        let mut fallen = Vec::new();
        let mut counters = HashMap::new();
        for (series, value) in metrics.counters() {
            // These targets come and go, and begin again at zero.
            if series.contains("target=\"churn-") {
                continue;
            }
            if let Some(before) = self.counters.get(series).filter(|before| value < **before) {
                fallen.push((series.clone(), *before, value));
            }
            counters.insert(series.clone(), value);
        }
        for (series, before, value) in fallen {
            self.violated(
                "counters never go back",
                &series,
                value,
                format!("at least {before}"),
            );
        }
        self.counters = counters;
        let panics = metrics.of_agent("privatelink_probe_panics_total");
        if panics != Some(0.0) {
            self.violated("no probe panics", "", format!("{panics:?}"), "0");
        }
    }

    fn see_verdicts(&mut self, now: Instant, metrics: &Metrics) {
        let mut reasons: BTreeMap<&str, &str> = BTreeMap::new();
        for (labels, _) in metrics.series("privatelink_probe_reason") {
            let (target, reason) = (labels.get("target"), labels.get("reason"));
            reasons.extend(target.zip(reason));
        }
        let mut wrong = Vec::new();
        let mut expected_elsewhere = BTreeSet::new();
        for expectation in &mut self.expectations {
            let is_right = |target: &str| {
                let reason = reasons.get(target).copied().unwrap_or("no verdict");
                let right = &expectation.reasons;
                let is_right = right.is_empty() || right.iter().any(|it| it == reason);
                (is_right, reason)
            };
            let mut all_right = true;
            for target in &expectation.targets {
                let (is_right, reason) = is_right(target);
                all_right &= is_right;
                if !is_right && now >= expectation.changed + expectation.within {
                    wrong.push((
                        target.clone(),
                        reason.to_owned(),
                        format!(
                            "{}, since: {}",
                            expectation.reasons.join(" or "),
                            expectation.name
                        ),
                    ));
                }
                expected_elsewhere.insert(target.clone());
            }
            expectation.right_since = match expectation.right_since {
                _ if !all_right => None,
                None => Some(now),
                since => since,
            };
        }
        for target in self
            .phases
            .keys()
            .filter(|it| !expected_elsewhere.contains(*it))
        {
            let reason = reasons
                .get(target.as_str())
                .copied()
                .unwrap_or("no verdict");
            if reason != "ok" {
                wrong.push((target.clone(), reason.to_owned(), "ok".to_owned()));
            }
        }
        for (target, reason, expected) in wrong {
            self.violated(
                "the verdict is right within one interval",
                &target,
                reason,
                expected,
            );
        }
    }

    /// Whether nothing is wrong with the target now, nor was when its latest probe began.
    fn is_healthy(&self, now: Instant, target: &str) -> bool {
        let mut of_target = self
            .expectations
            .iter()
            .filter(|it| it.targets.contains(target));
        of_target.all(|it| it.reasons == ["ok"] && it.is_due(now))
    }

    fn see_times(&mut self, now: Instant, wall: f64, metrics: &Metrics) {
        let interval = INTERVAL.as_secs_f64();
        let mut durations: HashMap<&str, f64> = HashMap::new();
        for (labels, value) in metrics.series("privatelink_probe_duration_seconds") {
            if labels.get("stage") == Some(&"total") {
                durations.extend(labels.get("target").map(|target| (*target, value)));
            }
        }
        let mut late = Vec::new();
        let last_run = "privatelink_probe_last_run_timestamp_seconds";
        for (labels, completed) in metrics.series(last_run) {
            let Some(target) = labels.get("target").copied() else {
                continue;
            };
            let (Some(duration), Some(phase)) = (durations.get(target), self.phases.get(target))
            else {
                continue;
            };
            if !self.is_healthy(now, target) {
                continue;
            }
            let age = wall + self.clock - completed;
            if age > STALE {
                late.push((
                    target.to_owned(),
                    format!("probed {age:.1} s ago"),
                    format!("at most {STALE} s"),
                ));
            }
            let lateness = (completed - duration - phase).rem_euclid(interval);
            // Times are rounded to milliseconds: a start may seem to be before its beat.
            let lateness = if lateness > interval - 0.02 {
                0.0
            } else {
                lateness
            };
            self.figures.lateness = self.figures.lateness.max(lateness);
            if lateness > LATE {
                late.push((
                    target.to_owned(),
                    format!("started {lateness:.2} s after its beat"),
                    format!("at most {LATE} s"),
                ));
            }
        }
        for (target, seen, expected) in late {
            self.violated("healthy targets are on time", &target, seen, expected);
        }
    }

    /// What `/healthz` replied, or why it did not, and how long that took.
    pub(crate) fn see_health(&mut self, status: &Result<u16, String>, took: Duration) {
        self.figures.health = self.figures.health.max(took.as_secs_f64());
        match status {
            Ok(200) => {}
            Ok(status) => self.violated(
                "/healthz is honest",
                "",
                status,
                "200, since the agent probes",
            ),
            Err(error) if self.must_answer => {
                self.violated(
                    "/healthz is honest",
                    "",
                    error,
                    "200, since the agent probes",
                );
            }
            Err(_) => {}
        }
    }

    pub(crate) fn see_usage(&mut self, usage: Usage) {
        let most = &mut self.figures.usage;
        most.resident = most.resident.max(usage.resident);
        most.anonymous = most.anonymous.max(usage.anonymous);
        most.descriptors = most.descriptors.max(usage.descriptors);
        most.threads = most.threads.max(usage.threads);
        let MemoryBounds { chart, steady } = self.memory;
        if usage.anonymous > chart {
            let seen = format!("{} KiB without the program's file", usage.anonymous);
            self.violated(
                "memory is bounded",
                "",
                seen,
                format!("at most {chart} KiB, the chart's limit"),
            );
        }
        if let Some(steady) = steady {
            let most = steady * 3 / 2;
            if usage.resident > most {
                let seen = format!("{} KiB resident", usage.resident);
                self.violated(
                    "memory is bounded",
                    "",
                    seen,
                    format!("at most {most} KiB, 1.5 × {steady}"),
                );
            }
            // Most of what a debug build takes is its file, which the kernel may drop.
            if steady < chart / 2 && usage.resident > chart {
                let seen = format!("{} KiB resident", usage.resident);
                self.violated(
                    "memory is bounded",
                    "",
                    seen,
                    format!("at most {chart} KiB, the chart's limit"),
                );
            }
        }
        // For each target two questions and a connection, the shared connections, those of HTTP, and the rest.
        let targets = self.phases.len() as u64;
        let most = 3 * targets + 128 + 64 + 32;
        if usage.descriptors > most {
            self.violated(
                "descriptors are bounded",
                "",
                usage.descriptors,
                format!("at most {most}"),
            );
        }
    }

    /// So many questions were asked in a time of at least a second.
    pub(crate) fn see_questions(&mut self, questions: u64, time: Duration) {
        #[expect(clippy::cast_precision_loss, reason = "few")]
        let questions = questions as f64 / time.as_secs_f64();
        self.figures.questions = self.figures.questions.max(questions);
        if let Some(calm) = self.calm.filter(|_| self.no_burst) {
            let most = calm.questions * 1.5 + 10.0;
            if questions > most {
                let seen = format!("{questions:.0} questions in a second");
                self.violated(
                    "no burst after a stall",
                    "",
                    seen,
                    format!("at most {most:.0}"),
                );
            }
        }
    }

    /// The process ended although nobody ended it.
    pub(crate) fn see_end(&mut self, status: impl fmt::Display, log: &str) {
        self.violated(
            "the process lives",
            "",
            format!("{status}; its log ends:\n{log}"),
            "a running process",
        );
    }
}
