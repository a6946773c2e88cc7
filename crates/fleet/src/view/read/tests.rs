use std::sync::Arc;

use privatelink_board::{Board, fixtures};
use privatelink_report::json::summary::SummaryAt;
use privatelink_report::pieces::Pieces as _;
use privatelink_verdict::address::ClassSet;

use super::*;

/// The summary that an agent writes of `board`.
fn summary(board: &Board) -> Vec<u8> {
    let summary = SummaryAt::new(board, fixtures::now());
    let pieces = summary.in_pieces().expect("JSON");
    pieces.whole().expect("memory takes all")
}

fn read(bytes: &[u8]) -> Result<View, ViewError> {
    View::read(bytes, "aks-a-0", &mut Interned::default())
}

fn classes(classes: &[Class]) -> ClassSet {
    classes.iter().copied().collect()
}

#[test]
fn the_view_is_what_the_agent_says() {
    let board = fixtures::board();
    let view = read(&summary(&board)).expect("a view");
    assert_eq!(view.agent_started, Moment::from(board.started_at));
    assert_eq!(view.cells.len(), board.entries.len());
    let now = Moment::from(fixtures::now());
    let mut cells = view.cells.iter();
    let broken = cells
        .find(|cell| cell.target.name == "kv-prod.vault.azure.net")
        .expect("the broken one");
    assert_eq!(broken.judged, Some((Outcome::Fail, Reason::PublicFallback)));
    assert_eq!(broken.since, now);
    assert_eq!(broken.expect, Expectation::PrivateEndpoint);
    assert_eq!(broken.target.service, "key-vault");
    let paths: Vec<_> = broken.paths.iter().collect();
    let [judged, other] = &paths[..] else {
        panic!("two paths: {:?}", broken.paths);
    };
    assert_eq!((&**judged.resolver, &**other.resolver), ("pod", "node"));
    assert_eq!(judged.classes, classes(&[Class::Public]));
    assert_eq!(judged.last_non_private, Some(now));
    assert_eq!(other.classes, classes(&[Class::Private]));
    assert_eq!(other.last_non_private, None);
    assert_eq!(other.answered_since, Some(now));
}

#[test]
fn nodes_share_what_they_have_in_common() {
    let bytes = summary(&fixtures::board());
    let mut interned = Interned::default();
    let mut view = || View::read(&bytes, "aks-a-0", &mut interned).expect("a view");
    let (first, second) = (view(), view());
    for (a, b) in first.cells.iter().zip(&second.cells) {
        assert!(Arc::ptr_eq(&a.target, &b.target));
    }
    assert!(Arc::ptr_eq(&first.version, &second.version));
    drop((first, second));
    interned.forget_unused();
    let view = View::read(&bytes, "aks-a-0", &mut interned).expect("a view");
    assert_eq!(Arc::strong_count(&view.cells[0].target), 2);
}

#[test]
fn a_word_of_a_later_version_is_nothing_that_is_known() {
    let text = String::from_utf8(summary(&fixtures::board())).expect("UTF-8");
    let later = text.replace("\"public_fallback\"", "\"public_fallback_by_night\"");
    let view = read(later.as_bytes()).expect("a view");
    let broken = view.cells.iter();
    let broken = broken.filter(|cell| cell.target.name == "kv-prod.vault.azure.net");
    assert_eq!(broken.map(|cell| cell.judged).collect::<Vec<_>>(), [None]);
    // It cannot be taken for private.
    let later = text.replace("[\"private\"]", "[\"quantum\"]");
    let view = read(later.as_bytes()).expect("a view");
    let paths = view.cells.iter().flat_map(|cell| cell.paths.iter());
    let mut others = paths.filter(|path| &**path.resolver == "node");
    assert!(others.all(|path| path.classes == classes(&[Class::Public])));
}

#[test]
fn what_is_no_summary_of_this_node_is_refused() {
    let bytes = summary(&fixtures::board());
    let other = View::read(&bytes, "aks-b-1", &mut Interned::default());
    assert!(matches!(other, Err(ViewError::OtherNode(node)) if node == "aks-a-0"));
    let cut = &bytes[..bytes.len() / 2];
    assert!(matches!(read(cut), Err(ViewError::NotASummary(_))));
    let text = String::from_utf8(bytes).expect("UTF-8");
    for service in ["\\u001b[31m", &"x".repeat(4096)] {
        let service = format!("\"service\":\"{service}\"");
        let bad = text.replace("\"service\":\"key-vault\"", &service);
        assert!(matches!(read(bad.as_bytes()), Err(ViewError::BadText(_))));
    }
}
