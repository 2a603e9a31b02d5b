//! Calls as they are written, and values as they are read: what goes out comes back.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use bytes::BytesMut;
use crebito::pg::{Oid, Params, Statement, append_call, oid, value};
use proptest::prelude::*;

type Append = fn(&mut Params<'_>);

/// A statement called `lote` with these parameters.
fn statement(params: &'static [Oid]) -> Statement {
    Statement {
        name: "lote",
        sql: "SELECT lote()",
        params,
        columns: &[],
        files: &["sql/lote.sql"],
    }
}

fn call(params: &'static [Oid], append: impl FnOnce(&mut Params<'_>)) -> BytesMut {
    let mut out = BytesMut::new();
    append_call(&mut out, &statement(params), append);
    out
}

/// The parameters of the only call in `bytes`, taken out as PostgreSQL 55.7 describes Bind; what
/// follows must be Execute and Sync.
fn bound(bytes: &[u8]) -> Vec<Vec<u8>> {
    let len = usize::try_from(u32::from_be_bytes(bytes[1..5].try_into().unwrap())).unwrap();
    let (bind, after) = bytes.split_at(len + 1);
    assert_eq!(after, b"E\0\0\0\x09\0\0\0\0\0S\0\0\0\x04", "Execute, Sync");
    let bind = bind.strip_prefix(b"B").unwrap().get(4..).unwrap();
    let bind = bind
        .strip_prefix(b"\0lote\0\0\x01\0\x01")
        .expect("portal, statement, binary");
    let (count, mut rest) = bind.split_at(2);
    let mut values = Vec::new();
    for _ in 0..u16::from_be_bytes(count.try_into().unwrap()) {
        let (len, after) = rest.split_at(4);
        let len = usize::try_from(u32::from_be_bytes(len.try_into().unwrap())).unwrap();
        let (value, after) = after.split_at(len);
        values.push(value.to_vec());
        rest = after;
    }
    assert_eq!(rest, b"\0\x01\0\x01", "binary results");
    values
}

