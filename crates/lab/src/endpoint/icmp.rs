//! ICMP: the message with which a router or firewall answers instead of an endpoint.

use std::net::IpAddr;

use privatelink_verdict::address::Family;
use privatelink_verdict::observation::IcmpError;
use serde::Deserialize;

/// A message as the data file has it: `{type: 3, code: 13, from: 10.9.0.4}`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct IcmpMessage {
    r#type: u8,
    code: u8,
    from: IpAddr,
}

const EACCES: i32 = 13;
const ENOPROTOOPT: i32 = 92;
const ENETUNREACH: i32 = 101;
const ECONNREFUSED: i32 = 111;
const EHOSTUNREACH: i32 = 113;

impl IcmpMessage {
    /// What dialling `ip` then meets: the error number that Linux makes of the message
    /// (`icmp_err_convert`, `icmpv6_err_convert`), and the message.
    pub(crate) fn as_dialled(self, ip: IpAddr) -> (i32, IcmpError) {
        let Self { r#type, code, from } = self;
        let errno = match (ip, r#type, code) {
            (IpAddr::V4(_), 3, 0 | 6 | 9 | 11) | (IpAddr::V6(_), 1, 0) => ENETUNREACH,
            (IpAddr::V4(_), 3, 2) => ENOPROTOOPT,
            (IpAddr::V4(_), 3, 3) | (IpAddr::V6(_), 1, 4) => ECONNREFUSED,
            (IpAddr::V6(_), 1, 1 | 5 | 6) => EACCES,
            _ => EHOSTUNREACH,
        };
        let icmp = IcmpError {
            family: Family::of(ip),
            kind: r#type,
            code,
            from: Some(from),
        };
        (errno, icmp)
    }
}
