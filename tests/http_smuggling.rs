//! Requests that two readers might end at different places. Each is refused, or read one way
//! only, and nothing that a body hides comes out as a request.

mod http_decoding;

use crebito::http::Method;
use http_decoding::{Event, decode, request};

/// What would come out if a body were taken for requests.
const HIDDEN: &str = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";

/// Sends the fields, an empty line and the body; the only outcome must be the refusal.
#[track_caller]
fn check(fields: &str, body: &str, status: u16) {
    for version in ["1.1", "1.5"] {
        for method in ["POST", "GET", "HEAD", "BREW"] {
            let head = format!("{method} / HTTP/{version}\r\nHost: a\r\n{fields}\r\n");
            let events = decode(format!("{head}{body}{HIDDEN}").as_bytes());
            assert_eq!(events, [Event::Refused(status)], "{head}{body}");
        }
    }
}

#[test]
fn lengths_that_contradict_each_other() {
    for fields in [
        // CL.TE and TE.CL
        "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 6\r\n",
        "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 6\r\nTransfer-Encoding: gzip\r\n",
        "Content-Length: 6\r\nTransfer-Encoding:\r\n",
        "content-length: 6\r\nTRANSFER-ENCODING: Chunked\r\n",
        // CL.CL
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5, 6\r\n",
        "Content-Length: 5\r\nX: y\r\nContent-Length: 5, 6\r\n",
        "Content-Length: 0\r\nContent-Length: 00000000000000000000001\r\n",
    ] {
        check(fields, "0\r\n\r\nG", 400);
    }
}

#[test]
fn codings_that_only_some_read() {
    for (fields, status) in [
        ("Transfer-Encoding: xchunked\r\n", 501),
        ("Transfer-Encoding: chunkedx\r\n", 501),
        ("Transfer-Encoding: chunked x\r\n", 501),
        ("Transfer-Encoding: \"chunked\"\r\n", 501),
        ("Transfer-Encoding: 'chunked'\r\n", 501),
        ("Transfer-Encoding: identity\r\n", 501),
        ("Transfer-Encoding: identity, chunked\r\n", 501),
        ("Transfer-Encoding: chunked, identity\r\n", 501),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n",
            501,
        ),
        (
            "Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n",
            501,
        ),
        ("Transfer-Encoding: chunked;\r\n", 501),
        ("Transfer-Encoding: chun\u{212a}ed\r\n", 501),
        ("Transfer-Encoding: chunked\u{a0}\r\n", 501),
        ("Transfer-Encoding: chunked, chunked\r\n", 400),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            400,
        ),
        ("Transfer-Encoding: chunked,\r\n", 400),
        ("Transfer-Encoding: , chunked\r\n", 400),
        ("Transfer-Encoding : chunked\r\n", 400),
        ("Transfer-Encoding\t: chunked\r\n", 400),
        (" Transfer-Encoding: chunked\r\n", 400),
        ("X: y\r\n Transfer-Encoding: chunked\r\n", 400),
        ("Transfer-Encoding:\r\n chunked\r\n", 400),
        ("Transfer-Encoding: chunked\r\n , gzip\r\n", 400),
        ("Transfer-Encoding: \u{b}chunked\r\n", 400),
        ("Transfer-Encoding: chunked\u{c}\r\n", 400),
        ("Transfer-Encoding: chunked\0\r\n", 400),
        ("Transfer-Encoding\0: chunked\r\n", 400),
        ("Transfer-Encoding: \rchunked\r\n", 400),
        ("X: y\rTransfer-Encoding: chunked\r\n", 400),
        ("Transfer-Encoding\r\n: chunked\r\n", 400),
    ] {
        check(fields, "5\r\nhello\r\n0\r\n\r\n", status);
    }
}

#[test]
fn lengths_that_only_some_read() {
    for fields in [
        "Content-Length: +5\r\n",
        "Content-Length: -5\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: 5.\r\n",
        "Content-Length: 5e0\r\n",
        "Content-Length: 5_0\r\n",
        "Content-Length: 5 5\r\n",
        "Content-Length: 5,\r\n",
        "Content-Length: ,\r\n",
        "Content-Length: 5;\r\n",
        "Content-Length: five\r\n",
        "Content-Length: \u{665}\r\n",
        "Content-Length:\r\n",
        "Content-Length:\r\n 5\r\n",
        "Content-Length: 5\r\n 0\r\n",
        "Content-Length : 5\r\n",
        "Content-Length: 5\0\r\n",
        "Content-Length: \u{b}5\r\n",
        "Content-Length: 18446744073709551621\r\n",
        "Content-Length: 4294967301, 5\r\n",
    ] {
        check(fields, "hello", 400);
    }
}

