//! Tables of heads and bodies, and what becomes of them.

/// Field sections that get 400; the request line is that of a GET in HTTP/1.1.
pub const FIELDS_400: &[(&str, &[u8])] = &[
    ("no Host", b""),
    ("no Host but others", b"Accept: */*\r\n"),
    ("two Hosts", b"Host: x\r\nHost: x\r\n"),
    ("two Hosts, another case", b"Host: x\r\nhOST: y\r\n"),
    ("Host with a blank", b"Host: a b\r\n"),
    ("Host as a list", b"Host: a, b\r\n"),
    ("Host with a path", b"Host: a/b\r\n"),
    ("Host with a query", b"Host: a?b\r\n"),
    ("Host as a URI", b"Host: http://a\r\n"),
    ("Host with userinfo", b"Host: u@a\r\n"),
    ("Host with a named port", b"Host: a:http\r\n"),
    ("Host with two ports", b"Host: a:1:2\r\n"),
    ("Host with an open bracket", b"Host: [::1\r\n"),
    ("Host with a bad address", b"Host: [::g]\r\n"),
    ("space before a colon", b"Host : x\r\n"),
    ("space before another colon", b"Host: x\r\nA : b\r\n"),
    ("tab before a colon", b"Host: x\r\nA\t: b\r\n"),
    ("a folded line", b"Host: x\r\nA: b\r\n c\r\n"),
    ("a line folded with a tab", b"Host: x\r\nA: b\r\n\tc\r\n"),
    ("a folded first line", b" Host: x\r\n"),
    (
        "a folded Transfer-Encoding",
        b"Host: x\r\nA: b\r\n Transfer-Encoding: chunked\r\n",
    ),
    ("a bare CR in a value", b"Host: x\r\nA: b\rc\r\n"),
    ("a bare CR at a line's end", b"Host: x\r\nA: b\r\r\n"),
    ("a bare CR in a name", b"Host: x\r\nA\rb: c\r\n"),
    ("a NUL in a value", b"Host: x\r\nA: b\0c\r\n"),
    ("a NUL in a name", b"Host: x\r\nA\0: b\r\n"),
    (
        "a control character in a value",
        b"Host: x\r\nA: b\x01c\r\n",
    ),
    ("a DEL in a value", b"Host: x\r\nA: b\x7fc\r\n"),
    ("no colon", b"Host: x\r\nabc\r\n"),
    ("no name", b"Host: x\r\n: b\r\n"),
    ("a name that is no token", b"Host: x\r\nA(b: c\r\n"),
    ("a name beyond ASCII", b"Host: x\r\n\xc3\xa9: c\r\n"),
    ("length with a plus", b"Host: x\r\nContent-Length: +0\r\n"),
    ("length with a minus", b"Host: x\r\nContent-Length: -0\r\n"),
    (
        "length in hexadecimal",
        b"Host: x\r\nContent-Length: 0x0\r\n",
    ),
    ("length with a point", b"Host: x\r\nContent-Length: 0.0\r\n"),
    (
        "length with an exponent",
        b"Host: x\r\nContent-Length: 0e0\r\n",
    ),
    (
        "length of two numbers",
        b"Host: x\r\nContent-Length: 0 0\r\n",
    ),
    (
        "length that is a word",
        b"Host: x\r\nContent-Length: none\r\n",
    ),
    ("length that is empty", b"Host: x\r\nContent-Length:\r\n"),
    ("length in quotes", b"Host: x\r\nContent-Length: \"0\"\r\n"),
    (
        "2^64 bytes",
        b"Host: x\r\nContent-Length: 18446744073709551616\r\n",
    ),
    (
        "10^30 bytes",
        b"Host: x\r\nContent-Length: 1000000000000000000000000000000\r\n",
    ),
    (
        "differing lengths",
        b"Host: x\r\nContent-Length: 0\r\nContent-Length: 1\r\n",
    ),
    (
        "differing lengths in a list",
        b"Host: x\r\nContent-Length: 0, 1\r\n",
    ),
    ("a length and none", b"Host: x\r\nContent-Length: 0,\r\n"),
    (
        "length, then coding",
        b"Host: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    ),
    (
        "coding, then length",
        b"Host: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    ),
    (
        "length 0 and coding",
        b"Host: x\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n",
    ),
    (
        "length and unknown coding",
        b"Host: x\r\nContent-Length: 0\r\nTransfer-Encoding: gzip\r\n",
    ),
    (
        "space before the coding's colon",
        b"Host: x\r\nTransfer-Encoding : chunked\r\n",
    ),
    (
        "a control character in a coding",
        b"Host: x\r\nTransfer-Encoding: \x0bchunked\r\n",
    ),
    (
        "chunked twice",
        b"Host: x\r\nTransfer-Encoding: chunked, chunked\r\n",
    ),
    ("an empty coding", b"Host: x\r\nTransfer-Encoding:\r\n"),
];

/// Field sections with a status of their own.
pub const FIELDS_OTHER: &[(&str, &[u8], u16)] = &[
    ("gzip", b"Host: x\r\nTransfer-Encoding: gzip\r\n", 501),
    (
        "gzip, chunked",
        b"Host: x\r\nTransfer-Encoding: gzip, chunked\r\n",
        501,
    ),
    (
        "gzip and chunked",
        b"Host: x\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
        501,
    ),
    (
        "chunked, gzip",
        b"Host: x\r\nTransfer-Encoding: chunked, gzip\r\n",
        501,
    ),
    (
        "chunked, identity",
        b"Host: x\r\nTransfer-Encoding: chunked, identity\r\n",
        501,
    ),
    (
        "identity",
        b"Host: x\r\nTransfer-Encoding: identity\r\n",
        501,
    ),
    (
        "xchunked",
        b"Host: x\r\nTransfer-Encoding: xchunked\r\n",
        501,
    ),
    (
        "chunked in quotes",
        b"Host: x\r\nTransfer-Encoding: \"chunked\"\r\n",
        501,
    ),
    ("another Expect", b"Host: x\r\nExpect: 200-ok\r\n", 417),
    (
        "an Expect too many",
        b"Host: x\r\nExpect: 100-continue, more\r\n",
        417,
    ),
    ("no Host and another Expect", b"Expect: 200-ok\r\n", 400),
];

/// Field sections that pass.
pub const FIELDS_200: &[(&str, &[u8])] = &[
    ("Host with a port", b"Host: x:80\r\n"),
    ("Host with no port's digits", b"Host: x:\r\n"),
    ("Host by number", b"Host: 127.0.0.1:9999\r\n"),
    ("Host by IPv6", b"Host: [::1]:9999\r\n"),
    ("no blank behind the colon", b"Host:x\r\n"),
    ("blanks around a value", b"Host: \t x \t\r\n"),
    ("names of any case", b"hOsT: x\r\ncOnTeNt-LeNgTh: 0\r\n"),
    ("an empty value", b"Host: x\r\nA:\r\n"),
    (
        "bytes beyond ASCII in a value",
        b"Host: x\r\nA: \xe9\xff\r\n",
    ),
    (
        "equal lengths",
        b"Host: x\r\nContent-Length: 0\r\nContent-Length: 0\r\n",
    ),
    (
        "equal lengths in a list",
        b"Host: x\r\nContent-Length: 0, 0\r\n",
    ),
    (
        "a length with zeros ahead",
        b"Host: x\r\nContent-Length: 000\r\n",
    ),
    (
        "Expect without a body",
        b"Host: x\r\nExpect: 100-continue\r\n",
    ),
    ("keep-alive", b"Host: x\r\nConnection: keep-alive\r\n"),
    (
        "an unknown option",
        b"Host: x\r\nConnection: te, x-close\r\n",
    ),
    (
        "an upgrade nobody takes",
        b"Host: x\r\nConnection: upgrade\r\nUpgrade: h2c\r\n",
    ),
];

/// Request lines, each with `Host: x`.
pub const LINES: &[(&[u8], u16)] = &[
    (b"GET /healthz HTTP/1.1", 200),
    (b"GET /healthz HTTP/1.2", 200),
    (b"GET /healthz HTTP/1.9", 200),
    (b"GET http://x/healthz HTTP/1.1", 200),
    (b"GET HTTP://x:80/healthz HTTP/1.1", 200),
    (b"\r\nGET /healthz HTTP/1.1", 200),
    (b"GET http://x HTTP/1.1", 404),
    (b"GET http://x?/healthz HTTP/1.1", 404),
    (b"GET /healthz HTTP/0.9", 505),
    (b"GET /healthz HTTP/0.0", 505),
    (b"GET /healthz HTTP/2.0", 505),
    (b"GET /healthz HTTP/3.0", 505),
    (b"GET /healthz HTTP/9.9", 505),
    (b"PRI * HTTP/2.0", 505),
    (b"GET /healthz HTTP/1", 400),
    (b"GET /healthz HTTP/1.", 400),
    (b"GET /healthz HTTP/1.10", 400),
    (b"GET /healthz HTTP/11", 400),
    (b"GET /healthz HTTP/1.x", 400),
    (b"GET /healthz HTTP/1,1", 400),
    (b"GET /healthz HTTP/+1.1", 400),
    (b"GET /healthz HTTP/01.1", 400),
    (b"GET /healthz HTTP 1.1", 400),
    (b"GET /healthz HTTP/1.1 ", 400),
    (b"GET /healthz http/1.1", 400),
    (b"GET /healthz HTTPS/1.1", 400),
    (b"GET /healthz FOO/1.1", 400),
    (b"GET /healthz", 400),
    (b"GET /healthz ", 400),
    (b"GET", 400),
    (b"/healthz HTTP/1.1", 400),
    (b"GET  /healthz HTTP/1.1", 400),
    (b"GET /healthz  HTTP/1.1", 400),
    (b"GET\t/healthz HTTP/1.1", 400),
    (b"GET /healthz\tHTTP/1.1", 400),
    (b" GET /healthz HTTP/1.1", 400),
    (b"GET /health z HTTP/1.1", 400),
    (b"GET /health\0z HTTP/1.1", 400),
    (b"GET /health\rz HTTP/1.1", 400),
    (b"G(T /healthz HTTP/1.1", 400),
    (b"G\0T /healthz HTTP/1.1", 400),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    (b"GET healthz HTTP/1.1", 400),
    (b"GET ?healthz HTTP/1.1", 400),
    (b"GET /healthz#x HTTP/1.1", 400),
    (b"GET /% HTTP/1.1", 400),
    (b"GET /%1 HTTP/1.1", 400),
    (b"GET /%zz HTTP/1.1", 400),
    (b"GET http:///healthz HTTP/1.1", 400),
    (b"GET http://u@x/healthz HTTP/1.1", 400),
    (b"GET ftp://x/healthz HTTP/1.1", 400),
];

/// Chunked bodies that are one good transacao; `BODY` stands for its bytes, 37 (26 in hexadecimal).
pub const CHUNKS_200: &[(&str, &str)] = &[
    ("one chunk", "26\r\nBODY\r\n0\r\n\r\n"),
    ("zeros ahead", "00000026\r\nBODY\r\n000\r\n\r\n"),
    ("an extension", "26;a=b\r\nBODY\r\n0;c\r\n\r\n"),
    ("a quoted extension", "26;a=\"b;c\";d\r\nBODY\r\n0\r\n\r\n"),
    ("an escaped quote", "26;a=\"b\\\"c\"\r\nBODY\r\n0\r\n\r\n"),
    (
        "a blank before an extension",
        "26 ;a=b\r\nBODY\r\n0\r\n\r\n",
    ),
    ("a trailer", "26\r\nBODY\r\n0\r\nA: b\r\n\r\n"),
    (
        "trailers that say nothing",
        "26\r\nBODY\r\n0\r\nContent-Length: 1\r\nHost: y\r\n\r\n",
    ),
];

/// Chunked bodies that get 400.
pub const CHUNKS_400: &[(&str, &str)] = &[
    ("no size", "\r\nBODY\r\n0\r\n\r\n"),
    ("a size that is no number", "xx\r\nBODY\r\n0\r\n\r\n"),
    ("a size with a plus", "+26\r\nBODY\r\n0\r\n\r\n"),
    ("a size with a minus", "-26\r\nBODY\r\n0\r\n\r\n"),
    ("a size with 0x", "0x26\r\nBODY\r\n0\r\n\r\n"),
    ("a size with a blank ahead", " 26\r\nBODY\r\n0\r\n\r\n"),
    ("a size with a blank behind", "26 \r\nBODY\r\n0\r\n\r\n"),
    ("a size of two", "26 1\r\nBODY\r\n0\r\n\r\n"),
    ("a size with an underscore", "2_6\r\nBODY\r\n0\r\n\r\n"),
    ("2^64", "10000000000000000\r\nBODY\r\n0\r\n\r\n"),
    ("2^64 + 38", "10000000000000026\r\nBODY\r\n0\r\n\r\n"),
    (
        "2^128",
        "100000000000000000000000000000000\r\nBODY\r\n0\r\n\r\n",
    ),
    ("a bare LF behind a size", "26\nBODY\r\n0\r\n\r\n"),
    ("a bare CR behind a size", "26\rBODY\r\n0\r\n\r\n"),
    ("a bare LF behind data", "26\r\nBODY\n0\r\n\r\n"),
    ("no end of data", "26\r\nBODY0\r\n\r\n"),
    ("data too long", "25\r\nBODY\r\n0\r\n\r\n"),
    ("data too short", "27\r\nBODY\r\n0\r\n\r\n"),
    ("a bare LF in an extension", "26;a\nb\r\nBODY\r\n0\r\n\r\n"),
    ("a bare CR in an extension", "26;a\rb\r\nBODY\r\n0\r\n\r\n"),
    ("a NUL in an extension", "26;a\0b\r\nBODY\r\n0\r\n\r\n"),
    ("a quote without its end", "26;a=\"b\r\nBODY\r\n0\r\n\r\n"),
    (
        "an end that is escaped",
        "26;a=\"b\\\"\r\nBODY\r\n0\r\n\r\n",
    ),
    ("a trailer without a colon", "26\r\nBODY\r\n0\r\nab\r\n\r\n"),
    ("a trailer with a space", "26\r\nBODY\r\n0\r\nA : b\r\n\r\n"),
    ("a folded trailer", "26\r\nBODY\r\n0\r\nA: b\r\n c\r\n\r\n"),
    ("a NUL in a trailer", "26\r\nBODY\r\n0\r\nA: \0\r\n\r\n"),
];
