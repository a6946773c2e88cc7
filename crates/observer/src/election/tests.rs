use http::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::*;
use crate::fake_api::FakeApi;

/// A replica that stands for election.
struct Replica {
    leadership: Leadership,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Replica {
    fn start(api: &FakeApi, identity: &str) -> Self {
        let leases = Api::namespaced(api.client(), "default");
        let (election, leadership) = Election::new(leases, "observer", identity);
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(election.run(shutdown.clone()));
        Self {
            leadership,
            shutdown,
            task,
        }
    }

    fn leads(&self) -> bool {
        self.leadership.is_leading()
    }
}

fn lease() -> FakeApi {
    FakeApi::with(
        json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                         "metadata": {"name": "observer", "annotations": {"a": "kept"}}}),
    )
}

fn held_by(api: &FakeApi) -> Value {
    api.object()["spec"]["holderIdentity"].clone()
}

/// Lets `seconds` pass, in steps, and checks at each that at most one of `replicas` leads.
async fn pass(seconds: u32, replicas: &[&Replica]) {
    for _ in 0..seconds * 10 {
        sleep(Duration::from_millis(100)).await;
        let leaders = replicas.iter().filter(|replica| replica.leads()).count();
        assert!(leaders <= 1, "{leaders} lead");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_no_replica_holds_is_taken_at_once_and_kept() {
    let api = lease();
    let a = Replica::start(&api, "a");
    pass(1, &[&a]).await;
    assert!(a.leads());
    let b = Replica::start(&api, "b");
    pass(300, &[&a, &b]).await;
    assert!(a.leads() && !b.leads());
    assert_eq!(&*b.leadership.holder(), "a");
    let lease = api.object();
    assert_eq!(lease["spec"]["leaseTransitions"], 1);
    assert_eq!(lease["metadata"]["annotations"]["a"], "kept");
}

#[tokio::test(start_paused = true)]
async fn another_replica_leads_within_20_seconds_after_the_leader_is_killed() {
    let api = lease();
    let a = Replica::start(&api, "a");
    pass(1, &[&a]).await;
    let b = Replica::start(&api, "b");
    pass(7, &[&a, &b]).await;
    a.task.abort();
    let killed = Instant::now();
    pass(14, &[&a, &b]).await;
    assert!(!b.leads(), "the lease has not expired yet");
    while !b.leads() {
        pass(1, &[&a, &b]).await;
        assert!(
            killed.elapsed() < Duration::from_secs(20),
            "no replica leads"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_kill_the_replica_leads_that_has_watched_and_not_the_one_that_starts_again() {
    for moment in 0..30 {
        let api = lease();
        let a = Replica::start(&api, "a");
        pass(1, &[&a]).await;
        let b = Replica::start(&api, "b");
        pass(7, &[&a, &b]).await;
        sleep(Duration::from_millis(100 * moment)).await;
        a.task.abort();
        let again = Replica::start(&api, "a-again");
        pass(20, &[&b, &again]).await;
        assert!(b.leads(), "killed {moment} tenths of a second later");
        again.task.abort();
        b.task.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn a_renewal_whose_answer_is_lost_does_not_end_the_term() {
    let api = lease();
    let a = Replica::start(&api, "a");
    pass(7, &[&a]).await;
    for _ in 0..5 {
        // The lease has another version than the one that was answered last.
        api.edit(|lease| lease["spec"]["renewTime"] = json!("2026-01-01T00:00:00.000000Z"));
        for _ in 0..50 {
            sleep(Duration::from_millis(100)).await;
            assert!(a.leads());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_is_stopped_during_a_renewal_gives_the_lease_back_at_once() {
    let api = lease();
    let a = Replica::start(&api, "a");
    pass(7, &[&a]).await;
    api.is_away(true);
    pass(3, &[&a]).await;
    // The renewal that is under way gets no answer.
    api.is_away(false);
    a.shutdown.cancel();
    let stopped = timeout(Duration::from_secs(1), a.task).await;
    stopped.expect("it stops at once").expect("it ends");
    assert_eq!(held_by(&api), "");
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_stops_in_order_gives_the_lease_back() {
    let api = lease();
    let a = Replica::start(&api, "a");
    pass(1, &[&a]).await;
    let b = Replica::start(&api, "b");
    pass(7, &[&a, &b]).await;
    a.shutdown.cancel();
    a.task.await.expect("it ends");
    assert_eq!(held_by(&api), "");
    pass(5, &[&b]).await;
    assert!(b.leads());
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_is_cut_off_stops_before_another_may_begin() {
    let api = lease();
    let a = Replica::start(&api, "a");
    pass(1, &[&a]).await;
    // The other one sees a lease that changes no more, from about now on.
    let b = Replica::start(&api, "b");
    pass(4, &[&a, &b]).await;
    api.is_away(true);
    pass(12, &[&a, &b]).await;
    assert!(!a.leads(), "10 s after its last renewal");
    api.is_away(false);
    pass(20, &[&a, &b]).await;
    assert!(a.leads() || b.leads());
}

#[tokio::test(start_paused = true)]
async fn without_an_answer_for_long_no_replica_leads_and_then_one_does_again() {
    let api = lease();
    let a = Replica::start(&api, "a");
    let b = Replica::start(&api, "b");
    pass(5, &[&a, &b]).await;
    for refusal in [StatusCode::FORBIDDEN, StatusCode::INTERNAL_SERVER_ERROR] {
        api.refuse(Some(refusal));
        pass(30, &[&a, &b]).await;
        assert!(!a.leads() && !b.leads(), "{refusal}");
        api.refuse(None);
        pass(20, &[&a, &b]).await;
        assert!(a.leads() || b.leads(), "{refusal}");
    }
    api.delete();
    pass(30, &[&a, &b]).await;
    assert!(!a.leads() && !b.leads(), "the lease is not there");
    api.edit(|lease| *lease = json!({"metadata": {"name": "observer"}}));
    pass(20, &[&a, &b]).await;
    assert!(a.leads() || b.leads());
}

#[tokio::test(start_paused = true)]
async fn no_clock_but_its_own_says_when_a_lease_expires() {
    let api = lease();
    let a = Replica::start(&api, "a");
    pass(1, &[&a]).await;
    let b = Replica::start(&api, "b");
    // What a clock that is hours behind or ahead would have written.
    for time in ["2001-01-01T00:00:00.000000Z", "2099-01-01T00:00:00.000000Z"] {
        api.edit(|lease| lease["spec"]["renewTime"] = json!(time));
        pass(12, &[&a, &b]).await;
        assert!(!b.leads(), "{time}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_taken_away_by_hand_ends_the_term_at_the_next_renewal() {
    let api = lease();
    let a = Replica::start(&api, "a");
    pass(1, &[&a]).await;
    api.edit(|lease| lease["spec"]["holderIdentity"] = json!("somebody"));
    pass(5, &[&a]).await;
    assert!(!a.leads());
    assert_eq!(held_by(&api), "somebody");
    pass(20, &[&a]).await;
    assert!(a.leads(), "somebody does not renew");
}

#[tokio::test(start_paused = true)]
async fn of_two_candidates_for_an_expired_lease_one_gets_it_two_hundred_times() {
    let api = lease();
    let mut won = [0, 0];
    for round in 0..200 {
        api.edit(|lease| {
            lease["spec"] =
                json!({"holderIdentity": format!("gone-{round}"), "leaseDurationSeconds": 15});
        });
        let (a, b) = (Replica::start(&api, "a"), Replica::start(&api, "b"));
        pass(25, &[&a, &b]).await;
        let leaders = [a.leads(), b.leads()];
        assert_eq!(
            leaders.iter().filter(|leads| **leads).count(),
            1,
            "round {round}"
        );
        won[usize::from(b.leads())] += 1;
        a.task.abort();
        b.task.abort();
    }
    assert!(won.iter().all(|won| *won > 0), "there was no race: {won:?}");
}

#[test]
fn a_lease_that_says_nothing_or_nonsense_lasts_as_long_as_ours() {
    let of =
        |spec: Value| duration(&serde_json::from_value(json!({"spec": spec})).expect("a lease"));
    assert_eq!(of(json!({})), LEASE);
    assert_eq!(of(json!({"leaseDurationSeconds": -1})), LEASE);
    assert_eq!(of(json!({"leaseDurationSeconds": 0})), LEASE);
    assert_eq!(of(json!({"leaseDurationSeconds": 1_000_000})), LEASE);
    assert_eq!(
        of(json!({"leaseDurationSeconds": 1})),
        Duration::from_secs(1)
    );
}
