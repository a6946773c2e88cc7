//! Protected: who is answered where the web configuration asks for TLS, a certificate or a password.

use std::fs;
use std::path::PathBuf;

use privatelink_config::reload::Reload as _;
use privatelink_config::web::{WebConfig, WebFiles};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use super::*;

/// The name in the server's certificate.
const NAME: &str = "agent.example";

/// A folder with an authority's certificate, and a server's that it signed.
struct Folder {
    path: PathBuf,
    authority: CertifiedIssuer<'static, KeyPair>,
}

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("protected-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let authority = CertifiedIssuer::self_signed(params, key).expect("an authority");
        let folder = Self { path, authority };
        folder.write("ca.crt", &folder.authority.pem());
        folder.renew();
        folder
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path.join(name);
        fs::write(&path, text).expect("a file");
        path
    }

    /// Writes another certificate of the server, and its key.
    fn renew(&self) {
        let (certificate, key) = self.issue(NAME);
        self.write("tls.crt", &certificate.pem());
        self.write("tls.key", &key.serialize_pem());
    }

    fn issue(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new([name.to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &self.authority);
        (certificate.expect("a certificate"), key)
    }

    fn config(&self, text: &str) -> WebConfig {
        let path = self.write("web.yaml", text);
        let (_, config) = WebFiles::default().read(&[path]);
        config.expect("a web configuration")
    }

    /// A client that trusts the authority, with a certificate for a name of an authority if one is given.
    fn client(&self, certificate: Option<(&Self, &str)>) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.der().clone()).expect("a root");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots);
        let config = match certificate.map(|(signer, name)| signer.issue(name)) {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let key = PrivatePkcs8KeyDer::from(key.serialize_der());
                let chain = vec![certificate.der().clone()];
                builder
                    .with_client_auth_cert(chain, PrivateKeyDer::Pkcs8(key))
                    .expect("a certificate and its key")
            }
        };
        TlsConnector::from(Arc::new(config))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

const TLS: &str = "tls_server_config: {cert_file: tls.crt, key_file: tls.key}\n";

const MUTUAL: &str = "tls_server_config: {cert_file: tls.crt, key_file: tls.key, client_ca_file: ca.crt, \
                      client_auth_type: RequireAndVerifyClientCert, client_allowed_sans: [prometheus]}\n";

/// A password of this user, and the cheapest hash of it.
fn users(user: &str, password: &str) -> String {
    let hash = bcrypt::hash(password, 4).expect("a hash");
    format!("basic_auth_users: {{{user}: {hash}}}\n")
}

fn authorization(user: &str, password: &str) -> String {
    use base64::Engine as _;
    let pair = base64::prelude::BASE64_STANDARD.encode(format!("{user}:{password}"));
    format!("Authorization: Basic {pair}\r\n")
}

async fn serve_for(config: WebConfig) -> (Server, Access) {
    let access = Access::new(config);
    let server = Server::start_for(access.clone(), fixtures::shared(), BOUNDS).await;
    (server, access)
}

impl Server {
    /// The reply over TLS, and the server's certificate.
    async fn get_over_tls(
        &self,
        client: &TlsConnector,
        path: &str,
        header: &str,
    ) -> io::Result<(String, CertificateDer<'static>)> {
        let name = ServerName::try_from(NAME).expect("a name");
        let mut stream = client.connect(name, self.connect().await).await?;
        let presented = stream
            .get_ref()
            .1
            .peer_certificates()
            .expect("a certificate")[0]
            .clone();
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: x\r\n{header}Connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).await?;
        Ok((
            String::from_utf8_lossy(&reply).into_owned(),
            presented.into_owned(),
        ))
    }

    fn denied(&self) -> u64 {
        self.board.lock().http.denied.load(Ordering::Relaxed)
    }
}

fn status(reply: &str) -> &str {
    reply.split(' ').nth(1).unwrap_or_default()
}

