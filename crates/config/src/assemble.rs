//! Assemble: raw → plan: the globals checked and defaulted, the targets expanded, the files merged.

mod admit;
mod merge;
mod preset;
mod resolvers;
mod target;
mod values;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use privatelink_verdict::address::{Family, Overrides, Rules};
use privatelink_verdict::target::Expectation;
use rustls_pki_types::CertificateDer;

use crate::duration;
use crate::files::Files;
use crate::later::Later;
use crate::plan::{Detail, Limits, Plan};
use crate::problem::{Complaint, ConfigError, Problem, Problems, Source, Warning, quoted};
use crate::raw::{RawConfig, RawLimits, RawTls};
use crate::trust;
use crate::written::{Origin, Place, Written};
use privatelink_verdict::suggest::nearest;

use self::admit::Allowed;
use self::merge::{Merge, Merged};
use self::resolvers::Resolvers;

/// Everything a plan is made of.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    /// The operator's file.
    pub(crate) file: Source,
    /// What it says, with what the command line adds.
    pub(crate) raw: RawConfig,
    /// The command line as a text, for snippets.
    pub(crate) command_line: Source,
    /// The observer's files.
    pub(crate) later: Vec<Later>,
    /// Whether a plan without targets is of use: when they may still come from a later file.
    pub(crate) may_be_empty: bool,
    /// The names of the only targets that are called for; empty for all.
    pub(crate) chosen: Vec<String>,
}

/// What is decided once for all targets.
#[derive(Debug)]
pub(crate) struct Globals {
    pub(crate) interval: Duration,
    pub(crate) timeout: Duration,
    pub(crate) expect: Expectation,
    pub(crate) denied: Vec<IpNet>,
    pub(crate) expected: Vec<IpNet>,
    pub(crate) classify: Overrides,
    pub(crate) families: Vec<Family>,
    pub(crate) expiry_warning: Duration,
    pub(crate) resolvers: Resolvers,
    pub(crate) allowed: Vec<Allowed>,
    pub(crate) limits: Limits,
}

/// Makes a plan, or says everything that is wrong. CA files are read through `files`, which also
/// remembers what the plan was made of.
pub(crate) fn assemble(parts: &Parts, files: &mut Files) -> Result<Plan, ConfigError> {
    let mut problems = Problems::new(&parts.file, &parts.command_line);
    let globals = globals(&parts.raw, &mut problems);
    let metrics = values::word(
        parts.raw.metrics.as_ref(),
        "metrics",
        &[("full", Detail::Full), ("essential", Detail::Essential)],
        &mut problems,
    )
    .unwrap_or_default();
    let http_interval = values::span(
        parts.raw.http_interval.as_ref(),
        "httpInterval",
        (Duration::from_mins(1), Duration::from_hours(24)),
        Duration::from_mins(10),
        &mut problems,
    );
    let ca_certificates = ca_certificates(parts.raw.tls.as_ref(), files, &mut problems);

    let mut merge = Merge::new(&globals);
    let targets = parts.raw.targets.as_deref().unwrap_or_default();
    for raw in targets {
        merge.configured(raw, &mut problems);
    }
    let presets = preset::targets(&parts.raw, &mut problems);
    for raw in &presets {
        merge.configured(raw, &mut problems);
    }
    if targets.is_empty() && presets.is_empty() && !parts.may_be_empty {
        problems.error(
            Place::default(),
            Complaint::new("no targets: there is nothing to probe")
                .help("write at least one `host` under `targets`"),
        );
    }
    merge.settle(&mut problems);
    if !problems.errors.is_empty() {
        return Err(ConfigError {
            problems: in_order(problems.errors),
        });
    }
    for later in &parts.later {
        merge.later(later);
    }
    let is_called_for = |warning: &Warning| {
        let names = warning.group.map(|group| merge.names_of(group));
        parts.chosen.is_empty()
            || names.is_none_or(|names| names.iter().any(|name| parts.chosen.contains(name)))
    };
    problems.warnings.retain(is_called_for);
    let mut merged = merge.finish();
    choose(&parts.chosen, &mut merged)?;
    let mut plan = Plan {
        targets: merged.targets.into_iter().map(Arc::new).collect(),
        resolvers: globals.resolvers.all,
        ca_certificates: ca_certificates.into(),
        http_interval,
        metrics,
        limits: globals.limits,
        rejected: merged.rejected,
        warnings: problems.warnings.into_iter().map(|w| w.text).collect(),
        hash: files.hash(),
    };
    plan.warnings.extend(merged.warnings);
    let demand = plan.demand().dns_queries;
    if demand > f64::from(plan.limits.max_dns_qps) {
        plan.warnings.push(format!(
            "the targets need about {demand:.0} DNS queries a second, limits.maxDnsQps allows {}: \
             probes will be late (lengthen the intervals, or raise the limit)",
            plan.limits.max_dns_qps
        ));
    }
    Ok(plan)
}

