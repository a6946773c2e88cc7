//! Resolvers: reads the resolvers, and decides by which of them a target is judged.

use std::path::PathBuf;

use crate::assemble::values;
use crate::diagnostic::{Diagnostic, quoted};
use crate::network;
use crate::problems::Problems;
use crate::raw::RawResolver;
use crate::spanned::{Origin, Spanned};
use crate::text::{self, NameText};
use privatelink_verdict::catalogue::Usage;
use privatelink_verdict::resolver::{Resolver, Servers};
use privatelink_verdict::suggest::did_you_mean;

/// The words of `pathFor`.
pub(super) const USAGES: [(&str, Usage); 2] = [
    ("registries", Usage::Registries),
    ("volumes", Usage::Volumes),
];

/// Every resolver, and the paths that `pathFor` names.
#[derive(Debug)]
pub(super) struct Resolvers {
    pub(super) all: Vec<Resolver>,
    registries: Option<String>,
    volumes: Option<String>,
}

impl Resolvers {
    pub(super) fn read(
        written: Option<&[Spanned<RawResolver>]>,
        problems: &mut Problems<'_>,
    ) -> Self {
        let mut resolvers = Self {
            all: Vec::new(),
            registries: None,
            volumes: None,
        };
        for written in written.unwrap_or_default() {
            resolvers.add(written, problems);
        }
        if resolvers.all.is_empty() {
            resolvers.all.push(Resolver {
                name: "system".to_owned(),
                servers: Servers::ResolvConf(PathBuf::from("/etc/resolv.conf")),
                must_agree: false,
            });
        }
        resolvers
    }

    fn add(&mut self, written: &Spanned<RawResolver>, problems: &mut Problems<'_>) {
        let raw = &written.value;
        let name = &raw.name.value.0;
        // The command line names a resolver by its address, which may have brackets.
        let typed = raw.name.location.origin == Origin::CommandLine;
        if !typed && !text::is_name(name) {
            problems.error(raw.name.location, bad_name(name));
        } else if self.all.iter().any(|known| known.name == *name) {
            problems.error(
                raw.name.location,
                Diagnostic::new(format!("there are two resolvers called {}", quoted(name)))
                    .help("give one of them another name"),
            );
        }
        let servers = match (&raw.servers, &raw.resolv_conf) {
            (Some(servers), None) if servers.value.is_empty() => {
                problems.error(
                    servers.location,
                    Diagnostic::new(format!("the resolver {} has no servers", quoted(name))),
                );
                Servers::Listed(Vec::new())
            }
            (Some(servers), None) => Servers::Listed(
                servers
                    .value
                    .iter()
                    .filter_map(|server| {
                        problems.check(server.location, network::server(&server.value.0))
                    })
                    .collect(),
            ),
            (None, Some(path)) => {
                if path.value.0.is_empty() {
                    problems.error(path.location, Diagnostic::new("resolvConf is empty"));
                }
                Servers::ResolvConf(PathBuf::from(&path.value.0))
            }
            (given, _) => {
                let what = match given {
                    Some(_) => "both `servers` and `resolvConf`",
                    None => "neither `servers` nor `resolvConf`",
                };
                problems.error(
                    raw.name.location,
                    Diagnostic::new(format!("the resolver {} has {what}", quoted(name)))
                        .help("write one of them"),
                );
                Servers::Listed(Vec::new())
            }
        };
        for usage in raw.path_for.iter().flatten() {
            let Some(meant) = values::word(Some(usage), "pathFor", &USAGES, problems) else {
                continue;
            };
            let path = match meant {
                Usage::Registries => &mut self.registries,
                Usage::Volumes => &mut self.volumes,
            };
            match path {
                None => *path = Some(name.clone()),
                Some(other) => problems.error(
                    usage.location,
                    Diagnostic::new(format!(
                        "the resolver {} is already the path for {}",
                        quoted(other),
                        usage.value.0
                    ))
                    .help("a target is judged by one path: keep it at one resolver"),
                ),
            }
        }
        self.all.push(Resolver {
            name: name.clone(),
            servers,
            must_agree: raw.must_agree.unwrap_or(false),
        });
    }

    /// The name of the resolver that a target is judged by: its own, else that of its usage, else the
    /// first.
    pub(super) fn path(
        &self,
        written: Option<&Spanned<NameText>>,
        usage: Option<Usage>,
        problems: &mut Problems<'_>,
    ) -> String {
        let first = || self.all.first().map(|first| first.name.clone());
        if let Some(written) = written {
            let name = &written.value.0;
            if self.all.iter().any(|known| known.name == *name) {
                return name.clone();
            }
            let known = || self.all.iter().map(|known| known.name.as_str());
            let help = match did_you_mean(name, known()) {
                _ if network::server(name).is_ok() => format!(
                    "give the server a name under `resolvers`, `{{name: dns, servers: [{name:?}]}}`, and \
                     write that name here"
                ),
                Some(hint) => hint,
                None => format!("known: {}", known().collect::<Vec<_>>().join(", ")),
            };
            problems.error(
                written.location,
                Diagnostic::new(format!("there is no resolver called {}", quoted(name))).help(help),
            );
        }
        match usage {
            Some(Usage::Registries) => self.registries.clone(),
            Some(Usage::Volumes) => self.volumes.clone(),
            None => None,
        }
        .or_else(first)
        .unwrap_or_default()
    }
}

/// The error for a name that does not match [`text::NAME_PATTERN`].
pub(super) fn bad_name(name: &str) -> Diagnostic {
    Diagnostic::new(format!("{} cannot be a name", quoted(name))).help(
        "a name starts with a letter or digit, goes on with letters, digits, `.`, `_`, `:` or \
         `-`, and has at most 253 characters",
    )
}
