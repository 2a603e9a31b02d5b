//! Questions over HTTP, one at a time: to a part of the stack, or to any bank.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde::Deserialize;

use crate::bench::open::exchange::Exchange;
use crate::stack::Address;
use crate::url;

/// For one answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// A body that is longer answers no question of ours.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// An answer's status and its body.
pub(crate) type Said = io::Result<(u16, String)>;

/// A GET on a connection of its own; `host` is for its head.
pub(crate) fn get(address: &Address, host: &str, path: &str) -> Said {
    match address {
        Address::Tcp(address) => {
            let stream = TcpStream::connect_timeout(address, PATIENCE)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            ask(stream, host, path)
        }
        Address::Unix(socket) => {
            let stream = UnixStream::connect(socket)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            ask(stream, host, path)
        }
    }
}

fn ask(mut stream: impl Read + Write, host: &str, path: &str) -> Said {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut exchange = Exchange::written(ANSWER_BYTES_MAX);
    let mut buffer = [0; 16 * 1024];
    loop {
        let read = stream.read(&mut buffer)?;
        let bytes = buffer.get(..read).unwrap_or_default();
        let answer = match read {
            0 => exchange.end().map(Some),
            _ => exchange.read(bytes),
        };
        if let Some(answer) = answer.map_err(io::Error::other)? {
            let body = String::from_utf8_lossy(answer.body).into_owned();
            return Ok((answer.status, body));
        }
    }
}

/// What was said to a GET of `path`, for people.
pub(crate) fn in_words(path: &str, said: &Said) -> String {
    match said {
        Ok((status, body)) => format!("{path} is answered with {status}: {}", body.trim()),
        Err(error) => format!("{path} is not answered: {error}"),
    }
}

#[derive(Deserialize)]
struct Extrato {
    saldo: Saldo,
    ultimas_transacoes: Vec<serde_json::Value>,
}

/// What an extrato says of its cliente.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Saldo {
    pub total: i64,
    pub limite: i64,
    /// Nothing has happened yet.
    #[serde(skip)]
    pub is_fresh: bool,
}

/// What the bank says of a cliente; none if it does not say.
pub(crate) fn saldo(address: SocketAddr, url: &str, cliente: u32) -> Option<Saldo> {
    let path = format!("/clientes/{cliente}/extrato");
    let (status, body) = get(&Address::Tcp(address), url::authority(url), &path).ok()?;
    let extrato: Extrato = serde_json::from_str(&body).ok().filter(|_| status == 200)?;
    let is_fresh = extrato.ultimas_transacoes.is_empty() && extrato.saldo.total == 0;
    Some(Saldo {
        is_fresh,
        ..extrato.saldo
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::os::unix::net::UnixListener;
    use std::thread;

    /// Answers one request of a fixed length, and keeps the connection until the client closes.
    fn answer(mut stream: impl Read + Write, answer: &str) {
        let request = b"GET /health HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n";
        let mut came = vec![0; request.len()];
        stream.read_exact(&mut came).unwrap();
        assert_eq!(came, request);
        stream.write_all(answer.as_bytes()).unwrap();
        let _ = stream.read(&mut [0]);
    }

    #[test]
    fn an_answer_is_taken_and_told() {
        let long = "x".repeat(300_000);
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", long.len());
        for (said, status, body) in [
            (
                "HTTP/1.1 503 -\r\nContent-Length: 4\r\n\r\ndown",
                503,
                "down",
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nup\r\n0\r\n\r\n",
                200,
                "up",
            ),
            (&format!("{head}{long}"), 200, &long),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("socket");
            let unix = UnixListener::bind(&path).unwrap();
            let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
            let addresses = [
                Address::Unix(path.clone()),
                Address::Tcp(tcp.local_addr().unwrap()),
            ];
            thread::scope(|scope| {
                scope.spawn(|| answer(unix.accept().unwrap().0, said));
                scope.spawn(|| answer(tcp.accept().unwrap().0, said));
                for address in addresses {
                    let told = get(&address, "localhost", "/health");
                    let words = format!("/health is answered with {status}: {body}");
                    assert_eq!(in_words("/health", &told), words);
                }
            });
        }
        let nowhere = Address::Unix("/nowhere".into());
        let words = in_words("/health", &get(&nowhere, "localhost", "/health"));
        assert!(
            words.starts_with("/health is not answered: No such file or directory"),
            "{words}"
        );
    }
}
