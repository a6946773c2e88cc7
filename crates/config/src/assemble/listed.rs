//! Listed: reads one target of a target file.

use privatelink_verdict::catalogue::Usage;
use privatelink_verdict::target::Source;
use serde_json::Value;

use crate::assemble::globals::Globals;
use crate::assemble::resolvers::USAGES;
use crate::assemble::target::{self, Group};
use crate::assemble::{admit, values};
use crate::diagnostic::{Diagnostic, quoted};
use crate::problems::Problems;
use crate::read;
use crate::spanned::Spanned;

/// Reads one target. It has two keys beside those of a configured target: `source`, and for a
/// discovered one `usage`. `None`: errors were added.
pub(super) fn read(
    item: Spanned<Value>,
    globals: &Globals,
    problems: &mut Problems<'_>,
) -> (Source, Option<Group>) {
    let Spanned {
        mut value,
        location,
    } = item;
    let mut take = |key: &str| match value.as_object_mut()?.shift_remove(key)? {
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    };
    let source = take("source");
    let usage = take("usage");
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
    (source, group.filter(|_| problems.errors.is_empty()))
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
