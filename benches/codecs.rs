//! The codecs, each so many times: perf/instructions.sh counts their instructions by callgrind,
//! whose count is the same each time. Nothing is timed here.
//!
//!     cargo bench --bench codecs -- http-decode 1000      # its names, if none is given

#![allow(missing_docs, reason = "a program")]
#![allow(clippy::expect_used, reason = "inputs are this file's own")]

use std::env;
use std::hint::black_box;

use bytes::BytesMut;
use crebito::bank::{self, Asked, Outcome, Transacao};
use crebito::http::{Date, Decoded, Decoder, Head, Media, Persistence, Status, append_response};
use crebito::pg::{Reply, ReplyDecoder};

/// As many transacoes as fly together at 64 connections.
const LOTE: usize = 16;
/// The contest's most.
const EXTRATO_ROWS: usize = 10;
/// As NGINX sends it on.
const POST: &[u8] = b"POST /clientes/3/transacoes HTTP/1.1\r\nHost: localhost:9999\r\n\
    Content-Length: 55\r\nContent-Type: application/json\r\n\r\n\
    {\"valor\": 1234, \"tipo\": \"c\", \"descricao\": \"bench 12ab\"}";
const GET: &[u8] = b"GET /clientes/3/extrato HTTP/1.1\r\nHost: localhost:9999\r\n\r\n";

/// Name, what it is, how many requests one time is for, and the work.
type Codec = (&'static str, &'static str, usize, fn(usize));

#[rustfmt::skip]
const CODECS: [Codec; 9] = [
    ("http-decode", "a POST's head and body found in the bytes", 1, |times| requests(times, POST)),
    ("http-decode-get", "the same of an extrato's GET", 1, |times| requests(times, GET)),
    ("judge", "path and JSON to a transacao, the rules", 1, judge),
    ("pg-encode-1", "the call for one transacao", 1, |times| calls(times, 1)),
    ("pg-encode-16", "the call for 16 at once, each", LOTE, |times| calls(times, LOTE)),
    ("pg-decode-1", "the reply to one", 1, reply_to_one),
    ("pg-decode-16", "the reply to 16, each", LOTE, reply_to_many),
    ("answer", "the answer's JSON and head", 1, answers),
    ("extrato", "the reply of ten rows to JSON and head", 1, extratos),
];

fn main() {
    // cargo bench adds --bench.
    let mut arguments = env::args().skip(1).filter(|argument| argument != "--bench");
    let (Some(name), times) = (arguments.next(), arguments.next()) else {
        for (name, what, each, _) in CODECS {
            println!("{name}\t{each}\t{what}");
        }
        return;
    };
    let times = times.map_or(1, |times| times.parse().expect("how many times"));
    let found = CODECS.iter().find(|(known, ..)| *known == name);
    let (_, _, _, work) = found.expect("one of its names");
    work(times);
}

fn requests(times: usize, request: &[u8]) {
    let mut buffer = request.to_vec();
    for _ in 0..times {
        let decoded = Decoder::default().decode(black_box(&mut buffer), 0);
        let Ok(Decoded::Request(request)) = decoded else {
            unreachable!("it is a whole request");
        };
        black_box(request);
    }
}

fn judge(times: usize) {
    let mut buffer = POST.to_vec();
    let decoded = Decoder::default().decode(&mut buffer, 0);
    let Ok(Decoded::Request(request)) = decoded else {
        unreachable!("it is a whole request");
    };
    for _ in 0..times {
        let asked = bank::judge(black_box(&request), false);
        assert!(matches!(black_box(asked), Ok(Asked::Transacao(_))));
    }
}

fn transacao() -> Transacao {
    let body = br#"{"valor": 1234, "tipo": "c", "descricao": "bench 12ab"}"#;
    bank::read(body).expect("a good body").of(3)
}

fn calls(times: usize, transacoes: usize) {
    let all = vec![transacao(); transacoes];
    let mut out = BytesMut::with_capacity(64 * 1024);
    for _ in 0..times {
        out.clear();
        match black_box(all.as_slice()) {
            [only] => bank::append_insert(&mut out, only),
            many => bank::append_lote(&mut out, many.iter()),
        }
        black_box(&out);
    }
}

