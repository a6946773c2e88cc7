//! OpenMetrics: the metric families as OpenMetrics 1.0.0 text. The metrics crate writes the older text
//! format only.
//!
//! The names of series are the same in both formats. What differs: the family of a counter has no
//! `_total`, a family says its unit, the bound of a bucket is written as a float, and the text ends
//! with `# EOF`, so that a client notices a reply that was cut off.

use std::io::{self, Write};

use prometheus::proto::{LabelPair, MetricFamily, MetricType};

/// The units by which names of metrics end.
const UNITS: [&str; 2] = ["seconds", "bytes"];

/// What `label_value` and `help` may not hold as it is.
const ESCAPED: [char; 3] = ['\\', '"', '\n'];

/// Writes all of `families`.
pub(super) fn write(families: &[MetricFamily], out: &mut impl Write) -> io::Result<()> {
    for family in families {
        write_family(family, out)?;
    }
    out.write_all(b"# EOF\n")
}

fn write_family(family: &MetricFamily, out: &mut impl Write) -> io::Result<()> {
    let series = family.name();
    let (name, kind) = match family.get_field_type() {
        MetricType::COUNTER => match series.strip_suffix("_total") {
            Some(name) => (name, "counter"),
            // A counter's series must end in `_total`, and no series may change its name.
            None => (series, "unknown"),
        },
        MetricType::GAUGE => (series, "gauge"),
        MetricType::HISTOGRAM => (series, "histogram"),
        MetricType::SUMMARY | MetricType::UNTYPED => (series, "unknown"),
    };
    writeln!(out, "# TYPE {name} {kind}")?;
    let has_unit = |unit: &str| {
        name.strip_suffix(unit)
            .is_some_and(|rest| rest.ends_with('_'))
    };
    if let Some(unit) = UNITS.into_iter().find(|unit| has_unit(unit)) {
        writeln!(out, "# UNIT {name} {unit}")?;
    }
    write!(out, "# HELP {name} ")?;
    write_escaped(family.help(), out)?;
    out.write_all(b"\n")?;
    for metric in family.get_metric() {
        let labels = metric.get_label();
        match family.get_field_type() {
            MetricType::COUNTER => {
                write_sample(
                    series,
                    "",
                    labels,
                    None,
                    metric.get_counter().get_value(),
                    out,
                )?;
            }
            MetricType::GAUGE => {
                write_sample(
                    series,
                    "",
                    labels,
                    None,
                    metric.get_gauge().get_value(),
                    out,
                )?;
            }
            MetricType::HISTOGRAM => {
                let histogram = metric.get_histogram();
                let count = as_float(histogram.get_sample_count());
                for bucket in histogram.get_bucket() {
                    let count = as_float(bucket.cumulative_count());
                    let bound = bucket.upper_bound();
                    if bound.is_finite() {
                        // `1.0` and not `1`: the bound is a label, so each has one spelling.
                        let bound = format!("{bound:?}");
                        write_sample(series, "_bucket", labels, Some(&bound), count, out)?;
                    }
                }
                write_sample(series, "_bucket", labels, Some("+Inf"), count, out)?;
                write_sample(series, "_count", labels, None, count, out)?;
                let sum = histogram.get_sample_sum();
                write_sample(series, "_sum", labels, None, sum, out)?;
            }
            MetricType::SUMMARY | MetricType::UNTYPED => {}
        }
    }
    Ok(())
}

fn write_sample(
    name: &str,
    suffix: &str,
    labels: &[LabelPair],
    bound: Option<&str>,
    value: f64,
    out: &mut impl Write,
) -> io::Result<()> {
    out.write_all(name.as_bytes())?;
    out.write_all(suffix.as_bytes())?;
    let pairs = labels.iter().map(|pair| (pair.name(), pair.value()));
    let mut separator = b"{";
    for (name, value) in pairs.chain(bound.map(|bound| ("le", bound))) {
        out.write_all(separator)?;
        out.write_all(name.as_bytes())?;
        out.write_all(b"=\"")?;
        write_escaped(value, out)?;
        out.write_all(b"\"")?;
        separator = b",";
    }
    if separator == b"," {
        out.write_all(b"}")?;
    }
    if value.is_infinite() {
        let sign = if value > 0.0 { '+' } else { '-' };
        writeln!(out, " {sign}Inf")
    } else {
        writeln!(out, " {value}")
    }
}

fn write_escaped(text: &str, out: &mut impl Write) -> io::Result<()> {
    let mut rest = text;
    while let Some((before, after)) = rest.find(ESCAPED).map(|at| rest.split_at(at)) {
        out.write_all(before.as_bytes())?;
        let escaped = match after.as_bytes()[0] {
            b'\n' => *b"\\n",
            byte => [b'\\', byte],
        };
        out.write_all(&escaped)?;
        rest = &after[1..];
    }
    out.write_all(rest.as_bytes())
}

#[expect(
    clippy::cast_precision_loss,
    reason = "every sample is a float, exact up to 2^53"
)]
fn as_float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use prometheus::core::Collector as _;
    use prometheus::{Gauge, Histogram, HistogramOpts, IntCounter, IntCounterVec, Opts};

    use super::*;

    fn text(families: &[MetricFamily]) -> String {
        let mut out = Vec::new();
        write(families, &mut out).expect("memory takes all");
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn a_counter_and_its_family_differ_by_total() {
        let options = Opts::new("seen_seconds_total", "Time \"seen\",\nby \\ whom.");
        let counter = IntCounterVec::new(options, &["who"]).expect("a counter");
        counter.with_label_values(&["a\\b\"c\nd"]).inc_by(7);
        insta::assert_snapshot!(text(&counter.collect()), @r##"
        # TYPE seen_seconds counter
        # UNIT seen_seconds seconds
        # HELP seen_seconds Time \"seen\",\nby \\ whom.
        seen_seconds_total{who="a\\b\"c\nd"} 7
        # EOF
        "##);
    }

    #[test]
    fn a_counter_that_does_not_end_in_total_keeps_its_name() {
        let counter = IntCounter::new("seen", "How often.").expect("a counter");
        insta::assert_snapshot!(text(&counter.collect()), @r"
        # TYPE seen unknown
        # HELP seen How often.
        seen 0
        # EOF
        ");
    }

    #[test]
    fn bounds_are_floats_and_the_last_is_infinite() {
        let options =
            HistogramOpts::new("took_seconds", "How long.").buckets(vec![0.25, 1.0, 10.0]);
        let histogram = Histogram::with_opts(options).expect("a histogram");
        histogram.observe(0.5);
        histogram.observe(99.0);
        insta::assert_snapshot!(text(&histogram.collect()), @r##"
        # TYPE took_seconds histogram
        # UNIT took_seconds seconds
        # HELP took_seconds How long.
        took_seconds_bucket{le="0.25"} 0
        took_seconds_bucket{le="1.0"} 1
        took_seconds_bucket{le="10.0"} 1
        took_seconds_bucket{le="+Inf"} 2
        took_seconds_count 2
        took_seconds_sum 99.5
        # EOF
        "##);
    }

    #[test]
    fn infinite_values_have_a_sign_and_a_unit_is_a_whole_word() {
        let gauge = Gauge::new("kilobytes", "How much.").expect("a gauge");
        for (value, expected) in [
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (1.5, "1.5"),
        ] {
            gauge.set(value);
            let text = text(&gauge.collect());
            assert!(
                text.ends_with(&format!("\nkilobytes {expected}\n# EOF\n")),
                "{text}"
            );
            assert!(!text.contains("# UNIT"), "{text}");
        }
    }
}
