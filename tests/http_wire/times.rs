//! What takes seconds: requests that do not become whole. The waits run side by side, and only
//! what comes is judged, never how long it took.

use std::io::ErrorKind;
use std::thread;
use std::time::{Duration, Instant};

use crate::common::{Bank, Peer, Report, connect, extrato, get, transacao};
use crate::framing::ends;

/// A request that is still not whole after this was let wait too long: a guard.
const GUARD: Duration = Duration::from_secs(40);
/// The same for a connection that is idle.
const IDLE_GUARD: Duration = Duration::from_secs(120);

/// Every wait at once.
pub fn check(bank: &Bank, peer: &Peer, report: &Report) {
    let id = bank.cliente(0);
    let whole = transacao(id, "c", 1, "x");
    let head = whole.len() - 20;
    let chunked =
        b"POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab".to_vec();
    let waits: [(&str, Vec<u8>); 5] = [
        ("one byte", whole[..1].to_vec()),
        ("half a head", whole[..20].to_vec()),
        ("half a body", whole[..head].to_vec()),
        ("all but a byte", whole[..whole.len() - 1].to_vec()),
        ("half a chunk", chunked),
    ];
    thread::scope(|scope| {
        for (name, bytes) in waits {
            scope.spawn(move || never_whole(peer, report, name, &bytes));
        }
        scope.spawn(|| behind_an_answer(peer, report, id));
        scope.spawn(|| trickles(peer, report, &transacao(id, "c", 1, "x")));
        scope.spawn(|| idle_is_no_request(peer, report, id));
        scope.spawn(|| never_reads(bank, peer, report));
    });
    report.equal("nothing of it was applied", bank.row(id), "0 0");
}

/// 408 and the end.
fn never_whole(peer: &Peer, report: &Report, name: &str, bytes: &[u8]) {
    let mut client = connect(peer);
    report.ok(name, client.send(bytes));
    let Some(answer) = report.ok(name, client.receive()) else {
        return;
    };
    report.equal(name, answer.status, 408);
    report.equal(name, answer.field("connection"), Some("close"));
    report.check(name, answer.field("date").is_some(), || {
        "no Date".to_owned()
    });
    ends(report, name, &mut client);
}

/// The clock starts with each request's first byte, also behind an earlier one.
fn behind_an_answer(peer: &Peer, report: &Report, id: i64) {
    let mut client = connect(peer);
    let all = [extrato(id), b"GET /".to_vec()].concat();
    let Some(answer) = report.ok("before a half", client.exchange(all)) else {
        return;
    };
    report.equal("before a half", answer.status, 200);
    let Some(answer) = report.ok("a half", client.receive()) else {
        return;
    };
    report.equal("a half", answer.status, 408);
    ends(report, "a half", &mut client);
}

/// A byte now and then does not move the end of a request's time.
fn trickles(peer: &Peer, report: &Report, request: &[u8]) {
    let mut client = connect(peer);
    report.ok("trickle", client.set_guard(Duration::from_millis(300)));
    let start = Instant::now();
    for byte in request {
        // A peer that has closed may refuse to take more: then its answer is there.
        if client.send([*byte]).is_err() {
            break;
        }
        match client.receive() {
            Err(error) if error.kind() == ErrorKind::TimedOut => {}
            answer => {
                let status = answer
                    .map(|answer| answer.status)
                    .map_err(|e| e.to_string());
                report.equal("trickle", status, Ok(408));
                return;
            }
        }
        if start.elapsed() > GUARD {
            break;
        }
    }
    report.check("trickle", false, || "never refused".to_owned());
}

/// A connection on which nothing waits stays far longer than a request may take.
fn idle_is_no_request(peer: &Peer, report: &Report, id: i64) {
    let mut fresh = connect(peer);
    let mut used = connect(peer);
    report.ok("idle", used.exchange(extrato(id)));
    // An empty line is no first byte of a request (RFC 9112, section 2.2).
    let mut lines = connect(peer);
    report.ok("idle", lines.send("\r\n"));
    thread::sleep(Duration::from_millis(6_500));
    for (name, client) in [
        ("fresh", &mut fresh),
        ("used", &mut used),
        ("empty line", &mut lines),
    ] {
        let answer = client.exchange(extrato(id)).map(|answer| answer.status);
        report.equal(
            &format!("idle: {name}"),
            answer.map_err(|e| e.to_string()),
            Ok(200),
        );
    }
}

/// Who asks and asks and takes no answer is cut off; whoever else is there does not notice.
fn never_reads(bank: &Bank, peer: &Peer, report: &Report) {
    // The peer's own TCP buffer grows to megabytes before it is full: short work, and much of it.
    let all: Vec<u8> = match peer {
        Peer::Unix(_) => extrato(bank.cliente(0)).repeat(1_000),
        Peer::Tcp(_) => get("/healthz").repeat(1_000),
    };
    let mut greedy = connect(peer);
    report.ok("greedy", greedy.set_guard(Duration::from_millis(200)));
    let start = Instant::now();
    // First the sockets' buffers fill up; then nothing is taken; then the connection is reset.
    let end = loop {
        match greedy.send(&all) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => break Some(error.kind()),
            Ok(()) => {}
        }
        if start.elapsed() > GUARD {
            break None;
        }
        let status = connect(peer)
            .exchange(get("/healthz"))
            .map(|answer| answer.status);
        report.equal(
            "beside a greedy one",
            status.map_err(|e| e.to_string()),
            Ok(200),
        );
    };
    let cut = matches!(
        end,
        Some(ErrorKind::BrokenPipe | ErrorKind::ConnectionReset)
    );
    report.check("greedy", cut, || format!("{end:?}"));
}

/// A connection on which nothing is asked for is closed in the end, without a word.
pub fn idle_is_closed(peer: &Peer, report: &Report) {
    let mut fresh = connect(peer);
    let mut used = connect(peer);
    report.ok("idle", used.exchange(get("/healthz")));
    thread::scope(|scope| {
        scope.spawn(|| empty_lines_are_idle(peer, report));
        for (name, client) in [("fresh", &mut fresh), ("used", &mut used)] {
            report.ok(name, client.set_guard(IDLE_GUARD));
            ends(report, &format!("idle for long: {name}"), client);
        }
    });
}

/// Whoever sends nothing but empty lines is as idle as one that sends nothing.
fn empty_lines_are_idle(peer: &Peer, report: &Report) {
    let name = "idle for long: empty lines";
    let mut client = connect(peer);
    report.ok(name, client.exchange(get("/healthz")));
    report.ok(name, client.set_guard(Duration::from_secs(5)));
    let start = Instant::now();
    while start.elapsed() < IDLE_GUARD {
        // The server may close between a wait and the line behind it.
        if client.send("\r\n").is_err() {
            return;
        }
        match client.receive_end() {
            Err(error) if error.kind() == ErrorKind::TimedOut => {}
            end => {
                let end = end.map_err(|error| error.to_string());
                report.equal(name, end, Ok(Vec::new()));
                return;
            }
        }
    }
    report.check(name, false, || "never closed".to_owned());
}
