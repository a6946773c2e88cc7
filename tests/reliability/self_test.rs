//! Self test: what the invariants must notice. It runs before every campaign: checks that notice nothing
//! prove nothing.

use std::time::Duration;

use tokio::time::Instant;

use crate::agent::Usage;
use crate::invariants::{Expectation, Invariants, Violation};
use crate::metrics::Metrics;
use crate::world::{GROUPS, Group, INTERVAL, NODE};
use privatelink_prober::schedule::phase;

const CHART: u64 = 48 * 1024;
const CALM: Usage = Usage {
    resident: 10_000,
    anonymous: 5_000,
    descriptors: 20,
    threads: 1,
};

/// The name of an invariant, and how it is broken.
type Break = (&'static str, fn(&mut Invariants));

const BREAKS: &[Break] = &[
    ("the verdict is right within one interval", |it| {
        see(it, &[("reason", "dns_timeout")]);
    }),
    ("the verdict is right within one interval", |it| {
        see(it, &[("target", "nobody")]);
    }),
    ("healthy targets are on time", |it| {
        see(it, &[("late", "1.2")]);
    }),
    ("healthy targets are on time", |it| see(it, &[("age", "9")])),
    ("healthy targets are not delayed", |it| {
        see(it, &[("late", "0.2")]);
        it.see_delay(100);
    }),
    ("counters never go back", |it| {
        see(it, &[("probes", "7")]);
        see(it, &[("probes", "6")]);
    }),
    ("no probe panics", |it| see(it, &[("panics", "1")])),
    ("/healthz is honest", |it| {
        it.see_health(&Ok(503), Duration::ZERO);
    }),
    ("/healthz is honest", |it| {
        it.see_health(&Err("no reply".to_owned()), Duration::ZERO);
    }),
    ("memory is bounded", |it| {
        let anonymous = CHART + 1;
        it.see_usage(Usage { anonymous, ..CALM });
    }),
    ("memory is bounded", |it| {
        let resident = CALM.resident * 3 / 2 + 1;
        it.see_usage(Usage { resident, ..CALM });
    }),
    ("descriptors are bounded", |it| {
        let descriptors = 600;
        it.see_usage(Usage {
            descriptors,
            ..CALM
        });
    }),
    ("no burst after a stall", |it| {
        it.no_burst = true;
        it.see_questions(200, Duration::from_secs(1));
    }),
    ("the process lives", |it| it.see_end("signal 9", "")),
];

/// Panics unless a healthy agent is accepted and every break is noticed; returns how many breaks there are.
pub(crate) fn run() -> usize {
    let mut healthy = calm();
    for _ in 0..2 {
        see(&mut healthy, &[]);
    }
    healthy.see_health(&Ok(200), Duration::ZERO);
    healthy.see_usage(CALM);
    healthy.see_questions(100, Duration::from_secs(1));
    assert!(healthy.violations.is_empty(), "{:?}", healthy.violations);
    for (invariant, breaks) in BREAKS {
        let mut invariants = calm();
        breaks(&mut invariants);
        let noticed: Vec<_> = invariants
            .violations
            .iter()
            .map(|it| it.invariant)
            .collect();
        assert_eq!(noticed.first(), Some(invariant), "{noticed:?}");
    }
    let due = Expectation::new(
        "a fault",
        names().take(1),
        &["tls_timeout".to_owned()],
        Instant::now(),
        Duration::ZERO,
    );
    let mut expecting = calm();
    expecting.expect(vec![due]);
    see(&mut expecting, &[("reason", "tls_timeout")]);
    assert!(
        expecting.violations.is_empty(),
        "{:?}",
        expecting.violations
    );
    see(&mut expecting, &[]);
    assert!(
        !expecting.violations.is_empty(),
        "a fault that the agent does not see"
    );
    BREAKS.len() + 1
}

/// Panics unless a process that was stopped was noticed.
pub(crate) fn expect_stop(noticed: &[Violation]) {
    let is_noticed = noticed
        .iter()
        .any(|it| ["/healthz is honest", "metrics are served"].contains(&it.invariant));
    assert!(is_noticed, "a stopped process was not noticed: {noticed:?}");
}

fn names() -> impl Iterator<Item = String> {
    GROUPS.iter().flat_map(Group::names)
}

fn calm() -> Invariants {
    let mut invariants = Invariants::new(CHART);
    invariants.see_usage(CALM);
    invariants.see_questions(100, Duration::from_secs(1));
    invariants.is_calm();
    invariants.begin("self test");
    invariants
}

/// Shows a scrape of an agent whose targets were all probed a second ago and pass, but for the first target,
/// where these differ: `reason`, `target` (its name), `late` (seconds), `age`, `probes`, `panics`.
fn see(invariants: &mut Invariants, changes: &[(&str, &str)]) {
    const WALL: f64 = 1_800_000_000.0;
    let of = |key: &str, usual: &str| {
        let found = changes.iter().find(|(changed, _)| *changed == key);
        found.map_or(usual, |(_, value)| *value).to_owned()
    };
    let number = |key: &str, usual: f64| {
        of(key, &usual.to_string())
            .parse::<f64>()
            .expect("a number")
    };
    let mut text = format!(
        "privatelink_probe_panics_total{{node=\"chaos\"}} {}\n",
        of("panics", "0")
    );
    for (index, name) in names().enumerate() {
        let beat = phase(NODE, &name, INTERVAL).as_secs_f64();
        let is_changed = index == 0;
        let (target, reason, probes) = if is_changed {
            (of("target", &name), of("reason", "ok"), of("probes", "5"))
        } else {
            (name, "ok".to_owned(), "5".to_owned())
        };
        let (late, age) = if is_changed {
            (number("late", 0.0), number("age", 0.0))
        } else {
            (0.0, 0.0)
        };
        // The wall clock is a whole number of intervals.
        let completed = WALL - 3.0 + beat + late + 0.1 - 3.0 * (age / 3.0).ceil();
        text += &format!(
            "privatelink_probe_reason{{node=\"chaos\",target=\"{target}\",reason=\"{reason}\",stage=\"none\"}} 1\n\
             privatelink_probe_duration_seconds{{node=\"chaos\",target=\"{target}\",stage=\"total\"}} 0.1\n\
             privatelink_probe_last_run_timestamp_seconds{{node=\"chaos\",target=\"{target}\"}} {completed}\n\
             privatelink_probes_total{{node=\"chaos\",target=\"{target}\",outcome=\"pass\"}} {probes}\n"
        );
    }
    invariants.see_metrics(Instant::now(), WALL, &Metrics::read(&text));
}
