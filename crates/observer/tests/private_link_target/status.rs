//! The status: written on change, seldom, and without harm to the others.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, Response};
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::client::Body;
use privatelink_observer::private_link_target::PrivateLinkTargetStatus;
use privatelink_observer::private_link_target::admission::{Decision, admission};
use privatelink_observer::private_link_target::health::health;
use privatelink_observer::private_link_target::status::{Health, StatusRound, StatusWriter};
use serde_json::{Value, json};

use super::{listed, object, rules};
use privatelink_fleet::Standing;
use privatelink_verdict::reason::Reason;
use privatelink_verdict::verdict::Outcome;

/// What an API server was asked: the method with the path, and the body.
type Asked = Arc<Mutex<Vec<(String, Value)>>>;

/// An API server that answers every request with `status`, and what it was asked.
fn server(status: u16) -> (Client, Asked) {
    let asked = Asked::default();
    let seen = Arc::clone(&asked);
    let service = tower::service_fn(move |request: Request<Body>| {
        let seen = Arc::clone(&seen);
        async move {
            if status == 0 {
                std::future::pending::<()>().await;
            }
            let place = format!("{} {}", request.method(), request.uri());
            let body = request.into_body().collect_bytes().await.expect("a body");
            let body: Value = serde_json::from_slice(&body).expect("JSON");
            let answer = if status == 200 {
                object("a/a", 0, &json!({"host": "kv.vault.azure.net"}))
            } else {
                json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status,
                       "reason": "", "message": "refused"})
            };
            seen.lock().expect("a lock").push((place, body));
            let response = Response::builder().status(status);
            Ok::<_, std::convert::Infallible>(
                response
                    .body(Body::from(answer.to_string().into_bytes()))
                    .expect("a response"),
            )
        }
    });
    (Client::new(service, "default"), asked)
}

/// What is decided over an object of `a` that names this host and has this status.
fn decisions(names: &[&str], host: &str, status: Option<&Value>) -> Vec<Decision> {
    let objects: Vec<_> = names
        .iter()
        .map(|name| {
            let mut object = object(&format!("a/{name}"), 0, &json!({"host": host}));
            if let Some(status) = status {
                object["status"] = status.clone();
            }
            object
        })
        .collect();
    admission(listed(&objects).iter(), &rules()).decisions
}

fn now() -> Timestamp {
    "2026-02-03T04:05:06Z".parse().expect("a time")
}

#[tokio::test(start_paused = true)]
async fn the_condition_is_applied_to_the_status_alone_with_its_generation_and_time() {
    let (client, asked) = server(200);
    let mut writer = StatusWriter::new(client);
    let round = writer
        .write(&decisions(&["a"], "10.1.2.3", None), now(), || true)
        .await;
    assert_eq!(round.written, 1);
    let asked = asked.lock().expect("a lock");
    assert_eq!(
        asked[0].0,
        "PATCH /apis/privatelink-prober.dev/v1alpha1/namespaces/a/privatelinktargets/a/status?&force=true\
         &fieldManager=privatelink-prober-observer"
    );
    let body = &asked[0].1;
    assert_eq!(body["status"]["observedGeneration"], 3);
    assert!(body["spec"].is_null());
    let condition = &body["status"]["conditions"][0];
    assert_eq!(condition["type"], "Accepted");
    assert_eq!(condition["status"], "False");
    assert_eq!(condition["reason"], "InvalidSpec");
    assert_eq!(condition["lastTransitionTime"], "2026-02-03T04:05:06Z");
}

