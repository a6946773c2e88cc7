//! HTTP: one request to a pod or to Prometheus.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(5);

/// Asks for `path`; the status and the body.
pub(crate) fn get(server: SocketAddr, path: &str) -> Result<(u16, String), String> {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&server, LIMIT)?;
        stream.set_read_timeout(Some(LIMIT))?;
        // HTTP/1.0, so that the body ends with the connection and is never chunked.
        write!(stream, "GET {path} HTTP/1.0\r\nHost: {server}\r\n\r\n")?;
        let mut reply = String::new();
        stream.read_to_string(&mut reply)?;
        Ok(reply)
    };
    let reply = ask().map_err(|error| format!("{server}{path}: {error}"))?;
    reply
        .split_once("\r\n\r\n")
        .and_then(|(head, body)| {
            let status = head.split(' ').nth(1)?.parse().ok()?;
            Some((status, body.to_owned()))
        })
        .ok_or_else(|| format!("{server}{path}: no HTTP: {reply:?}"))
}

/// The JSON at `path`.
pub(crate) fn get_json(server: SocketAddr, path: &str) -> Result<Value, String> {
    match get(server, path)? {
        (200, body) => {
            serde_json::from_str(&body).map_err(|error| format!("{server}{path}: {error}: {body}"))
        }
        (status, body) => Err(format!("{server}{path}: {status} {body}")),
    }
}
