//! Manifests: objects as people write them, and the targets that discovery must find in them.
//!
//! Every file below `tests/manifests/` is a test case, named by its path: `cargo test -p
//! privatelink-discovery --test manifests volumes/` runs those of one folder. Its keys:
//!
//! - `story`: the situation, in a sentence, and `from`: the document that the manifests are from;
//! - `given`: `cloud`, `allowed` (as `allowedHosts`), `on` (sources beside the usual ones), `off`;
//! - `objects`: the manifests;
//! - `targets`: each target, by host and port, with what is said of its users;
//! - `omitted`: what is counted instead, by source and reason, with the objects.
//!
//! What is written for the agents of each is read with their own crate, which must accept all of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

use libtest_mimic::{Arguments, Failed, Trial};
use privatelink_discovery::{
    Discovered, DiscoveryRules, Event, Index, Key, Kind, Metadata, Room, Source, Visitor,
    each_kind, find, target_file,
};
use privatelink_verdict::admission::Allowed;
use privatelink_verdict::catalogue::Cloud;
use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    #[serde(rename = "story")]
    _story: String,
    #[serde(rename = "from")]
    _from: Option<String>,
    #[serde(default)]
    given: Given,
    objects: Vec<Value>,
    #[serde(default)]
    targets: BTreeMap<String, String>,
    #[serde(default)]
    omitted: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Given {
    cloud: Option<String>,
    allowed: Vec<String>,
    on: Vec<String>,
    off: Vec<String>,
}

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/manifests");
    let mut files = Vec::new();
    find_files(&root, &mut files);
    files.sort();
    assert!(files.len() > 30, "only {} manifests", files.len());
    let cases = files.into_iter().map(|file| {
        let name = file.strip_prefix(&root).expect("a path below it");
        Trial::test(name.with_extension("").display().to_string(), move || {
            run(&file)
        })
    });
    libtest_mimic::run(&Arguments::from_args(), cases.collect()).exit_code()
}

fn find_files(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a directory of manifests") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            find_files(&path, files);
        } else {
            files.push(path);
        }
    }
}

fn run(file: &Path) -> Result<(), Failed> {
    let text = fs::read_to_string(file)?;
    let case: Case = serde_saphyr::from_str(&text)?;
    let rules = rules(&case.given);
    let mut index = Index::default();
    for object in &case.objects {
        let mut taken = Take {
            object,
            rules: &rules,
            index: &mut index,
            is_known: false,
        };
        each_kind(&mut taken);
        if !taken.is_known {
            return Err(format!("discovery does not read {}", object["kind"]).into());
        }
    }
    let discovered = index.discovered(SystemTime::UNIX_EPOCH, &Room::of(500));
    let (targets, omitted) = shown(&discovered);
    if (&targets, &omitted) != (&case.targets, &case.omitted) {
        let found = format!("{targets:#?}\nomitted: {omitted:#?}");
        return Err(format!("found instead:\n{found}").into());
    }
    accepted_by_agents(file, &case.given, &discovered)
}

fn rules(given: &Given) -> DiscoveryRules {
    let mut sources = Source::on_by_default();
    let source = |word: &String| {
        let known = Source::ALL.iter().find(|source| source.as_str() == word);
        *known.unwrap_or_else(|| panic!("no source is called {word}"))
    };
    sources.extend(given.on.iter().map(source));
    sources.retain(|on| given.off.iter().all(|word| source(word) != *on));
    let cloud = given.cloud.as_deref().unwrap_or("commercial");
    let cloud = Cloud::ALL.iter().find(|known| known.as_str() == cloud);
    let allowed = given
        .allowed
        .iter()
        .map(|host| match host.strip_prefix("*.") {
            Some(zone) => Allowed::Below(zone.to_owned()),
            None => Allowed::Host(host.clone()),
        });
    DiscoveryRules {
        cloud: *cloud.expect("a cloud of the catalogue"),
        allowed: allowed.collect(),
        sources,
    }
}

