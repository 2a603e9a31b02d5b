//! The ledger's rules, told as stories: what joins, what leaves together, and who is answered what.

mod figures;
mod replies;
mod story;

use crebito::ledger::{Landed, Operation, Refused};
use crebito::limits;
use crebito::pg::ReplyDecoder;
use replies::{error, extrato, inserted, lote, reply};
use story::{QUEUE_MAX, Story, credit};

/// Well past every operation's time.
const LATE_MS: u64 = limits::OPERATION_MS;

const BACK: Landed = Landed::Flight { prepare: false };

#[test]
fn one_transacao_leaves_alone_and_at_once() {
    let mut story = Story::new();
    story.credit("a", 1);
    assert_eq!(story.depart(), ["transacao"]);
    assert_eq!(story.land(&inserted(1, 9, 0)), BACK);
    story.tells(&["a applied 9 1"]);
    assert_eq!(story.depart(), Vec::<String>::new());
}

#[test]
fn what_waits_leaves_together_transacoes_first_and_extratos_shared() {
    let mut story = Story::new();
    story.credit("a", 1);
    story.depart();
    story.extrato("b", 1);
    story.credit("c", 1);
    story.extrato("d", 2);
    story.extrato("e", 1);
    story.credit("f", 2);
    // One flight out at a time.
    assert_eq!(story.depart(), Vec::<String>::new());
    story.land(&inserted(1, 9, 0));
    story.tells(&["a applied 9 1"]);
    assert_eq!(story.depart(), ["distintas", "extrato", "extrato"]);
    // Asked while its cliente's extrato is in flight: not answered by that call.
    story.extrato("late", 1);
    assert_eq!(story.land(&lote(&[2, 1])), Landed::More);
    story.tells(&["c applied 9 2", "f applied 9 1"]);
    assert_eq!(story.land(&extrato()), Landed::More);
    story.tells(&["b extrato of 1 bytes", "e extrato of 1 bytes"]);
    assert_eq!(story.land(&reply(&[])), BACK);
    story.tells(&["d NoCliente"]);
    assert_eq!(story.depart(), ["extrato"]);
}

/// They are sent by ascending cliente, and answered in the order in which they joined: a connection
/// writes its answers so.
#[test]
fn a_flight_is_answered_in_the_order_in_which_it_joined() {
    let mut story = Story::new();
    story.credit("first", 1);
    story.depart();
    for (name, cliente) in [("a", 7), ("b", -1), ("c", 3)] {
        story.credit(name, cliente);
    }
    story.land(&inserted(1, 9, 0));
    story.tells(&["first applied 9 1"]);
    assert_eq!(story.depart(), ["distintas"]);
    for (name, cliente) in [("d", 7), ("e", 3), ("f", 7), ("g", 1)] {
        story.credit(name, cliente);
    }
    // Stale: all are sent again.
    assert_eq!(
        story.land(&error("26000")),
        Landed::Flight { prepare: true }
    );
    assert_eq!(story.depart(), ["lote"]);
    story.land(&lote(&[-11, 11, 31, 32, 71, 72, 73]));
    story.tells(&[
        "a applied 9 71",
        "b applied 9 -11",
        "c applied 9 31",
        "d applied 9 72",
        "e applied 9 32",
        "f applied 9 73",
        "g applied 9 11",
    ]);
    story.credit("h", 2);
    story.credit("i", 1);
    assert_eq!(story.depart(), ["distintas"]);
    story.land(&lote(&[1, 2]));
    story.tells(&["h applied 9 2", "i applied 9 1"]);
    // Sixteen clientes and one that comes again: it is sent last.
    story.credit("twice", 2);
    (1..=16).for_each(|cliente| story.credit("once", cliente));
    assert_eq!(story.depart(), ["distintas"]);
    let mut saldos: Vec<i64> = (1..=16).chain([102]).collect();
    story.land(&lote(&saldos));
    assert_eq!(story.told.remove(0), "twice applied 9 2");
    saldos.swap_remove(1);
    let told = saldos.iter().map(|saldo| format!("once applied 9 {saldo}"));
    assert_eq!(story.told, told.collect::<Vec<_>>());
}

#[test]
fn outcomes_become_answers() {
    for (resultado, expected) in [
        (0, "a applied 9 5"),
        (1, "a NoCliente"),
        (2, "a Refused"),
        (3, "a Refused"),
    ] {
        let mut story = Story::new();
        story.credit("a", 1);
        story.depart();
        let row = match resultado {
            1 => reply(&[vec![Some(1i16.to_be_bytes().to_vec()), None, None]]),
            _ => inserted(5, 9, resultado),
        };
        story.land(&row);
        story.tells(&[expected]);
    }
}

