//! What an extrato shows: the last ten, newest first, exactly as they were written.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::answers::Place;
use crate::common::{Response, extrato, post, transacao};

/// An extrato lists so many.
const LINES: usize = 10;

/// Every property of an extrato.
pub fn check(place: &Place) {
    exact(place);
    last_ten(place);
    written_comes_back(place);
    order_of_a_connection(place);
    no_trace_of_refusals(place);
}

/// An extrato of a cliente that is there.
fn read(place: &Place, id: i64) -> Option<Response> {
    let answer = place.ask(&mut place.connect(), "extrato", &extrato(id))?;
    place
        .report
        .equal(&place.named("extrato"), answer.status, 200);
    Some(answer)
}

/// The body to the byte.
fn exact(place: &Place) {
    let id = place.bank.cliente(100_000);
    let mut client = place.connect();
    let before = Timestamp::now();
    let empty = read(place, id);
    for (tipo, valor, descricao) in [("c", 10, "descricao"), ("d", 9_108, "aluguel")] {
        place.expect(
            &mut client,
            descricao,
            &transacao(id, tipo, valor, descricao),
            200,
        );
    }
    let two = read(place, id);
    for (answer, lines) in [(empty, 0), (two, 2)] {
        let Some(answer) = answer else { continue };
        let seen = answer.json();
        let (time, lines) = (text(&seen["saldo"]["data_extrato"]), lines_of(&seen, lines));
        let total = if lines.is_empty() { 0 } else { -9_098 };
        let want = format!(
            concat!(
                r#"{{"saldo":{{"total":{total},"data_extrato":"{time}","limite":100000}},"#,
                r#""ultimas_transacoes":[{lines}]}}"#
            ),
            total = total,
            time = time,
            lines = lines
        );
        place
            .report
            .equal(&place.named("extrato to the byte"), answer.text(), want);
        times_in_order(place, &seen, before);
    }
}

fn lines_of(seen: &Value, lines: usize) -> String {
    let what = [("d", 9_108, "aluguel"), ("c", 10, "descricao")];
    let line = |(n, (tipo, valor, descricao)): (usize, (&str, i64, &str))| {
        let time = text(&seen["ultimas_transacoes"][n]["realizada_em"]);
        format!(
            concat!(
                r#"{{"valor":{},"tipo":"{}","descricao":"{}","#,
                r#""realizada_em":"{}"}}"#
            ),
            valor, tipo, descricao, time
        )
    };
    what.into_iter()
        .take(lines)
        .enumerate()
        .map(line)
        .collect::<Vec<_>>()
        .join(",")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("(no string)")
}

