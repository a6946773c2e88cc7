//! Caller: the cluster as the person reaches it who runs a command, by a kubeconfig and with that person's
//! rights.

#[cfg(not(all(target_env = "gnu", target_feature = "crt-static")))]
use std::io;
#[cfg(not(all(target_env = "gnu", target_feature = "crt-static")))]
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use http::Request;
use http_body_util::{BodyExt as _, Limited};
use hyper_util::client::legacy::connect::HttpConnector;
#[cfg(not(all(target_env = "gnu", target_feature = "crt-static")))]
use hyper_util::client::legacy::connect::dns::Name;
use kube::api::ListParams;
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::core::Status;
use kube::{Api, Client, Config};
use privatelink_fleet::{Fleet, FleetReport, Interned, Moment, View, WhyUncovered};
use privatelink_report::{NEEDS_PASSWORD, NEEDS_TOKEN, SPEAKS_HTTPS};
use privatelink_verdict::sanitize::sentence;
use tokio::time::timeout;
use tower::service_fn;

use crate::client::{ClientError, RequestCount, built};
use crate::fleet::ask::date;
use crate::fleet::members::{AgentPod, Members};
use crate::pod::{NodeObject, PodObject};

/// How long one question may take.
pub(crate) const ASK: Duration = Duration::from_secs(15);

/// Agents that are asked at the same time, through the API server.
const AT_ONCE: usize = 16;

/// Nodes and pods of a page of a list.
const PAGE: u32 = 500;

/// The largest report, in bytes.
const MOST: usize = 64 << 20;

/// A cluster, with the rights of who asks.
#[derive(Clone)]
pub struct Caller {
    pub(crate) client: Client,
    /// The context of the kubeconfig.
    pub context: String,
    /// The namespace of the release.
    pub namespace: String,
    /// Whether the ports of the release speak TLS.
    pub(crate) speaks_https: Arc<AtomicBool>,
}

/// What the agents say, without the observer.
#[derive(Debug)]
pub struct FromAgents {
    /// The fleet.
    pub fleet: Fleet,
    /// Whether the caller may list the nodes: without, those that have no agent are not known.
    pub may_list_nodes: bool,
    /// Whether there is an observer, which was not asked.
    pub has_observer: bool,
}