#[test]
fn at_most_so_many_clientes_are_read_in_one_flight() {
    let mut story = Story::new();
    let max = i64::try_from(limits::FLIGHT_EXTRATOS_MAX).expect("a small number");
    for cliente in 1..=max + 2 {
        story.extrato("e", cliente);
    }
    story.extrato("again", 1);
    story.credit("t", 1);
    assert_eq!(story.depart().len(), limits::FLIGHT_EXTRATOS_MAX + 1);
    assert_eq!(story.ledger.waiting(), 2);
    story.land(&inserted(1, 9, 0));
    for _ in 0..max {
        story.land(&extrato());
    }
    assert_eq!(story.told.len(), limits::FLIGHT_EXTRATOS_MAX + 2);
    assert_eq!(story.depart(), ["extrato", "extrato"]);
}

#[test]
fn a_flight_takes_so_many_transacoes_and_nothing_overtakes_the_rest() {
    let mut story = Story::new();
    for _ in 0..limits::FLIGHT_TRANSACOES_MAX {
        story.credit("first", 1);
    }
    story.credit("second", 1);
    story.extrato("asked behind it", 1);
    assert_eq!(story.depart(), ["lote"]);
    assert_eq!(story.ledger.waiting(), 2);
    story.land(&lote(&[1; limits::FLIGHT_TRANSACOES_MAX]));
    assert_eq!(story.depart(), ["transacao", "extrato"]);
}

#[test]
fn an_error_proves_that_nothing_was_applied() {
    let mut story = Story::new();
    story.credit("a", 1);
    story.credit("b", 2);
    story.extrato("e", 1);
    story.depart();
    assert_eq!(story.land(&error("57014")), Landed::More);
    story.tells(&["a Unavailable", "b Unavailable"]);
    assert_eq!(story.land(&extrato()), BACK);
    story.tells(&["e extrato of 1 bytes"]);
}

#[test]
fn stale_statements_are_sent_again_once_and_first() {
    let mut story = Story::new();
    story.credit("a", 1);
    story.credit("b", 1);
    story.depart();
    story.credit("c", 1);
    assert_eq!(
        story.land(&error("26000")),
        Landed::Flight { prepare: true }
    );
    story.tells(&[]);
    assert_eq!(story.depart(), ["lote"]);
    story.land(&lote(&[1, 2, 3]));
    story.tells(&["a applied 9 1", "b applied 9 2", "c applied 9 3"]);

    story.credit("d", 1);
    story.depart();
    assert_eq!(
        story.land(&error("0A000")),
        Landed::Flight { prepare: true }
    );
    assert_eq!(story.depart(), ["transacao"]);
    assert_eq!(
        story.land(&error("0A000")),
        Landed::Flight { prepare: true }
    );
    story.tells(&["d Unavailable"]);
    assert_eq!(story.depart(), Vec::<String>::new());
}

#[test]
fn an_extrato_is_not_answered_before_transacoes_that_are_sent_again() {
    let mut story = Story::new();
    story.credit("post", 1);
    story.credit("post too", 1);
    story.extrato("get", 1);
    story.depart();
    story.land(&error("42883"));
    // Only the transacoes' call was stale; the extrato's was read too early.
    assert_eq!(story.land(&extrato()), Landed::Flight { prepare: true });
    story.tells(&[]);
    assert_eq!(story.depart(), ["lote", "extrato"]);
    story.land(&lote(&[1, 2]));
    story.land(&extrato());
    story.tells(&[
        "post applied 9 1",
        "post too applied 9 2",
        "get extrato of 1 bytes",
    ]);
}

#[test]
fn a_broken_session_leaves_its_flight_unknown_and_the_queue_waiting() {
    let mut story = Story::new();
    story.credit("a", 1);
    story.extrato("e", 1);
    story.depart();
    story.credit("b", 1);
    story.lose_session();
    story.tells(&["a Unknown", "e Unknown"]);
    assert_eq!(story.depart(), Vec::<String>::new());
    story.ledger.session_found();
    assert_eq!(story.depart(), ["transacao"]);
    story.land(&inserted(1, 9, 0));
    story.tells(&["b applied 9 1"]);
}

#[test]
fn time_runs_out_for_those_who_wait_and_for_those_in_flight() {
    let mut story = Story::new();
    story.credit("flying", 1);
    story.depart();
    story.credit("waiting", 1);
    story.pass(limits::TICK_MS);
    story.tells(&[]);
    story.pass(LATE_MS);
    story.tells(&["flying Unknown", "waiting Unavailable"]);
    // The slot stays until the reply, whose operation is answered already.
    assert_eq!(story.depart(), Vec::<String>::new());
    assert_eq!(story.land(&inserted(1, 9, 0)), BACK);
    story.tells(&[]);
    let late = Operation::new("late", 0, credit(1));
    assert_eq!(story.ledger.submit(late, story.now_ms), Err(Refused::Late));
}

#[test]
fn what_is_late_never_leaves_though_no_tick_came() {
    let mut story = Story::new();
    story.credit("late", 1);
    story.now_ms = LATE_MS;
    story.credit("in time", 1);
    assert_eq!(story.depart(), ["transacao"]);
    story.tells(&["late Unavailable"]);
    story.land(&inserted(1, 9, 0));
    story.tells(&["in time applied 9 1"]);
}

