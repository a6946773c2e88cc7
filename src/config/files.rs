//! Files: what a plan was read from, remembered by content so that a change is noticed.
//!
//! Content, not modification times or watches: a `ConfigMap` is swapped by a symlink under the
//! directory, and a watch on the file dies with the first swap.

use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::config::read::LARGEST_FILE;

/// The files that were read, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Files {
    read: Vec<(PathBuf, Fingerprint)>,
}

/// What is remembered of a file: the hash of its content, `None` where it could not be read.
type Fingerprint = Option<[u8; 32]>;

impl Files {
    /// Reads `path`, and remembers what was found.
    pub(crate) fn read(&mut self, path: &Path) -> std::io::Result<Vec<u8>> {
        let content = read_bounded(path);
        self.read.push((path.to_owned(), fingerprint(&content)));
        content
    }

    /// Remembers a text that came from nowhere on disk.
    pub(crate) fn remember(&mut self, text: &str) {
        let print = Sha256::digest(text.as_bytes()).into();
        self.read.push((PathBuf::new(), Some(print)));
    }

    /// Whether any of the files reads differently now.
    pub(crate) fn changed(&self) -> bool {
        self.read
            .iter()
            .any(|(path, before)| fingerprint(&read_bounded(path)) != *before)
    }

    /// Changes with the content of the files, and with nothing else: not with where they lie.
    /// 48 bits, so that a gauge holds it exactly.
    pub(crate) fn hash(&self) -> u64 {
        let mut hash = Sha256::new();
        for (_, print) in &self.read {
            hash.update([u8::from(print.is_some())]);
            hash.update(print.unwrap_or_default());
        }
        let hash: [u8; 32] = hash.finalize().into();
        hash[..6]
            .iter()
            .fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
}

fn fingerprint(content: &std::io::Result<Vec<u8>>) -> Fingerprint {
    content
        .as_ref()
        .ok()
        .map(|content| Sha256::digest(content).into())
}

/// Reads at most [`LARGEST_FILE`]: a path may lead to something without an end.
fn read_bounded(path: &Path) -> std::io::Result<Vec<u8>> {
    let file = std::fs::File::open(path)?;
    // A directory opens, and a pipe would block for ever.
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::new(
            std::io::ErrorKind::InvalidInput,
            "it is not a regular file",
        ));
    }
    let mut content = Vec::new();
    file.take(LARGEST_FILE as u64 + 1)
        .read_to_end(&mut content)?;
    if content.len() > LARGEST_FILE {
        return Err(std::io::Error::new(
            std::io::ErrorKind::FileTooLarge,
            format!("it is larger than {} MiB", LARGEST_FILE >> 20),
        ));
    }
    Ok(content)
}
