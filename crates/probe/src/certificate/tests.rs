//! Certificates good and bad, examined as they come from a peer.

use super::*;

#[test]
fn a_wildcard_stands_for_one_label() {
    assert!(matches("*.vault.azure.net", "kv.vault.azure.net"));
    assert!(!matches("*.vault.azure.net", "a.b.vault.azure.net"));
    assert!(!matches("*.vault.azure.net", "vault.azure.net"));
    assert!(matches("kv.vault.azure.net", "kv.vault.azure.net"));
}

#[test]
fn what_is_no_certificate_has_no_facts() {
    let roots = Roots::new(&[]);
    let examined = |der: &[u8]| {
        let chain = [CertificateDer::from(der.to_vec())];
        examine(&chain, "kv.vault.azure.net", &roots, SystemTime::now())
    };
    assert_eq!(examined(b""), None);
    assert_eq!(examined(b"\x30\x82\xff\xff\x30"), None);
    assert_eq!(
        examine(&[], "kv.vault.azure.net", &roots, SystemTime::now()),
        None
    );
}

mod made {
    use rcgen::{BasicConstraints, CertificateParams, CustomExtension, IsCa, Issuer, KeyPair};

    use super::*;

    const HOST: &str = "kv.vault.azure.net";

    fn params(names: impl IntoIterator<Item = String>) -> CertificateParams {
        CertificateParams::new(names.into_iter().collect::<Vec<_>>()).expect("names")
    }

