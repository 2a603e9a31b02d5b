//! Replies to calls: what is given out, when, and what ends the session.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod pg_messages;

use crebito::limits::{MESSAGE_BYTES_MAX, REPLY_BYTES_MAX};
use crebito::pg::{LinkError, Reply, ReplyDecoder};
use pg_messages::{
    bound, complete, error, message, notice, notification, ready, row, splits, status,
};
use proptest::prelude::*;

/// What a decoder gives out, in words: rows, errors, how the session ended, what is left over.
fn transcript(bytes: &[u8], split: impl Fn(usize) -> usize) -> Vec<String> {
    let mut decoder = ReplyDecoder::default();
    let mut said = Vec::new();
    let (mut start, mut end) = (0, 0);
    loop {
        match decoder.decode(&bytes[start..end]) {
            Ok(Some(reply)) => {
                said.push(words(&reply));
                start += reply.len_bytes;
                assert!(start <= end, "a reply consumes no more than there is");
                continue;
            }
            Ok(None) => {
                let skipped = decoder.take_skipped();
                start += skipped;
                assert!(start <= end, "notices are no more than there is");
            }
            Err(LinkError::Fatal(error)) => {
                said.push(format!("fatal {}", error.sqlstate()));
                return said;
            }
            Err(LinkError::Protocol(what)) => {
                assert!(!what.is_empty());
                said.push(format!("broken: {what}"));
                return said;
            }
        }
        if end == bytes.len() {
            said.push(format!("{} left", end - start));
            return said;
        }
        end = (end + split(end).max(1)).min(bytes.len());
    }
}

fn words(reply: &Reply<'_>) -> String {
    match &reply.result {
        Ok(rows) => {
            let rows: Vec<Vec<String>> = rows
                .iter()
                .map(|row| {
                    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
                    row.columns()
                        .map(|value| value.map_or("-".into(), text))
                        .collect()
                })
                .collect();
            format!("{rows:?}")
        }
        Err(error) => format!("error {}", error.sqlstate()),
    }
}

/// All at once and byte by byte, it says the same.
fn check(name: &str, messages: &[Vec<u8>], want: &[&str]) {
    let bytes = messages.concat();
    for (how, step) in [
        ("at once", bytes.len()),
        ("byte by byte", 1),
        ("by sevens", 7),
    ] {
        let got = transcript(&bytes, |_| step);
        let fits = |(got, want): (&String, &&str)| got.starts_with(want);
        assert!(
            got.len() == want.len() && got.iter().zip(want).all(fits),
            "{name}, {how}: got {got:?}, want {want:?}"
        );
    }
}

