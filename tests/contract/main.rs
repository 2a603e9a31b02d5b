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
    contract(Driver::IoUring, Sockets::Unix);
}

#[test]
fn the_contract_under_io_uring_over_tcp() {
    contract(Driver::IoUring, Sockets::Tcp);
}

#[test]
fn the_contract_under_epoll_over_unix_sockets() {
    contract(Driver::Epoll, Sockets::Unix);
}

#[test]
fn the_contract_under_epoll_over_tcp() {
    contract(Driver::Epoll, Sockets::Tcp);
}

fn contract(driver: Driver, sockets: Sockets) {
    let bank = Bank::start(driver, sockets);
    let report = Report::new();
    for (name, peer) in bank.peers() {
        let behind_nginx = name == "through NGINX";
        let place = answers::Place {
            name,
            behind_nginx,
            peer,
            bank: &bank,
            report: &report,
        };
        routes::check(&place, driver);
        bodies::check(&place);
        money::check(&place);
        extratos::check(&place);
    }
    report.finish();
}
