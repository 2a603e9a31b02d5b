//! NGINX as a pipe of bytes (nginx.stream.conf): what still holds behind it, and what
//! docs/decisions/0007-stream.md says that it costs.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod common;

use std::io::ErrorKind;

use common::{Bank, Client, connect, extrato, get, transacao};
use xtask::stack::{Driver, Proxy, Sockets};

fn bank() -> Bank {
    Bank::start_with(Driver::Auto, Sockets::Unix, |options| {
        options.proxy = Proxy::Stream;
    })
}

#[test]
fn requests_and_answers_pass_as_they_are() {
    let bank = bank();
    let id = bank.cliente(1_000);
    let mut client = connect(&bank.door());
    let answer = client.exchange(transacao(id, "c", 7, "um")).unwrap();
    assert_eq!(answer.text(), r#"{"limite":1000,"saldo":7}"#);
    let extrato = client.exchange(extrato(id)).unwrap();
    assert_eq!(extrato.json()["saldo"]["total"], 7);
    // The pipeline reaches one replica as it was sent, and the answers keep its order.
    let three = [("c", 1), ("d", 2), ("c", 3)].map(|(tipo, valor)| transacao(id, tipo, valor, "n"));
    client.send(three.concat()).unwrap();
    client.finish_sending().unwrap();
    for saldo in [8, 6, 9] {
        assert_eq!(client.receive().unwrap().json()["saldo"], saldo);
    }
    assert_eq!(client.receive_end().unwrap(), b"");
    assert_eq!(bank.row(id), "9 4");
    // The replica's own word on what is not the bank's: NGINX has none here.
    let answer = connect(&bank.door()).exchange(get("/metrics")).unwrap();
    assert_eq!(answer.status, 404);
}

#[test]
fn connections_are_spread_and_pass_by_a_replica_that_is_gone() {
    let mut bank = bank();
    let mut open: Vec<Client> = (0..20).map(|_| connect(&bank.door())).collect();
    for client in &mut open {
        assert_eq!(client.exchange(get("/healthz")).unwrap().status, 200);
    }
    for replica in bank.replicas() {
        let health = connect(&replica).exchange(get("/health")).unwrap().json();
        // The one that asks is the eleventh.
        assert_eq!(health["connections"], 11, "{health}");
    }
    bank.stack().kill_replica(0);
    // Its connections end, the other's are as they were.
    let answered = |client: &mut Client| client.exchange(get("/healthz")).is_ok();
    assert_eq!(open.iter_mut().map(answered).filter(|&is| is).count(), 10);
    let id = bank.cliente(0);
    for _ in 0..20 {
        let mut client = connect(&bank.door());
        let answer = client.exchange(transacao(id, "c", 1, "um")).unwrap();
        assert_eq!(answer.status, 200);
    }
    assert_eq!(bank.row(id), "20 20", "none is lost, none goes twice");

    bank.stack().kill_replica(1);
    let error = connect(&bank.door())
        .exchange(get("/healthz"))
        .expect_err("NGINX has no answer of its own");
    let closed = [ErrorKind::UnexpectedEof, ErrorKind::ConnectionReset];
    assert!(closed.contains(&error.kind()), "{error}");
    // Back again, without a word to NGINX.
    bank.stack().start_replica(0).expect("it starts again");
    let answers = || connect(&bank.door()).exchange(get("/healthz"));
    let since = std::time::Instant::now();
    while answers().is_err() {
        assert!(since.elapsed().as_secs() < 30, "it does not come back");
    }
}
