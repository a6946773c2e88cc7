//! Kept: the addresses that are kept of an answer. A frame over TCP can carry four thousand.

use std::collections::HashSet;
use std::net::IpAddr;

use privatelink_verdict::address::{Class, Rules, judged_as};
use privatelink_verdict::observation::LeftOut;

use crate::exchange::ExchangeResult;

/// Addresses that are kept of one answer: four times as many as are dialled, and as many as fit into a
/// datagram of 1232 bytes (docs/adr/0016).
pub(super) const MAX_ADDRESSES: usize = 64;

/// Leaves out what the answer holds beyond [`MAX_ADDRESSES`], and counts it. The verdict is the same as
/// without it: one address of each kind is kept in any case. Which ones are kept does not depend on their
/// order, which servers change from answer to answer.
pub(super) fn leave_out(exchanged: &mut ExchangeResult, rules: &Rules) -> LeftOut {
    let mut left_out = LeftOut::default();
    let Some(reply) = &mut exchanged.reply else {
        return left_out;
    };
    if reply.addresses.len() <= MAX_ADDRESSES {
        return left_out;
    }
    let mut sorted: Vec<IpAddr> = reply.addresses.iter().map(|(ip, _)| *ip).collect();
    sorted.sort_unstable();
    let mut kinds = HashSet::new();
    let mut kept = HashSet::new();
    for (index, ip) in sorted.into_iter().enumerate() {
        let class = rules.classify(ip);
        let is_new = kinds.insert((class as u8, rules.may_dial(ip), judged_as(ip).is_ipv4()));
        if is_new || index < MAX_ADDRESSES {
            kept.insert(ip);
        } else {
            left_out[class as usize] += 1;
        }
    }
    reply.addresses.retain(|(ip, _)| kept.contains(ip));
    reply.addresses.shrink_to_fit();
    left_out
}

/// The sum of what was left out of several answers.
pub(super) fn total(parts: &[LeftOut]) -> LeftOut {
    let of = |class: usize| parts.iter().map(|part| part[class]).sum();
    std::array::from_fn::<_, { Class::ALL.len() }, _>(of)
}

/// As many as are kept, for the log.
pub(super) fn first(addresses: &[(IpAddr, u32)]) -> &[(IpAddr, u32)] {
    &addresses[..addresses.len().min(MAX_ADDRESSES)]
}
