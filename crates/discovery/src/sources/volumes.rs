//! Volumes: the storage accounts of Azure Files and Azure Blob volumes, which the nodes mount.
//!
//! What a driver reads where is from its source: azurefile-csi-driver `pkg/azurefile` (`GetAccountInfo`,
//! `NodeStageVolume`), blob-csi-driver `pkg/blob` (`GetAuthEnv`, `NodeStageVolume`), and for volumes
//! without a CSI driver Kubernetes' own csi-translation-lib. Keys are in any case. An attribute comes
//! before the handle, and `server` before both.

use privatelink_verdict::catalogue::Usage;

use crate::finder::{self, Finder, How, Link, Wanted, is_placeholder};
use crate::kind::{Kind, Resource};
use crate::lenient::{Texts, record};
use crate::metadata::Metadata;
use crate::omission::Omission;
use crate::source::Source;
use crate::workload::{AzureFile, CsiVolume, FlexVolume, Nfs, Workload};

mod shared;

/// A driver of Azure Storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Driver {
    File,
    Blob,
}

impl Driver {
    fn new(name: &str) -> Option<Self> {
        match name {
            "file.csi.azure.com" | "kubernetes.io/azure-file" => Some(Self::File),
            "blob.csi.azure.com" => Some(Self::Blob),
            _ => None,
        }
    }

    /// The first label of the suffix.
    fn label(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Blob => "blob",
        }
    }

    fn slug(self) -> &'static str {
        match self {
            Self::File => "storage-file",
            Self::Blob => "storage-blob",
        }
    }

    /// The account that an attribute names, in one of the driver's own spellings.
    fn account(self, attributes: &Texts) -> Option<&str> {
        let compatible = || match self {
            Self::File => None,
            Self::Blob => attributes.get("storageAccountName"),
        };
        attributes.get("storageAccount").or_else(compatible)
    }

    /// NFS is at a port of its own for shares. For blobs the catalogue lists only the port of HTTPS,
    /// and a client that mounts over NFS sends no TLS, so connecting has to do.
    fn how(self, attributes: &Texts) -> How {
        let protocol = attributes.get("protocol").unwrap_or_default();
        let is_nfs = ["nfs", "aznfs", "nfsv3"]
            .iter()
            .any(|nfs| protocol.eq_ignore_ascii_case(nfs));
        How {
            port: match (self, is_nfs) {
                (Self::File, true) => Some(2049),
                (Self::File, false) => Some(445),
                (Self::Blob, _) => None,
            },
            connect_only: is_nfs,
            usage: Some(Usage::Volumes),
        }
    }
}

record! {
    /// A volume of the cluster.
    pub(crate) PersistentVolume {
        /// Where it is.
        spec: VolumeSpec = "spec",
        /// How far it is.
        status: VolumeStatus = "status",
    }
}

record! {
    /// Where a volume is, and who claims it.
    pub(crate) VolumeSpec {
        /// A volume of a CSI driver.
        csi: CsiVolume = "csi",
        /// A share without a CSI driver.
        azure_file: AzureFile = "azureFile",
        /// A share behind an NFS server.
        nfs: Nfs = "nfs",
        /// A volume of a `FlexVolume` driver.
        flex: FlexVolume = "flexVolume",
        /// What the mount is told.
        mount_options: Vec<String> = "mountOptions",
        /// The claim that it is bound to.
        claim: ClaimReference = "claimRef",
    }
}

record! {
    /// A claim.
    pub(crate) ClaimReference {
        /// Its namespace.
        namespace: String = "namespace",
        /// Its name; empty where there is no claim.
        name: String = "name",
    }
}

record! {
    /// How far a volume is.
    pub(crate) VolumeStatus {
        /// `Released`: its claim is gone.
        phase: String = "phase",
    }
}

impl Kind for PersistentVolume {
    const RESOURCE: Resource =
        Resource::built_in("", "PersistentVolume", "persistentvolumes").of_the_cluster();

    fn find(&self, _: &Metadata, finder: &mut Finder<'_>) {
        finder.from(Source::Volumes, |finder| {
            let Self { spec, status } = self;
            let is_over = matches!(status.phase.as_str(), "Released" | "Failed");
            let is_storage =
                Driver::new(&spec.csi.driver).is_some() || !spec.azure_file.secret_name.is_empty();
            if is_over {
                if is_storage {
                    finder.omit(Omission::Unused);
                }
                return;
            }
            csi(&spec.csi, &spec.mount_options, finder);
            azure_file(&spec.azure_file, finder);
            shared::find(&spec.csi, &spec.nfs, &spec.flex, finder);
            if !spec.claim.name.is_empty() && finder.has_found() {
                finder.link(Link::ClaimedBy {
                    namespace: spec.claim.namespace.clone(),
                    name: spec.claim.name.clone(),
                });
            }
        });
    }
}

record! {
    /// How volumes are made.
    pub(crate) StorageClass {
        /// By which driver.
        provisioner: String = "provisioner",
        /// The driver's settings.
        parameters: Texts = "parameters",
        /// What the mounts are told.
        mount_options: Vec<String> = "mountOptions",
    }
}

impl Kind for StorageClass {
    const RESOURCE: Resource =
        Resource::built_in("storage.k8s.io", "StorageClass", "storageclasses").of_the_cluster();