/// Why the cluster cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum CallerError {
    /// There is none.
    #[error("there is no kubeconfig: set KUBECONFIG, or log in with `az aks get-credentials`")]
    NoKubeconfig,
    /// It cannot be used.
    #[error("cannot use the kubeconfig")]
    Kubeconfig(#[source] KubeconfigError),
    /// The credentials or certificates cannot be used.
    #[error("cannot prepare connections to the API server")]
    Client(#[source] ClientError),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum NotAnswered {
    /// There is no such object, or nothing stands behind it.
    #[error("{what} is not there: {said}")]
    Absent {
        /// Whom was asked.
        what: String,
        /// What the API server said.
        said: String,
    },
    /// The observer is there, and says that it cannot answer.
    #[error("{what} cannot answer: {said}")]
    CannotAnswer {
        /// Whom was asked.
        what: String,
        /// What it said.
        said: String,
    },
    /// The caller may not ask.
    #[error("you may not ask {what}: {said}")]
    Forbidden {
        /// Whom was asked.
        what: String,
        /// What the API server said.
        said: String,
    },
    /// The API server, or what it asked, failed.
    #[error("cannot ask {what}")]
    Failed {
        /// Whom was asked.
        what: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It speaks TLS, and was asked in plain HTTP.
    #[error("{what} speaks HTTPS")]
    SpeaksHttps {
        /// Whom was asked.
        what: String,
    },
    /// It asks for a password or a token.
    #[error(
        "{what} says that {said}, and the API server's proxy passes none on; forward its port with \
         `kubectl port-forward`, and ask there, as docs/report.md shows"
    )]
    NeedsCredentials {
        /// What is asked for.
        said: &'static str,
        /// Whom was asked.
        what: String,
    },
    /// The answer is none.
    #[error("what {what} answered cannot be read; is it of another version?")]
    Unreadable {
        /// Whom was asked.
        what: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No answer in time.
    #[error("{what} did not answer within {} s", ASK.as_secs())]
    Silent {
        /// Whom was asked.
        what: String,
    },
}

impl Caller {
    /// The cluster of a context of the kubeconfig, by default the current one. In a pod, without a kubeconfig,
    /// the pod's own cluster.
    pub async fn connect(
        context: Option<&str>,
        namespace: Option<&str>,
    ) -> Result<Self, CallerError> {
        let (config, context) = match kubeconfig().map_err(CallerError::Kubeconfig)? {
            Some(kubeconfig) => {
                let current = kubeconfig.current_context.clone();
                let options = KubeConfigOptions {
                    context: context.map(str::to_owned),
                    ..KubeConfigOptions::default()
                };
                let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
                let name = options.context.or(current).unwrap_or_default();
                (config.map_err(CallerError::Kubeconfig)?, name)
            }
            None if std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() => {
                let config = Config::incluster_env();
                let config =
                    config.map_err(|error| CallerError::Client(ClientError::InCluster(error)))?;
                (config, "this pod".to_owned())
            }
            None => return Err(CallerError::NoKubeconfig),
        };
        let namespace = namespace.map_or_else(|| config.default_namespace.clone(), str::to_owned);
        let http = HttpConnector::new_with_resolver(service_fn(looked_up));
        let client = built(config, http, &RequestCount::default(), None);
        let client = client.map_err(|error| CallerError::Client(ClientError::Build(error)))?;
        Ok(Self {
            client,
            context,
            namespace,
            speaks_https: Arc::default(),
        })
    }

    /// The same in another namespace.
    #[must_use]
    pub fn in_namespace(self, namespace: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            ..self
        }
    }

    /// What the observer says of the fleet, in one request through the API server's proxy; `query` is that of
    /// its `/api/v1/fleet`.
    pub async fn ask_observer(
        &self,
        service: &str,
        query: &str,
    ) -> Result<FleetReport, NotAnswered> {
        let namespace = &self.namespace;
        let what = format!("the observer (service {service} in namespace {namespace})");
        let path = format!(
            "/api/v1/namespaces/{namespace}/services/http:{service}:http/proxy/api/v1/fleet?{query}"
        );
        let text = self.get(&what, &path).await?;
        serde_json::from_str(&text).map_err(|error| NotAnswered::Unreadable {
            what,
            source: error.into(),
        })
    }

    /// The fleet, straight from every agent through the API server's proxy. `progress` is told how many of how
    /// many have been asked.
    pub async fn ask_agents(
        &self,
        selector: &str,
        mut progress: impl FnMut(usize, usize),
    ) -> Result<FromAgents, NotAnswered> {
        let members = self.members(selector).await?;
        let agents = members.agents();
        if agents.is_empty() {
            return Err(NotAnswered::Absent {
                what: format!(
                    "an agent (a pod with {selector} in namespace {})",
                    self.namespace
                ),
                said: "no such pod runs".to_owned(),
            });
        }
        let mut fleet = Fleet::default();
        fleet.set_nodes(members.nodes(&agents), now());
        let mut interned = Interned::default();
        let all = agents.len();
        let asked = agents.into_iter().map(|(node, pod)| async move {
            let reply = self.summary(&pod).await;
            (node, reply)
        });
        let mut replies = stream::iter(asked).buffer_unordered(AT_ONCE);
        let mut done = 0;
        progress(done, all);
        while let Some((node, reply)) = replies.next().await {
            done += 1;
            progress(done, all);
            let view = match reply {
                Ok((text, date)) => {
                    if let Some(date) = date {
                        fleet.note_clock(&node, date, now());
                    }
                    View::read(text.as_bytes(), &node, &mut interned)
                        .map_err(|_| WhyUncovered::AgentUnreadable)
                }
                Err(_) => Err(WhyUncovered::AgentSilent),
            };
            match view {
                Ok(view) => {
                    fleet.set_view(&node, view, now());
                }
                Err(why) => fleet.note_silent(&node, why),
            }
        }
        Ok(FromAgents {
            fleet,
            may_list_nodes: members.is_known(true),
            has_observer: members.has_observer(),
        })
    }

    async fn summary(&self, pod: &AgentPod) -> Result<(String, Option<Moment>), NotAnswered> {
        let (namespace, name, port) = (&self.namespace, &pod.name, pod.at.port());
        let path =
            format!("/api/v1/namespaces/{namespace}/pods/http:{name}:{port}/proxy/api/v1/summary");
        self.replied(&format!("the agent {name}"), &path).await
    }

    /// The nodes, where the caller may list them, and the pods of the release.
    async fn members(&self, selector: &str) -> Result<Members, NotAnswered> {
        let pods: Api<PodObject> = Api::namespaced(self.client.clone(), &self.namespace);
        let pods = all(&pods, "the pods of the release", Some(selector)).await?;
        let nodes: Api<NodeObject> = Api::all(self.client.clone());
        let nodes = match all(&nodes, "the nodes", None).await {
            Err(NotAnswered::Forbidden { .. }) => None,
            nodes => Some(nodes?),
        };
        Ok(Members::listed(nodes, pods))
    }

    /// The text at `path`.
    pub(crate) async fn get(&self, what: &str, path: &str) -> Result<String, NotAnswered> {
        let (text, _) = self.replied(what, path).await?;
        Ok(text)
    }

    /// The same, and what the clock of who sent it said. Where a port speaks TLS, the API server is asked to do
    /// so too, and from then on at once: all ports of a release are alike.
    async fn replied(
        &self,
        what: &str,
        path: &str,
    ) -> Result<(String, Option<Moment>), NotAnswered> {
        let over_tls = || path.replacen("/http:", "/https:", 1);
        if self.speaks_https.load(Ordering::Relaxed) {
            return self.exchanged(what, &over_tls()).await;
        }
        match self.exchanged(what, path).await {
            Err(NotAnswered::SpeaksHttps { .. }) => {
                self.speaks_https.store(true, Ordering::Relaxed);
                self.exchanged(what, &over_tls()).await
            }
            reply => reply,
        }
    }

    async fn exchanged(
        &self,
        what: &str,
        path: &str,
    ) -> Result<(String, Option<Moment>), NotAnswered> {
        let request = Request::get(path).body(Body::empty());
        let request = request.map_err(|error| NotAnswered::Failed {
            what: what.to_owned(),
            source: error.into(),
        })?;
        let unreadable = |source: Box<dyn std::error::Error + Send + Sync>| {
            let what = what.to_owned();
            NotAnswered::Unreadable { what, source }
        };
        let exchange = async {
            let reply = self.client.send(request).await;
            let (head, body) = reply
                .map_err(|error| not_answered(what, error))?
                .into_parts();
            let body = Limited::new(body, MOST).collect().await;
            let body = body.map_err(unreadable)?.to_bytes();
            let text = String::from_utf8(body.into());
            let text = text.map_err(|error| unreadable(error.into()))?;
            if head.status.is_success() {
                return Ok((text, date(&head.headers)));
            }
            // What a pod says is no `Status` of the API server.
            let status = serde_json::from_str(&text).unwrap_or_else(|_| {
                Status::failure(text.trim(), "").with_code(head.status.as_u16())
            });
            Err(not_answered(what, kube::Error::Api(status.boxed())))
        };
        let silent = |_| {
            Err(NotAnswered::Silent {
                what: what.to_owned(),
            })
        };
        timeout(ASK, exchange).await.unwrap_or_else(silent)
    }
}