#[tokio::test]
async fn a_port_that_speaks_tls_tells_others_so_and_answers_health_to_everyone() {
    let folder = Folder::new("tls");
    let (server, _) = serve_for(folder.config(TLS)).await;
    let client = folder.client(None);
    for path in ["/", "/metrics", "/api/v1/targets", "/healthz"] {
        let (reply, _) = server
            .get_over_tls(&client, path, "")
            .await
            .expect("a reply");
        assert_eq!(status(&reply), "200", "{path}: {reply}");
    }
    for path in ["/", "/metrics", "/api/v1/summary", "/nowhere"] {
        let (status, text) = server.get(path).await;
        assert_eq!(
            (status, &*text),
            (400, "this port speaks HTTPS\n"),
            "{path}"
        );
    }
    assert_eq!(server.denied(), 4);
    assert_eq!(server.get("/healthz").await.0, 200);
    assert_eq!(server.get("/readyz").await.0, 503);
}

#[tokio::test]
async fn a_client_needs_a_certificate_of_the_authority_with_a_name_that_is_allowed() {
    let folder = Folder::new("mutual");
    let (server, _) = serve_for(folder.config(MUTUAL)).await;
    let allowed = folder.client(Some((&folder, "prometheus")));
    let (reply, _) = server
        .get_over_tls(&allowed, "/metrics", "")
        .await
        .expect("a reply");
    assert_eq!(status(&reply), "200", "{reply}");
    let other = folder.client(Some((&folder, "somebody")));
    let (reply, _) = server
        .get_over_tls(&other, "/metrics", "")
        .await
        .expect("a reply");
    assert_eq!(status(&reply), "403", "{reply}");
    let none = folder.client(None);
    server
        .get_over_tls(&none, "/metrics", "")
        .await
        .expect_err("no certificate");
    let stranger = Folder::new("stranger");
    let forged = folder.client(Some((&stranger, "prometheus")));
    server
        .get_over_tls(&forged, "/metrics", "")
        .await
        .expect_err("of another authority");
    // The kubelet has none.
    assert_eq!(server.get("/healthz").await.0, 200);
}

#[tokio::test]
async fn a_new_certificate_is_presented_from_the_next_handshake_on() {
    let folder = Folder::new("renewed");
    let (server, access) = serve_for(folder.config(TLS)).await;
    let client = folder.client(None);
    let (_, first) = server
        .get_over_tls(&client, "/healthz", "")
        .await
        .expect("a reply");
    folder.renew();
    access.set_config(folder.config(TLS));
    let (_, second) = server
        .get_over_tls(&client, "/healthz", "")
        .await
        .expect("a reply");
    assert_ne!(first, second);
}

#[tokio::test]
async fn a_password_is_needed_for_everything_but_health() {
    let folder = Folder::new("password");
    let (server, access) = serve_for(folder.config(&users("alice", "right:one"))).await;
    let right = authorization("alice", "right:one");
    // The second time it is known.
    for _ in 0..2 {
        let reply = server.get_with("/metrics", &right).await;
        assert_eq!(status(&reply), "200", "{reply}");
    }
    for wrong in [
        String::new(),
        authorization("alice", "wrong"),
        authorization("alice", ""),
        authorization("bob", "right:one"),
        authorization("", "right:one"),
        "Authorization: Basic %%%\r\n".to_owned(),
        "Authorization: Bearer right:one\r\n".to_owned(),
    ] {
        let reply = server.get_with("/metrics", &wrong).await;
        assert_eq!(status(&reply), "401", "{wrong}: {reply}");
        assert!(reply.contains("www-authenticate: Basic"), "{reply}");
        assert!(!reply.contains("privatelink_"), "{reply}");
    }
    assert_eq!(server.denied(), 7);
    assert_eq!(server.get("/healthz").await.0, 200);
    // A password that was right is not, once it was changed.
    access.set_config(folder.config(&users("alice", "another")));
    let reply = server.get_with("/metrics", &right).await;
    assert_eq!(status(&reply), "401", "{reply}");
}

#[tokio::test]
async fn health_says_nothing_of_a_refused_configuration_where_readers_are_known() {
    let folder = Folder::new("health");
    let (server, _) = serve_for(folder.config(&users("alice", "right"))).await;
    ConfigRefused {
        error: "config.yaml:3:1: unknown field",
    }
    .emit(&mut server.board.lock().config);
    let (_, text) = server.get("/readyz").await;
    assert!(
        text.contains("configuration refused") && !text.contains("config.yaml"),
        "{text}"
    );
}

