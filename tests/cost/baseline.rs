//! Baseline: the counts that are committed.

use std::fmt::Write as _;
use std::path::Path;

use super::measure::Measured;

/// How much more than its baseline a count may be, in percent.
const TOLERANCE: u64 = 5;

/// The counts that are committed, by the measures' names.
#[derive(Debug)]
pub(crate) struct Baseline(Vec<(String, u64)>);

impl Baseline {
    /// The baseline that `measured` would be.
    pub(crate) fn of(measured: &[Measured]) -> Self {
        let rows = measured.iter();
        Self(
            rows.map(|it| (it.measure.name.to_owned(), it.count))
                .collect(),
        )
    }

    /// Reads a file that [`Self::write`] wrote.
    pub(crate) fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let row = |line: &str| {
            let (name, count) = line.split_once('\t')?;
            Some((name.to_owned(), count.parse().ok()?))
        };
        Self(text.lines().filter_map(row).collect())
    }

    /// Writes the file: a name and a count in each line.
    pub(crate) fn write(&self, path: &Path) {
        let mut text = String::new();
        for (name, count) in &self.0 {
            _ = writeln!(text, "{name}\t{count}");
        }
        std::fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// Every count beside its baseline, for people.
    pub(crate) fn table(&self, measured: &[Measured]) -> String {
        let mut table = format!("{:>10} {:>10} {:>8}\n", "counted", "baseline", "");
        for Measured { measure, count } in measured {
            let (baseline, change) = match self.count(measure.name) {
                Some(baseline) => (baseline.to_string(), change(*count, baseline)),
                None => ("none".to_owned(), String::new()),
            };
            _ = writeln!(
                table,
                "{count:>10} {baseline:>10} {change:>8}  {}: {}",
                measure.name, measure.unit
            );
        }
        table
    }

    /// A sentence for each count that is worse, or not in the baseline.
    pub(crate) fn worse(&self, measured: &[Measured]) -> Vec<String> {
        let problem = |it: &Measured| {
            let name = it.measure.name;
            let Some(baseline) = self.count(name) else {
                return Some(format!("{name}: it has no baseline; run with --update"));
            };
            (it.count * 100 > baseline * (100 + TOLERANCE)).then(|| {
                let change = change(it.count, baseline);
                format!("{name}: {change}, and more than +{TOLERANCE} % is too much")
            })
        };
        measured.iter().filter_map(problem).collect()
    }

    /// Whether some count is so much better that the baseline no longer guards it.
    pub(crate) fn is_beaten(&self, measured: &[Measured]) -> bool {
        measured.iter().any(|it| {
            let baseline = self.count(it.measure.name);
            baseline.is_some_and(|baseline| it.count * 100 < baseline * (100 - TOLERANCE))
        })
    }

    fn count(&self, name: &str) -> Option<u64> {
        let mut rows = self.0.iter();
        rows.find(|(of, _)| of == name).map(|(_, count)| *count)
    }
}

/// The change from a baseline, in percent.
fn change(count: u64, baseline: u64) -> String {
    let permille = count.saturating_mul(1000) / baseline.max(1);
    let sign = if permille < 1000 { '-' } else { '+' };
    let change = permille.abs_diff(1000);
    format!("{sign}{}.{} %", change / 10, change % 10)
}
