//! Merge: the targets of all sources as one list, each host and port once: the configuration
//! before `PrivateLinkTarget`s before what was discovered.

use std::collections::{HashMap, HashSet};

use privatelink_verdict::target::{Source as Declared, Target};
use serde_json::Value;

use crate::assemble::resolvers::{USAGES, bad_name};
use crate::assemble::target::{self, Group};
use crate::assemble::{Globals, admit, values};
use crate::later::Later;
use crate::plan::Rejected;
use crate::problem::{Complaint, Problem, Problems, Source, quoted};
use crate::raw::RawTarget;
use crate::read;
use crate::text::{self, NameText};
use crate::written::{Place, Written};
use privatelink_verdict::catalogue::Usage;
use privatelink_verdict::suggest::nearest;

/// How many refused targets are named; the rest is only counted.
const NAMED: usize = 20;

/// How much is said of later files at most: they are not the operator's, and may be any length.
const WARNINGS: usize = 50;

/// Targets of all sources, on their way to becoming one list.
#[derive(Debug)]
pub(super) struct Merge<'a> {
    globals: &'a Globals,
    configured: Vec<Group>,
    /// Every name that a configured target calls a companion.
    companions: Vec<Written<NameText>>,
    /// `PrivateLinkTarget`s and discovered targets, with the file they come from.
    later: Vec<(String, Group)>,
    merged: Merged,
    names: HashMap<String, Place>,
    /// What the targets of each configured group are called.
    groups: Vec<Vec<String>>,
    endpoints: HashSet<(String, u16)>,
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
            later: Vec::new(),
            merged: Merged::default(),
            names: HashMap::new(),
            groups: Vec::new(),
            endpoints: HashSet::new(),
        }
    }

    /// Takes a target of the operator's configuration.
    pub(super) fn configured(&mut self, raw: &Written<RawTarget>, problems: &mut Problems<'_>) {
        let origin = (Declared::Config, None);
        problems.about(Some(self.configured.len()));
        self.configured
            .extend(target::read(raw, origin, self.globals, problems));
        problems.about(None);
        self.companions
            .extend(raw.value.same_service.iter().flatten().cloned());
    }

    /// Names the configured targets; what is wrong with the list as a whole is an error.
    pub(super) fn settle(&mut self, problems: &mut Problems<'_>) {
        let groups = std::mem::take(&mut self.configured);
        let repeated = repeated(groups.iter());
        for group in groups {
            let members: Vec<_> = named(group, &repeated).collect();
            let names = members.iter().map(|(_, target)| target.name.clone());
            self.groups.push(names.collect());
            for (place, target) in members {
                if !text::is_name(&target.name) {
                    problems.error(place, bad_name(&target.name));
                } else if let Some(first) = self.names.get(&target.name) {
                    let first = match first.line {
                        0 => String::new(),
                        line => format!(" (the first is on line {line})"),
                    };
                    problems.error(
                        place,
                        Complaint::new(format!(
                            "two targets are called {}{first}",
                            quoted(&target.name)
                        ))
                        .help("give one of them another `name`, or remove it"),
                    );
                } else {
                    self.names.insert(target.name.clone(), place);
                    self.keep(target);
                }
            }
        }
        for companion in std::mem::take(&mut self.companions) {
            let name = companion.value.0;
            if !self.names.contains_key(&name) {
                let near = nearest(&name, self.names.keys().map(String::as_str)).next();
                let help = near.map_or_else(
                    || "write the `name` of another target".to_owned(),
                    |near| format!("did you mean {}?", quoted(near)),
                );
                let complaint = Complaint::new(format!(
                    "sameService: no target is called {}",
                    quoted(&name)
                ));
                problems.error(companion.place, complaint.help(help));
            }
        }
        let (found, most) = (self.merged.targets.len(), self.globals.limits.max_targets);
        if found > most {
            problems.error(
                Place::default(),
                Complaint::new(format!(
                    "there are {found} targets, and limits.maxTargets is {most}"
                ))
                .help("raise limits.maxTargets, or probe less"),
            );
        }
    }

    /// Takes the targets of a later file; nothing in it is ever an error.
    pub(super) fn later(&mut self, later: &Later) {
        let Later {
            source,
            file,
            warning,
            refused,
        } = later;
        self.merged.warnings.extend(warning.clone());
        // Whose targets they would have been, nobody knows: the observer's.
        self.merged.rejected.discovered += usize::from(*refused);
        for key in &file.others {
            self.merged.warnings.push(format!(
                "{}: {} is ignored: only `targets` counts in a later file",
                source.name,
                quoted(key)
            ));
        }
        for item in &file.targets {
            self.later_item(item.clone(), source);
        }
    }

    fn later_item(&mut self, item: Written<Value>, source: &Source) {
        let nothing = Source::default();
        let mut problems = Problems::new(source, &nothing);
        problems.around(item.place);
        let called = called(&item.value);
        let (declared, group) = later_group(item, self.globals, &mut problems);
        let Some(group) = group else {
            let what = problems.errors.first().map(Problem::one_line);
            let what = what.unwrap_or_default();
            let warning = format!("the {declared} target {called} is refused: {what}");
            self.reject(declared, warning);
            return;
        };
        self.later.push((source.name.clone(), group));
        let warnings = problems.warnings.into_iter();
        self.merged
            .warnings
            .extend(warnings.map(|warning| warning.text));
    }

    /// What the targets of a configured group are called, once it is settled.
    pub(super) fn names_of(&self, group: usize) -> &[String] {
        self.groups.get(group).map_or(&[], Vec::as_slice)
    }

    /// The one list.
    pub(super) fn finish(mut self) -> Merged {
        let mut groups = std::mem::take(&mut self.later);
        // By name, not by the order of the file: which of two wins must not change from one
        // rendering of the file to the next.
        groups.sort_by(|(_, a), (_, b)| {
            let key = |group: &Group| {
                let declared = group.members.first().map(|(_, target)| target.source);
                (declared, group.name.clone(), group.host.clone())
            };
            key(a).cmp(&key(b))
        });
        let mut repeated = repeated(groups.iter().map(|(_, group)| group));
        repeated.extend(self.endpoints.iter().map(|(host, _)| host.clone()));
        for (file, group) in groups {
            for (_, target) in named(group, &repeated) {
                if self.endpoints.contains(&(target.host.clone(), target.port)) {
                    continue;
                }
                let (declared, name) = (target.source, quoted(&target.name));
                let most = self.globals.limits.max_targets;
                let what = if !text::is_name(&target.name) {
                    "that cannot be a name".to_owned()
                } else if self.names.contains_key(&target.name) {
                    "another target has that name".to_owned()
                } else if self.merged.targets.len() >= most {
                    format!("limits.maxTargets is {most}")
                } else {
                    self.names.insert(target.name.clone(), Place::default());
                    self.keep(target);
                    continue;
                };
                self.reject(
                    declared,
                    format!("{file}: the {declared} target {name} is refused: {what}"),
                );
            }
        }
        let refused = self.merged.rejected.crd + self.merged.rejected.discovered;
        if refused > NAMED {
            self.merged.warnings.push(format!(
                "{refused} targets are refused in all; the first {NAMED} are named above"
            ));
        }
        let said = self.merged.warnings.len();
        if said > WARNINGS {
            self.merged.warnings.truncate(WARNINGS);
            let more = said - WARNINGS;
            let more = format!("{more} more warnings about later files are not shown");
            self.merged.warnings.push(more);
        }
        self.merged
    }

    fn keep(&mut self, target: Target) {
        self.endpoints.insert((target.host.clone(), target.port));
        self.merged.targets.push(target);
    }

    fn reject(&mut self, declared: Declared, warning: String) {
        let rejected = &mut self.merged.rejected;
        match declared {
            Declared::Config => rejected.config += 1,
            Declared::Crd => rejected.crd += 1,
            Declared::Discovered => rejected.discovered += 1,
        }
        if rejected.config + rejected.crd + rejected.discovered <= NAMED {
            self.merged.warnings.push(warning);
        }
    }
}

