//! SIGTERM and SIGINT: what was asked is answered, who asks meanwhile hears that the connection
//! closes, and the process ends by itself with status 0.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod checker;
mod common;
mod load;
mod replica;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use checker::{Answer, Question};
use common::{Client, EndOnDrop, Lock, Response};
use load::{History, Load};
use replica::{GUARD, Replica};
use rustix::process::Signal;
use xtask::stack::{Driver, Postgres};

/// Connections with one credit each under way, and credits under way on one connection.
const CREDITS: i64 = 10;
const PIPELINED: i64 = 5;
/// Operations of one connection after which a load is under way.
const ENOUGH: usize = 50;

#[test]
fn what_is_in_flight_is_answered() {
    under_both(check_in_flight, [Signal::TERM, Signal::INT]);
}

/// A row lock keeps a flight in the air while the signal comes.
fn check_in_flight(driver: Driver, signal: Signal) {
    let postgres = bank();
    let mut replica = start(&postgres, driver);
    let connect = || Client::connect(replica.peer()).unwrap();
    let mut idle = connect();
    assert_eq!(idle.exchange(common::extrato(2)).unwrap().status, 200);
    let mut silent = connect();

    std::thread::scope(|scope| {
        let postgres = &postgres;
        let lock = Lock(|sql: &str| drop(postgres.psql(sql)));
        scope.spawn(move || postgres.psql(&common::lock(1)));
        wait_for_session(postgres, "wait_event = 'PgSleep'");
        let send = |bytes: Vec<u8>| {
            let mut client = connect();
            client.send(bytes).unwrap();
            client
        };
        let credit = |n: i64| common::transacao(1, "c", 1, &format!("flight {n}"));
        let mut clients: Vec<Client> = (0..CREDITS).map(|n| send(credit(n))).collect();
        let mut pipelined = send((0..PIPELINED).flat_map(credit).collect());
        let mut mixed = send([credit(CREDITS), common::get("/healthz")].concat());
        wait_for_session(postgres, "wait_event_type = 'Lock'");

        replica.signal(signal);
        let draining = wait_until_draining(&replica);
        assert_closing(&draining);
        // Behind the flight that is held.
        let mut late = send(common::transacao(2, "c", 1, "late"));
        drop(lock);
        let late = late.receive().unwrap();
        assert_eq!(
            (late.status, late.text().as_str()),
            (200, r#"{"limite":80000,"saldo":1}"#)
        );
        assert_closing(&late);
        for client in &mut clients {
            let response = client.receive().unwrap();
            assert_eq!(response.status, 200, "{response:?}");
            assert_closing(&response);
            assert_eq!(client.receive_end().unwrap(), b"");
        }
        check_last_closes(&mut pipelined, &mut mixed);
    });
    for unused in [&mut idle, &mut silent] {
        assert_eq!(
            unused.receive_end().unwrap(),
            b"",
            "an idle connection closes without a word"
        );
    }
    let status = replica.wait();
    assert!(status.success(), "{status}:\n{}", replica.log());
    let saldos = "SELECT string_agg(saldo::text, ' ' ORDER BY id) FROM banco.clientes WHERE id < 3";
    let saldos = postgres.psql(saldos).unwrap();
    assert_eq!(saldos, format!("{} 1", CREDITS + PIPELINED + 1));
}

/// Whose requests were all taken gets all answers; the last one closes, and nothing follows it.
fn check_last_closes(pipelined: &mut Client, mixed: &mut Client) {
    let receive = |_| pipelined.receive().unwrap();
    let responses: Vec<Response> = (0..PIPELINED).map(receive).collect();
    for response in &responses {
        assert_eq!(response.status, 200, "{response:?}");
    }
    assert_closing(responses.last().unwrap());
    let response = mixed.receive().unwrap();
    assert_eq!(response.status, 200, "{response:?}");
    assert_closing(&response);
    assert_eq!(mixed.receive_end().unwrap(), b"");
}

#[test]
fn asked_twice_it_ends_at_once() {
    under_both(check_twice, [Signal::TERM, Signal::INT]);
}

/// A transacao under way would keep it for seconds.
fn check_twice(driver: Driver, signal: Signal) {
    let postgres = bank();
    let mut replica = start(&postgres, driver);
    std::thread::scope(|scope| {
        let postgres = &postgres;
        let _lock = Lock(|sql: &str| drop(postgres.psql(sql)));
        scope.spawn(move || postgres.psql(&common::lock(1)));
        wait_for_session(postgres, "wait_event = 'PgSleep'");
        let mut client = Client::connect(replica.peer()).unwrap();
        client.send(common::transacao(1, "c", 1, "twice")).unwrap();
        wait_for_session(postgres, "wait_event_type = 'Lock'");
        replica.signal(signal);
        replica.wait_for_log("draining");
        replica.signal(signal);
        assert_eq!(replica.wait().code(), Some(1), "{}", replica.log());
    });
}

#[test]
fn who_always_has_something_under_way_is_let_go() {
    under_both(check_never_settled, [Signal::TERM, Signal::TERM]);
}

/// Sends on without waiting for an answer, while another thread reads them. Under io_uring, which
/// reads once a turn, something is then always under way; under epoll only now and then.
fn check_never_settled(driver: Driver, signal: Signal) {
    let postgres = bank();
    let mut replica = start(&postgres, driver);
    let mut client = Client::connect(replica.peer()).unwrap();
    let mut sender = client.try_clone().unwrap();
    let mut answered = 0;
    std::thread::scope(|scope| {
        // Until the connection is closed.
        scope.spawn(move || {
            let credit = |n: i64| common::transacao(1, "c", 1, &n.to_string());
            (0..).try_for_each(|n| sender.send(credit(n)))
        });
        loop {
            let response = client.receive().unwrap();
            assert_eq!(response.status, 200, "{response:?}");
            answered += 1;
            if response.field("connection") == Some("close") {
                break;
            }
            if answered == 100 {
                replica.signal(signal);
            }
        }
    });
    let status = replica.wait();
    assert!(status.success(), "{status}:\n{}", replica.log());
    let saldo = "SELECT saldo FROM banco.clientes WHERE id = 1";
    assert_eq!(postgres.psql(saldo).unwrap(), answered.to_string());
}

#[test]
fn nothing_acknowledged_is_lost() {
    under_both(check_under_load, [Signal::INT, Signal::TERM]);
}

fn check_under_load(driver: Driver, signal: Signal) {
    let postgres = bank();
    let mut replica = start(&postgres, driver);
    let seed = load::fresh_seed();
    let load = Load {
        peers: vec![replica.peer().clone(); 8],
        seed,
        pause: Duration::ZERO,
    };
    let (is_over, is_under_way) = (AtomicBool::new(false), AtomicBool::new(false));
    let mut history = History::new();
    let status = history.run(
        &load,
        |count| {
            is_under_way.fetch_or(count >= ENOUGH, Ordering::Relaxed);
            is_over.load(Ordering::Relaxed)
        },
        |_| {
            // Also where no load comes about, or the replica does not end.
            let _end = EndOnDrop(&is_over);
            let since = Instant::now();
            while !is_under_way.load(Ordering::Relaxed) {
                assert!(since.elapsed() < GUARD, "no load: {}", replica.log());
                sleep(Duration::from_millis(5));
            }
            replica.signal(signal);
            replica.wait()
        },
    );
    println!("{driver:?}: {:?}", history.counts());
    assert!(status.success(), "{status}:\n{}", replica.log());
    let contas = load::contas(&postgres);
    if let Err(fault) = checker::check(&history.operations, &contas) {
        panic!("{fault}\n{}", replica.log());
    }
    assert!(history.counts().applied > 0, "{:?}", history.counts());
    // Who came too late, or pipelined behind the answer that closed, was not taken at all.
    let rows = contas.iter().flat_map(|conta| &conta.rows);
    let applied: HashSet<&str> = rows.map(|row| row.descricao.as_str()).collect();
    for one in &history.operations {
        if let (Question::Transacao { descricao, .. }, Answer::Unknown) =
            (&one.question, &one.answer)
        {
            assert!(
                !applied.contains(descricao.as_str()),
                "applied, not answered: {one:?}"
            );
        }
    }
}

/// At the same time, each driver with its signal: most of it is waiting.
fn under_both(check: fn(Driver, Signal), signals: [Signal; 2]) {
    std::thread::scope(|scope| {
        for (driver, signal) in [Driver::IoUring, Driver::Epoll].into_iter().zip(signals) {
            let thread = std::thread::Builder::new().name(driver.as_str().to_owned());
            thread
                .spawn_scoped(scope, move || check(driver, signal))
                .unwrap();
        }
    });
}

fn bank() -> Postgres {
    let postgres = Postgres::private(&[], &[]).unwrap();
    postgres.apply_sql().unwrap();
    postgres
}

fn start(postgres: &Postgres, driver: Driver) -> Replica {
    let (url, listen) = (postgres.role_url(), replica::free_address().to_string());
    let mut replica = Replica::start(&[
        ("DATABASE_URL", &url),
        ("LISTEN", &listen),
        ("IO_DRIVER", driver.as_str()),
    ]);
    replica.wait_for("/health", 200);
    replica
}

/// Waits until some session of the bank's is as `condition` says.
fn wait_for_session(postgres: &Postgres, condition: &str) {
    let count = format!("SELECT count(*) FROM pg_stat_activity WHERE {condition}");
    let since = Instant::now();
    while postgres.psql(&count).unwrap() == "0" {
        assert!(since.elapsed() < GUARD, "no session has {condition}");
    }
}

fn wait_until_draining(replica: &Replica) -> Response {
    let since = Instant::now();
    loop {
        let response = replica.get("/healthz").unwrap();
        if response.status == 503 {
            return response;
        }
        assert!(since.elapsed() < GUARD, "{response:?}\n{}", replica.log());
    }
}

fn assert_closing(response: &Response) {
    assert_eq!(response.field("connection"), Some("close"), "{response:?}");
}
