//! Web: the port of agents and observer with TLS, passwords and the API server's word, as the kubelet, Prometheus, the
//! observer and people read it.

use std::fs;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use privatelink_report::{NEEDS_PASSWORD, NEEDS_TOKEN, SPEAKS_HTTPS};
use serde_json::{Value, json};

use super::check_as;
use super::cluster::agents;
use super::command::{SHORT, attempt, eventually, kubectl, run, same};
use super::fleet::{as_json, reported};
use super::harness::Test;
use super::http::get;
use super::monitor::Prometheus;
use super::observer::{apply, replicas};
use super::release::{self, LOCAL_DNS, NAME, NAMESPACE};
use super::world::World;
use super::zones::VAULT;

pub(crate) const TESTS: &[Test] = &[
    (
        "over TLS with a password the kubelet, the observer and Prometheus read, and others are refused",
        protected,
    ),
    (
        "a renewed certificate is served without a restart, and one that cannot be used is an alert",
        renewed,
    ),
    (
        "with TLS alone reports and checks go through the API server's proxy as before",
        tls_alone,
    ),
    ("the API server says who may read the observer", authorized),
];

/// The names in the first certificate and in the next.
const SERVER: &str = "privatelink-prober.privatelink.svc";
const RENEWED: &str = "renewed.privatelink.svc";

/// What the chart calls the observer's objects.
const OBSERVER: &str = "privatelink-prober-observer";

/// Users and passwords, as curl takes them.
const READER: &str = "prometheus:of-prometheus";
const OF_OBSERVER: &str = "observer:of-the-observer";

/// From a change of a Secret until the kubelet has brought it and the pods have read it.
const DELIVERY: Duration = Duration::from_secs(90);

/// Until the observer has read every agent, and Prometheus every pod.
const READ: Duration = Duration::from_secs(100);

fn protected(world: &mut World) {
    let web = Web::install(world, &passwords(), false);
    for (pod, address) in pods() {
        for path in ["/healthz", "/readyz"] {
            let (status, text) = get(address, path).expect("an answer in plain HTTP");
            assert_eq!(status, 200, "{pod}{path}: {text}");
        }
        let (status, text) = get(address, "/metrics").expect("an answer in plain HTTP");
        assert_eq!((status, text.trim_end()), (400, SPEAKS_HTTPS), "{pod}");
        let told = attempt(
            SHORT,
            "curl",
            &[
                "--silent",
                "--show-error",
                &url(SERVER, address, "/"),
                "--resolve",
                &at(SERVER, address),
            ],
        );
        let told = told.expect_err("nobody knows this authority");
        assert!(told.contains("certificate"), "{pod}: {told}");
        for no in [&[][..], &["--user", "prometheus:wrong"]] {
            let (status, text) = web.ask(address, "/metrics", no).expect("an answer");
            assert_eq!(
                (status, text.trim_end()),
                (401, NEEDS_PASSWORD),
                "{pod} {no:?}"
            );
        }
        let (status, text) = web
            .ask(address, "/metrics", &["--user", READER])
            .expect("an answer");
        assert_eq!(status, 200, "{pod}: {text}");
        assert!(
            text.contains("web_config_last_reload_successful"),
            "{pod}: {text}"
        );
    }
    web.observer_reads_all(&["--user", READER]);
    scraped(world);
    nothing_was_restarted();

    let (code, said) = reported(&[]);
    assert_eq!(code, 2, "{said}");
    for words in [NEEDS_PASSWORD, "kubectl port-forward"] {
        assert!(said.contains(words), "no {words} in {said}");
    }
    let report = report_by_hand(&format!("--user {READER}"), "");
    assert!(
        report.contains(&format!("{} nodes", agents().len())),
        "{report}"
    );

    check_as::prepare(world);
    let checked = check_as::check(&["--as", "as-a-pod/web", VAULT.host, "--protocol=tcp"]);
    assert_eq!(checked.code, 0, "{checked:?}");
    assert!(
        checked.out.contains("or it asks for a password"),
        "{checked:?}"
    );
}

