//! Resolv conf: the file that a resolver of the lab reads its servers from.
//!
//! Its servers are at port 53, where the lab's are not: it names stand-ins in 127.53.0.0/24, and the
//! machine that the world plays leads from there to the lab's.

use std::net::{Ipv4Addr, SocketAddr};

/// The file with `lines`, behind a `nameserver` for each of `servers` unless the lines name their
/// own, and which stand-in stands for which server.
pub(super) fn text(lines: &str, servers: &[SocketAddr]) -> (String, Vec<(SocketAddr, SocketAddr)>) {
    let names_its_own = lines
        .lines()
        .any(|line| line.split_whitespace().next() == Some("nameserver"));
    if names_its_own {
        return (lines.to_owned(), Vec::new());
    }
    let stand_ins: Vec<(SocketAddr, SocketAddr)> = (1..)
        .zip(servers)
        .map(|(number, server)| (SocketAddr::from((stand_in(number), 53)), *server))
        .collect();
    let nameservers = stand_ins
        .iter()
        .map(|(at, _)| format!("nameserver {}", at.ip()));
    let text = nameservers.chain([lines.to_owned()]).collect::<Vec<_>>();
    (text.join("\n"), stand_ins)
}

const fn stand_in(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 53, 0, number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_server_gets_a_stand_in_at_port_53() {
        let servers =
            ["127.0.0.1:4053", "127.0.0.1:4054"].map(|at| at.parse().expect("an address"));
        let (text, stand_ins) = text("search corp.example\n", &servers);
        assert_eq!(
            text,
            "nameserver 127.53.0.1\nnameserver 127.53.0.2\nsearch corp.example\n"
        );
        let second = "127.53.0.2:53".parse().expect("an address");
        assert_eq!(stand_ins.get(1), Some(&(second, servers[1])));
    }

    #[test]
    fn a_file_that_names_its_own_servers_is_left_as_it_is() {
        let servers = ["127.0.0.1:4053".parse().expect("an address")];
        let (text, stand_ins) = text("nameserver dns.corp.example\n", &servers);
        assert_eq!(text, "nameserver dns.corp.example\n");
        assert_eq!(stand_ins, []);
    }
}
