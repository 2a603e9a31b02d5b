//! Where a body ends: lengths, chunks, transfer codings, limits.

mod http_decoding;

use crebito::http::Persistence;
use crebito::limits::{BODY_BYTES_MAX, CHUNK_LINE_BYTES_MAX, FIELDS_MAX, HEAD_BYTES_MAX};
use http_decoding::{Event, check, chunked, decode, only, post, run};

#[test]
fn content_lengths() {
    for (length, body) in [
        ("0", ""),
        ("3", "abc"),
        ("0003", "abc"),
        ("3, 3", "abc"),
        ("3,3 ,3", "abc"),
    ] {
        assert_eq!(
            only(&post(&format!("Content-Length: {length}\r\n"), body)).2,
            body.as_bytes()
        );
    }
    assert_eq!(
        only(&post("Content-Length: 1\r\nCONTENT-LENGTH: 1\r\n", "a")).2,
        b"a"
    );
    assert_eq!(only(&post("", "")).2, b"");
    assert_eq!(
        only("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab").2,
        b"ab"
    );
    for (length, status) in [
        ("", 400),
        ("+3", 400),
        ("-3", 400),
        ("-0", 400),
        ("3.0", 400),
        ("3 3", 400),
        ("3a", 400),
        ("0x3", 400),
        ("3,", 400),
        (",3", 400),
        ("3,,3", 400),
        ("3, 4", 400),
        ("3;3", 400),
        ("\"3\"", 400),
        ("٣", 400),
        ("18446744073709551616", 400),
        ("99999999999999999999999", 400),
        ("18446744073709551615", 413),
        ("4097", 413),
        ("4096", 0),
    ] {
        check(post(&format!("Content-Length: {length}\r\n"), ""), status);
    }
    check(
        post("Content-Length: 3\r\nContent-Length: 4\r\n", "abcd"),
        400,
    );
}

#[test]
fn bodies_at_their_limit() {
    let body = "x".repeat(BODY_BYTES_MAX);
    assert_eq!(
        only(&post("Content-Length: 4096\r\n", &body)).2,
        body.as_bytes()
    );
    assert_eq!(
        only(&chunked(&format!("1000\r\n{body}\r\n0\r\n\r\n"))).2,
        body.as_bytes()
    );
    let bytewise = "1\r\nx\r\n".repeat(BODY_BYTES_MAX);
    let input = chunked(&format!("{bytewise}0\r\n\r\n"));
    assert_eq!(only(&input).2, body.as_bytes());
    // However the body is cut into chunks, little more than it has to be held.
    let steps = run(input.as_bytes(), &(1..input.len()).collect::<Vec<_>>());
    let head_bytes = chunked("").len();
    assert!(steps.waiting_bytes_max <= head_bytes + BODY_BYTES_MAX + CHUNK_LINE_BYTES_MAX);

    check(chunked("1001\r\n"), 413);
    check(chunked("ffffffffffffffff\r\n"), 413);
    check(chunked(&format!("{bytewise}1\r\n")), 413);
    check(chunked(&format!("fff\r\n{}\r\n2\r\n", &body[1..])), 413);
    // It is answered, and then closes.
    let input = post("Content-Length: 5000\r\n", "");
    let events = decode(input.as_bytes());
    let closes = |event: &Event| {
        matches!(
            event,
            Event::Request {
                persistence: Persistence::Close,
                ..
            }
        )
    };
    assert!(events.iter().all(closes), "{events:?}");
}

#[test]
fn chunks() {
    for (chunks, body) in [
        ("0\r\n\r\n", ""),
        ("000\r\n\r\n", ""),
        ("3\r\nabc\r\n0\r\n\r\n", "abc"),
        ("003\r\nabc\r\n00\r\n\r\n", "abc"),
        (
            "a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n",
            "01234567890123456789",
        ),
        (
            "1;a\r\nx\r\n1;a=b;c=\"d\t;\u{e9}\"\r\ny\r\n0;z\r\n\r\n",
            "xy",
        ),
        ("1 ;a = b\r\nx\r\n1\t;\r\ny\r\n0\r\n\r\n", "xy"),
        ("1;a=\"\\\"\\\\\";b=\"\"\r\nx\r\n0\r\n\r\n", "x"),
        ("3\r\n\r\n0\r\n0\r\n\r\n", "\r\n0"),
        ("1\r\nx\r\n0\r\nA: b\r\nContent-Length: 9\r\n\r\n", "x"),
    ] {
        assert_eq!(only(&chunked(chunks)).2, body.as_bytes(), "{chunks:?}");
    }
    for chunks in [
        "\r\n",
        "\n",
        "g\r\n",
        "-1\r\n",
        "+1\r\n",
        "0x1\r\n",
        "1h\r\n",
        " 1\r\n",
        "1 \r\n",
        "1 2\r\n",
        "1\n",
        "1\rx",
        "1;a\n",
        "1;a\rb",
        "1;a=\"b\r",
        "1;a=\"b\\\"\r",
        "1;a=\"b\\\r",
        "1;\0\r\n",
        "1;\u{7f}\r\n",
        "1;\u{1}\r\n",
        "1,2\r\n",
        "1.0\r\n",
        "10000000000000000\r\n",
        "fffffffffffffffff\r\n",
        ";a\r\n",
        "1\r\nxy",
        "1\r\nx\n",
        "1\r\nx\rx",
        "1\r\nx0\r\n",
        "0\r\n\n",
        "0\r\nA: b\n\r\n",
        "0\r\nA: b\r\n\n",
        "0\r\nA : b\r\n",
        "0\r\n: b\r\n",
        "0\r\nA: b\r\n c\r\n",
        "0\r\nA: \0\r\n",
        "0\r\n\rx",
        "0\r\nA: b\rc\r\n",
        "0\r\n A: b\r\n",
    ] {
        check(chunked(chunks), 400);
    }
}

