//! Merge: the targets of all sources become one list, in which each host and port is once. The
//! configuration comes first, then `PrivateLinkTarget`s, then discovered targets.

use std::collections::{HashMap, HashSet};

use privatelink_verdict::suggest::did_you_mean;
use privatelink_verdict::target::{Source, Target};
use serde_json::Value;

use crate::assemble::globals::Globals;
use crate::assemble::listed;
use crate::assemble::resolvers::bad_name;
use crate::assemble::target::{self, Group};
use crate::diagnostic::{Diagnostic, quoted};
use crate::plan::Rejected;
use crate::problem::Problem;
use crate::problems::Problems;
use crate::raw::RawTarget;
use crate::spanned::{Location, SourceText, Spanned};
use crate::target_file::TargetFile;
use crate::text::{self, NameText};

/// How many refused targets have a warning; the others are only counted.
const NAMED: usize = 20;

/// How many warnings about target files are kept. The files are not the operator's, and may hold any
/// number of mistakes.
const WARNINGS: usize = 50;

/// Collects the targets of all sources.
#[derive(Debug)]
pub(super) struct Merge<'a> {
    globals: &'a Globals,
    configured: Vec<Group>,
    /// Every name in a `sameService` of the configuration.
    companions: Vec<Spanned<NameText>>,
    /// `PrivateLinkTarget`s and discovered targets, each with the name of its file.
    listed: Vec<(String, Group)>,
    merged: Merged,
    names: HashMap<String, Location>,
    /// The target names of each configured group.
    group_names: Vec<Vec<String>>,
    /// The index of each host and port in the list.
    endpoints: HashMap<(String, u16), usize>,
}

/// The one list.
#[derive(Debug, Default)]
pub(super) struct Merged {
    pub(super) targets: Vec<Target>,
    pub(super) rejected: Rejected,
    pub(super) warnings: Vec<String>,
}

impl<'a> Merge<'a> {
    pub(super) fn new(globals: &'a Globals) -> Self {
        Self {
            globals,
            configured: Vec::new(),
            companions: Vec::new(),
            listed: Vec::new(),
            merged: Merged::default(),
            names: HashMap::new(),
            group_names: Vec::new(),
            endpoints: HashMap::new(),
        }
    }

    /// Adds a target of the operator's configuration.
    pub(super) fn add_configured(&mut self, raw: &Spanned<RawTarget>, problems: &mut Problems<'_>) {
        let origin = (Source::Config, None);
        problems.set_current_target(Some(self.configured.len()));
        self.configured
            .extend(target::read(raw, origin, self.globals, problems));
        problems.set_current_target(None);
        self.companions
            .extend(raw.value.same_service.iter().flatten().cloned());
    }

    /// Names the configured targets. Names that repeat, names in `sameService` that do not exist, and
    /// too many targets are errors.
    pub(super) fn name_configured(&mut self, problems: &mut Problems<'_>) {
        let groups = std::mem::take(&mut self.configured);
        let repeated = repeated(groups.iter());
        for group in groups {
            let members: Vec<_> = named(group, &repeated).collect();
            let names = members.iter().map(|(_, target)| target.name.clone());
            self.group_names.push(names.collect());
            for (location, target) in members {
                if !text::is_name(&target.name) {
                    problems.error(location, bad_name(&target.name));
                } else if let Some(first) = self.names.get(&target.name) {
                    let first = (first.line > 0).then(|| problems.line(*first, location));
                    problems.error(location, name_is_taken(&target.name, first.as_deref()));
                } else {
                    self.names.insert(target.name.clone(), location);
                    self.keep(target);
                }
            }
        }
        for companion in std::mem::take(&mut self.companions) {
            let name = companion.value.0;
            if !self.names.contains_key(&name) {
                let help = did_you_mean(&name, self.names.keys().map(String::as_str))
                    .unwrap_or_else(|| "write the `name` of another target".to_owned());
                let message = format!("sameService: no target is called {}", quoted(&name));
                problems.error(companion.location, Diagnostic::new(message).help(help));
            }
        }
        let (found, most) = (self.merged.targets.len(), self.globals.limits.max_targets);
        if found > most {
            problems.error(
                Location::default(),
                Diagnostic::new(format!(
                    "there are {found} targets, and limits.maxTargets is {most}"
                ))
                .help("raise limits.maxTargets, or probe less"),
            );
        }
    }

    /// Adds the targets of a target file. A mistake in it is a warning.
    pub(super) fn add_target_file(&mut self, file: &TargetFile) {
        let TargetFile {
            source,
            content,
            warning,
            refused,
        } = file;
        self.merged.warnings.extend(warning.clone());
        // The source of the targets in a refused file is not known; the observer wrote it.
        self.merged.rejected.discovered += usize::from(*refused);
        for key in &content.others {
            self.merged.warnings.push(format!(
                "{}: {} is ignored: only `targets` is read from a target file",
                source.name,
                quoted(key)
            ));
        }
        for item in &content.targets {
            self.add_listed(item.clone(), source);
        }
    }

