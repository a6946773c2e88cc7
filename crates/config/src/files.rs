//! Files: what a plan was read from, remembered by content so that a change is noticed.
//!
//! Content, not modification times or watches: a `ConfigMap` is swapped by a symlink under the
//! directory, and a watch on the file dies with the first swap.

use std::io;
use std::path::{Path, PathBuf};

use privatelink_machine::file::read_bounded;
use sha2::{Digest, Sha256};

use crate::read::LARGEST_FILE;

/// The files that were read, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Files {
    read: Vec<(PathBuf, Fingerprint)>,
}

/// What is remembered of a file: the hash of its content, `None` where it could not be read.
type Fingerprint = Option<[u8; 32]>;

impl Files {
    /// Reads `path`, and remembers what was found.
    pub(crate) fn read(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        let content = read_bounded(path, LARGEST_FILE);
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
            .any(|(path, before)| fingerprint(&read_bounded(path, LARGEST_FILE)) != *before)
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

fn fingerprint(content: &io::Result<Vec<u8>>) -> Fingerprint {
    content
        .as_ref()
        .ok()
        .map(|content| Sha256::digest(content).into())
}
