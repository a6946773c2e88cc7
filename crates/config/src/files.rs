//! Files: the files that a plan was read from, with a hash of their content, by which a change is
//! noticed.
//!
//! The content is compared, not modification times, and there is no watch: kubelet replaces a
//! `ConfigMap` by a symbolic link to a new directory, after which a watch on the file sees nothing.

use std::io;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{self, SHA256};
use privatelink_machine::file::{read_bounded, standard_input};
use privatelink_machine::is_out_of_descriptors;

use crate::read::LARGEST_FILE;

/// The name that stands for standard input. It can be read once, so `run` refuses it.
pub const STANDARD_INPUT: &str = "-";

/// The files that were read, in the order of reading.
#[derive(Clone, Debug, Default)]
pub(crate) struct Files {
    read: Vec<(PathBuf, Fingerprint)>,
}

/// A file that cannot be read as text.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// The system refused to read it.
    #[error("the file cannot be read: {0}")]
    Io(io::Error),
    /// The content is not UTF-8.
    #[error("the file is not UTF-8 text: the byte at offset {offset} is not valid")]
    NotUtf8 {
        /// Of the first byte that is not valid, from 0.
        offset: usize,
    },
}

/// The hash of a file's content; `None` where it could not be read.
type Fingerprint = Option<[u8; 32]>;

impl ReadError {
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == io::ErrorKind::NotFound)
    }
}

impl Files {
    /// Reads `path` and keeps the hash of its content.
    pub(crate) fn read(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        let content = if path.as_os_str() == STANDARD_INPUT {
            standard_input(LARGEST_FILE)
        } else {
            read_bounded(path, LARGEST_FILE)
        };
        self.read.push((path.to_owned(), fingerprint(&content)));
        content
    }

    /// Keeps the hash of a text that is in no file, such as standard input.
    pub(crate) fn add_text(&mut self, text: &str) {
        self.read
            .push((PathBuf::new(), Some(sha256(text.as_bytes()))));
    }

    /// Whether the content of any of the files is different now.
    pub(crate) fn changed(&self) -> bool {
        self.read.iter().any(|(path, before)| {
            let content = read_bounded(path, LARGEST_FILE);
            // Want of a descriptor says nothing about the file.
            let unknown = content.as_ref().is_err_and(is_out_of_descriptors);
            !unknown && fingerprint(&content) != *before
        })
    }

    /// A hash of the content of all files, whatever their paths. It has 48 bits, so that a gauge
    /// (64-bit float) holds it exactly.
    pub(crate) fn hash(&self) -> u64 {
        let mut hash = digest::Context::new(&SHA256);
        for (_, print) in &self.read {
            hash.update(&[u8::from(print.is_some())]);
            hash.update(&print.unwrap_or_default());
        }
        hash.finish().as_ref()[..6]
            .iter()
            .fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
}

/// The content of a file as text.
pub(crate) fn utf8(content: Vec<u8>) -> Result<String, ReadError> {
    String::from_utf8(content).map_err(|error| ReadError::NotUtf8 {
        offset: error.utf8_error().valid_up_to(),
    })
}

fn fingerprint(content: &io::Result<Vec<u8>>) -> Fingerprint {
    content.as_ref().ok().map(|content| sha256(content))
}

fn sha256(content: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&SHA256, content).as_ref());
    hash
}
