//! What NGINX says by itself when a replica does not: 503 only where no replica can have seen the
//! request, else 502 or 504, after which a transacao may have been applied.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod common;

use std::fs;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use common::{Bank, Client, Response};
use common::{assert_problem, backend, connect, extrato, get, transacao};
use rustix::process::{Signal, kill_process};
use xtask::stack::{Driver, Sockets};

/// A guard, never a measure.
const GUARD: Duration = Duration::from_secs(30);

#[test]
fn only_what_nobody_saw_is_said_not_to_be_applied() {
    std::thread::scope(|scope| {
        for sockets in [Sockets::Unix, Sockets::Tcp] {
            scope.spawn(move || check(sockets));
        }
    });
}

fn check(sockets: Sockets) {
    let mut bank = Bank::start_with(Driver::Auto, sockets, |options| options.replicas = 1);
    let id = bank.cliente(0);
    let ask = |bank: &Bank, request: Vec<u8>| connect(&bank.door()).exchange(request).unwrap();
    assert_eq!(ask(&bank, transacao(id, "c", 1, "um")).status, 200);

    // It dies with the transacao in flight, which the database applies.
    let backend = backend(|sql| bank.psql(sql).unwrap());
    kill_process(backend, Signal::STOP).unwrap();
    let mut client = connect(&bank.door());
    client.send(transacao(id, "c", 10, "dez")).unwrap();
    wait_for_flight(&bank);
    bank.stack().kill_replica(0);
    kill_process(backend, Signal::CONT).unwrap();
    assert_problem(&receive(&mut client, &bank), "Bad Gateway", 502);
    let since = Instant::now();
    while bank.row(id) != "11 2" {
        assert!(since.elapsed() < GUARD, "{}", bank.row(id));
    }

    // Nobody is there: nothing can have been applied, however often it is asked.
    let requests = [transacao(id, "c", 100, "cem"), extrato(id), get("/healthz")];
    for request in requests.iter().chain(&requests) {
        let response = ask(&bank, request.clone());
        assert_problem(&response, "Service Unavailable", 503);
    }

    // It has the request, and says nothing for longer than it may take.
    bank.stack().start_replica(0).unwrap();
    assert_eq!(ask(&bank, extrato(id)).status, 200);
    bank.stack().freeze_replica(0);
    let mut client = connect(&bank.door());
    client.send(transacao(id, "c", 1000, "mil")).unwrap();
    let response = receive(&mut client, &bank);
    bank.stack().thaw_replica(0);
    assert_problem(&response, "Gateway Timeout", 504);
}

/// Above `max_conns` of each replica NGINX says 503 itself, at once, and no replica hears of it.
#[test]
fn what_no_replica_has_room_for_is_told_so_at_once() {
    const ASKED: usize = 4;
    let folder = tempfile::tempdir().unwrap();
    let conf = folder.path().join("nginx.conf");
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/nginx.conf");
    let shipped = fs::read_to_string(shipped).unwrap();
    let narrow = shipped.replace(" max_conns=1040 ", " max_conns=1 ");
    assert_ne!(narrow, shipped);
    fs::write(&conf, narrow).unwrap();
    let mut bank = Bank::start_with(Driver::Auto, Sockets::Unix, |options| {
        options.replicas = 1;
        options.nginx_conf = Some(conf);
    });
    let (id, door) = (bank.cliente(0), bank.door());
    bank.stack().freeze_replica(0);
    let (answers, answered) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..ASKED {
            let (answers, mut client) = (answers.clone(), connect(&door));
            scope.spawn(move || {
                client.set_guard(GUARD).unwrap();
                let answer = client.exchange(transacao(id, "c", 1, "um"));
                answers.send(answer.unwrap()).unwrap();
            });
        }
        // The one that got the room waits for the replica.
        for _ in 1..ASKED {
            let answer = answered.recv_timeout(GUARD).unwrap();
            assert_problem(&answer, "Service Unavailable", 503);
        }
        bank.stack().thaw_replica(0);
        assert_eq!(answered.recv_timeout(GUARD).unwrap().status, 200);
    });
    assert_eq!(bank.row(id), "1 1");
}

fn receive(client: &mut Client, bank: &Bank) -> Response {
    client.set_guard(GUARD).unwrap();
    let response = client.receive();
    response.unwrap_or_else(|error| panic!("{error}\n{}", bank.logs()))
}

fn wait_for_flight(bank: &Bank) {
    let since = Instant::now();
    let mut client = connect(&bank.replica(0));
    while client.exchange(get("/health")).unwrap().json()["in_flight"] != 1 {
        assert!(since.elapsed() < GUARD, "nothing is in flight");
    }
}
