//! What a ledger says of itself, for `/health`, the metrics and the deadlines of who drives it.

use crate::replies::{extrato, lote};
use crate::story::Story;
use crate::{BACK, limits};
use crebito::ledger::Landed;

#[test]
fn an_idle_ledger_has_nothing_to_send() {
    let story = Story::new();
    assert!(!story.ledger.ready(0));
    assert!(!story.ledger.flight_is_out());
    assert_eq!(story.ledger.in_flight(), 0);
    assert_eq!(story.ledger.flight_age_ms(9), 0);
}

#[test]
fn a_flight_counts_whom_it_still_owes_an_answer() {
    let mut story = Story::new();
    for name in ["a", "b", "c"] {
        story.credit(name, 1);
    }
    for (name, cliente) in [("d", 1), ("e", 2), ("f", 2)] {
        story.extrato(name, cliente);
    }
    story.now_ms = 7;
    story.depart();
    assert!(story.ledger.flight_is_out());
    assert_eq!(story.ledger.in_flight(), 6);
    assert_eq!(story.ledger.extrato_calls(), 2);
    assert_eq!(story.ledger.flight_age_ms(7 + 30), 30);
    assert_eq!(story.land(&lote(&[1, 2, 3])), Landed::More);
    assert_eq!(story.ledger.in_flight(), 3);
    assert_eq!(story.land(&extrato()), Landed::More);
    assert_eq!(story.ledger.in_flight(), 2);
    assert!(story.ledger.flight_is_out());
    assert_eq!(story.land(&extrato()), BACK);
    assert!(!story.ledger.flight_is_out());
    assert_eq!(story.ledger.in_flight(), 0);
}

/// Whoever was told 504 is owed nothing more, while the flight stays out.
#[test]
fn whose_time_is_over_is_not_in_flight() {
    let mut story = Story::new();
    story.credit("early", 1);
    story.now_ms = 100;
    story.credit("late", 1);
    story.extrato("late too", 1);
    story.depart();
    let expiry_ms = limits::OPERATION_MS - 2 * limits::TICK_MS;
    story.pass(expiry_ms - 100 - 1);
    assert_eq!(story.ledger.in_flight(), 3);
    story.pass(1);
    story.tells(&["early Unknown"]);
    assert_eq!(story.ledger.in_flight(), 2);
    story.pass(100);
    story.tells(&["late Unknown", "late too Unknown"]);
    assert_eq!(story.ledger.in_flight(), 0);
    assert!(story.ledger.flight_is_out());
}
