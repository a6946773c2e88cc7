//! Published: a version as its scripts make it, in a registry, and installed from there.

use std::env::consts::ARCH;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::check_as;
use super::cluster::{HUB, agents, node_address};
use super::command::{SHORT, attempt, eventually, kubectl_json, run, same};
use super::harness::Test;
use super::http::get;
use super::release::{self, LOCAL_DNS, NAME, helm};
use super::world::World;

pub(crate) const TESTS: &[Test] = &[(
    "a published version is pulled from its registry and runs, and its files agree with their checksums",
    published,
)];

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Where the nodes of tests/cluster/cluster expect a registry, and the folder in it.
const PORT: u16 = 5000;
const OWNER: &str = "owner";

/// How long the scripts may take, and the pods until all are ready.
const SCRIPT: Duration = Duration::from_mins(2);
const ROLLOUT: Duration = Duration::from_secs(90);

fn published(world: &mut World) {
    let folder = world.folder("published");
    let image = PathBuf::from(std::env::var_os("E2E_IMAGE").expect("tests/e2e/run builds it"));
    let binary = format!("{}={}", arch(), beside(&image, "privatelink-prober"));
    let begun = Instant::now();
    let spent = |what: &str| format!("{what} after {:.0} s", begun.elapsed().as_secs_f64());
    let registry = Registry::start(&folder);
    let digests = publish(&binary);
    world.notes.push(spent("published"));
    files_agree(&folder, &binary);
    world.notes.push(spent("packed"));
    chart_is_that_of_the_tree(&folder, &digests);

    check_as::remove();
    world.uninstalled();
    forget_image();
    world.notes.push(spent("on no node any more"));
    let mut values = release::values(LOCAL_DNS);
    values["image"] = json!({"registry": format!("{}/{OWNER}", registry.address)});
    let file = folder.join("values.json");
    fs::write(&file, values.to_string()).expect("a file of the run's own");
    let chart = format!(
        "oci://{}/{OWNER}/charts/privatelink-prober",
        registry.address
    );
    let options = [
        "--version",
        VERSION,
        "--plain-http",
        "--values",
        path(&file),
    ];
    helm(&[&["install", NAME, &chart], options.as_slice()].concat()).expect("an install");
    eventually(ROLLOUT, || {
        let pods = release::pods();
        for pod in &pods {
            let name = pod["metadata"]["name"].as_str().unwrap_or_default();
            let status = &pod["status"]["containerStatuses"][0];
            let runs = status["imageID"].as_str().unwrap_or_default();
            let wanted = format!(
                "{}/{OWNER}/privatelink-prober@{}",
                registry.address, digests.image
            );
            same(name, &runs, &wanted.as_str())?;
            same(name, &status["ready"], &json!(true))?;
        }
        same("that there are pods", &(pods.len() > 2), &true)
    });
    let commit = run(SHORT, "git", &["-C", ROOT, "rev-parse", "HEAD"]);
    for agent in agents() {
        let metrics = agent.metrics().unwrap_or_else(|told| panic!("{told}"));
        let mut lines = metrics.lines();
        let info = lines.find(|line| line.starts_with("privatelink_build_info{"));
        let info = info.unwrap_or_else(|| panic!("{} does not say what it is", agent.pod));
        for label in [
            format!("version=\"{VERSION}\""),
            format!("revision=\"{}", commit.trim()),
        ] {
            assert!(info.contains(&label), "no {label} in {info}");
        }
        eventually(ROLLOUT, || {
            same("vault", &agent.reason("vault")?, &"ok".to_owned())
        });
        let node = node_address(&agent.node).to_string();
        for blob in registry.blobs(&digests.image) {
            assert!(registry.served(&blob, &node), "{node} was not given {blob}");
        }
    }
    world.notes.push(spent("runs"));

    // The next tests install the image that is not pulled.
    run(SCRIPT, CLUSTER, &["load", path(&image)]);
    world.release.forget();
}

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const CLUSTER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cluster/cluster");

/// This machine's architecture, as images call it.
fn arch() -> &'static str {
    match ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn beside(file: &Path, name: &str) -> String {
    file.with_file_name(name).display().to_string()
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a path of plain text")
}

