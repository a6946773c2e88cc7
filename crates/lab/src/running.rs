//! Running: a world whose DNS servers and endpoints are up. Dropping it takes everything down.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use futures_util::future::try_join_all;
use privatelink_machine::Machine;
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::configuration::{ConfigurationParts, configuration};
use crate::directory::Directory;
use crate::dns::{self, FaultRule, RecordLine, Recursor, Server};
use crate::endpoint::{
    self, Authorities, Endpoint, EndpointAddress, Listener, Listeners, PreparedEndpoint,
};
use crate::error::{Error, open_error};
use crate::resolv_conf;
use crate::tasks::Tasks;
use crate::turn::{Turn, Turns};
use crate::world::World;

/// A world that can be probed.
#[derive(Debug)]
pub struct RunningWorld {
    /// The DNS servers, in the order of the data file, each for UDP and TCP.
    pub dns: Vec<SocketAddr>,
    /// The machine to probe from: this one, but for what the data file simulates.
    pub machine: Machine,
    /// The agent's configuration for this world, as JSON, which is YAML too.
    pub configuration: String,
    /// In the order of `dns`.
    servers: Vec<RunningServer>,
    /// The endpoints that accept connections, and how each is served.
    endpoints: BTreeMap<SocketAddr, watch::Sender<PreparedEndpoint>>,
    /// The port of every endpoint that names none.
    port: u16,
    directory: Directory,
    tasks: Tasks,
    turns: Turns,
}

/// A DNS server that can be stopped and started.
#[derive(Debug)]
struct RunningServer {
    described: Server,
    recursor: Recursor,
    tasks: Tasks,
}

impl RunningWorld {
    /// Starts the DNS servers and endpoints of `world`, on the current Tokio runtime.
    pub async fn start(world: &World) -> Result<Self, Error> {
        let authorities = Authorities::get().map_err(certificate_error("the authority"))?;
        let in_records = world.servers.iter().flat_map(Server::addresses);
        let mut listeners = Listeners::bind(&world.endpoints, in_records)?;
        // Made before anything is served, so that an error on the way takes down what is up.
        let mut running = Self {
            dns: Vec::new(),
            machine: Machine::real(),
            configuration: String::new(),
            servers: Vec::new(),
            endpoints: BTreeMap::new(),
            port: listeners.port,
            directory: Directory::new()?,
            tasks: Tasks::default(),
            turns: Turns::default(),
        };
        let ca_file = running.directory.write("ca.pem", &authorities.pem())?;
        for server in &world.servers {
            let server = RunningServer {
                described: server.clone(),
                recursor: Recursor::new(server),
                tasks: Tasks::default(),
            };
            let any_port = (Ipv4Addr::LOCALHOST, 0).into();
            let address = server.serve(any_port, &running.turns).await?;
            running.servers.push(server);
            running.dns.push(address);
        }
        let mut resolv_confs = BTreeMap::new();
        for (resolver, lines) in &world.resolv_conf {
            let (text, routes) = resolv_conf::text(lines, &running.servers_of(world, resolver));
            let path = running
                .directory
                .write(&format!("resolv.conf.{resolver}"), &text)?;
            listeners.simulation.routes.extend(routes);
            resolv_confs.insert(resolver.clone(), path);
        }
        listeners
            .simulation
            .variables
            .clone_from(&world.environment);
        running.machine = Machine::simulated(listeners.simulation);
        running.configuration = configuration(
            world,
            &ConfigurationParts {
                dns: &running.dns,
                port: listeners.port,
                resolv_confs: &resolv_confs,
                ca_file: &ca_file,
            },
        );
        // A black hole takes a moment to fill: all are made together.
        let serving = listeners
            .all
            .into_iter()
            .map(|it| running.serve(authorities, it));
        let served = try_join_all(serving).await?;
        running.endpoints = served.into_iter().flatten().collect();
        Ok(running)
    }

    /// Serves an endpoint; returns how to change it, if it accepts connections.
    async fn serve(
        &self,
        authorities: &Authorities,
        listener: Listener,
    ) -> Result<Option<(SocketAddr, watch::Sender<PreparedEndpoint>)>, Error> {
        let Listener {
            socket,
            address,
            endpoint,
        } = listener;
        let accepts = endpoint.accepts();
        let prepared = self.prepare(authorities, endpoint, address)?;
        let (served, service) = watch::channel(prepared);
        endpoint::serve(socket, service, &self.tasks)
            .await
            .map_err(open_error(format!("the endpoint {address}")))?;
        Ok(accepts.then_some((address, served)))
    }

    fn prepare(
        &self,
        authorities: &Authorities,
        endpoint: Endpoint,
        address: SocketAddr,
    ) -> Result<PreparedEndpoint, Error> {
        let config = endpoint.tls().map(|tls| authorities.server_config(&tls));
        let config = config.transpose();
        let config = config.map_err(certificate_error(&format!("the endpoint {address}")))?;
        Ok(PreparedEndpoint {
            endpoint,
            tls: config.map(|config| TlsAcceptor::from(Arc::new(config))),
            turns: self.turns.clone(),
        })
    }

