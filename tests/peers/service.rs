//! Service: what listens behind an address: TLS with a certificate for some names, or a black hole.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair,
};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use super::child::Folder;

/// A certificate authority that only the test trusts.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names, no bad names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, "Peers Test CA");
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a self-signed certificate");
        Self { issuer }
    }

    /// The authority's certificate as a file for `--ca-file`.
    pub(crate) fn file(&self, folder: &Folder) -> PathBuf {
        folder.write("lab.pem", &self.issuer.pem())
    }

    /// A certificate for `name` and its key, as text.
    pub(crate) fn pem(&self, name: &str) -> (String, String) {
        let (certificate, key) = self.issue(name);
        (certificate.pem(), key.serialize_pem())
    }

    fn issue(&self, name: &str) -> (Certificate, KeyPair) {
        let key = KeyPair::generate().expect("a key");
        let certificate = CertificateParams::new([name.to_owned()])
            .and_then(|params| params.signed_by(&key, &self.issuer))
            .expect("a certificate for a proper name");
        (certificate, key)
    }

    fn server(&self, name: &str) -> ServerConfig {
        let (certificate, key) = self.issue(name);
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider has the default versions")
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
            )
            .expect("the key is the certificate's")
    }
}

/// A running service. Dropping it closes its port.
pub(crate) struct Service {
    _stop: oneshot::Sender<()>,
    port: u16,
}

impl Service {
    /// TLS on `ip`, at `port` or, when that is 0, at a free one, with a certificate for `name`.
    pub(crate) fn tls(authority: &Authority, ip: Ipv4Addr, port: u16, name: &str) -> Self {
        let acceptor = TlsAcceptor::from(Arc::new(authority.server(name)));
        Self::start(ip, port, 64, |listener| async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    return;
                };
                let handshake = acceptor.accept(stream);
                tokio::spawn(async move {
                    // How it goes is for the agent to say.
                    let _ = tokio::time::timeout(Duration::from_secs(10), handshake).await;
                });
            }
        })
    }

    /// A port that drops what is sent to it: Linux answers no more SYN when the backlog is full.
    pub(crate) fn black_hole(ip: Ipv4Addr, port: u16) -> Self {
        let service = Self::start(ip, port, 0, |listener| async move {
            let address = listener
                .local_addr()
                .expect("a bound socket has an address");
            // Never accepted, and kept open as long as the listener.
            let mut waiting = Vec::new();
            while let Ok(Ok(stream)) = tokio::time::timeout(
                Duration::from_millis(200),
                tokio::net::TcpStream::connect(address),
            )
            .await
            {
                waiting.push(stream);
            }
            std::future::pending::<()>().await;
            drop((listener, waiting));
        });
        let address = SocketAddr::from((ip, service.port));
        let full = super::child::eventually(Duration::from_secs(10), || {
            TcpStream::connect_timeout(&address, Duration::from_millis(300)).err()
        });
        assert!(full.is_some(), "the backlog of {address} never filled");
        service
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    fn start<F, S>(ip: Ipv4Addr, port: u16, backlog: u32, serve: S) -> Self
    where
        F: Future<Output = ()>,
        S: FnOnce(TcpListener) -> F + Send + 'static,
    {
        let (stop, stopped) = oneshot::channel::<()>();
        let (ready, port_taken) = mpsc::channel();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async move {
                let listener = listen(ip, port, backlog);
                let address = listener
                    .local_addr()
                    .expect("a bound socket has an address");
                ready
                    .send(address.port())
                    .expect("the test waits for the port");
                tokio::select! {
                    () = serve(listener) => {}
                    // An error means that the service was dropped.
                    _ = stopped => {}
                }
            });
        });
        let port = port_taken.recv().expect("the service listens");
        Self { _stop: stop, port }
    }
}

fn listen(ip: Ipv4Addr, port: u16, backlog: u32) -> TcpListener {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket
        .set_reuseaddr(true)
        .expect("an option every system has");
    let address = SocketAddr::from((IpAddr::V4(ip), port));
    socket
        .bind(address)
        .unwrap_or_else(|error| panic!("cannot listen on {address}: {error}"));
    socket.listen(backlog).expect("a bound socket listens")
}
