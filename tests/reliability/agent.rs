//! Agent: the program under test as a process: how it is started, what it takes of the machine, and what is done
//! to it.

use std::env;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::time::Duration;

use serde::Deserialize;
use tokio::time::{Instant, sleep};

use crate::clock::Clock;
use crate::http;
use crate::world::NODE;

/// Where the agent listens. It has a network of its own.
pub(crate) const ADDRESS: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9797);

/// What `Surroundings::Memory` leaves the agent.
const MEMORY: u64 = 32 << 20;

/// In what surroundings the agent is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Surroundings {
    /// Nothing is special.
    Plain,
    /// A cgroup with 32 MiB of memory.
    Memory,
    /// A root file system that is read-only.
    ReadOnly,
    /// The log goes to a disk that is full.
    FullDisk,
    /// The log goes to a pipe that nobody reads, and is long.
    UnreadLog,
}

/// A running agent. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Agent {
    child: Child,
    folder: PathBuf,
    clock: Option<Clock>,
    /// The pipe that nobody reads.
    _unread: Option<ChildStderr>,
}

/// What the agent takes of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// Resident memory, in KiB.
    pub(crate) resident: u64,
    /// The part of it that is not the program's file, in KiB.
    pub(crate) anonymous: u64,
    pub(crate) descriptors: u64,
    pub(crate) threads: u64,
}

/// The program under test: `PROGRAM`, or the one that cargo built with this test.
pub(crate) fn program() -> PathBuf {
    let built = env!("CARGO_BIN_EXE_privatelink-prober");
    env::var_os("PROGRAM").map_or_else(|| built.into(), PathBuf::from)
}

impl Agent {
    /// Starts the agent with a configuration; what it needs beside is put into `folder`.
    pub(crate) fn start(folder: &Path, configuration: &Path, surroundings: Surroundings) -> Self {
        let log = |folder: &Path| {
            let log = folder.join("agent.log");
            let file = File::options().create(true).append(true).open(log);
            Stdio::from(file.expect("the log"))
        };
        let (before, stderr) = match surroundings {
            Surroundings::Plain => (String::new(), log(folder)),
            Surroundings::Memory => {
                let cgroup = small_cgroup().expect("a cgroup");
                (format!("echo $$ > {cgroup}/cgroup.procs; "), log(folder))
            }
            Surroundings::ReadOnly => {
                let read_only = "mount --make-rprivate / && mount -o remount,bind,ro / && ! touch /here 2>&1 && ";
                (read_only.to_owned(), log(folder))
            }
            Surroundings::FullDisk => {
                let disk = folder.join("full");
                fs::create_dir_all(&disk).expect("a folder");
                shell(&format!(
                    "mount -t tmpfs -o size=16k none {0} && ! cat /dev/zero >{0}/ballast 2>&1",
                    disk.display()
                ));
                (String::new(), log(&disk))
            }
            Surroundings::UnreadLog => (String::new(), Stdio::piped()),
        };
        let level = match surroundings {
            Surroundings::UnreadLog => "debug",
            _ => "info",
        };
        let mut child = Command::new("unshare")
            .args(["--mount", "sh", "-c", &format!("{before}exec \"$@\""), "sh"])
            .arg(program())
            .args(["run", "--node-name", NODE, "--log-level", level])
            .args(["--listen", &ADDRESS.to_string(), "--config"])
            .arg(configuration)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .expect("unshare");
        let unread = child.stderr.take();
        Self {
            child,
            folder: folder.to_owned(),
            clock: None,
            _unread: unread,
        }
    }

    /// Waits for the first answer of an agent that was just started; an error says why there is none.
    pub(crate) async fn answers_within(&mut self, limit: Duration) -> Result<(), String> {
        let until = Instant::now() + limit;
        while let Err(error) = http::get(ADDRESS, "/healthz", Duration::from_secs(1)).await {
            if self.ended().is_some() || Instant::now() > until {
                return Err(error);
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// How the process ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child")
    }

    /// Waits for the end of the process for so long at most.
    pub(crate) async fn ends_within(&mut self, limit: Duration) -> Option<ExitStatus> {
        let until = Instant::now() + limit;
        loop {
            let ended = self.ended();
            if ended.is_some() || Instant::now() > until {
                return ended;
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) fn signal(&self, signal: &str) {
        shell(&format!("kill -s {signal} {}", self.child.id()));
    }

    /// Sets the wall clock of the process to the true time and so many seconds more.
    pub(crate) fn set_clock(&mut self, seconds: i64) {
        if self.clock.is_none() {
            self.signal("STOP");
            let clock = Clock::of(self.child.id());
            self.signal("CONT");
            self.clock = Some(clock.expect("the clock of the process"));
        }
        let clock = self.clock.as_ref().expect("set above");
        clock.set(seconds).expect("the memory of the process");
    }

    /// Lets the process open so many descriptors more than it has between two probes; `None`: as many as it
    /// needs.
    pub(crate) async fn limit_descriptors(&self, more: Option<u64>) {
        let mut least = u64::MAX;
        for _ in 0..100 {
            least = least.min(self.usage().descriptors);
            sleep(Duration::from_millis(10)).await;
        }
        let limit = more.map_or(4096, |more| least + more);
        shell(&format!(
            "prlimit --pid {} --nofile={limit}:4096",
            self.child.id()
        ));
    }

    pub(crate) fn usage(&self) -> Usage {
        let process = PathBuf::from(format!("/proc/{}", self.child.id()));
        let status = fs::read_to_string(process.join("status")).unwrap_or_default();
        let number = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key));
            let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
            number.unwrap_or_default()
        };
        let descriptors = fs::read_dir(process.join("fd")).map_or(0, Iterator::count);
        Usage {
            resident: number("VmRSS:"),
            anonymous: number("RssAnon:"),
            descriptors: descriptors as u64,
            threads: number("Threads:"),
        }
    }

    /// CPU time of the process so far.
    pub(crate) fn cpu(&self) -> Duration {
        let text = fs::read_to_string(format!("/proc/{}/schedstat", self.child.id()));
        let nanos = text
            .ok()
            .and_then(|text| text.split(' ').next()?.parse().ok());
        Duration::from_nanos(nanos.unwrap_or_default())
    }

    /// The last lines of the log.
    pub(crate) fn log(&self) -> String {
        let log = fs::read_to_string(self.folder.join("agent.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // Both fail only where the process has ended already.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// A cgroup with little memory, of either version.
fn small_cgroup() -> std::io::Result<String> {
    let name = format!("privatelink-chaos-{}", std::process::id());
    let old = Path::new("/sys/fs/cgroup/memory");
    let (parent, limit) = if old.is_dir() {
        (old, "memory.limit_in_bytes")
    } else {
        (Path::new("/sys/fs/cgroup"), "memory.max")
    };
    let cgroup = parent.join(name);
    if !cgroup.is_dir() {
        fs::create_dir(&cgroup)?;
        fs::write(cgroup.join(limit), MEMORY.to_string())?;
    }
    Ok(cgroup.display().to_string())
}

/// Removes what [`Surroundings::Memory`] made, once no agent is in it.
pub(crate) fn remove_cgroup() {
    if let Ok(cgroup) = small_cgroup() {
        // What cannot be removed was never made, or ends with the machine.
        _ = fs::remove_dir(cgroup);
    }
}

/// Runs commands that must succeed.
pub(crate) fn shell(commands: &str) {
    let status = Command::new("sh").args(["-e", "-c", commands]).status();
    assert!(status.expect("sh").success(), "{commands}");
}
