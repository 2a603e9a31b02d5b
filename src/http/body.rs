//! Where a body ends: by its length, or by its chunks (RFC 9112, sections 6 and 7.1).

use super::request::Refusal;
use super::status::Status;
use crate::limits::{BODY_BYTES_MAX, CHUNK_LINE_BYTES_MAX, FIELDS_MAX, HEAD_BYTES_MAX};

/// How a body is framed, and how far it has come.
#[derive(Debug)]
pub(super) enum Framing {
    /// So many bytes, at most [`BODY_BYTES_MAX`].
    Length(usize),
    /// A length over the limit.
    TooLarge,
    /// Chunks.
    Chunks(Chunks),
}

/// What a body's decoding came to.
#[derive(Debug)]
pub(super) enum Progress {
    /// Bytes are missing.
    Partial,
    /// The body's bytes come right after the head; the next request `end_bytes` after it.
    Whole { body_bytes: usize, end_bytes: usize },
    /// It is, or will be, longer than the limit.
    TooLarge,
}

impl Framing {
    /// Whether anything is to be read after the head.
    pub(super) fn awaits(&self) -> bool {
        matches!(self, Framing::Length(1..) | Framing::Chunks(_))
    }

    /// Goes on with the body whose first byte is `buf[at]`. Chunks become one piece there.
    pub(super) fn decode(&mut self, buf: &mut Vec<u8>, at: usize) -> Result<Progress, Refusal> {
        match self {
            Framing::Length(length) if buf.len().saturating_sub(at) < *length => {
                Ok(Progress::Partial)
            }
            Framing::Length(length) => Ok(Progress::Whole {
                body_bytes: *length,
                end_bytes: *length,
            }),
            Framing::TooLarge => Ok(Progress::TooLarge),
            Framing::Chunks(chunks) => chunks.decode(buf, at),
        }
    }
}

/// A chunked body under way.
#[derive(Debug)]
pub(super) struct Chunks {
    /// Decoded bytes; they lie in one piece right after the head.
    body_bytes: usize,
    next: Next,
    /// What the head left of [`FIELDS_MAX`] for the trailers.
    trailers_max: usize,
    /// What the head left of [`HEAD_BYTES_MAX`], and the empty line that is due even so.
    trailer_bytes_max: usize,
}

/// What comes next in a chunked body.
#[derive(Clone, Copy, Debug)]
enum Next {
    SizeLine,
    /// So many bytes of the chunk.
    Data(usize),
    /// The CRLF after a chunk's bytes.
    DataEnd,
    Trailers,
}

impl Chunks {
    /// Head and trailers share their limits: the head has so many fields and bytes.
    pub(super) fn after(head_fields: usize, head_bytes: usize) -> Chunks {
        Chunks {
            body_bytes: 0,
            next: Next::SizeLine,
            trailers_max: FIELDS_MAX.saturating_sub(head_fields),
            trailer_bytes_max: HEAD_BYTES_MAX.saturating_sub(head_bytes) + b"\r\n".len(),
        }
    }

    fn decode(&mut self, buf: &mut Vec<u8>, start: usize) -> Result<Progress, Refusal> {
        let mut at = start + self.body_bytes;
        loop {
            let rest = buf.get(at..).unwrap_or_default();
            match self.next {
                Next::SizeLine => {
                    let Some(line) = size_line(rest)? else { break };
                    if line.size > BODY_BYTES_MAX - self.body_bytes {
                        return Ok(Progress::TooLarge);
                    }
                    at += line.len_bytes;
                    self.next = match line.size {
                        0 => Next::Trailers,
                        size => Next::Data(size),
                    };
                }
                Next::Data(size) => {
                    let here = size.min(rest.len());
                    if here > 0 {
                        buf.copy_within(at..at + here, start + self.body_bytes);
                    }
                    self.body_bytes += here;
                    at += here;
                    if here < size {
                        self.next = Next::Data(size - here);
                        break;
                    }
                    self.next = Next::DataEnd;
                }
                Next::DataEnd => match rest {
                    [] | [b'\r'] => break,
                    [b'\r', b'\n', ..] => {
                        at += 2;
                        self.next = Next::SizeLine;
                    }
                    _ => return Err(Refusal::of(Status::BAD_REQUEST)),
                },
                Next::Trailers => {
                    let Some(len_bytes) = self.trailers(rest)? else {
                        break;
                    };
                    let end_bytes = at + len_bytes - start;
                    return Ok(Progress::Whole {
                        body_bytes: self.body_bytes,
                        end_bytes,
                    });
                }
            }
        }
        // The framing read so far goes, so that the buffer holds no more than the body needs.
        let end = start + self.body_bytes;
        if end < at {
            buf.drain(end..at);
        }
        Ok(Progress::Partial)
    }

