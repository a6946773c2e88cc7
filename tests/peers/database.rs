//! Databases: a real `PostgreSQL` and a real `MariaDB`, each with a data folder of its own.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{self, Command};

use super::child::{Child, free_port};
use super::service::Authority;

/// Where every database listens.
pub(crate) const IP: Ipv4Addr = Ipv4Addr::new(127, 0, 1, 20);

/// Debian's `nobody`, and its group: the servers refuse to run as root.
const NOBODY: u32 = 65_534;

/// A data folder, with a certificate and its key in it, that a server can be started on.
pub(crate) struct Data {
    path: PathBuf,
}

/// A running server. Dropping it ends it as an administrator would.
pub(crate) struct Server {
    child: Child,
    port: u16,
    signal: &'static str,
}

impl Data {
    /// An empty database cluster of `PostgreSQL`.
    pub(crate) fn postgres(name: &str) -> Self {
        let data = Self::new(name);
        let folder = data.path.join("data");
        let mut initdb = data.command("initdb");
        initdb.args(["-U", "postgres", "-A", "trust", "--no-sync", "-D"]);
        run(initdb.arg(folder));
        data
    }

    /// An empty `MariaDB`, whose only accounts are local ones.
    pub(crate) fn mariadb(name: &str) -> Self {
        let data = Self::new(name);
        let mut install = data.command("mariadb-install-db");
        install.args(["--no-defaults", "--skip-test-db"]);
        install.arg("--auth-root-authentication-method=socket");
        run(install.arg(data.mariadb_folder()));
        data
    }

    /// A certificate of `authority` for `name`, for the next server.
    pub(crate) fn certify(&self, authority: &Authority, name: &str) {
        let (certificate, key) = authority.pem(name);
        for (file, text) in [("cert.pem", certificate), ("key.pem", key)] {
            let path = self.path.join(file);
            fs::write(&path, text).expect("a file in the data folder");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("its owner's");
            hand_over(&path);
        }
    }

    /// Starts `PostgreSQL` with these settings besides the usual ones.
    pub(crate) fn start_postgres(&self, settings: &[&str]) -> Server {
        let port = free_port();
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.path.join("data"));
        let usual = [
            format!("port={port}"),
            format!("listen_addresses={IP}"),
            "unix_socket_directories=".to_owned(),
            "fsync=off".to_owned(),
            format!("ssl_cert_file={}", self.path.join("cert.pem").display()),
            format!("ssl_key_file={}", self.path.join("key.pem").display()),
        ];
        for setting in usual
            .iter()
            .map(String::as_str)
            .chain(settings.iter().copied())
        {
            command.args(["-c", setting]);
        }
        // SIGINT is a fast shutdown.
        self.start(command, port, "INT", "ready to accept connections")
    }

    /// Starts `MariaDB` with these options besides the usual ones.
    pub(crate) fn start_mariadb(&self, options: &[&str]) -> Server {
        let port = free_port();
        let mut command = self.command("mariadbd");
        command.args(["--no-defaults", "--log-warnings=9"]);
        command.arg(self.mariadb_folder());
        command.arg(format!("--port={port}"));
        command.arg(format!("--bind-address={IP}"));
        command.arg(format!("--socket={}", self.path.join("socket").display()));
        command.arg(format!("--pid-file={}", self.path.join("pid").display()));
        command.args(options);
        self.start(command, port, "TERM", "ready for connections")
    }

    /// The options that give `MariaDB` its certificate.
    pub(crate) fn mariadb_tls(&self) -> [String; 2] {
        [("ssl-cert", "cert.pem"), ("ssl-key", "key.pem")]
            .map(|(option, file)| format!("--{option}={}", self.path.join(file).display()))
    }

    fn new(name: &str) -> Self {
        // Not in the build's folder, which others than its owner may not be able to enter.
        let path = std::env::temp_dir().join(format!("plp-{}-{name}", process::id()));
        fs::create_dir_all(&path).expect("a folder for the database");
        hand_over(&path);
        Self { path }
    }

    fn mariadb_folder(&self) -> String {
        format!("--datadir={}", self.path.join("data").display())
    }

    /// A program that does not run as root.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.path);
        if is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }

    fn start(&self, command: Command, port: u16, signal: &'static str, ready: &str) -> Server {
        let mut child = Child::start(command, &self.path);
        // What was written before is another server's: each starts a new log.
        child.wait_until_log(ready);
        Server {
            child,
            port,
            signal,
        }
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

impl Server {
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from((IP, self.port))
    }

    /// What the server has written since it was started.
    pub(crate) fn log(&self) -> String {
        self.child.log()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.end(self.signal);
    }
}

/// Gives a file to whom the servers run as.
fn hand_over(path: &Path) {
    if is_root() {
        chown(path, Some(NOBODY), Some(NOBODY)).expect("root may give files away");
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| {
        panic!("cannot run {command:?}: {error}; tests/tools/install installs it, tests/run all finds it")
    });
    assert!(
        output.status.success(),
        "{command:?}:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
