//! Data files: the runner of tests that have a case for each file of a folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use serde::de::DeserializeOwned;

/// The files of a folder, by their names.
pub(crate) type Files = BTreeMap<String, PathBuf>;

/// A case over all files.
pub(crate) type OverAll = fn(&Files) -> Result<(), Failed>;

/// Runs a case for each file below `tests/FOLDER/`, and one over all of them.
pub(crate) fn run(
    folder: &str,
    of_file: fn(&Path) -> Result<(), Failed>,
    over_all: (&str, OverAll),
) -> ExitCode {
    let arguments = Arguments::from_args();
    let files = files(folder);
    let of_files = files.clone().into_iter();
    let mut cases: Vec<Trial> = of_files
        .map(|(name, file)| Trial::test(name, move || of_file(&file)))
        .collect();
    let (name, over_all) = over_all;
    cases.push(Trial::test(name, move || over_all(&files)));
    libtest_mimic::run(&arguments, cases).exit_code()
}

/// What a file says.
pub(crate) fn read<T: DeserializeOwned>(file: &Path) -> Result<T, Failed> {
    let text = fs::read_to_string(file)?;
    serde_saphyr::from_str(&text).map_err(|error| format!("{}: {error}", file.display()).into())
}

fn files(folder: &str) -> Files {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(folder);
    let entries = fs::read_dir(root).expect("a directory of files");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let of_data = paths.filter(|path| path.extension().is_some_and(|kind| kind == "yaml"));
    of_data
        .map(|path| {
            let name = path.file_stem().expect("a name").to_string_lossy();
            (name.into_owned(), path.clone())
        })
        .collect()
}
