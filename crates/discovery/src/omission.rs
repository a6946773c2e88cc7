//! Omission: why a service that an object names, or may use, is no target.

use privatelink_verdict::words;

words! {
    /// Why a service that an object names, or may use, is no target.
    Omission {
        /// The name is not in the object: the driver or the program chooses it.
        NoName = "no_name",
        /// The name is in a secret, which is not read.
        InSecret = "in_secret",
        /// The name is in an environment variable of the workload.
        InEnvironment = "in_environment",
        /// A storage account is named, and not which of its services is used.
        ServiceUnknown = "service_unknown",
        /// The text is a template that has not been filled in.
        Placeholder = "placeholder",
        /// The object names a cloud whose suffixes are not known.
        UnknownCloud = "unknown_cloud",
        /// The text cannot be the name of a host or of an Azure resource.
        NotAHost = "not_a_host",
        /// The image's name is not a reference: no runtime pulls it.
        InvalidImage = "invalid_image",
        /// A name of the cluster itself.
        ClusterInternal = "cluster_internal",
        /// The host is neither in the catalogue nor in allowedHosts.
        NotAllowed = "not_allowed",
        /// The catalogue does not list the port for the host.
        PortNotAllowed = "port_not_allowed",
        /// Nothing mounts it.
        Unused = "unused",
        /// The object names more services than are read of one object.
        TooMany = "too_many",
        /// Its namespace has as many targets as one may have (observer.discovery.maxPerNamespace).
        NamespaceFull = "namespace_full",
    }
}