fn renewed(world: &mut World) {
    let web = Web::install(world, &passwords(), false);
    let before = uids();
    let credentials = ["--user", READER];
    web.certify(world, &[SERVER, RENEWED]);
    let ((), time) = eventually(DELIVERY, || {
        for (pod, address) in pods() {
            let (status, _) = web.ask_by(RENEWED, address, "/metrics", &credentials)?;
            same(&pod, &status, &200)?;
        }
        Ok(())
    });
    world
        .notes
        .push(format!("served by all after {:.0} s", time.as_secs_f64()));
    web.observer_reads_all(&credentials);

    let prometheus = scraped(world);
    let loaded = |pods: Vec<(String, SocketAddr)>, value: &str| {
        for (pod, address) in pods {
            let (_, text) = web.ask(address, "/metrics", &credentials)?;
            let mut lines = text.lines();
            let line = lines.find(|line| line.contains("web_config_last_reload_successful{"));
            let is = line.and_then(|line| line.rsplit(' ').next());
            same(&pod, &is, &Some(value))?;
        }
        Ok(())
    };
    let (_, key_of_another) = world.azure.certificate(&[SERVER]);
    patch(
        "web-tls",
        &json!({"stringData": {"tls.key": key_of_another}}),
    );
    eventually(DELIVERY, || loaded(pods(), "0"));
    eventually(READ, || {
        let alerts = prometheus.alerts()?;
        let alert = "PrivateLinkWebConfigReloadFailed".to_owned();
        same("the alert", &alerts.contains(&alert), &true)
    });
    web.observer_reads_all(&credentials);
    web.certify(world, &[SERVER, RENEWED]);
    eventually(DELIVERY, || loaded(pods(), "1"));

    // What the observer reads agents by: no text, so no password.
    let observers = || {
        replicas()
            .into_iter()
            .map(|replica| (replica.pod, replica.address))
            .collect()
    };
    patch("web-observer", &json!({"data": {"password": "/w=="}}));
    eventually(DELIVERY, || loaded(observers(), "0"));
    web.observer_reads_all(&credentials);
    let (_, password) = OF_OBSERVER.split_once(':').expect("a user and a password");
    patch(
        "web-observer",
        &json!({"stringData": {"password": password}}),
    );
    eventually(DELIVERY, || loaded(observers(), "1"));
    assert_eq!(uids(), before);
    nothing_was_restarted();
}

fn tls_alone(world: &mut World) {
    Web::install(world, &passwords(), false);
    let before = uids();
    let mut open = passwords();
    open["config"]
        .as_object_mut()
        .expect("keys")
        .remove("basic_auth_users");
    let web = Web::install(world, &open, false);
    eventually(DELIVERY, || {
        for (pod, address) in pods() {
            let (status, _) = web.ask(address, "/metrics", &[])?;
            same(&pod, &status, &200)?;
        }
        Ok(())
    });
    web.observer_reads_all(&[]);
    assert_eq!(uids(), before);
    for (arguments, source) in [(&[][..], "observer"), (&["--from-agents"], "agents")] {
        let (code, report) = as_json(arguments).unwrap_or_else(|told| panic!("{told}"));
        assert_eq!(code, 0, "{report}");
        assert_eq!(report["answeredBy"]["source"], source, "{report}");
        assert_eq!(
            report["nodes"]["covered"],
            json!(agents().len()),
            "{report}"
        );
    }
    check_as::prepare(world);
    let checked = check_as::check(&["--as", "as-a-pod/web", VAULT.host, "--protocol=tcp"]);
    assert_eq!(checked.code, 0, "{checked:?}");
    assert!(checked.out.contains("both reach it"), "{checked:?}");
    check_as::remove();
}

fn authorized(world: &mut World) {
    apply(&world.folder("web"), &accounts());
    let token = |account: &str| {
        let token = kubectl(&["-n", NAMESPACE, "create", "token", account]);
        format!("Authorization: Bearer {}", token.trim())
    };
    let (reader, stranger) = (token("reader"), token("stranger"));
    // In a Secret of one's own, so that no hash is among the values.
    let mut web = passwords();
    let config = web.as_object_mut().and_then(|web| web.remove("config"));
    let config = config.expect("it is there").to_string();
    web["existingSecret"] = json!("web-own");
    web["tls"] = json!(true);
    let (_, bearer) = reader.rsplit_once(' ').expect("a token");
    apply(
        &world.folder("web"),
        &[
            secret("web-own", &json!({"web-config.yaml": config})),
            secret("web-token", &json!({"token": bearer})),
        ],
    );
    let web = Web::install(world, &web, true);
    web.observer_reads_all(&["--header", &reader]);
    for replica in replicas() {
        let ask = |path: &str, more: &[&str]| {
            web.ask(replica.address, path, more)
                .unwrap_or_else(|told| panic!("{told}"))
        };
        for path in ["/", "/metrics", "/api/v1/fleet"] {
            for no in [
                &[][..],
                &["--user", READER],
                &["--header", "Authorization: Bearer x"],
            ] {
                let (status, text) = ask(path, no);
                assert_eq!(
                    (status, text.trim_end()),
                    (401, NEEDS_TOKEN),
                    "{path} {no:?}"
                );
            }
            let (status, text) = ask(path, &["--header", &stranger]);
            assert_eq!(status, 403, "{path}: {text}");
            assert!(
                text.contains("serviceaccount:privatelink:stranger"),
                "{text}"
            );
        }
        let (status, text) = ask("/metrics", &["--header", &reader]);
        assert_eq!(status, 200, "{text}");
        let (status, page) = ask("/", &["--header", &reader]);
        assert_eq!(status, 200, "{page}");
        assert!(page.contains("<h2>Targets on nodes</h2>"), "{page}");
    }
    // The agents have no token to ask with, so it is as before.
    for agent in agents() {
        let address = agent.address.expect("an address");
        for (header, wanted) in [(&["--header", &*reader], 401), (&["--user", READER], 200)] {
            let (status, text) = web.ask(address, "/metrics", header).expect("an answer");
            assert_eq!(status, wanted, "{}: {text}", agent.pod);
        }
    }
    scraped(world);

    let (code, said) = reported(&[]);
    assert_eq!(code, 2, "{said}");
    for words in [NEEDS_TOKEN, "kubectl port-forward"] {
        assert!(said.contains(words), "no {words} in {said}");
    }
    let report = report_by_hand(&format!("--header '{reader}'"), "?gate=true");
    assert!(report.to_lowercase().contains("public access"), "{report}");

    kubectl(&["delete", "clusterrolebinding", "privatelink-read"]);
    kubectl(&["delete", "clusterrole", "privatelink-read"]);
}

