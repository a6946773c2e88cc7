//! Exposition: how a family of metrics and its samples are written, in Prometheus' text format and as
//! OpenMetrics.
//!
//! The names of series are the same in both. In OpenMetrics the family of a counter has no `_total`, a
//! family says its unit, the bound of a bucket is written as a float, and the text ends with `# EOF`, so
//! that a client notices a reply that was cut off.

use std::io::{self, Write as _};

use super::definition::MetricKind;
use super::durations::{BUCKETS, Histogram};

/// The units by which names of metrics end.
const UNITS: [&str; 2] = ["_seconds", "_bytes"];

/// What a label's value may not hold as it is.
const SPECIAL: &[u8] = b"\\\n\"";

/// How the metrics are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Exposition {
    /// Prometheus' text format, version 0.0.4.
    #[default]
    Text,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
}

impl Exposition {
    /// The content type of the text.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// Writes what comes after the last family.
    pub(super) fn end(self, out: &mut Vec<u8>) {
        match self {
            Self::Text => {}
            Self::OpenMetrics => out.extend_from_slice(b"# EOF\n"),
        }
    }
}

/// A family while it is written. Its head comes with its first sample: without one, there is no family.
#[derive(Debug)]
pub(super) struct FamilyWriter<'a> {
    out: &'a mut Vec<u8>,
    format: Exposition,
    name: &'static str,
    kind: MetricKind,
    help: &'static str,
    labels: &'a [&'static str],
    /// How a sample begins, up to the value of its first label.
    start: String,
    /// How the labels of a sample end, from [`end_of_labels`].
    end: &'a str,
    has_head: bool,
}

/// What comes after the value of the last label but `node`, which every series has.
pub(super) fn end_of_labels(node: &str) -> String {
    format!("\",node=\"{}\"}} ", escaped(node))
}

impl<'a> FamilyWriter<'a> {
    /// A family whose samples have these labels, and `node`; `has_head`: whether some of it is written
    /// already.
    pub(super) fn new(
        out: &'a mut Vec<u8>,
        format: Exposition,
        (name, kind, help): (&'static str, MetricKind, &'static str),
        labels: &'a [&'static str],
        end: &'a str,
        has_head: bool,
    ) -> Self {
        Self {
            out,
            format,
            name,
            kind,
            help,
            labels,
            start: start(name, labels),
            end,
            has_head,
        }
    }

    /// Whether the head is written.
    pub(super) const fn has_head(&self) -> bool {
        self.has_head
    }

    /// One sample; `values` are those of the labels, [`escaped`] if anything but a word or a name.
    pub(super) fn sample(&mut self, values: &[&str], value: f64) -> io::Result<()> {
        if !self.has_head {
            self.head()?;
        }
        write_labels(self.out, &self.start, self.labels, values);
        let end = self.end;
        let end = if values.is_empty() { &end[2..] } else { end };
        self.out.extend_from_slice(end.as_bytes());
        write_value(value, self.out)
    }

    /// The samples of a histogram.
    pub(super) fn histogram(&mut self, values: &[&str], histogram: &Histogram) -> io::Result<()> {
        if !self.has_head {
            self.head()?;
        }
        let [buckets, counts, sums] = ["_bucket", "_count", "_sum"]
            .map(|suffix| start(&format!("{}{suffix}", self.name), self.labels));
        let end = self.end.trim_end_matches("} ");
        let mut bucket = |bound: &str, within| {
            write_labels(self.out, &buckets, self.labels, values);
            write!(self.out, "{end},le=\"{bound}\"}} ")?;
            write_value(count(within), self.out)
        };
        for (bound, within) in BUCKETS.into_iter().zip(histogram.cumulative()) {
            let bound = match self.format {
                Exposition::Text => bound.to_string(),
                // `1.0` and not `1`: the bound is a label, so each has one spelling.
                Exposition::OpenMetrics => format!("{bound:?}"),
            };
            bucket(&bound, within)?;
        }
        bucket("+Inf", histogram.count())?;
        let mut both = [(&counts, count(histogram.count())), (&sums, histogram.sum)];
        if self.format == Exposition::Text {
            both.reverse();
        }
        for (start, value) in both {
            write_labels(self.out, start, self.labels, values);
            self.out.extend_from_slice(self.end.as_bytes());
            write_value(value, self.out)?;
        }
        Ok(())
    }

    fn head(&mut self) -> io::Result<()> {
        self.has_head = true;
        let (name, kind, out) = (self.name, self.kind.as_str(), &mut *self.out);
        match self.format {
            Exposition::Text => {
                write!(out, "# HELP {name} ")?;
                escape(self.help, b"\\\n", out);
                writeln!(out, "\n# TYPE {name} {kind}")
            }
            Exposition::OpenMetrics => {
                let name = name.strip_suffix("_total").unwrap_or(name);
                writeln!(out, "# TYPE {name} {kind}")?;
                if let Some(unit) = UNITS.into_iter().find(|unit| name.ends_with(unit)) {
                    writeln!(out, "# UNIT {name} {}", &unit[1..])?;
                }
                write!(out, "# HELP {name} ")?;
                escape(self.help, SPECIAL, out);
                writeln!(out)
            }
        }
    }
}