#[test]
fn a_database_that_is_away_for_long_is_answered_for_at_once() {
    let mut story = Story::new();
    story.lose_session();
    story.pass(limits::DATABASE_AWAY_MS);
    story.credit("waits", 1);
    story.pass(1);
    story.tells(&["waits Unavailable"]);
    assert_eq!(story.submit("no", credit(1)), Err(Refused::Away));
    story.ledger.session_found();
    story.credit("yes", 1);
}

#[test]
fn the_queue_is_bounded() {
    let mut story = Story::new();
    for _ in 0..QUEUE_MAX {
        story.credit("in", 1);
    }
    assert_eq!(story.submit("out", credit(1)), Err(Refused::Full));
}

#[test]
fn a_flight_carries_no_more_than_it_may() {
    let mut story = Story::with_flights_of(1);
    for _ in 0..8 {
        story.credit("one of a crowd", 1);
    }
    story.extrato("an extrato", 1);
    for _ in 0..8 {
        assert!(story.ledger.ready(0), "it waits for nobody");
        assert_eq!(story.depart(), ["transacao"]);
        story.land(&inserted(1, 9, 0));
    }
    assert_eq!(story.depart(), ["extrato"]);
}

#[test]
fn after_a_crowd_a_flight_waits_to_be_filled() {
    let mut story = Story::with_pause(5_000);
    for flight_ms in [0, 4] {
        for _ in 0..10 {
            story.credit("one of a crowd", 1);
        }
        assert_eq!(story.depart(), ["lote"]);
        story.pass(flight_ms);
        story.land(&lote(&[1; 10]));
    }
    story.credit("back", 1);
    // Whoever lets flights leave must hear of the first, and when its pause ends: as long after
    // the landing as the flight was out.
    assert!(story.ledger.stirs(5_000));
    assert!(!story.ledger.ready(5_000));
    assert_eq!(story.ledger.pause_us(5_000), Some(3_000));
    assert_eq!(story.depart(), Vec::<String>::new());
    for _ in 0..8 {
        story.credit("back", 1);
        assert!(!story.ledger.stirs(5_000));
    }
    story.credit("the last of so few", 1);
    assert!(story.ledger.stirs(5_000));
    assert_eq!(story.ledger.pause_us(5_000), None);
    assert_eq!(story.depart(), ["lote"]);
    story.land(&lote(&[1; 10]));
    story.credit("alone", 1);
    assert_eq!(story.depart(), Vec::<String>::new());
    story.pass(5);
    assert_eq!(story.depart(), ["transacao"]);
}

#[test]
fn who_is_sent_again_counts_once_in_the_crowd() {
    let mut story = Story::with_pause(5_000);
    for reply in [lote(&[1; 8]), error("26000")] {
        for _ in 0..8 {
            story.credit("one of a crowd", 1);
        }
        assert_eq!(story.depart(), ["lote"]);
        story.land(&reply);
    }
    assert_eq!(story.depart(), ["lote"], "all of the crowd wait already");
}

#[test]
fn a_full_queue_is_not_waited_to_grow() {
    let mut story = Story::with_queue(6, 5_000);
    let fill = |story: &mut Story| {
        for _ in 0..6 {
            story.credit("one of a crowd of twelve", 1);
        }
    };
    fill(&mut story);
    for _ in 0..3 {
        assert_eq!(story.depart(), ["lote"]);
        fill(&mut story);
        story.land(&lote(&[1; 6]));
    }
}

#[test]
fn who_is_gone_before_departure_is_dropped() {
    let mut story = Story::new();
    story.credit("gone", 1);
    story.credit("here", 1);
    assert_eq!(story.depart_without("gone"), ["transacao"]);
    story.land(&inserted(1, 9, 0));
    story.tells(&["here applied 9 1"]);
    story.credit("gone", 1);
    assert_eq!(story.depart_without("gone"), Vec::<String>::new());
    assert_eq!(story.ledger.waiting(), 0);
}

#[test]
fn replies_that_fit_nothing_end_the_session() {
    let mut story = Story::new();
    let unexpected = inserted(1, 9, 0);
    let unexpected = ReplyDecoder::default()
        .decode(&unexpected)
        .expect("a reply")
        .expect("a whole reply");
    assert!(story.ledger.land(&unexpected, 0, |_, _| ()).is_err());
    for wrong in [lote(&[1]), lote(&[1, 2, 3]), inserted(1, 9, 0), reply(&[])] {
        let mut story = Story::new();
        story.credit("a", 1);
        story.credit("b", 1);
        story.depart();
        let wrong = ReplyDecoder::default()
            .decode(&wrong)
            .expect("a reply")
            .expect("whole");
        assert!(story.ledger.land(&wrong, 0, |_, _| ()).is_err());
    }
}
