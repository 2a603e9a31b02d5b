//! What a head's fields say about its body and its connection (RFC 9110, RFC 9112).

use super::request::{Persistence, Refusal};
use super::status::Status;
use super::target::is_host;

/// What the fields of one head came to.
#[derive(Debug)]
pub(super) struct Said {
    pub length: Length,
    pub persistence: Persistence,
    /// `Expect: 100-continue` of HTTP/1.1.
    pub expects_continue: bool,
}

/// A body's length as the fields tell it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Length {
    Bytes(u64),
    Chunked,
}

/// Which HTTP/1.x the request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    Http10,
    Http11,
}

/// Reads the fields that matter. What is ambiguous is refused with 400 before anything else.
pub(super) fn said(fields: &[httparse::Header<'_>], version: Version) -> Result<Said, Refusal> {
    let mut seen = Seen::default();
    for field in fields {
        let name = field.name.as_bytes();
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => seen.host(field.value)?,
            6 if name.eq_ignore_ascii_case(b"expect") => seen.expect(field.value),
            10 if name.eq_ignore_ascii_case(b"connection") => seen.connection(field.value),
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                seen.content_length(field.value)?;
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                seen.transfer_encoding(field.value)?;
            }
            _ => {}
        }
    }
    seen.conclude(version)
}

/// What was seen so far.
#[derive(Default)]
struct Seen {
    host: bool,
    close: bool,
    keep_alive: bool,
    length: Option<u64>,
    coding: Option<Coding>,
    continues: bool,
    expects_other: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Coding {
    Chunked,
    Other,
}

impl Seen {
    /// A second one is as bad as an invalid one (RFC 9112, section 3.2).
    fn host(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if self.host || !is_host(value) {
            return Err(Refusal::of(Status::BAD_REQUEST));
        }
        self.host = true;
        Ok(())
    }

    fn expect(&mut self, value: &[u8]) {
        // Empty elements are to be ignored (RFC 9110, section 5.6.1.2).
        for expectation in elements(value).filter(|element| !element.is_empty()) {
            let continues = expectation.eq_ignore_ascii_case(b"100-continue");
            self.continues |= continues;
            self.expects_other |= !continues;
        }
    }

    fn connection(&mut self, value: &[u8]) {
        for option in elements(value) {
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    /// One decimal number; repeated ones, in a list or in lines, must all be the same
    /// (RFC 9110, section 8.6).
    fn content_length(&mut self, value: &[u8]) -> Result<(), Refusal> {
        for element in elements(value) {
            let length = decimal(element).ok_or(Refusal::of(Status::BAD_REQUEST))?;
            if self.length.is_some_and(|earlier| earlier != length) {
                return Err(Refusal::of(Status::BAD_REQUEST));
            }
            self.length = Some(length);
        }
        Ok(())
    }

    /// `chunked` alone is known, and only once (RFC 9112, sections 6.1 and 7.1).
    #[cold]
    fn transfer_encoding(&mut self, value: &[u8]) -> Result<(), Refusal> {
        for coding in elements(value) {
            let chunked = coding.eq_ignore_ascii_case(b"chunked");
            if coding.is_empty() || (chunked && self.coding == Some(Coding::Chunked)) {
                return Err(Refusal::of(Status::BAD_REQUEST));
            }
            self.coding = match self.coding {
                None if chunked => Some(Coding::Chunked),
                _ => Some(Coding::Other),
            };
        }
        Ok(())
    }

    fn conclude(self, version: Version) -> Result<Said, Refusal> {
        let http11 = version == Version::Http11;
        let misframed = self.coding.is_some() && (self.length.is_some() || !http11);
        if misframed || (http11 && !self.host) {
            return Err(Refusal::of(Status::BAD_REQUEST));
        }
        let length = match self.coding {
            None => Length::Bytes(self.length.unwrap_or(0)),
            Some(Coding::Chunked) => Length::Chunked,
            Some(Coding::Other) => return Err(Refusal::of(Status::NOT_IMPLEMENTED)),
        };
        if http11 && self.expects_other {
            return Err(Refusal::of(Status::EXPECTATION_FAILED));
        }
        let persistence = match version {
            _ if self.close => Persistence::Close,
            Version::Http11 => Persistence::KeepAlive,
            Version::Http10 if self.keep_alive => Persistence::KeepAliveHttp10,
            Version::Http10 => Persistence::Close,
        };
        Ok(Said {
            length,
            persistence,
            expects_continue: http11 && self.continues,
        })
    }
}

/// The elements of a list, without the white space around them (RFC 9110, section 5.6.1).
fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

/// Digits only, at least one, no overflow.
fn decimal(text: &[u8]) -> Option<u64> {
    let mut number: Option<u64> = None;
    for byte in text {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number = Some(number.unwrap_or(0).checked_mul(10)?.checked_add(digit)?);
    }
    number
}
