//! TLS: the server's side of a connection's beginning. A connection that begins with no handshake is plain
//! HTTP, and is told apart by its first byte.

use std::io;
use std::net::IpAddr;

use rustls::pki_types::CertificateDer;
use rustls::server::Acceptor;
use tokio::net::TcpStream;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;

use super::access::Access;
use super::pace::Pace;

/// A connection to read requests from, as it came or decrypted.
pub(super) type Stream = Either<TcpStream, Box<TlsStream<TcpStream>>>;

/// How a client has secured its connection.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Security {
    /// Whether it is encrypted; then the client has the certificate that it needs.
    pub(super) is_tls: bool,
    /// Whether that certificate has a name that is allowed.
    pub(super) has_allowed_name: bool,
}

/// The first byte of a TLS handshake (RFC 8446 section 5.1), which begins no HTTP request.
const HANDSHAKE: u8 = 22;

/// What is kept of a reply that is encrypted and not sent, in bytes, beside what the kernel keeps.
const BUFFER: usize = 16 * 1024;

/// The connection after its handshake, if there is one.
pub(super) async fn secured(
    stream: TcpStream,
    access: &Access,
    pace: &Pace,
) -> io::Result<(Stream, Security)> {
    let plain = |stream| Ok((Either::Left(stream), Security::default()));
    if access.config().tls.is_none() {
        return plain(stream);
    }
    let mut first = [0];
    stream.peek(&mut first).await?;
    if first != [HANDSHAKE] {
        return plain(stream);
    }
    // In memory of its own: connections in plain HTTP need none for it.
    Box::pin(shaken(stream, access, pace)).await
}

/// The connection after its handshake.
async fn shaken(stream: TcpStream, access: &Access, pace: &Pace) -> io::Result<(Stream, Security)> {
    let hello = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
    // Most of a handshake is computed now. Of very many that come at once, each waits for its turn.
    pace.turn().await;
    let Some(tls) = access.config().tls.clone() else {
        return Err(io::Error::other("TLS was switched off meanwhile"));
    };
    let stream = hello
        .into_stream_with(tls.server, |connection| {
            connection.set_buffer_limit(Some(BUFFER));
        })
        .await?;
    let allowed = tls.client_allowed_sans;
    let certificate = stream
        .get_ref()
        .1
        .peer_certificates()
        .and_then(<[_]>::first);
    let security = Security {
        is_tls: true,
        has_allowed_name: allowed.is_empty()
            || certificate.is_some_and(|it| names(it).iter().any(|name| allowed.contains(name))),
    };
    Ok((Either::Right(Box::new(stream)), security))
}

/// The names of a client's certificate: hosts, addresses of mail, IP addresses and URIs.
fn names(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok((_, parsed)) = parse_x509_certificate(certificate) else {
        return Vec::new();
    };
    let extension = parsed.subject_alternative_name().ok().flatten();
    let names = extension.map_or(&[][..], |extension| &extension.value.general_names);
    let names = names.iter().filter_map(|name| match name {
        GeneralName::DNSName(text) | GeneralName::RFC822Name(text) | GeneralName::URI(text) => {
            Some((*text).to_owned())
        }
        GeneralName::IPAddress(bytes) => match bytes.len() {
            4 => <[u8; 4]>::try_from(*bytes)
                .ok()
                .map(|ip| IpAddr::from(ip).to_string()),
            _ => <[u8; 16]>::try_from(*bytes)
                .ok()
                .map(|ip| IpAddr::from(ip).to_string()),
        },
        _ => None,
    });
    names.collect()
}
