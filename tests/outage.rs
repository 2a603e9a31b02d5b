//! What a replica answers while its database is away, incomplete or silent, request by request.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod common;
mod replica;

use std::time::{Duration, Instant};

use common::{Client, Response, assert_problem, backend};
use crebito::limits;
use replica::{GUARD, NOWHERE, Replica};
use rustix::process::{Pid, Signal, kill_process};
use xtask::stack::{Driver, Postgres, Shutdown};

#[test]
fn it_waits_for_a_database_that_is_away() {
    under_both(check_away);
}

/// Starts before its database, then finds one without the bank's procedures, then a whole one.
fn check_away(driver: Driver) {
    let mut postgres = Postgres::private(&[], &[]).unwrap();
    postgres.stop(Shutdown::Fast);
    let mut replica = start(&postgres, driver);
    replica.wait_for("/healthz", 200);
    replica.wait_for("/health", 503);
    let mut client = Client::connect(replica.peer()).unwrap();
    let credit = common::transacao(1, "c", 10, "away");
    for request in [credit.clone(), common::extrato(1), credit.clone()] {
        assert_unavailable(&client.exchange(&request).unwrap(), &replica);
    }

    postgres.start().unwrap();
    replica.wait_for_log("sql/");
    assert_eq!(
        replica.get("/health").unwrap().status,
        503,
        "{}",
        replica.log()
    );

    postgres.apply_sql().unwrap();
    replica.wait_for("/health", 200);
    let response = client.exchange(&credit).unwrap();
    assert_eq!(
        (response.status, response.text().as_str()),
        (200, r#"{"limite":100000,"saldo":10}"#)
    );
}

/// The earlier answer takes most of the 5 s that a request has, and the peer waits for its 100.
#[test]
fn the_wait_for_an_earlier_answer_is_no_part_of_a_requests_time() {
    under_both(|driver| {
        let listen = replica::free_address().to_string();
        let driver = ("IO_DRIVER", driver.as_str());
        let mut replica = Replica::start(&[NOWHERE, ("LISTEN", &listen), driver]);
        replica.wait_for("/healthz", 200);
        let earlier = common::transacao(1, "c", 1, "earlier");
        let later = String::from_utf8(common::transacao(1, "c", 1, "later")).unwrap();
        let (head, body) = later.split_once("\r\n\r\n").unwrap();
        let head = format!("{head}\r\nExpect: 100-continue\r\n\r\n");
        let mut client = Client::connect(replica.peer()).unwrap();
        let since = Instant::now();
        client.send([earlier, head.into_bytes()].concat()).unwrap();
        assert_unavailable(&client.receive().unwrap(), &replica);
        assert_eq!(client.receive().unwrap().status, 100);
        // Of which the wait for the earlier answer was 4 s.
        let whole = Duration::from_millis(limits::REQUEST_MS + 500);
        std::thread::sleep(whole.saturating_sub(since.elapsed()));
        assert_unavailable(&client.exchange(body).unwrap(), &replica);
    });
}

#[test]
fn an_extrato_that_cannot_be_written_fails_alone() {
    under_both(check_unsayable);
}

/// Somebody has put a time into the bank that JSON's form has not.
fn check_unsayable(driver: Driver) {
    let postgres = Postgres::private(&[], &[]).unwrap();
    postgres.apply_sql().unwrap();
    postgres
        .psql(
            "SELECT count(*) FROM banco.InsertTransacao(2, 1, 'c', 'a');
             UPDATE banco.lotes SET realizada_em = 'infinity'",
        )
        .unwrap();
    let mut replica = start(&postgres, driver);
    replica.wait_for("/health", 200);
    for _ in 0..2 {
        let mut client = Client::connect(replica.peer()).unwrap();
        let response = client.exchange(common::extrato(2)).unwrap();
        assert_eq!(response.status, 500, "{response:?}\n{}", replica.log());
        assert_problem(&response, "Internal Server Error", 500);
        assert_eq!(response.field("connection"), Some("close"));
        assert_eq!(client.receive_end().unwrap(), b"");
        assert_eq!(replica.get("/clientes/1/extrato").unwrap().status, 200);
    }
    replica.wait_for_log("an extrato has what no answer can say");
    assert_eq!(replica.log().matches("the session is up").count(), 1);
}

#[test]
fn answers_keep_their_order_when_a_call_is_sent_again() {
    under_both(check_order_of_answers);
}

/// The transacoes' procedures are away and the extrato's is not: of a POST and a GET in one
/// flight, the GET could be answered first.
fn check_order_of_answers(driver: Driver) {
    let postgres = Postgres::private(&[], &[]).unwrap();
    postgres.apply_sql().unwrap();
    let mut replica = start(&postgres, driver);
    replica.wait_for("/health", 200);
    let mut client = Client::connect(replica.peer()).unwrap();
    let credit = common::transacao(1, "c", 10, "order");
    assert_eq!(client.exchange(&credit).unwrap().status, 200);
    postgres
        .psql(
            "DROP FUNCTION banco.inserttransacao(bigint, bigint, text, text);
             DROP FUNCTION banco.transacoes_lote(bigint[], bigint[], text[]);",
        )
        .unwrap();
    client
        .send([credit.clone(), credit.clone(), common::extrato(1)].concat())
        .unwrap();
    for _ in 0..2 {
        assert_unavailable(&client.receive().unwrap(), &replica);
    }
    let extrato = client.receive().unwrap();
    if extrato.status == 200 {
        assert_eq!(extrato.json()["saldo"]["total"], 10, "{extrato:?}");
    } else {
        assert_unavailable(&extrato, &replica);
    }
    postgres.apply_sql().unwrap();
    replica.wait_for("/health", 200);
    let response = client.exchange(&credit).unwrap();
    assert_eq!(
        response.text(),
        r#"{"limite":100000,"saldo":20}"#,
        "{}",
        replica.log()
    );
}

#[test]
fn who_waits_for_a_silent_database_hears_503_and_who_flies_504() {
    under_both(check_silent);
}

/// The backend is stopped with a flight out, and goes on once everybody was answered.
fn check_silent(driver: Driver) {
    let (postgres, replica, backend) = with_backend_stopped(driver);
    let connect = || Client::connect(replica.peer()).unwrap();
    let (mut flying, mut waiting, mut reading) = (connect(), connect(), connect());
    flying
        .send(common::transacao(1, "c", 10, "flying"))
        .unwrap();
    wait_until(&replica, "in_flight", 1);
    waiting
        .send(common::transacao(1, "c", 100, "waiting"))
        .unwrap();
    reading.send(common::extrato(1)).unwrap();
    let response = flying.receive().unwrap();
    assert_eq!(response.status, 504, "{response:?}");
    assert_problem(&response, "Gateway Timeout", 504);
    for client in [&mut waiting, &mut reading] {
        assert_unavailable(&client.receive().unwrap(), &replica);
    }
    // The connections go on, behind the flight whose place is kept.
    flying.send(common::transacao(1, "c", 1, "behind")).unwrap();
    kill_process(backend, Signal::CONT).unwrap();
    let response = flying.receive().unwrap();
    assert_eq!(
        response.text(),
        r#"{"limite":100000,"saldo":11}"#,
        "{}",
        replica.log()
    );
    let rows = "SELECT string_agg(descricao, ' ' ORDER BY n) FROM banco.transacoes";
    assert_eq!(postgres.psql(rows).unwrap(), "flying behind");
}

#[test]
fn one_connection_queues_no_more_than_its_share() {
    under_both(check_share);
}

/// Of a hundred that one connection pipelines 64 are taken; another one's place is free.
fn check_share(driver: Driver) {
    const PIPELINED: usize = 100;
    let (_postgres, replica, backend) = with_backend_stopped(driver);
    let connect = || Client::connect(replica.peer()).unwrap();
    let (mut greedy, mut other) = (connect(), connect());
    let credit = common::transacao(1, "c", 1, "greedy");
    greedy.send(credit.repeat(PIPELINED)).unwrap();
    let taken = || {
        let health = replica.get("/health").unwrap().json();
        health["queue"].as_u64().unwrap() + health["in_flight"].as_u64().unwrap()
    };
    let since = Instant::now();
    while taken() < 64 {
        assert!(since.elapsed() < GUARD, "{} taken", taken());
    }
    other.send(common::transacao(2, "c", 1, "other")).unwrap();
    while taken() < 65 {
        assert!(since.elapsed() < GUARD, "{} taken", taken());
    }
    assert_eq!(taken(), 65);
    kill_process(backend, Signal::CONT).unwrap();
    for saldo in 1..=PIPELINED {
        let text = greedy.receive().unwrap().text();
        assert_eq!(text, format!(r#"{{"limite":100000,"saldo":{saldo}}}"#));
    }
    assert_eq!(other.receive().unwrap().status, 200);
}

#[test]
fn who_waits_together_leaves_together() {
    under_both(check_together);
}

fn check_together(driver: Driver) {
    let (_postgres, replica, backend) = with_backend_stopped(driver);
    let mut clients: Vec<Client> = (0..6)
        .map(|_| Client::connect(replica.peer()).unwrap())
        .collect();
    let (first, others) = clients.split_first_mut().unwrap();
    first.send(common::transacao(1, "c", 1, "first")).unwrap();
    wait_until(&replica, "in_flight", 1);
    for other in others.iter_mut() {
        other.send(common::transacao(1, "c", 1, "behind")).unwrap();
    }
    wait_until(&replica, "queue", 5);
    kill_process(backend, Signal::CONT).unwrap();
    for client in &mut clients {
        assert_eq!(client.receive().unwrap().status, 200, "{}", replica.log());
    }
    let health = replica.get("/health").unwrap().json();
    let flown = ["flights", "operations", "largest_flight"].map(|name| health[name].as_u64());
    assert_eq!(flown, [Some(2), Some(6), Some(5)], "{health}");
}

/// A whole bank whose replica is well, and whose database says nothing until its backend goes on.
fn with_backend_stopped(driver: Driver) -> (Postgres, Replica, Pid) {
    let postgres = Postgres::private(&[], &[]).unwrap();
    postgres.apply_sql().unwrap();
    let mut replica = start(&postgres, driver);
    replica.wait_for("/health", 200);
    let backend = backend(|sql| postgres.psql(sql).unwrap());
    kill_process(backend, Signal::STOP).unwrap();
    (postgres, replica, backend)
}

/// Waits until the replica's health has so many.
fn wait_until(replica: &Replica, figure: &str, count: u64) {
    let since = Instant::now();
    while replica.get("/health").unwrap().json()[figure] != count {
        let late = since.elapsed() > GUARD;
        assert!(!late, "{figure} is not {count}:\n{}", replica.log());
    }
}

/// At the same time: most of it is waiting.
fn under_both(check: fn(Driver)) {
    std::thread::scope(|scope| {
        for driver in [Driver::IoUring, Driver::Epoll] {
            let thread = std::thread::Builder::new().name(driver.as_str().to_owned());
            thread.spawn_scoped(scope, move || check(driver)).unwrap();
        }
    });
}

fn start(postgres: &Postgres, driver: Driver) -> Replica {
    let (url, listen) = (postgres.role_url(), replica::free_address().to_string());
    Replica::start(&[
        ("DATABASE_URL", &url),
        ("LISTEN", &listen),
        ("IO_DRIVER", driver.as_str()),
    ])
}

fn assert_unavailable(response: &Response, replica: &Replica) {
    assert_eq!(response.status, 503, "{response:?}\n{}", replica.log());
    assert_eq!(response.field("retry-after"), Some("1"), "{response:?}");
}
