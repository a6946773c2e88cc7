//! Which commands may be pasted into a shell: whole ones, of names that mean nothing to it.

use privatelink_verdict::reason::Reason;

use crate::command::{LINKS, command, settles};
use crate::observed::{QueryExt, certificate_of, nxdomain, private_soa};
use crate::probe::{Probe, VAULT, VAULT_ALIAS, VAULT_ZONE};

#[test]
fn every_command_is_whole_and_a_shell_reads_it() {
    let probes = crate::summary::every_story();
    let verdicts: Vec<_> = probes.iter().map(Probe::rendered).collect();
    let findings = verdicts.iter().flat_map(|verdict| &verdict.findings);
    let commands: Vec<&str> = findings
        .filter_map(|found| found.command.as_deref())
        .collect();
    assert!(commands.len() > 20, "{}", commands.len());
    for command in commands {
        let read = std::process::Command::new("sh")
            .args(["-n", "-c", command])
            .output()
            .expect("a shell");
        assert!(read.status.success(), "{command}: {read:?}");
        // Nothing is left to fill in.
        let blank = command.replace("</dev/null", "");
        assert!(!blank.contains(['<', '>']), "{command}");
    }
}

/// Names that a shell, dig or az would take for something else than a name.
const HOSTILE: [&str; 10] = [
    "$(reboot)",
    "`reboot`",
    "a;reboot",
    "a|reboot",
    "a b",
    "a'b",
    "a\nreboot",
    "a&b",
    "*",
    "-f",
];

#[test]
fn a_hostile_alias_gets_no_command() {
    for label in HOSTILE {
        let hostile = format!("{label}.privatelink.vaultcore.azure.net");
        let missing = Probe::of(VAULT)
            .via([&hostile])
            .both(nxdomain().with_soa(private_soa(VAULT_ZONE)));
        assert_eq!(command(&missing, Reason::DnsPrivateRecordMissing), None);
        let public = Probe::of(VAULT).via([&hostile]).resolves_to(["52.0.0.1"]);
        assert_eq!(command(&public, Reason::PublicFallback), None, "{label}");
    }
}

#[test]
fn a_hostile_zone_or_last_name_gets_no_command() {
    for label in HOSTILE {
        let zone = format!("kv.privatelink.{label}.kusto.windows.net");
        let public = Probe::of(VAULT).via([&zone]).resolves_to(["52.0.0.1"]);
        // Within a name a dash is as good as any character.
        if label != "-f" {
            assert_eq!(command(&public, Reason::PublicFallback), None, "{label}");
        }
        let last = format!("{label}.example.com");
        let public = Probe::of(VAULT)
            .via([VAULT_ALIAS, &last])
            .resolves_to(["52.0.0.1"]);
        assert_eq!(command(&public, Reason::PublicFallback), None, "{label}");
    }
}

#[test]
fn a_hostile_host_or_server_name_gets_no_command() {
    for label in HOSTILE {
        let host = Probe::of(label).both(nxdomain());
        assert_eq!(command(&host, Reason::DnsNameNotFound), None, "{label}");
        let server_name = Probe::healthy_vault()
            .with(|target| target.server_name = Some(label.into()))
            .everywhere(|c| certificate_of(c).covers_name = false);
        assert_eq!(
            command(&server_name, Reason::TlsNameMismatch),
            None,
            "{label}"
        );
    }
}

#[test]
fn names_that_are_odd_but_harmless_keep_their_command() {
    let alias = "_Kv-1_x.privatelink.vaultcore.azure.net";
    settles(
        &Probe::of(VAULT).via([alias]).resolves_to(["52.0.0.1"]),
        Reason::PublicFallback,
        LINKS,
    );
}
