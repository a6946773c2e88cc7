//! Host: the DNS name of a target as it is written, and why it may be refused.

use privatelink_verdict::host::{self, NotAHost};

use crate::diagnostic::Diagnostic;

/// The pattern of a host, for the JSON schema: labels, each with a dot or the end after it. The dot
/// is in brackets, since Helm shows backslashes doubled.
pub(crate) const PATTERN: &str = "^([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?([.]|$))+$";

/// The pattern that a host must match too: its last label is no number, as in an IPv4 address.
pub(crate) const LAST_LABEL_PATTERN: &str = "[^0-9.][^.]*[.]?$";

/// The pattern of an entry of `allowedHosts`: a host, or `*.` and a host.
pub(crate) const ALLOWED_PATTERN: &str =
    "^([*][.])?([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?([.]|$))+$";

/// Reads a host; the result is in lower case and has no trailing dot.
pub fn parse(text: &str) -> Result<String, Diagnostic> {
    host::parse(text).map_err(|why| diagnostic(text, &why))
}

fn diagnostic(text: &str, why: &NotAHost) -> Diagnostic {
    let diagnostic = Diagnostic::new(why.message(text));
    match why.help() {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn upper_case_is_lowered_and_the_trailing_dot_dropped() {
        for (text, host) in [
            ("KV.Vault.Azure.NET.", "kv.vault.azure.net"),
            ("my_db.example.com", "my_db.example.com"),
            ("localhost", "localhost"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("1.example", "1.example"),
        ] {
            assert_eq!(parse(text).as_deref(), Ok(host));
        }
    }

    #[test]
    fn what_is_no_host_is_refused_with_what_to_write() {
        for (text, message, help) in [
            (
                "10.1.2.3",
                "is an IP address",
                "the name that applications use",
            ),
            (
                "fd00::1",
                "is an IP address",
                "the name that applications use",
            ),
            (
                "[fd00::1]",
                "is an IP address",
                "the name that applications use",
            ),
            ("bücher.example", "not ASCII", "xn--"),
            (
                "https://kv.vault.azure.net/x",
                "not a host",
                "alone: `kv.vault.azure.net`",
            ),
            (
                "kv.vault.azure.net/secrets",
                "not a host",
                "alone: `kv.vault.azure.net`",
            ),
            ("sql.example.com:1433", "not a host", "`port: 1433`"),
            ("*.vault.azure.net", "not a host", "wildcard"),
            ("", "empty", "the name that applications use"),
        ] {
            let diagnostic = parse(text).expect_err(text);
            assert!(diagnostic.message.contains(message), "{diagnostic:?}");
            assert!(
                diagnostic
                    .help
                    .as_deref()
                    .is_some_and(|found| found.contains(help)),
                "{diagnostic:?}"
            );
        }
        for text in [
            "a..b",
            ".a",
            "a.-b",
            "a b",
            "a\u{0}b",
            "a..",
            "10.1.2.300",
            "10.1.2",
            "010.1.2.3",
            "a.1",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn lengths_are_those_of_dns() {
        let label = "a".repeat(63);
        let longest = format!("{label}.{label}.{label}.{}", "a".repeat(61));
        assert_eq!(longest.len(), 253);
        assert!(parse(&longest).is_ok());
        assert!(
            parse(&format!("{longest}.")).is_ok(),
            "the dot does not count"
        );
        assert!(parse(&format!("{longest}a")).is_err());
        assert!(parse(&format!("{}.b", "a".repeat(64))).is_err());
    }

    proptest! {
        #[test]
        fn what_is_accepted_is_accepted_again_unchanged(text in "[ -~äß]{0,70}") {
            if let Ok(host) = parse(&text) {
                prop_assert_eq!(parse(&host), Ok(host.clone()));
            }
        }
    }
}
