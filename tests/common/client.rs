//! An HTTP/1.1 client over raw sockets. It adds nothing to what it is told to send, and it is
//! strict in what it reads: a body is as long as its Content-Length says, and the next answer
//! begins right behind it.

use std::io::{self, Error, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use xtask::stack::Address;

/// A peer that is silent for so long hangs: a guard, never a measure.
const GUARD: Duration = Duration::from_secs(30);

/// Where a server listens.
#[derive(Clone, Debug)]
pub enum Peer {
    /// A TCP address.
    Tcp(SocketAddr),
    /// A Unix socket's path.
    Unix(PathBuf),
}

impl From<SocketAddr> for Peer {
    fn from(address: SocketAddr) -> Self {
        Peer::Tcp(address)
    }
}

impl From<&Address> for Peer {
    fn from(address: &Address) -> Self {
        match address {
            Address::Tcp(address) => Peer::Tcp(*address),
            Address::Unix(path) => Peer::Unix(path.clone()),
        }
    }
}

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// One answer, as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status line, without its line end.
    pub line: String,
    /// The status.
    pub status: u16,
    /// The fields in their order, names in lower case.
    pub fields: Vec<(String, String)>,
    /// The body, without framing.
    pub body: Vec<u8>,
}

impl Response {
    /// The value of a field that is there exactly once.
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut values = self.fields.iter().filter(|(n, _)| n == name);
        let first = values.next();
        first
            .filter(|_| values.next().is_none())
            .map(|(_, v)| v.as_str())
    }

    /// The body as text, replacement characters where it is not.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; null where it is not.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// One connection.
pub struct Client {
    stream: Stream,
    buffer: Vec<u8>,
}

impl Client {
    /// Connects; reads and writes that hang for [`GUARD`] fail.
    pub fn connect(peer: &Peer) -> io::Result<Self> {
        let stream = match peer {
            Peer::Tcp(address) => {
                let stream = TcpStream::connect_timeout(address, GUARD)?;
                stream.set_nodelay(true)?;
                Stream::Tcp(stream)
            }
            Peer::Unix(path) => Stream::Unix(UnixStream::connect(path)?),
        };
        let mut client = Self {
            stream,
            buffer: Vec::new(),
        };
        client.set_guard(GUARD)?;
        Ok(client)
    }

