//! Detail: every fact in words.

mod address;
mod connect;
mod dns;
mod resolver;
mod service;
mod tls;

use std::fmt::Display;

pub(super) use self::dns::{hosts, no_address};
pub(super) use self::tls::certificate;
use crate::fact::{AddressList, Fact};
use crate::observation::TcpOutcome;

/// `facts` in words, in their order.
pub(super) fn sentence<'a>(facts: impl IntoIterator<Item = &'a Fact>) -> String {
    joined(facts.into_iter().map(clause), "; ")
}

/// One fact in words, without a capital and without a full stop.
pub(super) fn clause(fact: &Fact) -> String {
    match fact {
        Fact::AgentFault { operation, cause } => format!("{operation}: {cause}"),
        Fact::SocketError { at, cause } => match cause {
            Some(cause) => format!("connect to {at}: {cause}"),
            None => format!("connect to {at} {}", TcpOutcome::Error),
        },
        Fact::TooMuchInFlight { addresses, of } => format!(
            "{addresses} of {of} addresses were not tested, because the agent had too many connections \
             open, or too much to read, at that moment"
        ),
        Fact::Dns(fact) => dns::clause(fact),
        Fact::Address(fact) => address::clause(fact),
        Fact::Resolver(fact) => resolver::clause(fact),
        Fact::Connect(fact) => connect::clause(fact),
        Fact::Tls(fact) => tls::clause(fact),
        Fact::Service(fact) => service::clause(fact),
        Fact::CompanionFails { target, reason } => {
            format!("{target}, which belongs to the same service, fails with {reason}")
        }
    }
}

/// `10.1.2.3 (private), 52.1.2.3 (public)`.
pub(super) fn list(addresses: &AddressList) -> String {
    if addresses.first.is_empty() {
        return "no address".to_owned();
    }
    let shown = addresses.first.iter();
    let mut text = joined(shown.map(|(ip, class)| format!("{ip} ({class})")), ", ");
    if addresses.more > 0 {
        text.push_str(&format!(" and {} more", addresses.more));
    }
    text
}

/// The items as text, with `separator` between them.
pub(super) fn joined(items: impl IntoIterator<Item = impl Display>, separator: &str) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    items.join(separator)
}