    fn add_listed(&mut self, item: Spanned<Value>, text: &SourceText) {
        let no_command_line = SourceText::default();
        let mut problems = Problems::new(std::slice::from_ref(text), &no_command_line);
        problems.set_default_location(item.location);
        let label = listed::label(&item.value);
        let (source, group) = listed::read(item, self.globals, &mut problems);
        let Some(group) = group else {
            let first = problems.errors.first().map(Problem::one_line);
            let what = first.unwrap_or_default();
            self.reject(
                source,
                format!("the {source} target {label} is refused: {what}"),
            );
            return;
        };
        self.listed.push((text.name.clone(), group));
        let warnings = problems.warnings.into_iter();
        self.merged
            .warnings
            .extend(warnings.map(|warning| warning.text));
    }

    /// The target names of the configured target with this index, after
    /// [`Merge::name_configured`].
    pub(super) fn names_of(&self, target: usize) -> &[String] {
        self.group_names.get(target).map_or(&[], Vec::as_slice)
    }

    /// The one list.
    pub(super) fn finish(mut self) -> Merged {
        let mut groups = std::mem::take(&mut self.listed);
        // Sorted by name: when two targets conflict, the one that is kept must not depend on the
        // order of the file.
        groups.sort_by(|(_, a), (_, b)| {
            let key = |group: &Group| {
                let source = group.members.first().map(|(_, target)| target.source);
                (source, group.name.clone(), group.host.clone())
            };
            key(a).cmp(&key(b))
        });
        let mut repeated = repeated(groups.iter().map(|(_, group)| group));
        repeated.extend(self.endpoints.keys().map(|(host, _)| host.clone()));
        for (file, group) in groups {
            for (_, target) in named(group, &repeated) {
                let endpoint = (target.host.clone(), target.port);
                if let Some(index) = self.endpoints.get(&endpoint) {
                    // It is the same target, and those are its users.
                    let known = &mut self.merged.targets[*index];
                    known.users = known.users.take().or(target.users);
                    continue;
                }
                let Err(why) = self.admit(&target) else {
                    self.names.insert(target.name.clone(), Location::default());
                    self.keep(target);
                    continue;
                };
                let (source, name) = (target.source, quoted(&target.name));
                self.reject(
                    source,
                    format!("{file}: the {source} target {name} is refused: {why}"),
                );
            }
        }
        let refused = self.merged.rejected.crd + self.merged.rejected.discovered;
        if refused > NAMED {
            self.merged.warnings.push(format!(
                "{refused} targets are refused in all; the first {NAMED} are named above"
            ));
        }
        let warnings = self.merged.warnings.len();
        if warnings > WARNINGS {
            self.merged.warnings.truncate(WARNINGS);
            let more = warnings - WARNINGS;
            let more = format!("{more} more warnings about target files are not shown");
            self.merged.warnings.push(more);
        }
        self.merged
    }

    /// Whether a listed target may join the list; if not, why.
    fn admit(&self, target: &Target) -> Result<(), String> {
        let most = self.globals.limits.max_targets;
        if !text::is_name(&target.name) {
            Err("that cannot be a name".to_owned())
        } else if self.names.contains_key(&target.name) {
            Err("another target has that name".to_owned())
        } else if self.merged.targets.len() >= most {
            Err(format!("limits.maxTargets is {most}"))
        } else {
            Ok(())
        }
    }

    fn keep(&mut self, target: Target) {
        let endpoint = (target.host.clone(), target.port);
        self.endpoints.insert(endpoint, self.merged.targets.len());
        self.merged.targets.push(target);
    }

    fn reject(&mut self, source: Source, warning: String) {
        let rejected = &mut self.merged.rejected;
        match source {
            Source::Config => rejected.config += 1,
            Source::Crd => rejected.crd += 1,
            Source::Discovered => rejected.discovered += 1,
        }
        if rejected.config + rejected.crd + rejected.discovered <= NAMED {
            self.merged.warnings.push(warning);
        }
    }
}

fn name_is_taken(name: &str, first: Option<&str>) -> Diagnostic {
    let first = first.map_or_else(String::new, |place| format!(" (the first is {place})"));
    Diagnostic::new(format!("two targets are called {}{first}", quoted(name)))
        .help("give one of them another `name`, or remove it")
}

/// The hosts of more than one group, whatever the port: their default name needs the port.
fn repeated<'g>(groups: impl Iterator<Item = &'g Group>) -> HashSet<String> {
    let mut once = HashSet::new();
    groups
        .filter(|group| !once.insert(group.host.as_str()))
        .map(|group| group.host.clone())
        .collect()
}

/// The targets of a group with their names and the group's location.
fn named(group: Group, repeated: &HashSet<String>) -> impl Iterator<Item = (Location, Target)> {
    let Group {
        name,
        host,
        location,
        members,
    } = group;
    let repeats = repeated.contains(&host);
    let base = name.unwrap_or_else(|| match members.first() {
        Some((_, first)) if repeats => format!("{host}:{}", first.port),
        _ => host,
    });
    let name_of = move |region: Option<&String>| match region {
        Some(region) => format!("{base}:data:{region}"),
        None => base.clone(),
    };
    // A login server without its data endpoints is of no use: they are judged together.
    let regions = members.iter().filter_map(|(region, _)| region.as_ref());
    let endpoints: Vec<String> = regions.map(|region| name_of(Some(region))).collect();
    members.into_iter().map(move |(region, mut target)| {
        target.name = name_of(region.as_ref());
        if region.is_none() {
            target.companions.extend(endpoints.iter().cloned());
        } else {
            target.companions.clear();
        }
        (location, target)
    })
}
