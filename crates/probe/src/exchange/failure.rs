//! Failure: why one try of an exchange brought no usable message.

use std::io;

use privatelink_verdict::observation::{QueryOutcome, Rcode};

/// Why a try brought no usable message.
#[derive(Clone, Debug)]
pub(super) struct TryFailure {
    /// What it amounts to.
    pub(super) outcome: QueryOutcome,
    /// The RCODE, where the server said one.
    pub(super) rcode: Option<Rcode>,
    /// What went wrong, in words.
    pub(super) detail: Option<String>,
    /// The fault is ours.
    pub(super) fault: bool,
    /// There was no socket to ask with, which no other server and no other try at this moment changes.
    pub(super) no_socket: bool,
}

impl TryFailure {
    /// Nothing came in time.
    pub(super) fn silence() -> Self {
        Self {
            outcome: QueryOutcome::Timeout,
            rcode: None,
            detail: None,
            fault: false,
            no_socket: false,
        }
    }

    /// Whether nothing came.
    pub(super) fn is_silence(&self) -> bool {
        self.outcome == QueryOutcome::Timeout
    }

    /// Something came that cannot be read.
    pub(super) fn unreadable(detail: &str) -> Self {
        Self {
            outcome: QueryOutcome::Invalid,
            rcode: None,
            detail: Some(format!("the answer cannot be read: {detail}")),
            fault: false,
            no_socket: false,
        }
    }

    /// So much came that is no answer that the rest was not read.
    pub(super) fn flooded() -> Self {
        Self::unreadable(
            "the server sends one datagram after another that is no answer to the question",
        )
    }

    /// There is no socket to ask with: no descriptor or no port is left.
    pub(super) fn no_socket(error: io::Error) -> Self {
        Self {
            no_socket: true,
            ..Self::from(error)
        }
    }

    /// We could not ask.
    pub(super) fn ours(detail: String) -> Self {
        Self {
            outcome: QueryOutcome::Unreachable,
            rcode: None,
            detail: Some(detail),
            fault: true,
            no_socket: false,
        }
    }
}

impl From<io::Error> for TryFailure {
    fn from(error: io::Error) -> Self {
        let of_the_network = matches!(
            error.kind(),
            io::ErrorKind::ConnectionRefused
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::HostUnreachable
                | io::ErrorKind::NetworkUnreachable
                | io::ErrorKind::NetworkDown
                | io::ErrorKind::AddrNotAvailable
                // A local firewall rule that drops what is sent.
                | io::ErrorKind::PermissionDenied
        );
        Self {
            fault: !of_the_network,
            ..Self::ours(error.to_string())
        }
    }
}