/// Runs a script of the tree.
fn script(name: &str, arguments: &[&str]) -> String {
    let script = format!("{ROOT}/{name}");
    // Nothing outside can be reached from here, and nothing is needed.
    let settings = ["PLAIN_HTTP=1", "CARGO_NET_OFFLINE=true", &script];
    run(SCRIPT, "env", &[&settings, arguments].concat())
}

/// The digests under which the image and the chart are in the registry.
struct Digests {
    image: String,
    chart: String,
}

fn publish(binary: &str) -> Digests {
    let registry = format!("{HUB}:{PORT}/{OWNER}");
    let said = script("image/publish", &[&registry, binary]);
    let digest = |what: &str, name: &str| {
        let start = format!("{what}={registry}/{name}@");
        let mut lines = said.lines();
        let digest = lines.find_map(|line| line.strip_prefix(&start));
        digest
            .unwrap_or_else(|| panic!("no {start} in {said}"))
            .to_owned()
    };
    Digests {
        image: digest("image", "privatelink-prober"),
        chart: digest("chart", "charts/privatelink-prober"),
    }
}

/// Packs what a release offers beside the image, and checks it as its users do.
fn files_agree(folder: &Path, binary: &str) {
    let folder = folder.join("files");
    script(
        "image/release",
        &[path(&folder), "https://example.com/v0", binary],
    );
    let (arch, file) = binary.split_once('=').expect("an architecture and a file");
    let name = format!("privatelink-prober_{VERSION}_linux_{arch}");
    let check = format!(
        "cd '{}' && sha256sum --check --strict --quiet SHA256SUMS && \
         tar -xzOf {name}.tar.gz {name}/privatelink-prober | cmp - '{file}'",
        folder.display()
    );
    run(SHORT, "sh", &["-c", &check]);
    let sums = fs::read_to_string(folder.join("SHA256SUMS")).expect("the checksums");
    let mut summed: Vec<&str> = sums
        .lines()
        .filter_map(|line| line.split("  ").nth(1))
        .collect();
    summed.sort_unstable();
    let mut expected = [
        format!("kubectl-privatelink_linux_{arch}.tar.gz"),
        "privatelink.yaml".to_owned(),
        format!("{name}.cdx.json"),
        format!("{name}.tar.gz"),
    ];
    expected.sort_unstable();
    assert_eq!(summed, expected);
}

/// Pulls the chart, and compares it with that of the tree and with what was published.
fn chart_is_that_of_the_tree(
    folder: &Path,
    Digests {
        image,
        chart: digest,
    }: &Digests,
) {
    let folder = folder.join("chart");
    fs::create_dir_all(&folder).expect("a folder of the run's own");
    let chart = format!("oci://{HUB}:{PORT}/{OWNER}/charts/privatelink-prober");
    let pull = [
        "pull",
        &chart,
        "--version",
        VERSION,
        "--plain-http",
        "--untar",
        "--destination",
    ];
    let output = Command::new("helm")
        .args(pull)
        .arg(&folder)
        .output()
        .expect("helm runs");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains(&format!("Digest: {digest}\n")),
        "{digest}: {said}"
    );
    let pulled = folder.join("privatelink-prober");
    // Helm writes Chart.yaml anew, with the image that was published; what else it says is in the manifests.
    let but = ["--recursive", "--exclude=Chart.yaml", "--exclude=ci"];
    run(
        SHORT,
        "diff",
        &[&but[..], &[release::CHART, path(&pulled)]].concat(),
    );
    let manifests = |chart: &str| run(SHORT, "helm", &["template", NAME, chart]);
    assert_eq!(manifests(path(&pulled)), manifests(release::CHART));
    let named = format!("image: {HUB}:{PORT}/{OWNER}/privatelink-prober:{VERSION}@{image}\n");
    let described = fs::read_to_string(pulled.join("Chart.yaml")).expect("a chart");
    assert!(described.contains(&named), "no {named} in {described}");
}

