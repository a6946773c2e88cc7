//! Protocol: how a handshake with a service begins.

use crate::words::words;

words! {
    /// How the handshake begins.
    Protocol {
        /// TLS from the first byte.
        Tls = "tls",
        /// Connect only.
        Tcp = "tcp",
        /// TLS inside TDS PRELOGIN packets (MS-TDS), as SQL Server speaks it.
        Tds = "tds",
        /// TLS after `PostgreSQL`'s `SSLRequest`.
        Postgres = "postgres",
        /// TLS after `MySQL`'s greeting and SSL request.
        Mysql = "mysql",
    }
}

impl Protocol {
    /// The arguments with which `openssl s_client` begins its handshake as the agent does; `None` where
    /// it cannot.
    pub(crate) const fn openssl_arguments(self) -> Option<&'static str> {
        match self {
            Self::Tls | Self::Tcp => Some(""),
            Self::Tds => None,
            Self::Postgres => Some(" -starttls postgres"),
            Self::Mysql => Some(" -starttls mysql"),
        }
    }
}
