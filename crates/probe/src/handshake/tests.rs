//! Handshakes with a peer that presents more than a TLS library reads.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use privatelink_config::load_text;
use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::ResolvesServerCert;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::*;

/// Names enough for more than 100 KiB.
const NAMES: usize = 5000;

/// A server that presents a certificate of thousands of names, which the library's own check of a
/// server's certificate would refuse.
fn oversized(versions: &[&'static SupportedProtocolVersion]) -> Arc<ServerConfig> {
    let names = (0..NAMES).map(|n| format!("tenant-{n}.example.com"));
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(names.collect::<Vec<_>>()).expect("names");
    let certificate = params.self_signed(&key).expect("a certificate");
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let key = aws_lc_rs::sign::any_supported_type(&key).expect("a key");
    let certified = CertifiedKey::new(vec![certificate.der().clone()], key);
    let resolver: Arc<dyn ResolvesServerCert> = Arc::new(SingleCertAndKey::from(certified));
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .expect("versions")
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    Arc::new(config)
}

/// Serves until the test ends; where, and how many connections there were.
async fn serve(config: Arc<ServerConfig>) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let at = listener.local_addr().expect("an address");
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::Relaxed);
            // The client gives up, as it should.
            tokio::spawn(TlsAcceptor::from(Arc::clone(&config)).accept(stream));
        }
    });
    (at, connections)
}

#[tokio::test]
async fn a_certificate_of_thousands_of_names_fails_the_handshake_and_its_size_is_the_reason() {
    let plan = load_text("config.yaml", "targets: [{host: kv.test}]").expect("a plan");
    let tls_dialer = TlsDialer::new(Arc::new(Roots::new(&[])));
    let budget = ConnectionBudget::new();
    for versions in [rustls::ALL_VERSIONS, TLS12] {
        let (at, connections) = serve(oversized(versions)).await;
        let stream = TcpStream::connect(at).await.expect("a connection");
        let deadline = Instant::now() + Duration::from_secs(5);
        let attempt = tls_dialer
            .attempt(stream, &plan.targets[0], &budget, deadline)
            .await;
        assert_eq!(attempt.outcome, Handshake::Failed);
        let detail = attempt.detail.expect("a detail");
        assert!(detail.contains("more than the 64 KiB"), "{detail}");
        assert_eq!(attempt.certificate, None, "none of its facts are known");
        assert_eq!(connections.load(Ordering::Relaxed), 1);
    }
}
