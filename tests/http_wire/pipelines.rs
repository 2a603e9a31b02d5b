//! Many requests in one write, one request in many, and what a connection's order promises.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::common::{Bank, Client, Peer, Report, Response, connect, extrato, get, post, transacao};
use crate::framing::{BODY, ends};

const NONE: Duration = Duration::ZERO;
/// Enough for a read of its own in most cases; none of the answers depends on it.
const PAUSE: Duration = Duration::from_micros(200);

/// What is sent, and what must come: the status, and the saldo where the answer has one.
struct Step {
    request: Vec<u8>,
    is_head: bool,
    status: u16,
    saldo: Option<i64>,
}

/// Every case.
pub fn check(bank: &Bank, peer: &Peer, report: &Report) {
    for count in [64, 300] {
        for (size, pause) in [(usize::MAX, NONE), (1_000, NONE), (7, NONE)] {
            let name = format!("{count} pipelined in pieces of {size}");
            pipelined(bank, peer, report, &name, count, size, pause);
        }
    }
    pipelined(bank, peer, report, "byte by byte", 9, 1, PAUSE);
    pipelined(bank, peer, report, "in pieces of three", 9, 3, PAUSE);
    late_reader(peer, report);
    chunks_of_a_byte(bank, peer, report);
    half_closed(bank, peer, report);
    expectations(bank, peer, report);
    nothing_after_close(bank, peer, report);
    refused_in_the_middle(bank, peer, report);
}

/// Who asks for much and reads late, when every buffer on the way is full, gets every answer.
fn late_reader(peer: &Peer, report: &Report) {
    // The reader's own TCP buffer grows to megabytes before it is full.
    let count = match peer {
        Peer::Unix(_) => 5_000,
        Peer::Tcp(_) => 60_000,
    };
    let mut reader = connect(peer);
    let Some(mut writer) = report.ok("late reader", reader.try_clone()) else {
        return;
    };
    thread::scope(|scope| {
        let sent = scope.spawn(move || writer.send(get("/healthz").repeat(count)));
        thread::sleep(Duration::from_millis(500));
        let mut answered = 0;
        while answered < count && reader.receive().is_ok_and(|answer| answer.status == 200) {
            answered += 1;
        }
        report.equal("late reader: answers", answered, count);
        drop(reader);
        let sent = sent.join().expect("sending does not panic");
        report.ok("late reader: requests", sent);
    });
}

/// Mixed requests about one cliente, whose saldo each of them knows.
fn mixed(id: i64, count: usize) -> Vec<Step> {
    let mut saldo = 0;
    let transacoes = format!("/clientes/{id}/transacoes");
    let head = format!("HEAD /clientes/{id}/extrato HTTP/1.1\r\nHost: x\r\n\r\n");
    let delete = format!("DELETE {transacoes} HTTP/1.1\r\nHost: x\r\n\r\n");
    let mut steps = Vec::new();
    for n in 0..count {
        let valor = i64::try_from(n).expect("a few hundred") + 1;
        let mut step = |request: Vec<u8>, status: u16, saldo: Option<i64>| {
            steps.push(Step {
                request,
                is_head: false,
                status,
                saldo,
            });
        };
        match n % 9 {
            0 => {
                saldo += valor;
                step(transacao(id, "c", valor, "c"), 200, Some(saldo));
            }
            1 => step(extrato(id), 200, Some(saldo)),
            2 => step(transacao(id, "d", saldo + 1, "d"), 422, None),
            3 => step(get("/nowhere"), 404, None),
            4 => step(post(&transacoes, "{"), 400, None),
            5 => {
                saldo -= 1;
                step(transacao(id, "d", 1, "d"), 200, Some(saldo));
            }
            6 => step(delete.clone().into_bytes(), 405, None),
            7 => step(transacao(6, "c", 1, "c"), 404, None),
            _ => steps.push(Step {
                request: head.clone().into_bytes(),
                is_head: true,
                status: 200,
                saldo: None,
            }),
        }
    }
    steps
}