    fn self_signed(params: &CertificateParams) -> CertificateDer<'static> {
        let key = KeyPair::generate().expect("a key");
        params.self_signed(&key).expect("signed").der().clone()
    }

    fn examined(chain: &[CertificateDer<'_>], roots: &Roots) -> Certificate {
        examine(chain, HOST, roots, SystemTime::now()).expect("a certificate")
    }

    #[test]
    fn of_thousands_of_names_twenty_are_kept_and_all_are_compared() {
        let many = || (0..1500).map(|n| format!("host-{n}.customer.example.com"));
        for (last, covers) in [
            (HOST, true),
            ("*.vault.azure.net", true),
            ("*.azure.net", false),
        ] {
            let leaf = self_signed(&params(many().chain([last.to_owned()])));
            let certificate = examined(&[leaf], &Roots::new(&[]));
            let names = &certificate.leaf.names;
            assert_eq!(names.len(), MAX_NAMES);
            assert_eq!(names.first(), Some("host-0.customer.example.com"));
            assert_eq!(certificate.covers_name, covers, "{last}");
        }
    }

    #[test]
    fn no_names_are_no_match_whatever_the_common_name() {
        let mut params = params([]);
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, HOST);
        let certificate = examined(&[self_signed(&params)], &Roots::new(&[]));
        assert!(certificate.leaf.names.is_empty());
        assert!(!certificate.covers_name);
        assert!(
            certificate.leaf.subject.contains(HOST),
            "{}",
            certificate.leaf.subject
        );
    }

    #[test]
    fn a_name_that_goes_on_after_a_nul_is_another_name() {
        let named = |name: &[u8]| {
            let length = u8::try_from(name.len()).expect("short");
            let names = [&[0x30, length + 2, 0x82, length], name].concat();
            let mut params = params([]);
            let extension = CustomExtension::from_oid_content(&[2, 5, 29, 17], names);
            params.custom_extensions.push(extension);
            examined(&[self_signed(&params)], &Roots::new(&[]))
        };
        let hidden = named(b"kv.vault.azure.net\0.example.com");
        assert!(!hidden.covers_name);
        assert_eq!(hidden.leaf.names, [r"kv.vault.azure.net\u{0}.example.com"]);
        assert!(named(b"KV.Vault.Azure.NET").covers_name);
        assert!(!named(b"\xff\xfe\x1b[31m").covers_name);
    }

    #[test]
    fn malformed_dates_are_no_certificate() {
        let leaf = self_signed(&params([HOST.to_owned()]));
        // UTCTime, thirteen bytes: the first is notBefore.
        let at = leaf.windows(2).position(|bytes| bytes == [0x17, 13]);
        let at = at.expect("a date") + 2;
        let dated = |date: &[u8; 13]| {
            let mut der = leaf.to_vec();
            der[at..at + 13].copy_from_slice(date);
            examine(&[der.into()], HOST, &Roots::new(&[]), SystemTime::now())
        };
        assert!(dated(b"200101000000Z").is_some());
        assert_eq!(dated(b"209901000000Z"), None);
        assert_eq!(dated(b"ABCDEFGHIJKLM"), None);
        assert_eq!(dated(&[0xff; 13]), None);
    }

    #[test]
    fn an_authoritys_own_certificate_is_no_servers_where_its_issuer_is_known() {
        let root_key = KeyPair::generate().expect("a key");
        let mut root = params([]);
        root.distinguished_name
            .push(rcgen::DnType::CommonName, "Contoso Root");
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root_der = root.self_signed(&root_key).expect("signed").der().clone();
        let mut authority = params([HOST.to_owned()]);
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let issuer = Issuer::new(root, root_key);
        let leaf = authority
            .signed_by(&key, &issuer)
            .expect("signed")
            .der()
            .clone();

        let unknown = examined(std::slice::from_ref(&leaf), &Roots::new(&[]));
        assert_eq!(unknown.trust, Trust::UnknownIssuer);
        let mut roots = Roots::new(&[]);
        roots.ca_files.add(root_der.clone()).expect("a root");
        for chain in [vec![leaf.clone()], vec![leaf, root_der]] {
            let known = examined(&chain, &roots);
            let why = "it is an authority's own certificate, not a server's";
            assert_eq!(known.trust, Trust::Invalid(why.to_owned()));
        }
    }

    #[test]
    fn a_self_signed_certificate_is_trusted_as_a_ca_file_even_if_it_calls_itself_an_authority() {
        for is_ca in [
            IsCa::NoCa,
            IsCa::ExplicitNoCa,
            IsCa::Ca(BasicConstraints::Unconstrained),
        ] {
            let mut own = params([HOST.to_owned()]);
            own.is_ca = is_ca;
            let leaf = self_signed(&own);
            let unknown = examined(std::slice::from_ref(&leaf), &Roots::new(&[]));
            assert_eq!(unknown.trust, Trust::UnknownIssuer);
            let mut roots = Roots::new(&[]);
            roots.ca_files.add(leaf.clone()).expect("a root");
            roots.ca_certificates.push(leaf.clone());
            assert_eq!(examined(&[leaf], &roots).trust, Trust::CaFile);
        }
    }

    /// An authority of this name, and its certificate by one of another name.
    fn authority(
        name: &str,
        by: Option<&Issuer<'_, KeyPair>>,
    ) -> (Issuer<'static, KeyPair>, CertificateDer<'static>) {
        let key = KeyPair::generate().expect("a key");
        let mut made = params([]);
        made.distinguished_name = rcgen::DistinguishedName::new();
        made.distinguished_name
            .push(rcgen::DnType::CommonName, name);
        made.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let der = match by {
            Some(by) => made.signed_by(&key, by),
            None => made.self_signed(&key),
        };
        let der = der.expect("signed").der().clone();
        (Issuer::new(made, key), der)
    }

    fn leaf(by: &Issuer<'_, KeyPair>) -> CertificateDer<'static> {
        let key = KeyPair::generate().expect("a key");
        let signed = params([HOST.to_owned()]).signed_by(&key, by);
        signed.expect("signed").der().clone()
    }

    #[test]
    fn of_certificates_that_may_all_have_issued_one_another_a_few_are_tried() {
        let (mesh, first) = authority("Mesh", None);
        let others = (1..40).map(|_| authority("Mesh", Some(&mesh)).1);
        let chain: Vec<_> = [leaf(&mesh), first.clone()]
            .into_iter()
            .chain(others)
            .collect();
        let roots = Roots::new(&[]);
        let (issuers, tried) = (40, MAX_ISSUERS);
        let not_followed = Trust::NotFollowed { issuers, tried };
        assert_eq!(examined(&chain, &roots).trust, not_followed);
        // As many as are tried: the issuer is unknown, and that is certain.
        let certain = examined(&chain[..=MAX_ISSUERS], &roots);
        assert_eq!(certain.trust, Trust::UnknownIssuer);
        // A path among those that are tried is good whatever else is sent.
        let mut trusting = Roots::new(&[]);
        trusting.ca_files.add(first).expect("a root");
        assert_eq!(examined(&chain, &trusting).trust, Trust::CaFile);
    }

    #[test]
    fn a_bundle_of_other_authorities_beside_the_chain_hides_nothing() {
        let (root, root_der) = authority("Contoso Root", None);
        let (issuing, issuing_der) = authority("Contoso Issuing", Some(&root));
        let bundle = (0..150).map(|n| authority(&format!("Authority {n}"), None).1);
        let chain: Vec<_> = [leaf(&issuing)]
            .into_iter()
            .chain(bundle)
            .chain([issuing_der])
            .collect();
        let unknown = examined(&chain, &Roots::new(&[]));
        assert_eq!(unknown.trust, Trust::UnknownIssuer);
        let known = examined(&chain, &Roots::new(&[root_der]));
        assert_eq!(known.trust, Trust::CaFile);
    }
}
