//! What `check` does when it is told to stop: it prints what it has, and exits as a shell expects.

use std::io;
use std::net::UdpSocket;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_privatelink-prober");

/// No question for so long: every probe that gets answers has ended.
const QUIET: Duration = Duration::from_secs(2);

/// Starts `check` with these arguments against a DNS server on loopback that says of every name that it
/// does not exist, and is silent about names that begin with `slow`. Sends the signal once the server is
/// asked nothing more.
fn interrupted(signal: &str, arguments: &[&str]) -> Output {
    let server = UdpSocket::bind("127.0.0.1:0").expect("a port");
    server.set_read_timeout(Some(QUIET)).expect("a limit");
    let address = server.local_addr().expect("an address").to_string();
    let child = Command::new(PROGRAM)
        .args(["check", "--resolver", &address, "--timeout", "30s"])
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program");
    let mut asked = false;
    loop {
        let mut question = [0; 1500];
        match server.recv_from(&mut question) {
            Ok((length, from)) => {
                asked = true;
                if !question[13..].starts_with(b"slow") {
                    let answer = does_not_exist(&question[..length]);
                    server.send_to(&answer, from).expect("a client");
                }
            }
            Err(error) if is_timeout(&error) && asked => break,
            Err(error) => assert!(is_timeout(&error), "{error}"),
        }
    }
    kill(signal, &child);
    child.wait_with_output().expect("it ends")
}

/// The question as an answer: NXDOMAIN, recursion available.
fn does_not_exist(question: &[u8]) -> Vec<u8> {
    let mut answer = question.to_vec();
    answer[2] = 0x81;
    answer[3] = 0x83;
    answer
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

fn kill(signal: &str, child: &Child) {
    let pid = child.id().to_string();
    let sent = Command::new("kill").args(["-s", signal, &pid]).status();
    assert!(sent.expect("kill").success());
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn what_was_found_is_printed_and_the_exit_code_is_that_of_the_signal() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let hosts = ["fast.example.com", "slow.example.com", "-o", "json"];
        let output = interrupted(signal, &hosts);
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        let report: Value = serde_json::from_slice(&output.stdout).expect("whole JSON");
        let targets = report["targets"].as_array().expect("targets");
        let names: Vec<_> = targets.iter().map(|target| &target["target"]).collect();
        assert_eq!(names, ["fast.example.com"]);
        assert_eq!(targets[0]["reason"], "dns_name_not_found");
        let said = text(&output.stderr);
        let wanted = format!(
            "interrupted by SIG{signal}: 1 of 2 targets were probed; not probed: slow.example.com"
        );
        assert!(said.contains(&wanted), "{said}");
    }
}

#[test]
fn a_check_that_found_nothing_yet_says_so_alone() {
    let output = interrupted("INT", &["slow.example.com"]);
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    assert_eq!(text(&output.stdout), "");
    let said = text(&output.stderr);
    assert!(said.contains("0 of 1 targets were probed"), "{said}");
}

#[test]
fn watching_ends_with_the_code_of_the_signal_and_prints_no_round_twice() {
    let hosts = ["fast.example.com", "--watch", "1h", "-o", "short"];
    let output = interrupted("INT", &hosts);
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    let printed = text(&output.stdout);
    assert_eq!(printed.matches("fast.example.com").count(), 1, "{printed}");
}
