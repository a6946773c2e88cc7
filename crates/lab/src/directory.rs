//! Directory: a running world's own, under the system's temporary one.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::error::LabError;

/// A directory that is removed when dropped.
#[derive(Debug)]
pub(super) struct Directory(PathBuf);

impl Directory {
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// A new directory under the system's temporary one, for this user alone.
    pub(super) fn with_file(file: &str, content: &str) -> Result<Self, LabError> {
        let name = format!("privatelink-lab-{:016x}", fastrand::u64(..));
        let path = std::env::temp_dir().join(name);
        let written = fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .and_then(|()| {
                let directory = Self(path.clone());
                fs::write(path.join(file), content).map(|()| directory)
            });
        written.map_err(|source| LabError::Directory { path, source })
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // What cannot be removed is left to whoever cleans the temporary directory.
        _ = fs::remove_dir_all(&self.0);
    }
}
