//! File: reading a file of bounded size, and nothing that is no regular file.

use std::io::{self, Read};
use std::path::Path;

/// Reads a regular file of at most `most` bytes: a path may lead to something without an end.
pub fn read_bounded(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    // Asked before it is opened: that alone blocks on a pipe, until somebody writes to it.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is not a regular file",
        ));
    }
    to_end(std::fs::File::open(path)?, most)
}

/// Reads standard input to its end, at most `most` bytes.
pub fn standard_input(most: usize) -> io::Result<Vec<u8>> {
    to_end(io::stdin().lock(), most)
}

fn to_end(reader: impl Read, most: usize) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    reader.take(most as u64 + 1).read_to_end(&mut content)?;
    if content.len() > most {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it is larger than {} KiB", most >> 10),
        ));
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_of_bounded_length_are_read() {
        let directory = std::env::temp_dir().join(format!("plp-files-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("a temporary directory");
        let path = directory.join("file");
        std::fs::write(&path, [b'x'; 1024]).expect("a temporary file");
        assert_eq!(read_bounded(&path, 1024).expect("the file").len(), 1024);
        let error = read_bounded(&path, 1023).expect_err("too long");
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);

        let pipe = directory.join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.expect("mkfifo").success());
        for path in [Path::new("/dev/zero"), &directory, &pipe] {
            let error = read_bounded(path, 1024).expect_err("no regular file");
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{path:?}");
        }
        std::fs::remove_dir_all(&directory).expect("the temporary directory");
    }
}
