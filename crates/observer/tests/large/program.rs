//! Program: the observer's own, as a process.

use std::fs;
use std::io::Read as _;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use flate2::read::GzDecoder;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use crate::objects::NAMESPACE;

/// Where it serves its page.
const PAGE: u16 = 19_798;

/// The observer's program.
pub(crate) struct Observer {
    child: Child,
    folder: PathBuf,
}

impl Observer {
    /// The program that OBSERVER names, with these arguments beside those that each run needs.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let program = std::env::var("OBSERVER").expect("OBSERVER names the program");
        let folder = std::env::temp_dir().join(format!("privatelink-large-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let config = folder.join("config.yaml");
        fs::write(&config, "targets: []\n").expect("a file");
        let child = Command::new(program)
            .arg("observe")
            .arg(format!("--config={}", config.display()))
            .arg(format!("--config={}", folder.join("none.yaml").display()))
            .args([
                format!("--namespace={NAMESPACE}"),
                format!("--listen=127.0.0.1:{PAGE}"),
            ])
            .args([
                "--pod-name=observer-0",
                "--node-name=large",
                "--config-map=targets",
                "--lease=observer",
                "--history=history",
            ])
            .args(arguments)
            .stdout(Stdio::null())
            .spawn()
            .expect("the observer starts");
        Self { child, folder }
    }

    /// The body of an answer with the status 200.
    pub(crate) async fn get(&self, path: &str) -> Option<String> {
        let asked = async {
            let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, PAGE)).await.ok()?;
            let request = format!(
                "GET {path} HTTP/1.1\r\nHost: observer\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n"
            );
            stream.write_all(request.as_bytes()).await.ok()?;
            let mut reply = Vec::new();
            stream.read_to_end(&mut reply).await.ok()?;
            Some(reply)
        };
        let reply = timeout(Duration::from_secs(10), asked).await.ok()??;
        body(&reply)
    }

    pub(crate) async fn report(&self) -> Option<Value> {
        let text = self.get("/api/v1/fleet").await?;
        serde_json::from_str(&text).ok()
    }

    /// The shortest of five answers, since other programs run here, and its length.
    pub(crate) async fn quickest(&self, path: &str) -> (Duration, usize) {
        let mut quickest = (Duration::MAX, 0);
        for _ in 0..5 {
            let started = Instant::now();
            let text = self.get(path).await.expect("an answer");
            quickest = quickest.min((started.elapsed(), text.len()));
            sleep(Duration::from_millis(500)).await;
        }
        quickest
    }

    fn proc(&self, file: &str) -> String {
        let path = format!("/proc/{}/{file}", self.child.id());
        fs::read_to_string(path).expect("the observer runs")
    }

    /// Seconds of CPU that it took.
    pub(crate) fn cpu(&self) -> f64 {
        let stat = self.proc("stat");
        let (_, fields) = stat.rsplit_once(')').expect("a name");
        let fields = fields.split_whitespace().skip(11).take(2);
        // The kernel counts hundredths.
        fields
            .filter_map(|field| field.parse::<f64>().ok())
            .sum::<f64>()
            / 100.0
    }

    /// Its memory in KiB.
    pub(crate) fn rss(&self) -> u64 {
        let status = self.proc("status");
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
        number.expect("a number")
    }

    pub(crate) async fn stop(&mut self) {
        let _ = self.child.kill();
        // It was killed: it ends at once.
        let _ = self.child.wait();
        sleep(Duration::ZERO).await;
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The text of a reply that ends with its connection, unless its status is another than 200.
fn body(reply: &[u8]) -> Option<String> {
    let end = reply.windows(4).position(|four| four == b"\r\n\r\n")?;
    let (head, body) = reply.split_at(end + 4);
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    if !head.starts_with("http/1.1 200") {
        return None;
    }
    let body = if head.contains("transfer-encoding: chunked") {
        whole(body)?
    } else {
        body.to_vec()
    };
    if !head.contains("content-encoding: gzip") {
        return String::from_utf8(body).ok();
    }
    let mut text = String::new();
    GzDecoder::new(&*body).read_to_string(&mut text).ok()?;
    Some(text)
}

/// A body that was sent in chunks.
fn whole(mut chunks: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = chunks.windows(2).position(|two| two == b"\r\n")?;
        let size = std::str::from_utf8(&chunks[..end]).ok()?;
        let size = usize::from_str_radix(size.trim(), 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        let chunk = chunks.get(end + 2..end + 2 + size)?;
        body.extend_from_slice(chunk);
        chunks = chunks.get(end + 2 + size + 2..)?;
    }
}
