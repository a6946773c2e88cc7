//! Url: a query as that of `/api/v1/fleet`: `target=NAME&selector=pool=a&since=2h&gate=true&window=24h`.

use std::fmt;
use std::time::Duration;

use form_urlencoded::{Serializer, parse};
use privatelink_verdict::duration;
use privatelink_verdict::sanitize::quoted;
use privatelink_verdict::suggest::did_you_mean;

use super::{FleetQuery, GateQuery};
use crate::Moment;

const KEYS: [&str; 6] = [
    "target",
    "selector",
    "since",
    "gate",
    "window",
    "allowUncovered",
];

/// Why a query of a URL cannot be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadQuery(String);

impl fmt::Display for BadQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadQuery {}

impl FleetQuery {
    /// What the query of a URL asks, at `now`. `window` or `allowUncovered` ask the gate too.
    pub fn from_url(query: &str, now: Moment) -> Result<Self, BadQuery> {
        let mut asked = Self::default();
        for (key, value) in parse(query.as_bytes()) {
            let wrong = |why: &dyn fmt::Display| BadQuery(format!("{key}: {why}"));
            match &*key {
                "target" => asked.target = Some(value.into_owned()),
                "selector" => asked.selector = value.parse().map_err(|error| wrong(&error))?,
                "since" => asked.since = Some(since(&value, now).map_err(|why| wrong(&why))?),
                "gate" => {
                    if flag(&value).map_err(|why| wrong(&why))? {
                        asked.gate.get_or_insert_default();
                    }
                }
                "window" => {
                    let window = window(&value).map_err(|why| wrong(&why))?;
                    asked.gate.get_or_insert_default().window_seconds = window.as_secs();
                }
                "allowUncovered" => {
                    let allowed = flag(&value).map_err(|why| wrong(&why))?;
                    asked.gate.get_or_insert_default().allow_uncovered = allowed;
                }
                other => {
                    let hint = did_you_mean(other, KEYS);
                    let hint = hint.unwrap_or_else(|| format!("there is {}", KEYS.join(", ")));
                    return Err(BadQuery(format!("{} is not known: {hint}", quoted(other))));
                }
            }
        }
        Ok(asked)
    }

    /// The query of a URL that asks the same.
    pub fn to_url(&self) -> String {
        let mut url = Serializer::new(String::new());
        if let Some(target) = &self.target {
            url.append_pair("target", target);
        }
        if !self.selector.is_empty() {
            url.append_pair("selector", &self.selector.to_string());
        }
        if let Some(since) = self.since {
            url.append_pair("since", &since.to_string());
        }
        if let Some(GateQuery {
            window_seconds,
            allow_uncovered,
            unnamed_services: _,
            published: _,
            sources_unknown: _,
            nodes_not_listed: _,
        }) = &self.gate
        {
            url.append_pair("gate", "true");
            url.append_pair("window", &format!("{window_seconds}s"));
            url.append_pair(
                "allowUncovered",
                if *allow_uncovered { "true" } else { "false" },
            );
        }
        url.finish()
    }
}

/// How long ago, or when.
fn since(text: &str, now: Moment) -> Result<Moment, String> {
    if let Ok(moment) = text.parse() {
        return Ok(moment);
    }
    span(text).map(|ago| now.before(ago))
}

fn span(text: &str) -> Result<Duration, String> {
    duration::parse(text).map_err(|_| format!("{} is no time such as 24h", quoted(text)))
}

/// How far back the gate looks.
fn window(text: &str) -> Result<Duration, String> {
    let window = span(text)?;
    if window < GateQuery::SHORTEST {
        return Err(format!("{} is shorter than a minute", quoted(text)));
    }
    Ok(window)
}

fn flag(text: &str) -> Result<bool, String> {
    text.parse()
        .map_err(|_| format!("{} is neither true nor false", quoted(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment(1_796_015_400);

    #[test]
    fn a_query_is_written_as_it_is_read() {
        let text = "target=kv%26co&selector=pool%3Da&since=2026-11-30T03%3A10%3A00Z&gate=true&window=3600s\
                    &allowUncovered=true";
        let query = FleetQuery::from_url(text, NOW).expect("a query");
        assert_eq!(query.to_url(), text);
        assert_eq!(query.target.as_deref(), Some("kv&co"));
        assert_eq!(FleetQuery::from_url("", NOW), Ok(FleetQuery::default()));
        assert_eq!(FleetQuery::default().to_url(), "");
    }

    #[test]
    fn times_may_be_written_as_how_long_ago() {
        let query = FleetQuery::from_url("since=2h&window=24h", NOW).expect("a query");
        assert_eq!(query.since, Some(NOW.before(Duration::from_hours(2))));
        assert_eq!(
            query.gate.expect("the gate").window(),
            Duration::from_hours(24)
        );
    }

    #[test]
    fn what_cannot_be_read_is_told_with_what_was_probably_meant() {
        let why = |query| {
            FleetQuery::from_url(query, NOW)
                .expect_err(query)
                .to_string()
        };
        assert_eq!(
            why("tarket=a"),
            "`tarket` is not known: did you mean `target`?"
        );
        assert_eq!(why("gate=1"), "gate: `1` is neither true nor false");
        assert_eq!(why("window=soon"), "window: `soon` is no time such as 24h");
        assert!(why("selector=pol=a").starts_with("selector: a node has no `pol`"));
    }
}