    /// A second hold on the same connection, which has read nothing: one sends, one receives.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self {
            stream: match &self.stream {
                Stream::Tcp(s) => Stream::Tcp(s.try_clone()?),
                Stream::Unix(s) => Stream::Unix(s.try_clone()?),
            },
            buffer: Vec::new(),
        })
    }

    /// Changes how long a read or a write may hang.
    pub fn set_guard(&mut self, guard: Duration) -> io::Result<()> {
        match &self.stream {
            Stream::Tcp(s) => s
                .set_read_timeout(Some(guard))
                .and(s.set_write_timeout(Some(guard))),
            Stream::Unix(s) => s
                .set_read_timeout(Some(guard))
                .and(s.set_write_timeout(Some(guard))),
        }
    }

    /// Sends these bytes, in one write where the socket takes them.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        match &mut self.stream {
            Stream::Tcp(s) => s.write_all(bytes.as_ref()),
            Stream::Unix(s) => s.write_all(bytes.as_ref()),
        }
    }

    /// Sends these bytes in pieces of `size`, each a write of its own with `pause` behind it.
    pub fn send_split(&mut self, bytes: &[u8], size: usize, pause: Duration) -> io::Result<()> {
        for piece in bytes.chunks(size) {
            self.send(piece)?;
            if !pause.is_zero() {
                std::thread::sleep(pause);
            }
        }
        Ok(())
    }

    /// Ends the sending side; what was asked may still be read.
    pub fn finish_sending(&mut self) -> io::Result<()> {
        match &self.stream {
            Stream::Tcp(s) => s.shutdown(Shutdown::Write),
            Stream::Unix(s) => s.shutdown(Shutdown::Write),
        }
    }

    /// Sends one request and reads its answer.
    pub fn exchange(&mut self, request: impl AsRef<[u8]>) -> io::Result<Response> {
        self.send(request)?;
        self.receive()
    }

    /// Reads one answer to anything but HEAD. `UnexpectedEof`: the peer closed before it began.
    pub fn receive(&mut self) -> io::Result<Response> {
        let mut response = self.receive_head()?;
        if response.status / 100 == 1 || response.status == 204 || response.status == 304 {
            return Ok(response);
        }
        let length = response.field("content-length").and_then(decode_length);
        let length = length
            .ok_or_else(|| bad(format!("no single Content-Length in {:?}", response.fields)))?;
        while self.buffer.len() < length {
            if self.fill()? == 0 {
                return Err(bad(format!("closed within a body: {:?}", self.buffered())));
            }
        }
        response.body = self.buffer.drain(..length).collect();
        Ok(response)
    }

    /// Reads one answer's head, which is all of the answer to a HEAD.
    pub fn receive_head(&mut self) -> io::Result<Response> {
        let end = loop {
            if let Some(at) = self.buffer.windows(4).position(|w| w == b"\r\n\r\n") {
                break at + 4;
            }
            if self.fill()? == 0 {
                return Err(match self.buffer.is_empty() {
                    true => Error::new(ErrorKind::UnexpectedEof, "closed before an answer"),
                    false => bad(format!("closed within a head: {:?}", self.buffered())),
                });
            }
        };
        let head: Vec<u8> = self.buffer.drain(..end).collect();
        decode_head(&head).ok_or_else(|| bad(format!("no head: {:?}", text(&head))))
    }

    /// Reads on until the peer closes; gives what came before.
    pub fn receive_end(&mut self) -> io::Result<Vec<u8>> {
        let until = Instant::now() + GUARD;
        while self.fill()? != 0 {
            if Instant::now() > until {
                return Err(bad(format!("no end after {:?}", self.buffered())));
            }
        }
        Ok(std::mem::take(&mut self.buffer))
    }

    fn buffered(&self) -> String {
        text(&self.buffer)
    }

    fn fill(&mut self) -> io::Result<usize> {
        let mut piece = [0; 16 * 1024];
        let count = loop {
            let result = match &mut self.stream {
                Stream::Tcp(s) => s.read(&mut piece),
                Stream::Unix(s) => s.read(&mut piece),
            };
            match result {
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    let what = format!("the peer is silent after {:?}", self.buffered());
                    return Err(Error::new(ErrorKind::TimedOut, what));
                }
                result => break result?,
            }
        };
        self.buffer.extend_from_slice(&piece[..count]);
        Ok(count)
    }
}

/// Strict: CRLF lines, `HTTP/1.1 NNN reason`, `Name: value`, nothing else.
fn decode_head(head: &[u8]) -> Option<Response> {
    let head = std::str::from_utf8(head).ok()?.strip_suffix("\r\n\r\n")?;
    let mut lines = head.split("\r\n");
    let line = lines.next()?;
    let status = line.strip_prefix("HTTP/1.1 ")?;
    let (digits, reason) = status.split_at_checked(3)?;
    reason.strip_prefix(' ')?;
    let mut fields = Vec::new();
    for field in lines {
        let (name, value) = field.split_once(':')?;
        let token = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if name.is_empty() || !name.chars().all(token) || value.contains(['\r', '\n', '\0']) {
            return None;
        }
        fields.push((
            name.to_ascii_lowercase(),
            value.trim_matches([' ', '\t']).to_owned(),
        ));
    }
    Some(Response {
        line: line.to_owned(),
        status: digits.parse().ok()?,
        fields,
        body: vec![],
    })
}

/// Digits only: Rust's own parse takes a plus sign.
fn decode_length(value: &str) -> Option<usize> {
    if value.bytes().all(|b| b.is_ascii_digit()) {
        value.parse().ok()
    } else {
        None
    }
}

fn bad(what: String) -> Error {
    Error::new(ErrorKind::InvalidData, what)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
