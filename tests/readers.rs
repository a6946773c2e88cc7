//! What clients that never read cost: a bounded amount of memory, whatever they ask for. The test has a
//! process of its own, whose memory it measures.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use privatelink_board::{Board, SharedBoard, fixtures};
use privatelink_prober::http::{self, Access, Site};
use privatelink_report::metrics::{Histograms, Metrics};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// As many as are connected at a time.
const CLIENTS: usize = 64;

/// 64 whole replies about them would be half a gigabyte.
const TARGETS: usize = 2_000;

/// For all clients together, in KiB.
const MOST: u64 = 8 * 1024;

fn board() -> SharedBoard {
    let name = |number| format!("kv-{number}.vault.azure.net");
    let probes = (0..TARGETS).map(|number| fixtures::named(&name(number), fixtures::healthy()));
    let probes: Vec<_> = probes.collect();
    let targets = probes.iter().map(|probed| Arc::clone(&probed.target));
    let mut board = Board::new("n".to_owned(), &fixtures::plan(targets), SystemTime::now());
    for probed in probes {
        board.record(Arc::new(probed));
    }
    SharedBoard::new(board)
}

fn ask(address: SocketAddr, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("a connection");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").expect("a request");
    stream
}

/// Resident memory, in KiB.
fn memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("proc(5)");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number
        .and_then(|number| number.parse().ok())
        .expect("a number")
}

#[tokio::test]
async fn clients_that_never_read_cost_little_memory() {
    let board = board();
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let listener = http::bind(Some(listen)).expect("a port");
    let address = listener.local_addr().expect("an address");
    let metrics = Metrics::new(board.clone(), Histograms::On);
    tokio::spawn(http::serve(
        listener,
        Site::Agent(board, metrics),
        Access::default(),
        CancellationToken::new(),
    ));
    let before = memory();
    for path in ["/metrics", "/api/v1/targets", "/"] {
        let silent: Vec<_> = (0..CLIENTS).map(|_| ask(address, path)).collect();
        let mut most = 0;
        for _ in 0..20 {
            sleep(Duration::from_millis(100)).await;
            most = most.max(memory());
        }
        drop(silent);
        let grown = most.saturating_sub(before);
        assert!(grown < MOST, "{path}: {grown} KiB");
    }
}
