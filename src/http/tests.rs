use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use flate2::read::GzDecoder;
use privatelink_board::{Board, fixtures};
use privatelink_report::events::ConfigRefused;
use privatelink_report::metrics::Histograms;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, timeout};

use super::*;

#[cfg(feature = "observer")]
mod authorized;
mod protected;

struct Server {
    address: SocketAddr,
    board: SharedBoard,
    shutdown: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    async fn start() -> Self {
        Self::start_within(BOUNDS).await
    }

    async fn start_within(bounds: Bounds) -> Self {
        Self::start_with(fixtures::shared(), bounds).await
    }

    async fn start_with(board: SharedBoard, bounds: Bounds) -> Self {
        Self::start_for(Access::default(), board, bounds).await
    }

    #[expect(clippy::unused_async, reason = "a listener needs a runtime")]
    async fn start_for(access: Access, board: SharedBoard, bounds: Bounds) -> Self {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener = bind(Some(listen)).expect("loopback");
        let address = listener.local_addr().expect("an address");
        let metrics = Metrics::new(board.clone(), Histograms::On);
        let shutdown = CancellationToken::new();
        let site = Site::Agent(board.clone(), metrics);
        let serving = serve_within(bounds, listener, site, access, shutdown.clone());
        let task = tokio::spawn(serving);
        Self {
            address,
            board,
            shutdown,
            task,
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address)
            .await
            .expect("a connection")
    }

    /// A connection from another address of the loopback network.
    async fn connect_from(&self, ip: Ipv4Addr) -> TcpStream {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind((ip, 0).into()).expect("loopback");
        socket.connect(self.address).await.expect("a connection")
    }

    /// The whole reply to a GET, with one more header line.
    async fn get_with(&self, path: &str, header: &str) -> String {
        String::from_utf8(self.bytes_with(path, header).await).expect("UTF-8")
    }

    async fn bytes_with(&self, path: &str, header: &str) -> Vec<u8> {
        let mut stream = self.connect().await;
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: x\r\n{header}Connection: close\r\n\r\n");
        stream
            .write_all(request.as_bytes())
            .await
            .expect("a request");
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).await.expect("a reply");
        joined(&reply)
    }

    /// The head of a reply and its body, which gzip packed if the head says so.
    async fn unpacked_with(&self, path: &str, header: &str) -> (String, String) {
        let reply = self.bytes_with(path, header).await;
        let end = reply.windows(4).position(|window| window == b"\r\n\r\n");
        let (head, body) = reply.split_at(end.expect("a head") + 4);
        let head = String::from_utf8(head.to_vec()).expect("UTF-8");
        let mut text = String::new();
        if head.contains("content-encoding: gzip\r\n") {
            let mut decoder = GzDecoder::new(body);
            decoder.read_to_string(&mut text).expect("gzip");
        } else {
            text.push_str(std::str::from_utf8(body).expect("UTF-8"));
        }
        (head, text)
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let reply = self.get_with(path, "").await;
        let (head, body) = reply.split_once("\r\n\r\n").expect("a head");
        assert!(head.contains("x-content-type-options: nosniff"), "{head}");
        assert!(
            head.contains("content-security-policy: default-src 'none'"),
            "{head}"
        );
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        (status.expect("a status"), body.to_owned())
    }

    async fn json(&self, path: &str) -> (u16, Value) {
        let (status, body) = self.get(path).await;
        (status, serde_json::from_str(&body).expect("JSON"))
    }
}

/// A reply with its chunks put together, if it has some (RFC 9112 section 7.1); else it has a length.
fn joined(reply: &[u8]) -> Vec<u8> {
    let end = reply.windows(4).position(|window| window == b"\r\n\r\n");
    let (head, mut body) = reply.split_at(end.expect("a head") + 4);
    let text = String::from_utf8_lossy(head);
    if !text.contains("transfer-encoding: chunked\r\n") {
        let length = format!("content-length: {}\r\n", body.len());
        assert!(text.contains(&length) || body.is_empty(), "{text}");
        return reply.to_vec();
    }
    let mut whole = head.to_vec();
    loop {
        let line = body.windows(2).position(|window| window == b"\r\n");
        let (size, rest) = body.split_at(line.expect("a chunk's size"));
        let size = std::str::from_utf8(size).expect("a number");
        let size = usize::from_str_radix(size, 16).expect("a number");
        whole.extend_from_slice(&rest[2..2 + size]);
        body = &rest[2 + size + 2..];
        if size == 0 {
            assert!(body.is_empty());
            return whole;
        }
    }
}

