//! The contract's Consistency: random operations over both replicas at once, directly and through
//! NGINX, pipelined or not; their history has to be explained by one order for each cliente.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod checker;
mod common;
mod load;

use std::time::Duration;

use checker::{Answer, Operation};
use common::{Bank, Peer};
use load::{History, Load};
use xtask::stack::{Driver, Sockets};

/// Operations of each connection, at least.
const OPERATIONS: usize = 400;
/// Connections to each replica, and to NGINX.
const CONNECTIONS: usize = 4;

#[test]
fn one_order_explains_every_answer_under_io_uring() {
    check(Driver::IoUring, Sockets::Unix, 1);
}

#[test]
fn one_order_explains_every_answer_under_epoll() {
    check(Driver::Epoll, Sockets::Tcp, 1);
}

#[test]
fn one_order_explains_every_answer_of_several_workers() {
    check(Driver::Auto, Sockets::Tcp, 2);
}

/// The checker follows each cliente from its first row: whatever the composition holds goes.
#[test]
#[ignore = "cargo xtask compose-test runs it in containers"]
fn one_order_explains_every_answer_composed() {
    judge(&Bank::composed_and_reset());
}

fn check(driver: Driver, sockets: Sockets, workers: usize) {
    judge(&Bank::start_with(driver, sockets, |options| {
        options.workers = workers;
    }));
}

fn judge(bank: &Bank) {
    let seed = load::fresh_seed();
    let peers: Vec<Peer> = [bank.door()].into_iter().chain(bank.replicas()).collect();
    let count = CONNECTIONS * peers.len();
    let peers = peers.into_iter().cycle().take(count).collect();

    let mut history = History::new();
    let load = Load {
        peers,
        seed,
        pause: Duration::ZERO,
    };
    history.run(&load, |count| count >= OPERATIONS, |_| ());

    let (counts, total) = (history.counts(), history.operations.len());
    println!("{}: {total} operations, {counts:?}", bank.driver());
    let judged = checker::check(&history.operations, &load::contas_by(|sql| bank.psql(sql)));
    if let Err(fault) = judged {
        panic!("seed {seed}: {fault}\n{}", bank.logs());
    }
    // Nobody but a cliente that does not exist is refused.
    let refused = |one: &&Operation| matches!(one.answer, Answer::Refused) && one.cliente != 6;
    let refused = history.operations.iter().find(refused);
    assert!(refused.is_none(), "{refused:?}\n{}", bank.logs());
    // Without these shares the check would say little.
    assert!(counts.impossible * 10 >= total, "{counts:?}");
    assert!(counts.extratos * 10 >= total, "{counts:?}");
    assert!(counts.applied * 4 >= total, "{counts:?}");
    assert_eq!(counts.unknown, 0, "nothing was disturbed: {}", bank.logs());
}
