//! Listed: reads one target of a target file.

use privatelink_verdict::catalogue::Usage;
use privatelink_verdict::sanitize::from_wire;
use privatelink_verdict::target::{Source, Users};
use serde::Deserialize;
use serde_json::Value;

use crate::assemble::globals::Globals;
use crate::assemble::resolvers::USAGES;
use crate::assemble::target::{self, Group};
use crate::assemble::{admit, values};
use crate::diagnostic::{Diagnostic, quoted};
use crate::problems::Problems;
use crate::read;
use crate::spanned::Spanned;

/// Reads one target. Beside the keys of a configured target it has `source`, and a discovered one
/// may have `usage` and `users`. `None`: errors were added.
pub(super) fn read(
    item: Spanned<Value>,
    globals: &Globals,
    problems: &mut Problems<'_>,
) -> (Source, Option<Group>) {
    let Spanned {
        mut value,
        location,
    } = item;
    let mut take = |key: &str| value.as_object_mut()?.shift_remove(key);
    let text = |value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    let source = take("source").map(text);
    let usage = take("usage").map(text);
    let users = take("users");
    let sources = [
        (Source::Crd.as_str(), Source::Crd),
        (Source::Discovered.as_str(), Source::Discovered),
    ];
    let Some(source) = source else {
        let sources = "write `source: crd` or `source: discovered`";
        problems.error(
            location,
            Diagnostic::new("it has no `source`").help(sources),
        );
        return (Source::Discovered, None);
    };
    let word = Spanned {
        value: source,
        location,
    };
    let Some(source) = values::word(Some(&word), "source", &sources, problems) else {
        return (Source::Discovered, None);
    };
    let usage: Option<Usage> = usage.and_then(|value| {
        values::word(
            Some(&Spanned { value, location }),
            "usage",
            &USAGES,
            problems,
        )
    });
    let users = users.and_then(|users| read_users(users, usage));
    let raw = read::listed_target(value).and_then(|raw| admit::fields(&raw).map(|()| raw));
    let Some(value) = problems.check(location, raw) else {
        return (source, None);
    };
    if source == Source::Crd && value.name.is_none() {
        let diagnostic = Diagnostic::new("it has no `name`")
            .help("a PrivateLinkTarget is called `namespace:name`");
        problems.error(location, diagnostic);
    }
    let raw = Spanned { value, location };
    let group = target::read(&raw, (source, usage), globals, problems).filter(|group| {
        group.members.iter().all(|(_, member)| {
            problems
                .check(location, admit::target(member, &globals.allowed))
                .is_some()
        })
    });
    let mut group = group.filter(|_| problems.errors.is_empty());
    for (_, member) in group.iter_mut().flat_map(|group| &mut group.members) {
        member.users.clone_from(&users);
    }
    (source, group)
}

/// Who uses a target, as the observer writes it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WrittenUsers {
    workloads: u64,
    namespaces: u64,
    examples: Vec<String>,
}

/// `None` where there is none, or where it is not written as expected: that is no reason to refuse the
/// target.
fn read_users(written: Value, usage: Option<Usage>) -> Option<Box<Users>> {
    let WrittenUsers {
        workloads,
        namespaces,
        examples,
    } = serde_json::from_value(written).unwrap_or_default();
    let examples = examples.iter().take(Users::MOST_EXAMPLES);
    let users = Users {
        usage,
        workloads,
        namespaces,
        examples: examples
            .map(|example| from_wire(example).into_owned())
            .collect(),
    };
    (users.workloads > 0 || !users.examples.is_empty()).then(|| Box::new(users))
}

/// The name of a target in messages before it is read: its name, else its host.
pub(super) fn label(value: &Value) -> String {
    let field = |key: &str| value.get(key).and_then(Value::as_str);
    quoted(
        field("name")
            .or_else(|| field("host"))
            .unwrap_or("without a host"),
    )
}