/// One item of a later file. Its own keys, beside those of a target: `source`, and for discovered
/// ones `usage`.
fn later_group(
    item: Written<Value>,
    globals: &Globals,
    problems: &mut Problems<'_>,
) -> (Declared, Option<Group>) {
    let Written { mut value, place } = item;
    let word = |value: &mut Value, key: &str| match value.as_object_mut()?.shift_remove(key)? {
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    };
    let source = word(&mut value, "source");
    let usage = word(&mut value, "usage");
    let sources = [
        (Declared::Crd.as_str(), Declared::Crd),
        (Declared::Discovered.as_str(), Declared::Discovered),
    ];
    let Some(source) = source else {
        let sources = "write `source: crd` or `source: discovered`";
        problems.error(
            place,
            Complaint::new("it is no target with a `source`").help(sources),
        );
        return (Declared::Discovered, None);
    };
    let source = Written {
        value: source,
        place,
    };
    let Some(declared) = values::word(Some(&source), "source", &sources, problems) else {
        return (Declared::Discovered, None);
    };
    let usage: Option<Usage> = usage.and_then(|value| {
        values::word(Some(&Written { value, place }), "usage", &USAGES, problems)
    });
    let raw = read::later_target(value).and_then(|raw| admit::fields(&raw).map(|()| raw));
    let Some(value) = problems.check(place, raw) else {
        return (declared, None);
    };
    if declared == Declared::Crd && value.name.is_none() {
        let complaint =
            Complaint::new("it has no name").help("a PrivateLinkTarget is called `namespace:name`");
        problems.error(place, complaint);
    }
    let raw = Written { value, place };
    let group = target::read(&raw, (declared, usage), globals, problems).filter(|group| {
        group.members.iter().all(|(_, member)| {
            problems
                .check(place, admit::target(member, &globals.allowed))
                .is_some()
        })
    });
    (declared, group.filter(|_| problems.errors.is_empty()))
}

