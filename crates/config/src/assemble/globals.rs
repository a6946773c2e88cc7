//! Globals: the settings that are not a target's own, checked and with their defaults.

use std::sync::Arc;
use std::time::Duration;

use privatelink_verdict::address::{Family, Overrides, Rules};
use privatelink_verdict::admission::Allowed;
use privatelink_verdict::target::Expectation;

use crate::assemble::admit;
use crate::assemble::resolvers::Resolvers;
use crate::assemble::values;
use crate::diagnostic::Diagnostic;
use crate::files::Files;
use crate::plan::{Detail, Limits, MOST_TARGETS};
use crate::problems::Problems;
use crate::raw::{RawConfig, RawLimits};
use crate::spanned::{Location, Origin, Spanned};

/// The settings that are not a target's own.
#[derive(Debug)]
pub(super) struct Globals {
    pub(super) interval: Duration,
    pub(super) timeout: Duration,
    pub(super) http_interval: Duration,
    pub(super) expiry_warning: Duration,
    pub(super) expect: Expectation,
    pub(super) families: &'static [Family],
    /// `deniedCidrs`, `expectedCidrs` and `classify`; the overrides of a target are empty.
    pub(super) rules: Arc<Rules>,
    pub(super) resolvers: Resolvers,
    pub(super) allowed: Vec<Allowed>,
    pub(super) metrics: Detail,
    pub(super) limits: Limits,
}

impl Globals {
    pub(super) fn read(raw: &RawConfig, files: &mut Files, problems: &mut Problems<'_>) -> Self {
        let limits = limits(raw.limits.as_ref(), problems);
        let (interval, timeout) = interval_and_timeout(raw, &limits, problems);
        let tls = raw.tls.as_ref();
        Self {
            interval,
            timeout,
            http_interval: values::span(
                raw.http_interval.as_ref(),
                "httpInterval",
                (Duration::from_mins(1), Duration::from_hours(24)),
                Duration::from_mins(10),
                problems,
            ),
            expiry_warning: values::span(
                tls.and_then(|tls| tls.expiry_warning.as_ref()),
                "tls.expiryWarning",
                (Duration::ZERO, Duration::from_hours(87_600)),
                Duration::from_hours(336),
                problems,
            ),
            expect: values::expectation(raw.expect.as_ref(), problems)
                .unwrap_or(Expectation::PrivateEndpoint),
            families: values::families(raw.address_families.as_ref(), problems)
                .unwrap_or(&[Family::Ipv4, Family::Ipv6]),
            rules: Arc::new(rules(raw, problems)),
            resolvers: Resolvers::read(raw.resolvers.as_deref(), files, problems),
            allowed: admit::allowed(raw.allowed_hosts.as_deref(), problems),
            metrics: values::word(
                raw.metrics.as_ref(),
                "metrics",
                &[("full", Detail::Full), ("essential", Detail::Essential)],
                problems,
            )
            .unwrap_or_default(),
            limits,
        }
    }
}

fn interval_and_timeout(
    raw: &RawConfig,
    limits: &Limits,
    problems: &mut Problems<'_>,
) -> (Duration, Duration) {
    let location =
        |written: Option<&Spanned<_>>| written.map_or(Location::default(), |w| w.location);
    let interval = values::interval(raw.interval.as_ref(), problems);
    let interval = interval.unwrap_or(Duration::from_secs(30));
    let timeout = values::timeout(raw.timeout.as_ref(), problems);
    let timeout = timeout.unwrap_or(Duration::from_secs(10));
    if interval < limits.min_interval {
        let min_interval = raw.limits.as_ref();
        let min_interval = min_interval.and_then(|limits| limits.min_interval.as_ref());
        problems.error(
            location(raw.interval.as_ref().or(min_interval)),
            values::below_minimum(interval, limits),
        );
    }
    // `check` probes once, so a timeout on the command line can be as long as it likes.
    let mut written = raw.interval.iter().chain(&raw.timeout);
    if interval < timeout && written.any(|written| written.location.origin != Origin::CommandLine) {
        problems.warning(
            location(raw.interval.as_ref().or(raw.timeout.as_ref())),
            values::shorter_than_timeout(interval, timeout),
        );
    }
    (interval, timeout)
}

fn rules(raw: &RawConfig, problems: &mut Problems<'_>) -> Rules {
    let global = values::classify(raw.classify.as_ref(), problems);
    let rules = Rules {
        denied: values::networks(raw.denied_cidrs.as_deref(), problems),
        global,
        target: Overrides::default(),
        expected: values::networks(raw.expected_cidrs.as_deref(), problems),
    };
    let expected: &[_] = raw.expected_cidrs.as_deref().unwrap_or_default();
    values::doubt_expected(expected, &rules, problems);
    rules
}

fn limits(raw: Option<&RawLimits>, problems: &mut Problems<'_>) -> Limits {
    let default = Limits::default();
    let Some(raw) = raw else { return default };
    let mut number = |written: Option<&Spanned<i64>>, what: &str, most: i64| {
        let written = written?;
        if (1..=most).contains(&written.value) {
            return u32::try_from(written.value).ok();
        }
        problems.error(
            written.location,
            Diagnostic::new(format!(
                "limits.{what} is {}, which is not between 1 and {most}",
                written.value
            )),
        );
        None
    };
    let max_targets = number(
        raw.max_targets.as_ref(),
        "maxTargets",
        i64::try_from(MOST_TARGETS).unwrap_or(i64::MAX),
    );
    let max_concurrent = number(raw.max_concurrent.as_ref(), "maxConcurrent", 1_000);
    let max_dns_qps = number(raw.max_dns_qps.as_ref(), "maxDnsQps", 10_000);
    Limits {
        max_targets: max_targets.map_or(default.max_targets, |number| number as usize),
        max_concurrent: max_concurrent.map_or(default.max_concurrent, |number| number as usize),
        max_dns_qps: max_dns_qps.unwrap_or(default.max_dns_qps),
        min_interval: values::span(
            raw.min_interval.as_ref(),
            "limits.minInterval",
            (Duration::from_secs(1), Duration::from_hours(24)),
            default.min_interval,
            problems,
        ),
    }
}
