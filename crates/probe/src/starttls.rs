//! Starttls: what a protocol says on an open connection before a TLS handshake may begin.
//!
//! `tls` says nothing. Of the others each has a file below: how the client asks for TLS, and how a server
//! agrees or refuses.

mod channel;
mod mysql;
mod postgres;
mod tds;

use privatelink_verdict::target::Protocol;

pub(super) use self::channel::{Channel, StarttlsError};

/// What carries the handshake.
#[derive(Debug)]
pub(super) struct Started {
    /// The handshake is next on it.
    pub channel: Box<dyn Channel>,
    /// What the server said that explains it, should no handshake follow.
    pub caveat: Option<&'static str>,
    /// What was read for the server's consent, and is the beginning of what a peer says that speaks another
    /// protocol.
    pub consent: &'static [u8],
}

/// Says what has to be said before TLS.
pub(super) async fn start<C: Channel + 'static>(
    protocol: Protocol,
    mut channel: C,
) -> Result<Started, StarttlsError> {
    match protocol {
        Protocol::Tls | Protocol::Tcp => {}
        Protocol::Postgres => {
            postgres::start(&mut channel).await?;
            return Ok(Started {
                channel: Box::new(channel),
                caveat: None,
                consent: &[postgres::TLS_FOLLOWS],
            });
        }
        Protocol::Mysql => mysql::start(&mut channel).await?,
        Protocol::Tds => {
            let caveat = tds::start(&mut channel).await?;
            return Ok(Started {
                channel: Box::new(tds::Packets::new(channel)),
                caveat,
                consent: &[],
            });
        }
    }
    Ok(Started {
        channel: Box::new(channel),
        caveat: None,
        consent: &[],
    })
}

/// What is missing when the time is up before TLS could begin.
pub(super) const fn missing(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tls | Protocol::Tcp => "no answer to the handshake in time",
        Protocol::Postgres => "no whole answer to PostgreSQL's SSLRequest in time",
        Protocol::Mysql => "no whole MySQL greeting in time",
        Protocol::Tds => "no whole answer to PRELOGIN (TDS) in time",
    }
}

#[cfg(test)]
mod tests;