#[tokio::test]
async fn every_path_of_the_contract_answers() {
    let server = Server::start().await;
    for (path, part) in [
        ("/", "<!DOCTYPE html>"),
        ("/?open=kv-prod.vault.azure.net", "class=\"more\""),
        ("/metrics", "privatelink_build_info{"),
        ("/healthz", "ok"),
    ] {
        let (status, body) = server.get(path).await;
        assert_eq!(status, 200, "{path}");
        assert!(body.contains(part), "{path}: {body}");
    }
    let (status, all) = server.json("/api/v1/targets").await;
    assert_eq!((status, &all["node"]), (200, &Value::from("aks-a-0")));
    assert_eq!(all["targets"].as_array().map(Vec::len), Some(6));
    let (status, one) = server.json("/api/v1/targets/kv-prod.vault.azure.net").await;
    assert_eq!(status, 200);
    assert_eq!(one["targets"][0]["history"][0]["reason"], "public_fallback");
    let (status, body) = server.get("/nowhere%0a").await;
    assert_eq!(status, 404);
    assert!(body.contains("/api/v1/targets/NAME"), "{body}");
}

#[tokio::test]
async fn large_replies_are_compressed_for_clients_that_accept_it() {
    let server = Server::start().await;
    for path in [
        "/",
        "/metrics",
        "/api/v1/targets",
        "/api/v1/targets/kv-prod.vault.azure.net",
    ] {
        let (head, plain) = server.unpacked_with(path, "").await;
        assert!(!head.contains("content-encoding"), "{path}: {head}");
        assert!(head.contains("vary: accept-encoding\r\n"), "{path}: {head}");
        let (head, packed) = server
            .unpacked_with(path, "Accept-Encoding: gzip\r\n")
            .await;
        assert!(
            head.contains("content-encoding: gzip\r\n"),
            "{path}: {head}"
        );
        assert!(head.contains("vary: accept-encoding\r\n"), "{path}: {head}");
        // Ages and the agent's own CPU time differ from one reply to the next.
        assert!(packed.len().abs_diff(plain.len()) < 100, "{path}");
        assert_eq!(packed.get(..100), plain.get(..100), "{path}");
        let refusing = "Accept-Encoding: gzip;q=0\r\n";
        let (head, _) = server.unpacked_with(path, refusing).await;
        assert!(!head.contains("content-encoding"), "{path}: {head}");
    }
    for path in ["/healthz", "/readyz", "/nowhere"] {
        let (head, _) = server
            .unpacked_with(path, "Accept-Encoding: gzip\r\n")
            .await;
        assert!(!head.contains("content-encoding"), "{path}: {head}");
    }
}

#[tokio::test]
async fn a_compressed_summary_is_revalidated_with_its_tag() {
    let server = Server::start().await;
    server.board.lock().node = "n".repeat(200);
    let gzip = "Accept-Encoding: gzip\r\n";
    let (head, _) = server.unpacked_with("/api/v1/summary", gzip).await;
    assert!(head.contains("content-encoding: gzip\r\n"), "{head}");
    let tag = head.lines().find_map(|line| line.strip_prefix("etag: "));
    let condition = format!("{gzip}If-None-Match: {}\r\n", tag.expect("a tag"));
    let again = server.get_with("/api/v1/summary", &condition).await;
    assert!(again.starts_with("HTTP/1.1 304"), "{again}");
    assert!(!again.contains("content-encoding"), "{again}");
}

