//! Proxy: whether the environment sends applications through a proxy instead of to the host.
//!
//! AKS injects `HTTPS_PROXY` and `NO_PROXY` into pods; HTTP clients of most languages follow them.

use privatelink_machine::Machine;
use privatelink_verdict::name::{is_within, normalised};
use privatelink_verdict::target::{Protocol, Target};

/// The proxy variables of our own environment, which are those of other pods too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Proxy {
    variable: Option<&'static str>,
    excluded: Vec<String>,
}

impl Proxy {
    /// Reads `HTTPS_PROXY` and `NO_PROXY`, in either case.
    pub(super) fn of(machine: &Machine) -> Self {
        let set = |name: &str| machine.variable(name);
        let variable = ["HTTPS_PROXY", "https_proxy"]
            .into_iter()
            .find(|name| set(name).is_some());
        let excluded = ["NO_PROXY", "no_proxy"]
            .into_iter()
            .find_map(set)
            .unwrap_or_default();
        Self::new(variable, &excluded)
    }

    fn new(variable: Option<&'static str>, excluded: &str) -> Self {
        let excluded = excluded
            .split([',', ' '])
            .map(str::trim)
            .filter(|entry| !entry.is_empty());
        Self {
            variable,
            excluded: excluded.map(normalised).collect(),
        }
    }

    /// The variable that sends HTTPS clients of `target` elsewhere, if one does.
    pub(super) fn diverts(&self, target: &Target) -> Option<&'static str> {
        let https = target.protocol == Protocol::Tls && target.port == 443;
        let variable = self.variable.filter(|_| https)?;
        let excluded = self
            .excluded
            .iter()
            .any(|entry| excludes(entry, &target.host));
        (!excluded).then_some(variable)
    }
}

/// `*`, a domain with or without a leading dot or `*.`, or a domain with the port.
fn excludes(entry: &str, host: &str) -> bool {
    let entry = entry.strip_suffix(":443").unwrap_or(entry);
    let domain = entry
        .strip_prefix("*.")
        .or_else(|| entry.strip_prefix('.'))
        .unwrap_or(entry);
    entry == "*" || is_within(host, domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_proxy_excludes_domains_in_all_the_usual_spellings() {
        for entry in [
            "vault.azure.net",
            ".vault.azure.net",
            "*.vault.azure.net",
            "*",
            "kv.vault.azure.net:443",
        ] {
            assert!(excludes(entry, "kv.vault.azure.net"), "{entry}");
        }
        for entry in ["azure.com", "ault.azure.net", "10.0.0.0/8"] {
            assert!(!excludes(entry, "kv.vault.azure.net"), "{entry}");
        }
    }
}
