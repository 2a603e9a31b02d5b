//! Bytes to requests.

use std::mem::MaybeUninit;

use super::body::{Chunks, Framing, Progress};
use super::fields::{self, Length, Version};
use super::status::Status;
use super::target;
use crate::limits::{BODY_BYTES_MAX, FIELDS_MAX, HEAD_BYTES_MAX};

/// Takes requests out of the bytes of one connection.
///
/// It holds a few words and allocates nothing. The bytes stay in the caller's buffer, and its own
/// offsets count from `start`: the caller may move them to the front between two calls.
#[derive(Debug, Default)]
pub struct Decoder {
    /// The request whose head is whole, and whose body is not.
    begun: Option<Begun>,
}

#[derive(Debug)]
struct Begun {
    head: Head,
    framing: Framing,
}

/// What the waiting bytes came to.
#[derive(Debug)]
pub enum Decoded<'b> {
    /// More must arrive first. What waits stays where it is, and takes fewer than
    /// [`REQUEST_BYTES_MAX`](crate::limits::REQUEST_BYTES_MAX) bytes.
    Partial,
    /// The client wants to hear [`append_continue`](super::append_continue) before it sends the
    /// body; after the answers to all earlier requests. Then go on. Comes once a request at most.
    Continue,
    /// A whole request.
    Request(Request<'b>),
}

/// A whole request, borrowed from the buffer.
#[derive(Debug)]
pub struct Request<'b> {
    /// What to do with the path.
    pub method: Method,
    /// Without query; of an absolute-form target only its path. Its percent-triplets are valid
    /// and still encoded, none is `%00`. `*` and CONNECT's authority are paths of no route.
    pub path: &'b [u8],
    /// Its content.
    pub body: Body<'b>,
    /// What the connection does after the answer; nothing is decoded behind a `Close`.
    pub persistence: Persistence,
    /// The request takes so many bytes of `buf[start..]`.
    pub len_bytes: usize,
}

/// The methods that the server knows; they are case-sensitive (RFC 9110, section 9.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `GET`
    Get,
    /// `HEAD`
    Head,
    /// `POST`
    Post,
    /// Any other token.
    Other,
}

/// A request's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body<'b> {
    /// All of it, without its transfer coding; maybe empty.
    Whole(&'b [u8]),
    /// Over [`BODY_BYTES_MAX`], and not waited for: the connection answers and closes.
    TooLarge,
}

/// What becomes of a connection after an answer (RFC 9112, section 9.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persistence {
    /// It stays.
    KeepAlive,
    /// It stays, as an HTTP/1.0 client asked; the answer must say so.
    KeepAliveHttp10,
    /// It is closed, and the answer says so.
    Close,
}

/// The bytes are no request that can be answered otherwise than with this status: 400, 417, 431,
/// 501 or 505. Where the next request would start is not known, so the connection closes after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status to answer.
    pub status: Status,
}

impl Refusal {
    pub(super) const fn of(status: Status) -> Refusal {
        Refusal { status }
    }
}

/// Whether what has come of a request begins one for the head alone: no answer to it has a body,
/// whatever its status (RFC 9110, section 9.3.2).
pub fn is_head(begun: &[u8]) -> bool {
    // Empty lines ahead are no part of it (RFC 9112, section 2.2).
    let line = begun.iter().position(|byte| !b"\r\n".contains(byte));
    let line = line.and_then(|at| begun.get(at..));
    line.is_some_and(|line| line.starts_with(b"HEAD "))
}

impl Decoder {
    /// Decodes the request that starts at `buf[start]`. On [`Decoded::Request`] the caller goes
    /// on behind its `len_bytes`; on [`Decoded::Partial`] it reads more and calls again.
    ///
    /// The framing of chunks that have arrived is taken out of `buf`, which then shrinks, and
    /// a minor version above 1 is overwritten; nothing before `start` is touched.
    ///
    /// # Errors
    ///
    /// The [`Refusal`] to answer before the connection is closed; the decoder is then done.
    pub fn decode<'b>(
        &mut self,
        buf: &'b mut Vec<u8>,
        start: usize,
    ) -> Result<Decoded<'b>, Refusal> {
        let Begun { head, mut framing } = match self.begun.take() {
            Some(begun) => begun,
            None => {
                let Some((begun, expects_continue)) = decode_head(buf, start)? else {
                    return Ok(Decoded::Partial);
                };
                // Who already sends the body waits for nothing (RFC 9110, section 10.1.1).
                let waits = buf.len() <= start + begun.head.len_bytes;
                if expects_continue && waits && begun.framing.awaits() {
                    self.begun = Some(begun);
                    return Ok(Decoded::Continue);
                }
                begun
            }
        };
        let body_at = start + head.len_bytes;
        let (body, persistence, end_bytes) = match framing.decode(buf, body_at)? {
            Progress::Partial => {
                self.begun = Some(Begun { head, framing });
                return Ok(Decoded::Partial);
            }
            Progress::Whole {
                body_bytes,
                end_bytes,
            } => {
                let body = buf.get(body_at..body_at + body_bytes).unwrap_or_default();
                (Body::Whole(body), head.persistence, end_bytes)
            }
            Progress::TooLarge => (Body::TooLarge, Persistence::Close, 0),
        };
        let path_at = start + head.path_at;
        Ok(Decoded::Request(Request {
            method: head.method,
            path: buf
                .get(path_at..path_at + head.path_bytes)
                .unwrap_or_default(),
            body,
            persistence,
            len_bytes: head.len_bytes + end_bytes,
        }))
    }

    /// Whether no request has begun: of the next one, nothing `waiting` (the same `buf[start..]`)
    /// but empty lines, which clients used to send after a body (RFC 9112, section 2.2).
    #[must_use]
    pub fn is_idle(&self, waiting: &[u8]) -> bool {
        self.begun.is_none() && waiting.iter().all(|byte| matches!(byte, b'\r' | b'\n'))
    }
}

