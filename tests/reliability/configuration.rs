//! Configuration: the agent's files, mounted as Kubernetes mounts a `ConfigMap`: each name is a symbolic link
//! through a folder `..data`, which is itself one and is swapped.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use privatelink_lab::RunningWorld;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::Value;

const FILE: &str = "config.yaml";
const AUTHORITY: &str = "ca.pem";

/// The files of one agent.
#[derive(Debug)]
pub(crate) struct Configuration {
    folder: PathBuf,
    version: u32,
    /// With every target.
    whole: Value,
    authority: String,
}

impl Configuration {
    /// Writes the configuration for `lab` into a new folder below `parent`.
    pub(crate) fn new(parent: &Path, lab: &RunningWorld) -> Self {
        let folder = parent.join("config");
        fs::create_dir_all(&folder).expect("a folder");
        let authority = lab.directory().join(AUTHORITY);
        let mut whole: Value = serde_json::from_str(&lab.configuration).expect("JSON");
        whole["tls"]["caFiles"][0] = folder.join(AUTHORITY).to_string_lossy().into();
        let mut this = Self {
            folder,
            version: 0,
            whole,
            authority: fs::read_to_string(authority).expect("the lab's authority"),
        };
        this.restore();
        for file in [FILE, AUTHORITY] {
            symlink(Path::new("..data").join(file), this.folder.join(file)).expect("a link");
        }
        this
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.join(FILE)
    }

    pub(crate) fn targets(&self) -> usize {
        self.whole["targets"].as_array().map_or(0, Vec::len)
    }

    /// The text with every target.
    pub(crate) fn whole(&self) -> String {
        self.whole.to_string()
    }

    /// The text without the targets whose name begins so.
    pub(crate) fn without(&self, prefix: &str) -> String {
        let mut fewer = self.whole.clone();
        let targets = fewer["targets"].as_array_mut().expect("targets");
        targets.retain(|target| {
            !target["name"]
                .as_str()
                .is_some_and(|name| name.starts_with(prefix))
        });
        fewer.to_string()
    }

    /// Swaps in a configuration.
    pub(crate) fn swap(&mut self, text: &str) {
        let authority = self.authority.clone();
        self.swap_both(text, &authority);
    }

    /// Swaps in the whole configuration, with the lab's authority.
    pub(crate) fn restore(&mut self) {
        self.swap(&self.whole());
    }

    /// Swaps in an authority that has signed nothing.
    pub(crate) fn swap_authority(&mut self) {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let other = CertifiedIssuer::self_signed(params, key).expect("a certificate");
        self.swap_both(&self.whole(), &other.pem());
    }

    /// Writes into the file that is mounted, as no orderly program does.
    pub(crate) fn overwrite(&self, text: &str) {
        fs::write(self.path(), text).expect("the configuration");
    }

    fn swap_both(&mut self, text: &str, authority: &str) {
        let name = |version| format!("..version-{version}");
        let old = self.folder.join(name(self.version));
        self.version += 1;
        let new = self.folder.join(name(self.version));
        fs::create_dir(&new).expect("a folder");
        fs::write(new.join(FILE), text).expect("the configuration");
        fs::write(new.join(AUTHORITY), authority).expect("the authority");
        let link = self.folder.join("..data_tmp");
        symlink(name(self.version), &link).expect("a link");
        fs::rename(link, self.folder.join("..data")).expect("the link");
        // There is none before the first version.
        _ = fs::remove_dir_all(old);
    }
}