    fn find(&self, _: &Metadata, finder: &mut Finder<'_>) {
        finder.from(Source::Volumes, |finder| {
            shared::of_driver(&self.provisioner, &self.parameters, finder);
            let Some(driver) = Driver::new(&self.provisioner) else {
                return;
            };
            // Without an account the driver makes one, and the volumes name it.
            let account = driver.account(&self.parameters);
            let is_data_lake = is_data_lake(&self.parameters, &self.mount_options);
            storage(driver, account, &self.parameters, is_data_lake, finder);
        });
    }
}

/// The volumes that a workload mounts.
pub(crate) fn mounts(workload: &Workload<'_>, finder: &mut Finder<'_>) {
    for volume in &workload.spec.volumes {
        csi(&volume.csi, &[], finder);
        azure_file(&volume.azure_file, finder);
        shared::find(&volume.csi, &volume.nfs, &volume.flex, finder);
        if !volume.claim.name.is_empty() {
            finder.link(Link::Claim(volume.claim.name.clone()));
        } else if volume.ephemeral.0 && workload.kind == "Pod" {
            // The claim that is made for a pod has the pod's name and the volume's.
            let pod = &workload.metadata.name;
            finder.link(Link::Claim(format!("{pod}-{}", volume.name)));
        }
    }
    let set = &workload.metadata.name;
    for template in workload.claim_templates {
        let claims = format!("{}-{set}", template.metadata.name);
        finder.link(Link::ClaimsOf(claims));
    }
}

fn csi(volume: &CsiVolume, mount_options: &[String], finder: &mut Finder<'_>) {
    let Some(driver) = Driver::new(&volume.driver) else {
        return;
    };
    let attributes = &volume.attributes;
    let account = driver
        .account(attributes)
        .or_else(|| account_in_handle(&volume.handle));
    let is_data_lake = is_data_lake(attributes, mount_options);
    storage(driver, account, attributes, is_data_lake, finder);
    if account.is_none() && attributes.get("server").is_none() {
        let has_secret = volume.stage_secret.0
            || volume.publish_secret.0
            || attributes.get("secretName").is_some();
        finder.omit(if has_secret {
            Omission::InSecret
        } else {
            Omission::NoName
        });
    }
    // blobfuse reads the account's key from a vault.
    if let (Driver::Blob, Some(url)) = (driver, attributes.get("keyVaultURL")) {
        finder.url(url, Wanted::KeyVault, How::by(Usage::Volumes));
    }
}

/// The hosts of a volume in this account.
fn storage(
    driver: Driver,
    account: Option<&str>,
    attributes: &Texts,
    is_data_lake: bool,
    finder: &mut Finder<'_>,
) {
    let how = driver.how(attributes);
    // With `networkEndpointType: privateEndpoint` the driver itself writes the privatelink name here.
    if let Some(server) = attributes.get("server") {
        return finder.host(server, Wanted::Storage, how);
    }
    let Some(account) = account else { return };
    let suffix = attributes.get("storageEndpointSuffix");
    let suffix = match suffix.map(|suffix| suffix.trim_matches('.')) {
        Some(suffix) => format!("{}.{suffix}", driver.label()),
        None => match finder::suffix(driver.slug(), finder.rules.cloud) {
            Some(suffix) => suffix.to_owned(),
            None => return finder.omit(Omission::UnknownCloud),
        },
    };
    finder.resource(account, &suffix, Wanted::Storage, how);
    // blobfuse uses the data lake's endpoint beside that of blobs.
    if driver == Driver::Blob && !how.connect_only && is_data_lake {
        let suffix = suffix.replacen("blob.", "dfs.", 1);
        finder.resource(account, &suffix, Wanted::Storage, how);
    }
}

/// Whether the account is a data lake: the driver made it so, or blobfuse is told to use it so.
fn is_data_lake(attributes: &Texts, mount_options: &[String]) -> bool {
    let is_hns = attributes.get("isHnsEnabled");
    let inline = attributes.get("mountOptions").into_iter();
    let mut options = mount_options.iter().map(String::as_str).chain(inline);
    is_hns.is_some_and(|value| value.eq_ignore_ascii_case("true"))
        || options.any(|option| option.contains("--use-adls=true"))
}

/// `group#account#share…`, with 3 to 7 segments, the first of which may be empty. In some handles the
/// subscription stands before them.
fn account_in_handle(handle: &str) -> Option<&str> {
    let segments: Vec<&str> = handle.splitn(8, '#').collect();
    let index = match segments.len() {
        4..=7 if is_subscription(segments[0]) && is_account(segments[2]) => 2,
        3..=7 => 1,
        _ => return None,
    };
    Some(segments[index]).filter(|account| !account.is_empty())
}

/// A UUID: `8-4-4-4-12` hexadecimal digits.
fn is_subscription(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12]) && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}

/// 3 to 24 lower-case letters and digits (azure-docs, "Storage account overview").
fn is_account(text: &str) -> bool {
    (3..=24).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// A share without a CSI driver. Its account is in a secret; Kubernetes takes it from the secret's name,
/// where that is of the form which the driver gives to the secrets that it makes.
fn azure_file(volume: &AzureFile, finder: &mut Finder<'_>) {
    let secret = volume.secret_name.as_str();
    if secret.is_empty() {
        return;
    }
    if is_placeholder(secret) {
        return finder.omit(Omission::Placeholder);
    }
    let account = secret
        .strip_prefix("azure-storage-account-")
        .and_then(|rest| rest.strip_suffix("-secret"));
    match account {
        Some(account) => storage(
            Driver::File,
            Some(account),
            &Texts::default(),
            false,
            finder,
        ),
        None => finder.omit(Omission::InSecret),
    }
}
