//! The table of service evidence: whatever is asked of a service has its row there, and its source.

use privatelink_verdict::service_evidence::ServiceEvidence;

const EVIDENCE: &str = include_str!("../../../docs/service-evidence.md");

/// The cells of each row: service, request, arrived, denied, source.
fn rows() -> Vec<Vec<&'static str>> {
    let (table, _) = EVIDENCE
        .split_once("\n\nBy default")
        .expect("text below the table");
    let lines = table.lines().filter(|line| line.starts_with('|')).skip(2);
    lines
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect()
}

#[test]
fn every_row_says_what_proves_arrival_and_denial_and_where_that_is_written() {
    for row in rows() {
        assert_eq!(row.len(), 5, "{row:?}");
        assert!(row.iter().all(|cell| !cell.is_empty()), "{row:?}");
    }
}

#[test]
fn every_request_that_is_sent_to_a_service_stands_in_a_row() {
    let rows = rows();
    for request in ServiceEvidence::ALL.iter().map(|kind| kind.request) {
        let (path, _) = request
            .path
            .split_once("?api-version")
            .unwrap_or((request.path, ""));
        let line = format!("`{} {path}`", request.method);
        assert!(rows.iter().any(|row| row[1] == line), "{line}");
    }
}