    /// The length of the trailer section with its empty line, `None` while it is not whole. The
    /// fields are held to the rules of a head's, except that lines end with CRLF, and dropped.
    fn trailers(&self, rest: &[u8]) -> Result<Option<usize>, Refusal> {
        if let [b'\r', b'\n', ..] = rest {
            return Ok(Some(2));
        }
        let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
        let fields = fields.get_mut(..self.trailers_max).unwrap_or_default();
        let window = rest.get(..self.trailer_bytes_max).unwrap_or(rest);
        match httparse::parse_headers(window, fields) {
            Ok(httparse::Status::Complete((len_bytes, _))) => {
                let section = window.get(..len_bytes).unwrap_or_default();
                let before = std::iter::once(&0).chain(section);
                let mut pairs = before.zip(section);
                if pairs.all(|(before, byte)| *byte != b'\n' || *before == b'\r') {
                    Ok(Some(len_bytes))
                } else {
                    Err(Refusal::of(Status::BAD_REQUEST))
                }
            }
            Ok(httparse::Status::Partial) if rest.len() < self.trailer_bytes_max => Ok(None),
            Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
                Err(Refusal::of(Status::HEAD_TOO_LARGE))
            }
            Err(_) => Err(Refusal::of(Status::BAD_REQUEST)),
        }
    }
}

struct SizeLine {
    size: usize,
    len_bytes: usize,
}

/// Reads `chunk-size [ chunk-ext ] CRLF`; `None` while the line is not whole. Nothing but
/// hexadecimal digits is a size; extensions are skipped, but neither a control byte nor the end of
/// the line hides in them: a quoted string is closed before it (RFC 9112, section 7.1.1).
fn size_line(rest: &[u8]) -> Result<Option<SizeLine>, Refusal> {
    #[derive(Clone, Copy)]
    enum After {
        Nothing,
        Digit,
        /// White space that only an extension may follow.
        Space,
        Extension,
        /// In a quoted string.
        Quoted,
        /// In it, behind a backslash.
        Escape,
        Return,
    }
    let refusal = Refusal::of(Status::BAD_REQUEST);
    let window = rest.get(..CHUNK_LINE_BYTES_MAX).unwrap_or(rest);
    let mut after = After::Nothing;
    let mut size: usize = 0;
    for (index, byte) in window.iter().enumerate() {
        after = match (after, byte) {
            (After::Nothing | After::Digit, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                let digit = char::from(*byte).to_digit(16).ok_or(refusal)?;
                size = size.checked_mul(16).ok_or(refusal)? | digit as usize;
                After::Digit
            }
            (After::Digit | After::Space, b' ' | b'\t') => After::Space,
            (After::Digit | After::Space, b';') => After::Extension,
            (After::Extension, b'"') => After::Quoted,
            (After::Quoted, b'"') => After::Extension,
            (After::Quoted, b'\\') => After::Escape,
            (After::Extension, b'\t' | b' '..=b'~' | 0x80..) => After::Extension,
            (After::Quoted | After::Escape, b'\t' | b' '..=b'~' | 0x80..) => After::Quoted,
            (After::Digit | After::Extension, b'\r') => After::Return,
            (After::Return, b'\n') => {
                return Ok(Some(SizeLine {
                    size,
                    len_bytes: index + 1,
                }));
            }
            _ => return Err(refusal),
        };
    }
    if rest.len() < CHUNK_LINE_BYTES_MAX {
        Ok(None)
    } else {
        Err(refusal)
    }
}
