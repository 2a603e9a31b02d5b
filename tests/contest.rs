//! The contest's own checks, made before its load: through NGINX, against the full stack.

mod common;

use std::sync::Barrier;
use std::thread;

use common::bank::{Bank, connect};
use common::{Peer, Report, extrato, get, post, transacao};
use serde_json::{Value, json};
use xtask::stack::{Driver, Sockets};

/// The contest's clientes and their limites.
const CLIENTES: [(i64, i64); 5] = [
    (1, 100_000),
    (2, 80_000),
    (3, 1_000_000),
    (4, 10_000_000),
    (5, 500_000),
];
/// Transacoes of client 1 at once.
const CONCURRENT: usize = 25;

#[test]
fn the_contest_under_io_uring() {
    contest(Driver::IoUring, Sockets::Unix);
}

#[test]
fn the_contest_under_epoll() {
    contest(Driver::Epoll, Sockets::Tcp);
}

/// The contest's checks are of a fresh bank: whatever the composition holds goes.
#[test]
#[ignore = "cargo xtask compose-test runs it in containers"]
fn the_contest_composed() {
    check(&Bank::composed_and_reset());
}

fn contest(driver: Driver, sockets: Sockets) {
    check(&Bank::start(driver, sockets));
}

fn check(bank: &Bank) {
    let door = bank.door();
    let report = Report::new();

    concurrent(&report, &door, "d", -25);
    concurrent(&report, &door, "c", 0);
    thread::scope(|scope| {
        for (id, limite) in CLIENTES {
            let (report, door) = (&report, &door);
            scope.spawn(move || cliente(report, door, id, limite));
        }
    });
    unknown(&report, &door);
    report.finish();
}

/// 25 transacoes of 1 from client 1, each over a connection of its own, all at once.
fn concurrent(report: &Report, door: &Peer, tipo: &str, saldo: i64) {
    let barrier = Barrier::new(CONCURRENT);
    thread::scope(|scope| {
        for _ in 0..CONCURRENT {
            scope.spawn(|| {
                let mut client = connect(door);
                barrier.wait();
                let answer = client.exchange(transacao(1, tipo, 1, "validacao"));
                if let Some(answer) = report.ok("validacao", answer) {
                    report.equal("validacao's status", answer.status, 200);
                }
            });
        }
    });
    let after = read(report, door, 1);
    report.equal(
        "saldo after 25 at once",
        &after["saldo"]["total"],
        &json!(saldo),
    );
}

/// The life of one cliente, as the contest plays it for all five at once.
fn cliente(report: &Report, door: &Peer, id: i64, limite: i64) {
    let name = |what: &str| format!("client {id}: {what}");
    let fresh = read(report, door, id);
    report.equal(&name("fresh total"), &fresh["saldo"]["total"], &json!(0));
    report.equal(
        &name("fresh limite"),
        &fresh["saldo"]["limite"],
        &json!(limite),
    );
    let times = &fresh["saldo"]["data_extrato"];
    report.check(&name("data_extrato"), times.is_string(), || {
        times.to_string()
    });
    if id != 1 {
        report.equal(
            &name("fresh list"),
            &fresh["ultimas_transacoes"],
            &json!([]),
        );
    }

    for (tipo, descricao, saldo) in [("c", "toma", 1), ("d", "devolve", 0)] {
        let answer = connect(door).exchange(transacao(id, tipo, 1, descricao));
        if let Some(answer) = report.ok(&name(descricao), answer) {
            report.equal(&name(descricao), answer.status, 200);
            report.equal(
                &name(descricao),
                answer.json(),
                json!({"limite": limite, "saldo": saldo}),
            );
        }
    }
    let both = read(report, door, id);
    for (place, tipo, descricao) in [(0, "d", "devolve"), (1, "c", "toma")] {
        let line = &both["ultimas_transacoes"][place];
        report.equal(&name("tipo"), &line["tipo"], &json!(tipo));
        report.equal(&name("descricao"), &line["descricao"], &json!(descricao));
        report.equal(&name("valor"), &line["valor"], &json!(1));
    }

    danada(report, door, id, limite);
    refused(report, door, id);
    let after = read(report, door, id);
    report.equal(
        &name("saldo after refusals"),
        &after["saldo"]["total"],
        &json!(1),
    );
}

/// A credit, and then four extratos at once: each shows it first, and with its balance.
fn danada(report: &Report, door: &Peer, id: i64, limite: i64) {
    let answer = connect(door).exchange(transacao(id, "c", 1, "danada"));
    let Some(answer) = report.ok("danada", answer) else {
        return;
    };
    report.equal(
        "danada",
        answer.json(),
        json!({"limite": limite, "saldo": 1}),
    );
    let barrier = Barrier::new(4);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut client = connect(door);
                barrier.wait();
                let answer = client.exchange(extrato(id));
                let Some(answer) = report.ok("extrato after danada", answer) else {
                    return;
                };
                let seen = answer.json();
                let first = &seen["ultimas_transacoes"][0];
                report.equal("danada is first", &first["descricao"], &json!("danada"));
                report.equal("danada's valor", &first["valor"], &json!(1));
                report.equal("danada's tipo", &first["tipo"], &json!("c"));
                report.equal("danada's saldo", &seen["saldo"]["total"], &json!(1));
                report.equal("danada's limite", &seen["saldo"]["limite"], &json!(limite));
            });
        }
    });
}

/// What the contest sends to be refused, with 422 or 400.
fn refused(report: &Report, door: &Peer, id: i64) {
    for body in [
        r#"{"valor": 1.2, "tipo": "d", "descricao": "devolve"}"#,
        r#"{"valor": 1, "tipo": "x", "descricao": "devolve"}"#,
        r#"{"valor": 1, "tipo": "c", "descricao": "123456789 e mais"}"#,
        r#"{"valor": 1, "tipo": "c", "descricao": ""}"#,
        r#"{"valor": 1, "tipo": "c", "descricao": null}"#,
    ] {
        let answer = connect(door).exchange(post(&format!("/clientes/{id}/transacoes"), body));
        if let Some(answer) = report.ok(body, answer) {
            report.check(body, matches!(answer.status, 400 | 422), || {
                answer.line.clone()
            });
        }
    }
}

fn unknown(report: &Report, door: &Peer) {
    for request in [get("/clientes/6/extrato"), transacao(6, "c", 1, "toma")] {
        if let Some(answer) = report.ok("client 6", connect(door).exchange(request)) {
            report.equal("client 6", answer.status, 404);
        }
    }
}

fn read(report: &Report, door: &Peer, id: i64) -> Value {
    let answer = connect(door).exchange(extrato(id));
    let Some(answer) = report.ok("extrato", answer) else {
        return Value::Null;
    };
    report.equal("extrato", answer.status, 200);
    answer.json()
}
