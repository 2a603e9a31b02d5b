//! Calls and replies of the procedures, byte for byte: what is taken, and what is a mismatch.

use bytes::{BufMut, BytesMut};
use crebito::bank::extrato::{Made, append_json};
use crebito::bank::{
    Descricao, Outcome, STATEMENTS, Transacao, append_distintas, append_extrato, append_insert,
    append_lote, decode_insert, decode_lote,
};
use crebito::limits;
use crebito::pg::{ReplyDecoder, Rows, oid};
use proptest::prelude::*;

/// A value of a row in binary format.
type Value = Option<Vec<u8>>;

type Reply = Vec<Vec<Value>>;

/// Gives `look` the rows of a reply.
fn with_rows<T>(rows: &[Vec<Value>], look: impl FnOnce(&Rows<'_>) -> T) -> T {
    let mut bytes = BytesMut::from(&b"2\0\0\0\x04"[..]);
    for row in rows {
        let mut body = Vec::new();
        body.put_u16(u16::try_from(row.len()).expect("few"));
        for value in row {
            put_value(&mut body, value.as_deref());
        }
        bytes.put_u8(b'D');
        bytes.put_i32(i32::try_from(body.len() + 4).expect("small"));
        bytes.put_slice(&body);
    }
    bytes.put_slice(b"C\0\0\0\x0dSELECT 1\0Z\0\0\0\x05I");
    let reply = ReplyDecoder::default().decode(&bytes);
    let reply = reply.expect("well-formed").expect("whole");
    look(&reply.result.expect("rows"))
}

fn put_value(out: &mut Vec<u8>, value: Option<&[u8]>) {
    match value {
        Some(bytes) => {
            out.put_i32(i32::try_from(bytes.len()).expect("small"));
            out.put_slice(bytes);
        }
        None => out.put_i32(-1),
    }
}

fn int2(value: i16) -> Value {
    Some(value.to_be_bytes().to_vec())
}

fn int8(value: i64) -> Value {
    Some(value.to_be_bytes().to_vec())
}

fn text(value: &str) -> Value {
    Some(value.as_bytes().to_vec())
}

fn array(element: u32, values: &[Value]) -> Value {
    let mut out = Vec::new();
    out.put_i32(i32::from(!values.is_empty()));
    out.put_i32(i32::from(values.contains(&None)));
    out.put_u32(element);
    if !values.is_empty() {
        out.put_i32(i32::try_from(values.len()).expect("few"));
        out.put_i32(1);
    }
    for value in values {
        put_value(&mut out, value.as_deref());
    }
    Some(out)
}

fn int8s(values: &[Value]) -> Value {
    array(oid::INT8, values)
}

fn int2s(values: &[i16]) -> Value {
    array(
        oid::INT2,
        &values.iter().map(|value| int2(*value)).collect::<Vec<_>>(),
    )
}

const APPLIED: Outcome = Outcome::Applied {
    saldo: -5,
    limite: 10,
};

#[test]
fn replies_to_one() {
    let good = |resultado| vec![int2(resultado), int8(-5), int8(10)];
    let cases: Vec<(Reply, Option<Outcome>)> = vec![
        (vec![good(0)], Some(APPLIED)),
        (vec![vec![int2(1), None, None]], Some(Outcome::NoCliente)),
        (vec![good(2)], Some(Outcome::OverLimit)),
        (vec![good(3)], Some(Outcome::Overflow)),
        (vec![], None),
        (vec![good(0), good(0)], None),
        (vec![good(4)], None),
        (vec![good(-1)], None),
        (vec![vec![None, int8(-5), int8(10)]], None),
        (vec![vec![int2(0), None, int8(10)]], None),
        (vec![vec![int2(0), int8(-5), None]], None),
        (vec![vec![int2(0), int8(-5)]], None),
        (vec![vec![int2(0), int8(-5), int8(10), None]], None),
        (vec![vec![int8(0), int8(-5), int8(10)]], None),
        (vec![vec![int2(0), int2(-5), int8(10)]], None),
    ];
    for (rows, expected) in cases {
        let outcome = with_rows(&rows, |rows| decode_insert(rows).ok());
        assert_eq!(outcome, expected, "{rows:?}");
    }
}

#[test]
fn replies_to_many() {
    let saldos = || int8s(&[int8(-5), None, int8(7), int8(8)]);
    let limites = || int8s(&[int8(10), None, int8(10), int8(10)]);
    let good = || vec![int2s(&[0, 1, 2, 3]), saldos(), limites()];
    let four = vec![
        APPLIED,
        Outcome::NoCliente,
        Outcome::OverLimit,
        Outcome::Overflow,
    ];
    let none = || array(oid::INT8, &[]);
    let cases: Vec<(Reply, usize, Option<Vec<Outcome>>)> = vec![
        (vec![good()], 4, Some(four)),
        (vec![vec![int2s(&[]), none(), none()]], 0, Some(vec![])),
        (vec![good()], 3, None),
        (vec![good()], 5, None),
        (vec![good()], 0, None),
        (vec![], 0, None),
        (vec![], 4, None),
        (vec![good(), good()], 4, None),
        (
            vec![vec![int2s(&[0, 0, 2, 3]), saldos(), limites()]],
            4,
            None,
        ),
        (
            vec![vec![int2s(&[0, 1, 2, 9]), saldos(), limites()]],
            4,
            None,
        ),
        (vec![vec![int2s(&[0, 1, 2]), saldos(), limites()]], 4, None),
        (vec![vec![int2s(&[0, 1, 2, 3]), none(), limites()]], 4, None),
        (vec![vec![None, saldos(), limites()]], 4, None),
        (vec![vec![int2s(&[0, 1, 2, 3]), None, limites()]], 4, None),
        (vec![vec![saldos(), saldos(), limites()]], 4, None),
        (vec![vec![int2s(&[0, 1, 2, 3]), saldos()]], 4, None),
        (vec![vec![int2(0), int8(1), int8(1)]], 1, None),
    ];
    for (rows, n, expected) in cases {
        let outcomes = with_rows(&rows, |rows| {
            decode_lote(rows, n).ok().map(Iterator::collect::<Vec<_>>)
        });
        assert_eq!(outcomes, expected, "{n} of {rows:?}");
    }
}

/// 2024-01-17T02:34:41.217753Z
const READ_AT: i64 = 758_774_081_217_753;

fn extrato_row(transacao: Option<(i64, &str, &str, i64)>) -> Vec<Value> {
    let mut row = vec![int8(-9098), int8(100_000), int8(READ_AT)];
    match transacao {
        Some((valor, tipo, descricao, realizada_em)) => {
            row.extend([int8(valor), text(tipo), text(descricao), int8(realizada_em)]);
        }
        None => row.extend([None, None, None, None]),
    }
    row
}

/// The body of an extrato that was read at this time and lists this.
fn saldo(time: &str, list: &str) -> Option<String> {
    Some(format!(
        concat!(
            r#"{{"saldo":{{"total":-9098,"data_extrato":"{time}","limite":100000}},"#,
            r#""ultimas_transacoes":[{list}]}}"#
        ),
        time = time,
        list = list
    ))
}

#[test]
fn extratos() {
    let now = "2024-01-17T02:34:41.217753Z";
    let ten_at = READ_AT - 2_674_723;
    let ten = concat!(
        r#"{"valor":10,"tipo":"c","descricao":"descricao","#,
        r#""realizada_em":"2024-01-17T02:34:38.543030Z"}"#
    );
    let odd = concat!(
        r#"{"valor":1,"tipo":"d","descricao":"\"\\é\u0001","#,
        r#""realizada_em":"2000-01-01T00:00:00.000000Z"}"#
    );
    let row = || extrato_row(Some((10, "c", "descricao", ten_at)));
    let without = |at: usize| {
        let mut row = row();
        row[at] = None;
        row
    };
    let short = || row()[..6].to_vec();
    let nothing = Some(String::new());
    for (rows, expected) in [
        (vec![], nothing),
        (vec![extrato_row(None)], saldo(now, "")),
        (vec![row()], saldo(now, ten)),
        (
            vec![row(), extrato_row(Some((1, "d", "\"\\é\u{1}", 0)))],
            saldo(now, &format!("{ten},{odd}")),
        ),
        // The clock was set back after the newest one.
        (
            vec![extrato_row(Some((
                10,
                "c",
                "descricao",
                READ_AT + 1_000_000,
            )))],
            saldo(
                "2024-01-17T02:34:42.217753Z",
                &ten.replace("38.543030", "42.217753"),
            ),
        ),
        (vec![row(); 10], saldo(now, &[ten; 10].join(","))),
        (vec![row(); 11], None),
        (vec![row(), extrato_row(None)], None),
        (vec![extrato_row(None), row()], None),
        (vec![without(0)], None),
        (vec![without(1)], None),
        (vec![without(2)], None),
        (vec![without(3)], None),
        (vec![row(), without(4)], None),
        (vec![row(), without(5)], None),
        (vec![row(), without(6)], None),
        (vec![short()], None),
    ] {
        let mut out = b"before".to_vec();
        let found = with_rows(&rows, |rows| append_json(&mut out, rows));
        let body = String::from_utf8(out.split_off(6)).expect("JSON is UTF-8");
        assert_eq!(out, b"before");
        let made = match rows.is_empty() {
            true => Made::NoCliente,
            false => Made::Json,
        };
        assert_eq!(found.ok(), expected.as_ref().map(|_| made), "{rows:?}");
        assert_eq!(body, expected.unwrap_or_default());
    }
}

#[test]
fn a_time_that_cannot_be_said_spoils_its_extrato_alone() {
    let row = |realizada_em| extrato_row(Some((10, "c", "a", realizada_em)));
    for micros in [i64::MIN, i64::MIN + 1, i64::MAX - 1, i64::MAX] {
        for rows in [vec![row(micros)], vec![row(READ_AT), row(micros)]] {
            let mut out = b"before".to_vec();
            let made = with_rows(&rows, |rows| append_json(&mut out, rows));
            assert_eq!(made.ok(), Some(Made::Unsayable), "{micros}");
            assert_eq!(out, b"before");
        }
    }
}

/// From the first moment of year 0 to the last of 9999.
#[test]
fn the_first_and_the_last_time_that_can_be_said() {
    const DAY: i64 = 86_400_000_000;
    let (first, behind) = (-730_485 * DAY, 2_921_940 * DAY);
    for (micros, said) in [
        (first - 1, None),
        (first, Some("0000-01-01T00:00:00.000000Z")),
        (behind - 1, Some("9999-12-31T23:59:59.999999Z")),
        (behind, None),
    ] {
        let rows = [extrato_row(Some((10, "c", "a", micros)))];
        let mut out = Vec::new();
        let made = with_rows(&rows, |rows| append_json(&mut out, rows));
        let expected = said.map_or(Made::Unsayable, |_| Made::Json);
        assert_eq!(made.ok(), Some(expected), "{micros}");
        let body = String::from_utf8(out).expect("JSON is UTF-8");
        assert!(body.contains(said.unwrap_or_default()), "{body}");
    }
}

fn is_read_back(descricao: &str) {
    let rows = [extrato_row(Some((10, "c", descricao, READ_AT)))];
    let mut out = Vec::new();
    let made = with_rows(&rows, |rows| append_json(&mut out, rows));
    assert_eq!(made.ok(), Some(Made::Json));
    let read: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
    assert_eq!(&read["ultimas_transacoes"][0]["descricao"], descricao);
}

#[test]
fn every_character_of_ascii_is_read_back_from_its_json() {
    for character in '\0'..='\x7f' {
        is_read_back(&format!("a{character}b"));
    }
}

proptest! {
    #[test]
    fn a_descricao_is_read_back_from_its_json(descricao in "\\PC{1,10}") {
        is_read_back(&descricao);
    }
}

#[test]
fn descricoes_longer_than_any_answer_spoil_their_extrato_alone() {
    // One that is too long, and some that are together.
    for (bytes, rows) in [(100_000, 1), (200, limits::EXTRATO_ROWS_MAX)] {
        let descricao = "a".repeat(bytes);
        let row = extrato_row(Some((10, "c", &descricao, READ_AT)));
        let mut out = b"before".to_vec();
        let made = with_rows(&vec![row; rows], |rows| append_json(&mut out, rows));
        assert_eq!(made.ok(), Some(Made::Unsayable), "{bytes}");
        assert_eq!(out, b"before");
    }
}

#[test]
fn the_longest_extrato_is_within_its_bound() {
    let descricao = "\u{1}".repeat(limits::DESCRICAO_CHARS_MAX);
    let mut row = extrato_row(Some((i64::MAX, "c", &descricao, READ_AT)));
    row[..2].clone_from_slice(&[int8(-i64::MAX), int8(i64::MAX)]);
    let rows = vec![row; limits::EXTRATO_ROWS_MAX];
    let mut out = vec![b'x'; 1_000];
    with_rows(&rows, |rows| append_json(&mut out, rows)).expect("rows of an extrato");
    let body = out.split_off(1_000);
    assert!(body.len() > 1_500, "{}", String::from_utf8_lossy(&body));
    assert!(body.len() <= limits::EXTRATO_BODY_BYTES_MAX);
}

#[test]
fn calls_name_their_statements() {
    let transacao_of = |cliente, valor| Transacao {
        cliente,
        valor,
        descricao: Descricao::new("é").expect("one character"),
    };
    let transacao = |valor| transacao_of(1, valor);
    let [insert, lote, distintas, extrato] =
        STATEMENTS.map(|statement| format!("B....\0{}\0", statement.name));
    let mut calls: [BytesMut; 6] = std::array::from_fn(|_| BytesMut::new());
    append_insert(&mut calls[0], &transacao(-7));
    append_insert(&mut calls[1], &transacao(i64::MAX));
    append_lote(&mut calls[2], [transacao(-7), transacao(8)].iter());
    append_distintas(&mut calls[3], [transacao(1), transacao_of(2, 1)].iter(), 2);
    append_distintas(&mut calls[4], [transacao(1), transacao(2)].iter(), 1);
    append_extrato(&mut calls[5], 9);
    let names = [&insert, &insert, &lote, &distintas, &distintas, &extrato];
    for (call, name) in calls.iter().zip(names) {
        assert_eq!(call[5..name.len()], name.as_bytes()[5..]);
        assert!(call.ends_with(b"S\0\0\0\x04"));
    }
    // One of each: the single call takes the value and its kind apart.
    let holds = |call: &BytesMut, bytes: &[u8]| call.windows(bytes.len()).any(|part| part == bytes);
    assert!(holds(
        &calls[0],
        b"\0\0\0\x08\0\0\0\0\0\0\0\x07\0\0\0\x01d\0\0\0\x02\xc3\xa9"
    ));
    assert!(holds(
        &calls[1],
        b"\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\x01c"
    ));
    assert!(holds(&calls[2], &(-7_i64).to_be_bytes()));
}

proptest! {
    #[test]
    fn random_values_never_panic(
        rows in prop::collection::vec(prop::collection::vec(
            prop::option::of(prop::collection::vec(any::<u8>(), 0..40)), 0..9), 0..4),
        n in 0..4_usize,
    ) {
        with_rows(&rows, |rows| {
            let _ = decode_insert(rows);
            let _ = decode_lote(rows, n).map(Iterator::count);
            let _ = append_json(&mut Vec::new(), rows);
        });
    }
}
