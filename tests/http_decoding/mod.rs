//! Runs a decoder over given pieces of input, as a connection does.

#![allow(dead_code, reason = "each test file uses a part")]
#![allow(clippy::panic, reason = "that is how a test fails")]

use crebito::http::{Body, Decoded, Decoder, Method, Persistence};
use crebito::limits::REQUEST_BYTES_MAX;

/// What came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Request {
        method: Method,
        path: Vec<u8>,
        body: Option<Vec<u8>>,
        persistence: Persistence,
    },
    Refused(u16),
    /// The input ended; whether between requests.
    End {
        idle: bool,
    },
}

pub struct Run {
    pub events: Vec<Event>,
    pub continues: usize,
    /// The most that waited undecoded after a `Partial`.
    pub waiting_bytes_max: usize,
}

/// A request as most tables expect it: with the body whole.
pub fn request(method: Method, path: &str, body: &[u8]) -> Event {
    Event::Request {
        method,
        path: path.as_bytes().to_vec(),
        body: Some(body.to_vec()),
        persistence: Persistence::KeepAlive,
    }
}

/// Decodes `input`, which arrives in pieces that end at `cuts` (ascending) and at its end.
pub fn run(input: &[u8], cuts: &[usize]) -> Run {
    let mut decoder = Decoder::default();
    let mut buf = b"before".to_vec();
    let mut start = buf.len();
    let mut run = Run {
        events: Vec::new(),
        continues: 0,
        waiting_bytes_max: 0,
    };
    let mut from = 0;
    for (piece, &to) in cuts.iter().chain([&input.len()]).enumerate() {
        buf.extend_from_slice(&input[from..to]);
        from = to;
        loop {
            match decoder.decode(&mut buf, start) {
                Ok(Decoded::Partial) => break,
                Ok(Decoded::Continue) => run.continues += 1,
                Ok(Decoded::Request(found)) => {
                    assert!(found.len_bytes > 0, "a request takes bytes");
                    start += found.len_bytes;
                    let body = match found.body {
                        Body::Whole(bytes) => Some(bytes.to_vec()),
                        Body::TooLarge => None,
                    };
                    let done = body.is_none();
                    run.events.push(Event::Request {
                        method: found.method,
                        path: found.path.to_vec(),
                        body,
                        persistence: found.persistence,
                    });
                    assert!(start <= buf.len());
                    if done {
                        return run;
                    }
                }
                Err(refusal) => {
                    run.events.push(Event::Refused(refusal.status.code()));
                    return run;
                }
            }
        }
        let waiting = buf.len() - start;
        assert!(waiting < REQUEST_BYTES_MAX, "{waiting} bytes wait");
        run.waiting_bytes_max = run.waiting_bytes_max.max(waiting);
        // Some connections move what waits to the front at once, some later.
        if piece % 2 == 0 {
            buf.drain(..start);
            start = 0;
        }
    }
    run.events.push(Event::End {
        idle: decoder.is_idle(&buf[start..]),
    });
    run
}

/// All at once and byte by byte; both must come to the same.
pub fn decode(input: &[u8]) -> Vec<Event> {
    let whole = run(input, &[]);
    let bytewise = run(input, &(1..input.len()).collect::<Vec<_>>());
    assert_eq!(
        whole.events,
        bytewise.events,
        "split: {}",
        input.escape_ascii()
    );
    whole.events
}

/// The first outcome: a refusal's status, 413 for a body over the limit, 200 for a whole request,
/// 0 for none yet.
#[track_caller]
pub fn check(input: impl AsRef<[u8]>, status: u16) {
    let input = input.as_ref();
    let outcome = match decode(input).first() {
        Some(Event::Refused(code)) => *code,
        Some(Event::Request { body: None, .. }) => 413,
        Some(Event::Request { .. }) => 200,
        Some(Event::End { .. }) | None => 0,
    };
    let shown = input.get(..400).unwrap_or(input).escape_ascii();
    assert_eq!(outcome, status, "{shown}");
}

pub fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")
}

pub fn post(fields: &str, body: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n{body}")
}

pub fn chunked(body: &str) -> String {
    post("Transfer-Encoding: chunked\r\n", body)
}

/// The only request of the input.
#[track_caller]
pub fn only(input: &str) -> (Method, String, Vec<u8>, Persistence) {
    let events = decode(input.as_bytes());
    let [
        Event::Request {
            method,
            path,
            body: Some(body),
            persistence,
        },
        Event::End { idle: true },
    ] = events.as_slice()
    else {
        panic!("{input:?}: {events:?}");
    };
    let path = String::from_utf8(path.clone()).expect("the tables' paths are UTF-8");
    (*method, path, body.clone(), *persistence)
}
