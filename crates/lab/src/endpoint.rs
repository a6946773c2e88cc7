//! Endpoint: what listens at an address of a world, and how it behaves.

mod address;
mod certificate;
mod connection;
mod http;
mod icmp;
mod listeners;
mod serve;
mod starttls;
mod tls;

use std::fmt;
use std::io;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy, sink};
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

pub(crate) use self::address::EndpointAddress;
pub(crate) use self::certificate::Authorities;
pub(crate) use self::connection::AcceptedConnection;
use self::http::serve_reply;
use self::icmp::IcmpMessage;
pub(crate) use self::listeners::{Listener, Listeners};
pub(crate) use self::serve::serve;
use self::starttls::{TlsBehaviour, mysql, postgres, serve_tls, tds};
use self::tls::{Delays, TlsService, Version};
use crate::turn::Turns;

/// What listens at an address, and how it behaves. A new behaviour is a variant here, and an arm of
/// [`PreparedEndpoint::handle`].
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Endpoint {
    /// Speaks TLS, and after the handshake says nothing, unless it has a reply to HTTP.
    Tls(TlsService),
    /// The system fails to dial, in a way that loopback cannot show. Simulated.
    Errno(Errno),
    /// A router or firewall answers with this ICMP message. Simulated.
    Icmp(IcmpMessage),
    /// No route leads to the address. Simulated.
    NoRoute,
    /// Refuses. So does every loopback address in the records that has no endpoint.
    Closed,
    /// Answers no SYN, as behind a firewall that drops.
    Blackhole,
    /// Accepts and says nothing: a plain TCP service, or one that hangs.
    Silent,
    /// Speaks HTTP without TLS.
    PlainHttp,
    /// Sends this line without TLS and closes, such as `SSH-2.0-OpenSSH_9.6`.
    Banner(String),
    /// Reads the `ClientHello` and closes.
    CloseAfterHello,
    /// Reads the `ClientHello` and resets, as some firewalls do.
    ResetAfterHello,
    /// Answers the `ClientHello` with this fatal alert (RFC 8446 section 6), such as 40.
    Alert(u8),
    /// Sends one byte a second of a handshake that never ends.
    Trickle,
    /// `PostgreSQL`: answers `SSLRequest` with one byte, then speaks TLS.
    Postgres(TlsBehaviour),
    /// `MySQL` or `MariaDB`: greets first.
    Mysql(TlsBehaviour),
    /// SQL Server up to TDS 7: TLS inside packets.
    Tds(TlsBehaviour),
    /// SQL Server that demands strict encryption (TDS 8): TLS first, with its ALPN name.
    TdsStrict(TlsService),
}

/// A way in which the system fails a connection attempt, as errno(3) calls it.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Errno {
    /// A route of type `prohibit` (ip-route(8)).
    Eacces,
    /// No local port is left.
    Eaddrnotavail,
    /// Reset while it was being opened.
    Econnreset,
    /// A router or firewall answered that the host cannot be reached (ICMP).
    Ehostunreach,
    /// The process has no descriptor left.
    Emfile,
    /// No route, or a router that has none.
    Enetunreach,
}

impl Errno {
    /// Its number on Linux.
    pub(crate) const fn number(self) -> i32 {
        match self {
            Self::Eacces => 13,
            Self::Emfile => 24,
            Self::Eaddrnotavail => 99,
            Self::Enetunreach => 101,
            Self::Econnreset => 104,
            Self::Ehostunreach => 113,
        }
    }
}

/// An endpoint with the certificate that was made for it.
#[derive(Clone)]
pub(crate) struct PreparedEndpoint {
    pub(crate) endpoint: Endpoint,
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) turns: Turns,
}

impl fmt::Debug for PreparedEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.endpoint.fmt(f)
    }
}

impl Endpoint {
    /// The TLS service behind the endpoint, if it speaks TLS.
    pub(crate) fn tls(&self) -> Option<TlsService> {
        match self {
            Self::Tls(tls)
            | Self::TdsStrict(tls)
            | Self::Postgres(TlsBehaviour::Tls(tls))
            | Self::Mysql(TlsBehaviour::Tls(tls)) => Some(tls.clone()),
            // TDS packets carry no TLS 1.3.
            Self::Tds(TlsBehaviour::Tls(tls)) => Some(TlsService {
                versions: vec![Version::Tls12],
                ..tls.clone()
            }),
            _ => None,
        }
    }

    fn delay(&self) -> Delays {
        self.tls().map(|tls| tls.delay).unwrap_or_default()
    }

    /// Whether a connection to it is opened.
    pub(crate) fn accepts(&self) -> bool {
        !matches!(
            self,
            Self::Closed | Self::Blackhole | Self::Errno(_) | Self::Icmp(_) | Self::NoRoute
        )
    }
}

impl PreparedEndpoint {
    /// Serves one connection.
    async fn handle(self, mut stream: AcceptedConnection) -> io::Result<()> {
        let tls = self.tls.as_ref();
        match self.endpoint {
            Endpoint::Tls(described) => match described.reply {
                None => serve_tls(tls, stream).await,
                Some(reply) => {
                    let delay = described.delay.reply;
                    serve_reply(tls, stream, &reply, described.delivery, delay).await
                }
            },
            Endpoint::Postgres(behaviour) => postgres::serve(&behaviour, tls, stream).await,
            Endpoint::Mysql(behaviour) => mysql::serve(&behaviour, tls, stream).await,
            Endpoint::Tds(behaviour) => tds::serve(&behaviour, tls, stream).await,
            Endpoint::TdsStrict(_) => tds::serve_strict(tls, stream).await,
            Endpoint::PlainHttp => {
                read_client_hello(&mut stream).await?;
                let reply =
                    b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                stream.write_all(reply).await
            }
            Endpoint::Banner(line) => {
                stream.write_all(format!("{line}\r\n").as_bytes()).await?;
                read_client_hello(&mut stream).await
            }
            Endpoint::CloseAfterHello => {
                read_client_hello(&mut stream).await?;
                Ok(())
            }
            Endpoint::ResetAfterHello => {
                read_client_hello(&mut stream).await?;
                stream.get_ref().set_zero_linger()
            }
            Endpoint::Alert(description) => {
                read_client_hello(&mut stream).await?;
                // Record type alert, version 1.2, two bytes: fatal, description.
                stream.write_all(&[21, 3, 3, 0, 2, 2, description]).await
            }
            Endpoint::Trickle => {
                // The header of a handshake record that would hold 16 KiB of ServerHello.
                let header = [22, 3, 3, 0x40, 0, 2, 0, 0x3f, 0xfc];
                for byte in header.into_iter().chain(std::iter::repeat(0)) {
                    stream.write_all(&[byte]).await?;
                    sleep(Duration::from_secs(1)).await;
                }
                Ok(())
            }
            // All but the first accept no connection.
            Endpoint::Silent
            | Endpoint::Closed
            | Endpoint::Blackhole
            | Endpoint::Errno(_)
            | Endpoint::Icmp(_)
            | Endpoint::NoRoute => copy(&mut stream, &mut sink()).await.map(drop),
        }
    }
}

/// Waits for the first bytes of the client, whatever they are.
async fn read_client_hello(stream: &mut AcceptedConnection) -> io::Result<()> {
    let length = stream.read(&mut [0; 4096]).await?;
    if length == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}
