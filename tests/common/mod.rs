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

use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::Pid;

/// Says that it is over, also when the test fails.
pub struct EndOnDrop<'a>(pub &'a AtomicBool);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// SQL that holds a cliente's row until [`Lock`] lets go of it.
pub fn lock(id: i64) -> String {
    format!(
        "BEGIN; SELECT FROM banco.clientes WHERE id = {id} FOR UPDATE; SELECT pg_sleep(30); COMMIT"
    )
}

/// Whoever sleeps over a row is ended on drop, also when the test fails; it runs SQL.
pub struct Lock<F: Fn(&str)>(pub F);

impl<F: Fn(&str)> Drop for Lock<F> {
    fn drop(&mut self) {
        self.0(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'",
        );
    }
}

/// The backend of the only session but psql's.
pub fn backend(psql: impl FnOnce(&str) -> String) -> Pid {
    let backend = psql(
        "SELECT pid FROM pg_stat_activity
         WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
    );
    let backend = backend.trim().parse().ok().and_then(Pid::from_raw);
    backend.expect("there is one session")
}

/// The body of an error, as the contract has it.
pub fn assert_problem(response: &Response, title: &str, status: u16) {
    assert_eq!(response.status, status, "{response:?}");
    let kind = response.field("content-type");
    assert_eq!(kind, Some("application/problem+json"), "{response:?}");
    let body = format!(r#"{{"title":"{title}","status":{status}}}"#);
    assert_eq!(response.text(), body);
    let again = (status == 503).then_some("1");
    assert_eq!(response.field("retry-after"), again, "{response:?}");
}

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
