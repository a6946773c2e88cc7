//! Network: CIDRs and DNS server addresses as they are written.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use ipnet::{IpNet, Ipv4Net};

use privatelink_verdict::resolver::DNS_PORT;

use crate::diagnostic::{Diagnostic, quoted};

/// What an address looks like, for the JSON schema. The reader alone checks that no number exceeds 255:
/// messages show the pattern, which should stay readable.
const IPV4: &str = "[0-9]{1,3}([.][0-9]{1,3}){3}";
const IPV6: &str = "[0-9A-Fa-f]*(:[0-9A-Fa-f.]*){2,8}";

/// The pattern of a network, for the JSON schema. A pattern cannot say that no bit is set beyond the
/// prefix.
pub(crate) fn cidr_pattern() -> String {
    format!("^({IPV4}/(3[0-2]|[0-2]?[0-9])|{IPV6}/(12[0-8]|1[01][0-9]|0?[0-9]?[0-9]))$")
}

/// The pattern of a DNS server, for the JSON schema.
pub(crate) fn server_pattern() -> String {
    format!(r"^({IPV4}(:[0-9]+)?|{IPV6}|\[{IPV6}(%[0-9]+)?\](:[0-9]+)?)$")
}

/// Reads a network. Bits beyond the prefix are refused: `10.1.2.3/24` may mean the network or the one
/// address.
pub(crate) fn cidr(text: &str) -> Result<IpNet, Diagnostic> {
    let Ok(net) = text.parse::<IpNet>() else {
        let diagnostic = Diagnostic::new(format!("{} is not a network", quoted(text)));
        return Err(match text.parse::<IpAddr>() {
            Ok(ip) => diagnostic.help(format!(
                "a network needs its prefix length; a single address is written `{}`",
                IpNet::from(ip)
            )),
            Err(_) => diagnostic.help("write an address and a prefix length: `10.1.2.0/24`"),
        });
    };
    if net.trunc() != net {
        return Err(Diagnostic::new(format!(
            "the network {} has bits set beyond its prefix",
            quoted(text)
        ))
        .help(format!(
            "write `{}` for the network, or `{}` for the one address",
            net.trunc(),
            IpNet::from(net.addr())
        )));
    }
    if let IpNet::V6(v6) = net
        && let Some(v4) = v6.addr().to_ipv4_mapped()
        && let Some(prefix) = v6.prefix_len().checked_sub(96)
        && let Ok(v4) = Ipv4Net::new(v4, prefix)
    {
        return Err(Diagnostic::new(format!(
            "the network {} holds IPv4-mapped addresses, which are judged as IPv4",
            quoted(text)
        ))
        .help(format!("write `{v4}`")));
    }
    Ok(net)
}

/// Reads a DNS server: `IP`, `IP:PORT` or `[IPv6]:PORT`.
pub(crate) fn server(text: &str) -> Result<SocketAddr, Diagnostic> {
    let bracketed =
        || -> Option<Ipv6Addr> { text.strip_prefix('[')?.strip_suffix(']')?.parse().ok() };
    let server = text
        .parse::<SocketAddr>()
        .ok()
        .or_else(|| Some(SocketAddr::new(text.parse().ok()?, DNS_PORT)))
        .or_else(|| Some(SocketAddr::new(bracketed()?.into(), DNS_PORT)))
        .ok_or_else(|| {
            Diagnostic::new(format!(
                "{} is not the address of a DNS server",
                quoted(text)
            ))
            .help(
                "write `10.0.0.10`, `10.0.0.10:5353` or `[fd00::10]:53`; a name would need \
                 resolving first",
            )
        })?;
    if server.port() == 0 {
        return Err(
            Diagnostic::new("a DNS server cannot listen on port 0").help("the usual one is 53")
        );
    }
    if server.ip().is_unspecified() || server.ip().is_multicast() {
        return Err(Diagnostic::new(format!(
            "no DNS server can have the address {}",
            quoted(text)
        )));
    }
    Ok(server)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_with_host_bits_is_answered_with_both_meanings() {
        let diagnostic = cidr("10.1.2.3/24").expect_err("host bits");
        assert_eq!(
            diagnostic.help.as_deref(),
            Some("write `10.1.2.0/24` for the network, or `10.1.2.3/32` for the one address")
        );
    }

    #[test]
    fn a_bare_address_is_answered_with_its_network() {
        let help = |text| cidr(text).expect_err("no prefix").help;
        assert_eq!(
            help("10.1.2.3").as_deref(),
            Some("a network needs its prefix length; a single address is written `10.1.2.3/32`")
        );
        assert_eq!(
            help("fd00::1").as_deref(),
            Some("a network needs its prefix length; a single address is written `fd00::1/128`")
        );
    }

    #[test]
    fn a_mapped_network_would_never_match_and_is_refused() {
        let diagnostic = cidr("::ffff:10.0.0.0/104").expect_err("mapped");
        assert_eq!(diagnostic.help.as_deref(), Some("write `10.0.0.0/8`"));
    }

    #[test]
    fn networks_of_both_families_are_read() {
        for text in ["10.1.2.0/24", "0.0.0.0/0", "fd00::/8", "10.1.2.3/32"] {
            assert_eq!(cidr(text).expect(text).to_string(), text);
        }
        for text in ["", "10.1.2.0/33", "10.1.2/24", "ten/8", "10.1.2.0/024"] {
            assert!(cidr(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_server_is_an_address_with_an_optional_port() {
        for (text, expected) in [
            ("10.0.0.10", "10.0.0.10:53"),
            ("10.0.0.10:5353", "10.0.0.10:5353"),
            ("fd00::10", "[fd00::10]:53"),
            ("[fd00::10]", "[fd00::10]:53"),
            ("[fd00::10]:5353", "[fd00::10]:5353"),
            ("168.63.129.16", "168.63.129.16:53"),
        ] {
            assert_eq!(server(text).expect(text).to_string(), expected);
        }
        for text in [
            "",
            "dns.example.com",
            "10.0.0.10:0",
            "10.0.0.10:99999",
            "0.0.0.0",
            "ff02::fb",
            "10.0.0.0/24",
        ] {
            assert!(server(text).is_err(), "{text}");
        }
    }
}
