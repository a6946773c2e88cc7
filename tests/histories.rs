//! What the histories of targets cost that flap all the time, each time with another story. The test has a
//! process of its own, whose memory it measures.
#![cfg(target_os = "linux")]

use std::fs;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use privatelink_board::{Board, Probed, TRANSITIONS, fixtures};
use privatelink_verdict::history::History;
use privatelink_verdict::judge::judge;
use privatelink_verdict::surroundings::Surroundings;

const TARGETS: usize = 500;

/// For the histories of all of them, in KiB: 100 transitions of each, and the summaries of all.
const MOST: u64 = 5 * 1024;

#[test]
fn the_histories_of_500_targets_that_flap_take_little_memory() {
    let name = |number: usize| format!("kv-{number}.vault.azure.net");
    let healthy: Vec<_> = (0..TARGETS)
        .map(|number| Arc::new(fixtures::named(&name(number), fixtures::healthy())))
        .collect();
    let targets = healthy.iter().map(|probed| Arc::clone(&probed.target));
    let mut board = Board::new("n".to_owned(), &fixtures::plan(targets), SystemTime::now());
    let mut round = |second: u64| {
        for (number, healthy) in healthy.iter().enumerate() {
            board.record(Arc::new(broken(number, second)));
            board.record(Arc::clone(healthy));
        }
    };
    // What each target's latest probe takes is none of its history.
    round(0);
    let before = memory();
    let rounds = TRANSITIONS as u64 / 2 + 5;
    (1..rounds).for_each(&mut round);
    let grown = memory().saturating_sub(before);
    assert!(grown < MOST, "{grown} KiB");
    for entry in &board.entries {
        assert_eq!(entry.transitions.len(), TRANSITIONS);
        let latest = entry.transitions.back().expect("a transition");
        assert!(latest.summary.is_some());
    }
}

/// A probe that got a certificate for long names that no other probe saw.
fn broken(number: usize, second: u64) -> Probed {
    let mut probed = fixtures::named(
        &format!("kv-{number}.vault.azure.net"),
        fixtures::name_mismatch(),
    );
    probed.observation.checked_at += Duration::from_secs(second);
    for connection in &mut probed.observation.connections {
        if let Some(certificate) = &mut connection.certificate {
            let names = vec![format!("{second}-{}", "n".repeat(240)); 5];
            certificate.leaf_mut().names = names.iter().collect();
        }
    }
    let (history, alone) = (History::default(), Surroundings::default());
    probed.verdict = judge(&probed.target, &probed.observation, &history, &alone);
    probed
}

/// Resident memory, in KiB.
fn memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("proc(5)");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number
        .and_then(|number| number.parse().ok())
        .expect("a number")
}
