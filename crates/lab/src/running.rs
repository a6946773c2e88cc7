//! Running: a world whose servers and services are up. Dropping it takes everything down.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::try_join_all;
use tokio_rustls::TlsAcceptor;

use super::certificate::{Authorities, CertificateError};
use super::directory::Directory;
use super::dns::Question;
use super::endpoint::{self, Behaviour, Connections};
use super::error::{LabError, open_error};
use super::listeners::{Listener, Listeners};
use super::records::Line;
use super::recursor::Recursor;
use super::resolv_conf;
use super::serve;
use super::tasks::Tasks;
use super::world::World;
use privatelink_machine::{Machine, Route};

/// A world that can be probed.
#[derive(Debug)]
pub struct RunningWorld {
    /// The DNS servers, in the order of the data file, each for UDP and TCP.
    pub dns: Vec<SocketAddr>,
    /// The service port of every endpoint whose place names none.
    pub port: u16,
    /// The authority to trust, in PEM.
    pub ca_pem: String,
    /// The machine to probe from: this one, but for what the world plays of it.
    pub machine: Machine,
    recursors: Vec<Recursor>,
    resolv_confs: BTreeMap<String, PathBuf>,
    connections: Connections,
    directory: Directory,
    tasks: Tasks,
}

impl RunningWorld {
    /// Starts the servers and services of `world`, on the current Tokio runtime.
    pub async fn start(world: &World) -> Result<Self, LabError> {
        let authorities = Authorities::get().map_err(certificate_error("the authority"))?;
        let ca_pem = authorities.pem();
        let Listeners {
            port,
            taken,
            mut simulation,
        } = Listeners::take(world)?;
        let connections = taken.iter().map(|place| (place.at, AtomicU64::new(0)));
        // Whole from the start, so that an error on the way takes down what is up.
        let mut running = Self {
            dns: Vec::new(),
            port,
            machine: Machine::real(),
            recursors: Vec::new(),
            resolv_confs: BTreeMap::new(),
            connections: Arc::new(connections.collect()),
            directory: Directory::with_file(CA_FILE, &ca_pem)?,
            ca_pem,
            tasks: Tasks::default(),
        };

        for server in &world.servers {
            let recursor = Recursor::new(server).map_err(LabError::World)?;
            let address = serve::serve(server, recursor.clone(), &running.tasks)
                .await
                .map_err(open_error("a DNS server on 127.0.0.1"))?;
            running.recursors.push(recursor);
            running.dns.push(address);
        }
        for (resolver, text) in &world.resolv_conf {
            let path = running.directory().join(format!("resolv.conf.{resolver}"));
            let (text, servers) = resolv_conf::text(text, &running.servers_of(world, resolver));
            fs::write(&path, text).map_err(|source| LabError::Directory {
                path: path.clone(),
                source,
            })?;
            let routes = servers.into_iter().map(|(at, to)| (at, Route::To(to)));
            simulation.routes.extend(routes);
            running.resolv_confs.insert(resolver.clone(), path);
        }
        simulation.variables.clone_from(&world.environment);
        running.machine = Machine::simulated(simulation);

        let mut opening = Vec::new();
        for Listener {
            socket,
            at,
            endpoint,
        } in taken
        {
            let what = format!("the endpoint {at}");
            let tls = endpoint.tls().map(|tls| authorities.server_config(&tls));
            let tls = tls.transpose().map_err(certificate_error(&what))?;
            let tls = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
            let behaviour = Behaviour { endpoint, tls };
            let connections = Arc::clone(&running.connections);
            let tasks = &running.tasks;
            // Black holes take a moment each: they are made together.
            opening.push(async move {
                endpoint::open(socket, at, behaviour, connections, tasks)
                    .await
                    .map_err(open_error(&what))
            });
        }
        try_join_all(opening).await?;
        Ok(running)
    }

    /// Every server of a resolver.
    fn servers_of(&self, world: &World, resolver: &str) -> Vec<SocketAddr> {
        let servers = world.servers.iter().zip(&self.dns);
        let mine = servers.filter(|(server, _)| server.resolver() == resolver);
        mine.map(|(_, address)| *address).collect()
    }

