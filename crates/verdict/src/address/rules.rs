//! Rules: how one target's addresses are classified, and whether they may be dialled.
//!
//! Sources: RFC 1918, RFC 6598 (100.64/10), RFC 4193 (`fc00::/7`), RFC 6890 (special-purpose blocks),
//! RFC 6052 (`64:ff9b::/96`), RFC 8215 (`64:ff9b:1::/48`), RFC 3056 (`2002::/16`); 168.63.129.16 is Azure's virtual public address for DNS and `WireServer`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::{Class, Family};

/// `classify.private` and `classify.public` of one scope (a target's, or the global ones).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Networks whose addresses are private here.
    pub private: Vec<IpNet>,
    /// Networks whose addresses are public here.
    pub public: Vec<IpNet>,
}

impl Overrides {
    /// The class that the longest matching prefix gives. The configuration refuses ties.
    fn class_of(&self, ip: IpAddr) -> Option<Class> {
        let private = self.private.iter().map(|net| (net, Class::Private));
        let public = self.public.iter().map(|net| (net, Class::Public));
        private
            .chain(public)
            .filter(|(net, _)| net.contains(&ip))
            .max_by_key(|(net, _)| net.prefix_len())
            .map(|(_, class)| class)
    }
}

/// How one target's addresses are classified, in the contract's order: denied, the target's
/// overrides, the global ones, expected, reserved, the table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Never dialled (`deniedCidrs`).
    pub denied: Vec<IpNet>,
    /// The target's own `classify`.
    pub target: Overrides,
    /// The global `classify`.
    pub global: Overrides,
    /// `expectedCidrs`; binds only the families it lists.
    pub expected: Vec<IpNet>,
}

impl Rules {
    /// The class of `ip`.
    pub fn classify(&self, ip: IpAddr) -> Class {
        if self.denying(ip).is_some() {
            return Class::Reserved;
        }
        let ip = judged_as(ip);
        match self.overridden(ip) {
            Some(Class::Private) | None if self.is_expected(ip) => Class::Expected,
            Some(class) => class,
            None if reserved_range(ip).is_some() => Class::Reserved,
            None if is_private(ip) => Class::Private,
            None => Class::Public,
        }
    }

    /// The network of `deniedCidrs` that `ip` is in, as it is written or as it is judged: an operator may
    /// deny all that goes through a NAT64 gateway.
    pub fn denying(&self, ip: IpAddr) -> Option<IpNet> {
        let (written, judged) = (ip.to_canonical(), judged_as(ip));
        let mut denied = self.denied.iter().copied();
        denied.find(|net| net.contains(&written) || net.contains(&judged))
    }

    /// Whether `ip` may be dialled: reserved addresses only where `classify` names them.
    pub fn may_dial(&self, ip: IpAddr) -> bool {
        let judged = judged_as(ip);
        self.classify(ip) != Class::Reserved
            && (self.overridden(judged).is_some() || reserved_range(judged).is_none())
    }

    /// Whether `ip` is private, and outside the `expectedCidrs` that bind its family.
    pub fn is_unexpected(&self, ip: IpAddr) -> bool {
        let family = Family::of(judged_as(ip));
        self.bind(family) && self.classify(ip) == Class::Private
    }

    /// Whether `expectedCidrs` lists a network of `family`.
    pub fn bind(&self, family: Family) -> bool {
        self.expected.iter().any(|net| match family {
            Family::Ipv4 => matches!(net, IpNet::V4(_)),
            Family::Ipv6 => matches!(net, IpNet::V6(_)),
        })
    }

    /// The class that `classify` gives `ip`, which is as it is judged.
    pub fn overridden(&self, ip: IpAddr) -> Option<Class> {
        self.target
            .class_of(ip)
            .or_else(|| self.global.class_of(ip))
    }

    fn is_expected(&self, ip: IpAddr) -> bool {
        self.expected.iter().any(|net| net.contains(&ip))
    }
}

