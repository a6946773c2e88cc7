//! Relay: everything that a check can print, in one document on one line. `check --as` starts the check in a
//! container, reads the document in its log, and prints the form that was asked for.

use std::io::{self, Write};

use privatelink_board::Probed;
use privatelink_report::json::Report;
use privatelink_report::tree;
use serde::Serialize;

/// The variable that says how wide trees are.
pub(super) const COLUMNS: &str = "COLUMNS";

#[derive(Serialize)]
struct Relay<'a> {
    report: &'a Report,
    table: String,
    short: String,
}

/// Writes the document.
pub(super) fn write<'a, P>(
    out: &mut impl Write,
    report: &Report,
    probed: impl Fn() -> P,
) -> io::Result<()>
where
    P: IntoIterator<Item = &'a Probed> + Clone,
{
    let width = std::env::var(COLUMNS).ok();
    let width = width.and_then(|width| width.parse().ok());
    let (mut table, mut short) = (Vec::new(), Vec::new());
    tree::tree(&mut table, probed(), width)?;
    tree::short(&mut short, probed())?;
    let text = |bytes| String::from_utf8(bytes).map_err(io::Error::other);
    let relay = Relay {
        report,
        table: text(table)?,
        short: text(short)?,
    };
    serde_json::to_writer(out, &relay)?;
    Ok(())
}