fn decode(bytes: &[u8]) -> Reply<'_> {
    let reply = ReplyDecoder::default().decode(bytes);
    reply.expect("good messages").expect("a whole reply")
}

fn reply_to_one(times: usize) {
    let reply = inserted();
    for _ in 0..times {
        let rows = decode(black_box(&reply)).result.expect("rows");
        let outcome = bank::decode_insert(&rows).expect("an outcome");
        assert!(matches!(black_box(outcome), Outcome::Applied { .. }));
    }
}

fn reply_to_many(times: usize) {
    let reply = lote();
    for _ in 0..times {
        let rows = decode(black_box(&reply)).result.expect("rows");
        let outcomes = bank::decode_lote(&rows, LOTE).expect("so many outcomes");
        for outcome in outcomes {
            assert!(matches!(black_box(outcome), Outcome::Applied { .. }));
        }
    }
}

fn head() -> Head {
    Head {
        status: Status::OK,
        media: Media::Json,
        fields: "",
        persistence: Persistence::KeepAlive,
    }
}

fn answers(times: usize) {
    let (head, date) = (head(), Date::at(1_700_000_000));
    let (mut out, mut body) = (Vec::with_capacity(1024), Vec::with_capacity(1024));
    for _ in 0..times {
        out.clear();
        body.clear();
        bank::append_saldo_json(&mut body, black_box(1_000_000), black_box(-123_456));
        append_response(&mut out, &head, &date, &body, false);
        black_box(&out);
    }
}

fn extratos(times: usize) {
    let reply = extrato();
    let (head, date) = (head(), Date::at(1_700_000_000));
    let (mut out, mut body) = (Vec::with_capacity(4096), Vec::with_capacity(4096));
    for _ in 0..times {
        out.clear();
        body.clear();
        let rows = decode(black_box(&reply)).result.expect("rows");
        bank::extrato::append_json(&mut body, &rows).expect("an extrato's rows");
        append_response(&mut out, &head, &date, &body, false);
        black_box(&out);
    }
}

/// One message of PostgreSQL's: tag, length, body.
fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).expect("a short message");
    [&[tag][..], &length.to_be_bytes(), body].concat()
}

fn row(columns: &[&[u8]]) -> Vec<u8> {
    let count = u16::try_from(columns.len()).expect("few columns");
    let mut body = count.to_be_bytes().to_vec();
    for column in columns {
        let length = u32::try_from(column.len()).expect("a short column");
        body.extend(length.to_be_bytes());
        body.extend(*column);
    }
    message(b'D', &body)
}

fn reply_of(rows: &[Vec<u8>]) -> Vec<u8> {
    let (bound, ready) = (message(b'2', b""), message(b'Z', b"I"));
    [bound, rows.concat(), message(b'C', b"SELECT 1\0"), ready].concat()
}

fn inserted() -> Vec<u8> {
    let (saldo, limite) = (5_678_i64.to_be_bytes(), 1_000_000_i64.to_be_bytes());
    reply_of(&[row(&[&0_i16.to_be_bytes(), &saldo, &limite])])
}

fn lote() -> Vec<u8> {
    let array = |element: u32, value: &[u8]| {
        // Dimensions, no NULLs, the type; how many from 1 on; each with its length.
        let counts = [1, 0, element, 16, 1].map(u32::to_be_bytes).concat();
        let length = u32::try_from(value.len()).expect("a short value");
        let one = [&length.to_be_bytes()[..], value].concat();
        [counts, one.repeat(LOTE)].concat()
    };
    let resultados = array(crebito::pg::oid::INT2, &0_i16.to_be_bytes());
    let saldos = array(crebito::pg::oid::INT8, &5_678_i64.to_be_bytes());
    let limites = array(crebito::pg::oid::INT8, &1_000_000_i64.to_be_bytes());
    reply_of(&[row(&[&resultados, &saldos, &limites])])
}

fn extrato() -> Vec<u8> {
    let (saldo, limite) = (5_678_i64.to_be_bytes(), 1_000_000_i64.to_be_bytes());
    let time = 800_000_000_123_456_i64.to_be_bytes();
    let valor = 1_234_i64.to_be_bytes();
    let one = row(&[&saldo, &limite, &time, &valor, b"c", b"bench 12ab", &time]);
    reply_of(&vec![one; EXTRATO_ROWS])
}
