//! Service cache: what a target's service replied, kept from one probe to the next, and when it is
//! asked again.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use privatelink_verdict::observation::{Connection, Resolution, ServiceReply};
use privatelink_verdict::target::Target;
use tokio::time::Instant;

use super::resolve::sorted_addresses;

/// The shortest time between two requests to a service, whatever changes.
const PAUSE: Duration = Duration::from_mins(1);

/// What a target's service replied.
#[derive(Debug, Default)]
pub(super) struct ServiceCache {
    asked_at: Option<Instant>,
    addresses: Box<[IpAddr]>,
    replies: Vec<(IpAddr, Arc<ServiceReply>)>,
    changed: bool,
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
        let addresses = sorted_addresses(resolution);
        if *addresses != *self.addresses {
            self.addresses = addresses.into();
            self.replies.clear();
            self.changed = true;
        }
        let wait = if self.changed { PAUSE } else { interval };
        let due = self.asked_at.is_none_or(|at| at.elapsed() >= wait);
        due && resolution.answered()
    }

    /// Keeps the replies that came, and gives the connections on which nothing was asked the reply of
    /// last time.
    pub(super) fn keep(&mut self, asked: bool, connections: &mut [Connection]) {
        if asked
            && connections
                .iter()
                .any(|connection| connection.service.is_some())
        {
            self.asked_at = Some(Instant::now());
            self.changed = false;
        }
        for connection in connections {
            let known = self.replies.iter_mut().find(|(ip, _)| *ip == connection.ip);
            match (&connection.service, known) {
                (Some(reply), Some(known)) => known.1 = Arc::clone(reply),
                (Some(reply), None) => self.replies.push((connection.ip, Arc::clone(reply))),
                (None, Some((_, reply))) => connection.service = Some(Arc::clone(reply)),
                (None, None) => {}
            }
        }
    }
}
