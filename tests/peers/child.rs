//! Child: a program that a test starts, waits for, and ends by its own process id.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

/// How long a program may take to be ready, on a busy machine.
pub(crate) const READY: Duration = Duration::from_secs(30);

/// A running program. Dropping it ends it.
pub(crate) struct Child {
    process: process::Child,
    name: String,
    log: PathBuf,
}

impl Child {
    /// Starts `command`, its output going to a file in `folder`.
    pub(crate) fn start(mut command: Command, folder: &Path) -> Self {
        let name = Path::new(command.get_program())
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .expect("a program has a name");
        let log = folder.join(format!("{name}.log"));
        let output = File::create(&log).expect("the log of a child is writable");
        let errors = output.try_clone().expect("a file can be shared");
        let process = command
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .unwrap_or_else(|error| {
                panic!("cannot start {name}: {error}; tests/tools/install installs it, tests/run all finds it")
            });
        Self { process, name, log }
    }

    /// Waits until `ready` holds; panics with the program's log when it ends or takes too long.
    pub(crate) fn wait_until(&mut self, mut ready: impl FnMut() -> bool) {
        let answered = eventually(READY, || {
            if let Ok(Some(status)) = self.process.try_wait() {
                panic!(
                    "{} ended with {status} before it was ready:\n{}",
                    self.name,
                    self.log()
                );
            }
            ready().then_some(())
        });
        assert!(
            answered.is_some(),
            "{} was not ready in {READY:?}:\n{}",
            self.name,
            self.log()
        );
    }

    /// Waits until the program has written `words`.
    pub(crate) fn wait_until_log(&mut self, words: &str) {
        let log = self.log.clone();
        self.wait_until(|| fs::read_to_string(&log).is_ok_and(|text| text.contains(words)));
    }

    /// Sends the signal that makes servers read their files again.
    pub(crate) fn hang_up(&self) {
        assert!(self.signal("HUP"), "{} takes no signal", self.name);
    }

    /// Ends the program by `signal`, in its own way, within ten seconds; what is left is killed.
    pub(crate) fn end(&mut self, signal: &str) {
        if self.signal(signal) {
            eventually(Duration::from_secs(10), || {
                self.process.try_wait().ok().flatten()
            });
        }
    }

    fn signal(&self, signal: &str) -> bool {
        // The shell's own kill: the standard library has none, and unsafe code is forbidden.
        Command::new("sh")
            .args(["-c", &format!("kill -{signal} {}", self.process.id())])
            .status()
            .expect("sh runs")
            .success()
    }

    /// What the program has written so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Both fail only when the process has ended already, which is what is wanted.
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            eprint(&format!("--- {} wrote:\n{}", self.name, self.log()));
        }
    }
}

/// A folder of a test's own, removed when the test passed.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", process::id()));
        fs::create_dir_all(&path).expect("a folder for the test");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes `text` to the file `name` as a whole, replacing it, and returns its path.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).expect("a file in the test's folder");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

/// A port that nothing listens on, over UDP and TCP, at 127.0.0.1.
///
/// Below the range from which the kernel takes ports for outgoing connections, and never twice, so
/// that nobody takes it before the server that it is for.
pub(crate) fn free_port() -> u16 {
    static TAKEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let mut taken = TAKEN.lock().expect("no test panics while it takes a port");
    loop {
        let port = fastrand::u16(12_000..30_000);
        let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
        let free = TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok();
        if free && taken.insert(port) {
            return port;
        }
    }
}

/// Tries until `attempt` gives a value, for at most `limit`.
pub(crate) fn eventually<T>(limit: Duration, mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
    let pause = Duration::from_millis(50);
    let mut waited = Duration::ZERO;
    loop {
        let value = attempt();
        if value.is_some() || waited >= limit {
            return value;
        }
        sleep(pause);
        waited += pause;
    }
}

/// Waits for other processes to act.
#[expect(
    clippy::disallowed_methods,
    reason = "no runtime here: the test waits for other processes"
)]
pub(crate) fn sleep(time: Duration) {
    std::thread::sleep(time);
}

#[expect(
    clippy::print_stderr,
    reason = "what a failed test's children wrote explains the failure"
)]
fn eprint(text: &str) {
    eprintln!("{text}");
}