#[tokio::test]
async fn configured_headers_are_on_every_reply() {
    let folder = Folder::new("headers");
    let headers = "http_server_config: {headers: {Strict-Transport-Security: max-age=60, X-Frame-Options: deny}}\n";
    let config = folder.config(&format!("{headers}{}", users("alice", "right")));
    let (server, _) = serve_for(config).await;
    for path in ["/metrics", "/healthz", "/nowhere"] {
        let reply = server.get_with(path, "").await;
        assert!(
            reply.contains("strict-transport-security: max-age=60\r\n"),
            "{reply}"
        );
        assert!(reply.contains("x-frame-options: deny\r\n"), "{reply}");
    }
}

#[tokio::test]
async fn a_peer_that_begins_a_handshake_and_goes_silent_is_disconnected() {
    let folder = Folder::new("silent");
    let access = Access::new(folder.config(TLS));
    let bounds = Bounds {
        head: Duration::from_millis(50),
        ..BOUNDS
    };
    let server = Server::start_for(access, fixtures::shared(), bounds).await;
    for begun in [&[][..], &[22, 3, 1]] {
        let mut stream = server.connect().await;
        stream.write_all(begun).await.expect("a beginning");
        let mut rest = Vec::new();
        let read = timeout(Duration::from_secs(5), stream.read_to_end(&mut rest));
        read.await.expect("closed").ok();
    }
}

/// The part of the time that probes have while `readers` are at work.
async fn share_of_probes(time: Duration) -> f64 {
    let started = Instant::now();
    let mut probing = Duration::ZERO;
    while started.elapsed() < time {
        // What probes would do, if they did it all the time.
        let step = Instant::now();
        while step.elapsed() < Duration::from_micros(100) {}
        probing += step.elapsed();
        tokio::task::yield_now().await;
    }
    probing.as_secs_f64() / started.elapsed().as_secs_f64()
}

/// Sends the request again and again, on new connections.
fn ask_all_the_time(address: SocketAddr, request: String) {
    std::thread::spawn(move || {
        while let Ok(mut stream) = std::net::TcpStream::connect(address) {
            let _ = io::Write::write_all(&mut stream, request.as_bytes());
            let _ = io::copy(&mut stream, &mut io::sink());
        }
    });
}

#[tokio::test]
async fn a_flood_of_wrong_passwords_costs_neither_the_probes_nor_a_known_reader_their_time() {
    let folder = Folder::new("flood");
    // Slow enough that every check of the flood would be noticed on the probes' thread.
    let hash = bcrypt::hash("right", 6).expect("a hash");
    let config = folder.config(&format!("basic_auth_users: {{alice: {hash}}}\n"));
    let (server, _) = serve_for(config).await;
    let right = authorization("alice", "right");
    let reply = server.get_with("/metrics", &right).await;
    assert_eq!(status(&reply), "200", "{reply}");
    for number in 0..20 {
        let wrong = authorization("alice", &format!("wrong {number}"));
        let request = format!("GET / HTTP/1.1\r\nHost: x\r\n{wrong}Connection: close\r\n\r\n");
        ask_all_the_time(server.address, request);
    }
    let share = share_of_probes(Duration::from_secs(2)).await;
    assert!(share > 0.66, "{share}");
    let asked = Instant::now();
    let reply = server.get_with("/metrics", &right).await;
    assert_eq!(status(&reply), "200", "{reply}");
    assert_eq!(server.get("/healthz").await.0, 200);
    assert!(
        asked.elapsed() < Duration::from_secs(2),
        "{:?}",
        asked.elapsed()
    );
}

#[tokio::test]
async fn readers_that_shake_hands_all_the_time_leave_two_thirds_of_it_to_the_probes() {
    let folder = Folder::new("handshakes");
    let (server, _) = serve_for(folder.config(TLS)).await;
    for _ in 0..20 {
        let (address, client) = (server.address, folder.client(None));
        std::thread::spawn(move || shake_hands_all_the_time(address, &client));
    }
    let share = share_of_probes(Duration::from_secs(2)).await;
    assert!(share > 0.66, "{share}");
    let reply = timeout(Duration::from_secs(2), server.get("/healthz")).await;
    assert_eq!(reply.expect("in time").0, 200);
}

fn shake_hands_all_the_time(address: SocketAddr, client: &TlsConnector) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async {
        while let Ok(stream) = TcpStream::connect(address).await {
            let name = ServerName::try_from(NAME).expect("a name");
            let _ = client.connect(name, stream).await;
        }
    });
}
