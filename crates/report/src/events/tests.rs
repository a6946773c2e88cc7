//! Log lines, as scripts and people read them.

use std::io;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::*;
use crate::log_setup::{LineFormat, subscriber};
use crate::metrics::Histograms;
use privatelink_board::fixtures;
use privatelink_verdict::fact::Fact;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("a lock").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn lines(format: LineFormat, level: &str, emit: impl FnOnce()) -> String {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = subscriber(format, level, false, move || writer.clone());
    tracing::subscriber::with_default(subscriber.expect("a level"), emit);
    let bytes = lines.0.lock().expect("a lock").clone();
    String::from_utf8(bytes).expect("text")
}

#[test]
fn a_broken_target_is_one_warning_with_the_fields_that_scripts_read() {
    let fallback = fixtures::public_fallback();
    let text = lines(LineFormat::Json, "info", || {
        VerdictChanged {
            probed: &fallback,
            previous: None,
        }
        .emit();
    });
    assert_eq!(text.lines().count(), 1, "{text}");
    let line: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(line["level"], "WARN");
    assert_eq!(line["target"], "kv-prod.vault.azure.net");
    assert_eq!(line["outcome"], "fail");
    assert_eq!(line["reason"], "public_fallback");
    assert_eq!(line["stage"], "address");
    assert_eq!(line.get("previous"), None, "there was none");
    assert!(
        line["summary"]
            .as_str()
            .is_some_and(|text| text.contains("52.168.109.101"))
    );
}

#[test]
fn a_recovery_names_the_reason_before_it() {
    let mut board = fixtures::board();
    let repaired = fixtures::named("kv-prod.vault.azure.net", fixtures::healthy());
    let repaired = Arc::new(repaired);
    let changes = board.record(Arc::clone(&repaired)).expect("the target");
    let change = changes.verdict.expect("a change");
    let text = lines(LineFormat::Json, "info", || {
        VerdictChanged {
            probed: &repaired,
            previous: change.previous,
        }
        .emit();
    });
    let line: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(line["level"], "INFO");
    assert_eq!(line["previous"], "public_fallback");
}

#[test]
fn a_probe_that_changes_nothing_is_counted_and_silent_at_info() {
    let probed = fixtures::healthy();
    let metrics = Metrics::new(fixtures::shared(), Histograms::Off);
    let mut counters = Counters::default();
    let mut emit = || ProbeCompleted { probed: &probed }.emit(&mut counters, &metrics);
    assert_eq!(lines(LineFormat::Json, "info", &mut emit), "");
    assert_eq!(
        lines(LineFormat::Json, "debug", &mut emit).lines().count(),
        1
    );
    assert_eq!(counters.outcomes[Outcome::Pass as usize], 2);
}

#[test]
fn what_is_logged_is_counted() {
    let mut scheduler = SchedulerState::default();
    let text = lines(LineFormat::Json, "debug", || {
        BeatSkipped {
            target: "kv",
            beats: 2,
        }
        .emit(&mut scheduler);
        ProbePanicked {
            target: "kv",
            message: "a defect",
        }
        .emit(&mut scheduler);
    });
    assert_eq!(text.lines().count(), 2, "{text}");
    assert_eq!((scheduler.skipped, scheduler.panics), (2, 1));
}

#[test]
fn what_came_from_the_wire_cannot_act_on_a_terminal() {
    let mut hostile = fixtures::name_mismatch();
    let (operation, cause) = (String::new(), "\u{1b}[2J\nforged line".to_owned());
    hostile.verdict.findings[0].facts = vec![Fact::AgentFault { operation, cause }];
    let text = lines(LineFormat::Text, "info", || {
        VerdictChanged {
            probed: &hostile,
            previous: None,
        }
        .emit();
    });
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
}