    /// The addresses of a resolver's servers.
    fn servers_of(&self, world: &World, resolver: &str) -> Vec<SocketAddr> {
        let servers = world.servers.iter().zip(&self.dns);
        let its_own = servers.filter(|(server, _)| server.resolver() == resolver);
        its_own.map(|(_, address)| *address).collect()
    }

    /// A directory of this world, removed with it. Callers may put files there.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// How many questions all DNS servers were asked.
    pub fn questions(&self) -> u64 {
        let recursors = self.servers.iter().map(|it| &it.recursor);
        recursors.map(Recursor::questions).sum()
    }

    /// How many of those asked for `name`, whatever the type.
    pub fn questions_for(&self, name: &str) -> u64 {
        let name = name.trim_end_matches('.').to_lowercase();
        self.servers
            .iter()
            .map(|it| it.recursor.questions_for(&name))
            .sum()
    }

    /// What the servers have answered, and when, since this was last called: the latest thousand answers
    /// at most.
    pub fn take_turns(&self) -> Vec<Turn> {
        self.turns.take()
    }

    /// Repairs or breaks a zone: from now on the server at `index` of [`Self::dns`] knows these
    /// records, written as in the data file, and no others. Sequences and faults stay.
    pub fn set_records(&self, index: usize, records: &[&str]) -> Result<(), Error> {
        let records = records
            .iter()
            .map(|line| RecordLine::try_from((*line).to_owned()));
        let records = records
            .collect::<Result<Vec<_>, _>>()
            .map_err(Error::Records)?;
        let server = self.servers.get(index);
        server
            .ok_or_else(|| Error::Records(format!("there is no server {index}")))?
            .recursor
            .set_records(&records);
        Ok(())
    }

    /// From now on the server at `index` of [`Self::dns`] has these faults, written as the list in the
    /// data file, and no others.
    pub fn set_faults(&self, index: usize, faults: &str) -> Result<(), Error> {
        let faults: Vec<FaultRule> = read(faults)?;
        self.server(index)?.recursor.set_faults(faults);
        Ok(())
    }

    /// Ends the server at `index` of [`Self::dns`], as a kill does: its ports are closed, and what it has
    /// not answered yet is never answered.
    pub async fn stop_server(&self, index: usize) -> Result<(), Error> {
        self.server(index)?.tasks.stopped().await;
        Ok(())
    }

    /// Starts a server again that was ended, at the same port, with its records and faults.
    pub async fn start_server(&mut self, index: usize) -> Result<(), Error> {
        let address = self.dns.get(index).copied();
        let turns = self.turns.clone();
        let server = self.servers.get_mut(index).zip(address);
        let (server, address) = server.ok_or_else(|| no_server(index))?;
        server.tasks = Tasks::default();
        server.serve(address, &turns).await?;
        Ok(())
    }

    /// Serves connections to the endpoint at `address` from now on as `endpoint` says; both are written as
    /// in the data file. Each time a certificate is new. Connections that are open stay as they are.
    pub fn set_endpoint(&self, address: &str, endpoint: &str) -> Result<(), Error> {
        let at = EndpointAddress::try_from(address.to_owned()).map_err(Error::Change)?;
        let at = SocketAddr::new(at.ip, at.port.unwrap_or(self.port));
        let endpoint: Endpoint = read(endpoint)?;
        let served = self.endpoints.get(&at).filter(|_| endpoint.accepts());
        let served = served.ok_or_else(|| {
            let why = "only one that accepts connections can be changed, and into such a one";
            Error::Change(format!("{address}: {why}"))
        })?;
        let authorities = Authorities::get().map_err(certificate_error("the authority"))?;
        served.send_replace(self.prepare(authorities, endpoint, at)?);
        Ok(())
    }

    /// Takes everything down, and returns when every port is free again.
    pub async fn stop(self) {
        for server in &self.servers {
            server.tasks.stopped().await;
        }
        self.tasks.stopped().await;
    }

    fn server(&self, index: usize) -> Result<&RunningServer, Error> {
        self.servers.get(index).ok_or_else(|| no_server(index))
    }
}

impl RunningServer {
    async fn serve(&self, address: SocketAddr, turns: &Turns) -> Result<SocketAddr, Error> {
        let recursor = self.recursor.clone();
        dns::serve(&self.described, address, recursor, turns, &self.tasks)
            .await
            .map_err(open_error("a DNS server on 127.0.0.1"))
    }
}

impl Drop for RunningWorld {
    fn drop(&mut self) {
        self.servers.iter().for_each(|server| server.tasks.stop());
        self.tasks.stop();
    }
}

/// A part of a data file.
fn read<T: DeserializeOwned>(yaml: &str) -> Result<T, Error> {
    serde_saphyr::from_str(yaml).map_err(|error| Error::Change(error.to_string()))
}

