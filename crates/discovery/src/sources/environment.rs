//! Environment: hosts of the catalogue in the environment, the command and the arguments of pods. Only
//! hosts are taken from these texts, which may hold secrets.

use crate::finder::{Finder, How, Wanted};
use crate::omission::Omission;
use crate::workload::Workload;

/// How much of a text is read, in bytes.
const MOST_READ: usize = 16 * 1024;

pub(crate) fn find(workload: &Workload<'_>, finder: &mut Finder<'_>) {
    for container in workload.spec.all_containers() {
        let variables = container.environment.iter().map(|variable| &variable.value);
        let words = container.command.iter().chain(&container.arguments);
        for text in variables.chain(words) {
            hosts(text, finder);
        }
    }
}

/// Every host of the catalogue in `text`, with the port after it: `https://kv.vault.azure.net/`,
/// `tcp:db.database.windows.net,1433`.
pub(crate) fn hosts(text: &str, finder: &mut Finder<'_>) {
    let end = (0..=text.len().min(MOST_READ))
        .rev()
        .find(|end| text.is_char_boundary(*end));
    let text = &text[..end.unwrap_or_default()];
    if names_account_alone(text) {
        finder.omit(Omission::ServiceUnknown);
    }
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    let mut rest = text;
    while let Some(start) = rest.find(is_part) {
        let from_start = &rest[start..];
        let length = from_start.find(|c| !is_part(c)).unwrap_or(from_start.len());
        let (word, after) = from_start.split_at(length);
        rest = after;
        let word = word.trim_matches(['.', '-', '_']);
        if word.matches('.').count() >= 2 {
            let port = port(after);
            finder.host(
                word,
                Wanted::Any,
                How {
                    port,
                    ..How::default()
                },
            );
        }
    }
}

/// Whether the text is the connection string of a storage account without the address of a service: the
/// account and the suffix are there, and the program chooses the service.
fn names_account_alone(text: &str) -> bool {
    let has = |key: &str| {
        text.split(';').any(|part| {
            let value = part
                .trim()
                .split_once('=')
                .filter(|(known, _)| known.eq_ignore_ascii_case(key));
            value.is_some_and(|(_, value)| !value.is_empty())
        })
    };
    let mut endpoints = [
        "BlobEndpoint",
        "QueueEndpoint",
        "TableEndpoint",
        "FileEndpoint",
    ]
    .iter();
    has("AccountName") && !endpoints.any(|endpoint| has(endpoint))
}

/// The number after a host: `:443`, or `,1433` in the connection strings of SQL Server.
fn port(after: &str) -> Option<u16> {
    let digits = after.strip_prefix([':', ','])?;
    let end = digits
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(digits.len());
    digits[..end].parse().ok().filter(|port| *port != 0)
}
