//! Services: the TLS servers of the small Azure, at private endpoints and at public front ends.
//!
//! They are this program again, started inside the namespace. A certificate is read anew for every
//! connection, so swapping one is overwriting its file.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// The argument that makes this program the servers.
pub(crate) const MODE: &str = "serve";

const PORT: u16 = 443;
/// How long a client may take, and stay.
const PATIENCE: Duration = Duration::from_secs(30);

/// A certificate authority of the run's own.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params
            .distinguished_name
            .push(DnType::CommonName, "Small Azure Root");
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a self-signed certificate");
        Self { issuer }
    }

    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// Gives the server at `address` a certificate for `names` from now on.
    pub(crate) fn equip(&self, folder: &Path, address: Ipv4Addr, names: &[&str]) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = KeyPair::generate().expect("a key");
        let certificate = CertificateParams::new(names)
            .and_then(|params| params.signed_by(&key, &self.issuer))
            .expect("a certificate for proper names");
        let file = file(folder, address.into());
        // Whole or not at all: a server may be reading.
        let unfinished = file.with_extension("new");
        fs::write(&unfinished, certificate.pem() + &key.serialize_pem())
            .expect("a certificate's file");
        fs::rename(&unfinished, file).expect("a file beside it");
    }
}

fn file(folder: &Path, address: IpAddr) -> PathBuf {
    folder.join(format!("{address}.pem"))
}

/// Serves at every address that has a certificate in `folder`, until killed.
pub(crate) fn serve(folder: &Path) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        for entry in fs::read_dir(folder).expect("the folder of certificates") {
            let path = entry.expect("a file").path();
            let address = path
                .file_stem()
                .and_then(|stem| stem.to_str()?.parse().ok());
            if let Some(address) = address {
                let listener = TcpListener::bind(SocketAddr::new(address, PORT))
                    .await
                    .unwrap_or_else(|error| panic!("cannot listen on {address}: {error}"));
                tokio::spawn(accept(listener, folder.to_owned()));
            }
        }
        std::future::pending::<()>().await;
    });
    ExitCode::SUCCESS
}

async fn accept(listener: TcpListener, folder: PathBuf) {
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            // How it goes is for the agent to say.
            tokio::spawn(tokio::time::timeout(
                PATIENCE,
                greet(stream, folder.clone()),
            ));
        }
    }
}

async fn greet(stream: TcpStream, folder: PathBuf) -> Option<()> {
    let address = stream.local_addr().ok()?.ip();
    let pem = fs::read(file(&folder, address)).ok()?;
    let certificates = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .ok()?;
    let key = PrivateKeyDer::from_pem_slice(&pem).ok()?;
    let config = ServerConfig::builder_with_provider(Arc::new(
        rustls::crypto::aws_lc_rs::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .ok()?
    .with_no_client_auth()
    .with_single_cert(certificates, key)
    .ok()?;
    let mut stream = TlsAcceptor::from(Arc::new(config))
        .accept(stream)
        .await
        .ok()?;
    let mut ignored = [0; 64];
    while stream.read(&mut ignored).await.ok()? > 0 {}
    Some(())
}
