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
fn the_wire_under_io_uring_over_unix_sockets() {
    wire(Driver::IoUring, Sockets::Unix);
}

#[test]
fn the_wire_under_io_uring_over_tcp() {
    wire(Driver::IoUring, Sockets::Tcp);
}

#[test]
fn the_wire_under_epoll_over_unix_sockets() {
    wire(Driver::Epoll, Sockets::Unix);
}

#[test]
fn the_wire_under_epoll_over_tcp() {
    wire(Driver::Epoll, Sockets::Tcp);
}

#[test]
fn a_full_replica_under_io_uring() {
    full::check(Driver::IoUring, Sockets::Tcp);
}

#[test]
fn a_full_replica_under_epoll() {
    full::check(Driver::Epoll, Sockets::Unix);
}

fn wire(driver: Driver, sockets: Sockets) {
    let bank = Bank::start_with(driver, sockets, |options| options.replicas = 1);
    let report = Report::new();
    let peer = bank.replica(0);
    thread::scope(|scope| {
        // What takes seconds of waiting takes them beside everything else.
        scope.spawn(|| times::check(&bank, &peer, &report));
        scope.spawn(|| framing::check(&bank, &peer, &report));
        scope.spawn(|| pipelines::check(&bank, &peer, &report));
    });
    report.finish();
}