/// Keeps the targets called for, and of the warnings about later files none: those are about others.
fn choose(chosen: &[String], merged: &mut Merged) -> Result<(), ConfigError> {
    if chosen.is_empty() {
        return Ok(());
    }
    for name in chosen {
        if merged.targets.iter().any(|target| target.name == *name) {
            continue;
        }
        let names = merged.targets.iter().map(|target| target.name.as_str());
        let help = if let Some(near) = nearest(name, names.clone()).next() {
            format!("did you mean {}?", quoted(near))
        } else {
            let some: Vec<_> = names.take(5).map(quoted).collect();
            format!("it has {}", some.join(", "))
        };
        return Err(ConfigError::plain(
            format!("the configuration has no target called {}", quoted(name)),
            Some(help),
        ));
    }
    merged
        .targets
        .retain(|target| chosen.contains(&target.name));
    merged.warnings.clear();
    Ok(())
}

fn globals(raw: &RawConfig, problems: &mut Problems<'_>) -> Globals {
    let limits = limits(raw.limits.as_ref(), problems);
    let interval = values::interval(raw.interval.as_ref(), problems);
    let timeout = values::timeout(raw.timeout.as_ref(), problems);
    let interval = interval.unwrap_or(Duration::from_secs(30));
    let timeout = timeout.unwrap_or(Duration::from_secs(10));
    let place = |written: Option<Place>| written.unwrap_or_default();
    if interval < limits.min_interval {
        let min = raw
            .limits
            .as_ref()
            .and_then(|limits| limits.min_interval.as_ref());
        problems.error(
            place(raw.interval.as_ref().or(min).map(|written| written.place)),
            values::below_minimum(interval, &limits),
        );
    }
    // What is typed is probed once.
    let written = |place: Option<Place>| place.is_some_and(|p| p.origin == Origin::File);
    if interval < timeout
        && (written(raw.interval.as_ref().map(|own| own.place))
            || written(raw.timeout.as_ref().map(|own| own.place)))
    {
        problems.warning(
            place(
                raw.interval
                    .as_ref()
                    .or(raw.timeout.as_ref())
                    .map(|written| written.place),
            ),
            values::shorter_than_timeout(interval, timeout),
        );
    }
    let classify = values::classify(raw.classify.as_ref(), problems);
    let denied = values::networks(raw.denied_cidrs.as_deref(), problems);
    let expected = values::networks(raw.expected_cidrs.as_deref(), problems);
    let rules = Rules {
        denied: denied.clone(),
        global: classify.clone(),
        expected: expected.clone(),
        ..Rules::default()
    };
    target::doubt_expected(
        raw.expected_cidrs.as_deref().unwrap_or_default(),
        &rules,
        problems,
    );
    let expiry_warning = values::span(
        raw.tls.as_ref().and_then(|tls| tls.expiry_warning.as_ref()),
        "tls.expiryWarning",
        (Duration::ZERO, Duration::from_hours(87_600)),
        Duration::from_hours(336),
        problems,
    );
    Globals {
        interval,
        timeout,
        expect: values::expectation(raw.expect.as_ref(), problems)
            .unwrap_or(Expectation::PrivateEndpoint),
        denied,
        expected,
        classify,
        families: values::families(raw.address_families.as_ref(), problems)
            .unwrap_or_else(|| vec![Family::Ipv4, Family::Ipv6]),
        expiry_warning,
        resolvers: Resolvers::read(raw.resolvers.as_deref(), problems),
        allowed: admit::allowed(raw.allowed_hosts.as_deref(), problems),
        limits,
    }
}

fn limits(raw: Option<&RawLimits>, problems: &mut Problems<'_>) -> Limits {
    let default = Limits::default();
    let Some(raw) = raw else { return default };
    let mut number = |written: Option<&Written<i64>>, what: &str, most: i64| {
        let written = written?;
        if (1..=most).contains(&written.value) {
            return u32::try_from(written.value).ok();
        }
        problems.error(
            written.place,
            Complaint::new(format!(
                "limits.{what} is {}, which is not between 1 and {most}",
                written.value
            )),
        );
        None
    };
    let max_targets = number(raw.max_targets.as_ref(), "maxTargets", 10_000);
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

fn ca_certificates(
    raw: Option<&RawTls>,
    files: &mut Files,
    problems: &mut Problems<'_>,
) -> Vec<CertificateDer<'static>> {
    let mut all = Vec::new();
    for file in raw
        .into_iter()
        .flat_map(|tls| tls.ca_files.iter().flatten())
    {
        let path = Path::new(&file.value.0);
        match trust::certificates(path, files.read(path)) {
            Ok(certificates) => all.extend(certificates),
            Err(error) => {
                let cause = std::error::Error::source(&error).map(|cause| format!(" ({cause})"));
                problems.error(
                    file.place,
                    Complaint::new(format!("{error}{}", cause.unwrap_or_default())),
                );
            }
        }
    }
    all
}

/// Sorted as a reader meets them; what has no place comes last.
fn in_order(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort_by_key(|problem| match &problem.snippet {
        Some(snippet) => (snippet.line, snippet.column),
        None => (usize::MAX, 0),
    });
    problems
}

/// `30s`, for messages.
fn shown(span: Duration) -> String {
    format!("`{}`", duration::show(span))
}
