//! The statuses that the server answers with, and what each writes.

/// A response's status. Only the constants exist, so its line and its problem are literals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status(&'static Texts);

#[derive(Debug, PartialEq, Eq)]
struct Texts {
    index: usize,
    code: u16,
    reason: &'static str,
    line: &'static str,
    problem: &'static str,
}

/// All texts of a status from its place, code and reason phrase.
macro_rules! status {
    ($index:literal, $code:literal $reason:literal) => {
        Status(&Texts {
            index: $index,
            code: $code,
            reason: $reason,
            line: concat!("HTTP/1.1 ", $code, " ", $reason, "\r\n"),
            problem: concat!(r#"{"title":""#, $reason, r#"","status":"#, $code, "}"),
        })
    };
}

impl Status {
    /// What was asked for was done, or is here.
    pub const OK: Status = status!(0, 200 "OK");
    /// Not a request, an ambiguous one, or not JSON.
    pub const BAD_REQUEST: Status = status!(1, 400 "Bad Request");
    /// No such path, or no such cliente.
    pub const NOT_FOUND: Status = status!(2, 404 "Not Found");
    /// The path exists for other methods, which the answer's `Allow` names.
    pub const METHOD_NOT_ALLOWED: Status = status!(3, 405 "Method Not Allowed");
    /// The request was not whole in time.
    pub const REQUEST_TIMEOUT: Status = status!(4, 408 "Request Timeout");
    /// The body is longer than [`BODY_BYTES_MAX`](crate::limits::BODY_BYTES_MAX).
    pub const PAYLOAD_TOO_LARGE: Status = status!(5, 413 "Content Too Large");
    /// An expectation other than `100-continue`.
    pub const EXPECTATION_FAILED: Status = status!(6, 417 "Expectation Failed");
    /// JSON that breaks a rule, or a transacao that the bank refuses.
    pub const UNPROCESSABLE: Status = status!(7, 422 "Unprocessable Content");
    /// The head is longer than [`HEAD_BYTES_MAX`](crate::limits::HEAD_BYTES_MAX) or has more
    /// than [`FIELDS_MAX`](crate::limits::FIELDS_MAX) fields (RFC 6585, section 5).
    pub const HEAD_TOO_LARGE: Status = status!(8, 431 "Request Header Fields Too Large");
    /// A fault of the server's own.
    pub const INTERNAL: Status = status!(9, 500 "Internal Server Error");
    /// A transfer coding other than `chunked`.
    pub const NOT_IMPLEMENTED: Status = status!(10, 501 "Not Implemented");
    /// Not now; nothing was applied.
    pub const UNAVAILABLE: Status = status!(11, 503 "Service Unavailable");
    /// The outcome could not be learned in time.
    pub const GATEWAY_TIMEOUT: Status = status!(12, 504 "Gateway Timeout");
    /// HTTP, but not 1.x.
    pub const VERSION: Status = status!(13, 505 "HTTP Version Not Supported");

    /// All of them, in the order of their codes.
    pub const ALL: [Status; 14] = [
        Self::OK,
        Self::BAD_REQUEST,
        Self::NOT_FOUND,
        Self::METHOD_NOT_ALLOWED,
        Self::REQUEST_TIMEOUT,
        Self::PAYLOAD_TOO_LARGE,
        Self::EXPECTATION_FAILED,
        Self::UNPROCESSABLE,
        Self::HEAD_TOO_LARGE,
        Self::INTERNAL,
        Self::NOT_IMPLEMENTED,
        Self::UNAVAILABLE,
        Self::GATEWAY_TIMEOUT,
        Self::VERSION,
    ];

    /// Its place in [`Status::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self.0.index
    }

    /// The three digits.
    #[must_use]
    pub const fn code(self) -> u16 {
        self.0.code
    }

    /// The reason phrase (RFC 9110, section 15).
    #[must_use]
    pub const fn reason(self) -> &'static str {
        self.0.reason
    }

    /// The whole status line with its CRLF.
    pub(super) const fn line(self) -> &'static str {
        self.0.line
    }
}

/// The status as a problem (RFC 9457): `{"title":"Not Found","status":404}`, built beforehand.
#[must_use]
pub const fn problem(status: Status) -> &'static str {
    status.0.problem
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_knows_its_place() {
        for (index, status) in Status::ALL.into_iter().enumerate() {
            assert_eq!(status.index(), index, "{}", status.reason());
        }
        assert!(Status::ALL.is_sorted_by_key(|status| status.code()));
    }
}
