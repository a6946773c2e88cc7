//! Shutdown: being told to stop, by SIGTERM or SIGINT.

use std::io;

use tokio::signal::unix::{SignalKind, signal};

/// The signal by which the process was told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGTERM: `kill`, or the kubelet.
    Terminate,
}

impl Told {
    /// Its name.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        }
    }

    /// What a shell reports of a process that the signal ended: 128 and the signal's number.
    pub(super) const fn exit_code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }
}

/// Waits for SIGTERM or SIGINT, and says which it was.
pub(super) async fn told_to_stop() -> io::Result<Told> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => Ok(Told::Terminate),
        _ = interrupt.recv() => Ok(Told::Interrupt),
    }
}
