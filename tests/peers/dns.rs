//! DNS servers: BIND, which holds the zones, and unbound and CoreDNS, which forward to it and cache.

use std::cell::Cell;
use std::fmt::Write as _;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::child::{Child, Folder, free_port};
use super::zones::{Authority, NAME_SERVER, Zone};

/// BIND: authoritative for every zone it is given and for the root, so that it never asks anybody.
///
/// A name outside the zones does not exist; an alias from one zone into another is followed, so a
/// missing record comes as the chain, NXDOMAIN and the SOA of the zone it is missing from.
pub(crate) struct Bind {
    child: Child,
    address: SocketAddr,
    serial: Cell<u32>,
}

impl Bind {
    pub(crate) fn start(folder: &Folder, zones: &[Zone]) -> Self {
        let address = loopback(free_port());
        let port = address.port();
        let mut configuration = format!(
            r#"options {{
                directory "{folder}";
                listen-on port {port} {{ 127.0.0.1; }};
                listen-on-v6 {{ none; }};
                allow-query {{ 127.0.0.0/8; }};
                recursion yes;
                dnssec-validation no;
                empty-zones-enable no;
                notify no;
                max-cache-size 16m;
                max-records-per-type 250;
                pid-file none;
                session-keyfile none;
                lock-file none;
            }};
            controls {{ }};
            "#,
            folder = folder.path().display(),
        );
        let serial = 1;
        for zone in zones.iter().chain([&root()]) {
            let file = zone_file(folder, zone, serial);
            writeln!(
                configuration,
                r#"zone "{}" {{ type primary; file "{file}"; }};"#,
                zone.name
            )
            .expect("a string takes all");
        }
        let file = folder.write("named.conf", &configuration);
        let mut command = Command::new("named");
        command.args(["-g", "-n", "1", "-c"]).arg(file);
        let mut child = Child::start(command, folder.path());
        child.wait_until(|| answers(address));
        // Otherwise a zone that BIND refuses looks like a server failure of the world under test.
        let log = child.log();
        assert!(!log.contains("not loaded due to errors"), "{log}");
        Self {
            child,
            address,
            serial: Cell::new(serial),
        }
    }

    /// Gives `zone` these records from now on.
    pub(crate) fn replace(&self, folder: &Folder, zone: &Zone) {
        self.serial.set(self.serial.get() + 1);
        zone_file(folder, zone, self.serial.get());
        self.child.hang_up();
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

/// A server that forwards everything to another one and caches the answers.
pub(crate) struct Forwarder {
    _child: Child,
    address: SocketAddr,
}

impl Forwarder {
    pub(crate) fn unbound(folder: &Folder, upstream: SocketAddr) -> Self {
        let port = free_port();
        let file = folder.write(
            "unbound.conf",
            &format!(
                r#"server:
                    directory: "{folder}"
                    chroot: ""
                    username: ""
                    pidfile: ""
                    use-syslog: no
                    do-daemonize: no
                    interface: 127.0.0.1
                    port: {port}
                    do-ip6: no
                    # The upstream is on loopback, and there is no trust anchor to validate against.
                    do-not-query-localhost: no
                    module-config: "iterator"
                remote-control:
                    control-enable: no
                forward-zone:
                    name: "."
                    forward-addr: {ip}@{upstream_port}
                "#,
                folder = folder.path().display(),
                ip = upstream.ip(),
                upstream_port = upstream.port(),
            ),
        );
        let mut command = Command::new("unbound");
        command.arg("-d").arg("-c").arg(file);
        Self::start(command, folder.path(), port)
    }

    pub(crate) fn coredns(folder: &Folder, upstream: SocketAddr) -> Self {
        Self::coredns_with(folder, &format!("cache 30\n  forward . {upstream}"))
    }

    /// As AKS has it, which names no policy: either upstream, at random. Nothing is cached.
    pub(crate) fn coredns_at_random(folder: &Folder, upstreams: [SocketAddr; 2]) -> Self {
        let [one, other] = upstreams;
        Self::coredns_with(folder, &format!("forward . {one} {other}"))
    }

    fn coredns_with(folder: &Folder, plugins: &str) -> Self {
        let port = free_port();
        let file = folder.write(
            "Corefile",
            &format!(".:{port} {{\n  bind 127.0.0.1\n  errors\n  {plugins}\n}}\n"),
        );
        let mut command = Command::new("coredns");
        command.arg("-conf").arg(file);
        Self::start(command, folder.path(), port)
    }

    fn start(command: Command, folder: &Path, port: u16) -> Self {
        let address = loopback(port);
        let mut child = Child::start(command, folder);
        child.wait_until(|| answers(address));
        Self {
            _child: child,
            address,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

/// The root, so that a name outside every other zone does not exist.
fn root() -> Zone {
    Zone::new(".", Authority::Public).address(NAME_SERVER, Ipv4Addr::LOCALHOST)
}

/// A socket that takes questions and never answers.
pub(crate) fn silent_server() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind(loopback(0)).expect("a socket on loopback");
    let address = socket.local_addr().expect("a bound socket has an address");
    (socket, address)
}

pub(crate) fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// Writes the zone where the server looks for it and returns the file's name.
fn zone_file(folder: &Folder, zone: &Zone, serial: u32) -> String {
    let name = format!(
        "{}.zone",
        if zone.name == "." { "root" } else { &zone.name }
    );
    folder.write(&name, &zone.file(serial));
    name
}

/// Whether the server answers a question for the root's SOA.
fn answers(server: SocketAddr) -> bool {
    // RFC 1035 section 4.1: id 0x5053, recursion desired, one question: ".", type SOA, class IN.
    const QUESTION: [u8; 17] = [0x50, 0x53, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 6, 0, 1];
    let ask = || -> io::Result<bool> {
        let socket = UdpSocket::bind(loopback(0))?;
        socket.set_read_timeout(Some(Duration::from_millis(500)))?;
        socket.connect(server)?;
        socket.send(&QUESTION)?;
        let mut reply = [0; 512];
        let length = socket.recv(&mut reply)?;
        Ok(length >= QUESTION.len() && reply.starts_with(&QUESTION[..2]))
    };
    ask().unwrap_or(false)
}
