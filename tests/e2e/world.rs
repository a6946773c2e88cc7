//! World: the cluster, the small Azure, the release and Prometheus, as the tests share them.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::thread::JoinHandle;

use serde_json::Value;
use tokio::time::Instant;

use super::azure::Azure;
use super::cluster::{agents, open_network};
use super::command::{SHORT, attempt, kubectl};
use super::footprint::Meter;
use super::monitor::Prometheus;
use super::release::{self, LOCAL_DNS, NAME, NAMESPACE, Release};

pub(crate) struct World {
    pub(crate) azure: Azure,
    pub(crate) release: Release,
    prometheus: Option<Prometheus>,
    folder: PathBuf,
    /// Counts what the agents use while a test waits for something else.
    pub(crate) meter: Option<Meter>,
    /// The node whose agent is kept away, and since when.
    pub(crate) away: Option<(&'static str, Instant)>,
    /// The races of candidates for a lease, which run while other tests wait.
    pub(crate) races: Option<JoinHandle<Result<String, String>>>,
    /// The role of the observer before a right was withdrawn, and when that was.
    pub(crate) withdrawn: Option<(Value, Instant)>,
    /// What a test measured, for whoever reads the run.
    pub(crate) notes: Vec<String>,
}

impl World {
    /// Starts the Azure and makes the namespace; nothing is installed yet.
    pub(crate) fn new() -> Self {
        let folder = std::env::var_os("E2E_DIR").expect("tests/e2e/run starts this program");
        let folder = PathBuf::from(folder);
        let azure = Azure::start(folder.join("azure"));
        kubectl(&[
            "apply",
            "-f",
            concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/crds.yaml"),
        ]);
        release::namespace(NAMESPACE, &azure.root_pem());
        Self {
            azure,
            release: Release::new(folder.join("release")),
            prometheus: None,
            folder,
            meter: None,
            away: None,
            races: None,
            withdrawn: None,
            notes: Vec::new(),
        }
    }

    /// The state that most tests begin with: the chart installed for LocalDNS, node-b without its
    /// links, and nothing else broken.
    pub(crate) fn as_installed(&mut self) {
        open_network();
        self.azure.restore();
        self.release.ensure(release::values(LOCAL_DNS));
    }

    /// The same with every network linked: all healthy.
    pub(crate) fn healthy(&mut self) {
        open_network();
        self.azure.link_all();
        self.release.ensure(release::values(LOCAL_DNS));
    }

    /// Nothing installed, and every network linked.
    pub(crate) fn uninstalled(&mut self) {
        open_network();
        self.azure.link_all();
        self.release.uninstall();
    }

    /// The Prometheus that scrapes by the chart's ServiceMonitor.
    pub(crate) fn prometheus(&mut self) -> &Prometheus {
        let folder = self.folder.join("prometheus");
        self.prometheus
            .get_or_insert_with(|| Prometheus::start(&folder, &[("servicemonitor", NAME)], 9090))
    }

    /// A folder for a test's own.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        let folder = self.folder.join(name);
        fs::create_dir_all(&folder).expect("a folder of the run's own");
        folder
    }

    /// What helps to understand a failed test.
    pub(crate) fn explain(&self) -> String {
        let mut text = String::new();
        let mut show = |title: &str, arguments: &[&str]| {
            let said = attempt(SHORT, "kubectl", arguments).unwrap_or_else(|told| told);
            writeln!(text, "--- {title}\n{}", said.trim_end()).expect("a string takes all");
        };
        show("pods", &["get", "pods", "-A", "-o", "wide"]);
        show(
            "events",
            &["-n", NAMESPACE, "get", "events", "--sort-by=.lastTimestamp"],
        );
        for agent in agents().iter().filter(|agent| !agent.ready) {
            show(
                "not ready",
                &["-n", NAMESPACE, "describe", "pod", &agent.pod],
            );
        }
        show(
            "the agents' logs",
            &[
                "-n",
                NAMESPACE,
                "logs",
                "--prefix",
                "--tail=20",
                "-l",
                "app.kubernetes.io/component=agent",
            ],
        );
        writeln!(text, "--- the nodes' DNS\n{}", self.azure.log()).expect("a string takes all");
        text
    }
}