/// What is kept of a head; offsets count from the request's start.
#[derive(Clone, Copy, Debug)]
struct Head {
    method: Method,
    persistence: Persistence,
    path_at: usize,
    path_bytes: usize,
    len_bytes: usize,
}

/// What one look at a head came to.
enum Look {
    Partial,
    Whole(Begun, bool),
    /// The version is 1.2 to 1.9, and its last digit is here.
    LaterMinor(usize),
}

/// Decodes the head at `buf[start..]`, and whether its body waits for a `100 Continue`.
fn decode_head(buf: &mut [u8], start: usize) -> Result<Option<(Begun, bool)>, Refusal> {
    let arrived = buf.get_mut(start..).unwrap_or_default();
    let is_full = arrived.len() >= HEAD_BYTES_MAX;
    // The same bytes are looked at however many have arrived behind them.
    let window_bytes = arrived.len().min(HEAD_BYTES_MAX);
    let window = arrived.get_mut(..window_bytes).unwrap_or_default();
    let mut look = look_at(window)?;
    if let Look::LaterMinor(at) = look {
        // It is to be taken as the highest minor version known (RFC 9110, section 2.5), and
        // httparse knows 1.1.
        if let Some(minor) = window.get_mut(at) {
            *minor = b'1';
        }
        look = look_at(window)?;
    }
    match look {
        Look::Whole(begun, expects_continue) => Ok(Some((begun, expects_continue))),
        _ if is_full => Err(Refusal::of(Status::HEAD_TOO_LARGE)),
        _ => Ok(None),
    }
}

fn look_at(window: &[u8]) -> Result<Look, Refusal> {
    let mut fields = [const { MaybeUninit::uninit() }; FIELDS_MAX];
    let mut request = httparse::Request::new(&mut []);
    match request.parse_with_uninit_headers(window, &mut fields) {
        Ok(httparse::Status::Complete(len_bytes)) => head(window, &request, len_bytes),
        Ok(httparse::Status::Partial) => Ok(Look::Partial),
        Err(httparse::Error::Version) => other_version(window),
        Err(httparse::Error::TooManyHeaders) => Err(Refusal::of(Status::HEAD_TOO_LARGE)),
        Err(_) => Err(Refusal::of(Status::BAD_REQUEST)),
    }
}

/// Judges a head that is whole and well-formed.
fn head(
    window: &[u8],
    request: &httparse::Request<'_, '_>,
    len_bytes: usize,
) -> Result<Look, Refusal> {
    let (method, is_connect) = match request.method.unwrap_or_default() {
        "GET" => (Method::Get, false),
        "POST" => (Method::Post, false),
        "HEAD" => (Method::Head, false),
        other => (Method::Other, other == "CONNECT"),
    };
    let target = request.path.unwrap_or_default().as_bytes();
    let path = target::path(target, is_connect).ok_or(Refusal::of(Status::BAD_REQUEST))?;
    let version = match request.version {
        Some(0) => Version::Http10,
        _ => Version::Http11,
    };
    let said = fields::said(request.headers, version)?;
    let framing = match said.length {
        Length::Bytes(length) => match usize::try_from(length) {
            Ok(length) if length <= BODY_BYTES_MAX => Framing::Length(length),
            _ => Framing::TooLarge,
        },
        Length::Chunked => Framing::Chunks(Chunks::after(request.headers.len(), len_bytes)),
    };
    // The target lies in the window.
    let target_at = target.as_ptr().addr() - window.as_ptr().addr();
    let head = Head {
        method,
        persistence: said.persistence,
        path_at: target_at + path.start,
        path_bytes: path.len(),
        len_bytes,
    };
    Ok(Look::Whole(Begun { head, framing }, said.expects_continue))
}

/// Judges a request line whose version is neither 1.0 nor 1.1: `HTTP/1.d` is spoken, another
/// `HTTP/d.d` is 505 once the line is whole, and any other token is no HTTP.
#[cold]
fn other_version(window: &[u8]) -> Result<Look, Refusal> {
    // The version follows the second space: httparse has found method and target before it.
    let mut spaces = window.iter().enumerate().filter(|(_, byte)| **byte == b' ');
    let version_at = spaces.nth(1).map_or(window.len(), |(index, _)| index + 1);
    let version = window.get(version_at..).unwrap_or_default();
    let form = b"HTTP/d.d";
    let matches = version.iter().zip(form).all(|(byte, form)| match form {
        b'd' => byte.is_ascii_digit(),
        _ => byte == form,
    });
    if !matches {
        return Err(Refusal::of(Status::BAD_REQUEST));
    }
    match version.split_at_checked(form.len()) {
        None => Ok(Look::Partial),
        Some(([.., b'1', b'.', _], _)) => Ok(Look::LaterMinor(version_at + form.len() - 1)),
        Some((_, [b'\n', ..] | [b'\r', b'\n', ..])) => Err(Refusal::of(Status::VERSION)),
        Some((_, [] | [b'\r'])) => Ok(Look::Partial),
        Some(_) => Err(Refusal::of(Status::BAD_REQUEST)),
    }
}