#[test]
fn calls_are_exact() {
    let got = call(&[oid::INT8, oid::TEXT], |params| {
        params.int8(-2);
        params.text("olá");
    });
    let want = b"B\0\0\0\x28\0lote\0\0\x01\0\x01\0\x02\
        \0\0\0\x08\xff\xff\xff\xff\xff\xff\xff\xfe\
        \0\0\0\x04ol\xc3\xa1\
        \0\x01\0\x01\
        E\0\0\0\x09\0\0\0\0\0S\0\0\0\x04";
    assert_eq!(
        got.escape_ascii().to_string(),
        want.escape_ascii().to_string()
    );
    let cases: [(&'static [Oid], Append, Vec<u8>); 4] = [
        (
            &[oid::INT8_ARRAY],
            |params| params.int8_array([1, -1].into_iter()),
            b"\0\0\0\x01\0\0\0\0\0\0\0\x14\0\0\0\x02\0\0\0\x01\
              \0\0\0\x08\0\0\0\0\0\0\0\x01\0\0\0\x08\xff\xff\xff\xff\xff\xff\xff\xff"
                .to_vec(),
        ),
        (
            &[oid::INT8_ARRAY],
            |params| params.int8_array([].into_iter()),
            b"\0\0\0\0\0\0\0\0\0\0\0\x14".to_vec(),
        ),
        (
            &[oid::TEXT_ARRAY],
            |params| params.text_array(["", "\u{1f600}"].into_iter()),
            b"\0\0\0\x01\0\0\0\0\0\0\0\x19\0\0\0\x02\0\0\0\x01\
              \0\0\0\0\0\0\0\x04\xf0\x9f\x98\x80"
                .to_vec(),
        ),
        (
            &[oid::TEXT_ARRAY],
            |params| params.text_array([].into_iter()),
            b"\0\0\0\0\0\0\0\0\0\0\0\x19".to_vec(),
        ),
    ];
    for (params, append, want) in cases {
        assert_eq!(bound(&call(params, append)), [want]);
    }
    assert_eq!(bound(&call(&[], |_| ())), Vec::<Vec<u8>>::new());
    let mut out = call(&[], |_| ());
    let one = out.clone();
    append_call(&mut out, &statement(&[]), |_| ());
    assert_eq!(out, [one.clone(), one].concat(), "calls follow one another");
}

#[test]
#[cfg(debug_assertions)]
fn a_slip_of_our_own_is_found_in_debug_builds() {
    let cases: [(&'static [Oid], Append); 4] = [
        (&[oid::INT8], |_| ()),
        (&[], |params| params.int8(1)),
        (&[oid::TEXT], |params| params.int8(1)),
        (&[oid::INT8_ARRAY], |params| {
            params.text_array([].into_iter())
        }),
    ];
    for (params, append) in cases {
        assert!(
            std::panic::catch_unwind(|| call(params, append)).is_err(),
            "{params:?}"
        );
    }
}

fn ints(bytes: &[u8], element: Oid) -> Option<Vec<Option<i64>>> {
    let array = value::array(bytes, element)?;
    let len = array.len();
    let ints: Vec<_> = array.map(|value| value.and_then(value::int8)).collect();
    assert_eq!(ints.len(), len);
    Some(ints)
}

#[test]
fn values() {
    assert_eq!(value::int2(b"\xff\xfe"), Some(-2));
    assert_eq!(
        value::int8(b"\x7f\xff\xff\xff\xff\xff\xff\xff"),
        Some(i64::MAX)
    );
    assert_eq!(value::text("olá".as_bytes()), Some("olá"));
    assert_eq!(value::timestamptz(&(-1i64).to_be_bytes()), Some(-1));
    for (name, none) in [
        ("a short int2", value::int2(b"\0").is_none()),
        ("a long int2", value::int2(b"\0\0\0").is_none()),
        ("a short int8", value::int8(b"\0\0\0\0\0\0\0").is_none()),
        ("a long int8", value::int8(&[0; 9]).is_none()),
        ("not UTF-8", value::text(b"a\xff").is_none()),
        (
            "infinity",
            value::timestamptz(&i64::MAX.to_be_bytes()).is_none(),
        ),
        (
            "-infinity",
            value::timestamptz(&i64::MIN.to_be_bytes()).is_none(),
        ),
        ("a short time", value::timestamptz(b"").is_none()),
    ] {
        assert!(none, "{name}");
    }
    let one = b"\0\0\0\x01\0\0\0\0\0\0\0\x14\0\0\0\x01\0\0\0\x01\0\0\0\x08\0\0\0\0\0\0\0\x05";
    assert_eq!(ints(one, oid::INT8), Some(vec![Some(5)]));
    assert_eq!(ints(one, oid::INT2), None, "another type");
    for cut in 0..one.len() {
        assert_eq!(ints(&one[..cut], oid::INT8), None, "cut to {cut}");
    }
    assert_eq!(
        ints(&[&one[..], b"\0"].concat(), oid::INT8),
        None,
        "too long"
    );
    let mut two_dimensions = one.to_vec();
    two_dimensions[3] = 2;
    two_dimensions.splice(20..20, *b"\0\0\0\x01\0\0\0\x01");
    assert_eq!(ints(&two_dimensions, oid::INT8), None, "two dimensions");
    let with_null = b"\0\0\0\x01\0\0\0\x01\0\0\0\x14\0\0\0\x01\0\0\0\x01\xff\xff\xff\xff";
    assert_eq!(ints(with_null, oid::INT8), Some(vec![None]));
    let mut huge = one.to_vec();
    huge[12..16].copy_from_slice(&i32::MAX.to_be_bytes());
    assert_eq!(ints(&huge, oid::INT8), None, "more elements than bytes");
    huge[..4].copy_from_slice(&i32::MAX.to_be_bytes());
    assert_eq!(ints(&huge, oid::INT8), None, "more dimensions than bytes");
}

proptest! {
    #[test]
    fn what_is_bound_is_read_back(
        id in any::<i64>(),
        text in ".{0,20}",
        ids in proptest::collection::vec(any::<i64>(), 0..40),
        texts in proptest::collection::vec(".{0,12}", 0..40),
    ) {
        let bytes = call(&[oid::INT8, oid::TEXT, oid::INT8_ARRAY, oid::TEXT_ARRAY], |params| {
            params.int8(id);
            params.text(&text);
            params.int8_array(ids.iter().copied());
            params.text_array(texts.iter().map(String::as_str));
        });
        let values = bound(&bytes);
        prop_assert_eq!(value::int8(&values[0]), Some(id));
        prop_assert_eq!(value::text(&values[1]), Some(&*text));
        let want: Vec<_> = ids.iter().copied().map(Some).collect();
        prop_assert_eq!(ints(&values[2], oid::INT8), Some(want));
        let got = value::array(&values[3], oid::TEXT).unwrap();
        let got: Vec<_> = got.map(|text| value::text(text.unwrap()).unwrap()).collect();
        prop_assert_eq!(got, texts);
    }

    #[test]
    fn random_values_never_panic(
        dimensions in 0..3u8,
        bytes in proptest::collection::vec(any::<u8>(), 0..80),
        small in proptest::collection::vec(0..3u8, 0..80),
    ) {
        for bytes in [&bytes, &small] {
            value::int2(bytes);
            value::int8(bytes);
            value::text(bytes);
            value::timestamptz(bytes);
            ints(bytes, oid::INT8);
            let led = [&[0, 0, 0, dimensions, 0, 0, 0, 0, 0, 0, 0, 20], &bytes[..]].concat();
            ints(&led, oid::INT8);
        }
    }
}