#[test]
fn transfer_encodings() {
    let zero = "0\r\n\r\n";
    for (fields, status) in [
        ("Transfer-Encoding: chunked\r\n", 200),
        ("TRANSFER-ENCODING:\tChunKed \r\n", 200),
        ("Transfer-Encoding: gzip\r\n", 501),
        ("Transfer-Encoding: identity\r\n", 501),
        ("Transfer-Encoding: gzip, chunked\r\n", 501),
        ("Transfer-Encoding: chunked, gzip\r\n", 501),
        ("Transfer-Encoding: chunked;q=1\r\n", 501),
        (
            "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
            501,
        ),
        ("Transfer-Encoding: chunked, chunked\r\n", 400),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            400,
        ),
        ("Transfer-Encoding:\r\n", 400),
        ("Transfer-Encoding: chunked,\r\n", 400),
        ("Transfer-Encoding: ,chunked\r\n", 400),
        ("Transfer-Encoding: gzip\r\nContent-Length: 5\r\n", 400),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", 400),
        ("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", 400),
    ] {
        check(post(fields, zero), status);
        check(format!("POST / HTTP/1.0\r\n{fields}\r\n{zero}"), 400);
    }
}

#[test]
fn chunk_lines_at_their_limit() {
    let line = |bytes: usize| format!("1;{}\r\n", "x".repeat(bytes - 4));
    check(
        chunked(&format!("{}x\r\n0\r\n\r\n", line(CHUNK_LINE_BYTES_MAX))),
        200,
    );
    check(
        chunked(&format!("{}x\r\n0\r\n\r\n", line(CHUNK_LINE_BYTES_MAX + 1))),
        400,
    );
    check(
        chunked(&line(CHUNK_LINE_BYTES_MAX)[..CHUNK_LINE_BYTES_MAX - 1]),
        0,
    );
    check(chunked(&"0".repeat(CHUNK_LINE_BYTES_MAX - 1)), 0);
    check(chunked(&"0".repeat(CHUNK_LINE_BYTES_MAX)), 400);
    check(
        chunked(&format!("{}1\r\nx\r\n0\r\n\r\n", "0".repeat(200))),
        200,
    );
}

#[test]
fn trailers_share_the_limits_of_the_head() {
    let fields_left = FIELDS_MAX - 2;
    let trailers = |count: usize| chunked(&format!("0\r\n{}\r\n", "A: b\r\n".repeat(count)));
    check(trailers(fields_left), 200);
    check(trailers(fields_left + 1), 431);

    let bytes_left = HEAD_BYTES_MAX - chunked("").len();
    let trailer = |bytes: usize| chunked(&format!("0\r\nA: {}\r\n\r\n", "x".repeat(bytes - 5)));
    check(trailer(bytes_left), 200);
    check(trailer(bytes_left + 1), 431);

    // A head that leaves nothing still leaves the last line.
    let fields = "Transfer-Encoding: chunked\r\n";
    let filler = "x".repeat(HEAD_BYTES_MAX - post(&format!("{fields}A: \r\n"), "").len());
    check(
        post(&format!("{fields}A: {filler}\r\n"), "1\r\nx\r\n0\r\n\r\n"),
        200,
    );
    check(
        post(
            &format!("{fields}A: {filler}\r\n"),
            "1\r\nx\r\n0\r\nA: b\r\n\r\n",
        ),
        431,
    );
    let fields = format!("{fields}{}", "A: b\r\n".repeat(fields_left));
    check(post(&fields, "0\r\n\r\n"), 200);
    check(post(&fields, "0\r\nA: b\r\n\r\n"), 431);
}
