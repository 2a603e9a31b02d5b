//! Every framing rule: what passes is answered and the connection stays; what is refused gets its
//! status, the connection closes, and nothing behind it is looked at.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::cases::{CHUNKS_200, CHUNKS_400, FIELDS_200, FIELDS_400, FIELDS_OTHER, LINES};
use crate::common::{Bank, Client, Peer, Report, connect, get, transacao};

/// A good transacao's body: a credit of 1.
pub const BODY: &str = r#"{"valor":1,"tipo":"c","descricao":"x"}"#;
/// What a test sends at once.
const THREADS: usize = 8;
const HEAD_BYTES: usize = 8 * 1024;
const BODY_BYTES: usize = 4 * 1024;
const FIELDS: usize = 64;

struct Case {
    name: String,
    request: Vec<u8>,
    status: u16,
    stays: bool,
}

impl Case {
    fn new(name: impl Into<String>, request: impl Into<Vec<u8>>, status: u16) -> Self {
        let (name, request) = (name.into(), request.into());
        Case {
            name,
            request,
            status,
            stays: matches!(status, 200 | 404 | 405 | 422),
        }
    }

    fn closes(mut self) -> Self {
        self.stays = false;
        self
    }

    fn stays(mut self) -> Self {
        self.stays = true;
        self
    }
}

/// No answer to HEAD has a body, a refusal neither: the connection closes right behind the head.
fn refused_heads(peer: &Peer, report: &Report) {
    for (request, status) in [
        ("HEAD /healthz HTTP/1.1\r\n\r\n", 400),
        ("\r\nHEAD / HTTP/1.1\r\nHost: x\r\nExpect: x\r\n\r\n", 417),
        (
            "HEAD / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: x\r\n\r\n",
            501,
        ),
        ("HEAD / HTTP/2.0\r\nHost: x\r\n\r\n", 505),
        (
            &format!("HEAD /{} HTTP/1.1\r\n", "x".repeat(HEAD_BYTES)),
            431,
        ),
        // Not whole in time.
        ("HEAD / HTTP/1.1\r\nHost: x\r\n", 408),
    ] {
        let mut client = connect(peer);
        report.ok(request, client.send(request));
        report.ok(request, client.set_guard(Duration::from_secs(30)));
        let head = client.receive_head().map(|answer| answer.status);
        report.equal(request, head.map_err(|e| e.to_string()), Ok(status));
        ends(report, request, &mut client);
    }
}

/// Each case on a connection of its own, several at once.
pub fn check(bank: &Bank, peer: &Peer, report: &Report) {
    thread::scope(|scope| {
        scope.spawn(|| refused_heads(peer, report));
        framed(bank, peer, report);
    });
}

fn framed(bank: &Bank, peer: &Peer, report: &Report) {
    let ids = bank.clientes(2, 0);
    let (target, victim) = (ids[0], ids[1]);
    let mut cases = heads();
    cases.extend(limits());
    cases.extend(persistence());
    let bodies = bodies(target, victim);
    let applied = bodies
        .iter()
        .filter(|case| case.status == 200 && is_post(case))
        .count();
    cases.extend(bodies);

    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    one(peer, report, case, victim);
                }
            });
        }
    });
    report.equal(
        "what was framed well",
        bank.row(target),
        format!("{applied} {applied}"),
    );
    report.equal("what was smuggled", bank.row(victim), "0 0");
}

fn is_post(case: &Case) -> bool {
    case.request.starts_with(b"POST")
}

/// Behind a request that closes, a transacao rides along: it must never be seen.
fn one(peer: &Peer, report: &Report, case: &Case, victim: i64) {
    let name = &case.name;
    let mut client = connect(peer);
    let mut request = case.request.clone();
    if !case.stays {
        request.extend(transacao(victim, "c", 1, "smuggled"));
    }
    let Some(answer) = report.ok(name, client.exchange(&request)) else {
        return;
    };
    report.equal(name, answer.status, case.status);
    report.check(name, answer.field("date").is_some(), || {
        "no Date".to_owned()
    });
    if case.stays {
        if case.name.starts_with("HTTP/1.0") {
            let connection = answer.field("connection").map(str::to_ascii_lowercase);
            report.equal(name, connection.as_deref(), Some("keep-alive"));
        }
        if let Some(answer) = report.ok(name, client.exchange(get("/healthz"))) {
            report.equal(name, answer.status, 200);
        }
        return;
    }
    let connection = answer.field("connection").map(str::to_ascii_lowercase);
    report.equal(name, connection.as_deref(), Some("close"));
    ends(report, name, &mut client);
}

