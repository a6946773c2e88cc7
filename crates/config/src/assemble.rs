//! Assemble: a raw configuration becomes a plan: globals read, targets expanded, files merged.

mod admit;
mod globals;
mod listed;
mod merge;
mod preset;
mod resolvers;
mod servers_file;
mod target;
mod values;

use std::path::Path;
use std::sync::Arc;

use privatelink_verdict::suggest::did_you_mean;
use rustls_pki_types::CertificateDer;

use crate::diagnostic::{Diagnostic, quoted};
use crate::files::Files;
use crate::plan::Plan;
use crate::problem::{ConfigError, Problem};
use crate::problems::{Problems, Warning};
use crate::raw::{RawConfig, RawTls};
use crate::spanned::{Location, SourceText};
use crate::target_file::TargetFile;
use crate::trust;

use self::globals::Globals;
use self::merge::{Merge, Merged};

/// Everything that a plan is made from.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    /// The operator's files.
    pub(crate) files: Vec<SourceText>,
    /// Their content, with the flags of the command line applied to it.
    pub(crate) raw: RawConfig,
    /// The command line as a text, for snippets.
    pub(crate) command_line: SourceText,
    /// The observer's files.
    pub(crate) target_files: Vec<TargetFile>,
    /// Whether a plan without targets is valid: when a target file may bring some later.
    pub(crate) may_be_empty: bool,
    /// The names of the targets to keep; empty for all.
    pub(crate) chosen: Vec<String>,
}

/// Makes a plan, or returns everything that is wrong. The files that the
/// configuration names are read through `files`, which keeps the hash of all that the plan is made from.
pub(crate) fn assemble(parts: &Parts, files: &mut Files) -> Result<Plan, ConfigError> {
    let mut problems = Problems::new(&parts.files, &parts.command_line);
    let globals = Globals::read(&parts.raw, files, &mut problems);
    let ca_certificates = ca_certificates(parts.raw.tls.as_ref(), files, &mut problems);

    let mut merge = Merge::new(&globals);
    let targets = parts.raw.targets.as_deref().unwrap_or_default();
    let presets = preset::targets(&parts.raw, &mut problems);
    for raw in targets.iter().chain(&presets) {
        merge.add_configured(raw, &mut problems);
    }
    if targets.is_empty() && presets.is_empty() && !parts.may_be_empty {
        problems.error(
            Location::default(),
            Diagnostic::new("no targets: there is nothing to probe")
                .help("write at least one `host` under `targets`"),
        );
    }
    merge.name_configured(&mut problems);
    if !problems.errors.is_empty() {
        return Err(ConfigError {
            problems: in_order(problems.errors, &parts.files),
        });
    }
    for file in &parts.target_files {
        merge.add_target_file(file);
    }
    let is_about_chosen = |warning: &Warning| {
        let names = warning.target.map(|target| merge.names_of(target));
        parts.chosen.is_empty()
            || names.is_none_or(|names| names.iter().any(|name| parts.chosen.contains(name)))
    };
    problems.warnings.retain(is_about_chosen);
    let mut merged = merge.finish();
    keep_chosen(&parts.chosen, &mut merged)?;
    let mut plan = Plan {
        targets: merged.targets.into_iter().map(Arc::new).collect(),
        ca_certificates: ca_certificates.into(),
        http_interval: globals.http_interval,
        metrics: globals.metrics,
        limits: globals.limits,
        allowed: globals.allowed,
        denied: globals.rules.denied.clone(),
        resolvers: globals.resolvers.all,
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

/// Removes the targets that are not chosen, and the warnings about target files, which are about
/// others.
fn keep_chosen(chosen: &[String], merged: &mut Merged) -> Result<(), ConfigError> {
    if chosen.is_empty() {
        return Ok(());
    }
    for name in chosen {
        if merged.targets.iter().any(|target| target.name == *name) {
            continue;
        }
        let names = merged.targets.iter().map(|target| target.name.as_str());
        let help = did_you_mean(name, names.clone()).unwrap_or_else(|| {
            let some: Vec<_> = names.take(5).map(quoted).collect();
            format!("it has {}", some.join(", "))
        });
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

fn ca_certificates(
    raw: Option<&RawTls>,
    files: &mut Files,
    problems: &mut Problems<'_>,
) -> Vec<CertificateDer<'static>> {
    let mut all = Vec::new();
    for file in raw.iter().flat_map(|tls| tls.ca_files.iter().flatten()) {
        let path = Path::new(&file.value.0);
        match trust::certificates(path, files.read(path)) {
            Ok(certificates) => all.extend(certificates),
            Err(error) => {
                let cause = std::error::Error::source(&error).map(|cause| format!(" ({cause})"));
                problems.error(
                    file.location,
                    Diagnostic::new(format!("{error}{}", cause.unwrap_or_default())),
                );
            }
        }
    }
    all
}

/// Sorted by location, file by file and the command line after them; problems without one come last.
fn in_order(mut problems: Vec<Problem>, files: &[SourceText]) -> Vec<Problem> {
    let index = |name: &str| files.iter().position(|file| file.name == name);
    problems.sort_by_key(|problem| match &problem.snippet {
        Some(snippet) => {
            let file = index(&snippet.file).unwrap_or(files.len());
            (file, snippet.line, snippet.column)
        }
        None => (usize::MAX, 0, 0),
    });
    problems
}
