//! Responses read back, statuses with their problems, dates.

use crebito::http::{
    Date, Head, Media, Persistence, Status, append_continue, append_response, problem,
};
use proptest::prelude::*;

const STATUSES: [Status; 14] = [
    Status::OK,
    Status::BAD_REQUEST,
    Status::NOT_FOUND,
    Status::METHOD_NOT_ALLOWED,
    Status::REQUEST_TIMEOUT,
    Status::PAYLOAD_TOO_LARGE,
    Status::EXPECTATION_FAILED,
    Status::UNPROCESSABLE,
    Status::HEAD_TOO_LARGE,
    Status::INTERNAL,
    Status::NOT_IMPLEMENTED,
    Status::UNAVAILABLE,
    Status::GATEWAY_TIMEOUT,
    Status::VERSION,
];

const MEDIA: [(Media, &str); 4] = [
    (Media::Json, "application/json"),
    (Media::Problem, "application/problem+json"),
    (Media::Text, "text/plain; charset=utf-8"),
    (
        Media::Prometheus,
        "text/plain; version=0.0.4; charset=utf-8",
    ),
];

const PERSISTENCES: [(Persistence, Option<&str>); 3] = [
    (Persistence::KeepAlive, None),
    (Persistence::KeepAliveHttp10, Some("keep-alive")),
    (Persistence::Close, Some("close")),
];

/// Appends the response and reads it back; everything must be there once, and nothing else.
fn check(head: &Head, media: &str, connection: Option<&str>, body: &[u8], head_only: bool) {
    let mut out = b"earlier".to_vec();
    append_response(&mut out, head, &Date::at(784_111_777), body, head_only);
    let answer = out.strip_prefix(b"earlier").expect("what was there stays");

    let mut fields = [httparse::EMPTY_HEADER; 8];
    let mut response = httparse::Response::new(&mut fields);
    let head_bytes = response.parse(answer).expect("the head is valid").unwrap();
    assert_eq!(response.version, Some(1));
    assert_eq!(response.code, Some(head.status.code()));
    assert_eq!(response.reason, Some(head.status.reason()));

    let length = body.len().to_string();
    let mut expected = vec![
        ("Content-Type", media),
        ("Date", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("Content-Length", &length),
    ];
    expected.extend(connection.map(|value| ("Connection", value)));
    if !head.fields.is_empty() {
        expected.push(("Retry-After", "1"));
    }
    let mut found: Vec<(&str, &str)> = response
        .headers
        .iter()
        .map(|field| {
            (
                field.name,
                str::from_utf8(field.value).expect("values are ASCII"),
            )
        })
        .collect();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
    assert_eq!(&answer[head_bytes..], if head_only { b"" } else { body });
}

#[test]
fn every_head_reads_back() {
    for status in STATUSES {
        for (media, media_text) in MEDIA {
            for (persistence, connection) in PERSISTENCES {
                for fields in ["", "Retry-After: 1\r\n"] {
                    for body in [b"".as_slice(), b"{}", &[b'x'; 12_345]] {
                        let head = Head {
                            status,
                            media,
                            fields,
                            persistence,
                        };
                        check(&head, media_text, connection, body, false);
                        check(&head, media_text, connection, body, true);
                    }
                }
            }
        }
    }
}

#[test]
fn the_common_answer() {
    let mut out = Vec::new();
    let head = Head {
        status: Status::OK,
        media: Media::Json,
        fields: "",
        persistence: Persistence::KeepAlive,
    };
    append_response(
        &mut out,
        &head,
        &Date::at(0),
        br#"{"limite":1,"saldo":-1}"#,
        false,
    );
    assert_eq!(
        String::from_utf8(out).expect("the answer is ASCII"),
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\
         Date: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Length: 23\r\n\r\n\
         {\"limite\":1,\"saldo\":-1}"
    );
}

#[test]
fn the_interim_answer() {
    let mut out = b"earlier".to_vec();
    append_continue(&mut out);
    assert_eq!(out, b"earlierHTTP/1.1 100 Continue\r\n\r\n");
}

#[test]
fn problems_are_json_of_their_status() {
    let mut codes: Vec<u16> = STATUSES.iter().map(|status| status.code()).collect();
    codes.dedup();
    assert_eq!(
        codes,
        [
            200, 400, 404, 405, 408, 413, 417, 422, 431, 500, 501, 503, 504, 505
        ],
        "each status once"
    );
    for status in STATUSES {
        let read: serde_json::Value =
            serde_json::from_str(problem(status)).expect("a problem is JSON");
        assert_eq!(
            read,
            serde_json::json!({ "title": status.reason(), "status": status.code() })
        );
    }
}

#[test]
fn dates_at_their_edges() {
    for (seconds, text) in [
        (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT"),
        (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
        (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"),
        (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
        (1_735_689_599, "Tue, 31 Dec 2024 23:59:59 GMT"),
        (-1, "Wed, 31 Dec 1969 23:59:59 GMT"),
        (i64::MAX, "Fri, 31 Dec 9999 23:59:59 GMT"),
        (i64::MIN, "Sat, 01 Jan 0000 00:00:00 GMT"),
    ] {
        assert_eq!(str::from_utf8(Date::at(seconds).as_bytes()), Ok(text));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    /// Our arithmetic and a calendar library agree, year 0 to 9999.
    #[test]
    fn dates_agree_with_jiff(seconds in -62_167_219_200_i64..253_402_207_201) {
        let time = jiff::Timestamp::from_second(seconds).expect("the range is jiff's");
        let expected = jiff::fmt::rfc2822::DateTimePrinter::new()
            .timestamp_to_rfc9110_string(&time)
            .expect("the range is RFC 9110's");
        let date = Date::at(seconds);
        prop_assert_eq!(str::from_utf8(date.as_bytes()), Ok(expected.as_str()));
    }
}
