//! Connections that ask once, and then are kept alive without a word.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::error::Error;
use crate::stack::Address;

/// For one answer.
const PATIENCE: Duration = Duration::from_secs(10);
const REQUEST: &[u8] = b"GET /clientes/1/extrato HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Open connections; closed on drop.
pub(super) struct Silent(Vec<TcpStream>);

impl Silent {
    /// So many, each with an extrato behind it.
    ///
    /// # Errors
    /// One was refused, or was not answered with 200.
    pub fn gather(address: &Address, count: u32) -> Result<Silent, Error> {
        let Address::Tcp(address) = address else {
            return Err(Error::new("idle connections need a TCP address"));
        };
        let one = |at: u32| {
            let doing = || format!("connection {} of {count} to {address}", at + 1);
            asked(*address).map_err(|error| Error::while_doing(doing())(error))
        };
        (0..count).map(one).collect::<Result<_, _>>().map(Silent)
    }

    /// How many were closed by the other side, or are not as silent as they were left.
    pub fn closed(&mut self) -> usize {
        let silent = |stream: &TcpStream| {
            let peeked = stream
                .set_nonblocking(true)
                .and_then(|()| stream.peek(&mut [0]));
            peeked.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
        };
        self.0.iter().filter(|stream| !silent(stream)).count()
    }
}

/// A connection whose first request was answered.
fn asked(address: SocketAddr) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(REQUEST)?;
    let (mut answer, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let count = stream.read(&mut piece)?;
        answer.extend_from_slice(piece.get(..count).unwrap_or_default());
        match is_whole(&answer) {
            Some(true) => return Ok(stream),
            Some(false) if count > 0 => {}
            _ => {
                let said = String::from_utf8_lossy(&answer).into_owned();
                return Err(io::Error::new(ErrorKind::InvalidData, said));
            }
        }
    }
}

/// Whether all of an answer 200 is there; `None` if it is none.
fn is_whole(answer: &[u8]) -> Option<bool> {
    let mut fields = [httparse::EMPTY_HEADER; 16];
    let mut head = httparse::Response::new(&mut fields);
    let httparse::Status::Complete(body_at) = head.parse(answer).ok()? else {
        return Some(false);
    };
    let length = head
        .headers
        .iter()
        .find(|field| field.name.eq_ignore_ascii_case("content-length"))?;
    let length: usize = str::from_utf8(length.value).ok()?.parse().ok()?;
    (head.code == Some(200)).then_some(answer.len() >= body_at + length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread;

    #[test]
    fn an_answer_is_read_to_its_end() {
        let whole = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
        for end in 0..whole.len() {
            assert_eq!(is_whole(&whole[..end]), Some(false), "{end}");
        }
        assert_eq!(is_whole(whole), Some(true));
        for wrong in [
            "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\n\r\n",
            "SSH-2.0\r\n",
        ] {
            assert_eq!(is_whole(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn who_is_closed_is_counted() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let answer = |mut stream: TcpStream| {
                stream.read_exact(&mut [0; REQUEST.len()]).unwrap();
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                    .unwrap();
                stream
            };
            let streams = (0..3).map(|_| answer(listener.accept().unwrap().0));
            streams.collect::<Vec<_>>()
        });
        let mut idle = Silent::gather(&Address::Tcp(address), 3).unwrap();
        let mut streams = server.join().unwrap();
        assert_eq!(idle.closed(), 0);
        streams.truncate(1);
        assert_eq!(idle.closed(), 2);
    }
}
