//! Truncation: an answer of two hundred addresses, which UDP cannot carry, with and without TCP.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::agent::{Checked, check};
use super::child::{Folder, free_port};
use super::dns::{Bind, loopback};
use super::oracle;
use super::service::Service;
use super::zones::{ALIAS, Authority, HOST, privatelink, vault_zones};

const ADDRESSES: u8 = 200;

#[test]
fn two_hundred_addresses_arrive_over_tcp() {
    let folder = Folder::new("truncated");
    let bind = crowded(&folder);
    let checked = ask(bind.address());
    assert_eq!(checked.question()["outcome"], "answer", "{checked}");
    assert_eq!(checked.question()["transport"], "tcp", "{checked}");
    let addresses = checked.target["dns"]["addresses"]
        .as_array()
        .expect("a list");
    assert_eq!(addresses.len(), oracle::KEPT, "{checked}");
    let connections = checked.target["connections"].as_array().expect("a list");
    let dialled = connections
        .iter()
        .filter(|connection| connection["tcp"] == "refused")
        .count();
    let skipped = connections
        .iter()
        .filter(|connection| connection["tcp"] == "skipped")
        .count();
    assert_eq!((dialled, skipped), (16, oracle::KEPT - 16), "{checked}");
    oracle::assert_agrees(&checked, bind.address(), "200 addresses");
    // No server listens there: DNS is well.
    assert_eq!(checked.reason(), "connect_refused", "{checked}");
}

#[test]
fn a_truncated_answer_with_tcp_refused_says_that_tcp_is_what_fails() {
    let folder = Folder::new("tcp-refused");
    let bind = crowded(&folder);
    let relay = UdpRelay::start(bind.address(), free_port());
    let checked = ask(relay.address);
    assert_tcp_failed(&checked);
}

#[test]
fn a_truncated_answer_with_tcp_dropped_says_that_tcp_is_what_fails() {
    let folder = Folder::new("tcp-dropped");
    let bind = crowded(&folder);
    let hole = Service::black_hole(Ipv4Addr::LOCALHOST, free_port());
    let relay = UdpRelay::start(bind.address(), hole.port());
    let checked = ask(relay.address);
    assert_tcp_failed(&checked);
}

fn assert_tcp_failed(checked: &Checked) {
    assert_eq!(checked.reason(), "dns_tcp_failed", "{checked}");
    assert_eq!(checked.exit, Some(1), "{checked}");
    assert_eq!(checked.question()["outcome"], "truncated", "{checked}");
    assert_eq!(
        checked.target["dns"]["addresses"],
        serde_json::json!([]),
        "{checked}"
    );
}

fn crowded(folder: &Folder) -> Bind {
    let zone = (1..=ADDRESSES).fold(privatelink(Authority::Private), |zone, last| {
        zone.address(ALIAS, Ipv4Addr::new(127, 0, 1, last))
    });
    Bind::start(
        folder,
        &vault_zones(&["kv-prod"], zone, Ipv4Addr::new(127, 0, 2, 1)),
    )
}

fn ask(server: SocketAddr) -> Checked {
    let port = free_port().to_string();
    check(&[
        HOST,
        "--resolver",
        &server.to_string(),
        "--classify-private",
        "127.0.1.0/24",
        "--port",
        &port,
        "--timeout",
        "4s",
        "-4",
    ])
}

/// A firewall as people build it: it lets UDP through to the server and nothing else.
struct UdpRelay {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
}

impl UdpRelay {
    fn start(upstream: SocketAddr, port: u16) -> Self {
        let socket = UdpSocket::bind(loopback(port)).expect("a port nobody else has");
        let address = socket.local_addr().expect("a bound socket has an address");
        let patience = Some(Duration::from_millis(500));
        socket
            .set_read_timeout(patience)
            .expect("an option every system has");
        let stopped = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&stopped);
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while !stop.load(Ordering::Relaxed) {
                let Ok((length, client)) = socket.recv_from(&mut buffer) else {
                    continue;
                };
                let server = UdpSocket::bind(loopback(0)).expect("a socket on loopback");
                server
                    .set_read_timeout(patience)
                    .expect("an option every system has");
                let answered = server
                    .send_to(&buffer[..length], upstream)
                    .and_then(|_| server.recv(&mut buffer));
                if let Ok(length) = answered {
                    // A client that has gone is not the relay's business.
                    let _ = socket.send_to(&buffer[..length], client);
                }
            }
        });
        Self { address, stopped }
    }
}

impl Drop for UdpRelay {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}
