//! Figures: what the observer took of the API server, the processor and the memory.

use http::Request;
use kube::Client;
use tokio::time::Instant;

use crate::program::Observer;

/// What an interval took.
pub(crate) struct Figures {
    at: Instant,
    /// Requests of the observer to the API server.
    requests: f64,
    /// Writes of statuses of declared targets, as the API server counts them.
    status_writes: f64,
    cpu: f64,
    rss: u64,
}

impl Figures {
    pub(crate) async fn of(client: &Client, observer: &Observer) -> Self {
        let request = Request::get("/metrics")
            .body(Vec::new())
            .expect("a request");
        let served = client.request_text(request).await.expect("metrics");
        let own = observer.get("/metrics").await.expect("metrics");
        let of_status = |line: &&str| {
            line.starts_with("apiserver_request_total{")
                && line.contains("resource=\"privatelinktargets\"")
                && line.contains("subresource=\"status\"")
                && !line.contains("verb=\"GET\"")
        };
        let value = |line: &str| line.rsplit(' ').next()?.parse::<f64>().ok();
        let writes = served.lines().filter(of_status).filter_map(value);
        let requests = own.lines();
        let mut requests = requests
            .filter(|line| line.starts_with("privatelink_observer_api_requests_total{"))
            .filter_map(value);
        Self {
            at: Instant::now(),
            requests: requests.next().expect("the metric"),
            status_writes: writes.sum(),
            cpu: observer.cpu(),
            rss: observer.rss(),
        }
    }

    pub(crate) fn since(&self, before: &Self) -> Interval {
        Interval {
            seconds: (self.at - before.at).as_secs_f64(),
            requests: self.requests - before.requests,
            status_writes: self.status_writes - before.status_writes,
            cpu: self.cpu - before.cpu,
            rss: self.rss,
        }
    }
}

pub(crate) struct Interval {
    pub(crate) seconds: f64,
    pub(crate) requests: f64,
    pub(crate) status_writes: f64,
    pub(crate) cpu: f64,
    pub(crate) rss: u64,
}

impl Interval {
    pub(crate) fn requests_a_minute(&self) -> f64 {
        self.requests * 60.0 / self.seconds
    }

    /// Two a minute, of every minute that was begun.
    pub(crate) fn most_writes(&self) -> f64 {
        2.0 * (self.seconds / 60.0).ceil()
    }
}

impl std::fmt::Display for Interval {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:.0} s, {:.0} requests to the API server a minute, {} writes of statuses, {:.1} % of a CPU, {} MiB",
            self.seconds,
            self.requests_a_minute(),
            self.status_writes,
            self.cpu * 100.0 / self.seconds,
            self.rss >> 10,
        )
    }
}