/// Every object of a list, page by page.
pub(crate) async fn all<K>(
    api: &Api<K>,
    what: &str,
    selector: Option<&str>,
) -> Result<Vec<K>, NotAnswered>
where
    K: Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    let mut objects = Vec::new();
    let mut parameters = ListParams::default().limit(PAGE);
    parameters.label_selector = selector.map(str::to_owned);
    loop {
        let page = timeout(ASK, api.list(&parameters)).await;
        let page = page.map_err(|_| NotAnswered::Silent {
            what: what.to_owned(),
        })?;
        let page = page.map_err(|error| not_answered(what, error))?;
        objects.extend(page.items);
        match page.metadata.continue_ {
            Some(next) if !next.is_empty() => parameters.continue_token = Some(next),
            _ => return Ok(objects),
        }
    }
}

pub(crate) fn not_answered(what: &str, error: kube::Error) -> NotAnswered {
    let what = what.to_owned();
    match error {
        kube::Error::Api(status) if status.code == 400 && status.message == SPEAKS_HTTPS => {
            NotAnswered::SpeaksHttps { what }
        }
        kube::Error::Api(status) if status.code == 401 && status.message == NEEDS_PASSWORD => {
            let said = NEEDS_PASSWORD;
            NotAnswered::NeedsCredentials { said, what }
        }
        kube::Error::Api(status) if status.code == 401 && status.message == NEEDS_TOKEN => {
            let said = NEEDS_TOKEN;
            NotAnswered::NeedsCredentials { said, what }
        }
        kube::Error::Api(status) if matches!(status.code, 401 | 403) => NotAnswered::Forbidden {
            what,
            said: status.message.clone(),
        },
        kube::Error::Api(status) if status.code == 404 => NotAnswered::Absent {
            what,
            said: status.message.clone(),
        },
        // The proxy says 503 where a service has no pod that is ready; and so do pods themselves.
        kube::Error::Api(status) if status.code == 503 => {
            let said = sentence(status.message.trim()).into_owned();
            if said.contains("no endpoints available") {
                NotAnswered::Absent { what, said }
            } else {
                NotAnswered::CannotAnswer { what, said }
            }
        }
        error => NotAnswered::Failed {
            what,
            source: error.into(),
        },
    }
}

