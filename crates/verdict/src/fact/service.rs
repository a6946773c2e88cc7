//! Service facts: what the reply of the service, or its refusal, says.

use std::net::IpAddr;

use crate::observation::{NoReply, Refused};

/// What the reply of the service, or its refusal, says.
#[derive(Clone, Debug, PartialEq)]
pub enum ServiceFact {
    /// The service gave no reply.
    NoReply {
        /// The address.
        ip: IpAddr,
        /// Why.
        why: NoReply,
    },
    /// The service saw the request come from a public address.
    SeenFrom {
        /// The address that was dialled.
        ip: IpAddr,
        /// The address that the service saw.
        from: IpAddr,
        /// What of the reply says so.
        evidence: String,
    },
    /// The service behind a private address denies this path.
    PathDenied {
        /// The address.
        ip: IpAddr,
        /// What of the reply says so.
        evidence: String,
    },
    /// The denial names a public address: the path may turn public on the way.
    DenialNamesPublic {
        /// The address that the service saw.
        from: IpAddr,
    },
    /// Another device than the service presents the certificate.
    TlsInspected,
    /// The service denies access over a public address.
    AccessDenied {
        /// The address.
        ip: IpAddr,
        /// What of the reply says so.
        evidence: String,
    },
    /// The denial is that of a network security perimeter.
    ByPerimeter,
    /// Public access is off altogether.
    PublicAccessOff,
    /// The server refused this host by its own protocol.
    RefusedByProtocol {
        /// The address.
        ip: IpAddr,
        /// How.
        refused: Refused,
        /// The server's words.
        said: Option<String>,
    },
    /// The reply is not the service's.
    NotTheService {
        /// The address.
        ip: IpAddr,
        /// What of the reply says so.
        evidence: String,
    },
    /// The service answered with trouble of its own.
    ServiceTrouble {
        /// The address.
        ip: IpAddr,
        /// What of the reply says so.
        evidence: String,
    },
    /// Whether the service lets this subnet in is not known.
    AccessUnknown {
        /// Whether the service could be asked, had it been allowed.
        could_be_asked: bool,
    },
}
