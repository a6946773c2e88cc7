//! Images: the registries that the container runtime pulls from, on the node's path.

use privatelink_verdict::catalogue::Usage;

use crate::finder::{Finder, How, Wanted, is_placeholder};
use crate::omission::Omission;
use crate::reference;
use crate::workload::Workload;

pub(crate) fn find(workload: &Workload<'_>, finder: &mut Finder<'_>) {
    let containers = workload.spec.all_containers();
    let images = containers.map(|container| container.image.as_str());
    let volumes = workload.spec.volumes.iter();
    let volumes = volumes.map(|volume| volume.image.reference.as_str());
    for reference in images.chain(volumes) {
        // The image of a template may be left to an admission webhook.
        if !reference.is_empty() {
            image(reference, How::by(Usage::Registries), finder);
        }
    }
}

/// The registry of an image.
pub(crate) fn image(reference: &str, how: How, finder: &mut Finder<'_>) {
    match reference::registry(reference) {
        Ok(Some(registry)) => {
            let port = registry.port;
            finder.host(registry.host, Wanted::Registry, How { port, ..how });
        }
        Ok(None) => {}
        Err(_) if is_placeholder(reference) => finder.omit(Omission::Placeholder),
        Err(_) => finder.omit(Omission::InvalidImage),
    }
}