/// How a target is called before it is known to be one.
fn called(value: &Value) -> String {
    let field = |key: &str| value.get(key).and_then(Value::as_str);
    quoted(
        field("name")
            .or_else(|| field("host"))
            .unwrap_or("without a host"),
    )
}

/// The hosts that stand at several places, whatever the port: their default name needs it.
fn repeated<'g>(groups: impl Iterator<Item = &'g Group>) -> HashSet<String> {
    let mut once = HashSet::new();
    groups
        .filter(|group| !once.insert(group.host.as_str()))
        .map(|group| group.host.clone())
        .collect()
}

/// The targets of a group with their names.
fn named(group: Group, repeated: &HashSet<String>) -> impl Iterator<Item = (Place, Target)> {
    let Group {
        name,
        host,
        place,
        members,
    } = group;
    let repeats = repeated.contains(&host);
    let base = name.unwrap_or_else(|| match members.first() {
        Some((_, first)) if repeats => format!("{host}:{}", first.port),
        _ => host,
    });
    let called = move |region: Option<&String>| match region {
        Some(region) => format!("{base}:data:{region}"),
        None => base.clone(),
    };
    // A login server without its data endpoints is of no use: they are judged together.
    let regions = members.iter().filter_map(|(region, _)| region.as_ref());
    let endpoints: Vec<String> = regions.map(|region| called(Some(region))).collect();
    members.into_iter().map(move |(region, mut target)| {
        target.name = called(region.as_ref());
        if region.is_none() {
            target.companions.extend(endpoints.iter().cloned());
        } else {
            target.companions.clear();
        }
        (place, target)
    })
}
