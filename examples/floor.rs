//! Floor: the least that a program on this runtime and TLS library needs for what the agent measures: two
//! DNS questions, a connection and a verified handshake per target and interval. It judges, keeps and reports
//! nothing. `make bench` compares the agent with it.
//!
//!   floor DNS-SERVER CA-FILE TARGETS-FILE PORT INTERVAL-SECONDS RUN-SECONDS
//!
//! It prints how many probes passed, how many did not, and the mean time of a handshake in milliseconds.
#![expect(clippy::print_stdout, reason = "it is a program for the terminal")]

use std::cell::Cell;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpStream, UdpSocket};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout};
use tokio_rustls::TlsConnector;

const TIMEOUT: Duration = Duration::from_secs(5);
const A: u16 = 1;
const AAAA: u16 = 28;

#[derive(Default)]
struct Counts {
    passed: Cell<u32>,
    failed: Cell<u32>,
    handshaking: Cell<Duration>,
}

/// What every probe uses.
struct Probe {
    dns: SocketAddr,
    port: u16,
    connector: TlsConnector,
    counts: Counts,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [dns, ca, targets, port, every, run] = &arguments[..] else {
        panic!("see the top of the source");
    };
    let mut roots = RootCertStore::empty();
    let ca = CertificateDer::from_pem_file(ca).expect("a certificate");
    roots.add(ca).expect("a root");
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let probe = Rc::new(Probe {
        dns: dns.parse().expect("an address"),
        port: port.parse().expect("a port"),
        connector: TlsConnector::from(Arc::new(config)),
        counts: Counts::default(),
    });
    let every = Duration::from_secs(every.parse().expect("seconds"));
    let hosts = std::fs::read_to_string(targets).expect("a file");
    let hosts: Vec<String> = hosts.lines().map(str::to_owned).collect();
    let step = every / u32::try_from(hosts.len()).expect("not that many");
    let tasks = LocalSet::new();
    for (number, host) in (0u32..).zip(hosts) {
        let probe = Rc::clone(&probe);
        tasks.spawn_local(async move {
            let mut beats = interval_at(Instant::now() + step * number, every);
            beats.set_missed_tick_behavior(MissedTickBehavior::Skip);
            loop {
                beats.tick().await;
                let (probe, host) = (Rc::clone(&probe), host.clone());
                spawn_local(async move {
                    let passed = matches!(timeout(TIMEOUT, probe.run(&host)).await, Ok(Ok(())));
                    let counts = &probe.counts;
                    let count = if passed {
                        &counts.passed
                    } else {
                        &counts.failed
                    };
                    count.set(count.get() + 1);
                });
            }
        });
    }
    let seconds = Duration::from_secs(run.parse().expect("seconds"));
    tasks.run_until(sleep(seconds)).await;
    let Counts {
        passed,
        failed,
        handshaking,
    } = &probe.counts;
    let mean = handshaking.get().as_secs_f64() * 1000.0 / f64::from(passed.get().max(1));
    println!("{} {} {mean:.3}", passed.get(), failed.get());
}

impl Probe {
    async fn run(&self, host: &str) -> io::Result<()> {
        let (a, aaaa) = tokio::join!(self.ask(host, A), self.ask(host, AAAA));
        aaaa?;
        let address = a?.ok_or(io::ErrorKind::NotFound)?;
        let stream = TcpStream::connect((address, self.port)).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let began = Instant::now();
        let mut stream = self.connector.connect(name, stream).await?;
        let handshaking = &self.counts.handshaking;
        handshaking.set(handshaking.get() + began.elapsed());
        stream.shutdown().await
    }

    /// Asks for records of `kind`; the first IPv4 address of the answer.
    async fn ask(&self, host: &str, kind: u16) -> io::Result<Option<Ipv4Addr>> {
        let socket = UdpSocket::bind("127.0.0.1:0").await?;
        socket.connect(self.dns).await?;
        let mut question = vec![0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        question[..2].copy_from_slice(&fastrand::u16(..).to_be_bytes());
        for label in host.split('.') {
            question.push(u8::try_from(label.len()).map_err(io::Error::other)?);
            question.extend(label.bytes());
        }
        question.push(0);
        question.extend(kind.to_be_bytes());
        question.extend([0, 1]);
        socket.send(&question).await?;
        let mut answer = [0; 1500];
        loop {
            let length = socket.recv(&mut answer).await?;
            if length >= question.len() && answer[..2] == question[..2] {
                return Ok(first_address(&answer[..length], question.len()));
            }
        }
    }
}

/// The first A record behind the question, which ends at `at`.
fn first_address(answer: &[u8], mut at: usize) -> Option<Ipv4Addr> {
    for _ in 0..u16::from_be_bytes([*answer.get(6)?, *answer.get(7)?]) {
        while *answer.get(at)? != 0 && answer[at] < 0xc0 {
            at += 1 + usize::from(answer[at]);
        }
        at += if answer[at] == 0 { 1 } else { 2 };
        let fixed = answer.get(at..at + 10)?;
        at += 10;
        let length = usize::from(u16::from_be_bytes([fixed[8], fixed[9]]));
        let data = answer.get(at..at + length)?;
        if let (1, [a, b, c, d]) = (u16::from_be_bytes([fixed[0], fixed[1]]), data) {
            return Some(Ipv4Addr::new(*a, *b, *c, *d));
        }
        at += length;
    }
    None
}
