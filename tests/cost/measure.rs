//! Measure: one thing that is counted, and its count.

use std::path::Path;

use super::valgrind::{Counted, heap_at_end, instructions};

/// One thing that is counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measure {
    /// Its name in the baseline.
    pub(crate) name: &'static str,
    /// What one count is.
    pub(crate) unit: &'static str,
    count: Count,
}

/// How it is counted.
#[derive(Clone, Copy, Debug)]
enum Count {
    /// The instructions of a workload, while it is in a function.
    Instructions {
        workload: &'static str,
        function: &'static str,
    },
    /// How much more a workload leaves on the heap than another of fewer units.
    Heap {
        few: &'static str,
        many: &'static str,
    },
}

/// A measure's count, per unit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    pub(crate) measure: Measure,
    pub(crate) count: u64,
}

/// All measures.
pub(crate) const MEASURES: [Measure; 8] = [
    in_workload(
        "start",
        "instructions per target, to read the configuration of 1,000 and make an agent",
        "cost::workload::start",
    ),
    in_workload(
        "classify",
        "instructions per address",
        "cost::workload::classify",
    ),
    in_workload("judge", "instructions per verdict", "cost::workload::judge"),
    in_workload(
        "scrape",
        "instructions per target, of a scrape of 1,000",
        "cost::workload::scrape",
    ),
    in_workload(
        "gzip",
        "instructions per target, to compress that scrape",
        "cost::workload::gzip",
    ),
    in_workload(
        "probe",
        "instructions per probe over TLS 1.3, its verdict included",
        "cost::workload::probe",
    ),
    Measure {
        name: "parse",
        unit: "instructions per probe, to read DNS messages",
        count: Count::Instructions {
            workload: "probe",
            function: "privatelink_probe::message::Question::receive",
        },
    },
    Measure {
        name: "heap",
        unit: "bytes per target, after a probe of each and a scrape",
        count: Count::Heap {
            few: "heap-few",
            many: "heap-many",
        },
    },
];

const fn in_workload(name: &'static str, unit: &'static str, function: &'static str) -> Measure {
    Measure {
        name,
        unit,
        count: Count::Instructions {
            workload: name,
            function,
        },
    }
}

impl Measure {
    /// Runs what is counted, against the servers that `configuration` names.
    pub(crate) fn take(self, configuration: &Path) -> Measured {
        let count = match self.count {
            Count::Instructions { workload, function } => {
                let Counted { count, units } =
                    instructions(self.name, workload, function, configuration);
                count / units
            }
            Count::Heap { few, many } => {
                let [few, many] = [few, many].map(|workload| heap_at_end(workload, configuration));
                (many.count - few.count) / (many.units - few.units)
            }
        };
        Measured {
            measure: self,
            count,
        }
    }
}
