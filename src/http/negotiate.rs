//! Negotiate: which encoding and which format of the metrics a client asks for (RFC 9110 section 12.5).

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, ACCEPT_ENCODING, HeaderName};
use axum::http::request::Parts;
use privatelink_report::metrics::Exposition;

/// What a client accepts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Accepted {
    /// Whether the reply may be compressed with gzip.
    pub(super) gzip: bool,
    /// How the metrics are written.
    pub(super) metrics: Exposition,
}

impl<S: Sync> FromRequestParts<S> for Accepted {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers))
    }
}

impl Accepted {
    fn of(headers: &HeaderMap) -> Self {
        Self {
            gzip: gzip(headers),
            metrics: metrics(headers),
        }
    }
}

/// Whether gzip is accepted, and not less than an uncompressed reply.
fn gzip(headers: &HeaderMap) -> bool {
    let quality_of = |coding: &str| {
        let mut items = items(headers, &ACCEPT_ENCODING);
        items.find(|item| item.is(coding)).map(|item| item.quality)
    };
    let gzip = quality_of("gzip")
        .or_else(|| quality_of("*"))
        .unwrap_or(0.0);
    gzip > 0.0 && gzip >= quality_of("identity").unwrap_or(0.0)
}

/// OpenMetrics for a client that names it and does not prefer the text format. Every other client gets
/// the text format, also one that accepts neither.
fn metrics(headers: &HeaderMap) -> Exposition {
    let best = |kind: &str, versions: &[&str]| {
        let items = items(headers, &ACCEPT);
        items
            .filter(|item| item.is(kind) && item.version().is_none_or(|v| versions.contains(&v)))
            .map(|item| item.quality)
            .fold(0.0, f32::max)
    };
    let open_metrics = best("application/openmetrics-text", &["1.0.0"]);
    if open_metrics > 0.0 && open_metrics >= best("text/plain", &["0.0.4"]) {
        Exposition::OpenMetrics
    } else {
        Exposition::Text
    }
}

/// One item of a header whose value is a list: `gzip;q=0.5`.
struct Item<'a> {
    name: &'a str,
    parameters: &'a str,
    quality: f32,
}

impl Item<'_> {
    fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    fn version(&self) -> Option<&str> {
        parameter(self.parameters, "version")
    }
}

fn items<'a>(headers: &'a HeaderMap, header: &HeaderName) -> impl Iterator<Item = Item<'a>> {
    let values = headers.get_all(header).into_iter();
    let values = values.filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(|item| {
        let (name, parameters) = item.split_once(';').unwrap_or((item, ""));
        // A quality that is no number is none: the item does not count.
        let quality = parameter(parameters, "q").map_or(Ok(1.0), str::parse);
        Item {
            name: name.trim(),
            parameters,
            quality: quality.unwrap_or(0.0),
        }
    })
}

/// The value of a parameter in `version=1.0.0; q=0.5`.
fn parameter<'a>(parameters: &'a str, wanted: &str) -> Option<&'a str> {
    let pairs = parameters
        .split(';')
        .filter_map(|pair| pair.split_once('='));
    let mut values = pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case(wanted));
    values
        .next()
        .map(|(_, value)| value.trim().trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(header: &HeaderName, value: &str) -> Accepted {
        let mut headers = HeaderMap::new();
        headers.insert(header, value.parse().expect("a value"));
        Accepted::of(&headers)
    }

    #[test]
    fn gzip_is_used_where_it_is_accepted_and_not_worse_than_none() {
        for yes in [
            "gzip",
            "GZip",
            "deflate, gzip;q=0.5, br",
            "*",
            "identity;q=0.5, *;q=0.5",
            "gzip; q=0.001",
        ] {
            assert!(accepted(&ACCEPT_ENCODING, yes).gzip, "{yes}");
        }
        for no in [
            "",
            "identity",
            "br",
            "gzipped",
            "gzip;q=0",
            "gzip;q=0, *",
            "*;q=0.0",
            "gzip;q=0.1, identity;q=0.9",
            "gzip;q=much",
        ] {
            assert!(!accepted(&ACCEPT_ENCODING, no).gzip, "{no}");
        }
        assert_eq!(Accepted::of(&HeaderMap::new()), Accepted::default());
    }

    #[test]
    fn open_metrics_is_for_clients_that_ask_for_it() {
        for yes in [
            // Prometheus 2.50 and 3.
            "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,\
             text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
             text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
            "application/openmetrics-text; version=1.0.0",
            "application/openmetrics-text",
            "text/plain;q=0.5, Application/OpenMetrics-Text; Version=\"1.0.0\"; q=0.5",
        ] {
            assert_eq!(
                accepted(&ACCEPT, yes).metrics,
                Exposition::OpenMetrics,
                "{yes}"
            );
        }
        for no in [
            "*/*",
            "text/html,application/xhtml+xml,*/*;q=0.8",
            "text/plain;version=0.0.4;q=0.3, application/openmetrics-text;version=1.0.0;q=0.2",
            "application/openmetrics-text; version=2.0.0",
            "application/openmetrics-text; version=0.0.1",
            "application/openmetrics-text; q=0",
            "application/*",
            // A Prometheus that was told to ask for the text format only.
            "text/plain;version=0.0.4;q=0.5,*/*;q=0.4",
        ] {
            assert_eq!(accepted(&ACCEPT, no).metrics, Exposition::Text, "{no}");
        }
    }
}
