//! Service cache: what a target's service replied, kept from one probe to the next, and when it is
//! asked again.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use privatelink_verdict::observation::{Connection, Resolution, ServiceReply};
use privatelink_verdict::target::Target;
use tokio::time::Instant;

use super::resolve::{hash_of_addresses, is_lost};

/// The shortest time between two requests to a service, whatever changes.
const PAUSE: Duration = Duration::from_mins(1);

/// What a target's service replied.
#[derive(Debug, Default)]
pub(super) struct ServiceCache {
    changed: bool,
    /// `None` where the target's service is never asked.
    asked: Option<Box<Asked>>,
}

/// What was asked last.
#[derive(Debug, Default)]
struct Asked {
    at: Option<Instant>,
    /// The hash of the addresses.
    addresses: Option<u64>,
    replies: Vec<(IpAddr, Arc<ServiceReply>)>,
}

impl ServiceCache {
    /// Makes the service due once the pause is over.
    pub(super) fn ask_again(&mut self) {
        self.changed = true;
    }

    /// Step 5: whether the service is asked in this probe: every `interval`, and after a change of
    /// the addresses or the verdict, though at most once a minute.
    pub(super) fn is_due(
        &mut self,
        target: &Target,
        resolution: &Resolution,
        interval: Duration,
    ) -> bool {
        if !target.http {
            return false;
        }
        let asked = self.asked.get_or_insert_default();
        let addresses = hash_of_addresses(resolution);
        if !is_lost(resolution) && asked.addresses.replace(addresses) != Some(addresses) {
            asked.replies.clear();
            self.changed = true;
        }
        let wait = if self.changed { PAUSE } else { interval };
        let due = asked.at.is_none_or(|at| at.elapsed() >= wait);
        due && resolution.answered()
    }

    /// Keeps the replies that came, and gives the connections on which nothing was asked the reply of
    /// last time.
    pub(super) fn keep(&mut self, is_asked: bool, connections: &mut [Connection]) {
        let Some(asked) = &mut self.asked else {
            return;
        };
        let mut replies = connections.iter().map(|connection| &connection.service);
        if is_asked && replies.any(Option::is_some) {
            asked.at = Some(Instant::now());
            self.changed = false;
        }
        for connection in connections {
            let known = asked
                .replies
                .iter_mut()
                .find(|(ip, _)| *ip == connection.ip);
            match (&connection.service, known) {
                (Some(reply), Some(known)) => known.1 = Arc::clone(reply),
                (Some(reply), None) => asked.replies.push((connection.ip, Arc::clone(reply))),
                (None, Some((_, reply))) => connection.service = Some(Arc::clone(reply)),
                (None, None) => {}
            }
        }
    }
}