    /// The file that `resolver` reads its servers from, where the data file gives it one.
    pub(super) fn resolv_conf(&self, resolver: &str) -> Option<&Path> {
        self.resolv_confs.get(resolver).map(PathBuf::as_path)
    }

    /// A directory of this world's own, removed with it. Tests may put files there.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The file with [`Self::ca_pem`].
    pub fn ca_file(&self) -> PathBuf {
        self.directory().join(CA_FILE)
    }

    /// How often `name` was asked for, of all servers together.
    pub fn asked(&self, name: &str) -> u64 {
        let name = name.trim_end_matches('.').to_lowercase();
        let questions = self.recursors.iter().flat_map(Recursor::asked);
        questions
            .filter(|(question, _)| question.name == name)
            .map(|(_, times)| times)
            .sum()
    }

    /// Every question to the server at `index` of [`Self::dns`], with how often it was asked.
    pub fn questions(&self, index: usize) -> Vec<(Question, u64)> {
        self.recursors
            .get(index)
            .map(Recursor::asked)
            .unwrap_or_default()
    }

    /// How many connections `ip` accepted, at all its ports.
    pub fn connections(&self, ip: IpAddr) -> u64 {
        self.connections
            .iter()
            .filter(|(at, _)| at.ip() == ip)
            .map(|(_, count)| count.load(Ordering::Relaxed))
            .sum()
    }

    /// Repairs or breaks a zone: from now on the server at `index` of [`Self::dns`] knows these
    /// records, written as in the data file, and no others. Sequences and faults stay.
    pub fn learn(&self, index: usize, records: &[&str]) -> Result<(), LabError> {
        let lines = records
            .iter()
            .map(|line| Line::try_from((*line).to_owned()));
        let lines = lines
            .collect::<Result<Vec<_>, _>>()
            .map_err(LabError::World)?;
        let recursor = self
            .recursors
            .get(index)
            .ok_or_else(|| LabError::World(format!("there is no DNS server {index}")))?;
        recursor.learn(&lines);
        Ok(())
    }

    /// Takes everything down, and returns when every port is free again.
    pub async fn stop(self) {
        self.tasks.stopped().await;
    }
}

impl Drop for RunningWorld {
    fn drop(&mut self) {
        self.tasks.stop();
    }
}

const CA_FILE: &str = "ca.pem";

