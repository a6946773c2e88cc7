//! Handshake: TLS on an open connection, however the protocol begins it, up to the peer's certificate.
//!
//! Every certificate is accepted while the handshake runs and examined afterwards, so that its facts
//! survive whatever is wrong with it. Nothing that needs trust is ever sent.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use privatelink_verdict::observation::{Certificate, Handshake, Refusal};
use privatelink_verdict::target::{Protocol, Target};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientConfig, Resumption};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme, version};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::certificate::examine;
use super::starttls::{self, Channel};
use crate::config::trust::Roots;
use crate::wire::from_wire;

/// What the handshakes of an agent share.
#[derive(Clone, Debug)]
pub(super) struct Shaker {
    provider: Arc<CryptoProvider>,
    roots: Arc<Roots>,
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
        let seen = Arc::new(Seen {
            provider: Arc::clone(&self.provider),
            chain: Mutex::default(),
        });
        let mut refusal = None;
        let begun = timeout_at(deadline, starttls::begin(target.protocol, stream)).await;
        let result = match begun {
            Ok(Ok(channel)) => self.tls(channel, target, &seen, deadline).await,
            Ok(Err(none)) => {
                refusal = none.refusal;
                Err((none.outcome, Some(none.detail)))
            }
            Err(_) => {
                let missing = starttls::missing(target.protocol);
                Err((Handshake::Timeout, Some(missing.to_owned())))
            }
        };
        let elapsed = started.elapsed();
        let chain = std::mem::take(&mut *seen.chain());
        let certificate = examine(&chain, &target.server_name, &self.roots, SystemTime::now());
        let (stream, outcome, detail) = match result {
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
            refusal,
            certificate,
        }
    }

    async fn tls(
        &self,
        channel: Box<dyn Channel>,
        target: &Target,
        seen: &Arc<Seen>,
        deadline: Instant,
    ) -> Result<TlsStream<Box<dyn Channel>>, (Handshake, Option<String>)> {
        let (connector, name) = self
            .client(seen, target)
            .map_err(|detail| (Handshake::Failed, Some(detail)))?;
        match timeout_at(deadline, connector.connect(name, channel)).await {
            Ok(Ok(mut stream)) => {
                stream.get_mut().0.secured();
                Ok(stream)
            }
            Ok(Err(error)) => Err(failure(&error)),
            Err(_) => Err((Handshake::Timeout, None)),
        }
    }

    fn client(
        &self,
        seen: &Arc<Seen>,
        target: &Target,
    ) -> Result<(TlsConnector, ServerName<'static>), String> {
        let name = target.server_name.clone();
        let name = ServerName::try_from(name).map_err(|error| error.to_string())?;
        // Inside TDS packets SQL Server speaks no TLS 1.3: Microsoft, "TDS 8.0".
        let versions = match target.protocol {
            Protocol::Tds => &[&version::TLS12][..],
            _ => rustls::DEFAULT_VERSIONS,
        };
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(versions)
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(seen) as Arc<dyn ServerCertVerifier>)
            .with_no_client_auth();
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

fn failure(error: &io::Error) -> (Handshake, Option<String>) {
    let Some(tls) = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>())
    else {
        let outcome = match error.kind() {
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe => Handshake::Interrupted,
            io::ErrorKind::TimedOut => Handshake::Timeout,
            _ => Handshake::Failed,
        };
        return (outcome, Some(told(error)));
    };
    if let rustls::Error::InvalidCertificate(why) = tls {
        let detail = format!("the peer's certificate cannot be used: {why:?}");
        return (
            Handshake::BadCertificate,
            Some(from_wire(&detail).into_owned()),
        );
    }
    let detail = match tls {
        rustls::Error::InvalidMessage(_) => "the peer does not speak TLS on this port".to_owned(),
        rustls::Error::AlertReceived(alert) => format!("the peer refuses the handshake: {alert:?}"),
        rustls::Error::PeerIncompatible(why) => {
            format!("the peer offers nothing we can use: {why:?}")
        }
        other => other.to_string(),
    };
    (Handshake::Failed, Some(from_wire(&detail).into_owned()))
}

fn told(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            "the peer closed the connection during the handshake".to_owned()
        }
        io::ErrorKind::ConnectionReset => {
            "the connection was reset during the handshake".to_owned()
        }
        _ => from_wire(&error.to_string()).into_owned(),
    }
}

/// Takes down the chain and accepts it; only the proof that the peer holds the key is checked.
#[derive(Debug)]
struct Seen {
    provider: Arc<CryptoProvider>,
    chain: Mutex<Vec<CertificateDer<'static>>>,
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
