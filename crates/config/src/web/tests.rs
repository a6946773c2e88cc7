use rcgen::{CertificateParams, KeyPair};

use super::*;

/// What begins every secret of these tests.
const SECRET: &str = "hunter";

/// A folder with a certificate and its key, and a web configuration.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("web-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        let folder = Self(path);
        let key = KeyPair::generate().expect("a key");
        let certificate = CertificateParams::new(["agent.example".to_owned()])
            .and_then(|params| params.self_signed(&key))
            .expect("a certificate");
        folder.write("tls.crt", &certificate.pem());
        folder.write("tls.key", &key.serialize_pem());
        let other = KeyPair::generate().expect("a key");
        folder.write("other.key", &other.serialize_pem());
        folder.write("empty.pem", "");
        folder
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).expect("a file");
        path
    }

    fn read(&self, text: &str) -> Result<WebConfig, ConfigError> {
        let path = self.write("web.yaml", text);
        WebFiles::default().read(&[path]).1
    }

    /// What is said of a configuration that cannot be used, without the folder's path.
    fn refused(&self, text: &str) -> String {
        let error = self.read(text).expect_err("refused").to_string();
        error.replace(&format!("{}/", self.0.display()), "")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn hash(cost: u32) -> String {
    bcrypt::hash(SECRET, cost).expect("a hash")
}

#[test]
fn a_file_of_prometheus_exporters_is_understood() {
    let folder = Folder::new("understood");
    let config = folder.read(&format!(
        "tls_server_config:\n  cert_file: tls.crt\n  key_file: tls.key\n  client_auth_type: RequireAndVerifyClientCert\n  \
         client_ca_file: tls.crt\n  client_allowed_sans: [prometheus]\n  min_version: TLS13\n  max_version: TLS13\n  \
         cipher_suites: [TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305, TLS_AES_128_GCM_SHA256]\n  \
         prefer_server_cipher_suites: false\n  curve_preferences: [CurveP256, X25519]\n\
         http_server_config:\n  http2: true\n  headers: {{X-Frame-Options: deny}}\n\
         basic_auth_users:\n  alice: {}\n",
        hash(4)
    ));
    let config = config.expect("a web configuration");
    let tls = config.tls.as_ref().expect("TLS");
    assert_eq!(tls.client_allowed_sans, ["prometheus"]);
    assert_eq!(
        config.headers,
        [("X-Frame-Options".to_owned(), "deny".to_owned())]
    );
    assert_eq!(config.users.keys().collect::<Vec<_>>(), ["alice"]);
    let groups = &tls.server.crypto_provider().kx_groups;
    let groups: Vec<_> = groups.iter().map(|group| group.name()).collect();
    assert_eq!(
        groups,
        [rustls::NamedGroup::secp256r1, rustls::NamedGroup::X25519]
    );
    assert!(!format!("{config:?}").contains("$2"), "{config:?}");
}

#[test]
fn an_empty_file_admits_everyone() {
    let folder = Folder::new("empty");
    for text in ["", "# nothing yet\n", "{}\n", "basic_auth_users: {}\n"] {
        assert!(!folder.read(text).expect(text).is_restricted(), "{text}");
    }
}

#[test]
fn what_is_wrong_has_its_place_and_the_nearest_spelling() {
    let folder = Folder::new("wrong");
    for (text, said) in [
        (
            "tls_server_config:\n  cert_fil: tls.crt\n",
            "web.yaml:2:3: unknown field `cert_fil` (did you mean `cert_file`?)",
        ),
        (
            "basic_auth_user: {}\n",
            "web.yaml:1:1: unknown field `basic_auth_user` (did you mean `basic_auth_users`?)",
        ),
        (
            "tls_server_config: {cert_file: tls.crt, key_file: tls.key, client_auth_type: RequireAndVerifyClientCerts}\n",
            "web.yaml:1:78: `RequireAndVerifyClientCerts` is unknown (did you mean `RequireAndVerifyClientCert`?)",
        ),
        (
            "tls_server_config: {cert_file: tls.crt, key_file: tls.key, min_version: TLS1.3}\n",
            "web.yaml:1:73: the version `TLS1.3` is unknown (did you mean `TLS13`?)",
        ),
        (
            "tls_server_config: {cert_file: tls.crt, key_file: tls.key, min_version: TLS13, max_version: TLS12}\n",
            "web.yaml:1:73: `min_version` is above `max_version`",
        ),
        (
            "tls_server_config: {cert_file: tls.crt, key_file: tls.key, curve_preferences: [CurveP521]}\n",
            "web.yaml:1:80: there is no curve `CurveP521` (did you mean `CurveP256`?)",
        ),
        (
            "tls_server_config: {cert_file: tls.crt, key_file: tls.key, cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA25]}\n",
            "web.yaml:1:76: there is no cipher suite `TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA25` (did you mean `TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256`?)",
        ),
        (
            "http_server_config: {headers: {X-Frame-Option: deny}}\n",
            "web.yaml:1:48: the header `X-Frame-Option` cannot be set (did you mean `X-Frame-Options`?)",
        ),
        (
            "http_server_config: {headers: {X-Frame-Options: denied}}\n",
            "web.yaml:1:49: X-Frame-Options cannot be `denied` (there is deny, sameorigin)",
        ),
        (
            "rate_limit: {interval: 1s, burst: 5}\n",
            "web.yaml:1:13: `rate_limit` is not supported (remove it: readers are held to a part of the time in any case)",
        ),
    ] {
        assert_eq!(folder.refused(text), said, "{text}");
    }
}

#[test]
fn certificates_and_keys_that_do_not_go_together_are_refused_where_they_are_named() {
    let folder = Folder::new("certificates");
    for (text, said) in [
        (
            "{cert_file: tls.crt}",
            "web.yaml:1:20: `key_file` is missing (TLS needs a certificate and its key)",
        ),
        (
            "{cert_file: tls.crt, key_file: other.key}",
            "web.yaml:1:51: the key is not that of the certificate",
        ),
        (
            "{cert_file: empty.pem, key_file: tls.key}",
            "web.yaml:1:32: empty.pem holds no certificate (it must hold a '-----BEGIN CERTIFICATE-----' block)",
        ),
        (
            "{cert_file: tls.crt, key_file: tls.crt}",
            "web.yaml:1:51: tls.crt holds no private key (it must hold a '-----BEGIN PRIVATE KEY-----' block, which no passphrase protects)",
        ),
        (
            "{cert_file: nowhere.crt, key_file: tls.key}",
            "web.yaml:1:32: cannot read nowhere.crt: No such file or directory (os error 2) (check the path, and that the volume is mounted)",
        ),
        (
            "{cert_file: tls.crt, key_file: tls.key, client_ca_file: tls.crt}",
            "web.yaml:1:76: `client_ca` is given, and clients are not asked (write client_auth_type: RequireAndVerifyClientCert)",
        ),
        (
            "{cert_file: tls.crt, key_file: tls.key, client_auth_type: RequireAndVerifyClientCert}",
            "web.yaml:1:78: `client_ca_file` is missing (name the authority that signs the certificates of clients)",
        ),
        (
            "{cert_file: tls.crt, key_file: tls.key, client_auth_type: RequireAnyClientCert}",
            "web.yaml:1:78: `RequireAnyClientCert` asks for certificates that are not verified, which keeps nobody out (write RequireAndVerifyClientCert)",
        ),
    ] {
        let text = format!("tls_server_config: {text}\n");
        assert_eq!(folder.refused(&text), said, "{text}");
    }
}

#[test]
fn no_error_shows_a_password_a_hash_or_a_key() {
    let folder = Folder::new("secrets");
    let costly = "$2y$20$hunter7RzRTQLVgcNfP5vuJbaHs3r3f3Z5dQw0v1hXyYqQ1Y0qQy2";
    for text in [
        "basic_auth_users: {alice: hunter2}\n",
        "basic_auth_users: {alice: [hunter2]}\n",
        "basic_auth_users: {alice: {password: hunter2}}\n",
        "basic_auth_users: hunter2\n",
        "basic_auth_users: [hunter2]\n",
        "basic_auth_users:\n  alice: \"hunter2\n",
        "basic_auth_users:\n  alice: !hunter2 x\n",
        "basic_auth_users:\n  alice: *hunter2\n",
        "basic_auth_users:\n  alice: @hunter2\n",
        "basic_auth_users:\n  alice: &hunter2 [x]\n",
        "http_server_config: {http2: hunter2}\n",
        "tls_server_config: {cert_file: tls.crt, key: hunter2}\n",
        "tls_server_config: {cert_file: tls.crt, key: {hunter2: x}}\n",
        &format!("basic_auth_users: {{alice: {costly}}}\n"),
    ] {
        let error = folder.read(text).expect_err(text);
        for said in [error.to_string(), error.rendered()] {
            assert!(
                !said.contains(SECRET) && said.contains("web.yaml"),
                "{said}"
            );
        }
    }
}

#[test]
fn a_hash_that_takes_too_long_to_check_is_refused() {
    let folder = Folder::new("costly");
    let costly = hash(4).replacen("$04$", "$15$", 1);
    let said = folder.refused(&format!("basic_auth_users: {{alice: {costly}}}\n"));
    assert!(
        said.starts_with(
            "web.yaml:1:27: the hash of the password of `alice` has the cost 15, and costs from 4 to 14 are accepted"
        ),
        "{said}"
    );
}

#[test]
fn a_change_of_a_file_that_is_named_is_a_change() {
    let folder = Folder::new("change");
    let path = folder.write(
        "web.yaml",
        "tls_server_config: {cert_file: tls.crt, key_file: tls.key}\n",
    );
    let (files, config) = WebFiles::default().read(&[path]);
    config.expect("a web configuration");
    assert!(!files.has_changed());
    std::fs::copy(folder.0.join("other.key"), folder.0.join("tls.key")).expect("a copy");
    assert!(files.has_changed());
}
