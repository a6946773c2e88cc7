//! API server: its name, which AKS writes into the environment of the pods of kube-system (issue
//! Azure/AKS 676).

use crate::finder::{Finder, How, Wanted};
use crate::workload::Workload;

/// The variables that AKS sets to the API server's name.
const VARIABLES: [&str; 2] = ["KUBERNETES_SERVICE_HOST", "KUBERNETES_PORT_443_TCP_ADDR"];

pub(crate) fn find(workload: &Workload<'_>, finder: &mut Finder<'_>) {
    if workload.metadata.namespace != "kube-system" {
        return;
    }
    let containers = workload.spec.all_containers();
    for variable in containers.flat_map(|container| &container.environment) {
        if VARIABLES.contains(&variable.name.as_str()) {
            finder.host(&variable.value, Wanted::ApiServer, How::default());
        }
    }
}
