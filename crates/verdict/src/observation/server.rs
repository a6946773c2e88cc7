//! Server: what one server of a resolver says when it is asked alone.

use std::net::SocketAddr;
use std::time::SystemTime;

use super::{Address, QueryOutcome};
use crate::address::{ClassSet, Family};

/// What one server of the path's resolver said when it was asked alone.
///
/// A server that says several things when asked several times has an entry for each.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerAnswer {
    /// The server asked.
    pub server: SocketAddr,
    /// How the query of each family ended, IPv4 first.
    pub outcomes: Vec<(Family, QueryOutcome)>,
    /// The addresses of all families with their class.
    pub addresses: Vec<Address>,
    /// How often it said so.
    pub times: u32,
    /// When it last said so.
    pub checked_at: SystemTime,
}

impl ServerAnswer {
    /// The outcome of all families together, as [`super::Resolution::outcome`] has it.
    pub fn outcome(&self) -> Option<QueryOutcome> {
        self.outcomes.iter().map(|(_, outcome)| *outcome).min()
    }

    /// Whether it is the same answer but for TTLs and order.
    pub fn is_like(&self, other: &Self) -> bool {
        let ips = |of: &Self| {
            let mut ips: Vec<_> = of.addresses.iter().map(|address| address.ip).collect();
            ips.sort_unstable();
            ips
        };
        self.server == other.server && self.outcomes == other.outcomes && ips(self) == ips(other)
    }

    /// Whether two of `answers` give different classes, be they of two servers or of one.
    pub fn differ<'a>(mut answers: impl Iterator<Item = &'a Self> + Clone) -> bool {
        while let Some(one) = answers.next() {
            if answers.clone().any(|other| one.differs_from(other)) {
                return true;
            }
        }
        false
    }

    /// Whether it gives other classes than `other`, in a family that both answered, be it
    /// negatively. A lost query is no difference.
    fn differs_from(&self, other: &Self) -> bool {
        [Family::Ipv4, Family::Ipv6].into_iter().any(|family| {
            let both = self.classes(family).zip(other.classes(family));
            both.is_some_and(|(ours, theirs)| ours != theirs)
        })
    }

    /// The classes of one family's addresses; `None` where it was not answered.
    fn classes(&self, family: Family) -> Option<ClassSet> {
        let (_, outcome) = self.outcomes.iter().find(|(of, _)| *of == family)?;
        let addresses = self.addresses.iter();
        // By record: an IPv4-mapped address came with AAAA.
        let of_family = addresses.filter(|a| a.ip.is_ipv4() == (family == Family::Ipv4));
        (!outcome.is_failure()).then(|| of_family.map(|address| address.class).collect())
    }
}
