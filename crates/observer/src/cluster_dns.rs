//! Cluster DNS: the address of the DNS server that pods ask, which the agents need where nobody wrote it.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use k8s_openapi::api::core::v1::Service;
use kube::{Api, Client};
use tokio::time::{sleep, timeout};

use crate::Shared;
use crate::client::CALL;
use crate::source_state::SourceState;

/// What it is called among the sources.
pub(crate) const NAME: &str = "clusterDns";

/// What it is.
pub(crate) const ABOUT: &str =
    "The address of the service `kube-dns` of `kube-system`, which pods ask for names.";

/// The service, which every cluster has under this name whatever answers behind it.
const SERVICE: (&str, &str) = ("kube-system", "kube-dns");

/// Between two looks. The address of a service does not change, unless somebody makes it anew.
const AGAIN: Duration = Duration::from_mins(10);

/// The same where there was no answer.
const RETRY: Duration = Duration::from_secs(30);

/// Learns the address, until it is dropped. What is known stays known, whatever the API server does.
pub(crate) async fn learn(client: Client, shared: Shared) {
    let services: Api<Service> = Api::namespaced(client, SERVICE.0);
    let name = (NAME, String::new());
    shared.states().add(name.clone());
    loop {
        let (state, error) = match timeout(CALL, services.get(SERVICE.1)).await {
            Ok(Ok(service)) => match address(&service) {
                Some(address) => {
                    *shared.cluster_dns() = Some(address);
                    (SourceState::Ok, String::new())
                }
                None => (SourceState::Absent, "the service has no address".to_owned()),
            },
            Ok(Err(kube::Error::Api(status))) => {
                let state = match status.code {
                    401 | 403 => SourceState::Forbidden,
                    404 => SourceState::Absent,
                    _ => SourceState::Stale,
                };
                (state, status.message.clone())
            }
            Ok(Err(error)) => (SourceState::Stale, error.to_string()),
            Err(_) => (
                SourceState::Stale,
                "the API server did not answer in time".to_owned(),
            ),
        };
        let now = SystemTime::now();
        shared.states().set(&name, state, &error, now);
        shared.changed.notify_one();
        sleep(if state == SourceState::Ok {
            AGAIN
        } else {
            RETRY
        })
        .await;
    }
}

/// `None` for a service without an address of its own (`None`), or with nonsense in its place.
fn address(service: &Service) -> Option<IpAddr> {
    let spec = service.spec.as_ref()?;
    spec.cluster_ip.as_deref()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use serde_json::json;
    use tokio::sync::watch;

    use super::*;
    use crate::ObserverRules;
    use crate::fake_api::FakeApi;
    use crate::private_link_target::admission::AdmissionRules;

    #[tokio::test(start_paused = true)]
    async fn the_address_is_learned_when_it_may_be_read_and_stays_known() {
        let api = FakeApi::with(
            json!({"metadata": {"name": SERVICE.1}, "spec": {"clusterIP": "10.0.0.10"}}),
        );
        let (_rules, known) = watch::channel(ObserverRules {
            discovery: privatelink_discovery::DiscoveryRules::default(),
            admission: AdmissionRules::default(),
            most_per_namespace: 100,
            ..ObserverRules::default()
        });
        let shared = Shared::new(&crate::Options::default(), known);
        let state = || shared.states().of_kind(NAME).map(|known| known.state);
        let address = || shared.cluster_dns().map(|ip| ip.to_string());
        api.refuse(Some(StatusCode::FORBIDDEN));
        tokio::spawn(learn(api.client(), shared.clone()));
        sleep(Duration::from_secs(1)).await;
        assert_eq!((state(), address()), (Some(SourceState::Forbidden), None));
        assert!(
            shared.states().is_settled(),
            "it is known why there is none"
        );
        api.refuse(None);
        sleep(RETRY).await;
        let learned = Some("10.0.0.10".to_owned());
        assert_eq!(
            (state(), address()),
            (Some(SourceState::Ok), learned.clone())
        );
        api.is_away(true);
        sleep(AGAIN + RETRY).await;
        assert_eq!((state(), address()), (Some(SourceState::Stale), learned));
    }

    #[test]
    fn only_a_service_with_an_address_says_where_pods_ask() {
        let of = |spec| {
            let service = serde_json::from_value(json!({"spec": spec})).expect("a service");
            address(&service).map(|ip| ip.to_string())
        };
        assert_eq!(
            of(json!({"clusterIP": "10.0.0.10"})),
            Some("10.0.0.10".into())
        );
        assert_eq!(of(json!({"clusterIP": "fd00::a"})), Some("fd00::a".into()));
        assert_eq!(of(json!({"clusterIP": "None"})), None);
        assert_eq!(of(json!({"clusterIP": ""})), None);
        assert_eq!(of(json!({})), None);
    }
}
