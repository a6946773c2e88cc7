//! The documents: whatever a *.md file of this repository points at is there. Nothing is asked of the
//! network.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// A word in backticks that begins with one of these folders is a path of this repository.
const FOLDERS: [&str; 8] = [
    "charts", "crates", "deploy", "docs", "image", "release", "src", "tests",
];

/// A path in backticks that holds one of these stands for several, or for what the reader fills in.
const PLACEHOLDERS: [char; 5] = ['*', '<', '{', '$', '…'];

#[test]
fn every_link_and_every_path_of_the_documents_leads_somewhere() {
    let paths = files_below(Path::new("."), "md");
    assert!(
        paths.contains(&PathBuf::from("docs/runbook.md")),
        "{paths:?}"
    );
    let documents: BTreeMap<PathBuf, Document> = paths
        .into_iter()
        .map(|path| {
            let document = Document::read(&fs::read_to_string(&path).expect("text"));
            (path, document)
        })
        .collect();
    let problems: Vec<String> = documents
        .iter()
        .flat_map(|(path, document)| problems(path, document, &documents))
        .collect();
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn whatever_leads_nowhere_is_reported() {
    let text = "# One\n## Two words, `code`\n## One\n\
        [ok](docs/debugging.md) [ok](docs/) [ok](#one-1) [ok](#two-words-code) \
        [ok](docs/install.md#in-short) [ok](https://learn.microsoft.com/azure) <http://127.0.0.1:9797/>\n\
        `tests/run all` `crates/*/src` `docs/runbook.md#dns_timeout`, `kv/secrets`, `src/main.rs:3`\n\
        [a](docs/absent.md) [b](#two) [c](docs/install.md#absent) [d](../outside.md) [e](/etc/hosts)\n\
        [f](http://example.com/) [g](https://10.1.2.3/) [h](https://intranet/) [i](ftp://example.com)\n\
        `tests/absent --flag` `docs/runbook.md#absent`\n\n\
        | table |\n|---|\n| [j](docs/absent.md) https://example.com:8080/ |\n";
    let document = Document::read(text);
    let install = fs::read_to_string("docs/install.md").expect("text");
    let runbook = fs::read_to_string("docs/runbook.md").expect("text");
    let documents = BTreeMap::from([
        (PathBuf::from("docs/install.md"), Document::read(&install)),
        (PathBuf::from("docs/runbook.md"), Document::read(&runbook)),
    ]);
    let found = problems(Path::new("here.md"), &document, &documents);
    let expected = [
        "docs/absent.md",
        "#two",
        "docs/install.md#absent",
        "../outside.md",
        "/etc/hosts",
        "http://example.com/",
        "https://10.1.2.3/",
        "https://intranet/",
        "ftp://example.com",
        "docs/absent.md",
        "https://example.com:8080/",
        "tests/absent",
        "docs/runbook.md#absent",
    ];
    let expected = expected.map(|target| format!("here.md: {target}"));
    assert_eq!(found, expected);
}

/// The diffs of CONTRIBUTING.md are examples that nobody applies: whatever they keep or remove must still
/// be in the file. `…` stands for lines left out.
#[test]
fn the_diffs_for_contributors_begin_with_lines_that_are_there() {
    let text = fs::read_to_string("CONTRIBUTING.md").expect("text");
    let diffs = text.split("```diff\n").skip(1);
    let lines = diffs.flat_map(|diff| diff.lines().take_while(|line| *line != "```"));
    let mut file = ("", String::new());
    let mut compared = 0;
    for line in lines {
        if let Some(path) = line.strip_prefix("+++ ") {
            let is_new = path.ends_with(" (new)");
            let text = (!is_new).then(|| fs::read_to_string(path).expect(path));
            file = (path, text.unwrap_or_default());
        } else if let Some(kept) = line.strip_prefix([' ', '-']) {
            let is_there = file.1.lines().any(|there| there == kept);
            assert!(is_there, "{}: {kept}", file.0);
            compared += 1;
        } else {
            assert!(line == "…" || line.starts_with('+'), "{line}");
        }
    }
    assert!(compared > 20, "only {compared} lines were compared");
}

/// A claim of the threat model is worth what its test is.
#[test]
fn every_test_that_the_threat_model_names_is_there() {
    let model = fs::read_to_string("docs/security.md").expect("text");
    let is_test = |word: &&str| {
        let is_letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        word.matches('_').count() >= 3 && word.chars().all(is_letter)
    };
    let named: BTreeSet<&str> = model
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(is_test)
        .collect();
    assert!(named.len() > 20, "{named:?}");
    let sources = ["src", "crates", "tests"].map(Path::new);
    let sources: String = sources
        .into_iter()
        .flat_map(|folder| files_below(folder, "rs"))
        .map(|path| fs::read_to_string(path).expect("text"))
        .collect();
    let absent: Vec<_> = named
        .into_iter()
        .filter(|name| !sources.contains(&format!("fn {name}(")))
        .collect();
    assert!(absent.is_empty(), "{absent:?}");
}

#[test]
fn the_row_that_contributors_type_has_the_columns_of_the_catalogue() {
    let text = fs::read_to_string("CONTRIBUTING.md").expect("text");
    let catalogue = fs::read_to_string("crates/verdict/src/catalogue.tsv").expect("text");
    let columns = |row: &str| row.replace("\\t", "\t").split('\t').count();
    let rows = text.lines().filter(|line| line.contains("commercial"));
    let rows: Vec<usize> = rows.map(columns).collect();
    let header = columns(catalogue.lines().next().expect("a header"));
    assert_eq!(rows, [header, header]);
}

/// What one document points at, and what others can point at in it.
struct Document {
    /// Targets of links, and addresses in the text.
    links: Vec<String>,
    /// Paths in backticks.
    paths: Vec<String>,
    /// What stands behind `#` in a link to a heading.
    anchors: BTreeSet<String>,
}

impl Document {
    fn read(text: &str) -> Self {
        let mut document = Document {
            links: Vec::new(),
            paths: Vec::new(),
            anchors: BTreeSet::new(),
        };
        let mut heading: Option<String> = None;
        let mut in_code_block = false;
        let mut in_link = false;
        for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
            match event {
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    in_link = true;
                    document.links.push(dest_url.into_string());
                }
                Event::End(TagEnd::Link | TagEnd::Image) => in_link = false,
                Event::Start(Tag::CodeBlock(_)) => in_code_block = true,
                Event::End(TagEnd::CodeBlock) => in_code_block = false,
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => {
                    document.add_anchor(&heading.take().unwrap_or_default());
                }
                Event::Text(text) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&text);
                    }
                    if !in_code_block && !in_link {
                        let words = text.split_whitespace();
                        let addresses = words.filter(|word| word.contains("://"));
                        document.links.extend(addresses.map(str::to_owned));
                    }
                }
                Event::Code(code) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&code);
                    }
                    let paths = code.split_whitespace().filter(|word| is_path(word));
                    document.paths.extend(paths.map(str::to_owned));
                }
                _ => {}
            }
        }
        document
    }

    /// Headings become anchors as on GitHub: lower case, without punctuation, a hyphen for each space,
    /// and a number behind one that repeats.
    fn add_anchor(&mut self, heading: &str) {
        let anchor: String = heading
            .to_lowercase()
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect();
        let numbered = (1..).map(|number| format!("{anchor}-{number}"));
        let mut names = std::iter::once(anchor.clone()).chain(numbered);
        let free = names.find(|name| !self.anchors.contains(name));
        self.anchors.extend(free);
    }
}

