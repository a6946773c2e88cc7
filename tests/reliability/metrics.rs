//! Metrics: a scrape of the agent, read.

use std::collections::HashMap;

/// The samples of one scrape.
#[derive(Clone, Debug, Default)]
pub(crate) struct Metrics {
    /// By the series, written as in the text.
    pub(crate) samples: HashMap<String, f64>,
}

impl Metrics {
    /// Reads the text format of Prometheus.
    pub(crate) fn read(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let samples = lines.filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            Some((series.to_owned(), value.parse().ok()?))
        });
        Self {
            samples: samples.collect(),
        }
    }

    /// The value of the only series of a metric that has no label but the node's.
    pub(crate) fn of_agent(&self, metric: &str) -> Option<f64> {
        let samples = self.samples.iter();
        let mut found = samples.filter(|(series, _)| name(series) == metric);
        found.next().map(|(_, value)| *value)
    }

    /// The series of a metric, each with its labels.
    pub(crate) fn series<'a>(
        &'a self,
        metric: &'a str,
    ) -> impl Iterator<Item = (HashMap<&'a str, &'a str>, f64)> {
        let samples = self.samples.iter();
        let of_metric = samples.filter(move |(series, _)| name(series) == metric);
        of_metric.map(|(series, value)| (labels(series), *value))
    }

    /// The series that never fall while the agent runs.
    pub(crate) fn counters(&self) -> impl Iterator<Item = (&String, f64)> {
        const ENDINGS: [&str; 4] = ["_total", "_count", "_bucket", "_sum"];
        let samples = self.samples.iter();
        let counters = samples.filter(|(series, _)| {
            let name = name(series);
            ENDINGS.iter().any(|ending| name.ends_with(ending))
        });
        counters.map(|(series, value)| (series, *value))
    }
}

fn name(series: &str) -> &str {
    series.split('{').next().unwrap_or_default()
}

/// No value of the campaign's labels has a comma or a quote in it.
fn labels(series: &str) -> HashMap<&str, &str> {
    let inner = series.split_once('{').map_or("", |(_, rest)| rest);
    let pairs = inner.trim_end_matches('}').split(',');
    let pairs = pairs.filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(label, value)| (label, value.trim_matches('"')))
        .collect()
}
