//! Agent: the program under test, as `check` and as `run`.

use std::fmt;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;

use super::child::{Child, Folder, free_port};
use super::dns::loopback;

const PROGRAM: &str = env!("CARGO_BIN_EXE_privatelink-prober");

/// What `check -o json` said about its only target, and how it exited.
pub(crate) struct Checked {
    pub(crate) exit: Option<i32>,
    pub(crate) target: Value,
    output: Output,
}

/// Runs `check` with `arguments` and `-o json`.
pub(crate) fn check(arguments: &[&str]) -> Checked {
    let output = Command::new(PROGRAM)
        .arg("check")
        .args(arguments)
        .args(["-o", "json"])
        .output()
        .expect("the agent's program runs");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        let said = String::from_utf8_lossy(&output.stderr);
        panic!("check {arguments:?} printed no JSON ({error}) and said:\n{said}")
    });
    let target = report["targets"][0].clone();
    Checked {
        exit: output.status.code(),
        target,
        output,
    }
}

impl Checked {
    pub(crate) fn reason(&self) -> &str {
        self.target["reason"].as_str().unwrap_or_default()
    }

    /// The detail of the first finding.
    pub(crate) fn detail(&self) -> &str {
        self.target["findings"][0]["detail"]
            .as_str()
            .unwrap_or_default()
    }

    /// The question for an IPv4 address, as it went.
    pub(crate) fn question(&self) -> &Value {
        self.target["dns"]["queries"]
            .as_array()
            .and_then(|queries| queries.iter().find(|query| query["type"] == "A"))
            .unwrap_or(&Value::Null)
    }

    pub(crate) fn has_finding(&self, reason: &str) -> bool {
        self.target["findings"]
            .as_array()
            .is_some_and(|findings| findings.iter().any(|finding| finding["reason"] == reason))
    }
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = String::from_utf8_lossy(&self.output.stderr);
        write!(
            f,
            "exit {:?}, stderr {said:?}, target {:#}",
            self.exit, self.target
        )
    }
}

/// The agent as a node runs it.
pub(crate) struct Agent {
    child: Child,
    address: SocketAddr,
}

impl Agent {
    pub(crate) fn start(folder: &Folder, node: &str, config: &Path) -> Self {
        Self::start_with(folder, node, config, &[])
    }

    pub(crate) fn start_with(folder: &Folder, node: &str, config: &Path, more: &[&str]) -> Self {
        let address = loopback(free_port());
        let mut command = Command::new(PROGRAM);
        command
            .args([
                "run",
                "--node-name",
                node,
                "--listen",
                &address.to_string(),
                "--config",
            ])
            .arg(config)
            .args(more);
        let mut child = Child::start(command, folder.path());
        child.wait_until(|| get(address, "/healthz").is_some_and(|reply| reply.status == 200));
        Self { child, address }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn metrics(&self) -> String {
        let reply = get(self.address, "/metrics").expect("the agent serves its metrics");
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.body
    }

    pub(crate) fn log(&self) -> String {
        self.child.log()
    }
}

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// Asks for `path` over plain HTTP; nothing when there is no proper answer within five seconds.
pub(crate) fn get(server: SocketAddr, path: &str) -> Option<Reply> {
    let limit = Duration::from_secs(5);
    let mut stream = TcpStream::connect_timeout(&server, limit).ok()?;
    stream.set_read_timeout(Some(limit)).ok()?;
    // HTTP/1.0, so that the body ends with the connection and is never chunked.
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {server}\r\n\r\n").ok()?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply).ok()?;
    let (head, body) = reply.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Reply {
        status,
        body: body.to_owned(),
    })
}
