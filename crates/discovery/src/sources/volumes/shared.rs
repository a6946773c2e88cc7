//! Shared: storage accounts that are mounted by drivers which know nothing of Azure: any NFS or SMB server
//! may be named there, so others are not counted.

use privatelink_verdict::catalogue::{self, Usage};

use crate::finder::{Finder, How, Wanted};
use crate::lenient::Texts;
use crate::omission::Omission;
use crate::workload::{CsiVolume, FlexVolume, Nfs};

/// The driver of blobfuse before there were CSI drivers. Its account is in a secret.
const FLEX_BLOBFUSE: &str = "azure/blobfuse";

pub(super) fn find(csi: &CsiVolume, nfs: &Nfs, flex: &FlexVolume, finder: &mut Finder<'_>) {
    of_driver(&csi.driver, &csi.attributes, finder);
    if !nfs.server.is_empty() {
        server(&nfs.server, true, finder);
    }
    if flex.driver == FLEX_BLOBFUSE {
        finder.omit(Omission::InSecret);
    }
}

/// What a volume or a storage class of this driver names.
pub(super) fn of_driver(driver: &str, settings: &Texts, finder: &mut Finder<'_>) {
    match driver {
        "nfs.csi.k8s.io" => {
            if let Some(host) = settings.get("server") {
                server(host, true, finder);
            }
        }
        // `//account.file.core.windows.net/share`
        "smb.csi.k8s.io" => {
            let source = settings.get("source").unwrap_or_default();
            let host = source.trim_start_matches(['/', '\\']).split(['/', '\\']);
            server(host.into_iter().next().unwrap_or_default(), false, finder);
        }
        _ => {}
    }
}

fn server(host: &str, is_nfs: bool, finder: &mut Finder<'_>) {
    let normalised = host.trim_end_matches('.').to_ascii_lowercase();
    let service = catalogue::lookup(&normalised).map(|known| known.service.slug);
    let port = match service {
        Some(slug) if slug.starts_with("storage-file") => Some(if is_nfs { 2049 } else { 445 }),
        _ => None,
    };
    let how = How {
        port,
        connect_only: is_nfs,
        usage: Some(Usage::Volumes),
    };
    if service.is_some_and(|slug| slug.starts_with("storage-")) {
        finder.host(host, Wanted::Storage, how);
    }
}