/// Where `kubectl` looks: the files of `KUBECONFIG`, else the one in the home directory. kube's own search asks
/// libc for the home directory (docs/adr/0004).
fn kubeconfig() -> Result<Option<Kubeconfig>, KubeconfigError> {
    if let Some(kubeconfig) = Kubeconfig::from_env()? {
        return Ok(Some(kubeconfig));
    }
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let file = home.map(|home| home.join(".kube/config"));
    match file.filter(|file| file.exists()) {
        Some(file) => Kubeconfig::read_from(file).map(Some),
        None => Ok(None),
    }
}

/// The addresses of the API server, which a kubeconfig gives by name.
#[cfg(not(all(target_env = "gnu", target_feature = "crt-static")))]
#[expect(
    clippy::disallowed_methods,
    reason = "it finds the API server for a person's command, and probes nothing"
)]
async fn looked_up(name: Name) -> io::Result<std::vec::IntoIter<SocketAddr>> {
    let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
    let addresses: Vec<_> = found.collect();
    Ok(addresses.into_iter())
}

/// The static binary of the image has no resolver of libc's (docs/adr/0004). In a cluster, the API server is
/// given by its address.
#[cfg(all(target_env = "gnu", target_feature = "crt-static"))]
use crate::client::no_names as looked_up;

fn now() -> Moment {
    std::time::SystemTime::now().into()
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Mutex;

    use http::{Response, StatusCode};

    use super::*;

    /// A caller of a cluster whose API server answers so, and the paths that it was asked for.
    fn caller(answer: fn(&str) -> (StatusCode, String)) -> (Caller, Arc<Mutex<Vec<String>>>) {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let paths = Arc::clone(&asked);
        let service = service_fn(move |request: Request<Body>| {
            let path = request.uri().path().to_owned();
            let (status, text) = answer(&path);
            paths.lock().expect("no panic").push(path);
            let mut response = Response::new(Body::from(text.into_bytes()));
            *response.status_mut() = status;
            std::future::ready(Ok::<_, Infallible>(response))
        });
        let caller = Caller {
            client: Client::new(service, "default"),
            context: "test".to_owned(),
            namespace: "release".to_owned(),
            speaks_https: Arc::default(),
        };
        (caller, asked)
    }

    #[tokio::test]
    async fn a_port_that_speaks_https_is_asked_so_at_once_from_then_on() {
        let (caller, asked) = caller(|path| {
            if path.contains("/http:") {
                (StatusCode::BAD_REQUEST, format!("{SPEAKS_HTTPS}\n"))
            } else {
                (StatusCode::OK, "well".to_owned())
            }
        });
        for _ in 0..2 {
            let path = "/api/v1/namespaces/release/pods/http:a:9797/proxy/";
            assert_eq!(
                caller.get("the agent a", path).await.expect("an answer"),
                "well"
            );
        }
        let asked = asked.lock().expect("no panic").clone();
        let schemes = asked
            .iter()
            .map(|path| path.split('/').nth(6).unwrap_or_default());
        let schemes: Vec<_> = schemes
            .map(|name| name.trim_end_matches(":a:9797"))
            .collect();
        assert_eq!(schemes, ["http", "https", "https"]);
    }

    #[tokio::test]
    async fn a_port_that_asks_for_credentials_is_told_from_one_that_forbids() {
        let password: fn(&str) -> _ = |_| (StatusCode::UNAUTHORIZED, NEEDS_PASSWORD.to_owned());
        let token: fn(&str) -> _ = |_| (StatusCode::UNAUTHORIZED, format!("{NEEDS_TOKEN}\n"));
        let other: fn(&str) -> _ = |_| (StatusCode::UNAUTHORIZED, "Unauthorized".to_owned());
        for (answer, advice) in [
            (password, "kubectl port-forward"),
            (token, "kubectl port-forward"),
            (other, "you may not ask the observer"),
        ] {
            let (caller, _) = caller(answer);
            let error = caller.get("the observer", "/").await.expect_err("refused");
            assert!(error.to_string().contains(advice), "{error}");
        }
    }
}
