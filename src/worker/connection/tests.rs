//! What a fault costs: in the handling of a connection that connection, in the ledger the process.

use crate::config::{IoDriver, Listen, SchedPolicy, Settings};
use crate::journal;
use crate::ledger::Kind;
use crate::pg::Target;
use crate::worker::connections::Admission;
use crate::worker::listener::{self, Bound};
use crate::worker::state::Worker;
use crate::worker::{driver, fault};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

/// Stands in for a fault of our own: no request can cause one on purpose.
pub(in crate::worker) fn may_panic(path: &[u8]) {
    assert_ne!(path, b"/panic", "a fault, for the test's sake");
}

/// The same, in the ledger.
pub(in crate::worker) fn may_panic_in_ledger(kind: &Kind) {
    let faulty = matches!(kind, Kind::Extrato(666));
    assert!(!faulty, "a fault in the ledger, for the test's sake");
}

/// Serves on a Unix socket under `driver` while `client` talks to it.
fn while_serving(driver: IoDriver, client: impl FnOnce(&dyn Fn() -> UnixStream) + Send) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("api.sock");
    let settings = Settings {
        database: Target::parse("postgres://nobody@127.0.0.1:1/none", None).expect("a URL"),
        listen: Listen::Unix(path.clone()),
        admin_listen: None,
        workers: 1,
        io_driver: driver,
        sched_policy: SchedPolicy::Inherit,
        connections_max: 8,
        queue_max: 64,
        pause_us: 0,
        flight_max: None,
        log: log::LevelFilter::Off,
        log_format: journal::Format::Text,
        slow_ms: None,
        revision: String::new(),
    };
    let bound = listener::bind(&settings.listen, false).expect("a free path");
    let choice = driver::choose(driver).expect("both drivers are to be had");
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| serve(settings, &choice, bound, &done));
        let connect = || {
            let stream = UnixStream::connect(&path).expect("the listener is bound");
            stream
                .set_read_timeout(Some(Duration::from_secs(20)))
                .expect("a timeout");
            stream
        };
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| client(&connect)));
        done.store(true, std::sync::atomic::Ordering::SeqCst);
        result.expect("the client's own assertions");
    });
}

fn serve(
    settings: Settings,
    choice: &driver::Choice,
    bound: Bound,
    done: &std::sync::atomic::AtomicBool,
) {
    let mut runtime = driver::build(choice).expect("a runtime");
    let worker = Rc::new(Worker::new(0, settings, choice.name));
    runtime.block_on(async {
        monoio::spawn(listener::accept(
            Rc::clone(&worker),
            bound,
            Admission::Public,
        ));
        while !done.load(std::sync::atomic::Ordering::SeqCst) {
            monoio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    std::mem::forget(runtime);
}

fn answer(stream: &mut UnixStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).expect("a connection");
    let mut all = String::new();
    stream
        .read_to_string(&mut all)
        .expect("an answer, then the end");
    all
}

#[test]
fn a_panic_costs_its_connection_and_no_other() {
    for driver in [IoDriver::IoUring, IoDriver::Epoll] {
        while_serving(driver, |connect| {
            let mut other = connect();
            other
                .write_all(b"GET /healthz HTTP/1.1\r\n")
                .expect("a connection");
            // The answer before the fault keeps its place; what follows is not looked at.
            let pipelined = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n\
                             GET /panic HTTP/1.1\r\nHost: a\r\n\r\n\
                             GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
            let all = answer(&mut connect(), pipelined);
            // A body ends without a line's end: the next status stands right behind it.
            let heads: Vec<_> = all.split("HTTP/1.1 ").skip(1).collect();
            assert_eq!(heads.len(), 2, "{driver:?}: {all}");
            assert!(
                heads[0].starts_with("200 ") && heads[0].ends_with("Healthy"),
                "{all}"
            );
            assert!(heads[1].starts_with("500 "), "{driver:?}: {all}");
            assert!(
                heads[1].contains("\r\nConnection: close\r\n"),
                "{driver:?}: {all}"
            );
            // Its method says whether the answer has a body, and not the next one's.
            for (method, next, has_body) in [("HEAD", "GET", false), ("GET", "HEAD", true)] {
                let head = |method, path| format!("{method} {path} HTTP/1.1\r\nHost: a\r\n\r\n");
                let both = head(method, "/panic") + &head(next, "/healthz");
                let all = answer(&mut connect(), &both);
                assert!(all.starts_with("HTTP/1.1 500 "), "{driver:?}: {all}");
                assert_eq!(all.ends_with('}'), has_body, "{driver:?}: {all}");
            }
            let rest = "Host: a\r\nConnection: close\r\n\r\n";
            assert!(
                answer(&mut other, rest).starts_with("HTTP/1.1 200 OK"),
                "{driver:?}"
            );
        });
    }
}

#[test]
fn a_panic_in_the_ledger_or_the_session_ends_the_process() {
    for (part, test) in [("ledger", "faulty_ledger"), ("session", "faulty_session")] {
        // In a process of its own, which is this same program with one test to run.
        let program = std::fs::read_link("/proc/self/exe").expect("Linux");
        let name = format!("worker::connection::tests::{test}");
        let output = Command::new(program)
            .args(["--ignored", "--exact", "--nocapture", &name])
            .output()
            .expect("this program runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(fault::EXIT_STATUS), "{said}");
        let line = format!("the process ends after a panic part={part} ");
        assert!(said.contains(&line), "{said}");
    }
}

#[test]
#[ignore = "ends its process; the test above runs it in one of its own"]
fn faulty_ledger() {
    journal::start(log::LevelFilter::Error, journal::Format::Text);
    while_serving(IoDriver::Auto, |connect| {
        let request = "GET /clientes/666/extrato HTTP/1.1\r\nHost: a\r\n\r\n";
        answer(&mut connect(), request);
    });
}

#[test]
#[ignore = "ends its process; the test above runs it in one of its own"]
fn faulty_session() {
    journal::start(log::LevelFilter::Error, journal::Format::Text);
    let choice = driver::choose(IoDriver::Auto).expect("a driver is to be had");
    let mut runtime = driver::build(&choice).expect("a runtime");
    let faulty = async { assert_eq!(1, 2, "a fault in the session, for the test's sake") };
    runtime.block_on(async { monoio::spawn(fault::vital_task("session", faulty)).await });
}
