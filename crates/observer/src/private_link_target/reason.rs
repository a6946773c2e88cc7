//! Reason: why the condition `Accepted` of a `PrivateLinkTarget` is true or false.

use privatelink_verdict::words;

words! {
    /// Why a `PrivateLinkTarget` is accepted or not.
    AcceptedReason {
        /// It is probed.
        Accepted = "Accepted",
        /// It is probed once, for this object and for an older one with the same host and settings.
        SameAsOlder = "SameAsOlder",
        /// A value cannot be read, or is out of its bounds.
        InvalidSpec = "InvalidSpec",
        /// The host is a name of the cluster itself.
        ClusterInternalHost = "ClusterInternalHost",
        /// The host is neither an Azure service's nor in `allowedHosts`.
        HostNotAllowed = "HostNotAllowed",
        /// The service does not have the port.
        PortNotAllowed = "PortNotAllowed",
        /// To connect with the protocol would harm the service's users.
        ProtocolNotAllowed = "ProtocolNotAllowed",
        /// An expected network lies in `deniedCidrs`, so that its addresses are never dialled.
        NetworkDenied = "NetworkDenied",
        /// The operator's configuration has the host and port, or a target of the same name.
        ConfiguredByOperator = "ConfiguredByOperator",
        /// An older object has the host and port with other settings.
        Conflict = "Conflict",
        /// The namespace has as many targets as are allowed.
        TooManyInNamespace = "TooManyInNamespace",
        /// The cluster has as many targets as the agents take.
        TooManyTargets = "TooManyTargets",
    }
}

impl AcceptedReason {
    /// Whether the host is probed with the object's settings.
    pub const fn is_accepted(self) -> bool {
        matches!(self, Self::Accepted | Self::SameAsOlder)
    }
}
