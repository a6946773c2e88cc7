//! First inputs for the targets of `fuzz/`: what the DNS servers and services of the scenarios send, and the
//! objects of the discovery's manifests. `fuzz/seeds` runs it.
//!
//!     cargo run --example fuzz_seeds -- fuzz/corpus

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use privatelink_discovery::{Kind, Source, Visitor, each_kind};
use privatelink_lab::{RunningWorld, World};
use privatelink_verdict::target::{Protocol, Target};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use serde_json::Value;
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

type Failure = Box<dyn Error>;

/// How long a server may take. Those that do not answer are no source of inputs.
const PATIENCE: Duration = Duration::from_millis(150);

const A: u16 = 1;
const SOA: u16 = 6;
const AAAA: u16 = 28;
const SRV: u16 = 33;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let corpus = PathBuf::from(
        std::env::args()
            .nth(1)
            .ok_or("name the folder of the corpus")?,
    );
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for file in files(&root.join("tests/scenarios"))? {
        let text = fs::read_to_string(&file)?;
        let running = RunningWorld::start(&World::parse(&text)?).await?;
        // A few worlds have a configuration that is refused, on purpose.
        if let Ok(plan) = privatelink_config::load_text("the world", &running.configuration) {
            for target in &plan.targets {
                from_servers(&corpus, &running, target).await?;
            }
        }
        running.stop().await;
    }
    for file in files(&root.join("crates/discovery/tests/manifests"))? {
        let case: Value = serde_saphyr::from_str(&fs::read_to_string(&file)?)?;
        for object in case["objects"].as_array().into_iter().flatten() {
            let mut chosen = Choose {
                object,
                at: 0,
                found: None,
            };
            each_kind(&mut chosen);
            if let Some(kind) = chosen.found {
                let input = [&[kind], object.to_string().as_bytes()].concat();
                keep(&corpus, "discovery", &input)?;
            }
        }
    }
    Ok(())
}

/// What the DNS servers of a world say of a target, and what the services behind the answer say first.
async fn from_servers(
    corpus: &Path,
    running: &RunningWorld,
    target: &Target,
) -> Result<(), Failure> {
    let own = running.dns.first();
    let other = running.dns.get(1);
    let zone = target
        .service
        .and_then(|service| service.private_zones.first());
    let zone = zone.map_or(target.host.as_str(), |zone| zone);
    let mut probe = Vec::new();
    for (server, name, kind) in [
        (own, target.host.as_str(), A),
        (own, &target.host, AAAA),
        (other, &target.host, A),
        (other, &target.host, AAAA),
        (own, zone, SOA),
        (own, &target.host, A),
        (own, &target.host, SRV),
    ] {
        probe.push(match server {
            Some(server) => ask(*server, name, kind).await.unwrap_or_default(),
            None => Vec::new(),
        });
    }
    let head = [&[0], target.host.as_bytes()].concat();
    let parts: Vec<_> = std::iter::once(head).chain(probe).collect();
    keep(corpus, "dns", &joined(&parts))?;
    if target.protocol == Protocol::Tls {
        for ip in addresses(&parts[1]) {
            let at = running.machine.destination((ip, target.port).into());
            from_service(corpus, at, target).await?;
        }
    }
    Ok(())
}

async fn from_service(corpus: &Path, at: SocketAddr, target: &Target) -> Result<(), Failure> {
    let Ok(Ok(mut stream)) = timeout(PATIENCE, TcpStream::connect(at)).await else {
        return Ok(());
    };
    let chain = Arc::new(Recorded::default());
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS12])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&chain) as Arc<dyn ServerCertVerifier>)
        .with_no_client_auth();
    let name = ServerName::try_from(target.host.clone())?;
    let mut client = rustls::ClientConnection::new(Arc::new(config), name)?;
    let mut hello = Vec::new();
    client.write_tls(&mut hello)?;
    let mut flight = Vec::new();
    let talk = async {
        tokio::io::AsyncWriteExt::write_all(&mut stream, &hello).await?;
        tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut flight).await
    };
    // A server that waits for the client's next words has sent all of its first ones.
    let _ = timeout(PATIENCE, talk).await;
    if client.read_tls(&mut flight.as_slice()).is_ok() {
        let _ = client.process_new_packets();
    }
    keep(corpus, "tls", &[&[0], &flight[..]].concat())?;
    let chain = chain.0.lock().map_err(|_| "a panic")?.clone();
    if !chain.is_empty() {
        keep(corpus, "certificate", &joined(&chain))?;
    }
    Ok(())
}

/// Takes any certificate, and keeps the chain.
#[derive(Debug, Default)]
struct Recorded(Mutex<Vec<Vec<u8>>>);

impl ServerCertVerifier for Recorded {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Ok(mut chain) = self.0.lock() {
            *chain = std::iter::once(leaf)
                .chain(others)
                .map(|der| der.to_vec())
                .collect();
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// The answer of a server to a question, over UDP.
async fn ask(server: SocketAddr, name: &str, kind: u16) -> Option<Vec<u8>> {
    let mut question = b"\0\0\x01\0\0\x01\0\0\0\0\0\0".to_vec();
    for label in name.trim_end_matches('.').split('.') {
        question.push(u8::try_from(label.len()).ok()?);
        question.extend_from_slice(label.as_bytes());
    }
    question.push(0);
    question.extend_from_slice(&[kind.to_be_bytes(), [0, 1]].concat());
    let socket = UdpSocket::bind("127.0.0.1:0").await.ok()?;
    socket.connect(server).await.ok()?;
    socket.send(&question).await.ok()?;
    let mut answer = vec![0; 4096];
    let length = timeout(PATIENCE, socket.recv(&mut answer))
        .await
        .ok()?
        .ok()?;
    answer.truncate(length);
    Some(answer)
}

/// The IPv4 addresses at the ends of the records of an answer: four bytes after their length.
fn addresses(answer: &[u8]) -> Vec<std::net::IpAddr> {
    let records = answer
        .windows(14)
        .filter(|record| record.starts_with(&[0, 1, 0, 1]) && record[8..10] == [0, 4]);
    records
        .map(|record| [record[10], record[11], record[12], record[13]].into())
        .collect()
}

/// Which of the kinds that discovery reads an object is.
struct Choose<'a> {
    object: &'a Value,
    at: u8,
    found: Option<u8>,
}

impl Visitor for Choose<'_> {
    fn visit<K: Kind>(&mut self, _: &'static [Source]) {
        if self.object["kind"] == K::RESOURCE.kind {
            self.found.get_or_insert(self.at);
        }
        self.at += 1;
    }
}

/// Parts as one input: each after its length, in two bytes.
fn joined(parts: &[Vec<u8>]) -> Vec<u8> {
    let mut input = Vec::new();
    for part in parts {
        let length = u16::try_from(part.len()).unwrap_or(u16::MAX);
        input.extend_from_slice(&length.to_be_bytes());
        input.extend_from_slice(&part[..length.into()]);
    }
    input
}

fn keep(corpus: &Path, target: &str, input: &[u8]) -> Result<(), Failure> {
    let mut hasher = DefaultHasher::new();
    input.hash(&mut hasher);
    let folder = corpus.join(target);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(format!("{:016x}", hasher.finish())), input)?;
    Ok(())
}

/// The data files below a folder, in the order of their names.
fn files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut files = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "yaml") {
                files.insert(path);
            }
        }
    }
    Ok(files.into_iter().collect())
}