/// Removes the image from every node, so that the next one to need it has to pull it.
fn forget_image() {
    let nodes = kubectl_json(&["get", "nodes"]);
    for node in nodes["items"].as_array().expect("a list") {
        let node = node["metadata"]["name"].as_str().expect("a name");
        let images = ctr(node, &["images", "list"]).unwrap_or_else(|told| panic!("{told}"));
        let fields = images
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>());
        let images: Vec<_> = fields
            .filter(|fields| fields.len() > 2)
            .map(|fields| (fields[0], fields[2]))
            .collect();
        let loaded = format!("localhost/privatelink-prober:{VERSION}");
        let mut digests = images.iter().filter(|(name, _)| *name == loaded);
        let Some((_, digest)) = digests.next() else {
            continue;
        };
        let names = images
            .iter()
            .filter(|(_, other)| other == digest)
            .map(|(name, _)| *name);
        let names: Vec<&str> = names.collect();
        // As long as a container of it is there, so is what it is made of.
        eventually(Duration::from_mins(1), || {
            let containers = ctr(node, &["containers", "list"])?;
            let users = containers
                .lines()
                .filter(|line| names.iter().any(|name| line.contains(name)));
            same(
                "containers of the image",
                &users.collect::<Vec<_>>(),
                &Vec::new(),
            )
            .map_err(|told| format!("{node}: {told}"))
        });
        let remove = [&["images", "remove", "--sync"], names.as_slice()].concat();
        ctr(node, &remove).unwrap_or_else(|told| panic!("{told}"));
    }
}

/// Asks the containerd of a node.
fn ctr(node: &str, arguments: &[&str]) -> Result<String, String> {
    let cluster = std::env::var("CLUSTER_DIR").expect("tests/e2e/run starts this program");
    let socket = format!("{cluster}/nodes/{node}/containerd.sock");
    let to = ["--address", &socket, "--namespace", "k8s.io"];
    attempt(SHORT, "ctr", &[&to, arguments].concat())
}

/// A registry on the hub, which every node reaches.
struct Registry {
    child: Child,
    address: String,
    store: PathBuf,
    log: PathBuf,
}

impl Registry {
    fn start(folder: &Path) -> Self {
        let (store, log) = (folder.join("store"), folder.join("registry.log"));
        let file = folder.join("registry.json");
        let address = format!("{HUB}:{PORT}");
        let configuration = json!({
            "version": "0.1",
            "storage": {"filesystem": {"rootdirectory": store}},
            "http": {"addr": address},
        });
        fs::write(&file, configuration.to_string()).expect("a file of the run's own");
        let output = File::create(&log).expect("the log of a child");
        let errors = output.try_clone().expect("a file can be shared");
        let child = Command::new("registry")
            .args(["serve", path(&file)])
            .env("OTEL_TRACES_EXPORTER", "none")
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .expect("registry runs; tests/tools/install brings it");
        let registry = Self {
            child,
            address,
            store,
            log,
        };
        eventually(Duration::from_secs(20), || {
            match get((HUB, PORT).into(), "/v2/")? {
                (200, _) => Ok(()),
                (status, text) => Err(format!("{status} {text}")),
            }
        });
        registry
    }

    /// What the image with this digest is made of on this architecture: its configuration and its layers.
    fn blobs(&self, image: &str) -> Vec<String> {
        let index = self.json(image);
        let manifests = index["manifests"].as_array().expect("manifests").iter();
        let mut ours = manifests.filter(|one| one["platform"]["architecture"] == arch());
        let manifest = ours
            .next()
            .unwrap_or_else(|| panic!("nothing for {}: {index}", arch()));
        let manifest = self.json(manifest["digest"].as_str().expect("a digest"));
        let layers = manifest["layers"].as_array().expect("layers").iter();
        let blobs = layers
            .chain([&manifest["config"]])
            .filter_map(|blob| blob["digest"].as_str());
        blobs.map(str::to_owned).collect()
    }

    /// What is stored under a digest.
    fn json(&self, digest: &str) -> Value {
        let hex = digest.strip_prefix("sha256:").expect("a digest");
        let blobs = self.store.join("docker/registry/v2/blobs/sha256");
        let file = blobs.join(&hex[..2]).join(hex).join("data");
        let text = fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        serde_json::from_slice(&text).expect("JSON")
    }

    /// Whether the node at this address has got the blob of the image.
    fn served(&self, blob: &str, address: &str) -> bool {
        let log = fs::read_to_string(&self.log).expect("the registry's log");
        let asked = format!("\"GET /v2/{OWNER}/privatelink-prober/blobs/{blob} HTTP/1.1\" 200 ");
        let mut lines = log.lines();
        lines.any(|line| line.starts_with(&format!("{address} ")) && line.contains(&asked))
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // Both fail only when it has ended already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
