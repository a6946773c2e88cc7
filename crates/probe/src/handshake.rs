//! Handshake: TLS on an open connection, however the protocol begins it, up to the peer's certificate.
//!
//! Every certificate is accepted while the handshake runs and examined afterwards, so that its facts
//! are kept whatever is wrong with it. Nothing that needs trust is ever sent.

mod chain_recorder;
mod failure;
mod read_recorder;

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use privatelink_verdict::observation::{Certificate, Handshake, NoHandshake, Refused};
use privatelink_verdict::target::{Protocol, Target};
use rustls::client::danger::ServerCertVerifier;
use rustls::client::{ClientConfig, ResolvesClientCert, Resumption};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::ServerName;
use rustls::{SupportedProtocolVersion, version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use self::chain_recorder::ChainRecorder;
use self::failure::failure;
use self::read_recorder::ReadRecorder;
use super::certificate::examine;
use super::connection_budget::ConnectionBudget;
use super::roots::Roots;
use super::starttls::{self, Channel, Started};

/// What the handshakes of an agent share.
#[derive(Clone, Debug)]
pub(super) struct TlsDialer {
    provider: Arc<CryptoProvider>,
    roots: Arc<Roots>,
}

/// What became of one handshake.
#[derive(Debug)]
pub(super) struct TlsAttempt {
    /// The stream, if the handshake was completed; end it with [`close`].
    pub stream: Option<Stream>,
    /// How it ended.
    pub outcome: Handshake,
    /// Whether we gave it up: the peer sent much, and so did too many others.
    pub gave_up: bool,
    /// Time to the outcome, without the examination of the certificate.
    pub elapsed: Duration,
    /// What the peer or the library said.
    pub detail: Option<String>,
    /// Whether the peer ended the connection for want of a client certificate.
    pub client_certificate_required: bool,
    /// Why it was not completed, where that is known.
    pub no_handshake: Option<NoHandshake>,
    /// How the peer refused this host before TLS.
    pub refused: Option<Refused>,
    /// The leaf certificate, if one was received.
    pub certificate: Option<Certificate>,
}

/// TLS on whatever carries it.
pub(super) type Stream = TlsStream<Box<dyn Channel>>;

/// The shortest and the longest time that a peer gets to refuse a client without a certificate: between
/// them it is as long as the handshake took, which is several round trips.
const REFUSAL_WAIT: (Duration, Duration) = (Duration::from_millis(200), Duration::from_millis(500));

const TLS12: &[&SupportedProtocolVersion] = &[&version::TLS12];

impl TlsDialer {
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
        // Nothing secret is sent, and the key schedule with SHA-384 is a twentieth of a probe's work. Servers
        // that have a preference of their own keep it.
        provider.cipher_suites.sort_by_key(|suite| {
            let name = suite.suite().as_str();
            !name.is_some_and(|name| name.contains("AES_128"))
        });
        Self {
            provider: Arc::new(provider),
            roots,
        }
    }

    /// Makes one handshake over `stream` as a client of `target`, with what its protocol says before
    /// TLS, until `deadline`.
    pub(super) async fn attempt<C: Channel + 'static>(
        &self,
        stream: C,
        target: &Target,
        budget: &ConnectionBudget,
        deadline: Instant,
    ) -> TlsAttempt {
        let started = Instant::now();
        let recorder = Arc::new(ChainRecorder::new(Arc::clone(&self.provider)));
        let result = self
            .handshake(stream, target, &recorder, budget, deadline)
            .await;
        let elapsed = started.elapsed();
        let chain = recorder.take_chain();
        let certificate = examine(&chain, target.server_name(), &self.roots, SystemTime::now());
        let mut attempt = TlsAttempt {
            stream: None,
            outcome: Handshake::Ok,
            gave_up: false,
            elapsed,
            detail: None,
            client_certificate_required: false,
            no_handshake: None,
            refused: None,
            certificate,
        };
        match result {
            Ok(_) if attempt.certificate.is_none() => {
                attempt.outcome = Handshake::BadCertificate;
                attempt.detail = Some("the peer's certificate cannot be read".to_owned());
            }
            Ok(mut stream) => {
                attempt.client_certificate_required = recorder.client_asked()
                    && refuses_soon(&mut stream, attempt.elapsed, deadline).await;
                attempt.stream = Some(stream).filter(|_| !attempt.client_certificate_required);
            }
            Err(error)
                if error.wants_client_certificate
                    && recorder.client_asked()
                    && attempt.certificate.is_some() =>
            {
                attempt.client_certificate_required = true;
            }
            Err(error) => {
                // What the protocol's start left open explains a handshake without a certificate.
                let caveat = error.caveat.filter(|_| chain.is_empty());
                attempt.outcome = caveat.map_or(error.outcome, |_| Handshake::Failed);
                attempt.detail = caveat.map(str::to_owned).or(error.detail);
                // What comes after the certificate is about the client, not about what was offered.
                attempt.no_handshake = match caveat {
                    Some(_) => Some(NoHandshake::NoTls),
                    None => error.no_handshake.filter(|_| chain.is_empty()),
                };
                attempt.refused = error.refused;
                attempt.gave_up = error.outcome == Handshake::Skipped;
            }
        }
        attempt
    }

    async fn handshake<C: Channel + 'static>(
        &self,
        stream: C,
        target: &Target,
        recorder: &Arc<ChainRecorder>,
        budget: &ConnectionBudget,
        deadline: Instant,
    ) -> Result<Stream, HandshakeError> {
        let started = timeout_at(deadline, starttls::start(target.protocol, stream)).await;
        let Ok(started) = started else {
            let missing = starttls::missing(target.protocol).to_owned();
            return Err(HandshakeError::of(Handshake::Timeout, Some(missing)));
        };
        let Started {
            channel,
            caveat,
            consent,
        } = started.map_err(|error| HandshakeError {
            no_handshake: error.no_handshake,
            refused: error.refused,
            ..HandshakeError::of(error.outcome, Some(error.detail))
        })?;
        let (connector, name) = self
            .client(recorder, target)
            .map_err(|error| HandshakeError::of(Handshake::Failed, Some(error.to_string())))?;
        let recording: Box<dyn Channel> = Box::new(ReadRecorder::new(channel, budget.clone()));
        let connecting = connector.connect(name, recording).into_fallible();
        let error = match timeout_at(deadline, connecting).await {
            Ok(Ok(mut stream)) => {
                stream.get_mut().0.handshake_completed();
                return Ok(stream);
            }
            // The recorder may read no more: it says nothing about the peer.
            Ok(Err((error, _))) if error.kind() == ErrorKind::OutOfMemory => {
                HandshakeError::of(Handshake::Skipped, Some(error.to_string()))
            }
            Ok(Err((error, mut channel))) => {
                if matches!(
                    error.kind(),
                    ErrorKind::BrokenPipe | ErrorKind::ConnectionReset
                ) {
                    // What it sent before may be there still: the recorder keeps it.
                    let soon = deadline.min(Instant::now() + Duration::from_millis(50));
                    let _ = timeout_at(soon, channel.read(&mut [0; 512])).await;
                }
                let failure = failure(&error, consent, channel.recorded());
                HandshakeError {
                    wants_client_certificate: failure.wants_client_certificate,
                    no_handshake: failure.no_handshake,
                    ..HandshakeError::of(failure.outcome, Some(failure.detail))
                }
            }
            Err(_) => HandshakeError::of(Handshake::Timeout, None),
        };
        let is_unexplained = matches!(
            error.outcome,
            Handshake::Timeout | Handshake::Interrupted | Handshake::Failed
        );
        Err(HandshakeError {
            caveat: caveat.filter(|_| is_unexplained),
            ..error
        })
    }

    fn client(
        &self,
        recorder: &Arc<ChainRecorder>,
        target: &Target,
    ) -> Result<(TlsConnector, ServerName<'static>), ClientError> {
        let name = ServerName::try_from(target.server_name().to_owned())?;
        // Inside TDS packets SQL Server speaks no TLS 1.3: Microsoft, "TDS 8.0".
        let versions = match target.protocol {
            Protocol::Tds => TLS12,
            _ => rustls::DEFAULT_VERSIONS,
        };
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(versions)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(recorder) as Arc<dyn ServerCertVerifier>)
            .with_client_cert_resolver(Arc::clone(recorder) as Arc<dyn ResolvesClientCert>);
        // Every probe really sees the certificate.
        config.resumption = Resumption::disabled();
        if target.is_strict_tds() {
            // The name by which TDS 8 asks for itself (RFC 7301; IANA, TLS ALPN Protocol IDs).
            config.alpn_protocols = vec![b"tds/8.0".to_vec()];
        }
        Ok((TlsConnector::from(Arc::new(config)), name))
    }
}

