//! What a transacao's body may be: JSON 400, rules 422, and all that passes.

use crate::answers::Place;
use crate::common::post;
use crate::tables::{BROKEN, PASS, RULES, VALORES};

/// What a body may be called.
const TYPES: [&str; 4] = [
    "application/json",
    "application/json; charset=utf-8",
    "application/x-www-form-urlencoded",
    "text/plain",
];
/// The longest body there may be.
const BODY_BYTES: usize = 4 * 1024;

/// Each table: what passes is applied once, and what is refused changes nothing.
pub fn check(place: &Place) {
    let ids = place.bank.clientes(2, 1_000);
    let (accepting, refusing) = (ids[0], ids[1]);
    let mut pass: Vec<(String, Vec<u8>)> = Vec::new();
    let mut rules: Vec<(String, Vec<u8>)> = Vec::new();
    let mut broken: Vec<(String, Vec<u8>)> = Vec::new();
    pass.extend(
        PASS.iter()
            .map(|&(name, body)| (name.to_owned(), body.into())),
    );
    rules.extend(
        RULES
            .iter()
            .map(|&(name, body)| (name.to_owned(), body.into())),
    );
    broken.extend(
        BROKEN
            .iter()
            .map(|&(name, body)| (name.to_owned(), body.into())),
    );
    rules.extend(VALORES.iter().map(|&valor| valor_of(valor)));
    rules.push(valor_of(&format!("1{}", "0".repeat(400))));
    rules.push(valor_of(&format!("1.{}", "0".repeat(400))));
    pass.push(nested("[", "]"));
    pass.push(nested(r#"{"a":"#, "}"));
    broken.push((
        "deep and not closed".to_owned(),
        format!("{{\"a\":{}", "[".repeat(4_000)).into(),
    ));
    broken.push((
        "deep and no object".to_owned(),
        "[".repeat(BODY_BYTES).into(),
    ));
    pass.push(("as long as may be".to_owned(), padded(BODY_BYTES)));

    let mut client = place.connect();
    for (id, status, cases) in [
        (accepting, 200, &pass),
        (refusing, 422, &rules),
        (refusing, 400, &broken),
    ] {
        let target = format!("/clientes/{id}/transacoes");
        for (name, body) in cases {
            place.expect(&mut client, name, &post(&target, body), status);
        }
    }
    let target = format!("/clientes/{refusing}/transacoes");
    place.expect(
        &mut client,
        "a byte too long",
        &post(&target, padded(BODY_BYTES + 1)),
        413,
    );

    content_types(place, accepting);
    let count = pass.len() + TYPES.len();
    let row = |id| place.bank.row(id);
    place.report.equal(
        &place.named("what passed"),
        row(accepting),
        format!("{count} {count}"),
    );
    place
        .report
        .equal(&place.named("what was refused"), row(refusing), "0 0");
    largest(place);
}

/// Whatever a client calls its body, `curl -d` without further words among them: it is JSON.
fn content_types(place: &Place, id: i64) {
    let mut client = place.connect();
    let body = r#"{"valor":1,"tipo":"c","descricao":"x"}"#;
    for kind in TYPES {
        let length = body.len();
        let request = format!(
            "POST /clientes/{id}/transacoes HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        place.expect(&mut client, kind, request.as_bytes(), 200);
    }
}

fn valor_of(valor: &str) -> (String, Vec<u8>) {
    let body = format!(r#"{{"valor": {valor}, "tipo": "c", "descricao": "x"}}"#);
    (
        format!("valor {}", valor.get(..40).unwrap_or(valor)),
        body.into(),
    )
}

/// An unknown field as deep as the body may be long.
fn nested(open: &str, close: &str) -> (String, Vec<u8>) {
    let depth = (BODY_BYTES - 80) / (open.len() + close.len());
    let (open, close) = (open.repeat(depth), close.repeat(depth));
    let body = format!(r#"{{"valor":1,"tipo":"c","descricao":"x","a":{open}1{close}}}"#);
    (format!("nested {depth} deep"), body.into())
}

/// A good body, as long as told by blanks.
fn padded(length: usize) -> Vec<u8> {
    let mut body = br#"{"valor":1,"tipo":"c","descricao":"x"}"#.to_vec();
    body.resize(length, b' ');
    body
}

/// The largest valor passes as itself, in each spelling of JSON that is an integer.
fn largest(place: &Place) {
    let mut client = place.connect();
    for valor in [
        1,
        9,
        10,
        1 << 31,
        1 << 32,
        1 << 53,
        (1 << 53) + 1,
        i64::MAX - 1,
        i64::MAX,
    ] {
        let id = place.bank.cliente(0);
        let (name, body) = valor_of(&valor.to_string());
        let target = format!("/clientes/{id}/transacoes");
        if let Some(answer) = place.ask(&mut client, &name, &post(&target, body)) {
            let want = format!(r#"{{"limite":0,"saldo":{valor}}}"#);
            place
                .report
                .equal(&name, (answer.status, answer.text()), (200, want));
        }
    }
}
