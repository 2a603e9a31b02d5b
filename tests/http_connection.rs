//! What a connection sees: requests behind each other, persistence, expectations.

mod http_decoding;

use crebito::http::{Method, Persistence};
use http_decoding::{Event, check, decode, get, only, post, request, run};

#[test]
fn persistence() {
    use Persistence::{Close, KeepAlive, KeepAliveHttp10};
    for (fields, http11, http10) in [
        ("", KeepAlive, Close),
        ("Connection: close\r\n", Close, Close),
        ("connection: CLOSE\r\n", Close, Close),
        ("Connection: keep-alive\r\n", KeepAlive, KeepAliveHttp10),
        ("Connection: Keep-Alive, TE\r\n", KeepAlive, KeepAliveHttp10),
        ("Connection: TE ,\t close\r\n", Close, Close),
        ("Connection: keep-alive, close\r\n", Close, Close),
        (
            "Connection: close\r\nConnection: keep-alive\r\n",
            Close,
            Close,
        ),
        (
            "Connection: TE\r\nConnection: keep-alive\r\n",
            KeepAlive,
            KeepAliveHttp10,
        ),
        ("Connection:\r\n", KeepAlive, Close),
        ("Connection: ,,\r\n", KeepAlive, Close),
        ("Connection: closed, xclose\r\n", KeepAlive, Close),
        ("Proxy-Connection: close\r\n", KeepAlive, Close),
    ] {
        let input = |minor| format!("GET / HTTP/1.{minor}\r\nHost: a\r\n{fields}\r\n");
        assert_eq!(only(&input(1)).3, http11, "{fields:?}");
        assert_eq!(only(&input(7)).3, http11, "{fields:?}");
        assert_eq!(only(&input(0)).3, http10, "{fields:?}");
    }
}

#[test]
fn expectations() {
    let expect = |value: &str| post(&format!("Expect: {value}\r\nContent-Length: 2\r\n"), "");
    for (value, status) in [
        ("100-continue", 0),
        ("100-Continue", 0),
        ("100-continue, 100-continue", 0),
        (", 100-continue,,", 0),
        ("", 0),
        (",", 0),
        ("200-ok", 417),
        ("100-continue, x", 417),
        ("100-continue=1", 417),
    ] {
        check(expect(value), status);
    }
    // HTTP/1.0 knows none.
    check("GET / HTTP/1.0\r\nExpect: x\r\n\r\n", 200);
    // Framing is judged first.
    check(post("Expect: x\r\nContent-Length: +1\r\n", ""), 400);
    check(post("Expect: x\r\nTransfer-Encoding: x\r\n", ""), 501);

    let continues = |input: &str, cuts: &[usize]| run(input.as_bytes(), cuts).continues;
    let head = expect("100-continue");
    let whole = format!("{head}ab");
    assert_eq!(continues(&head, &[]), 1, "the body has not begun");
    assert_eq!(continues(&whole, &[head.len()]), 1);
    assert_eq!(continues(&whole, &[head.len(), head.len() + 1]), 1, "once");
    assert_eq!(continues(&whole, &[]), 0, "the body is here");
    assert_eq!(
        continues(&whole, &[head.len() + 1]),
        0,
        "the body has begun"
    );
    let chunks = post("Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n", "");
    assert_eq!(continues(&chunks, &[]), 1);
    let twice = format!("{whole}{whole}");
    assert_eq!(
        continues(&twice, &[head.len(), whole.len(), whole.len() + head.len()]),
        2
    );
    for fields in ["Content-Length: 0\r\n", "Content-Length: 4097\r\n", ""] {
        let input = post(&format!("Expect: 100-continue\r\n{fields}"), "");
        assert_eq!(continues(&input, &[]), 0, "{fields:?}: nothing to wait for");
    }
    let http10 = whole.replace("HTTP/1.1", "HTTP/1.0");
    assert_eq!(continues(&http10, &[head.len()]), 0);
}

#[test]
fn requests_follow_each_other() {
    let input = format!(
        "{}{}\r\n{}{}",
        post("Content-Length: 3\r\n", "abc"),
        get("/b?c"),
        post(
            "Transfer-Encoding: chunked\r\n",
            "3\r\nabc\r\n1\r\nd\r\n0\r\nX: y\r\n\r\n"
        ),
        get("/e"),
    );
    let expected = [
        request(Method::Post, "/", b"abc"),
        request(Method::Get, "/b", b""),
        request(Method::Post, "/", b"abcd"),
        request(Method::Get, "/e", b""),
    ];
    let events = decode(format!("{input}{input}\r\n").as_bytes());
    let (end, requests) = events.split_last().expect("there is an end");
    assert_eq!(requests, [expected.as_slice(), &expected].concat());
    assert_eq!(*end, Event::End { idle: true });
    for rest in [
        "G",
        "\r\nG",
        &get("/")[..20],
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n",
    ] {
        let events = decode(format!("{input}{rest}").as_bytes());
        assert_eq!(events.last(), Some(&Event::End { idle: false }), "{rest:?}");
    }
    for rest in ["", "\r", "\r\n", "\n\r\n"] {
        let events = decode(format!("{input}{rest}").as_bytes());
        assert_eq!(events.last(), Some(&Event::End { idle: true }), "{rest:?}");
    }
}
