//! External name: services that are aliases of a service outside the cluster.

use privatelink_verdict::admission;

use crate::finder::{Finder, How, Wanted};
use crate::kind::{Kind, Resource};
use crate::lenient::record;
use crate::metadata::Metadata;
use crate::source::Source;

record! {
    /// A Service.
    pub(crate) Service {
        /// What it is.
        spec: Spec = "spec",
    }
}

record! {
    /// What a Service is.
    pub(crate) Spec {
        /// `ExternalName` for an alias.
        kind: String = "type",
        /// The name that it is an alias of.
        external_name: String = "externalName",
        /// The ports that its users use.
        ports: Vec<Port> = "ports",
    }
}

record! {
    /// A port of a Service.
    pub(crate) Port {
        /// The number.
        number: u16 = "port",
    }
}

impl Kind for Service {
    const RESOURCE: Resource = Resource::built_in("", "Service", "services");

    fn find(&self, _: &Metadata, finder: &mut Finder<'_>) {
        let spec = &self.spec;
        if spec.kind != "ExternalName" {
            return;
        }
        finder.from(Source::ExternalNames, |finder| {
            // What is written as a port need not mean anything for an alias, so only a port that may be
            // probed counts.
            let host = spec
                .external_name
                .trim_end_matches('.')
                .to_ascii_lowercase();
            let allowed = &finder.rules.allowed;
            let admits = |port: &u16| admission::admit(&host, Some(*port), allowed).is_ok();
            let ports = spec.ports.iter().map(|port| port.number);
            let mut ports: Vec<_> = ports
                .filter(|port| *port != 0)
                .filter(admits)
                .map(Some)
                .collect();
            if ports.is_empty() {
                ports.push(None);
            }
            for port in ports {
                let how = How {
                    port,
                    ..How::default()
                };
                finder.host(&spec.external_name, Wanted::Any, how);
            }
        });
    }
}