fn no_server(index: usize) -> Error {
    Error::Change(format!("there is no DNS server {index}"))
}

fn certificate_error(what: &str) -> impl FnOnce(Box<dyn std::error::Error + Send + Sync>) -> Error {
    let what = what.to_owned();
    |source| Error::Certificate { what, source }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::time::Duration;

    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, ServerName};
    use rustls::{ClientConfig, RootCertStore};
    use serde_json::Value;
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

    /// The service port, read from the agent's configuration.
    fn port(running: &RunningWorld) -> u16 {
        let configuration: Value = serde_json::from_str(&running.configuration).expect("JSON");
        let port = configuration["targets"][0]["port"].as_u64();
        port.and_then(|port| u16::try_from(port).ok())
            .expect("a port")
    }

    async fn connect(running: &RunningWorld, ip: &str) -> io::Result<TcpStream> {
        let address = SocketAddr::new(ip.parse().expect("an address"), port(running));
        timeout(Duration::from_millis(1500), TcpStream::connect(address)).await?
    }

    async fn handshake(running: &RunningWorld, ip: &str) -> io::Result<()> {
        let mut roots = RootCertStore::empty();
        let ca_file = running.directory().join("ca.pem");
        let ca = CertificateDer::from_pem_file(ca_file).expect("a certificate");
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
        timeout(Duration::from_millis(1500), connector.connect(name, stream)).await??;
        Ok(())
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
               127.0.1.7: plainHttp\n  \
               127.0.1.8: closeAfterHello\n  \
               127.0.1.9: resetAfterHello\n  \
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
            let error = handshake(&running, ip).await.expect_err("no handshake");
            assert!(error.to_string().contains(expected), "{ip}: {error}");
        }
        running.stop().await;
    }

    #[tokio::test]
    async fn a_black_hole_swallows_every_connection() {
        let running = start("endpoints: {127.0.1.1: blackhole, 127.0.1.2: blackhole}").await;
        // Longer than a second, after which the kernel repeats its SYN.
        let attempts = ["127.0.1.1", "127.0.1.1", "127.0.1.2"].map(|ip| connect(&running, ip));
        for attempt in futures_util::future::join_all(attempts).await {
            let error = attempt.expect_err("swallowed");
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        }
        running.stop().await;
    }

    #[tokio::test]
    async fn an_address_of_a_record_without_an_endpoint_refuses() {
        let running = start("dns: {records: [kv.test A 127.0.1.1]}").await;
        assert!(std::net::TcpListener::bind(("127.0.1.1", port(&running))).is_err());
        let error = connect(&running, "127.0.1.1").await.expect_err("refused");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        running.stop().await;
    }

    #[tokio::test]
    async fn an_endpoint_changes_while_it_runs_and_presents_a_new_certificate() {
        let running =
            start("endpoints: {127.0.1.1: {tls: {names: [kv.test]}}, 127.0.1.2: closed}").await;
        handshake(&running, "127.0.1.1").await.expect("a handshake");
        for (endpoint, expected) in [
            ("{tls: {names: [other.test]}}", "not valid for name"),
            ("resetAfterHello", "reset"),
        ] {
            running
                .set_endpoint("127.0.1.1", endpoint)
                .expect("a change");
            let error = handshake(&running, "127.0.1.1")
                .await
                .expect_err("no handshake");
            assert!(error.to_string().contains(expected), "{endpoint}: {error}");
        }
        let good = "{tls: {names: [kv.test]}}";
        running.set_endpoint("127.0.1.1", good).expect("a change");
        handshake(&running, "127.0.1.1").await.expect("a handshake");
        for (address, endpoint) in [
            ("127.0.1.1", "closed"),
            ("127.0.1.2", good),
            ("127.0.1.1", "open"),
        ] {
            let refused = running.set_endpoint(address, endpoint);
            assert!(refused.is_err(), "{address} {endpoint}");
        }
        running.stop().await;
    }

    #[tokio::test]
    async fn a_dns_server_that_was_stopped_refuses_and_answers_again_at_the_same_port() {
        let mut running = start("dns: {records: [kv.test A 127.0.1.1]}").await;
        let at = running.dns[0];
        TcpStream::connect(at).await.expect("a connection");
        running.stop_server(0).await.expect("a server");
        let error = TcpStream::connect(at).await.expect_err("closed");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        running.start_server(0).await.expect("its port");
        TcpStream::connect(at).await.expect("a connection");
        assert!(running.stop_server(1).await.is_err());
        running.stop().await;
    }

    #[tokio::test]
    async fn a_plain_http_service_replies_without_tls() {
        let running = start("endpoints: {127.0.1.1: plainHttp}").await;
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
        let at = SocketAddr::new("127.0.1.1".parse().expect("an address"), port(&running));
        let directory = running.directory().to_owned();
        assert!(directory.join("ca.pem").exists());
        drop(running);
        assert!(!directory.exists());
        tokio::task::yield_now().await;
        let error = TcpStream::connect(at).await.expect_err("closed");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }
}