fn pipelined(
    bank: &Bank,
    peer: &Peer,
    report: &Report,
    name: &str,
    count: usize,
    size: usize,
    pause: Duration,
) {
    let id = bank.cliente(0);
    let steps = mixed(id, count);
    let all: Vec<u8> = steps.iter().flat_map(|step| step.request.clone()).collect();
    let mut client = connect(peer);
    let Some(mut writer) = report.ok(name, client.try_clone()) else {
        return;
    };
    thread::scope(|scope| {
        // What is not read keeps the replica from reading.
        scope.spawn(|| report.ok(name, writer.send_split(&all, size.min(all.len()), pause)));
        receive_all(report, name, &mut client, &steps);
    });
    let saldo = steps
        .iter()
        .filter_map(|step| step.saldo)
        .next_back()
        .unwrap_or_default();
    let applied = steps
        .iter()
        .filter(|step| step.status == 200 && !step.is_head);
    let applied = applied
        .filter(|step| step.request.starts_with(b"POST"))
        .count();
    report.equal(name, bank.row(id), format!("{saldo} {applied}"));
}

fn receive_all(report: &Report, name: &str, client: &mut Client, steps: &[Step]) {
    for (n, step) in steps.iter().enumerate() {
        let name = format!("{name}, the {n}th");
        let answer = if step.is_head {
            client.receive_head()
        } else {
            client.receive()
        };
        let Some(answer) = report.ok(&name, answer) else {
            return;
        };
        if !report.equal(&name, answer.status, step.status) {
            return;
        }
        if let Some(saldo) = step.saldo {
            report.equal(&name, saldo_in(&answer), json!(saldo));
        }
    }
}

/// In a transacao's answer, or in an extrato.
fn saldo_in(answer: &Response) -> Value {
    let seen = answer.json();
    seen["saldo"].get("total").unwrap_or(&seen["saldo"]).clone()
}

fn post_head(id: i64, fields: &str) -> String {
    format!("POST /clientes/{id}/transacoes HTTP/1.1\r\nHost: x\r\n{fields}\r\n")
}

fn chunks_of_a_byte(bank: &Bank, peer: &Peer, report: &Report) {
    let id = bank.cliente(0);
    let chunks: String = BODY.chars().map(|c| format!("1\r\n{c}\r\n")).collect();
    let request = post_head(id, "Transfer-Encoding: chunked\r\n") + &chunks + "0\r\n\r\n";
    for (size, pause) in [(usize::MAX, NONE), (6, PAUSE), (1, PAUSE)] {
        let mut client = connect(peer);
        let all = [request.as_bytes(), request.as_bytes()].concat();
        report.ok(
            "chunks",
            client.send_split(&all, size.min(all.len()), pause),
        );
        for _ in 0..2 {
            let status = client
                .receive()
                .map(|answer| answer.status)
                .map_err(|e| e.to_string());
            report.equal(
                &format!("chunks of a byte, pieces of {size}"),
                status,
                Ok(200),
            );
        }
    }
    report.equal("chunks of a byte", bank.row(id), "6 6");
}

/// The end of the sending side is no cancellation.
fn half_closed(bank: &Bank, peer: &Peer, report: &Report) {
    let id = bank.cliente(0);
    let mut client = connect(peer);
    let all = [
        transacao(id, "c", 1, "x"),
        extrato(id),
        transacao(id, "c", 1, "x"),
    ]
    .concat();
    report.ok(
        "half-closed",
        client.send(all).and_then(|()| client.finish_sending()),
    );
    for saldo in [1, 1, 2] {
        let saldo_seen = client.receive().map(|answer| saldo_in(&answer));
        report.equal(
            "half-closed",
            saldo_seen.map_err(|e| e.to_string()),
            Ok(json!(saldo)),
        );
    }
    ends(report, "half-closed", &mut client);
    report.equal("half-closed", bank.row(id), "2 2");

    // A request that is cut short is none: nothing is applied, whatever is answered.
    let whole = transacao(id, "c", 1, "x");
    for length in [1, 10, whole.len() - 20, whole.len() - 1] {
        let mut client = connect(peer);
        report.ok(
            "cut",
            client
                .send(&whole[..length])
                .and_then(|()| client.finish_sending()),
        );
        let rest = client
            .receive_end()
            .map(|rest| String::from_utf8_lossy(&rest).into_owned());
        let refused = rest
            .as_ref()
            .is_ok_and(|rest| rest.is_empty() || rest.contains(" 40"));
        report.check("cut short", refused, || format!("{rest:?}"));
    }
    report.equal("cut short", bank.row(id), "2 2");

    let mut client = connect(peer);
    report.ok("empty", client.finish_sending());
    ends(report, "nothing sent and half-closed", &mut client);
}

