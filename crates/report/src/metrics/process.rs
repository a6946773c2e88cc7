//! Process: `process_*`, what the kernel says of the agent's own process (proc(5)).

use std::io;

use procfs::process::{LimitValue, Process as Procfs};

use super::definition::MetricKind;
use super::exposition::{Exposition, FamilyWriter, count};

/// Writes the metrics of this process, as they are now.
pub(super) fn write_process(out: &mut Vec<u8>, format: Exposition, end: &str) -> io::Result<()> {
    for metric in process_metrics() {
        let of = (metric.name, metric.kind, metric.help);
        let mut family = FamilyWriter::new(out, format, of, &[], end, false);
        if let Some(value) = metric.value {
            family.sample(&[], value)?;
        }
    }
    Ok(())
}

#[derive(Debug)]
struct ProcessMetric {
    name: &'static str,
    kind: MetricKind,
    help: &'static str,
    /// `None` where it cannot be read.
    value: Option<f64>,
}

/// The metrics of this process, sorted by name.
fn process_metrics() -> [ProcessMetric; 7] {
    let process = Procfs::myself().ok();
    let process = process.as_ref();
    let stat = process.and_then(|process| process.stat().ok());
    let stat = stat.as_ref();
    let seconds = |ticks| count(ticks) / count(procfs::ticks_per_second());
    let gauge = |name, help, value| ProcessMetric {
        name,
        kind: MetricKind::Gauge,
        help,
        value,
    };
    [
        ProcessMetric {
            name: "process_cpu_seconds_total",
            kind: MetricKind::Counter,
            help: "Total user and system CPU time spent in seconds.",
            value: stat.map(|stat| seconds(stat.utime + stat.stime)),
        },
        gauge(
            "process_max_fds",
            "Maximum number of open file descriptors.",
            process.and_then(
                |process| match process.limits().ok()?.max_open_files.soft_limit {
                    LimitValue::Value(most) => Some(count(most)),
                    LimitValue::Unlimited => None,
                },
            ),
        ),
        gauge(
            "process_open_fds",
            "Number of open file descriptors.",
            process.and_then(|process| Some(count(process.fd_count().ok()? as u64))),
        ),
        gauge(
            "process_resident_memory_bytes",
            "Resident memory size in bytes.",
            stat.map(|stat| count(stat.rss * procfs::page_size())),
        ),
        gauge(
            "process_start_time_seconds",
            "Start time of the process since unix epoch in seconds.",
            stat.and_then(|stat| {
                Some(seconds(stat.starttime) + count(procfs::boot_time_secs().ok()?))
            }),
        ),
        gauge(
            "process_threads",
            "Number of OS threads in the process.",
            stat.and_then(|stat| Some(count(u64::try_from(stat.num_threads).ok()?))),
        ),
        gauge(
            "process_virtual_memory_bytes",
            "Virtual memory size in bytes.",
            stat.map(|stat| count(stat.vsize)),
        ),
    ]
}
