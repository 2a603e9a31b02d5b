//! Questions to a bank besides the loads: over HTTP, one at a time.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde::Deserialize;

use super::super::open::exchange::Exchange;
use crate::url;

/// For one answer.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
struct Extrato {
    saldo: Saldo,
    ultimas_transacoes: Vec<serde_json::Value>,
}

/// What an extrato says of its cliente.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Saldo {
    pub total: i64,
    pub limite: i64,
    /// Nothing has happened yet.
    #[serde(skip)]
    pub is_fresh: bool,
}

/// Status and body of a GET, on a connection of its own.
pub(super) fn get(address: SocketAddr, url: &str, path: &str) -> io::Result<(u16, Vec<u8>)> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let host = url::authority(url);
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut exchange = Exchange::new(request.into_bytes());
    exchange.wrote(exchange.unwritten().len());
    let mut buffer = [0; 16 * 1024];
    loop {
        let read = stream.read(&mut buffer)?;
        let bytes = buffer.get(..read).unwrap_or_default();
        let answer = match read {
            0 => exchange.end().map(Some),
            _ => exchange.read(bytes),
        };
        if let Some(answer) = answer.map_err(io::Error::other)? {
            return Ok((answer.status, answer.body.to_vec()));
        }
    }
}

/// What the bank says of a cliente; none if it does not say.
pub(super) fn saldo(address: SocketAddr, url: &str, cliente: u32) -> Option<Saldo> {
    let (status, body) = get(address, url, &format!("/clientes/{cliente}/extrato")).ok()?;
    let extrato: Extrato = serde_json::from_slice(&body)
        .ok()
        .filter(|_| status == 200)?;
    let is_fresh = extrato.ultimas_transacoes.is_empty() && extrato.saldo.total == 0;
    Some(Saldo {
        is_fresh,
        ..extrato.saldo
    })
}
