//! Azure: the network beside the cluster: its DNS, which sees private zones or does not, node by node,
//! its private endpoints, and the public front ends that a fallback leads to.
//!
//! All of it is one network namespace at the address that the nodes' resolv.conf names. Public
//! addresses are those set aside for documentation (RFC 5737).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::time::Instant;

use super::cluster::{HUB, LATE_NODE, NODES, node_address, pod_subnet};
use super::command::{SHORT, eventually, run, sleep};
use super::release::INTERVAL;
use super::services::{self, Authority};
use super::zones::{self, MANY_ADDRESS, SERVICES, STORAGE, VAULT};

/// The namespace's name, and its address on the nodes' wire.
const NAME: &str = "azure";
const ADDRESS: Ipv4Addr = Ipv4Addr::new(172, 29, 0, 53);

/// The private zones that each node's network is linked to.
type Links = BTreeMap<&'static str, BTreeSet<&'static str>>;

/// Agents remember ten probes, and call addresses that changed twice within these flapping.
const MEMORY: Duration = Duration::from_secs(INTERVAL * 11);

pub(crate) struct Azure {
    folder: PathBuf,
    authority: Authority,
    services: Child,
    dns: Option<Child>,
    links: Links,
    /// When the links changed last.
    changed: Option<Instant>,
}

impl Azure {
    /// The DNS and the services, linked as [`Azure::restore`] says.
    pub(crate) fn start(folder: PathBuf) -> Self {
        for part in ["certificates", "zones"] {
            fs::create_dir_all(folder.join(part)).expect("a folder of the run's own");
        }
        network();
        write_zones(&folder.join("zones"));
        let authority = Authority::new();
        for service in &SERVICES {
            for address in [service.private, service.public] {
                authority.equip(&folder.join("certificates"), address, &names_at(address));
            }
        }
        authority.equip(
            &folder.join("certificates"),
            MANY_ADDRESS,
            &["*.vault.azure.net"],
        );
        let itself = std::env::current_exe().expect("this program has a path");
        let certificates = folder.join("certificates");
        let services = spawn(
            &folder,
            "services",
            &[path(&itself), services::MODE, path(&certificates)],
        );
        let mut azure = Self {
            folder,
            authority,
            services,
            dns: None,
            links: Links::new(),
            changed: None,
        };
        azure.restore();
        azure
    }

    /// Everything healthy but one network: node-b's is linked to the storage account's zone alone.
    pub(crate) fn restore(&mut self) {
        let mut links = all_linked();
        links.insert("node-b", BTreeSet::from([STORAGE.zone]));
        self.relink(links);
        self.right_certificate();
    }

    /// Everything healthy: every network is linked to every zone.
    pub(crate) fn link_all(&mut self) {
        self.relink(all_linked());
        self.right_certificate();
    }

    fn relink(&mut self, links: Links) {
        if self.links == links {
            return;
        }
        if let Some(changed) = self.changed {
            sleep(MEMORY.saturating_sub(changed.elapsed()));
            self.changed = Some(Instant::now());
        } else if self.dns.is_some() {
            self.changed = Some(Instant::now());
        }
        self.links = links;
        self.apply();
    }

    /// Makes the vault's endpoint present a certificate for `names`.
    pub(crate) fn swap_certificate(&self, names: &[&str]) {
        self.authority
            .equip(&self.folder.join("certificates"), VAULT.private, names);
    }

    pub(crate) fn right_certificate(&self) {
        self.swap_certificate(&names_at(VAULT.private));
    }

    /// The root that the services' certificates end in.
    pub(crate) fn root_pem(&self) -> String {
        self.authority.pem()
    }

    /// A certificate of that root for `names`, and its key.
    pub(crate) fn certificate(&self, names: &[&str]) -> (String, String) {
        self.authority.certificate(names)
    }

