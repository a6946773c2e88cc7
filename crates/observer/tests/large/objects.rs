//! Objects: makes them at the API server.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::api::PostParams;
use kube::{Api, Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

/// The namespace of the observer.
pub(crate) const NAMESPACE: &str = "large";

/// The objects that the chart makes for the observer.
pub(crate) async fn create_own(client: &Client) {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    for name in [NAMESPACE, "default"] {
        create(&namespaces, json!({"metadata": {"name": name}})).await;
    }
    let config_maps: Api<ConfigMap> = Api::namespaced(client.clone(), NAMESPACE);
    for name in ["targets", "history"] {
        create(&config_maps, json!({"metadata": {"name": name}})).await;
    }
    let leases: Api<Lease> = Api::namespaced(client.clone(), NAMESPACE);
    create(&leases, json!({"metadata": {"name": "observer"}})).await;
}

/// Makes an object, unless it is there.
pub(crate) async fn create<K>(api: &Api<K>, object: Value)
where
    K: Resource + Clone + DeserializeOwned + Serialize + std::fmt::Debug,
{
    let object: K = serde_json::from_value(object).expect("an object");
    // A definition takes a moment until it is served.
    let made = until(
        "an object is made",
        Duration::from_secs(20),
        async || match api.create(&PostParams::default(), &object).await {
            Ok(_) => Some(Ok(())),
            Err(kube::Error::Api(status)) if status.code == 409 => Some(Ok(())),
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 429) => None,
            Err(error) => Some(Err(error)),
        },
    );
    made.await.expect("it is made");
}

/// What `ask` says, as soon as it says something.
pub(crate) async fn until<T>(
    what: &str,
    most: Duration,
    mut ask: impl AsyncFnMut() -> Option<T>,
) -> T {
    let started = Instant::now();
    loop {
        if let Some(said) = ask().await {
            return said;
        }
        assert!(started.elapsed() < most, "not within {most:?}: {what}");
        sleep(Duration::from_millis(250)).await;
    }
}
