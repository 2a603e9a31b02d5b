//! What a server sends while a session starts.

use super::{message, notice, ready, status};
use crebito::pg::{Oid, Statement, oid};

pub static STATEMENTS: &[Statement] = &[
    Statement {
        name: "soma",
        sql: "SELECT soma($1, $2)",
        params: &[oid::INT8, oid::TEXT],
        columns: &[oid::INT8],
        files: &["sql/soma.sql"],
    },
    Statement {
        name: "nada",
        sql: "SELECT",
        params: &[],
        columns: &[],
        files: &["sql/nada.sql"],
    },
];
pub static SETTINGS: &[(&str, &str)] = &[("statement_timeout", "2000")];
pub fn authentication(kind: u32, body: &[u8]) -> Vec<u8> {
    message(b'R', &[&kind.to_be_bytes(), body].concat())
}

pub fn ok() -> Vec<u8> {
    authentication(0, b"")
}

/// What follows the login, until the first ReadyForQuery.
pub fn settled() -> Vec<u8> {
    let version = message(b'S', b"server_version\x0015.8 (Debian)\0");
    let encoding = message(b'S', b"server_encoding\0UTF8\0");
    [
        status(),
        version,
        encoding,
        notice(),
        message(b'K', b"\0\0\x01\x02\0\0\0\x09"),
        ready(),
    ]
    .concat()
}

fn described(params: &[Oid], columns: &[Oid]) -> Vec<u8> {
    let count = |oids: &[Oid]| u16::try_from(oids.len()).unwrap().to_be_bytes();
    let mut body = count(params).to_vec();
    body.extend(params.iter().flat_map(|oid| oid.to_be_bytes()));
    let params = message(b't', &body);
    if columns.is_empty() {
        return [params, message(b'n', b"")].concat();
    }
    let mut body = count(columns).to_vec();
    for oid in columns {
        body.extend(b"nome\0\0\0\0\0\0\0");
        body.extend(oid.to_be_bytes());
        body.extend(b"\0\x08\xff\xff\xff\xff\0\0");
    }
    [params, message(b'T', &body)].concat()
}

pub fn parsed(params: &[Oid], columns: &[Oid]) -> Vec<u8> {
    [
        message(b'3', b""),
        message(b'1', b""),
        described(params, columns),
    ]
    .concat()
}

pub fn prepared() -> Vec<u8> {
    [parsed(&[20, 25], &[20]), parsed(&[], &[]), ready()].concat()
}
