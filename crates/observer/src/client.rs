//! Client: how the API server is reached, and how long it may take.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::Request;
use hyper_timeout::TimeoutConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::TokioExecutor;
use kube::client::{Body, ClientBuilder, ConfigExt as _};
use kube::config::{InClusterError, KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};
use tower::limit::RateLimitLayer;
use tower::timeout::TimeoutLayer;
use tower::util::MapRequestLayer;
use tower::{BoxError, Service, ServiceBuilder, service_fn};

/// How long one call may take that is not a list or a watch.
pub(crate) const CALL: Duration = Duration::from_secs(5);

/// How long the API server may take until it begins to answer.
const FIRST_BYTE: Duration = Duration::from_secs(30);

/// How long a connection may be silent. A watch ends before that, since the API server is asked to end
/// it (see [`crate::watch`]).
const SILENCE: Duration = Duration::from_secs(150);

/// The API server cannot be asked at all.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The pod has no service account, or its files cannot be read.
    #[error(
        "cannot read the service account of this pod, which the observer needs; the chart gives it one"
    )]
    InCluster(#[source] InClusterError),
    /// Not in a cluster, and no kubeconfig is named.
    #[error("this is no pod, and KUBECONFIG names no file: set it to a kubeconfig")]
    Nowhere,
    /// The kubeconfig cannot be used.
    #[error("cannot use the kubeconfig that KUBECONFIG names")]
    Kubeconfig(#[source] KubeconfigError),
    /// The credentials or certificates cannot be used.
    #[error("cannot prepare connections to the API server")]
    Build(#[source] kube::Error),
}

/// Counts the requests to the API server. Clones share the count.
#[derive(Clone, Debug, Default)]
pub(crate) struct RequestCount(Arc<AtomicU64>);

impl RequestCount {
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Requests a second of all watches. kube begins a watch again at once when the API server, or what stands
/// before it, ends it at once.
const WATCHES_A_SECOND: u64 = 20;

/// How the API server is asked.
#[derive(Clone)]
pub(crate) struct Clients {
    /// For lists and watches.
    pub(crate) watching: Client,
    /// For all else: the election must not wait for watches.
    pub(crate) calling: Client,
}

/// Clients for the cluster that this pod is in, by the address of the service `kubernetes` and not by a
/// name: names are what is under test. Elsewhere for the cluster that the kubeconfig names.
pub(crate) async fn connect(requests: &RequestCount) -> Result<Clients, ClientError> {
    let mut config = if std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() {
        Config::incluster_env().map_err(ClientError::InCluster)?
    } else {
        // kube's own search for a kubeconfig asks libc for the home directory (docs/adr/0004).
        let path = std::env::var_os("KUBECONFIG").ok_or(ClientError::Nowhere)?;
        let kubeconfig = Kubeconfig::read_from(path).map_err(ClientError::Kubeconfig)?;
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
        config.map_err(ClientError::Kubeconfig)?
    };
    config.connect_timeout = Some(CALL);
    config.read_timeout = Some(SILENCE);
    // Every caller has a pace of its own; kube's retries could keep one waiting for minutes.
    config.default_retry = false;
    let client = |pace: Option<RateLimitLayer>| {
        let http = HttpConnector::new_with_resolver(service_fn(no_names));
        built(config.clone(), http, requests, pace).map_err(ClientError::Build)
    };
    Ok(Clients {
        watching: client(Some(pace()))?,
        calling: client(None)?,
    })
}

/// A client for the API server of `config`, which `http` reaches.
pub(crate) fn built<R>(
    config: Config,
    mut http: HttpConnector<R>,
    requests: &RequestCount,
    pace: Option<RateLimitLayer>,
) -> kube::Result<Client>
where
    R: Service<Name, Response: Iterator<Item = SocketAddr>, Error: Into<BoxError>, Future: Send>,
    R: Clone + Send + Sync + 'static,
{
    let count = requests.clone();
    let counted = MapRequestLayer::new(move |request: Request<Body>| {
        count.0.fetch_add(1, Ordering::Relaxed);
        request
    });
    http.enforce_http(false);
    let mut connector = TimeoutConnector::new(config.rustls_https_connector_with_connector(http)?);
    connector.set_connect_timeout(config.connect_timeout);
    connector.set_read_timeout(config.read_timeout);
    let client = hyper_util::client::legacy::Client::builder(TokioExecutor::new());
    let service = ServiceBuilder::new()
        .option_layer(pace)
        .layer(counted)
        .layer(TimeoutLayer::new(FIRST_BYTE))
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .map_err(BoxError::from)
        .service(client.build::<_, Body>(connector));
    Ok(ClientBuilder::new(service, config.default_namespace).build())
}

/// What holds watches to their pace.
pub(crate) fn pace() -> RateLimitLayer {
    RateLimitLayer::new(WATCHES_A_SECOND, Duration::from_secs(1))
}

/// The API server is reached by its address. To look a name up would take libc's resolver, which a static
/// binary does not have (docs/adr/0004), and names are what is under test.
pub(crate) async fn no_names(name: Name) -> io::Result<std::iter::Empty<SocketAddr>> {
    Err(io::Error::other(format!(
        "the API server is given by the name {name}; the observer needs its address \
         (KUBERNETES_SERVICE_HOST, or `server` in the kubeconfig)"
    )))
}
