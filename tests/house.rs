//! The house rules that the compiler does not hold: which way data flows.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Every Rust file below `directory`, and the module file beside it.
fn sources(module: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = vec![root.join(format!("{module}.rs"))];
    let mut directories = vec![root.join(module)];
    while let Some(directory) = directories.pop() {
        let Ok(entries) = fs::read_dir(&directory) else {
            continue;
        };
        for entry in entries {
            let path = entry.expect("a directory entry").path();
            if path.is_dir() {
                directories.push(path);
            } else {
                files.push(path);
            }
        }
    }
    files.retain(|file| file.extension().is_some_and(|extension| extension == "rs"));
    files
}

fn assert_absent(module: &str, forbidden: &[&str]) {
    let files = sources(module);
    assert!(files.iter().all(|file| file.exists()), "{files:?}");
    for file in files {
        let text = fs::read_to_string(&file).expect("a source file");
        for word in forbidden {
            assert!(!text.contains(word), "{} mentions {word}", file.display());
        }
    }
}

#[test]
fn probing_judges_nothing_and_reports_nothing() {
    assert_absent(
        "probe",
        &[
            "verdict::judge",
            "verdict::verdict",
            "verdict::reason",
            "crate::report",
            "crate::board",
        ],
    );
}

#[test]
fn reporting_decides_nothing_and_probes_nothing() {
    assert_absent(
        "report",
        &[
            "judge::judge",
            "crate::probe",
            "crate::schedule",
            "crate::agent",
        ],
    );
}

#[test]
fn the_lab_plays_the_world_and_knows_no_agent() {
    assert_absent(
        "lab",
        &[
            "crate::probe",
            "crate::report",
            "crate::config",
            "privatelink_verdict::judge",
        ],
    );
}

#[test]
fn the_judging_crate_knows_no_runtime_no_dns_no_tls_and_no_cluster() {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--offline",
            "--package",
            "privatelink-verdict",
            "--edges",
            "normal",
            "--prefix",
            "none",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let tree = String::from_utf8(output.stdout).expect("text");
    let crates: Vec<&str> = tree
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert_eq!(crates, ["privatelink-verdict", "ipnet"]);
}
