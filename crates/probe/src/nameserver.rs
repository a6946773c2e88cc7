//! Nameserver: the servers of a resolver, and how they are asked, as resolv.conf(5) says.

use std::net::{SocketAddr, SocketAddrV6};
use std::path::Path;
use std::time::Duration;

use privatelink_machine::Machine;
use privatelink_machine::file::read_bounded;
use privatelink_verdict::name::normalised;
use privatelink_verdict::observation::AgentFault;
use privatelink_verdict::resolver::{
    DNS_PORT, LOCAL_DNS_OF_NODE, LOCAL_DNS_OF_PODS, Resolver, Servers,
};
use resolv_conf::{Config, ScopedIp};

/// The largest resolv.conf that is read, in bytes: many times what resolv.conf(5) can put to use.
const LARGEST_FILE: usize = 64 << 10;

/// The largest file of an interface's index, in bytes: ten digits and the line's end.
const LARGEST_INDEX: usize = 16;

/// Name servers beyond these are ignored, as the C library does (`MAXNS`).
const MAX_SERVERS: usize = 3;

/// The C library's caps on options (resolv.conf(5)): seconds, rounds, dots.
const MAX_TIMEOUT: u32 = 30;
const MAX_ATTEMPTS: u32 = 5;
const MAX_NDOTS: u32 = 15;

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
    /// A name with at least this number of dots is asked as it is before the search list.
    pub ndots: usize,
}

impl Nameservers {
    /// Those of `resolver`, as `machine` reaches them. A resolv.conf is read now: the node's may change under a
    /// running agent.
    pub(super) fn of(resolver: &Resolver, machine: &Machine) -> Result<Self, AgentFault> {
        let mut nameservers = Self::load(&resolver.servers)?;
        for server in &mut nameservers.servers {
            *server = machine.destination(*server);
        }
        Ok(nameservers)
    }

    /// Those of `servers`; a resolv.conf is read now.
    pub(super) fn load(servers: &Servers) -> Result<Self, AgentFault> {
        match servers {
            Servers::Listed(servers) => Ok(Self {
                servers: servers.clone(),
                ..Self::default()
            }),
            Servers::ResolvConf(path) => Self::read(path),
            Servers::OfPods { cluster, node } => {
                let of_node = Self::read(node)
                    .map(|node| node.servers)
                    .unwrap_or_default();
                let is_local = of_node
                    .iter()
                    .any(|server| server.ip() == LOCAL_DNS_OF_NODE);
                let local = vec![(LOCAL_DNS_OF_PODS, DNS_PORT).into()];
                Ok(Self {
                    servers: if is_local { local } else { cluster.clone() },
                    ..Self::default()
                })
            }
        }
    }

