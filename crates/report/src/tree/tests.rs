//! The tree as it is printed, without colours.

use std::sync::Arc;

use privatelink_board::fixtures;
use privatelink_verdict::reason::Severity;
use privatelink_verdict::target::Target;
use privatelink_verdict::verdict::Confidence;

use super::*;

/// What is written when colours are off; the meaning's and remedy's words are a table of its own.
fn plain(write: impl FnOnce(&mut anstream::StripStream<Vec<u8>>) -> io::Result<()>) -> String {
    let mut out = anstream::StripStream::new(Vec::new());
    write(&mut out).expect("memory to write to");
    let text = String::from_utf8(out.into_inner()).expect("text");
    let lines = text.lines().map(|line| {
        let mut labels = ["means   ", "do      "].into_iter();
        let label = labels.find_map(|label| Some(line.find(label)? + label.len()));
        match label {
            Some(end) => format!("{}…\n", &line[..end]),
            None => format!("{}\n", line.trim_end()),
        }
    });
    lines.collect()
}

fn tree_of(probed: &Probed) -> String {
    plain(|out| tree(out, [probed], None))
}

#[test]
fn a_healthy_target_is_a_short_tree() {
    insta::assert_snapshot!(tree_of(&fixtures::healthy()), @r#"
    ✓ PASS  kv-dev.vault.azure.net
    kv-dev.vault.azure.net resolves to its private endpoint, 10.1.2.3 (private), and answers on port 443 with the right certificate.
    ├─ path pod 10.0.0.10:53  A answer (2.1 ms), AAAA nodata (2.1 ms)
    │  ├─ kv-dev.vault.azure.net
    │  └─ kv-dev.privatelink.vaultcore.azure.net  ← privatelink alias
    ├─ 10.1.2.3 (private)  ttl 60 s
    │  ├─ tcp 443  ok  1.2 ms
    │  ├─ tls      ok  18 ms
    │  └─ certificate for vault.azure.net, *.vault.azure.net, *.vaultcore.azure.net  by Microsoft Azure RSA TLS Issuing CA 04, expires in 121 days
    └─ resolver node 10.0.0.10:53  10.1.2.3 (private)  agrees

    1 target: 1 pass
    "#);
}

#[test]
fn who_uses_a_target_stands_below_the_summary() {
    let mut healthy = fixtures::healthy();
    healthy.target = Arc::new(Target {
        users: Some(fixtures::users().into()),
        ..Target::clone(&healthy.target)
    });
    let tree = tree_of(&healthy);
    let third = tree.lines().nth(2);
    assert_eq!(
        third,
        Some("used: image pulls of 14 workloads in 3 namespaces")
    );
}

#[test]
fn a_public_fallback_shows_where_the_alias_leads() {
    insta::assert_snapshot!(tree_of(&fixtures::public_fallback()), @r#"
    ✗ FAIL  kv-prod.vault.azure.net  public_fallback
    kv-prod.vault.azure.net falls back to its public address, which still answers: the alias kv-prod.privatelink.vaultcore.azure.net ends at 52.168.109.101 (public); its zone privatelink.vaultcore.azure.net is answered by the public side; the node resolves it privately, pods do not: applications will go public.
    ├─ path pod 10.0.0.10:53  A answer (2.1 ms), AAAA nodata (2.1 ms)  ← the path of this verdict
    │  ├─ kv-prod.vault.azure.net
    │  ├─ kv-prod.privatelink.vaultcore.azure.net  ← privatelink alias, its zone is the public one here
    │  └─ data-prod-weu.vaultcore.azure.net
    ├─ 52.168.109.101 (public)  ttl 60 s
    │  ├─ tcp 443  ok  1.2 ms
    │  ├─ tls      ok  18 ms
    │  └─ certificate for vault.azure.net, *.vault.azure.net, *.vaultcore.azure.net  by Microsoft Azure RSA TLS Issuing CA 04, expires in 121 days
    ├─ resolver node 10.0.0.10:53  10.1.2.4 (private)  disagrees
    ├─ fail public_fallback  high confidence
    │  means   …
    │  do      …
    │  settle  $ az graph query --graph-query 'resources | where type =~ "microsoft.network/privatednszones/virtualnetworklinks" and id contains "/privatelink.vaultcore.azure.net/" | project name, resourceGroup, subscriptionId, network = properties.virtualNetwork.id, fallback = properties.resolutionPolicy' --query data --output table
    └─ warn resolver_disagreement: the path pod gives 52.168.109.101 (public), node gives 10.1.2.4 (private); the node resolves it privately, pods do not: applications will go public
       Another resolver gives another class of address, so pods and the node reach different places.
       $ dig kv-prod.vault.azure.net A @10.0.0.10

    1 target: 1 fail
    "#);
}

#[test]
fn a_silent_dns_server_is_named() {
    insta::assert_snapshot!(tree_of(&fixtures::dns_timeout()), @r#"
    ✗ FAIL  kv-dns.vault.azure.net  dns_timeout
    kv-dns.vault.azure.net cannot be resolved: A and AAAA: timeout (10.0.0.10:53, 2 tries).
    ├─ path pod 10.0.0.10:53  A timeout (5.0 s, 2 tries), AAAA timeout (5.0 s, 2 tries)
    └─ fail dns_timeout  high confidence
       means   …
       do      …
       settle  $ dig kv-dns.vault.azure.net A @10.0.0.10

    1 target: 1 fail
    "#);
}

#[test]
fn a_silent_address_is_named() {
    insta::assert_snapshot!(tree_of(&fixtures::connect_timeout()), @r#"
    ✗ FAIL  kv-fw.vault.azure.net  connect_timeout
    kv-fw.vault.azure.net does not answer on port 443: 10.1.2.9:443 timeout.
    ├─ path pod 10.0.0.10:53  A answer (2.1 ms), AAAA nodata (2.1 ms)
    │  ├─ kv-fw.vault.azure.net
    │  └─ kv-fw.privatelink.vaultcore.azure.net  ← privatelink alias
    ├─ 10.1.2.9 (private)  ttl 60 s
    │  └─ tcp 443  timeout  2.5 s
    └─ fail connect_timeout  high confidence
       means   …
       do      …
       settle  $ nc -vz -w 5 10.1.2.9 443

    1 target: 1 fail
    "#);
}

#[test]
fn a_foreign_certificate_is_shown_without_its_escapes() {
    insta::assert_snapshot!(tree_of(&fixtures::name_mismatch()), @r#"
    ✗ FAIL  kv-tls.vault.azure.net  tls_name_mismatch
    kv-tls.vault.azure.net gets a certificate for other names: 10.1.2.7 presents a certificate for proxy.example.com.
    ├─ path pod 10.0.0.10:53  A answer (2.1 ms), AAAA nodata (2.1 ms)
    │  ├─ kv-tls.vault.azure.net
    │  └─ kv-tls.privatelink.vaultcore.azure.net  ← privatelink alias
    ├─ 10.1.2.7 (private)  ttl 60 s
    │  ├─ tcp 443  ok  1.2 ms
    │  ├─ tls      name_mismatch  18 ms
    │  └─ certificate for proxy.example.com  by <script>alert(1)</script>\u{1b}[31m, expires in 3 days
    ├─ fail tls_name_mismatch  high confidence
    │  means   …
    │  do      …
    │  settle  $ openssl s_client -connect 10.1.2.7:443 -servername kv-tls.vault.azure.net </dev/null | openssl x509 -noout -subject -issuer -dates -ext subjectAltName
    ├─ fail tls_untrusted_issuer: 10.1.2.7 presents a certificate of an unknown issuer: CN=<script>alert(1)</script>\u{1b}[31m
    │  The certificate's chain ends in no root that the agent trusts.
    │  $ openssl s_client -connect 10.1.2.7:443 -servername kv-tls.vault.azure.net </dev/null | openssl x509 -noout -subject -issuer -dates -ext subjectAltName
    └─ warn tls_certificate_expiring: the certificate of 10.1.2.7 ends in 3 days
       The certificate ends soon.
       $ openssl s_client -connect 10.1.2.7:443 -servername kv-tls.vault.azure.net </dev/null | openssl x509 -noout -subject -issuer -dates -ext subjectAltName

    1 target: 1 fail
    "#);
}

#[test]
fn a_finding_says_what_it_means_how_sure_it_is_what_to_do_and_what_would_settle_it() {
    let mut probed = fixtures::public_fallback();
    probed.verdict.findings[0].confidence = Confidence::Medium;
    probed.verdict.findings[1].confidence = Confidence::Low;
    let mut out = anstream::StripStream::new(Vec::new());
    tree(&mut out, [&probed], None).expect("memory to write to");
    let text = String::from_utf8(out.into_inner()).expect("text");
    for part in [
        "fail public_fallback  medium confidence\n",
        Reason::PublicFallback.meaning(),
        "do      Make the cluster's DNS resolve kv-prod.vault.azure.net as the node does",
        "settle  $ az graph query",
        "reach different places. (low confidence)\n   $ dig kv-prod.vault.azure.net A @10.0.0.10\n",
    ] {
        assert!(text.contains(part), "{part}:\n{text}");
    }
}

#[test]
fn a_finding_that_is_only_worth_knowing_takes_one_line() {
    let mut probed = fixtures::public_fallback();
    probed.verdict.findings[1].severity = Severity::Info;
    let text = tree_of(&probed);
    let (_, last) = text.split_once("info resolver_disagreement: ").expect("it");
    assert_eq!(
        last,
        "the path pod gives 52.168.109.101 (public), node gives 10.1.2.4 (private); the node resolves \
         it privately, pods do not: applications will go public\n\n1 target: 1 fail\n"
    );
}

#[test]
fn on_a_terminal_text_keeps_to_its_width_and_its_branch() {
    let width = 60;
    let mut out = anstream::StripStream::new(Vec::new());
    tree(&mut out, &fixtures::all(), Some(width)).expect("memory to write to");
    let text = String::from_utf8(out.into_inner()).expect("text");
    let mut is_command = false;
    for line in text.lines() {
        assert!(is_command || line.chars().count() <= width, "{line}");
        // A command below the tree stands by itself, behind its number.
        is_command = line.starts_with('[');
    }
    let below = "\n[1]\naz graph query --graph-query";
    assert!(
        text.contains("│  settle  command [1] below\n") && text.contains(below),
        "{text}"
    );
    let stem = "│  do      Make the cluster's DNS resolve";
    assert!(text.contains(stem), "{text}");
    let (_, rest) = text.split_once(stem).expect("it");
    let next = rest.lines().nth(1).expect("a line below");
    assert!(next.starts_with("│          "), "{next}");
}

#[test]
fn the_short_form_is_a_line_each() {
    let probes = fixtures::all();
    insta::assert_snapshot!(plain(|out| short(out, &probes)), @r#"
    PASS  kv-dev.vault.azure.net   ok                 10.1.2.3 (private)
    FAIL  kv-prod.vault.azure.net  public_fallback    52.168.109.101 (public)
    FAIL  kv-dns.vault.azure.net   dns_timeout        no address: timeout
    FAIL  kv-fw.vault.azure.net    connect_timeout    10.1.2.9 (private)
    FAIL  kv-tls.vault.azure.net   tls_name_mismatch  10.1.2.7 (private)
    5 targets: 4 fail, 1 pass
    "#);
}

#[test]
fn an_answer_with_very_many_addresses_stays_readable() {
    let mut probed = fixtures::healthy();
    let address = probed.observation.resolution.addresses[0].clone();
    probed.observation.resolution.addresses = vec![address; 200];
    let text = tree_of(&probed);
    assert!(text.contains("… 184 more addresses"), "{text}");
    let line = plain(|out| short(out, [&probed]));
    assert!(line.contains(" +197"), "{line}");
}

#[test]
fn a_name_of_its_own_comes_with_the_host() {
    let mut probed = fixtures::healthy();
    let mut target = (*probed.target).clone();
    target.name = "vault".to_owned();
    probed.target = Arc::new(target);
    let text = tree_of(&probed);
    assert!(
        text.starts_with("✓ PASS  vault  kv-dev.vault.azure.net:443\n"),
        "{text}"
    );
}

#[test]
fn colours_are_the_only_escape_sequences() {
    let mut out = Vec::new();
    tree(&mut out, [&fixtures::name_mismatch()], None).expect("memory to write to");
    let text = String::from_utf8(out).expect("text");
    assert!(text.contains("\u{1b}[1m\u{1b}[31m"), "red for a failure");
    assert!(!text.contains("CN=<script>alert(1)</script>\u{1b}[31m"));
}

#[test]
fn servers_that_were_asked_alone_are_drawn_with_what_each_gave() {
    let mut probed = fixtures::healthy();
    probed.observation.resolution.evidence.servers = fixtures::servers_that_differ();
    let tree = tree_of(&probed);
    let servers: Vec<_> = tree.lines().filter(|line| line.contains("alone")).collect();
    assert_eq!(
        servers,
        [
            "│  ├─ server 10.0.0.4:53 alone  10.1.2.3 (private)  2 times",
            "│  ├─ server 10.0.0.5:53 alone  52.168.109.101 (public)",
            "│  └─ server 10.0.0.6:53 alone  no address: timeout",
        ]
    );
}
