//! What the tests over sockets share: a client that sends bytes exactly as told and reads answers
//! exactly by their Content-Length, and a report that collects all failures before it asserts.

// Each test file is a crate of its own and uses a part of this.
#![allow(dead_code, unused_imports)]

pub mod bank;
pub mod client;
pub mod composed;
pub mod report;

pub use bank::{Bank, connect};
pub use client::{Client, Peer, Response};
pub use report::Report;

/// A GET of `target`.
pub fn get(target: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: crebito\r\n\r\n").into_bytes()
}

/// A POST of `body` to `target`.
pub fn post(target: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut request = format!(
        "POST {target} HTTP/1.1\r\nHost: crebito\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(body);
    request
}

/// `GET /clientes/{id}/extrato`.
pub fn extrato(id: i64) -> Vec<u8> {
    get(&format!("/clientes/{id}/extrato"))
}

/// `POST /clientes/{id}/transacoes` with a well-formed body.
pub fn transacao(id: i64, tipo: &str, valor: i64, descricao: &str) -> Vec<u8> {
    let body = serde_json::json!({ "valor": valor, "tipo": tipo, "descricao": descricao });
    post(&format!("/clientes/{id}/transacoes"), body.to_string())
}
