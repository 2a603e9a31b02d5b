//! The contract's Consistency: random operations over both replicas at once, directly and through
//! NGINX, pipelined or not; their history has to be explained by one order for each cliente.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod checker;
mod common;
mod load;

use std::time::Duration;

use common::Peer;
use load::{History, Load};
use xtask::stack::{Driver, Options, Sockets, Stack};

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

fn check(driver: Driver, sockets: Sockets, workers: usize) {
    let mut options = Options::new(env!("CARGO_BIN_EXE_crebito"));
    (options.driver, options.sockets, options.workers) = (driver, sockets, workers);
    let stack = Stack::private(&options).unwrap();
    let seed = load::fresh_seed();
    let mut peers = vec![Peer::Tcp(stack.address())];
    peers.extend(
        stack
            .replicas()
            .iter()
            .map(|replica| load::peer(&replica.address)),
    );
    let peers: Vec<Peer> = peers
        .iter()
        .cycle()
        .take(CONNECTIONS * 3)
        .cloned()
        .collect();

    let mut history = History::new();
    let load = Load {
        peers,
        seed,
        pause: Duration::ZERO,
    };
    history.run(&load, |count| count >= OPERATIONS, |_| ());

    let (counts, total) = (history.counts(), history.operations.len());
    println!("{driver:?}, {workers} workers: {total} operations, {counts:?}");
    let judged = checker::check(&history.operations, &load::contas(stack.postgres()));
    if let Err(fault) = judged {
        panic!("seed {seed}: {fault}\n{}", stack.logs());
    }
    // Without these shares the check would say little.
    assert!(counts.impossible * 10 >= total, "{counts:?}");
    assert!(counts.extratos * 10 >= total, "{counts:?}");
    assert!(counts.applied * 4 >= total, "{counts:?}");
    assert_eq!(counts.unknown, 0, "nothing was disturbed: {}", stack.logs());
}