#[test]
fn chunks_that_only_some_read() {
    for size in [
        "0x5",
        "+5",
        "-5",
        " 5",
        "5 ",
        "5\t",
        "5.0",
        "5h",
        "5,",
        "\"5\"",
        "5 5",
        "5_",
        "\u{b}5",
        "5\0",
        "5\r",
        "10000000000000005",
        "00000005\u{a0}",
        "",
        "5;\r",
        "5;\n",
        "5;x\0",
        "5\n",
    ] {
        let body = format!("{size}\r\nhello\r\n0\r\n\r\n");
        check("Transfer-Encoding: chunked\r\n", &body, 400);
    }
    for body in [
        // Line ends that are not CRLF.
        "5\nhello\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello\r\n0\n\r\n",
        "5\r\nhello\r\n0\r\n\n",
        "5\rhello\r\n0\r\n\r\n",
        "5;a\nhello\r\n0\r\n\r\n",
        // Bytes that belong to no chunk.
        "5\r\nhelloX\r\n0\r\n\r\n",
        "5\r\nhello\rX\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "\r\n5\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\r\n\r\n0\r\n\r\n",
        "4\r\nhello\r\n0\r\n\r\n",
        "6\r\nhello\r\n0\r\n\r\n",
        // Trailers that are no fields.
        "0\r\nGET / HTTP/1.1\r\n\r\n",
        "0\r\nX : y\r\n\r\n",
        "0\r\nX: y\r\n z\r\n\r\n",
        "0\r\nX: y\n\r\n",
        "0\r\nX: y\r\n\n",
    ] {
        check("Transfer-Encoding: chunked\r\n", body, 400);
    }
}

#[test]
fn what_is_read_one_way() {
    let hidden_bytes = HIDDEN.len();
    let read = |version: &str, fields: &str, body: &str| {
        let head = format!("POST / HTTP/{version}\r\nHost: a\r\n{fields}\r\n");
        decode(format!("{head}{body}{HIDDEN}").as_bytes())
    };
    let end = Event::End { idle: true };
    let seen = request(Method::Get, "/hidden", b"");

    // A body that looks like requests is a body.
    let fields = format!("Content-Length: {hidden_bytes}\r\n");
    let whole = request(Method::Post, "/", HIDDEN.as_bytes());
    let expected = [whole.clone(), seen.clone(), end.clone()];
    assert_eq!(read("1.1", &fields, HIDDEN), expected);
    let chunks = format!("{hidden_bytes:x}\r\n{HIDDEN}\r\n0\r\n\r\n");
    assert_eq!(
        read("1.1", "Transfer-Encoding: chunked\r\n", &chunks),
        expected
    );

    // Trailers change nothing: neither framing, nor host, nor connection.
    let trailers = "0\r\nContent-Length: 9\r\nTransfer-Encoding: x\r\nHost: b\r\nHost: c\r\n\
                    Connection: close\r\nExpect: x\r\n\r\n";
    let empty = request(Method::Post, "/", b"");
    let expected = [empty.clone(), seen.clone(), end.clone()];
    assert_eq!(
        read("1.1", "Transfer-Encoding: chunked\r\n", trailers),
        expected
    );

    // Names that resemble the two are other fields; without length there is no body.
    for fields in [
        "Content_Length: 5\r\n",
        "Content-Length-: 5\r\n",
        "X-Content-Length: 5\r\n",
        "Transfer_Encoding: chunked\r\n",
        "TransferEncoding: chunked\r\n",
        "TE: chunked\r\n",
        "X: Transfer-Encoding: chunked\r\n",
        "Upgrade: h2c\r\nConnection: Upgrade\r\n",
    ] {
        assert_eq!(read("1.1", fields, ""), expected, "{fields}");
    }

    // A transfer coding in HTTP/1.0 is faulty framing (RFC 9112, section 6.1).
    for coding in ["chunked", "gzip", ""] {
        let events = read(
            "1.0",
            &format!("Transfer-Encoding: {coding}\r\n"),
            "0\r\n\r\n",
        );
        assert_eq!(events, [Event::Refused(400)]);
    }
}

#[test]
fn line_ends_inside_of_values() {
    for target in ["/\r\nX: y", "/\rX", "/ HTTP/1.1\rHost: b", "/\0", "/\t"] {
        let input = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n{HIDDEN}");
        assert_eq!(
            decode(input.as_bytes()),
            [Event::Refused(400)],
            "{target:?}"
        );
    }
    // An encoded line end stays encoded.
    let events = decode(b"GET /%0d%0aX:%20y?%0d%0a HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(
        events,
        [
            request(Method::Get, "/%0d%0aX:%20y", b""),
            Event::End { idle: true }
        ]
    );
    for host in ["a\rb", "a\0", "a\r\n b", "a\u{b}", "a%0"] {
        let input = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n{HIDDEN}");
        assert_eq!(decode(input.as_bytes()), [Event::Refused(400)], "{host:?}");
    }
}
