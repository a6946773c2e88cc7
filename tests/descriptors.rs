//! What the agent says while it is out of file descriptors: that it is so, and nothing against the DNS
//! servers, the services or the configuration.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, UdpSocket};
use std::process::{Command, Stdio};
use std::thread;

use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_privatelink-prober");

/// What the child may have open: the agent and its log need a dozen, each probe that hangs several.
const DESCRIPTORS: u32 = 48;

/// Answers A questions about names that begin with `well` with 127.0.0.1, AAAA questions with no record,
/// and is silent about all others.
fn dns_server() -> String {
    let server = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let address = server.local_addr().expect("an address").to_string();
    thread::spawn(move || {
        let mut question = [0; 512];
        while let Ok((length, from)) = server.recv_from(&mut question) {
            let question = &question[..length];
            if question[13..].starts_with(b"well") {
                let _ = server.send_to(&answer(question), from);
            }
        }
    });
    address
}

fn answer(question: &[u8]) -> Vec<u8> {
    let mut answer = question.to_vec();
    (answer[2], answer[3]) = (0x81, 0x80);
    // The type is A, after which the class follows.
    if question.ends_with(&[0, 1, 0, 1]) {
        answer[7] = 1;
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
    }
    answer
}

#[test]
fn want_of_descriptors_is_the_agents_trouble_and_no_one_elses() {
    let service = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = service.local_addr().expect("an address").port();
    thread::spawn(move || service.incoming().for_each(drop));
    let mut configuration = format!(
        "{{interval: 5s, timeout: 4s, resolvers: [{{name: pod, servers: [\"{}\"]}}], \
         classify: {{private: [127.0.0.0/8]}}, limits: {{maxDnsQps: 1000}}, targets: [",
        dns_server()
    );
    for name in (0..10)
        .map(|n| format!("well{n}"))
        .chain((0..60).map(|n| format!("hangs{n}")))
    {
        configuration += &format!("{{host: {name}.example.com, port: {port}, protocol: tcp}}, ");
    }
    configuration += "]}";
    let file = std::env::temp_dir().join(format!("descriptors-{}.yaml", std::process::id()));
    fs::write(&file, configuration).expect("a file");

    let limited = format!("ulimit -n {DESCRIPTORS} && exec \"$@\"");
    let mut child = Command::new("sh")
        .args(["-c", &limited, "sh", PROGRAM, "run", "--config"])
        .arg(&file)
        .args(["--listen", "127.0.0.1:0", "--log-format", "json"])
        // A line for each probe, also for one that passes from the start.
        .args(["--log-level", "info,privatelink_report=debug"])
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("the program");
    let log = BufReader::new(child.stderr.take().expect("a pipe"));
    // By target, in the order of the log.
    let mut reasons: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut heard = 0;
    for line in log.lines().map_while(Result::ok) {
        let event: Value = serde_json::from_str(&line).expect("JSON");
        assert!(!line.contains("configuration refused"), "{line}");
        if let (Some(target), Some(reason)) = (event["target"].as_str(), event["reason"].as_str()) {
            let of_target = reasons.entry(target.to_owned()).or_default();
            of_target.push(reason.to_owned());
            heard += 1;
        }
        // Every target was probed, and some once more.
        if reasons.len() == 70 && heard >= 100 {
            break;
        }
    }
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    fs::remove_file(&file).expect("the file");

    let well = reasons
        .iter()
        .filter(|(target, _)| target.starts_with("well"));
    for (target, reasons) in well {
        let expected = |reason: &String| reason == "ok" || reason == "agent_error";
        assert!(reasons.iter().all(expected), "{target}: {reasons:?}");
    }
    let all = reasons.values().flatten();
    assert!(
        all.clone().any(|reason| reason == "agent_error"),
        "none was out: {reasons:?}"
    );
}