#[tokio::test(start_paused = true)]
async fn an_object_that_shows_its_condition_is_not_written() {
    let (client, asked) = server(200);
    let mut writer = StatusWriter::new(client);
    let shown = json!({"conditions": [{
        "type": "Accepted", "status": "True", "reason": "Accepted", "observedGeneration": 3,
        "message": "It is probed from every node as a:a.", "lastTransitionTime": "2026-01-01T00:00:00Z",
    }]});
    let same = decisions(&["a"], "kv.vault.azure.net", Some(&shown));
    let round = writer.write(&same, now(), || true).await;
    assert_eq!((round.written, round.waiting), (0, 0));
    assert!(asked.lock().expect("a lock").is_empty());
    // Another reason for the same status keeps the time.
    let mut older = shown.clone();
    older["conditions"][0]["message"] = json!("It was so.");
    let changed = decisions(&["a"], "kv.vault.azure.net", Some(&older));
    assert_eq!(writer.write(&changed, now(), || true).await.written, 1);
    let asked = asked.lock().expect("a lock");
    let condition = &asked[0].1["status"]["conditions"][0];
    assert_eq!(condition["lastTransitionTime"], "2026-01-01T00:00:00Z");
}

#[tokio::test(start_paused = true)]
async fn an_object_is_written_once_a_minute_however_often_it_changes() {
    let (client, asked) = server(200);
    let mut writer = StatusWriter::new(client);
    let first = decisions(&["a"], "kv.vault.azure.net", None);
    assert_eq!(writer.write(&first, now(), || true).await.written, 1);
    // The watch has not shown it yet: nothing to do, and nothing waits.
    let round = writer.write(&first, now(), || true).await;
    assert_eq!((round.written, round.waiting), (0, 0));
    let second = decisions(&["a"], "localhost", None);
    for _ in 0..5 {
        let round = writer.write(&second, now(), || true).await;
        assert_eq!((round.written, round.waiting), (0, 1));
        tokio::time::advance(Duration::from_secs(11)).await;
    }
    tokio::time::advance(Duration::from_secs(6)).await;
    assert_eq!(writer.write(&second, now(), || true).await.written, 1);
    assert_eq!(asked.lock().expect("a lock").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_round_writes_fifty_objects_and_the_next_one_the_rest() {
    let (client, asked) = server(200);
    let mut writer = StatusWriter::new(client);
    let names: Vec<_> = (0..70).map(|index| format!("o-{index}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let many = decisions(&names, "localhost", None);
    let round = writer.write(&many, now(), || true).await;
    assert_eq!((round.written, round.waiting), (50, 20));
    let round = writer.write(&many, now(), || true).await;
    assert_eq!((round.written, round.waiting), (20, 0));
    let asked = asked.lock().expect("a lock");
    let different: std::collections::HashSet<_> = asked.iter().map(|(place, _)| place).collect();
    assert_eq!(different.len(), 70);
}

/// A tenant whose objects change all the time must not keep others from their status.
#[tokio::test(start_paused = true)]
async fn objects_that_wait_longest_are_written_first() {
    let (client, asked) = server(200);
    let mut writer = StatusWriter::new(client);
    let names: Vec<_> = (10..80).map(|index| format!("o-{index}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    writer
        .write(&decisions(&names, "localhost", None), now(), || true)
        .await;
    tokio::time::advance(Duration::from_secs(61)).await;
    let changed = decisions(&names, "10.1.2.3", None);
    writer.write(&changed, now(), || true).await;
    let asked = asked.lock().expect("a lock");
    let different: std::collections::HashSet<_> = asked.iter().map(|(place, _)| place).collect();
    assert_eq!((asked.len(), different.len()), (100, 70));
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_does_not_lead_writes_nothing() {
    let (client, asked) = server(200);
    let mut writer = StatusWriter::new(client);
    let waiting = decisions(&["a"], "localhost", None);
    let round = writer.write(&waiting, now(), || false).await;
    assert_eq!((round.written, round.waiting), (0, 1));
    assert!(asked.lock().expect("a lock").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_silent_or_refusing_api_server_ends_the_round_within_seconds() {
    for (status, words) in [
        (0, "did not answer within 5 s"),
        (403, "refused"),
        (500, "refused"),
    ] {
        let (client, asked) = server(status);
        let mut writer = StatusWriter::new(client);
        let began = tokio::time::Instant::now();
        let round = writer
            .write(
                &decisions(&["a", "b", "c"], "localhost", None),
                now(),
                || true,
            )
            .await;
        assert_eq!(
            (round.written, round.failed, round.waiting),
            (0, 1, 2),
            "{status}"
        );
        let error = round.error.unwrap_or_default();
        assert!(error.contains("a/a") && error.contains(words), "{error}");
        assert!(began.elapsed() <= Duration::from_secs(5), "{status}");
        assert!(asked.lock().expect("a lock").len() <= 1);
    }
}

#[tokio::test(start_paused = true)]
async fn an_object_that_cannot_be_written_does_not_keep_the_others_waiting() {
    let (client, asked) = server(422);
    let mut writer = StatusWriter::new(client);
    let three = decisions(&["a", "b", "c"], "localhost", None);
    let round = writer.write(&three, now(), || true).await;
    assert_eq!((round.failed, round.waiting), (3, 0));
    // Not again before a minute is over.
    let round = writer.write(&three, now(), || true).await;
    assert_eq!((round.failed, round.waiting), (0, 3));
    assert_eq!(asked.lock().expect("a lock").len(), 3);
}

/// Others may write any status, of any size.
#[test]
fn a_condition_that_the_observer_cannot_have_written_is_not_kept() {
    let status = |message: &str| {
        json!({"conditions": [{
            "type": "Accepted", "status": "True", "reason": "Accepted", "message": message,
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }]})
    };
    let kept = |status: &Value| {
        decisions(&["a"], "localhost", Some(status))[0]
            .present
            .clone()
    };
    assert!(kept(&status("short")).is_some());
    assert_eq!(kept(&status(&"x".repeat(1 << 20))), None);
    for malformed in [
        json!("text"),
        json!({"conditions": 7}),
        json!({"conditions": [null, {}]}),
    ] {
        assert_eq!(kept(&malformed), None);
    }
}

#[tokio::test(start_paused = true)]
async fn an_object_that_is_gone_is_no_failure() {
    let (client, _) = server(404);
    let mut writer = StatusWriter::new(client);
    let round = writer
        .write(&decisions(&["a"], "localhost", None), now(), || true)
        .await;
    assert_eq!((round.failed, round.error), (0, None));
}

/// A target that fails on `failing` of 5,000 nodes.
fn standing(failing: u32) -> Standing {
    let reason = (Outcome::Fail, Reason::PublicFallback, failing);
    Standing {
        failing,
        passing: 5_000 - failing,
        reasons: (failing > 0).then_some(reason).into_iter().collect(),
        samples: (0..failing.min(5))
            .map(|n| format!("aks-{n}").into())
            .collect(),
        ..Standing::default()
    }
}

/// The health of objects of `a`, each of which shows `status` and has this standing.
fn healths(names: &[&str], status: Option<&Value>, standing: &Standing) -> Vec<Health> {
    let decisions = decisions(names, "kv.vault.azure.net", status);
    let healths = decisions.into_iter().map(|decision| Health {
        wanted: health(standing, None, 3, &decision.shown, now()),
        key: decision.key,
        shown: decision.shown,
    });
    healths.collect()
}

#[tokio::test(start_paused = true)]
async fn the_health_is_applied_beside_the_condition_accepted() {
    let (client, asked) = server(200);
    let mut writer = StatusWriter::new(client);
    let failing = healths(&["a"], None, &standing(3));
    let round = writer.write_health(&failing, || true).await;
    assert_eq!((round.written, round.waiting), (1, 0));
    // The watch has not shown it yet: nothing to do, and nothing waits.
    let round = writer.write_health(&failing, || true).await;
    assert_eq!((round.written, round.waiting), (0, 0));
    let asked = asked.lock().expect("a lock").clone();
    // Under a name of its own, so that what is accepted stays.
    assert!(
        asked[0]
            .0
            .ends_with("fieldManager=privatelink-prober-observer-fleet")
    );
    let status = &asked[0].1["status"];
    let expected = json!({
        "conditions": [{
            "type": "Healthy", "status": "False", "reason": "PublicFallback", "observedGeneration": 3,
            "message": "Of 5000 nodes, it fails on 3 (public_fallback on 3), passes on 4997.",
            "lastTransitionTime": "2026-02-03T04:05:06Z",
        }],
        "nodes": {"passing": 4_997, "warning": 0, "failing": 3, "unknown": 0},
        "reasons": [{"reason": "public_fallback", "outcome": "fail", "nodes": 3}],
        "sampleNodes": ["aks-0", "aks-1", "aks-2"],
    });
    assert_eq!(*status, expected);
    // What is shown is not written again.
    let shown = healths(&["a"], Some(status), &standing(3));
    tokio::time::advance(Duration::from_mins(2)).await;
    assert_eq!(
        writer.write_health(&shown, || true).await,
        StatusRound::default()
    );
}

#[tokio::test(start_paused = true)]
async fn in_a_storm_two_objects_are_written_in_a_minute_and_those_whose_condition_changes_first() {
    let (client, asked) = server(200);
    let mut writer = StatusWriter::new(client);
    let names: Vec<_> = (0..100).map(|index| format!("o-{index}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let well = healths(&["any"], None, &standing(0)).remove(0).wanted;
    let shown = serde_json::to_value(&well).expect("JSON");
    for minute in 0..10 {
        for part in 0..2 {
            // Whatever is due has other numbers whenever it is looked at.
            let all = healths(&names, Some(&shown), &standing(minute * 2 + part));
            writer.write_health(&all, || true).await;
            tokio::time::advance(Duration::from_secs(30)).await;
        }
    }
    let asked = asked.lock().expect("a lock");
    assert_eq!(asked.len(), 20);
    let different: std::collections::HashSet<_> = asked.iter().map(|(place, _)| place).collect();
    assert_eq!(different.len(), 20);
}

#[tokio::test(start_paused = true)]
async fn an_object_whose_condition_changes_comes_before_others_that_wait_longer() {
    let (client, asked) = server(200);
    let mut writer = StatusWriter::new(client);
    let well = healths(&["any"], None, &standing(0)).remove(0).wanted;
    let shown = serde_json::to_value(&well).expect("JSON");
    let mut all = healths(&["a", "b", "c"], Some(&shown), &standing(0));
    // Of these only the numbers change.
    for health in &mut all {
        health.wanted.nodes.as_mut().expect("nodes").unknown = 1;
    }
    all.extend(healths(&["z"], Some(&shown), &standing(1)));
    writer.write_health(&all, || true).await;
    let asked = asked.lock().expect("a lock");
    assert_eq!(asked.len(), 2);
    assert!(
        asked[0].0.contains("/privatelinktargets/z/status"),
        "{}",
        asked[0].0
    );
}

#[tokio::test(start_paused = true)]
async fn an_object_that_is_not_probed_any_more_loses_its_health() {
    let (client, asked) = server(200);
    let mut writer = StatusWriter::new(client);
    let before = healths(&["a"], None, &standing(1)).remove(0).wanted;
    let shown = serde_json::to_value(&before).expect("JSON");
    let mut refused = healths(&["a"], Some(&shown), &standing(1));
    refused[0].wanted = PrivateLinkTargetStatus::default();
    assert_eq!(writer.write_health(&refused, || true).await.written, 1);
    assert_eq!(asked.lock().expect("a lock")[0].1["status"], json!({}));
}

/// The longest names and texts, and every reason at once.
#[test]
fn a_status_is_under_16_kib_at_any_size_of_the_fleet() {
    let reasons = Reason::ALL
        .iter()
        .map(|reason| (Outcome::Fail, *reason, 5_000));
    let standing = Standing {
        failing: 5_000,
        reasons: reasons.collect(),
        samples: (0..5).map(|_| "n".repeat(253).into()).collect(),
        ..Standing::default()
    };
    let status = healths(&["a"], None, &standing).remove(0).wanted;
    let text = serde_json::to_string(&status).expect("JSON");
    assert!(text.len() < 4 << 10, "{} bytes", text.len());
}