/// The port with TLS and passwords.
fn passwords() -> Value {
    let hash = |pair: &str| {
        let (_, password) = pair.split_once(':').expect("a user and a password");
        bcrypt::hash(password, 4).expect("a hash")
    };
    json!({
        "secret": "web-tls",
        "config": {
            "tls_server_config": {"cert_file": "tls.crt", "key_file": "tls.key"},
            "basic_auth_users": {"prometheus": hash(READER), "observer": hash(OF_OBSERVER)},
        },
        "client": {"basic_auth": {"username": "observer", "password_file": "password"}},
        "clientSecret": "web-observer",
    })
}

fn secret(name: &str, data: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": NAMESPACE, "name": name}, "stringData": data})
}

/// One that may read the observer, and one that may not.
fn accounts() -> Vec<Value> {
    let account = |name: &str| json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"namespace": NAMESPACE, "name": name}});
    let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "privatelink-read"});
    vec![
        account("reader"),
        account("stranger"),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": {"name": "privatelink-read"},
            "rules": [{"nonResourceURLs": ["/", "/metrics"], "verbs": ["get"]}],
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
            "metadata": {"name": "privatelink-read"}, "roleRef": role,
            "subjects": [{"kind": "ServiceAccount", "namespace": NAMESPACE, "name": "reader"}],
        }),
    ]
}

/// The release with a protected port.
struct Web {
    folder: PathBuf,
}

impl Web {
    /// Installs it, with the Secrets that `web` names.
    fn install(world: &mut World, web: &Value, authorization: bool) -> Self {
        let folder = world.folder("web");
        fs::write(folder.join("ca.pem"), world.azure.root_pem()).expect("a file of the run's own");
        let installed = Self { folder };
        if attempt(
            SHORT,
            "kubectl",
            &["-n", NAMESPACE, "get", "secret", "web-tls"],
        )
        .is_err()
        {
            installed.certify(world, &[SERVER]);
        }
        let part = |pair: &str, index: usize| pair.split(':').nth(index).map(str::to_owned);
        apply(
            &installed.folder,
            &[
                secret("web-observer", &json!({"password": part(OF_OBSERVER, 1)})),
                secret(
                    "web-scrape",
                    &json!({"user": part(READER, 0), "password": part(READER, 1)}),
                ),
            ],
        );
        let mut values = release::values(LOCAL_DNS);
        values["web"] = web.clone();
        values["observer"] = json!({"authorization": {"enabled": authorization}});
        let of = |key: &str| json!({"name": "web-scrape", "key": key});
        values["serviceMonitor"]["basicAuth"] =
            json!({"username": of("user"), "password": of("password")});
        values["serviceMonitor"]["authorization"] =
            json!({"credentials": {"name": "web-token", "key": "token"}});
        world.azure.link_all();
        world.release.roll_out(&values);
        installed
    }

    /// Puts a certificate for `names` into the Secret, as cert-manager writes it.
    fn certify(&self, world: &World, names: &[&str]) {
        let (certificate, key) = world.azure.certificate(names);
        let data =
            json!({"tls.crt": certificate, "tls.key": key, "ca.crt": world.azure.root_pem()});
        apply(&self.folder, &[secret("web-tls", &data)]);
    }

    /// What a pod answers to a client that knows the authority: the status and the body.
    fn ask(&self, pod: SocketAddr, path: &str, more: &[&str]) -> Result<(u16, String), String> {
        self.ask_by(SERVER, pod, path, more)
    }

