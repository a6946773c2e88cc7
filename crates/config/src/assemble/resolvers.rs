//! Resolvers: reads the resolvers, and decides by which of them a target is judged.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::assemble::{servers_file, values};
use crate::diagnostic::{Diagnostic, quoted};
use crate::files::Files;
use crate::network;
use crate::problems::Problems;
use crate::raw::RawResolver;
use crate::spanned::{Origin, Spanned};
use crate::text::{self, NameText, ServerText};
use privatelink_verdict::catalogue::Usage;
use privatelink_verdict::resolver::{Resolver, Servers};
use privatelink_verdict::suggest::did_you_mean;

/// The resolv.conf of the node, which the pod has by `dnsPolicy: Default`.
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// The words of `pathFor`.
pub(super) const USAGES: [(&str, Usage); 2] = [
    ("registries", Usage::Registries),
    ("volumes", Usage::Volumes),
];

/// Every resolver, and the paths that `pathFor` names.
#[derive(Debug)]
pub(super) struct Resolvers {
    pub(super) all: Vec<Resolver>,
    registries: Option<Arc<str>>,
    volumes: Option<Arc<str>>,
    /// The names of those whose servers are not known yet.
    left_out: Vec<String>,
}

impl Resolvers {
    pub(super) fn read(
        written: Option<&[Spanned<RawResolver>]>,
        files: &mut Files,
        problems: &mut Problems<'_>,
    ) -> Self {
        let mut resolvers = Self {
            all: Vec::new(),
            registries: None,
            volumes: None,
            left_out: Vec::new(),
        };
        for written in written.unwrap_or_default() {
            resolvers.add(written, files, problems);
        }
        if resolvers.all.is_empty() {
            resolvers.all.push(Resolver {
                name: "system".into(),
                servers: Servers::ResolvConf(RESOLV_CONF.into()),
                must_agree: false,
            });
        }
        resolvers
    }

    fn add(
        &mut self,
        written: &Spanned<RawResolver>,
        files: &mut Files,
        problems: &mut Problems<'_>,
    ) {
        let raw = &written.value;
        let name = &raw.name.value.0;
        // The command line names a resolver by its address, which may have brackets.
        let typed = raw.name.location.origin == Origin::CommandLine;
        if !typed && !text::is_name(name) {
            problems.error(raw.name.location, bad_name(name));
        } else if self.all.iter().any(|known| *known.name == **name) || self.left_out.contains(name)
        {
            problems.error(
                raw.name.location,
                Diagnostic::new(format!("there are two resolvers called {}", quoted(name)))
                    .help("give one of them another name"),
            );
        }
        let servers = servers(raw, files, problems);
        for usage in raw.path_for.iter().flatten() {
            let Some(meant) = values::word(Some(usage), "pathFor", &USAGES, problems) else {
                continue;
            };
            let path = match meant {
                Usage::Registries => &mut self.registries,
                Usage::Volumes => &mut self.volumes,
            };
            match path {
                None => *path = Some(name.as_str().into()),
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
        match servers {
            None => self.left_out.push(name.clone()),
            Some(servers) => self.all.push(Resolver {
                name: name.as_str().into(),
                servers,
                must_agree: raw.must_agree.unwrap_or(false),
            }),
        }
    }

    /// The name of the resolver that a target is judged by: its own, else that of its usage, else the
    /// first.
    pub(super) fn path(
        &self,
        written: Option<&Spanned<NameText>>,
        usage: Option<Usage>,
        problems: &mut Problems<'_>,
    ) -> Arc<str> {
        let first = || self.all.first().map(|first| first.name.clone());
        let written = written.filter(|written| !self.left_out.contains(&written.value.0));
        if let Some(written) = written {
            let name = &written.value.0;
            if let Some(known) = self.all.iter().find(|known| *known.name == **name) {
                return Arc::clone(&known.name);
            }
            let known = || self.all.iter().map(|known| &*known.name);
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
        .filter(|name| !self.left_out.iter().any(|left_out| **left_out == **name))
        .or_else(first)
        .unwrap_or_default()
    }
}

/// Where the servers of a resolver come from. `None`: they are not known yet, and a warning says so.
fn servers(raw: &RawResolver, files: &mut Files, problems: &mut Problems<'_>) -> Option<Servers> {
    let name = quoted(&raw.name.value.0);
    let given: Vec<_> = [
        ("`servers`", raw.servers.is_some()),
        ("`resolvConf`", raw.resolv_conf.is_some()),
        ("`serversFile`", raw.servers_file.is_some()),
    ]
    .into_iter()
    .filter_map(|(key, is_given)| is_given.then_some(key))
    .collect();
    if given.len() != 1 {
        let what = match given[..] {
            [] => "neither `servers` nor `resolvConf`".to_owned(),
            [one, other] => format!("both {one} and {other}"),
            _ => format!("all of {}", given.join(", ")),
        };
        problems.error(
            raw.name.location,
            Diagnostic::new(format!("the resolver {name} has {what}")).help("write one of them"),
        );
        return Some(Servers::Listed(Vec::new()));
    }
    if let Some(path) = &raw.resolv_conf {
        if path.value.0.is_empty() {
            problems.error(path.location, Diagnostic::new("resolvConf is empty"));
        }
        if let Some(local_dns) = raw.local_dns.as_ref().filter(|local_dns| local_dns.value) {
            problems.error(
                local_dns.location,
                Diagnostic::new(
                    "localDns has no effect beside resolvConf, which says what is asked",
                )
                .help("remove localDns"),
            );
        }
        return Some(Servers::ResolvConf(PathBuf::from(&path.value.0)));
    }
    let listed = if let Some(servers) = &raw.servers {
        if servers.value.is_empty() {
            problems.error(
                servers.location,
                Diagnostic::new(format!("the resolver {name} has no servers")),
            );
        }
        let mut check = |server: &Spanned<ServerText>| {
            problems.check(server.location, network::server(&server.value.0))
        };
        servers.value.iter().filter_map(&mut check).collect()
    } else {
        let path = raw.servers_file.as_ref()?;
        match servers_file::read(Path::new(&path.value.0), files) {
            Ok(servers) => servers,
            Err(why) => {
                problems.warning(
                    path.location,
                    Diagnostic::new(format!("the resolver {name} is left out: {why}")),
                );
                return None;
            }
        }
    };
    let is_of_pods = raw
        .local_dns
        .as_ref()
        .is_some_and(|local_dns| local_dns.value);
    Some(if is_of_pods {
        Servers::OfPods {
            cluster: listed,
            node: RESOLV_CONF.into(),
        }
    } else {
        Servers::Listed(listed)
    })
}

/// The error for a name that does not match [`text::NAME_PATTERN`].
pub(super) fn bad_name(name: &str) -> Diagnostic {
    Diagnostic::new(format!("{} cannot be a name", quoted(name))).help(
        "a name starts with a letter or digit, goes on with letters, digits, `.`, `_`, `:` or \
         `-`, and has at most 253 characters",
    )
}