#[tokio::test]
async fn metrics_are_open_metrics_for_clients_that_ask_for_it() {
    let server = Server::start().await;
    let (head, text) = server.unpacked_with("/metrics", "").await;
    assert!(
        head.contains("content-type: text/plain; version=0.0.4"),
        "{head}"
    );
    assert!(head.contains("vary: accept\r\n"), "{head}");
    assert!(text.contains("# TYPE privatelink_probes_total counter\n"));
    assert!(!text.contains("# EOF"));
    let asking = "Accept: application/openmetrics-text; version=1.0.0\r\nAccept-Encoding: gzip\r\n";
    let (head, text) = server.unpacked_with("/metrics", asking).await;
    let kind = "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n";
    assert!(head.contains(kind), "{head}");
    assert!(text.contains("# TYPE privatelink_probes counter\n"));
    assert!(text.ends_with("\n# EOF\n"));
    // Only the metrics have two formats.
    let (head, _) = server.unpacked_with("/api/v1/summary", asking).await;
    assert!(
        head.contains("content-type: application/json\r\n"),
        "{head}"
    );
}

#[tokio::test]
async fn a_misspelt_target_is_answered_with_the_nearest() {
    let server = Server::start().await;
    let (status, body) = server.json("/api/v1/targets/kv-prd.vault.azure.net").await;
    assert_eq!(status, 404);
    assert_eq!(body["nearest"][0], "kv-prod.vault.azure.net");
    let (_, body) = server.json("/api/v1/targets/zzzzzz").await;
    assert_eq!(body["nearest"], serde_json::json!([]));
}

#[tokio::test]
async fn health_is_lost_only_with_the_schedulers_heartbeat() {
    let server = Server::start().await;
    let beat = |ago| {
        let then = Instant::now().checked_sub(Duration::from_secs(ago));
        server.board.lock().scheduler.heartbeat = then;
    };
    beat(29);
    assert_eq!(server.get("/healthz").await.0, 200);
    beat(31);
    let (status, body) = server.get("/healthz").await;
    assert_eq!(status, 503, "{body}");
}

#[tokio::test]
async fn readiness_explains_itself_and_survives_a_refused_configuration() {
    let server = Server::start().await;
    let (status, body) = server.get("/readyz").await;
    assert_eq!(status, 503);
    assert!(
        body.starts_with("not ready yet: 5 of 6 targets probed"),
        "{body}"
    );
    server.board.lock().scheduler.ready = true;
    ConfigRefused {
        error: "config.yaml:3:1: unknown field",
    }
    .emit(&mut server.board.lock().config);
    let (status, body) = server.get("/readyz").await;
    assert_eq!(status, 200);
    assert!(
        body.contains("refused") && body.contains("config.yaml:3:1"),
        "{body}"
    );
}

#[tokio::test]
async fn an_unchanged_summary_has_no_body() {
    let server = Server::start().await;
    // The fixtures' times lie elsewhere: make every probe a fresh one.
    for probed in fixtures::all() {
        let mut probed = probed;
        probed.observation.checked_at = SystemTime::now();
        server.board.lock().record(Arc::new(probed));
    }
    let first = server.get_with("/api/v1/summary", "").await;
    assert!(first.starts_with("HTTP/1.1 200"), "{first}");
    let tag = first.lines().find_map(|line| line.strip_prefix("etag: "));
    let condition = format!("If-None-Match: {}\r\n", tag.expect("a tag"));
    let again = server.get_with("/api/v1/summary", &condition).await;
    assert!(again.starts_with("HTTP/1.1 304"), "{again}");
    assert!(again.ends_with("\r\n\r\n"), "no body: {again}");
    let mut repaired = fixtures::named("kv-prod.vault.azure.net", fixtures::healthy());
    repaired.observation.checked_at = SystemTime::now();
    server.board.lock().record(Arc::new(repaired));
    let changed = server.get_with("/api/v1/summary", &condition).await;
    assert!(changed.starts_with("HTTP/1.1 200"), "{changed}");
}

