//! Handshake: TLS on an open connection, however the protocol begins it, up to the peer's certificate.
//!
//! Every certificate is accepted while the handshake runs and examined afterwards, so that its facts
//! survive whatever is wrong with it. Nothing that needs trust is ever sent.

mod oversized;
mod tap;
mod told;

use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use privatelink_verdict::observation::{Certificate, Handshake, Refusal};
use privatelink_verdict::target::{Protocol, Target};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientConfig, ResolvesClientCert, Resumption};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{DigitallySignedStruct, SignatureScheme, SupportedProtocolVersion, version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use self::tap::Tap;
use self::told::{Failure, failure};
use super::certificate::examine;
use super::starttls::{self, Begun, Channel};
use crate::roots::Roots;

/// Oversized certificates that are read at a time: each takes a megabyte or two while it is, and a
/// name may have many addresses that present one.
const MAX_OVERSIZED: usize = 2;

/// What the handshakes of an agent share.
#[derive(Clone, Debug)]
pub(super) struct Shaker {
    provider: Arc<CryptoProvider>,
    roots: Arc<Roots>,
    /// Permits to read an oversized certificate.
    oversized: Arc<Semaphore>,
}

/// What became of one handshake.
#[derive(Debug)]
pub(super) struct Shaken {
    /// The stream, if the handshake was completed; end it with [`take_leave`].
    pub stream: Option<TlsStream<Box<dyn Channel>>>,
    /// How it ended.
    pub outcome: Handshake,
    /// Time to the outcome.
    pub elapsed: Duration,
    /// What the peer or the library said.
    pub detail: Option<String>,
    /// By which rule the peer turned us away before TLS.
    pub refusal: Option<Refusal>,
    /// The leaf certificate, if one was received.
    pub certificate: Option<Certificate>,
}

impl Shaker {
    /// Verifies against `roots`.
    pub(super) fn new(roots: Arc<Roots>) -> Self {
        let mut provider = aws_lc_rs::default_provider();
        // A hybrid key share alone is larger than a segment, and boxes in between are known to drop
        // a ClientHello in two: the probe must not fabricate that failure.
        provider.kx_groups = vec![
            aws_lc_rs::kx_group::X25519,
            aws_lc_rs::kx_group::SECP256R1,
            aws_lc_rs::kx_group::SECP384R1,
        ];
        Self {
            provider: Arc::new(provider),
            roots,
            oversized: Arc::new(Semaphore::new(MAX_OVERSIZED)),
        }
    }

    /// Shakes hands as a client of `target`, with what its protocol says before, until `deadline`.
    pub(super) async fn shake(
        &self,
        stream: TcpStream,
        target: &Target,
        deadline: Instant,
    ) -> Shaken {
        let started = Instant::now();
        let peer = stream.peer_addr();
        // Inside TDS packets SQL Server speaks no TLS 1.3: Microsoft, "TDS 8.0".
        let versions = match target.protocol {
            Protocol::Tds => TLS12,
            _ => rustls::DEFAULT_VERSIONS,
        };
        let mut attempt = self.attempt(stream, target, versions, deadline).await;
        // TLS 1.3 hides the certificate that is too large to be read; 1.2 shows it. A MySQL server
        // would count the second broken connection against this host.
        if attempt.oversized
            && attempt.chain.is_empty()
            && target.protocol != Protocol::Mysql
            && let Ok(peer) = peer
            && let Ok(Ok(stream)) = timeout_at(deadline, TcpStream::connect(peer)).await
        {
            attempt.chain = self.attempt(stream, target, TLS12, deadline).await.chain;
        }
        let elapsed = started.elapsed();
        let now = SystemTime::now();
        let certificate = examine(&attempt.chain, &target.server_name, &self.roots, now);
        let (stream, outcome, detail) = match attempt.result {
            Ok(_) if certificate.is_none() => {
                let detail = "the peer's certificate cannot be read".to_owned();
                (None, Handshake::BadCertificate, Some(detail))
            }
            Ok(stream) => (Some(stream), Handshake::Ok, None),
            Err((outcome, detail)) => (None, outcome, detail),
        };
        Shaken {
            stream,
            outcome,
            elapsed,
            detail,
            refusal: attempt.refusal,
            certificate,
        }
    }

    /// One handshake over `stream`, offering `versions`.
    async fn attempt(
        &self,
        stream: TcpStream,
        target: &Target,
        versions: &[&'static SupportedProtocolVersion],
        deadline: Instant,
    ) -> Attempt {
        let mut attempt = Attempt {
            result: Err((Handshake::Timeout, None)),
            refusal: None,
            chain: Vec::new(),
            oversized: false,
        };
        let begun = match timeout_at(deadline, starttls::begin(target.protocol, stream)).await {
            Ok(Ok(begun)) => begun,
            Ok(Err(none)) => {
                attempt.refusal = none.refusal;
                attempt.result = Err((none.outcome, Some(none.detail)));
                return attempt;
            }
            Err(_) => {
                let missing = starttls::missing(target.protocol);
                attempt.result = Err((Handshake::Timeout, Some(missing.to_owned())));
                return attempt;
            }
        };
        let Begun { channel, caveat } = begun;
        let seen = Arc::new(Seen {
            provider: Arc::clone(&self.provider),
            chain: Mutex::default(),
            client_asked: AtomicBool::new(false),
        });
        let (connector, name) = match self.client(&seen, target, versions) {
            Ok(client) => client,
            Err(detail) => {
                attempt.result = Err((Handshake::Failed, Some(detail)));
                return attempt;
            }
        };
        let tap: Box<dyn Channel> = Box::new(Tap::new(channel));
        let connecting = connector.connect(name, tap).into_fallible();
        attempt.result = match timeout_at(deadline, connecting).await {
            Ok(Ok(mut stream)) => {
                stream.get_mut().0.secured();
                Ok(stream)
            }
            Ok(Err((error, mut channel))) => {
                if matches!(
                    error.kind(),
                    ErrorKind::BrokenPipe | ErrorKind::ConnectionReset
                ) {
                    // What it said before may be there still: the channel keeps it.
                    let soon = deadline.min(Instant::now() + Duration::from_millis(50));
                    let _ = timeout_at(soon, channel.read(&mut [0; 512])).await;
                }
                let Failure {
                    outcome,
                    mut detail,
                    oversized,
                } = failure(&error, channel.heard());
                if oversized {
                    attempt.oversized = true;
                    let read = async {
                        let _turn = self.oversized.acquire().await;
                        oversized::chain(channel.as_mut()).await
                    };
                    // Without it the handshake has failed all the same.
                    attempt.chain = timeout_at(deadline, read).await.unwrap_or_default();
                } else if seen.client_asked.load(Ordering::Relaxed) {
                    detail.push_str(
                        "; it had asked for a client certificate, and the probe has none",
                    );
                }
                Err((outcome, Some(detail)))
            }
            Err(_) => Err((Handshake::Timeout, None)),
        };
        if attempt.chain.is_empty() {
            attempt.chain = std::mem::take(&mut *seen.chain());
        }
        let unexplained = matches!(
            attempt.result,
            Err((
                Handshake::Timeout | Handshake::Interrupted | Handshake::Failed,
                _
            ))
        );
        if let Some(caveat) = caveat.filter(|_| unexplained && attempt.chain.is_empty()) {
            attempt.result = Err((Handshake::Failed, Some(caveat.to_owned())));
        }
        attempt
    }

    fn client(
        &self,
        seen: &Arc<Seen>,
        target: &Target,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Result<(TlsConnector, ServerName<'static>), String> {
        let name = target.server_name.clone();
        let name = ServerName::try_from(name).map_err(|error| error.to_string())?;
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(versions)
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(seen) as Arc<dyn ServerCertVerifier>)
            .with_client_cert_resolver(Arc::clone(seen) as Arc<dyn ResolvesClientCert>);
        // Every probe really sees the certificate.
        config.resumption = Resumption::disabled();
        if target.is_strict_tds() {
            // The name by which TDS 8 asks for itself (RFC 7301; IANA, TLS ALPN Protocol IDs).
            config.alpn_protocols = vec![b"tds/8.0".to_vec()];
        }
        Ok((TlsConnector::from(Arc::new(config)), name))
    }
}

/// Says goodbye (`close_notify`, RFC 8446 section 6.1), so that the peer logs no error.
pub(super) async fn take_leave(mut stream: TlsStream<Box<dyn Channel>>) {
    let soon = Instant::now() + Duration::from_millis(100);
    // It says nothing about the service whether the farewell was read.
    let _ = timeout_at(soon, stream.shutdown()).await;
}

/// TLS on whatever carries it.
type Stream = TlsStream<Box<dyn Channel>>;

/// What became of one attempt at a handshake.
struct Attempt {
    result: Result<Stream, (Handshake, Option<String>)>,
    refusal: Option<Refusal>,
    /// What the peer presented, leaf first.
    chain: Vec<CertificateDer<'static>>,
    /// A message of the peer is larger than is read.
    oversized: bool,
}

const TLS12: &[&SupportedProtocolVersion] = &[&version::TLS12];

/// Takes down the chain and accepts it; only the proof that the peer holds the key is checked.
#[derive(Debug)]
struct Seen {
    provider: Arc<CryptoProvider>,
    chain: Mutex<Vec<CertificateDer<'static>>>,
    /// The peer asked for a client certificate.
    client_asked: AtomicBool,
}

impl Seen {
    fn chain(&self) -> std::sync::MutexGuard<'_, Vec<CertificateDer<'static>>> {
        self.chain.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ServerCertVerifier for Seen {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let whole = std::iter::once(end_entity).chain(intermediates);
        *self.chain() = whole
            .map(|certificate| certificate.clone().into_owned())
            .collect();
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

impl ResolvesClientCert for Seen {
    fn resolve(
        &self,
        _root_hint_subjects: &[&[u8]],
        _sigschemes: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        self.client_asked.store(true, Ordering::Relaxed);
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests;
