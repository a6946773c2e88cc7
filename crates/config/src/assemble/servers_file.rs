//! Servers file: the addresses of DNS servers that the observer learned, one in each line.
//!
//! The operator's configuration names the file, and the observer can write nothing into it but addresses.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use privatelink_verdict::resolver::DNS_PORT;

use crate::diagnostic::quoted;
use crate::files::{Files, ReadError, utf8};

/// How many servers a file may name: as many as a resolv.conf.
const MOST: usize = 3;

/// The servers that the file names, or why there are none.
pub(super) fn read(path: &Path, files: &mut Files) -> Result<Vec<SocketAddr>, String> {
    let name = path.display();
    let text = files.read(path).map_err(ReadError::Io).and_then(utf8);
    let text = text.map_err(|error| format!("{name}: {error}; the observer writes it"))?;
    let lines = text.lines().map(str::trim);
    let lines: Vec<_> = lines.filter(|line| !line.is_empty()).collect();
    if lines.is_empty() || lines.len() > MOST {
        return Err(format!(
            "{name}: there are {} addresses, not 1 to {MOST}",
            lines.len()
        ));
    }
    let server = |line: &str| {
        let ip: Option<IpAddr> = line.parse().ok();
        let ip = ip.filter(|ip| !(ip.is_unspecified() || ip.is_loopback() || ip.is_multicast()));
        let ip = ip.ok_or_else(|| format!("{name}: {} is no address of a server", quoted(line)))?;
        Ok(SocketAddr::new(ip, DNS_PORT))
    };
    lines.into_iter().map(server).collect()
}
