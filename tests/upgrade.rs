//! An upgrade as docs/deploy.md does it, under load: the SQL first, with a changed procedure under
//! a new name, then replica by replica. Every request is answered, and none with an error.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod checker;
mod common;
mod load;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

use checker::{Answer, Operation};
use common::Peer;
use load::{History, Load};
use xtask::stack::{Driver, Options, Sockets, Stack};

/// Connections through NGINX.
const CONNECTIONS: usize = 8;
/// Of load before and after each step.
const CALM: Duration = Duration::from_millis(400);
/// NGINX leaves a replica alone that was away, for its fail_timeout, counted in whole seconds: the
/// next one has to wait until it is asked again.
const ASKED_AGAIN: Duration = Duration::from_secs(3);
/// A procedure of the next release, beside the one that this release calls.
const NEXT: &str = "
    CREATE OR REPLACE FUNCTION banco.transacoes_lote_2(
        ids bigint[], valores bigint[], descricoes text[],
        OUT resultado smallint[], OUT saldo bigint[], OUT limite bigint[])
    LANGUAGE sql AS 'SELECT * FROM banco.transacoes_lote(ids, valores, descricoes)';";

#[test]
fn no_request_fails_under_io_uring() {
    check(Driver::IoUring);
}

#[test]
fn no_request_fails_under_epoll() {
    check(Driver::Epoll);
}

fn check(driver: Driver) {
    let mut options = Options::new(env!("CARGO_BIN_EXE_crebito"));
    // As both compositions have it. (A TCP port cannot be left without a moment's gap.)
    (options.driver, options.sockets) = (driver, Sockets::Unix);
    let mut stack = Stack::private(&options).unwrap();
    let seed = load::fresh_seed();
    let load = Load {
        peers: vec![Peer::Tcp(stack.address()); CONNECTIONS],
        seed,
        pause: Duration::from_millis(2),
    };
    let mut history = History::new();
    let is_over = AtomicBool::new(false);
    let is_enough = |_: usize| is_over.load(Ordering::Relaxed);
    let steps = history.run(&load, is_enough, |_| {
        // Whatever happens here, the askers come to their end.
        let upgraded = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            upgrade(&mut stack);
        }));
        is_over.store(true, Ordering::Relaxed);
        upgraded
    });
    steps.unwrap_or_else(|panic| std::panic::resume_unwind(panic));

    let counts = history.counts();
    println!("{driver:?}: {counts:?}");
    // Not one 5xx, nor a connection that broke: cliente 6 alone is refused, with 404.
    assert_eq!(counts.unknown, 0, "{counts:?}\n{}", stack.logs());
    let is_refused = |one: &Operation| matches!(one.answer, Answer::Refused) && one.cliente != 6;
    assert!(
        !history.operations.iter().any(is_refused),
        "{counts:?}\n{}",
        stack.logs()
    );
    assert!(counts.applied > 100 && counts.extratos > 100, "{counts:?}");
    if let Err(fault) = checker::check(&history.operations, &load::contas(stack.postgres())) {
        panic!("seed {seed}: {fault}\n{}", stack.logs());
    }
}

fn upgrade(stack: &mut Stack) {
    sleep(CALM);
    stack.postgres().apply_sql().unwrap();
    stack.psql(NEXT).unwrap();
    sleep(CALM);
    for replica in 0..stack.replicas().len() {
        let before = stack.replicas()[replica].pid;
        let status = stack.terminate_replica(replica).unwrap();
        assert!(status.success(), "it drains: {status}");
        stack.start_replica(replica).unwrap();
        assert_ne!(stack.replicas()[replica].pid, before);
        sleep(ASKED_AGAIN);
    }
}
