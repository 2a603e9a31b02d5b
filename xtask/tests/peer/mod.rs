//! A bank that gives every transacao and every extrato the same answer, well or badly.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// Answers nothing and does not close.
pub const SILENCE: &str = "silence";

/// Where it listens, and the connections so far. An answer is a status, a space and a body;
/// without one it closes instead.
pub fn peer(transacao: &'static str, extrato: &'static str) -> (SocketAddr, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicU64::new(0));
    let count = connections.clone();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            count.fetch_add(1, Ordering::Relaxed);
            thread::spawn(move || answer(&stream, transacao, extrato));
        }
    });
    (address, connections)
}

/// Answers in two writes until the client closes: it keeps its connection if the client does.
pub fn answer(mut stream: &TcpStream, transacao: &str, extrato: &str) -> Option<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut first = String::new();
        let mut length = 0;
        reader.read_line(&mut first).ok().filter(|&read| read > 0)?;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok().filter(|&read| read > 0)?;
            let line = line.trim().to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
            assert_ne!(
                line, "connection: close",
                "the contest's tool says no such thing"
            );
            if line.is_empty() {
                break;
            }
        }
        reader.read_exact(&mut vec![0; length]).ok()?;
        let answer = match first.starts_with("GET") {
            true => extrato,
            false => transacao,
        };
        if answer == SILENCE {
            // Until the client closes.
            let _ = reader.read(&mut [0]);
            return None;
        }
        let (status, body) = answer.split_once(' ')?;
        let length = body.len();
        let head = format!("HTTP/1.1 {status} -\r\nContent-Length: {length}\r\n\r\n");
        stream.write_all(head.as_bytes()).ok()?;
        stream.write_all(body.as_bytes()).ok()?;
    }
}
