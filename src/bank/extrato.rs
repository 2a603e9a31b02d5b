//! The extrato's JSON, straight from the rows.

use super::procedures::{Mismatch, columns};
use crate::http;
use crate::limits::{EXTRATO_BODY_BYTES_MAX, EXTRATO_ROWS_MAX};
use crate::pg::{Row, Rows, value};

/// What the rows of an extrato come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    /// Its JSON was appended.
    Json,
    /// There is no such cliente: nothing was appended.
    NoCliente,
    /// It holds what no answer can say, which somebody has put there by hand: a time that is not
    /// one of RFC 3339 (infinite, before the year 0, after 9999), or descricoes longer than
    /// [`EXTRATO_BODY_BYTES_MAX`] has room for. Nothing was appended.
    Unsayable,
}

/// Appends the extrato that the reply to [`super::append_extrato`] holds.
///
/// # Errors
///
/// If the rows are not those of `banco.extrato`; nothing is appended then.
pub fn append_json(out: &mut Vec<u8>, rows: &Rows<'_>) -> Result<Made, Mismatch> {
    let start = out.len();
    if rows.iter().next().is_none() {
        return Ok(Made::NoCliente);
    }
    let said = append_all(out, rows);
    let fits = out.len() - start <= EXTRATO_BODY_BYTES_MAX;
    if said == Some(true) && fits {
        return Ok(Made::Json);
    }
    out.truncate(start);
    said.map(|_| Made::Unsayable).ok_or(Mismatch("extrato"))
}

/// `None` if the rows are others; else whether all that they hold could be said.
fn append_all(out: &mut Vec<u8>, rows: &Rows<'_>) -> Option<bool> {
    let mut rows = rows.iter().peekable();
    let mut said = append_saldo(out, *rows.peek()?)?;
    let mut at = 0;
    while let Some(row) = rows.next() {
        let only = at == 0 && rows.peek().is_none();
        said &= append_transacao(out, row, at, only)?;
        at += 1;
    }
    out.extend_from_slice(b"]}");
    Some(said)
}

/// Appends what comes before the first transacao.
fn append_saldo(out: &mut Vec<u8>, first: Row<'_>) -> Option<bool> {
    let [saldo, limite, lida_em, _, _, _, realizada_em] = columns(first)?;
    let lida_em = value::timestamptz(lida_em?);
    // Clocks may be set back; an extrato is never older than what it shows.
    let data_extrato =
        realizada_em.map_or(lida_em, |newest| lida_em.max(value::timestamptz(newest)));
    out.extend_from_slice(b"{\"saldo\":{\"total\":");
    append_integer(out, value::int8(saldo?)?);
    out.extend_from_slice(b",\"data_extrato\":\"");
    let said = append_time(out, data_extrato);
    out.extend_from_slice(b"\",\"limite\":");
    append_integer(out, value::int8(limite?)?);
    out.extend_from_slice(b"},\"ultimas_transacoes\":[");
    Some(said)
}

/// Appends the transacao of the row at place `at`; of an only row it may be absent.
fn append_transacao(out: &mut Vec<u8>, row: Row<'_>, at: usize, only: bool) -> Option<bool> {
    let [_, _, _, valor, tipo, descricao, realizada_em] = columns(row)?;
    if only && [valor, tipo, descricao, realizada_em] == [None; 4] {
        return Some(true);
    }
    if at >= EXTRATO_ROWS_MAX {
        return None;
    }
    if at > 0 {
        out.push(b',');
    }
    out.extend_from_slice(b"{\"valor\":");
    append_integer(out, value::int8(valor?)?);
    out.extend_from_slice(b",\"tipo\":\"");
    let mut said = append_escaped(out, value::text(tipo?)?);
    out.extend_from_slice(b"\",\"descricao\":\"");
    said &= append_escaped(out, value::text(descricao?)?);
    out.extend_from_slice(b"\",\"realizada_em\":\"");
    said &= append_time(out, value::timestamptz(realizada_em?));
    out.extend_from_slice(b"\"}");
    Some(said)
}

fn append_integer(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Appends the text as it stands between the quotes of a JSON string (RFC 8259 7). False for one
/// that is too long for any answer.
fn append_escaped(out: &mut Vec<u8>, text: &str) -> bool {
    if text.len() > EXTRATO_BODY_BYTES_MAX {
        return false;
    }
    for &byte in text.as_bytes() {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0C => out.extend_from_slice(b"\\f"),
            0x00..0x20 => {
                let low = byte & 0x0F;
                let digit = if low < 10 {
                    b'0' + low
                } else {
                    b'a' + low - 10
                };
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[b'0' + (byte >> 4), digit]);
            }
            _ => out.push(byte),
        }
    }
    true
}

