//! Reference: the name of an image, as the container runtimes read it (grammar of
//! github.com/distribution/reference, with the normalisation that gives Docker Hub its short names).

use std::str::from_utf8;

/// The longest reference that is read, in bytes: a domain, a repository of 255 bytes, a tag and a digest.
const LONGEST: usize = 1024;

/// The longest repository (`RepositoryNameTotalLengthMax`).
const LONGEST_REPOSITORY: usize = 255;

/// The host and port before an image's repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Registry<'a> {
    pub(crate) host: &'a str,
    pub(crate) port: Option<u16>,
}

/// The text is not a reference: no runtime pulls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Invalid;

/// The registry that `reference` names; `None` for Docker Hub, which an image without a domain is from.
pub(crate) fn registry(reference: &str) -> Result<Option<Registry<'_>>, Invalid> {
    if reference.is_empty() || reference.len() > LONGEST {
        return Err(Invalid);
    }
    // A first part without a dot, a port or an upper-case letter is a part of the repository.
    let Some((domain, rest)) = reference.split_once('/').filter(|(first, _)| {
        *first == "localhost"
            || first.contains(['.', ':'])
            || first.chars().any(|c| c.is_ascii_uppercase())
    }) else {
        return if is_name_with_suffixes(reference) {
            Ok(None)
        } else {
            Err(Invalid)
        };
    };
    if !is_name_with_suffixes(rest) {
        return Err(Invalid);
    }
    let port_at = match domain.strip_prefix('[') {
        Some(address) => address.find(']').map(|end| end + 2).ok_or(Invalid)?,
        None => domain.find(':').unwrap_or(domain.len()),
    };
    let (host, port) = domain.split_at_checked(port_at).ok_or(Invalid)?;
    let port = match port.strip_prefix(':') {
        // A number that is no port is a reference all the same, which nothing can be pulled from.
        Some(port) if is_all(port, |byte| byte.is_ascii_digit()) => {
            Some(port.parse().map_err(|_| Invalid)?)
        }
        None if port.is_empty() => None,
        _ => return Err(Invalid),
    };
    (is_host(host) && port != Some(0))
        .then_some(Some(Registry { host, port }))
        .ok_or(Invalid)
}

/// `repository[:tag][@digest]`.
fn is_name_with_suffixes(text: &str) -> bool {
    let (text, digest) = match text.split_once('@') {
        Some((text, digest)) => (text, Some(digest)),
        None => (text, None),
    };
    let (repository, tag) = match text.split_once(':') {
        Some((repository, tag)) => (repository, Some(tag)),
        None => (text, None),
    };
    repository.len() <= LONGEST_REPOSITORY
        && repository.split('/').all(is_path_component)
        && tag.is_none_or(is_tag)
        && digest.is_none_or(is_digest)
}

/// Lower-case letters and digits, with `.`, `_`, `__` or any number of `-` between them.
fn is_path_component(text: &str) -> bool {
    let is_alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    let ends = [bytes.first(), bytes.last()];
    let separators = bytes.split(|byte| is_alphanumeric(*byte));
    ends.iter()
        .all(|end| end.is_some_and(|byte| is_alphanumeric(*byte)))
        && separators.map(from_utf8).all(|separator| {
            separator.is_ok_and(|separator| {
                matches!(separator, "" | "." | "_" | "__") || is_all(separator, |byte| byte == b'-')
            })
        })
}

/// `[\w][\w.-]{0,127}`.
fn is_tag(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.len() <= 128
        && text.bytes().next().is_some_and(is_word)
        && is_all(text, |byte| is_word(byte) || matches!(byte, b'.' | b'-'))
}

/// An algorithm that the runtimes know, and as many digits as it gives.
fn is_digest(text: &str) -> bool {
    let Some((algorithm, digits)) = text.split_once(':') else {
        return false;
    };
    let length = match algorithm {
        "sha256" => 64,
        "sha384" => 96,
        "sha512" => 128,
        _ => return false,
    };
    digits.len() == length
        && is_all(digits, |byte| {
            byte.is_ascii_digit() || matches!(byte, b'a'..=b'f')
        })
}

