//! In steady state a replica allocates nothing, whatever the contest asks of it.
//!
//! Counted is the whole process: HTTP, ledger, session, runtime, and the timers between; who asks
//! is another process. Not part of the contest's load, and so allowed to allocate: a connection
//! (once, at its beginning), JSON that is malformed, and escapes in a descricao.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../common/mod.rs"]
mod common;
mod replica;

use common::{Client, connect};
use replica::Counted;
use std::collections::BTreeMap;
use xtask::stack::{Postgres, Sockets};

/// Connections that are kept alive.
const CONNECTIONS: usize = 48;
/// Those of them that go on while it is counted, each with one request at a time: queue, flights
/// and buffers at work have been more before.
const COUNTED: usize = 16;
/// Requests of each connection while they are counted.
const REQUESTS: usize = 500;
/// Requests of each connection before.
const WARM_UP: usize = 200;

#[test]
fn nothing_under_io_uring() {
    check("io_uring");
}

#[test]
fn nothing_under_epoll() {
    check("epoll");
}

#[test]
#[ignore = "serves until it is killed; the tests above run it in a process of its own"]
fn counted_replica() {
    replica::serve();
}

fn check(driver: &str) {
    let postgres = Postgres::private(&[], &[]).unwrap();
    postgres.apply_sql().unwrap();
    let url = postgres.url(xtask::stack::ROLE, "", Sockets::Unix);
    let mut replica = Counted::start(driver, &url);
    let mut clients: Vec<_> = (0..CONNECTIONS).map(|_| connect(&replica.peer())).collect();
    drive(&mut clients, WARM_UP);

    let mut statuses = BTreeMap::new();
    let counted = &mut clients[..COUNTED];
    let allocated = replica.count(|| statuses = drive(counted, REQUESTS));
    println!("{driver}: {statuses:?}, {} allocations", allocated.blocks);
    assert_eq!(allocated.blocks, 0, "{driver}:\n{}", allocated.places);
    for status in [200, 404, 422] {
        let count = statuses.get(&status).copied().unwrap_or(0);
        assert!(count > REQUESTS / 10, "{driver}: {statuses:?}");
    }
    // The allocator does count: a connection is allocated.
    let peer = replica.peer();
    let allocated = replica.count(|| drop(drive(&mut [connect(&peer)], 1)));
    assert!(allocated.blocks > 0, "{driver}");
}

/// All clients at once send so many requests, each when the last one is answered; how often each
/// status came.
fn drive(clients: &mut [Client], requests: usize) -> BTreeMap<u16, usize> {
    let ask = |seed: usize, client: &mut Client| -> Vec<u16> {
        let asked = (0..requests).map(|at| request(seed * 7 + at));
        asked
            .map(|request| client.exchange(request).unwrap().status)
            .collect()
    };
    let mut counts = BTreeMap::new();
    std::thread::scope(|scope| {
        let askers: Vec<_> = clients
            .iter_mut()
            .enumerate()
            .map(|(seed, client)| scope.spawn(move || ask(seed, client)))
            .collect();
        for status in askers.into_iter().flat_map(|asker| asker.join().unwrap()) {
            *counts.entry(status).or_default() += 1;
        }
    });
    counts
}

/// What the contest asks, and each of its refusals.
fn request(at: usize) -> Vec<u8> {
    let cliente = i64::try_from(at % 5).unwrap() + 1;
    let transacao = format!("/clientes/{cliente}/transacoes");
    match at % 34 {
        0..=1 => common::extrato(cliente),
        2..=12 => common::transacao(
            cliente,
            "c",
            1 + i64::try_from(at).unwrap() % 10_000,
            "toma",
        ),
        13 => common::post(
            &transacao,
            r#"{"valor": 1.2, "tipo": "d", "descricao": "devolve"}"#,
        ),
        14 => common::transacao(cliente, "x", 1, "devolve"),
        15 => common::transacao(cliente, "c", 1, "devolve mais q 10 char"),
        16 => common::transacao(cliente, "c", 1, ""),
        17 => common::post(
            &transacao,
            r#"{"valor": 1, "tipo": "c", "descricao": null}"#,
        ),
        18 => common::transacao(cliente, "d", i64::MAX, "demais"),
        19 => common::transacao(6, "c", 1, "ninguém"),
        20 => common::extrato(6),
        21 => common::get("/clientes"),
        _ => common::transacao(cliente, "d", 1 + i64::try_from(at).unwrap() % 5_000, "dá"),
    }
}