    fn read(path: &Path) -> Result<Self, AgentFault> {
        let operation = format!("read {}", path.display());
        let text = match read_bounded(path, LARGEST_FILE) {
            Ok(text) => text,
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

    /// Reads resolv.conf text as the C library does: what it does not understand is passed over, the
    /// last `search` or `domain` counts, options are capped.
    fn parse(text: &[u8]) -> Self {
        let (conf, _) = Config::parse_with_errors(text);
        let domains = conf.get_last_search_or_domain();
        Self {
            servers: conf
                .nameservers
                .iter()
                .filter_map(server)
                .take(MAX_SERVERS)
                .collect(),
            timeout: Duration::from_secs(conf.timeout.clamp(1, MAX_TIMEOUT).into()),
            attempts: conf.attempts.clamp(1, MAX_ATTEMPTS),
            rotate: conf.rotate,
            edns: conf.edns0,
            search: domains
                .map(|domain| normalised(domain))
                .filter(|domain| !domain.is_empty())
                .collect(),
            ndots: conf.ndots.min(MAX_NDOTS) as usize,
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

/// A `nameserver` line's address; a link-local one needs its interface (`fe80::1%eth0`, `fe80::1%2`).
fn server(address: &ScopedIp) -> Option<SocketAddr> {
    match address {
        ScopedIp::V4(ip) => Some((*ip, DNS_PORT).into()),
        ScopedIp::V6(ip, None) => Some((*ip, DNS_PORT).into()),
        ScopedIp::V6(ip, Some(scope)) => {
            let scope = scope.parse().ok().or_else(|| interface_index(scope))?;
            Some(SocketAddrV6::new(*ip, DNS_PORT, 0, scope).into())
        }
    }
}

/// The index of a network interface, as `if_nametoindex` gives it.
fn interface_index(name: &str) -> Option<u32> {
    let path = Path::new("/sys/class/net").join(name).join("ifindex");
    let index = read_bounded(&path, LARGEST_INDEX).ok()?;
    std::str::from_utf8(&index).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn options_and_the_search_list_are_read_as_the_c_library_reads_them() {
        let parsed = Nameservers::parse(
            b"# a comment\nnameserver 10.0.0.10 # trailing\nnameserver fd00::53\n\
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
    fn pods_of_a_node_with_local_dns_ask_it_and_others_the_servers_of_the_cluster() {
        let folder = std::env::temp_dir().join(format!("plp-of-pods-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a temporary directory");
        let node = folder.join("resolv.conf");
        let cluster: Vec<SocketAddr> = vec!["10.0.0.10:53".parse().expect("an address")];
        let asked = || {
            let servers = Servers::OfPods {
                cluster: cluster.clone(),
                node: node.clone(),
            };
            Nameservers::load(&servers).expect("servers").servers
        };
        assert_eq!(asked(), cluster, "without a resolv.conf of the node");
        fs::write(&node, "nameserver 168.63.129.16\n").expect("a file");
        assert_eq!(asked(), cluster);
        fs::write(&node, "nameserver 169.254.10.10\n").expect("a file");
        assert_eq!(asked(), ["169.254.10.11:53".parse().expect("an address")]);
        fs::remove_dir_all(&folder).expect("it was made above");
    }

    #[test]
    fn options_beyond_the_c_librarys_caps_are_capped() {
        let parsed = Nameservers::parse(b"options timeout:300 attempts:99 ndots:99\n");
        assert_eq!(
            (parsed.timeout, parsed.attempts, parsed.ndots),
            (Duration::from_secs(30), 5, 15)
        );
        let parsed = Nameservers::parse(b"options timeout:0 attempts:0\n");
        assert_eq!(
            (parsed.timeout, parsed.attempts),
            (Duration::from_secs(1), 1)
        );
    }

    #[test]
    fn only_the_first_three_servers_count() {
        let lines = (1..=5).map(|n| format!("nameserver 10.0.0.{n}"));
        let text = lines.collect::<Vec<_>>().join("\n");
        assert_eq!(Nameservers::parse(text.as_bytes()).servers.len(), 3);
    }

    #[test]
    fn a_line_that_cannot_be_read_does_not_hide_the_others() {
        for line in [
            b"nameserver dns.example".as_slice(),
            b"nameserver",
            b"nameserver 10.0.0.300",
            b"nameserver \xff\xfe",
            b"no-such-keyword 1",
            b"options ndots:many timeout: no-such-option:7 a:b:c",
            b"search",
            b"sortlist 130.155.160.0/255.255.240.0 nonsense",
            b"; nameserver 10.9.9.9",
            b"  # \xff",
        ] {
            let text = [
                line,
                b"\r\nnameserver 10.0.0.1 # \t trailing\r\noptions rotate",
            ]
            .concat();
            let parsed = Nameservers::parse(&text);
            let expected = Nameservers {
                servers: vec!["10.0.0.1:53".parse().expect("an address")],
                rotate: true,
                ..Nameservers::default()
            };
            assert_eq!(parsed, expected, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn a_link_local_server_is_asked_through_its_interface_by_number_or_name() {
        let parsed = Nameservers::parse(
            b"nameserver fe80::1%7\nnameserver fe80::2%lo\nnameserver fe80::3%nosuch0\n",
        );
        let loopback = interface_index("lo").expect("every machine has it");
        let servers: [SocketAddr; 2] = [
            SocketAddrV6::new("fe80::1".parse().expect("one"), DNS_PORT, 0, 7).into(),
            SocketAddrV6::new("fe80::2".parse().expect("one"), DNS_PORT, 0, loopback).into(),
        ];
        assert_eq!(parsed.servers, servers);
    }

    #[test]
    fn of_search_and_domain_the_last_one_counts() {
        for (text, search) in [
            (
                "search a.example b.example\ndomain c.example d.example",
                "c.example",
            ),
            ("domain c.example\nsearch a.example.", "a.example"),
            ("search a.example\nsearch .", ""),
        ] {
            let parsed = Nameservers::parse(text.as_bytes());
            assert_eq!(parsed.search.join(" "), search, "{text}");
        }
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