/// How a sample begins, up to the value of its first label, or of `node` where that is the only one.
fn start(name: &str, labels: &[&str]) -> String {
    match labels.first() {
        Some(label) => format!("{name}{{{label}=\""),
        None => format!("{name}{{"),
    }
}

fn write_labels(out: &mut Vec<u8>, start: &str, labels: &[&str], values: &[&str]) {
    debug_assert_eq!(labels.len(), values.len(), "{start}");
    out.extend_from_slice(start.as_bytes());
    for (index, (label, value)) in labels.iter().zip(values).enumerate() {
        if index > 0 {
            out.extend_from_slice(b"\",");
            out.extend_from_slice(label.as_bytes());
            out.extend_from_slice(b"=\"");
        }
        out.extend_from_slice(value.as_bytes());
    }
}

/// A whole number is written much faster as one, and most values are.
fn write_value(value: f64, out: &mut Vec<u8>) -> io::Result<()> {
    #[expect(clippy::cast_possible_truncation, reason = "compared with the value")]
    let whole = value as i64;
    #[expect(
        clippy::cast_precision_loss,
        clippy::float_cmp,
        reason = "a whole number that a float holds exactly, or none"
    )]
    if whole as f64 == value {
        out.extend_from_slice(itoa::Buffer::new().format(whole).as_bytes());
        out.push(b'\n');
        Ok(())
    } else if let Some((units, scale)) = decimal(value) {
        let (whole, fraction) = (units / scale, units % scale);
        out.extend_from_slice(itoa::Buffer::new().format(whole).as_bytes());
        // The leading one keeps the zeros behind the point.
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(fraction + scale);
        out.push(b'.');
        out.extend_from_slice(digits[1..].trim_end_matches('0').as_bytes());
        out.push(b'\n');
        Ok(())
    } else if value.is_infinite() {
        let sign = if value > 0.0 { '+' } else { '-' };
        writeln!(out, "{sign}Inf")
    } else {
        writeln!(out, "{value}")
    }
}

/// A number of units, and how many of them are one, so that `value` is the nearest float: billionths for
/// durations, thousandths for moments in Unix seconds. Most values that are not whole are one of these. They
/// are written faster than by searching the shortest number that is read as the same float, and as the same
/// text: of two numbers of at most 15 digits, none is read as the other's float.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::float_cmp,
    reason = "within the bounds, and compared with the value"
)]
fn decimal(value: f64) -> Option<(u64, u64)> {
    let scale = match value {
        0.0..1e6 => 1_000_000_000,
        1e6..1e12 => 1_000,
        _ => return None,
    };
    let units = (value * scale as f64).round() as u64;
    (units as f64 / scale as f64 == value).then_some((units, scale))
}

/// The value of a label, as it is written between quotation marks.
pub(super) fn escaped(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    escape(text, SPECIAL, &mut out);
    String::from_utf8(out).unwrap_or_default()
}

