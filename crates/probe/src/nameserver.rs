//! Nameserver: where a resolver's questions go, and how patiently, as resolv.conf(5) has it.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::path::Path;
use std::time::Duration;

use privatelink_verdict::observation::AgentFault;

use privatelink_machine::file::read_bounded;
use privatelink_verdict::resolver::{DNS_PORT, Servers};

/// The largest resolv.conf that is read, in bytes: many times what resolv.conf(5) can put to use.
const LARGEST_FILE: usize = 64 << 10;

/// Name servers beyond these are ignored, as the C library does (`MAXNS`).
const MAX_SERVERS: usize = 3;

/// The name servers of a resolver and its options, defaults as in resolv.conf(5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Nameservers {
    /// The servers, in the order they are asked. Never empty.
    pub servers: Vec<SocketAddr>,
    /// The longest wait for one answer.
    pub timeout: Duration,
    /// Rounds over all servers, at least one.
    pub attempts: u32,
    /// Begin with another server each time.
    pub rotate: bool,
    /// Ask with EDNS (RFC 6891).
    pub edns: bool,
    /// The search list, normalised.
    pub search: Vec<String>,
    /// A name with at least so many dots is asked as it is before the search list.
    pub ndots: usize,
}

impl Nameservers {
    /// Those of `servers`; a resolv.conf is read now.
    pub(super) fn load(servers: &Servers) -> Result<Self, AgentFault> {
        match servers {
            Servers::Listed(servers) => Ok(Self {
                servers: servers.clone(),
                ..Self::default()
            }),
            Servers::ResolvConf(path) => Self::read(path),
        }
    }

    fn read(path: &Path) -> Result<Self, AgentFault> {
        let operation = format!("read {}", path.display());
        let text = match read_bounded(path, LARGEST_FILE) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) => {
                return Err(AgentFault {
                    operation,
                    cause: error.to_string(),
                });
            }
        };
        let parsed = Self::parse(&text);
        if parsed.servers.is_empty() {
            let cause = "it names no usable nameserver".to_owned();
            return Err(AgentFault { operation, cause });
        }
        Ok(parsed)
    }

    /// Reads resolv.conf text as the C library does: unknown words are ignored, the last `search`
    /// or `domain` counts, options are capped.
    fn parse(text: &str) -> Self {
        let mut parsed = Self::default();
        for line in text.lines() {
            let line = line.split(['#', ';']).next().unwrap_or_default();
            let mut words = line.split_ascii_whitespace();
            match words.next() {
                Some("nameserver") if parsed.servers.len() < MAX_SERVERS => {
                    parsed.servers.extend(words.next().and_then(server));
                }
                Some("search" | "domain") => {
                    parsed.search = words
                        .map(privatelink_verdict::name::normalised)
                        .filter(|domain| !domain.is_empty())
                        .collect();
                }
                Some("options") => words.for_each(|option| parsed.set(option)),
                _ => {}
            }
        }
        parsed
    }

    fn set(&mut self, option: &str) {
        let (name, value) = option.split_once(':').unwrap_or((option, ""));
        let number = value.parse::<u32>().ok();
        match (name, number) {
            ("timeout", Some(seconds)) => {
                self.timeout = Duration::from_secs(seconds.clamp(1, 30).into());
            }
            ("attempts", Some(rounds)) => self.attempts = rounds.clamp(1, 5),
            ("ndots", Some(dots)) => self.ndots = dots.min(15) as usize,
            ("rotate", _) => self.rotate = true,
            ("edns0", _) => self.edns = true,
            _ => {}
        }
    }
}

impl Default for Nameservers {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            timeout: Duration::from_secs(5),
            attempts: 2,
            rotate: false,
            edns: false,
            search: Vec::new(),
            ndots: 1,
        }
    }
}

/// A `nameserver` line's address; a link-local one may carry a numeric scope (`fe80::1%2`).
fn server(word: &str) -> Option<SocketAddr> {
    if let Ok(ip) = word.parse::<IpAddr>() {
        return Some(SocketAddr::new(ip, DNS_PORT));
    }
    let (address, scope) = word.split_once('%')?;
    let (address, scope) = (address.parse::<Ipv6Addr>().ok()?, scope.parse().ok()?);
    Some(SocketAddrV6::new(address, DNS_PORT, 0, scope).into())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn options_and_the_search_list_are_read_as_the_c_library_reads_them() {
        let parsed = Nameservers::parse(
            "# a comment\nnameserver 10.0.0.10 # trailing\nnameserver fd00::53\n\
             search a.svc.cluster.local Svc.Cluster.Local.\nsearch b.example\n\
             options ndots:5 timeout:1 attempts:3 rotate edns0 no-such-option\n",
        );
        assert_eq!(
            parsed,
            Nameservers {
                servers: vec![
                    "10.0.0.10:53".parse().expect("an address"),
                    "[fd00::53]:53".parse().expect("an address")
                ],
                timeout: Duration::from_secs(1),
                attempts: 3,
                rotate: true,
                edns: true,
                search: vec!["b.example".to_owned()],
                ndots: 5,
            }
        );
    }

    #[test]
    fn options_beyond_the_c_librarys_caps_are_capped() {
        let parsed = Nameservers::parse("options timeout:300 attempts:99 ndots:99\n");
        assert_eq!(
            (parsed.timeout, parsed.attempts, parsed.ndots),
            (Duration::from_secs(30), 5, 15)
        );
        let parsed = Nameservers::parse("options timeout:0 attempts:0\n");
        assert_eq!(
            (parsed.timeout, parsed.attempts),
            (Duration::from_secs(1), 1)
        );
    }

    #[test]
    fn only_the_first_three_servers_count() {
        let lines = (1..=5).map(|n| format!("nameserver 10.0.0.{n}"));
        let text = lines.collect::<Vec<_>>().join("\n");
        assert_eq!(Nameservers::parse(&text).servers.len(), 3);
    }

    #[test]
    fn a_line_that_is_no_address_is_passed_over() {
        let parsed =
            Nameservers::parse("nameserver dns.example\nnameserver\nnameserver 10.0.0.1\n");
        assert_eq!(parsed.servers, ["10.0.0.1:53".parse().expect("an address")]);
    }

    #[test]
    fn a_missing_empty_or_endless_resolv_conf_is_our_own_fault_and_says_which_file() {
        let path = std::env::temp_dir().join(format!("plp-resolv-{}", std::process::id()));
        let servers = Servers::ResolvConf(path.clone());
        let fault = Nameservers::load(&servers).expect_err("no file");
        assert_eq!(fault.operation, format!("read {}", path.display()));
        fs::write(&path, "search example\n").expect("a temporary file");
        let fault = Nameservers::load(&servers).expect_err("no server");
        assert_eq!(fault.cause, "it names no usable nameserver");
        let endless = Servers::ResolvConf("/dev/zero".into());
        let fault = Nameservers::load(&endless).expect_err("no resolv.conf");
        assert_eq!(fault.cause, "it is not a regular file");
        fs::remove_file(&path).expect("the temporary file");
    }
}
