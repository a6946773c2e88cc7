//! Name: a DNS name as text, lower case and without the trailing dot.

/// `name` as this crate compares names: lower case, without the trailing dot.
pub fn normalised(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

/// Whether `name` is `zone` or lies below it. Both normalised.
///
/// ```
/// use privatelink_verdict::name::is_within;
/// assert!(is_within("kv.vault.azure.net", "vault.azure.net"));
/// assert!(!is_within("kv.notvault.azure.net", "vault.azure.net"));
/// ```
pub fn is_within(name: &str, zone: &str) -> bool {
    name.strip_suffix(zone)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// `name` and its ancestors, nearest first, without the root.
pub(crate) fn ancestry(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |name| {
        name.split_once('.').map(|(_, parent)| parent)
    })
}

/// Whether the first label of `name` is `privatelink` or starts with `privatelink-`
/// (`privatelink-global.wvd.microsoft.com`).
pub(crate) fn is_privatelink_label(name: &str) -> bool {
    let label = name.split('.').next().unwrap_or_default();
    label == "privatelink" || label.starts_with("privatelink-")
}

/// Whether `name` fits `pattern`, label by label; `{…}` in a pattern stands for exactly one label.
pub fn fits(name: &str, pattern: &str) -> bool {
    if !name.ends_with(fixed_end(pattern)) {
        return false;
    }
    let mut labels = name.split('.');
    pattern.split('.').all(|want| {
        labels
            .next()
            .is_some_and(|label| label == want || (want.starts_with('{') && !label.is_empty()))
    }) && labels.next().is_none()
}

/// What follows the label of the last placeholder of `pattern`. A name that does not end so does not fit:
/// most names and patterns differ there, before any label is looked at.
pub(crate) fn fixed_end(pattern: &str) -> &str {
    match pattern.rsplit_once('}') {
        None => pattern,
        Some((_, rest)) => rest.split_once('.').map_or("", |(_, end)| end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_takes_one_label_for_each_placeholder() {
        assert!(fits(
            "privatelink.westeurope.azmk8s.io",
            "privatelink.{regionName}.azmk8s.io"
        ));
        assert!(!fits(
            "privatelink.azmk8s.io",
            "privatelink.{regionName}.azmk8s.io"
        ));
        assert!(!fits(
            "a.privatelink.westeurope.azmk8s.io",
            "privatelink.{regionName}.azmk8s.io"
        ));
    }

    #[test]
    fn the_fixed_end_of_a_pattern_is_whole_labels() {
        for (pattern, end) in [
            ("vault.azure.net", "vault.azure.net"),
            ("{region}.data.azurecr.io", "data.azurecr.io"),
            (
                "{region}-gas.guestconfiguration.azure.com",
                "guestconfiguration.azure.com",
            ),
            ("a.{b}", ""),
        ] {
            assert_eq!(fixed_end(pattern), end, "{pattern}");
        }
    }

    #[test]
    fn ancestry_stops_below_the_root() {
        assert_eq!(ancestry("a.b.c").collect::<Vec<_>>(), ["a.b.c", "b.c", "c"]);
    }
}