/// Appends `2024-01-17T02:34:41.217753Z` (RFC 3339) for microseconds since 2000-01-01T00:00:00Z.
/// False for what that form cannot say: outside of the years 0 to 9999, or infinite (`None`).
fn append_time(out: &mut Vec<u8>, micros: Option<i64>) -> bool {
    let Some(micros) = micros else {
        return false;
    };
    let (days, micros) = (micros.div_euclid(DAY_MICROS), micros.rem_euclid(DAY_MICROS));
    let days = days + DAYS_TO_2000;
    if days < 0 {
        return false;
    }
    let (year, month, day) = http::civil(days);
    if year > 9999 {
        return false;
    }
    let seconds = micros / 1_000_000;
    for (value, width, after) in [
        (year, 4, b'-'),
        (month + 1, 2, b'-'),
        (day, 2, b'T'),
        (seconds / 3600, 2, b':'),
        (seconds / 60 % 60, 2, b':'),
        (seconds % 60, 2, b'.'),
        (micros % 1_000_000, 6, b'Z'),
    ] {
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(value).as_bytes();
        out.extend(std::iter::repeat_n(b'0', width - digits.len().min(width)));
        out.extend_from_slice(digits);
        out.push(after);
    }
    true
}

const DAY_MICROS: i64 = 86_400_000_000;

/// Days from 0000-01-01 to 2000-01-01.
const DAYS_TO_2000: i64 = 730_485;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn time(micros: i64) -> Option<String> {
        let mut out = Vec::new();
        append_time(&mut out, Some(micros))
            .then(|| String::from_utf8(out).expect("digits and signs"))
    }

    /// The same by a library.
    fn expected_time(micros: i64) -> Option<String> {
        let unix = micros.checked_add(946_684_800_000_000)?;
        let time = jiff::Timestamp::from_microsecond(unix).ok()?;
        let year = time.to_zoned(jiff::tz::TimeZone::UTC).year();
        (0..=9999).contains(&year).then(|| format!("{time:.6}"))
    }

    #[test]
    fn times() {
        const DAY: i64 = DAY_MICROS;
        for (micros, expected) in [
            (0, "2000-01-01T00:00:00.000000Z"),
            (1, "2000-01-01T00:00:00.000001Z"),
            (-1, "1999-12-31T23:59:59.999999Z"),
            (58 * DAY, "2000-02-28T00:00:00.000000Z"),
            (59 * DAY, "2000-02-29T00:00:00.000000Z"),
            (60 * DAY, "2000-03-01T00:00:00.000000Z"),
            (366 * DAY - 1, "2000-12-31T23:59:59.999999Z"),
            (366 * DAY, "2001-01-01T00:00:00.000000Z"),
            (758_774_081_217_753, "2024-01-17T02:34:41.217753Z"),
            (-36_465 * DAY, "1900-03-01T00:00:00.000000Z"),
            (-36_466 * DAY, "1900-02-28T00:00:00.000000Z"),
            (36_583 * DAY, "2100-02-28T00:00:00.000000Z"),
            (36_584 * DAY, "2100-03-01T00:00:00.000000Z"),
            (-730_485 * DAY, "0000-01-01T00:00:00.000000Z"),
        ] {
            assert_eq!(time(micros).as_deref(), Some(expected));
            assert_eq!(expected_time(micros).as_deref(), Some(expected));
        }
        assert_eq!(time(-730_485 * DAY - 1), None);
        assert_eq!(time(2_921_940 * DAY), None);
        assert_eq!(time(i64::MIN), None);
        assert_eq!(time(i64::MAX), None);
    }

    /// The calendar repeats after 400 years.
    #[test]
    fn every_day() {
        for day in -73_000..73_097 {
            let micros = day * DAY_MICROS;
            assert_eq!(time(micros), expected_time(micros));
        }
    }

    proptest! {
        #[test]
        fn times_as_the_library_writes_them(
            micros in -730_485 * DAY_MICROS..2_921_938 * DAY_MICROS
        ) {
            prop_assert_eq!(time(micros), expected_time(micros));
        }

        #[test]
        fn no_time_panics(micros in any::<i64>()) {
            time(micros);
        }

        #[test]
        fn escaped_as_serde_json_does(text in r"(.|[\x00-\x20\x22\x5c\x7f])*") {
            let mut out = vec![b'"'];
            append_escaped(&mut out, &text);
            out.push(b'"');
            prop_assert_eq!(out, serde_json::to_vec(&text).expect("a string"));
        }
    }
}