fn certificate_error(what: &str) -> impl FnOnce(CertificateError) -> LabError {
    let what = what.to_owned();
    |source| LabError::Certificate {
        what,
        source: Box::new(source),
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::time::Duration;

    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, ServerName};
    use rustls::{ClientConfig, RootCertStore};
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpStream;
    use tokio::time::timeout;
    use tokio_rustls::TlsConnector;

    use super::*;

    async fn start(endpoints: &str) -> RunningWorld {
        let world = World::parse(&format!(
            "story: x\ntarget: {{host: kv.test}}\nverdict: {{outcome: pass}}\n{endpoints}"
        ));
        let running = RunningWorld::start(&world.expect("a world")).await;
        running.expect("a running world")
    }

    async fn connect(running: &RunningWorld, ip: &str) -> io::Result<TcpStream> {
        let at = SocketAddr::new(ip.parse().expect("an address"), running.port);
        timeout(Duration::from_millis(1500), TcpStream::connect(at)).await?
    }

    async fn handshake(running: &RunningWorld, ip: &str) -> io::Result<()> {
        let mut roots = RootCertStore::empty();
        let ca = CertificateDer::from_pem_slice(running.ca_pem.as_bytes()).expect("a certificate");
        roots.add(ca).expect("a root");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("kv.test").expect("a name");
        let connector = TlsConnector::from(Arc::new(config));
        let stream = connect(running, ip).await?;
        let shaken = connector.connect(name, stream);
        timeout(Duration::from_millis(1500), shaken)
            .await?
            .map(drop)
    }

    fn told(result: io::Result<()>) -> String {
        result.expect_err("no handshake").to_string()
    }

    #[tokio::test]
    async fn every_endpoint_behaves_as_written() {
        let running = start(
            "endpoints:\n  \
               127.0.1.1: {tls: {names: [kv.test]}}\n  \
               127.0.1.2: {tls: {names: [kv.test], issuer: unknown}}\n  \
               127.0.1.3: {tls: {names: [kv.test], intermediate: sent}}\n  \
               127.0.1.4: {tls: {names: [kv.test], intermediate: missing}}\n  \
               127.0.1.5: closed\n  \
               127.0.1.6: silent\n  \
               127.0.1.7: plain\n  \
               127.0.1.8: interrupt\n  \
               127.0.1.9: reset\n  \
               127.0.1.10: {alert: 40}\n  \
               127.0.1.11: trickle\n",
        )
        .await;
        handshake(&running, "127.0.1.1").await.expect("a handshake");
        handshake(&running, "127.0.1.3").await.expect("a handshake");
        for (ip, expected) in [
            ("127.0.1.2", "UnknownIssuer"),
            ("127.0.1.4", "UnknownIssuer"),
            ("127.0.1.5", "refused"),
            ("127.0.1.6", "timed out"),
            ("127.0.1.7", "InvalidContentType"),
            ("127.0.1.8", "eof"),
            ("127.0.1.9", "reset"),
            ("127.0.1.10", "HandshakeFailure"),
            ("127.0.1.11", "timed out"),
        ] {
            let told = told(handshake(&running, ip).await);
            assert!(told.contains(expected), "{ip}: {told}");
        }
        assert_eq!(
            running.connections("127.0.1.1".parse().expect("an address")),
            1
        );
        assert_eq!(
            running.connections("127.0.1.5".parse().expect("an address")),
            0
        );
        running.stop().await;
    }

    #[tokio::test]
    async fn a_black_hole_swallows_every_connection() {
        let running = start("endpoints: {127.0.1.1: blackhole, 127.0.1.2: blackhole}").await;
        // Longer than a second, after which the kernel repeats its SYN.
        let tried = ["127.0.1.1", "127.0.1.1", "127.0.1.2"].map(|ip| connect(&running, ip));
        for tried in futures_util::future::join_all(tried).await {
            let error = tried.expect_err("swallowed");
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        }
        running.stop().await;
    }

    #[tokio::test]
    async fn an_address_of_a_record_refuses_where_nobody_serves_it() {
        let running = start("dns: {records: [kv.test A 127.0.1.1]}").await;
        assert!(std::net::TcpListener::bind(("127.0.1.1", running.port)).is_err());
        let error = connect(&running, "127.0.1.1").await.expect_err("refused");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        running.stop().await;
    }

    #[tokio::test]
    async fn a_plain_service_says_so_in_the_clear() {
        let running = start("endpoints: {127.0.1.1: plain}").await;
        let mut stream = connect(&running, "127.0.1.1").await.expect("a connection");
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"hello")
            .await
            .expect("written");
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await.expect("a reply");
        assert!(reply.starts_with("HTTP/1.1 400 "), "{reply}");
        running.stop().await;
    }

    #[tokio::test]
    async fn a_port_that_is_taken_is_named() {
        let occupied = std::net::TcpListener::bind("127.0.1.1:0").expect("a port");
        let at = occupied.local_addr().expect("an address");
        let world = World::parse(&format!(
            "{{story: x, target: {{host: a}}, verdict: {{outcome: pass}}, \
             endpoints: {{\"{at}\": silent}}}}"
        ))
        .expect("a world");
        let error = RunningWorld::start(&world).await.expect_err("taken");
        assert_eq!(
            error.to_string(),
            format!("cannot open the endpoint {at} for the lab")
        );
    }

    #[tokio::test]
    async fn nothing_is_left_of_a_world_that_is_dropped() {
        let running = start("endpoints: {127.0.1.1: silent}").await;
        let at = SocketAddr::new("127.0.1.1".parse().expect("an address"), running.port);
        let (directory, ca) = (running.directory().to_owned(), running.ca_file());
        assert_eq!(
            fs::read_to_string(ca).expect("the authority"),
            running.ca_pem
        );
        drop(running);
        assert!(!directory.exists());
        tokio::task::yield_now().await;
        let error = TcpStream::connect(at).await.expect_err("closed");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }
}