fn escape(text: &str, special: &[u8], out: &mut Vec<u8>) {
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|byte| special.contains(byte)) {
        out.extend_from_slice(&rest[..at]);
        out.push(b'\\');
        out.push(if rest[at] == b'\n' { b'n' } else { rest[at] });
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

#[expect(
    clippy::cast_precision_loss,
    reason = "every sample is a float, exact up to 2^53"
)]
pub(super) fn count(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn text(
        format: Exposition,
        family: (&'static str, MetricKind, &'static str),
        write: impl Fn(&mut FamilyWriter<'_>) -> io::Result<()>,
    ) -> String {
        let mut out = Vec::new();
        let end = end_of_labels("aks-a-0");
        let mut family = FamilyWriter::new(&mut out, format, family, &["who"], &end, false);
        write(&mut family).expect("memory takes all");
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn a_value_is_the_shortest_number_that_is_read_as_it() {
        let written = |value| {
            let mut out = Vec::new();
            write_value(value, &mut out).expect("memory takes all");
            String::from_utf8(out).expect("UTF-8")
        };
        for value in [
            0.0,
            7.0,
            -3.0,
            0.5,
            0.1 + 0.2,
            1e-9,
            1e-10,
            0.000_045,
            0.018_44,
            999_999.999_999_999,
            1_000_000.5,
            1_793_693_730.25,
            1_793_693_730.001,
            1_793_693_730.123_456_7,
            999_999_999_999.999,
            -0.25,
            f64::MIN_POSITIVE,
        ] {
            assert_eq!(written(value), format!("{value}\n"));
        }
        for nanos in (0..1_000_000_000_000_000).step_by(7_777_777_777_777) {
            let value = Duration::from_nanos(nanos).as_secs_f64();
            assert_eq!(written(value), format!("{value}\n"));
        }
    }

    #[test]
    fn a_counter_and_its_family_differ_by_total_in_open_metrics_alone() {
        let help = "Time \"seen\",\nby \\ whom.";
        let seen = ("seen_seconds_total", MetricKind::Counter, help);
        let write = |family: &mut FamilyWriter<'_>| family.sample(&[&escaped("a\\b\"c\nd")], 7.0);
        insta::assert_snapshot!(text(Exposition::Text, seen, write), @r##"
        # HELP seen_seconds_total Time "seen",\nby \\ whom.
        # TYPE seen_seconds_total counter
        seen_seconds_total{who="a\\b\"c\nd",node="aks-a-0"} 7
        "##);
        insta::assert_snapshot!(text(Exposition::OpenMetrics, seen, write), @r##"
        # TYPE seen_seconds counter
        # UNIT seen_seconds seconds
        # HELP seen_seconds Time \"seen\",\nby \\ whom.
        seen_seconds_total{who="a\\b\"c\nd",node="aks-a-0"} 7
        "##);
    }

    #[test]
    fn bounds_of_open_metrics_are_floats_and_the_last_is_infinite() {
        for (format, one) in [(Exposition::Text, "1"), (Exposition::OpenMetrics, "1.0")] {
            let took = ("took_seconds", MetricKind::Histogram, "How long.");
            let written = text(format, took, |family| {
                family.histogram(&["me"], &Histogram::default())
            });
            for bound in [one, "0.0025", "+Inf"] {
                let series =
                    format!("took_seconds_bucket{{who=\"me\",node=\"aks-a-0\",le=\"{bound}\"}}");
                assert!(written.contains(&format!("\n{series} 0\n")), "{written}");
            }
            let samples = written.lines().filter(|line| !line.starts_with('#'));
            assert_eq!(samples.count(), BUCKETS.len() + 3);
        }
    }

    #[test]
    fn a_value_is_written_as_the_shortest_float_that_it_is() {
        for (value, expected) in [
            (0.0, "0"),
            (-3.0, "-3"),
            (1.5, "1.5"),
            (0.051_234_567, "0.051234567"),
            (9_007_199_254_740_991.0, "9007199254740991"),
            (1e20, "100000000000000000000"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ] {
            let mut out = Vec::new();
            write_value(value, &mut out).expect("memory takes all");
            assert_eq!(out, format!("{expected}\n").as_bytes());
        }
    }

    #[test]
    fn a_unit_is_a_whole_word_and_a_family_without_samples_is_not_written() {
        let kilobytes = ("kilobytes", MetricKind::Gauge, "How much.");
        let write = |family: &mut FamilyWriter<'_>| family.sample(&["me"], 1.0);
        let written = text(Exposition::OpenMetrics, kilobytes, write);
        assert!(!written.contains("# UNIT"), "{written}");
        assert_eq!(text(Exposition::OpenMetrics, kilobytes, |_| Ok(())), "");
    }
}