/// Ends a connection (`close_notify`, RFC 8446 section 6.1), so that the peer logs no error.
pub(super) async fn close(mut stream: Stream) {
    let soon = Instant::now() + Duration::from_millis(100);
    // It says nothing about the service whether the notice was read.
    let _ = timeout_at(soon, stream.shutdown()).await;
}

/// Whether the peer ends the connection within a moment after the handshake. With TLS 1.3 it refuses an
/// absent client certificate only then (RFC 8446 section 4.4.2.4).
async fn refuses_soon(stream: &mut Stream, handshake: Duration, deadline: Instant) -> bool {
    let (shortest, longest) = REFUSAL_WAIT;
    let soon = deadline.min(Instant::now() + handshake.clamp(shortest, longest));
    let read = timeout_at(soon, stream.read(&mut [0; 1])).await;
    matches!(read, Ok(Ok(0) | Err(_)))
}

/// Why a handshake was not completed.
struct HandshakeError {
    outcome: Handshake,
    detail: Option<String>,
    /// Whether the end is what a server does that got no client certificate.
    wants_client_certificate: bool,
    no_handshake: Option<NoHandshake>,
    refused: Option<Refused>,
    /// What the protocol's start left open, where that explains the end.
    caveat: Option<&'static str>,
}

impl HandshakeError {
    fn of(outcome: Handshake, detail: Option<String>) -> Self {
        Self {
            outcome,
            detail,
            wants_client_certificate: false,
            no_handshake: None,
            refused: None,
            caveat: None,
        }
    }
}

/// The client's side of a handshake could not be set up.
#[derive(Debug, thiserror::Error)]
enum ClientError {
    /// The server name is no DNS name.
    #[error("{0}")]
    Name(#[from] rustls::pki_types::InvalidDnsNameError),
    /// The library refuses the settings.
    #[error("{0}")]
    Settings(#[from] rustls::Error),
}

#[cfg(test)]
mod tests;