    /// The same, by another name of the certificate.
    fn ask_by(
        &self,
        name: &str,
        pod: SocketAddr,
        path: &str,
        more: &[&str],
    ) -> Result<(u16, String), String> {
        let ca = self.folder.join("ca.pem").display().to_string();
        let (url, at) = (url(name, pod, path), at(name, pod));
        let ask = [
            "--silent",
            "--show-error",
            "--max-time",
            "10",
            "--cacert",
            &ca,
            "--resolve",
            &at,
            "--write-out",
            "\n%{http_code}",
            &url,
        ];
        let said = attempt(SHORT, "curl", &[&ask, more].concat())?;
        let (body, status) = said.rsplit_once('\n').ok_or("curl says nothing")?;
        let status = status.parse().map_err(|error| format!("{error}: {said}"))?;
        Ok((status, body.to_owned()))
    }

    /// Waits until every replica has an answer about all nodes, which only the one that leads reads.
    fn observer_reads_all(&self, credentials: &[&str]) {
        eventually(READ, || {
            for replica in replicas() {
                let (status, text) = self.ask(replica.address, "/api/v1/fleet", credentials)?;
                same(&text, &status, &200)?;
                let report: Value =
                    serde_json::from_str(&text).map_err(|error| error.to_string())?;
                same(
                    &replica.pod,
                    &report["nodes"]["covered"],
                    &json!(agents().len()),
                )?;
            }
            Ok(())
        });
    }
}

/// Changes a Secret of the release's namespace.
fn patch(secret: &str, patch: &Value) {
    let patch = patch.to_string();
    let what = ["-n", NAMESPACE, "patch", "secret", secret];
    kubectl(&[&what[..], &["--type=merge", "--patch", &patch]].concat());
}

/// The name and the address of every pod of the release.
fn pods() -> Vec<(String, SocketAddr)> {
    let pods = release::pods();
    let alive = pods
        .iter()
        .filter(|pod| pod["metadata"]["deletionTimestamp"].is_null());
    let pods = alive.filter_map(|pod| {
        let ip: IpAddr = pod["status"]["podIP"].as_str()?.parse().ok()?;
        Some((
            pod["metadata"]["name"].as_str()?.to_owned(),
            SocketAddr::new(ip, 9797),
        ))
    });
    pods.collect()
}

fn uids() -> Vec<String> {
    let pods = release::pods();
    let mut uids: Vec<String> = pods
        .iter()
        .map(|pod| pod["metadata"]["uid"].to_string())
        .collect();
    uids.sort();
    uids
}

/// The kubelet restarts what does not answer its probes.
fn nothing_was_restarted() {
    for pod in release::pods() {
        let restarts = &pod["status"]["containerStatuses"][0]["restartCount"];
        assert_eq!(restarts, 0, "{}", pod["metadata"]["name"]);
    }
}

/// Waits until a Prometheus scrapes every pod, as the chart's monitors tell it to.
fn scraped(world: &World) -> Prometheus {
    let monitors = [("servicemonitor", NAME), ("servicemonitor", OBSERVER)];
    let folder = world.folder("web-prometheus");
    // A rule that looks back must not find what another one left there.
    let _ = fs::remove_dir_all(folder.join("data"));
    let prometheus = Prometheus::start(&folder, &monitors, 9092);
    let counted = [(NAME, agents().len()), (OBSERVER, replicas().len())];
    let counted = counted.map(|(job, count)| format!("{job} {count}"));
    let counted = counted.each_ref().map(String::as_str);
    prometheus.expect(READ, "sum by (job) (up)", &["job"], &counted);
    prometheus
}

fn url(name: &str, pod: SocketAddr, path: &str) -> String {
    format!("https://{name}:{}{path}", pod.port())
}

/// Where curl finds a name.
fn at(name: &str, pod: SocketAddr) -> String {
    format!("{name}:{}:{}", pod.port(), pod.ip())
}

/// What docs/report.md shows for a port that the API server's proxy cannot read.
fn report_by_hand(credentials: &str, query: &str) -> String {
    let forward = format!("service/{OBSERVER}");
    let forward = ["port-forward", "-n", NAMESPACE, &forward, "9796:9797"];
    let mut forwarding = Forwarding(
        Command::new("kubectl")
            .args(forward)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("kubectl runs"),
    );
    eventually(SHORT, || {
        if let Ok(Some(status)) = forwarding.0.try_wait() {
            panic!("kubectl port-forward: {status}");
        }
        TcpStream::connect("127.0.0.1:9796")
            .map(drop)
            .map_err(|error| error.to_string())
    });
    let program = Path::new(env!("CARGO_BIN_EXE_privatelink-prober")).display();
    let pipe = format!(
        "curl -sk {credentials} 'https://127.0.0.1:9796/api/v1/fleet{query}' | {program} report --from - || true"
    );
    run(SHORT, "sh", &["-c", &pipe])
}

struct Forwarding(Child);

impl Drop for Forwarding {
    fn drop(&mut self) {
        // Both fail only when it has ended already, which is what is wanted.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