    /// What the DNS wrote at last.
    pub(crate) fn log(&self) -> String {
        let log = fs::read_to_string(self.folder.join("named.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(10)..].join("\n")
    }

    /// Makes the DNS answer by the links.
    fn apply(&mut self) {
        fs::write(self.folder.join("named.conf"), self.configuration()).expect("the DNS's file");
        match self.dns.as_ref().map(Child::id) {
            None => {
                let configuration = self.folder.join("named.conf");
                self.dns = Some(spawn(
                    &self.folder,
                    "named",
                    &["named", "-g", "-n", "1", "-c", path(&configuration)],
                ));
                eventually(Duration::from_secs(10), || {
                    answers().ok_or_else(|| self.log())
                });
            }
            Some(process) => {
                let done = || self.count("reloading configuration succeeded");
                let before = done();
                run(SHORT, "kill", &["-HUP", &process.to_string()]);
                eventually(Duration::from_secs(10), || {
                    (done() > before).then_some(()).ok_or_else(|| self.log())
                });
                // The line comes before the zones that are new are loaded.
                sleep(Duration::from_millis(300));
            }
        }
    }

    fn count(&self, line: &str) -> usize {
        fs::read_to_string(self.folder.join("named.log"))
            .unwrap_or_default()
            .matches(line)
            .count()
    }

    /// BIND with a view for each node, told by the address that the question comes from.
    fn configuration(&self) -> String {
        let mut text = format!(
            r#"options {{
                directory "{folder}";
                listen-on {{ {ADDRESS}; }};
                listen-on-v6 {{ none; }};
                allow-query {{ any; }};
                recursion yes;
                dnssec-validation no;
                empty-zones-enable no;
                notify no;
                max-cache-size 16m;
                pid-file none;
                session-keyfile none;
                lock-file none;
            }};
            controls {{ }};
            "#,
            folder = self.folder.join("zones").display(),
        );
        for (node, links) in &self.links {
            let (address, pods) = (node_address(node), pod_subnet(node));
            let mut view = format!(
                "view \"{node}\" {{ match-clients {{ {address}; {pods}; }};\nzone \".\" {{ type primary; file \"root\"; }};\n"
            );
            for zone in zones::private_zones() {
                let side = if links.contains(zone) {
                    "linked"
                } else {
                    "unlinked"
                };
                writeln!(
                    view,
                    "zone \"{zone}\" {{ type primary; file \"{zone}.{side}\"; }};"
                )
                .expect("a string takes all");
            }
            text.push_str(&view);
            text.push_str("};\n");
        }
        // For whoever else asks: this program, whether the DNS is up.
        text.push_str("view \"rest\" { zone \".\" { type primary; file \"root\"; }; };\n");
        text
    }
}

impl Drop for Azure {
    fn drop(&mut self) {
        for child in self.dns.iter_mut().chain([&mut self.services]) {
            // Both fail only when it has ended already, which is what is wanted.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn all_linked() -> Links {
    let zones: BTreeSet<_> = zones::private_zones().into_iter().collect();
    NODES
        .into_iter()
        .chain([LATE_NODE])
        .map(|node| (node, zones.clone()))
        .collect()
}

/// The namespace, its wire, and every address that something listens at.
fn network() {
    let ip = |line: &str| {
        run(SHORT, "ip", &line.split(' ').collect::<Vec<_>>());
    };
    ip(&format!("netns add {NAME}"));
    ip(&format!(
        "link add {NAME} type veth peer name eth0 netns {NAME}"
    ));
    ip(&format!("link set {NAME} master wire up"));
    ip(&format!("-n {NAME} addr add {ADDRESS}/24 dev eth0"));
    ip(&format!("-n {NAME} link set eth0 up"));
    ip(&format!("-n {NAME} link set lo up"));
    ip(&format!("-n {NAME} route add 10.244.0.0/16 via {HUB}"));
    let mut addresses: BTreeSet<Ipv4Addr> = BTreeSet::from([MANY_ADDRESS]);
    for service in &SERVICES {
        addresses.extend([service.private, service.public]);
    }
    for address in addresses {
        ip(&format!("-n {NAME} addr add {address}/32 dev lo"));
    }
}

fn write_zones(folder: &Path) {
    let write = |name: &str, text: &str| fs::write(folder.join(name), text).expect("a zone's file");
    write("root", &zones::root());
    for zone in zones::private_zones() {
        write(&format!("{zone}.linked"), &zones::linked(zone));
        write(&format!("{zone}.unlinked"), &zones::unlinked(zone));
    }
}

/// The names of the certificate at `address`: of every service that is reached there.
fn names_at(address: Ipv4Addr) -> Vec<&'static str> {
    SERVICES
        .iter()
        .filter(|service| service.private == address || service.public == address)
        .map(|service| service.host)
        .collect()
}

/// Starts a program in the namespace, its output going to `name.log`.
fn spawn(folder: &Path, name: &str, command: &[&str]) -> Child {
    let log = File::options()
        .create(true)
        .append(true)
        .open(folder.join(format!("{name}.log")))
        .expect("the log of a child");
    let errors = log.try_clone().expect("a file can be shared");
    Command::new("nsenter")
        .arg(format!("--net=/run/netns/{NAME}"))
        .args(command)
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors)
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {name}: {error}"))
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a path of plain text")
}

/// Whether the DNS answers a question for the root's SOA.
fn answers() -> Option<()> {
    // RFC 1035 section 4.1: id 0x5053, recursion desired, one question: ".", type SOA, class IN.
    const QUESTION: [u8; 17] = [0x50, 0x53, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 6, 0, 1];
    let socket = UdpSocket::bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))).ok()?;
    socket
        .set_read_timeout(Some(Duration::from_millis(300)))
        .ok()?;
    socket.connect(SocketAddr::from((ADDRESS, 53))).ok()?;
    socket.send(&QUESTION).ok()?;
    let mut reply = [0; 512];
    let length = socket.recv(&mut reply).ok()?;
    (length >= QUESTION.len() && reply.starts_with(&QUESTION[..2])).then_some(())
}
