//! Passwords: whether a password is that of its user. bcrypt is slow by design, so that whoever has the hash
//! cannot try many passwords. So it runs on a thread of its own, for one request at a time, and for a part of
//! the time: a flood of wrong passwords takes a fifth of a core, and nothing of the probes' thread.
//!
//! What was right once is known by a keyed hash until the web configuration changes, so a scrape costs one
//! bcrypt in all and not one each time.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use aws_lc_rs::hmac::{self, HMAC_SHA256, Key, Tag};
use aws_lc_rs::rand::SystemRandom;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

use super::peer_limit::PeerLimit;

/// How much longer than bcrypt others can run in the long run.
const REST: u32 = 4;

/// How long a request waits for its turn.
pub(super) const WAIT: Duration = Duration::from_secs(5);

/// The checks of passwords. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Passwords {
    known: Arc<Mutex<Known>>,
    limit: PeerLimit,
}

/// What was right: a keyed hash of the last one, for each user.
type Known = BTreeMap<String, Tag>;

/// What a check says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Checked {
    Right,
    Wrong,
    /// It was not the request's turn within this time.
    Busy(Duration),
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            known: Arc::default(),
            limit: PeerLimit::new(1, 1, WAIT),
        }
    }
}

impl Passwords {
    /// Whether `password` is that of `user`, given the bcrypt hash of each user's.
    pub(super) async fn check(
        &self,
        users: &BTreeMap<String, String>,
        user: &str,
        password: Vec<u8>,
        peer: IpAddr,
    ) -> Checked {
        let own = users.get(user);
        let message = own.map(|hash| message(user, hash, &password));
        let is_known = || {
            message
                .as_ref()
                .is_some_and(|text| self.is_known(user, text))
        };
        if is_known() {
            return Checked::Right;
        }
        let Some(permit) = self.limit.admit(peer).await else {
            return Checked::Busy(WAIT);
        };
        // The request before may have had the same password.
        if is_known() {
            return Checked::Right;
        }
        // For a user that does not exist, a check takes as long as for one that does.
        let costliest = || users.values().max_by_key(|hash| hash.get(4..6));
        let Some(hash) = own.or_else(costliest).cloned() else {
            return Checked::Wrong;
        };
        let (tell, told) = oneshot::channel();
        let (known, user) = (Arc::clone(&self.known), user.to_owned());
        // A task of its own: what is computed counts, even if the client does not wait for it.
        tokio::spawn(async move {
            let started = Instant::now();
            let verified = spawn_blocking(move || bcrypt::verify(password, &hash));
            let is_right = matches!(verified.await, Ok(Ok(true)));
            if let (true, Some(text), Some(key)) = (is_right, &message, key()) {
                locked(&known).insert(user, hmac::sign(key, text));
            }
            let _ = tell.send(is_right && message.is_some());
            sleep(REST * started.elapsed()).await;
            drop(permit);
        });
        match told.await {
            Ok(true) => Checked::Right,
            _ => Checked::Wrong,
        }
    }

    /// Forgets what was right.
    pub(super) fn forget(&self) {
        locked(&self.known).clear();
    }

    fn is_known(&self, user: &str, message: &[u8]) -> bool {
        let known = locked(&self.known);
        let tag = known.get(user);
        tag.zip(key())
            .is_some_and(|(tag, key)| hmac::verify(key, message, tag.as_ref()).is_ok())
    }
}

/// The key of this process; `None` where the system gives no random numbers, and nothing is remembered.
fn key() -> Option<&'static Key> {
    static KEY: OnceLock<Option<Key>> = OnceLock::new();
    KEY.get_or_init(|| Key::generate(HMAC_SHA256, &SystemRandom::new()).ok())
        .as_ref()
}

/// What is remembered of a password: with the hash that it was compared with, so that it is of no use for
/// another one.
fn message(user: &str, hash: &str, password: &[u8]) -> Vec<u8> {
    let mut message = Vec::new();
    for part in [user.as_bytes(), hash.as_bytes(), password] {
        message.extend((part.len() as u64).to_be_bytes());
        message.extend(part);
    }
    message
}

fn locked(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn peer(number: u8) -> IpAddr {
        Ipv4Addr::new(10, 0, 0, number).into()
    }

    /// The hash of each user's password, which is his name.
    fn users(costs: [(&str, u32); 2]) -> BTreeMap<String, String> {
        let hash = |(user, cost): (&str, u32)| {
            (user.to_owned(), bcrypt::hash(user, cost).expect("a hash"))
        };
        costs.map(hash).into()
    }

    #[tokio::test]
    async fn an_unknown_user_takes_as_long_as_a_wrong_password() {
        // 32 times as long as that of the other one, so that a busy machine makes no difference.
        let (passwords, users) = (Passwords::default(), users([("alice", 4), ("bob", 9)]));
        let mut shortest = BTreeMap::new();
        for user in ["alice", "bob", "carol", ""].repeat(3) {
            let started = Instant::now();
            let checked = passwords
                .check(&users, user, b"wrong".into(), peer(1))
                .await;
            assert_eq!(checked, Checked::Wrong);
            let taken = started.elapsed();
            let shortest = shortest.entry(user).or_insert(taken);
            *shortest = taken.min(*shortest);
            // Not in the middle of the rest after the check.
            sleep((REST + 1) * taken).await;
        }
        for user in ["bob", "carol", ""] {
            assert!(shortest[user] > 4 * shortest["alice"], "{shortest:?}");
        }
    }

    #[tokio::test]
    async fn a_password_is_known_for_its_user_and_its_hash_alone() {
        let (passwords, mut users) = (Passwords::default(), users([("alice", 4), ("bob", 4)]));
        let check = |users: &BTreeMap<String, String>, user: &'static str, password: &str| {
            let (passwords, users) = (passwords.clone(), users.clone());
            let password = password.as_bytes().to_vec();
            async move { passwords.check(&users, user, password, peer(1)).await }
        };
        assert_eq!(check(&users, "alice", "alice").await, Checked::Right);
        assert_eq!(check(&users, "alice", "alice").await, Checked::Right);
        assert_eq!(check(&users, "bob", "alice").await, Checked::Wrong);
        let hash = users["bob"].clone();
        users.insert("alice".to_owned(), hash);
        assert_eq!(check(&users, "alice", "alice").await, Checked::Wrong);
        users.remove("alice");
        assert_eq!(check(&users, "alice", "alice").await, Checked::Wrong);
    }

    #[tokio::test]
    async fn a_peer_that_floods_keeps_no_other_from_its_turn() {
        let (passwords, users) = (Passwords::default(), users([("alice", 4), ("bob", 4)]));
        let flood: Vec<_> = (0..50)
            .map(|number| {
                let (passwords, users) = (passwords.clone(), users.clone());
                let wrong = format!("wrong {number}").into_bytes();
                tokio::spawn(async move { passwords.check(&users, "alice", wrong, peer(1)).await })
            })
            .collect();
        tokio::task::yield_now().await;
        let checked = passwords
            .check(&users, "bob", b"bob".to_vec(), peer(2))
            .await;
        assert_eq!(checked, Checked::Right);
        let waiting = flood.iter().filter(|check| !check.is_finished());
        assert!(waiting.count() > 40);
    }
}