#[tokio::test]
async fn a_peer_that_sends_half_a_head_is_disconnected() {
    let bounds = Bounds {
        head: Duration::from_millis(50),
        ..BOUNDS
    };
    let server = Server::start_within(bounds).await;
    let mut stream = server.connect().await;
    stream
        .write_all(b"GET / HTTP/1.1\r\n")
        .await
        .expect("half a head");
    let mut rest = Vec::new();
    let read = stream.read_to_end(&mut rest);
    timeout(Duration::from_secs(5), read)
        .await
        .expect("closed")
        .ok();
}

#[tokio::test]
async fn a_peer_that_never_reads_is_disconnected() {
    let short = Duration::from_millis(400);
    let bounds = Bounds {
        head: short,
        age: short,
        grace: short,
        ..BOUNDS
    };
    let server = Server::start_within(bounds).await;
    let mut stream = server.connect().await;
    let requests = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n".repeat(2_000);
    let _ = timeout(short, stream.write_all(requests.as_bytes())).await;
    sleep(Duration::from_millis(1_500)).await;
    let (status, _) = server.get("/healthz").await;
    assert_eq!(status, 200);
    server.shutdown.cancel();
    timeout(Duration::from_secs(2), server.task)
        .await
        .expect("no connection left")
        .expect("no panic");
}

/// A board whose metrics no buffer holds.
fn large_board(targets: usize) -> SharedBoard {
    let name = |number| format!("kv-{number}.vault.azure.net");
    let probes = (0..targets).map(|number| fixtures::named(&name(number), fixtures::healthy()));
    let probes: Vec<_> = probes.collect();
    let targets = probes.iter().map(|probed| Arc::clone(&probed.target));
    let mut board = Board::new("n".to_owned(), &fixtures::plan(targets), SystemTime::now());
    for probed in probes {
        board.record(Arc::new(probed));
    }
    SharedBoard::new(board)
}

/// Asks for the metrics on a new connection and reads nothing.
async fn ask_and_read_nothing(server: &Server) -> TcpStream {
    let mut stream = server.connect().await;
    let request = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
    stream.write_all(request).await.expect("a request");
    stream
}

/// As many clients that read nothing as one peer may have long replies.
async fn silent_readers(server: &Server) -> Vec<TcpStream> {
    let mut silent = Vec::new();
    for _ in 0..LONG_REPLIES_PER_PEER {
        silent.push(ask_and_read_nothing(server).await);
    }
    sleep(Duration::from_millis(100)).await;
    silent
}

#[tokio::test]
async fn what_finds_no_room_in_time_is_refused_and_counted() {
    let bounds = Bounds {
        wait: Duration::from_millis(200),
        ..BOUNDS
    };
    let server = Server::start_with(large_board(1_000), bounds).await;
    let _silent = silent_readers(&server).await;
    let reply = server.get_with("/metrics", "").await;
    assert!(reply.starts_with("HTTP/1.1 503"), "{reply}");
    assert!(reply.contains("retry-after: 1\r\n"), "{reply}");
    assert_eq!(server.board.lock().http.refused.load(Ordering::Relaxed), 1);
    assert_eq!(server.get("/healthz").await.0, 200);
}

#[tokio::test]
async fn a_reader_that_is_too_slow_is_ended_and_makes_room() {
    let bounds = Bounds {
        patience: Duration::from_millis(300),
        ..BOUNDS
    };
    let server = Server::start_with(large_board(1_000), bounds).await;
    let silent = silent_readers(&server).await;
    let (status, _) = server.get("/metrics").await;
    assert_eq!(status, 200);
    assert!(
        server
            .board
            .lock()
            .http
            .slow_readers
            .load(Ordering::Relaxed)
            > 0
    );
    let mut cut_off = 0;
    for mut stream in silent {
        let mut reply = Vec::new();
        let _ = stream.read_to_end(&mut reply).await;
        cut_off += u32::from(!reply.ends_with(b"\r\n0\r\n\r\n"));
    }
    assert!(cut_off > 0);
}

/// Reads the metrics again and again, on new connections.
fn read_all_the_time(address: SocketAddr) {
    let request = b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    loop {
        let Ok(mut stream) = std::net::TcpStream::connect(address) else {
            return;
        };
        let _ = io::Write::write_all(&mut stream, request);
        let _ = io::copy(&mut stream, &mut io::sink());
    }
}