/// The address that `ip` is judged as: the IPv4 address that it carries, if it does.
pub fn judged_as(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V6(v6) => carried_ipv4(v6).map_or(ip, IpAddr::V4),
        IpAddr::V4(_) => ip,
    }
}

/// The IPv4 address in an IPv6 one: mapped (RFC 4291 section 2.5.5.2), compatible (2.5.5.1), translated
/// (RFC 2765 section 2.1), behind a NAT64 gateway (RFC 6052, RFC 8215), and 6to4 (RFC 3056).
fn carried_ipv4(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let octets = ip.octets();
    let [.., a, b, c, d] = octets;
    let last = Ipv4Addr::new(a, b, c, d);
    match octets {
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ..]
        | [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ..]
        | [0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, ..]
        | [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, ..] => Some(last),
        // The prefix of the gateway may have 48, 56, 64 or 96 bits; octet 8 is never the address's (RFC
        // 6052 section 2.2). What follows the address is zero, which tells the lengths apart.
        [0, 0x64, 0xff, 0x9b, 0, 1, a, b, _, c, d, 0, 0, 0, 0, 0]
        | [0, 0x64, 0xff, 0x9b, 0, 1, _, a, _, b, c, d, 0, 0, 0, 0]
        | [0, 0x64, 0xff, 0x9b, 0, 1, _, _, _, a, b, c, d, 0, 0, 0]
        | [0x20, 0x02, a, b, c, d, ..] => Some(Ipv4Addr::new(a, b, c, d)),
        _ => octets
            .starts_with(&[0, 0x64, 0xff, 0x9b, 0, 1])
            .then_some(last),
    }
}

/// Azure's virtual address for DNS and the `WireServer`: fine as a DNS server, never a target.
const AZURE_WIRE_SERVER: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);

fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_private() || matches!(v4.octets(), [100, 64..=127, ..]),
        IpAddr::V6(v6) => v6.is_unique_local(),
    }
}

/// The reserved ranges of IPv4.
const RESERVED_IPV4: [Ipv4Net; 8] = [
    Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 8),
    Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8),
    Ipv4Net::new_assert(Ipv4Addr::new(169, 254, 0, 0), 16),
    Ipv4Net::new_assert(Ipv4Addr::new(192, 0, 0, 0), 24),
    Ipv4Net::new_assert(Ipv4Addr::new(198, 18, 0, 0), 15),
    Ipv4Net::new_assert(Ipv4Addr::new(224, 0, 0, 0), 4),
    Ipv4Net::new_assert(Ipv4Addr::new(240, 0, 0, 0), 4),
    Ipv4Net::new_assert(AZURE_WIRE_SERVER, 32),
];

/// The reserved ranges of IPv6.
const RESERVED_IPV6: [Ipv6Net; 4] = [
    Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 128),
    Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128),
    Ipv6Net::new_assert(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10),
    Ipv6Net::new_assert(Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8),
];

