//! What a head is: request lines, targets, versions, hosts, fields, limits.

mod http_decoding;

use crebito::http::{Method, Persistence};
use crebito::limits::{FIELDS_MAX, HEAD_BYTES_MAX};
use http_decoding::{check, get, only, post};

#[test]
fn methods_are_case_sensitive_tokens() {
    for (text, method) in [
        ("GET", Method::Get),
        ("HEAD", Method::Head),
        ("POST", Method::Post),
        ("get", Method::Other),
        ("POSTS", Method::Other),
        ("P", Method::Other),
        ("DELETE", Method::Other),
    ] {
        assert_eq!(
            only(&format!("{text} / HTTP/1.1\r\nHost: a\r\n\r\n")).0,
            method,
            "{text}"
        );
    }
    check("G\0T / HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    check("G(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    check(" GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    check("\0", 400);
    check("\x16\x03\x01\x02\x00", 400);
}

#[test]
fn targets_become_paths() {
    for (target, path) in [
        ("/", "/"),
        ("//", "//"),
        ("/clientes/1/extrato", "/clientes/1/extrato"),
        ("/clientes/%31/extrato", "/clientes/%31/extrato"),
        ("/a%2Fb%c3%A9", "/a%2Fb%c3%A9"),
        ("/healthz?", "/healthz"),
        ("/healthz?a=1&b=%zz%00?/\"", "/healthz"),
        ("/?http://x", "/"),
        ("/é", "/é"),
        ("http://a/b/c?d", "/b/c"),
        ("HTTP://a:80/b", "/b"),
        ("hTTps://[::1]:8080/b%31", "/b%31"),
        ("http://a", "/"),
        ("http://a:", "/"),
        ("https://a?b", "/"),
        ("http://a.b-c_d~%41:9", "/"),
        ("http://a//b", "//b"),
        ("*", "*"),
    ] {
        assert_eq!(only(&get(target)).1, path, "{target}");
    }
    let connect = |target: &str| format!("CONNECT {target} HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(only(&connect("a:443")).1, "a:443");
    assert_eq!(only(&connect("[::1]:443")).1, "[::1]:443");
    assert_eq!(only(&connect("/healthz")).1, "/healthz");
    check(connect("a:b"), 400);
    check(connect("u@a:1"), 400);
}

#[test]
fn targets_that_are_none() {
    for target in [
        "healthz",
        "",
        "**",
        "*/",
        "a:80",
        "?",
        "/a#b",
        "/#",
        "/?a#b",
        "/%",
        "/%4",
        "/%4g",
        "/%g4",
        "/%00",
        "/a%00b",
        "/a b",
        "http:/a",
        "http:///a",
        "http://",
        "http://?a",
        "http://#",
        "http://a#b",
        "http://a/b#c",
        "http://:80/",
        "http://u@a/",
        "http://u:p@a/",
        "http://a b/",
        "http://a:b/",
        "http://[::1/",
        "http://[::g]/",
        "http://a/%",
        "http://%/",
        "ftp://a/",
        "httpss://a/",
        "http",
        "/\0",
        "/\u{7f}",
        "/\u{1}",
    ] {
        check(get(target), 400);
    }
    check(b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n", 400);
}

#[test]
fn versions() {
    for (version, status) in [
        ("HTTP/1.0", 200),
        ("HTTP/1.1", 200),
        ("HTTP/1.2", 200),
        ("HTTP/1.9", 200),
        ("HTTP/0.9", 505),
        ("HTTP/2.0", 505),
        ("HTTP/3.1", 505),
        ("HTTP/1.10", 400),
        ("HTTP/2.0 ", 400),
        ("HTTP/2", 400),
        ("HTTP/1", 400),
        ("HTTP/1,1", 400),
        ("http/1.1", 400),
        ("HTTP/1.x", 400),
        ("HTTP/x.1", 400),
        ("HTTPS/1.1", 400),
        ("HTTP/11", 400),
        ("HTTP/2.0\t", 400),
        ("", 400),
        (" HTTP/1.1", 400),
        ("HTTP/1.1 ", 400),
        ("XYZ", 400),
    ] {
        check(format!("GET / {version}\r\nHost: a\r\n\r\n"), status);
        check(format!("\r\n\r\nGET / {version}\nHost: a\r\n\r\n"), status);
    }
    check("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505);
    check("GET /\r\n", 400);
    check("GET / HTTP/2.0\r", 0);
    check("GET / HTTP/2.0\rx", 400);
    // Without its end a line is not judged by what may still become right.
    check("GET / HTTP/2", 0);
    check("GET / HTTP/1.2", 0);
    // 1.2 is 1.1 in all things, and its text is gone after the first look.
    assert_eq!(
        only("GET / HTTP/1.2\r\nHost: a\r\n\r\n").3,
        Persistence::KeepAlive
    );
    check("GET / HTTP/1.2\r\n\r\n", 400);
}

#[test]
fn hosts() {
    for host in [
        "",
        "a",
        "a:80",
        "localhost:",
        "a.b",
        "127.0.0.1:9999",
        "[::1]",
        "[::1]:80",
        "[::]:",
        "[1::2:192.0.2.1]",
        "[v1.a:b]",
        "a%41",
        "a_b",
        "xn--a",
        "a,b",
        ":80",
    ] {
        check(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"), 200);
        check(format!("GET / HTTP/1.0\r\nhOST:\t{host} \r\n\r\n"), 200);
    }
    for host in [
        "a b",
        "a:b",
        "a:80:80",
        "u@a",
        "a/b",
        "a?b",
        "a#b",
        "[::1",
        "[]",
        "[::1]a",
        "[::g]",
        "[::1%25eth0]",
        "[fe80::1%1]",
        "[127.0.0.1]",
        "[v.a]",
        "[v1.]",
        "[vg.a]",
        "[v1]",
        "a%4",
        "a%zz",
        "http://a",
        "a\\b",
        "\"a\"",
        "ä",
        "a, b",
        "[",
        "a:+80",
        "a: 80",
    ] {
        check(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"), 400);
        check(format!("GET / HTTP/1.0\r\nHost: {host}\r\n\r\n"), 400);
    }
    check("GET / HTTP/1.1\r\n\r\n", 400);
    check("GET / HTTP/1.0\r\n\r\n", 200);
    check("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400);
    check("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", 400);
    check("GET / HTTP/1.1\r\nHost: \r\nhost: a\r\n\r\n", 400);
    // The target's authority does not stand in for it.
    check("GET http://a/ HTTP/1.1\r\n\r\n", 400);
}

#[test]
fn lines_and_fields() {
    for (fields, status) in [
        ("A: b\r\n", 200),
        ("A:b\n", 200),
        ("A:\r\n", 200),
        ("A: \t b \t\r\n", 200),
        ("A: b\tc \u{e9}\r\n", 200),
        ("!#$%&'*+-.^_`|~9: b\r\n", 200),
        ("A : b\r\n", 400),
        ("A\t: b\r\n", 400),
        (" A: b\r\n", 400),
        (": b\r\n", 400),
        ("A\r\n", 400),
        ("A b: c\r\n", 400),
        ("A(: b\r\n", 400),
        ("A: b\r\n c\r\n", 400),
        ("A: b\r\n\tc\r\n", 400),
        ("A: b\rc\r\n", 400),
        ("A: b\r\r\n", 400),
        ("A:\rb\r\n", 400),
        ("A: \0\r\n", 400),
        ("A\0: b\r\n", 400),
        ("A: b\u{7f}\r\n", 400),
        ("A: b\u{1}\r\n", 400),
        ("\u{e9}: b\r\n", 400),
    ] {
        check(post(fields, ""), status);
    }
    check("GET / HTTP/1.1\nHost: a\n\n", 200);
    check("GET / HTTP/1.1\rHost: a\r\r", 400);
    check("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 200);
    check("\n\r\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 200);
    check("\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    check("GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400);
}

#[test]
fn heads_at_their_limits() {
    let head = |bytes: usize| {
        let empty = post("A: \r\n", "").len();
        post(&format!("A: {}\r\n", "x".repeat(bytes - empty)), "")
    };
    assert_eq!(head(HEAD_BYTES_MAX).len(), HEAD_BYTES_MAX);
    check(head(HEAD_BYTES_MAX), 200);
    check(head(HEAD_BYTES_MAX + 1), 431);
    check(
        &head(HEAD_BYTES_MAX + 1).as_bytes()[..HEAD_BYTES_MAX - 1],
        0,
    );
    check(&head(HEAD_BYTES_MAX + 1).as_bytes()[..HEAD_BYTES_MAX], 431);
    check(get(&format!("/{}", "x".repeat(HEAD_BYTES_MAX))), 431);
    check("x".repeat(HEAD_BYTES_MAX), 431);
    check("\r\n".repeat(HEAD_BYTES_MAX / 2 - 1), 0);
    check("\r\n".repeat(HEAD_BYTES_MAX / 2), 431);
    check(format!("GET / HTTP/{}", "1".repeat(HEAD_BYTES_MAX)), 400);

    // `Host` is one of them.
    check(post(&"A: b\r\n".repeat(FIELDS_MAX - 1), ""), 200);
    check(post(&"A: b\r\n".repeat(FIELDS_MAX), ""), 431);
    // The first fault counts, not the worst.
    check(
        post(&format!("{}A : b\r\n", "A: b\r\n".repeat(FIELDS_MAX)), ""),
        431,
    );
    check(
        post(&format!("A : b\r\n{}", "A: b\r\n".repeat(FIELDS_MAX)), ""),
        400,
    );
}
