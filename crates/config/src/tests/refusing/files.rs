//! Files: what cannot be read.

use super::*;

#[test]
fn a_missing_file_is_named() {
    let error = load(&[PathBuf::from("/nonexistent/config.yaml")]).expect_err("no file");
    insta::assert_snapshot!(plain(&error), @"
    error: /nonexistent/config.yaml: the file cannot be read: No such file or directory (os error 2)
     |
     = help: check the path, and in a pod that the volume is mounted
    ");
}

#[test]
fn ca_files_are_refused_where_they_are_written() {
    let scratch = Scratch::new("refusing-ca");
    let empty = scratch.write("empty.pem", "nothing here\n");
    let text = format!(
        "tls: {{caFiles: [/nonexistent/ca.pem, {}]}}\ntargets: [{{host: a.example.com}}]\n",
        empty.display()
    );
    let text = refused(&text).replace(&scratch.0.display().to_string(), "/scratch");
    let text = text
        .lines()
        .filter(|line| !line.contains('^'))
        .collect::<Vec<_>>()
        .join("\n");
    insta::assert_snapshot!(text, @"
    error: cannot read the CA file /nonexistent/ca.pem; check the path, and that the volume is mounted (No such file or directory (os error 2))
     --> config.yaml:1:17
      |
    1 | tls: {caFiles: [/nonexistent/ca.pem, /scratch/empty.pem]}

    error: the CA file /scratch/empty.pem holds no certificate; it must hold at least one '-----BEGIN CERTIFICATE-----' block
     --> config.yaml:1:38
      |
    1 | tls: {caFiles: [/nonexistent/ca.pem, /scratch/empty.pem]}
    ");
}