/// A domain name, an IPv4 address, or an IPv6 address in brackets.
fn is_host(text: &str) -> bool {
    if let Some(address) = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
        return is_all(address, |byte| byte.is_ascii_hexdigit() || byte == b':');
    }
    text.split('.').all(|component| {
        is_all(component, |byte| {
            byte.is_ascii_alphanumeric() || byte == b'-'
        }) && !component.starts_with('-')
            && !component.ends_with('-')
    })
}

fn is_all(text: &str, is: impl Fn(u8) -> bool) -> bool {
    !text.is_empty() && text.bytes().all(is)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn host(reference: &str) -> Option<(&str, Option<u16>)> {
        let registry = registry(reference).unwrap_or_else(|_| panic!("{reference}: invalid"))?;
        Some((registry.host, registry.port))
    }

    #[test]
    fn the_registry_is_what_stands_before_the_first_slash() {
        let acr = Some(("contoso.azurecr.io", None));
        for rest in [
            "app",
            "app:v1",
            "team/app:v1",
            "a/b/c/d:1.2.3-rc.1_2",
            "a__b/c---d.e_f:V1",
        ] {
            assert_eq!(host(&format!("contoso.azurecr.io/{rest}")), acr, "{rest}");
        }
        assert_eq!(host(&format!("contoso.azurecr.io/app@{DIGEST}")), acr);
        assert_eq!(host(&format!("contoso.azurecr.io/app:v1@{DIGEST}")), acr);
        assert_eq!(
            host("contoso.azurecr.io:443/app"),
            Some(("contoso.azurecr.io", Some(443)))
        );
        assert_eq!(
            host("Contoso.AzureCR.io/app"),
            Some(("Contoso.AzureCR.io", None))
        );
        assert_eq!(host("localhost/app"), Some(("localhost", None)));
        assert_eq!(host("[::1]:5000/app"), Some(("[::1]", Some(5000))));
        assert_eq!(host("10.0.0.5:5000/app"), Some(("10.0.0.5", Some(5000))));
    }

    #[test]
    fn an_image_without_a_domain_is_from_docker_hub() {
        for reference in [
            "nginx",
            "nginx:1.27",
            "library/nginx",
            "contoso/app:v1",
            "contoso.azurecr.io:v1",
            "contoso.azurecr.io",
        ] {
            assert_eq!(host(reference), None, "{reference}");
        }
    }

    #[test]
    fn what_no_runtime_pulls_is_invalid() {
        let long = format!("contoso.azurecr.io/{}", "a".repeat(256));
        for reference in [
            "",
            "/app",
            "contoso.azurecr.io/",
            "contoso.azurecr.io/App:v1",
            "contoso.azurecr.io/app:",
            "contoso.azurecr.io/app:v 1",
            "contoso.azurecr.io/app@sha256:abc",
            "contoso.azurecr.io/app@md5:d41d8cd98f00b204e9800998ecf8427e",
            "contoso.azurecr.io/-app",
            "contoso.azurecr.io/a..b",
            "contoso.azurecr.io/a___b",
            "contoso.azurecr.io./app",
            "contoso..azurecr.io/app",
            "contoso_eu.azurecr.io/app",
            "-contoso.azurecr.io/app",
            "contoso.azurecr.io:/app",
            "contoso.azurecr.io:0/app",
            "contoso.azurecr.io:99999/app",
            "contoso.azurecr.io:port/app",
            "https://contoso.azurecr.io/app:v1",
            "oci://contoso.azurecr.io/app",
            "docker-pullable://contoso.azurecr.io/app",
            " contoso.azurecr.io/app",
            "contoso.azurecr.io/app\n",
            "bücher.azurecr.io/app",
            "[::1/app",
            "[]/app",
            &long,
        ] {
            assert_eq!(registry(reference), Err(Invalid), "{reference:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(reference in ".{0,60}", parts in "[a-zA-Z0-9:/@.\\[\\]_-]{0,60}") {
            let _ = registry(&reference);
            let _ = registry(&parts);
        }
    }
}
