//! Resolv conf: the file that a resolver of the lab reads its servers from.
//!
//! Servers in a resolv.conf have no port: they are at port 53, where the lab may not listen. The file
//! names stand-ins in 127.53.0.0/24, and the simulated machine routes them to the lab's servers.

use std::net::{Ipv4Addr, SocketAddr};

use privatelink_machine::Route;

/// The text of a file with `lines`, and the routes from stand-ins to servers. Unless the lines name
/// servers of their own, a `nameserver` line for each of `servers` comes first.
pub(crate) fn text(lines: &str, servers: &[SocketAddr]) -> (String, Vec<(SocketAddr, Route)>) {
    let names_its_own = lines
        .lines()
        .any(|line| line.split_whitespace().next() == Some("nameserver"));
    if names_its_own {
        return (lines.to_owned(), Vec::new());
    }
    let routes: Vec<(SocketAddr, Route)> = (1..)
        .zip(servers)
        .map(|(number, server)| (SocketAddr::from((stand_in(number), 53)), Route::To(*server)))
        .collect();
    let nameservers = routes
        .iter()
        .map(|(at, _)| format!("nameserver {}", at.ip()));
    let text = nameservers.chain([lines.to_owned()]).collect::<Vec<_>>();
    (text.join("\n"), routes)
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
        let (text, routes) = text("search corp.example\n", &servers);
        assert_eq!(
            text,
            "nameserver 127.53.0.1\nnameserver 127.53.0.2\nsearch corp.example\n"
        );
        let second = "127.53.0.2:53".parse().expect("an address");
        assert_eq!(routes.get(1), Some(&(second, Route::To(servers[1]))));
    }

    #[test]
    fn a_file_that_names_its_own_servers_is_left_as_it_is() {
        let servers = ["127.0.0.1:4053".parse().expect("an address")];
        let (text, routes) = text("nameserver dns.corp.example\n", &servers);
        assert_eq!(text, "nameserver dns.corp.example\n");
        assert_eq!(routes, []);
    }
}