/// Nothing more comes, and the connection is closed.
pub fn ends(report: &Report, name: &str, client: &mut Client) {
    let rest = client
        .receive_end()
        .map(|rest| String::from_utf8_lossy(&rest).into_owned());
    let rest = rest.map_err(|error| error.to_string());
    report.equal(&format!("{name}, then the end"), rest, Ok(String::new()));
}

fn heads() -> Vec<Case> {
    let with = |fields: &[u8]| [b"GET /healthz HTTP/1.1\r\n", fields, b"\r\n"].concat();
    let mut cases = Vec::new();
    cases.extend(
        FIELDS_200
            .iter()
            .map(|&(name, fields)| Case::new(name, with(fields), 200)),
    );
    cases.extend(
        FIELDS_400
            .iter()
            .map(|&(name, fields)| Case::new(name, with(fields), 400)),
    );
    cases.extend(
        FIELDS_OTHER
            .iter()
            .map(|&(name, fields, status)| Case::new(name, with(fields), status)),
    );
    cases.extend(LINES.iter().map(|&(line, status)| {
        let request = [line, b"\r\nHost: x\r\n\r\n"].concat();
        Case::new(
            String::from_utf8_lossy(line).escape_debug().to_string(),
            request,
            status,
        )
    }));
    let of_http10 = "GET /healthz HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    cases.push(Case::new("a coding in HTTP/1.0", of_http10, 400));
    let no_host = "GET /healthz HTTP/1.2\r\n\r\n";
    cases.push(Case::new("HTTP/1.2 without Host", no_host, 400));
    let framing_first = "GET /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n";
    cases.push(Case::new("framing before path", framing_first, 400));
    cases
}

/// On each limit, and one over it.
fn limits() -> Vec<Case> {
    let long = |target: &str, length: usize| {
        let mut request = format!("GET {target} HTTP/1.1\r\nHost: x\r\nA: ").into_bytes();
        request.resize(length - 4, b'a');
        request.extend(b"\r\n\r\n");
        request
    };
    let fields = |count: usize| {
        let more = "A: b\r\n".repeat(count - 1);
        format!("GET /healthz HTTP/1.1\r\nHost: x\r\n{more}\r\n")
    };
    let target = |length: usize| {
        format!(
            "GET /{} HTTP/1.1\r\nHost: x\r\n\r\n",
            "a".repeat(length - 1)
        )
        .into_bytes()
    };
    vec![
        Case::new(
            "a head as long as may be",
            long("/healthz", HEAD_BYTES),
            200,
        ),
        Case::new(
            "a head a byte longer",
            long("/healthz", HEAD_BYTES + 1),
            431,
        ),
        Case::new("a head much longer", long("/healthz", 10 * HEAD_BYTES), 431),
        Case::new(
            "a long head to nowhere",
            long("/nowhere", HEAD_BYTES + 1),
            431,
        ),
        Case::new("as many fields as may be", fields(FIELDS), 200),
        Case::new("a field more", fields(FIELDS + 1), 431),
        Case::new("many fields more", fields(10 * FIELDS), 431),
        Case::new("a long target that fits", target(7 * 1024), 404),
        Case::new("a target that does not fit", target(HEAD_BYTES), 431),
        Case::new(
            "a method that does not fit",
            "A".repeat(HEAD_BYTES + 1),
            431,
        ),
    ]
}

fn persistence() -> Vec<Case> {
    let get = |version: &str, fields: &str| format!("GET /healthz HTTP/{version}\r\n{fields}\r\n");
    vec![
        Case::new("close", get("1.1", "Host: x\r\nConnection: close\r\n"), 200).closes(),
        Case::new("Close", get("1.1", "Host: x\r\nCONNECTION: Close\r\n"), 200).closes(),
        Case::new(
            "among others",
            get("1.1", "Host: x\r\nConnection: a ,close,b\r\n"),
            200,
        )
        .closes(),
        Case::new(
            "in a second line",
            get(
                "1.1",
                "Host: x\r\nConnection: keep-alive\r\nConnection: close\r\n",
            ),
            200,
        )
        .closes(),
        Case::new("HTTP/1.0", get("1.0", ""), 200).closes(),
        Case::new("HTTP/1.0 with Host", get("1.0", "Host: x\r\n"), 200).closes(),
        Case::new(
            "HTTP/1.0, both",
            get("1.0", "Connection: keep-alive, close\r\n"),
            200,
        )
        .closes(),
        Case::new(
            "HTTP/1.0 keep-alive",
            get("1.0", "Connection: keep-alive\r\n"),
            200,
        ),
        Case::new(
            "HTTP/1.0 Keep-Alive",
            get("1.0", "Connection: Keep-Alive\r\n"),
            200,
        ),
        Case::new(
            "a 404 that closes",
            "GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            404,
        )
        .closes(),
    ]
}