/// Takes an object into the index, if it is of the kind that is visited.
struct Take<'a> {
    object: &'a Value,
    rules: &'a DiscoveryRules,
    index: &'a mut Index,
    is_known: bool,
}

impl Visitor for Take<'_> {
    fn visit<K: Kind>(&mut self, _: &'static [Source]) {
        let resource = K::RESOURCE;
        let versions = resource
            .versions
            .iter()
            .map(|version| match resource.group {
                "" => (*version).to_owned(),
                group => format!("{group}/{version}"),
            });
        let is_this_version = |version: String| self.object["apiVersion"] == version;
        if self.object["kind"] != resource.kind || !versions.into_iter().any(is_this_version) {
            return;
        }
        self.is_known = true;
        let metadata: Metadata =
            serde_json::from_value(self.object["metadata"].clone()).expect("anything can be read");
        // As the API server sends it.
        let text = self.object.to_string();
        let object: K = serde_json::from_str(&text).expect("anything can be read");
        let key = Key {
            namespace: metadata.namespace.clone(),
            name: metadata.name.clone(),
        };
        let found = find(&metadata, &object, self.rules);
        self.index.take(resource.kind, "", Event::Apply(key, found));
    }
}

fn shown(discovered: &Discovered) -> (BTreeMap<String, String>, BTreeMap<String, String>) {
    let targets = discovered.targets.iter().map(|target| {
        let users = target.users.as_ref().expect("it is in use");
        let connect_only = if target.connect_only { " tcp" } else { "" };
        let endpoint = format!("{}:{}{connect_only}", target.host, target.port);
        let examples = users.examples.join(", ");
        let users = match users.workloads {
            0 => users.to_string(),
            _ => format!("{users}: {examples}"),
        };
        (endpoint, users)
    });
    let omitted = discovered.omitted.iter().map(|omitted| {
        let key = format!("{} {}", omitted.source, omitted.omission);
        (key, omitted.examples.join(", "))
    });
    (targets.collect(), omitted.collect())
}

/// Writes the targets as the observer does, and reads them as an agent does.
fn accepted_by_agents(file: &Path, given: &Given, discovered: &Discovered) -> Result<(), Failed> {
    let hash = file
        .display()
        .to_string()
        .bytes()
        .fold(0_u64, |hash, byte| {
            hash.wrapping_mul(31).wrapping_add(u64::from(byte))
        });
    let directory =
        std::env::temp_dir().join(format!("plp-manifests-{}-{hash:x}", std::process::id()));
    fs::create_dir_all(&directory)?;
    let operators = directory.join("config.yaml");
    let allowed = serde_json::to_string(&given.allowed)?;
    fs::write(&operators, format!("allowedHosts: {allowed}\n"))?;
    let observers = directory.join("discovered.yaml");
    let lines: Vec<_> = discovered.targets.iter().map(target_file::line).collect();
    let (text, left_out) = target_file::render(&lines, usize::MAX);
    assert_eq!(left_out, 0);
    fs::write(&observers, &text)?;
    let plan = privatelink_config::load(&[operators, observers]);
    fs::remove_dir_all(&directory)?;
    let plan = plan.map_err(|error| format!("{error}\n{text}"))?;
    assert_eq!(plan.warnings, [""; 0], "{text}");
    let read: Vec<_> = plan.targets.iter().collect();
    assert_eq!(read.len(), discovered.targets.len(), "{text}");
    for target in &discovered.targets {
        let found = read
            .iter()
            .find(|read| read.host == target.host && read.port == target.port)
            .expect("the target");
        assert_eq!(found.users.as_deref(), target.users.as_ref());
        assert_eq!(found.expect.as_str(), "auto");
        if target.connect_only {
            assert_eq!(found.protocol.as_str(), "tcp");
        }
    }
    Ok(())
}
