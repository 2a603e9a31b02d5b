//! A bank that answers at once, and wrongly.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

/// Whatever is asked, nothing happens: its URL.
pub fn start() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer(&stream));
        }
    });
    url
}

/// Answers until the client closes.
fn answer(stream: &TcpStream) -> Option<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        let mut length = 0;
        reader.read_line(&mut line).ok().filter(|&read| read > 0)?;
        let body = if line.starts_with("GET") {
            r#"{"saldo":{"total":0,"data_extrato":"-","limite":100000},"ultimas_transacoes":[]}"#
        } else {
            r#"{"limite":100000,"saldo":0}"#
        };
        loop {
            line.clear();
            reader.read_line(&mut line).ok().filter(|&read| read > 0)?;
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
            if line.trim().is_empty() {
                break;
            }
        }
        reader.read_exact(&mut vec![0; length]).ok()?;
        let head = format!("HTTP/1.1 200 -\r\nContent-Length: {}\r\n\r\n", body.len());
        (&*stream)
            .write_all(format!("{head}{body}").as_bytes())
            .ok()?;
    }
}