/// RFC 3339, UTC, microseconds: newest first, none after the reading, none before the start.
fn times_in_order(place: &Place, seen: &Value, before: Timestamp) {
    let lines = seen["ultimas_transacoes"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let times = lines.iter().map(|line| text(&line["realizada_em"]));
    let times: Vec<&str> = std::iter::once(text(&seen["saldo"]["data_extrato"]))
        .chain(times)
        .collect();
    let name = place.named("times");
    for time in &times {
        place
            .report
            .check(&name, is_rfc3339(time), || (*time).to_owned());
    }
    // All of one form, they order as text.
    place
        .report
        .check(&name, times.is_sorted_by(|a, b| a >= b), || {
            format!("{times:?}")
        });
    let oldest = times.last().and_then(|time| time.parse::<Timestamp>().ok());
    // PostgreSQL runs on the same clock, which it reads in microseconds.
    let recent = oldest.is_some_and(|time| time.as_microsecond() >= before.as_microsecond());
    place
        .report
        .check(&name, recent, || format!("{times:?} before {before}"));
}

/// `2024-01-17T02:34:41.217753Z`
fn is_rfc3339(time: &str) -> bool {
    let form = time
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect::<String>();
    form == "0000-00-00T00:00:00.000000Z" && time.parse::<Timestamp>().is_ok()
}

/// Never more than ten, the newest first, and a total over all of them.
fn last_ten(place: &Place) {
    let id = place.bank.cliente(0);
    let mut client = place.connect();
    let before = Timestamp::now();
    for n in 1..=i64::try_from(LINES).expect("ten") + 5 {
        place.expect(
            &mut client,
            "fifteen credits",
            &transacao(id, "c", n, &format!("n{n}")),
            200,
        );
        let Some(answer) = read(place, id) else {
            return;
        };
        let seen = answer.json();
        let want: Vec<Value> = (1..=n)
            .rev()
            .take(LINES)
            .map(|n| json!([n, format!("n{n}")]))
            .collect();
        let lines = seen["ultimas_transacoes"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let got: Vec<Value> = lines
            .iter()
            .map(|line| json!([line["valor"], line["descricao"]]))
            .collect();
        place.report.equal(&place.named("the last ten"), got, want);
        place.report.equal(
            &place.named("total"),
            &seen["saldo"]["total"],
            &json!(n * (n + 1) / 2),
        );
        times_in_order(place, &seen, before);
    }
}

/// Descricoes that something on the way might take for its own.
#[rustfmt::skip]
const ODD: &[&str] = &[
    "\"", "\\", "/", "\\\\", "\\n", "\"\"\"", "\\\"", "'", "''", "$1", "%s", "{}", "{a,b}",
    "NULL", "null", "\\N", "\\x00", ",", "()", "[1]", "<script>", "&amp;", "--", ";", " ",
    "  a  ", "\t", "\r\n", "\u{7f}", "\u{80}", "\u{85}", "\u{a0}", "é", "e\u{301}", "ção",
    "ß", "日本語", "עברית", "\u{200b}", "\u{200d}", "\u{202e}", "\u{2028}", "\u{2029}",
    "\u{2028}\u{2029}", "\u{fdd0}", "\u{feff}", "\u{fffd}", "\u{fffe}", "\u{ffff}",
    "\u{d7ff}", "\u{e000}", "\u{10000}", "😀", "👩‍👩‍👧‍👦", "🇧🇷", "\u{1f468}\u{1f3fd}",
    "😀😀😀😀😀😀😀😀😀😀",
];

/// Every control character, those of [`ODD`], and the longest in bytes, raw and escaped.
fn descricoes() -> Vec<String> {
    let mut descricoes: Vec<String> = (1..0x20u8)
        .map(|c| format!("a{}b", char::from(c)))
        .collect();
    descricoes.extend(ODD.iter().map(|&text| text.to_owned()));
    descricoes.push("\u{10ffff}".repeat(10));
    let ten_escapes = "\u{1}\u{2}\u{3}\u{4}\u{5}\u{6}\u{7}\u{8}\u{b}\u{c}";
    descricoes.push(ten_escapes.to_owned());
    descricoes
}

/// What was written comes back exactly, written raw or escaped, alone or in a batch.
fn written_comes_back(place: &Place) {
    for (n, chunk) in descricoes().chunks(LINES).enumerate() {
        let id = place.bank.cliente(0);
        let target = format!("/clientes/{id}/transacoes");
        let requests = chunk.iter().map(|descricao| {
            let raw = json!(descricao).to_string();
            let written = if n % 2 == 0 { raw } else { escaped(descricao) };
            post(
                &target,
                format!(r#"{{"valor":1,"tipo":"c","descricao":{written}}}"#),
            )
        });
        let mut client = place.connect();
        if place.behind_nginx {
            requests.for_each(|request| place.expect(&mut client, "written", &request, 200));
        } else {
            // In one write: most of them leave in one flight, in one call of the batch procedure.
            let all: Vec<u8> = requests.flatten().collect();
            place.report.ok("written", client.send(all));
            for descricao in chunk {
                let status = client
                    .receive()
                    .map(|answer| answer.status)
                    .map_err(|e| e.to_string());
                place.report.equal(&place.named(descricao), status, Ok(200));
            }
        }
        let Some(answer) = read(place, id) else {
            continue;
        };
        let seen = answer.json();
        let lines = seen["ultimas_transacoes"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let got: Vec<&str> = lines
            .iter()
            .rev()
            .map(|line| text(&line["descricao"]))
            .collect();
        place.report.equal(
            &place.named("what was written"),
            got,
            chunk.iter().collect::<Vec<_>>(),
        );
    }
}

/// A JSON string of nothing but `\u` escapes.
fn escaped(text: &str) -> String {
    let escapes: String = text
        .encode_utf16()
        .map(|unit| format!("\\u{unit:04x}"))
        .collect();
    format!("\"{escapes}\"")
}

/// POST, GET, POST, GET in one write: each extrato shows what was before it, and nothing after.
fn order_of_a_connection(place: &Place) {
    let id = place.bank.cliente(0);
    let mut all = Vec::new();
    for valor in [1, 10, 100] {
        all.extend(transacao(id, "c", valor, "x"));
        all.extend(extrato(id));
        all.extend(extrato(id));
    }
    let mut client = place.connect();
    place.report.ok("one write", client.send(all));
    let mut receive = |name: &str| place.report.ok(&place.named(name), client.receive());
    for saldo in [1, 11, 111] {
        let Some(answer) = receive("its POST") else {
            return;
        };
        place.report.equal(
            &place.named("its POST"),
            &answer.json()["saldo"],
            &json!(saldo),
        );
        for name in ["the GET behind it", "a second GET"] {
            let Some(answer) = receive(name) else { return };
            let seen = answer.json();
            place
                .report
                .equal(&place.named(name), &seen["saldo"]["total"], &json!(saldo));
        }
    }
}

/// A refusal of any kind is in no extrato.
fn no_trace_of_refusals(place: &Place) {
    let id = place.bank.cliente(5);
    let mut client = place.connect();
    place.expect(&mut client, "a debit", &transacao(id, "d", 5, "first"), 200);
    let Some(before) = read(place, id) else {
        return;
    };
    place.expect(
        &mut client,
        "below the limite",
        &transacao(id, "d", 1, "x"),
        422,
    );
    place.expect(
        &mut client,
        "a credit of 0",
        &transacao(id, "c", 0, "x"),
        422,
    );
    place.expect(&mut client, "tipo x", &transacao(id, "x", 1, "x"), 422);
    let Some(after) = read(place, id) else { return };
    let (mut before, mut after) = (before.json(), after.json());
    before["saldo"]["data_extrato"].take();
    after["saldo"]["data_extrato"].take();
    place
        .report
        .equal(&place.named("nothing changed"), after, before);
}
