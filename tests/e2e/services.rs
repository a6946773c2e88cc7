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
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// The argument that makes this program the servers.
pub(crate) const MODE: &str = "serve";

const PORT: u16 = 443;
/// How long a client may take, and stay.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes of a request.
const LONGEST: usize = 8192;

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

    /// A certificate for `names`, and its key.
    pub(crate) fn certificate(&self, names: &[&str]) -> (String, String) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = KeyPair::generate().expect("a key");
        let certificate = CertificateParams::new(names)
            .and_then(|params| params.signed_by(&key, &self.issuer))
            .expect("a certificate for proper names");
        (certificate.pem(), key.serialize_pem())
    }

    /// Gives the server at `address` a certificate for `names` from now on.
    pub(crate) fn equip(&self, folder: &Path, address: Ipv4Addr, names: &[&str]) {
        let (certificate, key) = self.certificate(names);
        let file = file(folder, address.into());
        // Whole or not at all: a server may be reading.
        let unfinished = file.with_extension("new");
        fs::write(&unfinished, certificate + &key).expect("a certificate's file");
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
    let peer = stream.peer_addr().ok()?;
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
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        // Most clients say nothing and leave; none has so much to say.
        if stream.read_buf(&mut request).await.ok()? == 0 || request.len() > LONGEST {
            return Some(());
        }
    }
    let reply = reply(&String::from_utf8_lossy(&request), peer.ip());
    stream.write_all(reply.as_bytes()).await.ok()?;
    stream.shutdown().await.ok()
}

/// What the real service says to somebody without credentials who reached it, by what was asked of it.
fn reply(request: &str, from: IpAddr) -> String {
    let asked = request.split(' ').nth(1).unwrap_or_default();
    let (status, headers) = match asked {
        "/healthstatus" => (
            "200 OK",
            format!(
                "x-ms-keyvault-network-info: conn_type=Ipv4;addr={from};act_addr_fam=InterNetwork;"
            ),
        ),
        "/v2/" => (
            "401 Unauthorized",
            "WWW-Authenticate: Bearer realm=\"https://e2e.azurecr.io/oauth2/token\"".to_owned(),
        ),
        _ => (
            "409 Conflict",
            "x-ms-error-code: PublicAccessNotPermitted\r\nx-ms-request-id: 1".to_owned(),
        ),
    };
    format!("HTTP/1.1 {status}\r\n{headers}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}
