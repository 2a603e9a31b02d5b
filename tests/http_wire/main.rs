//! HTTP/1.1 to the byte, directly at a replica: framing, pipelining, splits, times, limits.

#[path = "../common/mod.rs"]
mod common;

mod cases;
mod framing;
mod full;
mod pipelines;
mod times;

use std::thread;

use common::{Bank, Report};
use xtask::stack::{Driver, Sockets};

#[test]
fn the_wire_under_io_uring() {
    over_both_sockets(Driver::IoUring);
}

#[test]
fn the_wire_under_epoll() {
    over_both_sockets(Driver::Epoll);
}

#[test]
fn a_full_replica_under_io_uring() {
    full::check(Driver::IoUring, Sockets::Tcp);
}

#[test]
fn a_full_replica_under_epoll() {
    full::check(Driver::Epoll, Sockets::Unix);
}

/// At a replica's Unix socket, which only root can reach beside the daemon: fails without it.
#[test]
#[ignore = "cargo xtask compose-test runs it in containers"]
fn the_wire_composed() {
    wire(&Bank::composed());
}

#[test]
#[ignore = "waits for 75 s"]
fn an_idle_connection_is_closed() {
    for driver in [Driver::IoUring, Driver::Epoll] {
        let bank = Bank::start_with(driver, Sockets::Unix, |options| options.replicas = 1);
        let report = Report::new();
        times::idle_is_closed(&bank.replica(0), &report);
        report.finish();
    }
}

/// At once: most of it is waiting.
fn over_both_sockets(driver: Driver) {
    thread::scope(|scope| {
        for sockets in [Sockets::Unix, Sockets::Tcp] {
            scope.spawn(move || {
                wire(&Bank::start_with(driver, sockets, |options| {
                    options.replicas = 1;
                }));
            });
        }
    });
}

fn wire(bank: &Bank) {
    let report = Report::new();
    let peer = bank.replica(0);
    thread::scope(|scope| {
        // What takes seconds of waiting takes them beside everything else.
        scope.spawn(|| times::check(bank, &peer, &report));
        scope.spawn(|| framing::check(bank, &peer, &report));
        scope.spawn(|| pipelines::check(bank, &peer, &report));
    });
    report.finish();
}