fn is_path(word: &str) -> bool {
    let folder = word.split_once('/').map(|(folder, _)| folder);
    folder.is_some_and(|folder| FOLDERS.contains(&folder)) && !word.contains(PLACEHOLDERS)
}

/// Every target of the document at `path` that leads nowhere.
fn problems(
    path: &Path,
    document: &Document,
    documents: &BTreeMap<PathBuf, Document>,
) -> Vec<String> {
    let folder = path.parent().expect("a file");
    let exists = |base: &Path, target: &str| {
        let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
        if file.is_empty() {
            return document.anchors.contains(anchor);
        }
        let Some(file) = inside(&base.join(file)) else {
            return false;
        };
        let has_anchor = |document: &Document| document.anchors.contains(anchor);
        file.exists() && (anchor.is_empty() || documents.get(&file).is_some_and(has_anchor))
    };
    let links = document
        .links
        .iter()
        .filter(|link| match link.split_once("://") {
            Some((scheme, rest)) => !may_be_linked(scheme, rest),
            None => !exists(folder, link),
        });
    let paths = document.paths.iter().map(|path| {
        // A line number may follow.
        path.split_once(':').map_or(path.as_str(), |(path, _)| path)
    });
    let paths = paths.filter(|path| !exists(Path::new(""), path));
    links
        .map(String::as_str)
        .chain(paths)
        .map(|target| format!("{}: {target}", path.display()))
        .collect()
}

/// The path without `.` and `..`; none where it leads out of the repository.
fn inside(path: &Path) -> Option<PathBuf> {
    let mut inside = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => inside.push(name),
            Component::CurDir => {}
            Component::ParentDir => inside.pop().then_some(())?,
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(inside)
}

/// Others are linked by https, and by a public name without a port: no private network's server, no
/// address. The agent of the demo is on loopback.
fn may_be_linked(scheme: &str, rest: &str) -> bool {
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    match scheme {
        "http" => host == "127.0.0.1:9797",
        "https" => {
            let labels: Vec<&str> = host.split('.').collect();
            let is_label = |label: &&str| {
                !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            };
            let top = labels.last().copied().unwrap_or_default();
            labels.len() > 1
                && labels.iter().all(is_label)
                && top.chars().all(|c| c.is_ascii_alphabetic())
        }
        _ => false,
    }
}

/// Every document of the repository; what is built or hidden is none.
fn files_below(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let path = path.strip_prefix(".").unwrap_or(&path);
        let name = path.file_name().expect("a name").to_string_lossy();
        if path.is_dir() && !name.starts_with('.') && name != "target" {
            found.extend(files_below(path, extension));
        } else if path.extension().is_some_and(|ending| ending == extension) {
            found.push(path.to_owned());
        }
    }
    found
}