#[tokio::test]
async fn clients_that_read_all_the_time_leave_two_thirds_of_it_to_the_probes() {
    let server = Server::start_with(large_board(500), BOUNDS).await;
    for _ in 0..20 {
        let address = server.address;
        std::thread::spawn(move || read_all_the_time(address));
    }
    let started = Instant::now();
    let mut probing = Duration::ZERO;
    while started.elapsed() < Duration::from_secs(2) {
        // What probes would do, if they did it all the time.
        let step = Instant::now();
        while step.elapsed() < Duration::from_micros(100) {}
        probing += step.elapsed();
        tokio::task::yield_now().await;
    }
    let share = probing.as_secs_f64() / started.elapsed().as_secs_f64();
    assert!(share > 0.66, "{share}");
}

/// More connections than are open at a time.
const FLOOD: usize = ConnectionLimit::MAX + 16;

/// Where they come from: an address on which no other test looks for free ports.
const FLOODER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

#[tokio::test]
async fn very_many_silent_peers_delay_no_reply() {
    let server = Server::start().await;
    let mut silent = Vec::new();
    for _ in 0..FLOOD {
        silent.push(server.connect_from(FLOODER).await);
    }
    // From the same address, which the kubelet shares with pods on the node's network, and from
    // another one.
    for from in [FLOODER, Ipv4Addr::new(127, 0, 0, 2)] {
        let mut stream = server.connect_from(from).await;
        let reply = timeout(Duration::from_secs(1), ask_again(&mut stream)).await;
        reply.expect("within a second").expect("a reply");
    }
}

#[tokio::test]
async fn very_many_idle_connections_delay_no_reply() {
    let server = Server::start().await;
    let mut staying = Vec::new();
    for _ in 0..FLOOD {
        let mut stream = server.connect_from(FLOODER).await;
        ask_again(&mut stream).await.expect("a reply");
        staying.push(stream);
    }
    let reply = timeout(Duration::from_secs(1), server.get("/healthz")).await;
    assert_eq!(reply.expect("within a second").0, 200);
}

#[tokio::test]
async fn a_flood_ends_its_own_connections_and_no_other_peers() {
    let server = Server::start().await;
    let mut scraper = server.connect_from(Ipv4Addr::new(127, 0, 0, 2)).await;
    ask_again(&mut scraper).await.expect("a reply");
    let mut flood = Vec::new();
    for _ in 0..FLOOD {
        let mut stream = server.connect_from(FLOODER).await;
        ask_again(&mut stream).await.expect("a reply");
        flood.push(stream);
    }
    ask_again(&mut scraper).await.expect("still connected");
    ask_again(&mut flood[0]).await.expect_err("long gone");
}

/// One more request on an open connection.
async fn ask_again(stream: &mut TcpStream) -> io::Result<()> {
    let request = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    stream.write_all(request).await?;
    let mut reply = Vec::new();
    while !reply.ends_with(b"\r\n\r\nok\n") {
        let read = stream.read_buf(&mut reply).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}

#[tokio::test]
async fn an_overlong_head_is_refused() {
    let server = Server::start().await;
    let header = format!("X: {}\r\n", "x".repeat(2 * HEAD));
    let reply = server.get_with("/", &header).await;
    assert!(reply.starts_with("HTTP/1.1 431"), "{reply}");
}

#[tokio::test]
async fn shutdown_ends_idle_connections_at_once() {
    let server = Server::start().await;
    let mut idle = server.connect().await;
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .expect("a request");
    let mut reply = [0; 12];
    idle.read_exact(&mut reply).await.expect("a reply");
    server.shutdown.cancel();
    timeout(Duration::from_secs(1), server.task)
        .await
        .expect("ended")
        .expect("no panic");
}

#[tokio::test]
async fn a_taken_port_says_what_to_do() {
    let server = Server::start().await;
    let error = bind(Some(server.address)).expect_err("taken");
    assert!(error.to_string().contains("--listen"), "{error}");
}
