//! Chains that end in a configured root.

use privatelink_verdict::fact::{Fact, TlsFact};
use privatelink_verdict::observation::{Connection, Trust};
use privatelink_verdict::reason::{Reason, Severity};

use crate::observed::{Change, certificate_of};
use crate::probe::{Probe, VAULT};
use Severity::Info;

#[test]
fn the_ca_of_an_api_server_is_its_clusters_own() {
    let host = "aks-prod.privatelink.westeurope.azmk8s.io";
    let by =
        |trust: fn(&mut Connection)| Probe::of(host).resolves_to(["10.1.2.3"]).everywhere(trust);
    let trusted = by(|c| certificate_of(c).trust = Trust::CaFile);
    let facts = trusted.facts(Reason::TlsPrivateRoot);
    let is_own = |fact: &Fact| {
        use TlsFact::{PrivateRoot, UnknownIssuer};
        matches!(
            fact,
            Fact::Tls(PrivateRoot { own_ca: true, .. } | UnknownIssuer { own_ca: true, .. })
        )
    };
    assert!(facts.iter().all(is_own), "{facts:?}");
    let unknown = by(|c| certificate_of(c).trust = Trust::UnknownIssuer);
    let facts = unknown.facts(Reason::TlsUntrustedIssuer);
    assert!(facts.iter().all(is_own), "{facts:?}");
}

#[test]
fn a_private_root_is_worth_knowing_only_of_an_azure_service() {
    let ours: Change = |c| {
        let certificate = certificate_of(c);
        certificate.trust = Trust::CaFile;
        certificate.leaf_mut().issuer = "CN=Corp Root".into();
    };
    let azure = Probe::healthy_vault().everywhere(ours);
    assert_eq!(azure.findings(), [(Reason::TlsPrivateRoot, Info)]);
    assert_eq!(azure.verdict().reason, Reason::Ok);
    assert_eq!(
        azure.finding(Reason::TlsPrivateRoot).detail,
        "the chain of 10.1.2.3 ends in a configured CA, not in a public one; its issuer is CN=Corp Root"
    );
    let several = Probe::of(VAULT)
        .resolves_to(["10.1.2.3", "10.1.2.4"])
        .everywhere(ours);
    assert_eq!(
        several.finding(Reason::TlsPrivateRoot).detail,
        "the chain of 10.1.2.3 (and of 1 more) ends in a configured CA, not in a public one; its issuer is \
         CN=Corp Root"
    );
    let own = Probe::of("orders.example.com")
        .resolves_to(["10.1.2.3"])
        .everywhere(ours);
    assert_eq!(own.findings(), []);
}
