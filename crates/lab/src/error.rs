//! Error: why a world cannot be read or started.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why a world cannot be read or started.
#[derive(Debug, Error)]
pub enum Error {
    /// The data file is wrong: what it says, with the line and the nearest valid spelling.
    #[error("cannot read the lab's world: {0}")]
    World(String),
    /// A line is no DNS record.
    #[error("cannot change the records of a DNS server: {0}")]
    Records(String),
    /// What a running world should do from now on cannot be read, or cannot be done.
    #[error("cannot change a running world: {0}")]
    Change(String),
    /// A port could not be opened or kept.
    #[error("cannot open {what} for the lab")]
    Open {
        /// What was to be opened, and where.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// A certificate could not be made.
    #[error("cannot make a certificate for {what}")]
    Certificate {
        /// For what.
        what: String,
        /// What the certificate library said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The directory of a running world could not be written.
    #[error(
        "cannot write the lab's files to {path}: set TMPDIR to a directory that can be written"
    )]
    Directory {
        /// The path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Says that `what` could not be opened.
pub(crate) fn open_error(what: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
    let what = what.into();
    |source| Error::Open { what, source }
}
