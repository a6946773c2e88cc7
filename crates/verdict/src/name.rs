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

/// The zone that holds the first privatelink label of `name`, if it has one.
///
/// A label counts when it equals `privatelink` or starts with `privatelink-`
/// (`privatelink-global.wvd.microsoft.com`); labels before it are part of the record, so
/// `reg.westeurope.data.privatelink.azurecr.io` lies in `privatelink.azurecr.io`.
pub fn privatelink_zone(name: &str) -> Option<&str> {
    ancestry(name).find(|name| {
        let label = name.split('.').next().unwrap_or_default();
        label == "privatelink" || label.starts_with("privatelink-")
    })
}

/// Whether `name` fits `pattern`, label by label; `{…}` in a pattern stands for exactly one label.
pub fn fits(name: &str, pattern: &str) -> bool {
    let mut labels = name.split('.');
    pattern.split('.').all(|want| {
        labels
            .next()
            .is_some_and(|label| label == want || (want.starts_with('{') && !label.is_empty()))
    }) && labels.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_privatelink_label_is_found_wherever_it_stands() {
        let zone = |name| privatelink_zone(name);
        assert_eq!(
            zone("kv.privatelink.vaultcore.azure.net"),
            Some("privatelink.vaultcore.azure.net")
        );
        assert_eq!(
            zone("r.weu.data.privatelink.azurecr.io"),
            Some("privatelink.azurecr.io")
        );
        assert_eq!(
            zone("x.privatelink-global.wvd.microsoft.com"),
            Some("privatelink-global.wvd.microsoft.com")
        );
        assert_eq!(zone("kv.vault.azure.net"), None);
        assert_eq!(zone("myprivatelink.example.com"), None);
        assert_eq!(zone("privatelinks.example.com"), None);
    }

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
    fn ancestry_stops_below_the_root() {
        assert_eq!(ancestry("a.b.c").collect::<Vec<_>>(), ["a.b.c", "b.c", "c"]);
    }
}
