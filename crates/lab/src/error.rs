//! Error: why a world could not be started.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a world could not be started.
#[derive(Debug)]
pub enum LabError {
    /// A port could not be opened or kept.
    Open {
        /// What was to be opened, and where.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// A certificate could not be made.
    Certificate {
        /// For what.
        what: String,
        /// What the certificate library said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The directory for the authority's file could not be written.
    Directory {
        /// The path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The data file says something that cannot be simulated.
    World(String),
}

/// Says that `what` could not be opened.
pub(super) fn open_error(what: &str) -> impl FnOnce(io::Error) -> LabError {
    let what = what.to_owned();
    |source| LabError::Open { what, source }
}

impl fmt::Display for LabError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { what, .. } => write!(f, "cannot open {what} for the lab"),
            Self::Certificate { what, .. } => write!(f, "cannot make a certificate for {what}"),
            Self::Directory { path, .. } => write!(
                f,
                "cannot write the lab's files to {}: set TMPDIR to a directory that can be written",
                path.display()
            ),
            Self::World(wrong) => write!(f, "the lab's world cannot be simulated: {wrong}"),
        }
    }
}

impl std::error::Error for LabError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Open { source, .. } | Self::Directory { source, .. } => Some(source),
            Self::Certificate { source, .. } => Some(&**source),
            Self::World(_) => None,
        }
    }
}
