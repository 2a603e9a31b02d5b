//! docs/api.md line by line: every table of cases runs under both I/O drivers, over TCP and Unix
//! sockets, through NGINX and directly at a replica.

#[path = "../common/mod.rs"]
mod common;

mod answers;
mod bodies;
mod extratos;
mod money;
mod routes;
mod tables;

use common::{Bank, Report};
use xtask::stack::{Driver, Sockets};

#[test]
fn the_contract_under_io_uring_over_unix_sockets() {
    contract(Driver::IoUring, Sockets::Unix, 1);
}

#[test]
fn the_contract_under_io_uring_over_tcp() {
    contract(Driver::IoUring, Sockets::Tcp, 2);
}

#[test]
fn the_contract_under_epoll_over_unix_sockets() {
    contract(Driver::Epoll, Sockets::Unix, 2);
}

#[test]
fn the_contract_under_epoll_over_tcp() {
    contract(Driver::Epoll, Sockets::Tcp, 1);
}

#[test]
#[ignore = "cargo xtask compose-test runs it in containers"]
fn the_contract_composed() {
    check(&Bank::composed());
}

/// Several workers answer as one does.
fn contract(driver: Driver, sockets: Sockets, workers: usize) {
    check(&Bank::start_with(driver, sockets, |options| {
        options.workers = workers;
    }));
}

fn check(bank: &Bank) {
    let report = Report::new();
    for (name, peer) in bank.peers() {
        let behind_nginx = name == "through NGINX";
        let place = answers::Place {
            name,
            behind_nginx,
            peer,
            bank,
            report: &report,
        };
        routes::check(&place);
        bodies::check(&place);
        money::check(&place);
        extratos::check(&place);
    }
    report.finish();
}