fn expectations(bank: &Bank, peer: &Peer, report: &Report) {
    let id = bank.cliente(0);
    let length = format!("Expect: 100-continue\r\nContent-Length: {}\r\n", BODY.len());
    let chunked = "Expect: 100-Continue\r\nTransfer-Encoding: chunked\r\n";
    let chunks = format!("{:x}\r\n{BODY}\r\n0\r\n\r\n", BODY.len());
    for (name, head, body) in [
        ("a length", post_head(id, &length), BODY),
        ("chunks", post_head(id, chunked), &*chunks),
    ] {
        let name = format!("100-continue with {name}");
        let mut client = connect(peer);
        // An answer is owed before it: the interim one must come behind that.
        let both = [extrato(id), head.clone().into_bytes()].concat();
        report.ok(&name, client.send(both));
        for status in [200, 100] {
            let got = client
                .receive()
                .map(|answer| answer.status)
                .map_err(|e| e.to_string());
            report.equal(&name, got, Ok(status));
        }
        report.ok(&name, client.send(body));
        let got = client
            .receive()
            .map(|answer| answer.status)
            .map_err(|e| e.to_string());
        report.equal(&name, got, Ok(200));

        // Who does not wait for it needs none, and takes one as well.
        report.ok(&name, client.send(head + body));
        let mut got = client.receive();
        if got.as_ref().is_ok_and(|answer| answer.status == 100) {
            got = client.receive();
        }
        let got = got.map(|answer| answer.status).map_err(|e| e.to_string());
        report.equal(&format!("{name}, not waited for"), got, Ok(200));
    }
    report.equal("100-continue", bank.row(id), "4 4");

    let mut client = connect(peer);
    let too_long = post_head(id, "Expect: 100-continue\r\nContent-Length: 5000\r\n");
    let got = client
        .exchange(too_long)
        .map(|answer| answer.status)
        .map_err(|e| e.to_string());
    report.equal("100-continue with too long a body", got, Ok(413));
    ends(report, "100-continue with too long a body", &mut client);

    let mut client = connect(peer);
    let of_http10 = post_head(id, &length).replace("HTTP/1.1", "HTTP/1.0") + BODY;
    let got = client
        .exchange(of_http10)
        .map(|answer| answer.status)
        .map_err(|e| e.to_string());
    report.equal("100-continue in HTTP/1.0 is ignored", got, Ok(200));
}

/// What follows a request that closes is not run.
fn nothing_after_close(bank: &Bank, peer: &Peer, report: &Report) {
    let id = bank.cliente(0);
    let close = String::from_utf8_lossy(&transacao(id, "c", 1, "x")).into_owned();
    let close = close.replace("Host: crebito\r\n", "Host: x\r\nConnection: close\r\n");
    let all = [
        transacao(id, "c", 1, "x"),
        close.into_bytes(),
        transacao(id, "c", 1, "x"),
    ]
    .concat();
    let mut client = connect(peer);
    report.ok("close", client.send(all));
    for (saldo, connection) in [(1, None), (2, Some("close"))] {
        let Some(answer) = report.ok("before the close", client.receive()) else {
            return;
        };
        report.equal("before the close", saldo_in(&answer), json!(saldo));
        report.equal("Connection", answer.field("connection"), connection);
    }
    ends(report, "close", &mut client);
    report.equal("nothing after a close", bank.row(id), "2 2");
}

/// What was asked before a bad request is answered before it; what follows is not looked at.
fn refused_in_the_middle(bank: &Bank, peer: &Peer, report: &Report) {
    let id = bank.cliente(0);
    for bad in [
        "GET / HTTP/1.1\r\n\r\n",
        "\0",
        "GET / HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n",
    ] {
        let mut all = [transacao(id, "c", 1, "x"), extrato(id)].concat();
        all.extend(bad.as_bytes());
        all.extend(transacao(id, "c", 1, "smuggled"));
        let mut client = connect(peer);
        report.ok(bad, client.send(all));
        for status in [200, 200, 400] {
            let got = client
                .receive()
                .map(|answer| answer.status)
                .map_err(|e| e.to_string());
            report.equal(bad, got, Ok(status));
        }
        ends(report, bad, &mut client);
    }
    report.equal("refused in the middle", bank.row(id), "3 3");
}
