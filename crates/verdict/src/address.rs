//! Address: what an IP address means to a target: its class, and whether it may be dialled.

mod rules;

use std::fmt;
use std::net::{IpAddr, SocketAddr};

pub use self::rules::{Overrides, Rules, judged_as, reserved_range};
use crate::words::words;

words! {
    /// What kind of address an answer is.
    Class {
        /// Within the target's `expectedCidrs`.
        Expected = "expected",
        /// Private, as a private endpoint's address is.
        Private = "private",
        /// Reachable over the internet: everything that is nothing else.
        Public = "public",
        /// Never a service's address, or in `deniedCidrs`: never dialled.
        Reserved = "reserved",
    }
}

impl Class {
    /// Whether a private endpoint may have such an address.
    pub const fn is_private(self) -> bool {
        matches!(self, Self::Expected | Self::Private)
    }
}

/// The first address that a text from outside names, such as the client's in a denial.
///
/// ```
/// use privatelink_verdict::address::first_in;
/// let said = "Client with IP address '20.50.1.2' is not allowed to access the server.";
/// assert_eq!(first_in(said), Some([20, 50, 1, 2].into()));
/// ```
pub fn first_in(text: &str) -> Option<IpAddr> {
    let words = text.split(|c: char| !(c.is_ascii_hexdigit() || matches!(c, '.' | ':')));
    // A full stop or a colon after it, and a port, are the sentence's.
    words.into_iter().find_map(|word| {
        let word = word.trim_end_matches(['.', ':']);
        let with_port = || word.parse::<SocketAddr>().map(|at| at.ip());
        word.parse().or_else(|_| with_port()).ok()
    })
}

/// The classes of one answer, as a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ClassSet(u8);

impl ClassSet {
    /// Whether `class` is in the set.
    pub const fn contains(self, class: Class) -> bool {
        self.0 & (1 << class as u8) != 0
    }

    /// The classes in the set, in the order of [`Class::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Class> {
        Class::ALL
            .iter()
            .copied()
            .filter(move |class| self.contains(*class))
    }

    /// Whether the set has no class: an answer without addresses.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl FromIterator<Class> for ClassSet {
    fn from_iter<I: IntoIterator<Item = Class>>(classes: I) -> Self {
        Self(
            classes
                .into_iter()
                .fold(0, |set, class| set | (1 << class as u8)),
        )
    }
}

impl fmt::Display for ClassSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, class) in self.iter().enumerate() {
            let separator = if index == 0 { "" } else { "+" };
            write!(f, "{separator}{class}")?;
        }
        Ok(())
    }
}

/// IPv4 or IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// IPv4, asked for with type A.
    Ipv4,
    /// IPv6, asked for with type AAAA.
    Ipv6,
}

impl Family {
    /// The family that `ip` travels by; an IPv4-mapped address travels as IPv4.
    pub fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(_) => Self::Ipv4,
            IpAddr::V6(_) => Self::Ipv6,
        }
    }

    /// The DNS record type that carries this family's addresses.
    pub const fn record_type(self) -> &'static str {
        match self {
            Self::Ipv4 => "A",
            Self::Ipv6 => "AAAA",
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ipv4 => "IPv4",
            Self::Ipv6 => "IPv6",
        })
    }
}
