//! A replica that is full says so: accept, 503 with Retry-After, close.

use std::thread;
use std::time::{Duration, Instant};

use xtask::stack::{Driver, Sockets};

use crate::common::{Bank, Client, Lock, Peer, Report, connect, extrato, get, lock, transacao};
use crate::framing::ends;

const CONNECTIONS: usize = 8;
const QUEUE: usize = 4;
const GUARD: Duration = Duration::from_secs(20);

/// Connections, and the queue.
pub fn check(driver: Driver, sockets: Sockets) {
    let mut bank = Bank::start_with(driver, sockets, |options| {
        options.replicas = 1;
        options
            .env
            .push(("MAX_CONNECTIONS".to_owned(), CONNECTIONS.to_string()));
        options
            .env
            .push(("MAX_QUEUE".to_owned(), QUEUE.to_string()));
    });
    // It keeps a connection to the replica, and would hold a place.
    bank.stack().stop_nginx();
    let peer = bank.replica(0);
    let report = Report::new();
    connections(&peer, &report);
    queue(&bank, &peer, &report);
    report.finish();
}

/// As many as there may be are served; the others are told at once; a place that frees is taken.
fn connections(peer: &Peer, report: &Report) {
    let mut served = places(peer, report, CONNECTIONS);
    for _ in 0..3 {
        let mut refused = connect(peer);
        // It may have been told, and closed, before this is sent.
        let _ = refused.send(get("/healthz"));
        let Some(answer) = report.ok("one too many", refused.receive()) else {
            continue;
        };
        report.equal("one too many", answer.status, 503);
        report.equal("one too many", answer.field("retry-after"), Some("1"));
        report.equal("one too many", answer.field("connection"), Some("close"));
        report.equal(
            "one too many",
            answer.field("content-type"),
            Some("application/problem+json"),
        );
        ends(report, "one too many", &mut refused);
    }
    for client in &mut served {
        let status = client.exchange(get("/healthz")).map(|answer| answer.status);
        report.equal(
            "who was there before",
            status.map_err(|e| e.to_string()),
            Ok(200),
        );
    }
    served.truncate(CONNECTIONS / 2);
    places(peer, report, CONNECTIONS / 2);
}

/// So many connections that are served, taken as places become free: whoever checked the stack's
/// health before may still hold one for a moment.
fn places(peer: &Peer, report: &Report, count: usize) -> Vec<Client> {
    let until = Instant::now() + GUARD;
    let mut clients = Vec::new();
    while clients.len() < count && Instant::now() < until {
        let mut client = connect(peer);
        match client.exchange(get("/healthz")) {
            Ok(answer) if answer.status == 200 => clients.push(client),
            _ => thread::sleep(Duration::from_millis(20)),
        }
    }
    report.equal("served at once", clients.len(), count);
    clients
}

/// One operation is in flight and waits for a lock, four queue behind it, and the next is told.
fn queue(bank: &Bank, peer: &Peer, report: &Report) {
    let id = bank.cliente(0);
    let mut clients: Vec<Client> = (0..CONNECTIONS - 2).map(|_| connect(peer)).collect();
    let mut asker = connect(peer);
    thread::scope(|scope| {
        let held = Lock(|sql: &str| drop(bank.psql(sql)));
        scope.spawn(move || bank.psql(&lock(id)));
        wait_for(bank, report, "PgSleep");
        report.ok("in flight", clients[0].send(transacao(id, "c", 1, "x")));
        wait_for(bank, report, "transactionid");
        for (place, client) in (1..).zip(&mut clients[1..=QUEUE]) {
            report.ok("queued", client.send(transacao(id, "c", 1, "x")));
            // In this order, so that it is the last one that finds no place.
            wait_for_queue(&mut asker, report, place);
        }
        let last = clients[QUEUE + 1].exchange(extrato(id));
        if let Some(answer) = report.ok("one too many in the queue", last) {
            report.equal("one too many in the queue", answer.status, 503);
            report.equal(
                "one too many in the queue",
                answer.field("retry-after"),
                Some("1"),
            );
            report.equal("it stays connected", answer.field("connection"), None);
        }
        drop(held);
        for client in &mut clients[..=QUEUE] {
            let status = client
                .receive()
                .map(|answer| answer.status)
                .map_err(|e| e.to_string());
            report.equal("who was queued", status, Ok(200));
        }
    });
    let status = clients[QUEUE + 1]
        .exchange(extrato(id))
        .map(|answer| answer.status);
    report.equal("after it", status.map_err(|e| e.to_string()), Ok(200));
    report.equal("after it", bank.row(id), "5 5");
}

/// Until so many operations wait.
fn wait_for_queue(asker: &mut Client, report: &Report, waiting: u64) {
    let until = Instant::now() + GUARD;
    while Instant::now() < until {
        let health = asker.exchange(get("/health")).map(|answer| answer.json());
        if health.is_ok_and(|health| health["queue"] == waiting) {
            return;
        }
    }
    report.check("queued", false, || format!("{waiting} never waited"));
}

/// Until some backend waits for this.
fn wait_for(bank: &Bank, report: &Report, event: &str) {
    let sql = format!("SELECT count(*) FROM pg_stat_activity WHERE wait_event = '{event}'");
    let until = Instant::now() + GUARD;
    while Instant::now() < until {
        if bank.psql(&sql).is_ok_and(|count| count.trim() != "0") {
            return;
        }
    }
    report.check("waiting", false, || format!("no backend waits for {event}"));
}