fn bodies(target: i64, victim: i64) -> Vec<Case> {
    let post = |fields: &str, body: &str| {
        let line = format!("POST /clientes/{target}/transacoes HTTP/1.1\r\nHost: x\r\n");
        format!("{line}{fields}\r\n{}", body.replace("BODY", BODY))
    };
    let length = |length: usize, body: &str| post(&format!("Content-Length: {length}\r\n"), body);
    let chunked = |body: &str| post("Transfer-Encoding: chunked\r\n", body);
    let mut cases = Vec::new();
    for (chunks, status) in [(CHUNKS_200, 200), (CHUNKS_400, 400)] {
        for &(name, body) in chunks {
            cases.push(Case::new(name, chunked(body), status));
        }
    }

    let blanks = |length: usize| format!("{BODY}{}", " ".repeat(length - BODY.len()));
    let one_chunk = |length: usize| format!("{length:x}\r\n{}\r\n0\r\n\r\n", blanks(length));
    let extension = |length: usize| format!("26;{}\r\nBODY\r\n0\r\n\r\n", "a".repeat(length));
    let trailers = |count: usize| format!("26\r\nBODY\r\n0\r\n{}\r\n", "A: b\r\n".repeat(count));
    let small = format!("1\r\n{{\r\n25\r\n{}\r\n0\r\n\r\n", &BODY[1..]);
    let many = format!(
        "{}0\r\n\r\n",
        "400\r\nCHUNK\r\n"
            .replace("CHUNK", &" ".repeat(1024))
            .repeat(5)
    );
    cases.extend([
        Case::new("a length", length(BODY.len(), "BODY"), 200),
        Case::new(
            "Chunked",
            post("Transfer-Encoding: Chunked\r\n", &small),
            200,
        ),
        Case::new("two chunks", chunked(&small), 200),
        Case::new(
            "as long as may be",
            length(BODY_BYTES, &blanks(BODY_BYTES)),
            200,
        ),
        Case::new(
            "one byte longer",
            length(BODY_BYTES + 1, &blanks(BODY_BYTES + 1)),
            413,
        ),
        Case::new("much longer, none sent", length(1 << 62, ""), 413),
        Case::new(
            "2^64 - 1 bytes",
            post("Content-Length: 18446744073709551615\r\n", ""),
            413,
        ),
        Case::new(
            "a chunk as long as may be",
            chunked(&one_chunk(BODY_BYTES)),
            200,
        ),
        Case::new(
            "a chunk a byte longer",
            chunked(&one_chunk(BODY_BYTES + 1)),
            413,
        ),
        Case::new("chunks that add up", chunked(&many), 413),
        Case::new("a chunk much longer", chunked("ffffffffffff\r\n"), 413),
        Case::new("a long extension", chunked(&extension(200)), 200),
        Case::new("an extension too long", chunked(&extension(300)), 400),
        Case::new("trailers", chunked(&trailers(10)), 200),
        Case::new("trailers too many", chunked(&trailers(FIELDS + 1)), 431),
    ]);
    cases.extend(disguises(target, victim));
    cases
}

/// A body is a body, whatever it looks like and whoever sends it.
fn disguises(target: i64, victim: i64) -> Vec<Case> {
    let mut cases = Vec::new();
    let smuggled = String::from_utf8_lossy(&transacao(victim, "c", 1, "smuggled")).into_owned();
    let (n, line) = (smuggled.len(), "HTTP/1.1\r\nHost: x\r\n");
    for (method, path, status) in [
        ("GET", "/healthz", 200),
        ("GET", "/nowhere", 404),
        ("DELETE", "/healthz", 405),
    ] {
        let start = format!("{method} {path} {line}");
        let by_length = format!("{start}Content-Length: {n}\r\n\r\n{smuggled}");
        let by_chunks =
            format!("{start}Transfer-Encoding: chunked\r\n\r\n{n:x}\r\n{smuggled}\r\n0\r\n\r\n");
        cases.push(Case::new(
            format!("{method} {path} with a body"),
            by_length,
            status,
        ));
        cases.push(Case::new(
            format!("{method} {path} with chunks"),
            by_chunks,
            status,
        ));
    }
    let head = format!("POST /clientes/{target}/transacoes {line}Content-Length: {n}\r\n\r\n");
    let nested = Case::new("a transacao that is none", head + &smuggled, 400);
    cases.push(nested.stays());
    cases
}