#[test]
fn replies() {
    let one = || row(&[Some(b"a"), None, Some(b"")]);
    let (b, c, z) = (bound, complete, ready);
    let e = || error("ERROR", "23505", "twice");
    check(
        "a row",
        &[b(), one(), c(), z()],
        &[r#"[["a", "-", ""]]"#, "0 left"],
    );
    check("no row", &[b(), c(), z()], &["[]", "0 left"]);
    check(
        "a row without columns",
        &[b(), row(&[]), c(), z()],
        &["[[]]", "0 left"],
    );
    check(
        "an empty query",
        &[b(), message(b'I', b""), z()],
        &["[]", "0 left"],
    );
    check(
        "three calls, the second fails",
        &[b(), one(), c(), z(), b(), one(), e(), z(), b(), c(), z()],
        &["[[", "error 23505", "[]", "0 left"],
    );
    check("an error at Bind", &[e(), z()], &["error 23505", "0 left"]);
    check(
        "an error at commit",
        &[b(), one(), c(), e(), z()],
        &["error 23505", "0 left"],
    );
    check(
        "a committed reply without Z",
        &[b(), one(), c()],
        &["39 left"],
    );
    check(
        "notices anywhere",
        &[
            notice(),
            status(),
            b(),
            notice(),
            one(),
            notification(),
            one(),
            status(),
            c(),
            notice(),
            z(),
        ],
        &[r#"[["a", "-", ""], ["a", "-", ""]]"#, "0 left"],
    );
    check(
        "notices while idle",
        &[b(), c(), z(), notice(), status()],
        &["[]", "0 left"],
    );
}

#[test]
fn what_ends_the_session() {
    let one = || row(&[Some(b"a")]);
    let (b, c, z) = (bound, complete, ready);
    let e = || error("ERROR", "23505", "twice");
    let fatal = || error("FATAL", "57P01", "going down");
    check(
        "fatal while idle",
        &[b(), c(), z(), fatal()],
        &["[]", "fatal 57P01"],
    );
    check("fatal instead of a reply", &[fatal()], &["fatal 57P01"]);
    check(
        "fatal after BindComplete",
        &[b(), fatal()],
        &["fatal 57P01"],
    );
    check(
        "fatal before Z",
        &[b(), one(), c(), fatal(), z()],
        &["fatal 57P01"],
    );
    check(
        "fatal after an error",
        &[b(), e(), fatal()],
        &["fatal 57P01"],
    );
    check("panic", &[error("PANIC", "XX000", "x")], &["fatal XX000"]);
    let open = |state: &[u8]| message(b'Z', state);
    check(
        "in a transaction",
        &[b(), c(), open(b"T")],
        &["broken: a call left a transaction"],
    );
    check(
        "in a failed one",
        &[e(), open(b"E")],
        &["broken: a call left a transaction"],
    );
    check(
        "Z without a state",
        &[e(), open(b"")],
        &["broken: a call left a transaction"],
    );
}

#[test]
fn impossible_orders_and_malformed_messages() {
    let (b, c, z) = (bound, complete, ready);
    let e = || error("ERROR", "23505", "twice");
    let cases: &[(&str, Vec<Vec<u8>>)] = &[
        ("Z first", vec![z()]),
        ("a row first", vec![row(&[])]),
        ("complete first", vec![c()]),
        ("bound twice", vec![b(), b()]),
        ("Z after bound", vec![b(), z()]),
        ("a row after complete", vec![b(), c(), row(&[])]),
        ("complete after an error", vec![e(), c()]),
        ("two errors", vec![e(), e()]),
        ("suspended, without a limit", vec![b(), message(b's', b"")]),
        ("no data, without Describe", vec![b(), message(b'n', b"")]),
        ("parsed", vec![message(b'1', b"")]),
        ("authentication", vec![message(b'R', b"\0\0\0\0")]),
        ("copy out", vec![b(), message(b'H', b"\0\0\0")]),
        ("an unknown tag", vec![b(), message(b'!', b"")]),
        ("bound with a body", vec![message(b'2', b"x")]),
        ("a row without a count", vec![b(), message(b'D', b"\0")]),
        (
            "a row cut short",
            vec![b(), message(b'D', b"\0\x01\0\0\0\x02a")],
        ),
        (
            "a row too long",
            vec![b(), message(b'D', b"\0\x01\0\0\0\x01ab")],
        ),
        (
            "a negative length",
            vec![b(), message(b'D', b"\0\x01\xff\xff\xff\xfe")],
        ),
        (
            "an error without SQLSTATE",
            vec![message(b'E', b"VERROR\0Mx\0\0")],
        ),
        (
            "an error without severity",
            vec![message(b'E', b"C23505\0Mx\0\0")],
        ),
        (
            "an error cut short",
            vec![message(b'E', b"VERROR\0C23505\0Mx")],
        ),
        (
            "a short SQLSTATE",
            vec![message(b'E', b"VERROR\0C2350\0\0")],
        ),
        ("an empty error", vec![message(b'E', b"")]),
        ("length 3", vec![b"2\0\0\0\x03".to_vec()]),
        ("length -1", vec![b"2\xff\xff\xff\xff".to_vec()]),
        (
            "too long",
            vec![
                [
                    b"D".to_vec(),
                    (MESSAGE_BYTES_MAX + 1).to_be_bytes()[4..].into(),
                ]
                .concat(),
            ],
        ),
        ("HTTP", vec![b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()]),
    ];
    for (name, messages) in cases {
        check(name, messages, &["broken: "]);
    }
}

#[test]
fn a_reply_has_a_greatest_length() {
    let big = row(&[Some(&vec![0; MESSAGE_BYTES_MAX - 10])]);
    assert_eq!(big.len(), MESSAGE_BYTES_MAX + 1);
    let fits = [bound(), big.clone(), complete(), ready()].concat();
    let got = transcript(&fits, |_| usize::MAX / 2);
    assert_eq!(got.last().unwrap(), "0 left");
    let bytes = [bound(), big.clone(), big.clone(), complete(), ready()].concat();
    assert!(bytes.len() > REPLY_BYTES_MAX);
    let got = transcript(&bytes, |_| 1 << 20);
    assert!(
        got.concat().starts_with("broken: a reply longer than"),
        "{got:?}"
    );
}

#[test]
fn errors_are_one_log_line() {
    let body = b"SFEHLER\0VERROR\0C22021\0Mdo\xffnt\nsplit\0Hhelp\0\0";
    let bytes = [message(b'E', body), ready()].concat();
    let mut decoder = ReplyDecoder::default();
    let reply = decoder.decode(&bytes).unwrap().unwrap();
    let error = reply.result.unwrap_err();
    assert_eq!(
        error.to_string(),
        "ERROR 22021: do\u{fffd}nt split; hint: help"
    );
    assert_eq!((error.sqlstate(), error.detail.as_deref()), ("22021", None));
    let bytes = [message(b'E', b"SFATAL\0C57P01\0Mold\0\0")].concat();
    let got = transcript(&bytes, |_| 1);
    assert_eq!(got, ["fatal 57P01"], "a server without field V");
}

fn a_message() -> impl Strategy<Value = Vec<u8>> {
    let value = proptest::option::of(proptest::collection::vec(any::<u8>(), 0..20));
    prop_oneof![
        4 => Just(bound()),
        4 => Just(complete()),
        4 => Just(ready()),
        2 => Just(error("ERROR", "40001", "again")),
        1 => Just(error("FATAL", "57P01", "bye")),
        2 => Just(notice()),
        4 => proptest::collection::vec(value, 0..4)
            .prop_map(|row_| row(&row_.iter().map(Option::as_deref).collect::<Vec<_>>())),
    ]
}

/// Replies as a server sends them, many in a row.
fn a_session() -> impl Strategy<Value = Vec<u8>> {
    let value = proptest::option::of(proptest::collection::vec(any::<u8>(), 0..40));
    let rows = proptest::collection::vec(proptest::collection::vec(value, 0..4), 0..12);
    let reply = (rows, 0..4, any::<bool>()).prop_map(|(rows, kind, noisy)| {
        let noise = if noisy { notice() } else { Vec::new() };
        let rows = rows
            .iter()
            .map(|values| row(&values.iter().map(Option::as_deref).collect::<Vec<_>>()));
        let rows = rows.collect::<Vec<_>>().concat();
        let e = error("ERROR", "40001", "again");
        match kind {
            0 => [e, noise, ready()].concat(),
            1 => [bound(), rows, noise, e, ready()].concat(),
            2 => [noise, bound(), rows, complete(), e, ready()].concat(),
            _ => [bound(), noise.clone(), rows, noise, complete(), ready()].concat(),
        }
    });
    proptest::collection::vec(reply, 0..8).prop_map(|replies| replies.concat())
}

proptest! {
    #[test]
    fn any_split_of_a_session_gives_the_same(bytes in a_session(), steps in splits()) {
        let whole = transcript(&bytes, |_| bytes.len());
        prop_assert_eq!(whole.last().unwrap(), "0 left");
        prop_assert_eq!(&whole, &transcript(&bytes, |at| steps[at % steps.len()]));
        prop_assert_eq!(&whole, &transcript(&bytes, |_| 1));
    }

    #[test]
    fn any_split_of_any_messages_gives_the_same(
        messages in proptest::collection::vec(a_message(), 0..20),
        steps in splits(),
    ) {
        let bytes = messages.concat();
        // Notices are dropped early or with the next reply: what is left over may differ.
        let said = |split: &dyn Fn(usize) -> usize| {
            let mut said = transcript(&bytes, split);
            said.retain(|words| !words.ends_with(" left"));
            said
        };
        let whole = said(&|_| bytes.len());
        prop_assert_eq!(&whole, &said(&|at| steps[at % steps.len()]));
        prop_assert_eq!(&whole, &said(&|_| 1));
    }

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        transcript(&bytes, |_| 1);
        let led = [bound(), bytes].concat();
        transcript(&led, |_| 3);
    }
}