/// The reserved range that `ip` lies in; `ip` is as it is judged.
pub fn reserved_range(ip: IpAddr) -> Option<IpNet> {
    match ip {
        IpAddr::V4(ip) => {
            let range = RESERVED_IPV4.iter().find(|range| range.contains(&ip));
            range.copied().map(IpNet::V4)
        }
        IpAddr::V6(ip) => {
            let range = RESERVED_IPV6.iter().find(|range| range.contains(&ip));
            range.copied().map(IpNet::V6)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn nets(texts: &[&str]) -> Vec<IpNet> {
        texts
            .iter()
            .map(|text| text.parse().expect("a network"))
            .collect()
    }

    #[test]
    fn the_table_classifies_without_any_rule() {
        let rules = Rules::default();
        for (class, addresses) in [
            (
                Class::Private,
                &[
                    "10.0.0.1",
                    "172.16.0.1",
                    "172.31.255.255",
                    "192.168.1.1",
                    "100.64.0.1",
                    "fd00::1",
                    "fc00::",
                ][..],
            ),
            (
                Class::Reserved,
                &[
                    "0.0.0.0",
                    "0.1.2.3",
                    "127.0.0.1",
                    "169.254.169.254",
                    "169.254.10.10",
                    "192.0.0.8",
                    "198.18.0.1",
                    "198.19.255.255",
                    "224.0.0.1",
                    "240.0.0.1",
                    "255.255.255.255",
                    "168.63.129.16",
                    "::",
                    "::1",
                    "fe80::1",
                    "febf::1",
                    "ff02::1",
                ],
            ),
            (
                Class::Public,
                &[
                    "52.168.109.101",
                    "172.15.0.1",
                    "172.32.0.1",
                    "100.63.255.255",
                    "100.128.0.1",
                    "192.0.1.1",
                    "192.0.2.1",
                    "198.51.100.7",
                    "203.0.113.9",
                    "198.17.0.1",
                    "198.20.0.1",
                    "168.63.129.17",
                    "2001:db8::1",
                    "2603:1030::1",
                    "fec0::1",
                ],
            ),
        ] {
            for address in addresses {
                assert_eq!(rules.classify(ip(address)), class, "{address}");
            }
        }
    }

    #[test]
    fn ipv4_inside_ipv6_is_judged_as_ipv4() {
        let rules = Rules::default();
        assert_eq!(rules.classify(ip("::ffff:10.1.2.3")), Class::Private);
        assert_eq!(rules.classify(ip("64:ff9b::10.1.2.3")), Class::Private);
        assert_eq!(rules.classify(ip("64:ff9b::8.8.8.8")), Class::Public);
        assert_eq!(rules.classify(ip("::ffff:127.0.0.1")), Class::Reserved);
        for (written, carried) in [
            ("::10.1.2.3", "10.1.2.3"),
            ("::ffff:0:10.1.2.3", "10.1.2.3"),
            ("64:ff9b:1::127.0.0.1", "127.0.0.1"),
            ("64:ff9b:1:a01:2:300::", "10.1.2.3"),
            ("64:ff9b:1:50a:1:203::", "10.1.2.3"),
            ("64:ff9b:1:5:a:102:300::", "10.1.2.3"),
            ("2002:7f00:1::1", "127.0.0.1"),
            ("2002:a01:203::", "10.1.2.3"),
        ] {
            assert_eq!(judged_as(ip(written)), ip(carried), "{written}");
        }
        for own in ["::", "::1", "2003::1", "64:ff9c::a01:203", "fd00::1"] {
            assert_eq!(judged_as(ip(own)), ip(own));
        }
    }

    #[test]
    fn a_denied_network_holds_an_address_as_written_and_as_judged() {
        let nat64 = Rules {
            denied: nets(&["64:ff9b::/96"]),
            ..Rules::default()
        };
        assert!(!nat64.may_dial(ip("64:ff9b::10.1.2.3")));
        assert!(nat64.may_dial(ip("10.1.2.3")));
        let ipv4 = Rules {
            denied: nets(&["10.1.0.0/16"]),
            ..Rules::default()
        };
        for carrier in [
            "10.1.2.3",
            "::ffff:10.1.2.3",
            "64:ff9b::10.1.2.3",
            "2002:a01:203::1",
        ] {
            assert!(!ipv4.may_dial(ip(carrier)), "{carrier}");
        }
    }

    #[test]
    fn denied_networks_come_before_everything() {
        let rules = Rules {
            denied: nets(&["10.96.0.0/16"]),
            target: Overrides {
                private: nets(&["10.96.1.0/24"]),
                public: vec![],
            },
            expected: nets(&["10.96.0.0/12"]),
            ..Rules::default()
        };
        assert_eq!(rules.classify(ip("10.96.1.1")), Class::Reserved);
        assert!(!rules.may_dial(ip("10.96.1.1")));
    }

    #[test]
    fn the_targets_override_wins_over_a_longer_global_one() {
        let rules = Rules {
            target: Overrides {
                private: nets(&["52.0.0.0/8"]),
                public: vec![],
            },
            global: Overrides {
                private: vec![],
                public: nets(&["52.1.0.0/16"]),
            },
            ..Rules::default()
        };
        assert_eq!(rules.classify(ip("52.1.2.3")), Class::Private);
    }

    #[test]
    fn within_one_scope_the_longest_prefix_wins() {
        let rules = Rules {
            global: Overrides {
                private: nets(&["52.0.0.0/8"]),
                public: nets(&["52.1.0.0/16"]),
            },
            ..Rules::default()
        };
        assert_eq!(rules.classify(ip("52.1.2.3")), Class::Public);
        assert_eq!(rules.classify(ip("52.2.2.3")), Class::Private);
    }

    #[test]
    fn expected_networks_imply_private_even_in_public_ranges() {
        let rules = Rules {
            expected: nets(&["20.0.0.0/24"]),
            ..Rules::default()
        };
        assert_eq!(rules.classify(ip("20.0.0.5")), Class::Expected);
        assert!(rules.may_dial(ip("20.0.0.5")));
    }

    #[test]
    fn an_address_classified_private_is_still_held_to_the_expected_networks() {
        let rules = Rules {
            global: Overrides {
                private: nets(&["127.0.1.0/24"]),
                public: nets(&["127.0.2.0/24"]),
            },
            expected: nets(&["127.0.1.0/28", "127.0.2.0/24"]),
            ..Rules::default()
        };
        assert_eq!(rules.classify(ip("127.0.1.5")), Class::Expected);
        assert_eq!(rules.classify(ip("127.0.1.77")), Class::Private);
        assert!(rules.is_unexpected(ip("127.0.1.77")));
        assert_eq!(
            rules.classify(ip("127.0.2.5")),
            Class::Public,
            "classify comes first"
        );
    }

    #[test]
    fn expected_networks_bind_only_their_own_family() {
        let rules = Rules {
            expected: nets(&["10.1.0.0/16"]),
            ..Rules::default()
        };
        assert!(rules.is_unexpected(ip("10.2.0.1")));
        assert!(!rules.is_unexpected(ip("fd00::1")));
        assert!(
            rules.is_unexpected(ip("64:ff9b::10.2.0.1")),
            "judged as its IPv4"
        );
    }

    #[test]
    fn only_classify_makes_a_reserved_address_dialable() {
        let expected = Rules {
            expected: nets(&["127.0.0.0/8"]),
            ..Rules::default()
        };
        assert_eq!(expected.classify(ip("127.0.0.1")), Class::Expected);
        assert!(!expected.may_dial(ip("127.0.0.1")));
        let classified = Rules {
            global: Overrides {
                private: nets(&["127.0.0.0/8"]),
                public: vec![],
            },
            ..Rules::default()
        };
        assert!(classified.may_dial(ip("127.0.0.1")));
    }

    proptest! {
        #[test]
        fn every_address_has_exactly_one_class_and_reserved_ones_are_never_dialled(bits: u128, v4: bool) {
            let ip = if v4 {
                IpAddr::V4(Ipv4Addr::from(u32::try_from(bits >> 96).expect("32 bits")))
            } else {
                IpAddr::V6(Ipv6Addr::from(bits))
            };
            let rules = Rules::default();
            let class = rules.classify(ip);
            prop_assert_eq!(rules.may_dial(ip), class != Class::Reserved);
            prop_assert_eq!(class.is_private(), is_private(judged_as(ip)));
        }

        #[test]
        fn a_mapped_address_is_classified_as_the_address_it_carries(bits: u32) {
            let v4 = Ipv4Addr::from(bits);
            let rules = Rules { denied: nets(&["10.0.0.0/9"]), expected: nets(&["172.16.0.0/13"]), ..Rules::default() };
            prop_assert_eq!(rules.classify(IpAddr::V6(v4.to_ipv6_mapped())), rules.classify(IpAddr::V4(v4)));
        }
    }
}
