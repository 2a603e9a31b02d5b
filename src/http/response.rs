//! Responses to bytes.

pub use super::date::Date;
use super::request::Persistence;
pub use super::status::{Status, problem};
use crate::limits;

/// What a response says before its body.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    /// Its status line.
    pub status: Status,
    /// Its `Content-Type`.
    pub media: Media,
    /// Further whole lines with their CRLF: `"Allow: POST\r\n"`, `"Retry-After: 1\r\n"`, or none.
    pub fields: &'static str,
    /// What becomes of the connection: its `Connection`, if one is due.
    pub persistence: Persistence,
}

/// What a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// `application/json`
    Json,
    /// `application/problem+json` (RFC 9457)
    Problem,
    /// Plain UTF-8 text.
    Text,
    /// Prometheus' text exposition format, version 0.0.4.
    Prometheus,
}

impl Media {
    const fn line(self) -> &'static str {
        match self {
            Media::Json => "Content-Type: application/json\r\n",
            Media::Problem => "Content-Type: application/problem+json\r\n",
            Media::Text => "Content-Type: text/plain; charset=utf-8\r\n",
            Media::Prometheus => "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n",
        }
    }
}

/// Adds a whole response to `out`. With `head_only`, the answer to a `HEAD`, the body is left out
/// and its length is still told (RFC 9110, section 9.3.2).
pub fn append_response(out: &mut Vec<u8>, head: &Head, date: &Date, body: &[u8], head_only: bool) {
    make_room(out, RESERVED_HEAD_BYTES + head.fields.len() + body.len());
    if head.status == Status::OK
        && head.media == Media::Json
        && head.persistence == Persistence::KeepAlive
        && head.fields.is_empty()
    {
        out.extend_from_slice(OK_JSON.as_bytes());
    } else {
        append_uncommon(out, head);
    }
    out.extend_from_slice(date.as_bytes());
    out.extend_from_slice(b"\r\nContent-Length: ");
    out.extend_from_slice(itoa::Buffer::new().format(body.len()).as_bytes());
    out.extend_from_slice(b"\r\n\r\n");
    if !head_only {
        out.extend_from_slice(body);
    }
}

/// Room for so many bytes more, and in steps: doubled, a long buffer would be half empty.
fn make_room(out: &mut Vec<u8>, bytes: usize) {
    if out.capacity() - out.len() < bytes {
        out.reserve_exact(bytes.max(limits::GROWTH_BYTES_MAX));
    }
}

/// Adds the interim response that `Decoded::Continue` asks for (RFC 9110, section 10.1.1).
#[cold]
pub fn append_continue(out: &mut Vec<u8>) {
    out.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
}

/// Everything up to the date of a head that is not the common one.
#[cold]
fn append_uncommon(out: &mut Vec<u8>, head: &Head) {
    let connection = match head.persistence {
        Persistence::KeepAlive => "",
        Persistence::KeepAliveHttp10 => "Connection: keep-alive\r\n",
        Persistence::Close => "Connection: close\r\n",
    };
    for part in [
        head.status.line(),
        head.media.line(),
        head.fields,
        connection,
        "Date: ",
    ] {
        out.extend_from_slice(part.as_bytes());
    }
}

/// The common head up to its date.
const OK_JSON: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: ";
/// More than any head without its `fields` takes, so that a response grows `out` at most once.
const RESERVED_HEAD_BYTES: usize = 256;
