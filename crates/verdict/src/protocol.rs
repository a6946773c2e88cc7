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
