//! Directory: the files of a running world, below the system's temporary directory.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// A directory that is removed when dropped.
#[derive(Debug)]
pub(crate) struct Directory(PathBuf);

impl Directory {
    /// A new directory that only this user can read.
    pub(crate) fn new() -> Result<Self, Error> {
        let name = format!("privatelink-lab-{:016x}", fastrand::u64(..));
        let path = std::env::temp_dir().join(name);
        match fs::DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => Ok(Self(path)),
            Err(source) => Err(Error::Directory { path, source }),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file, and returns its path.
    pub(crate) fn write(&self, name: &str, content: &str) -> Result<PathBuf, Error> {
        let path = self.0.join(name);
        match fs::write(&path, content) {
            Ok(()) => Ok(path),
            Err(source) => Err(Error::Directory { path, source }),
        }
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // The system cleans its temporary directory of what cannot be removed here.
        _ = fs::remove_dir_all(&self.0);
    }
}
