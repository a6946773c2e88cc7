//! Node name: what this node is called on every series and report.

use std::fs;

/// The name that was given, else the machine's host name; an empty one counts as not given.
pub(super) fn or_hostname(given: Option<&str>) -> String {
    let given = given.map(str::trim).filter(|name| !name.is_empty());
    given.map_or_else(hostname, str::to_owned)
}

fn hostname() -> String {
    let read = fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = read
        .as_deref()
        .map(str::trim)
        .filter(|name| !name.is_empty());
    name.unwrap_or("unknown").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_name_counts_as_not_given() {
        assert_eq!(or_hostname(Some("aks-a-0")), "aks-a-0");
        assert_eq!(or_hostname(Some(" ")), or_hostname(None));
        assert!(!or_hostname(None).is_empty());
    }
}
