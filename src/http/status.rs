//! The statuses that the server answers with, and what each writes.

/// A response's status. Only the constants exist, so its line and its problem are literals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status(&'static Texts);

#[derive(Debug, PartialEq, Eq)]
struct Texts {
    code: u16,
    reason: &'static str,
    line: &'static str,
    problem: &'static str,
}

/// All texts of a status from its code and reason phrase.
macro_rules! status {
    ($code:literal $reason:literal) => {
        Status(&Texts {
            code: $code,
            reason: $reason,
            line: concat!("HTTP/1.1 ", $code, " ", $reason, "\r\n"),
            problem: concat!(r#"{"title":""#, $reason, r#"","status":"#, $code, "}"),
        })
    };
}

impl Status {
    /// What was asked for was done, or is here.
    pub const OK: Status = status!(200 "OK");
    /// Not a request, an ambiguous one, or not JSON.
    pub const BAD_REQUEST: Status = status!(400 "Bad Request");
    /// No such path, or no such cliente.
    pub const NOT_FOUND: Status = status!(404 "Not Found");
    /// The path exists for other methods, which the answer's `Allow` names.
    pub const METHOD_NOT_ALLOWED: Status = status!(405 "Method Not Allowed");
    /// The request was not whole in time.
    pub const REQUEST_TIMEOUT: Status = status!(408 "Request Timeout");
    /// The body is longer than [`BODY_BYTES_MAX`](crate::limits::BODY_BYTES_MAX).
    pub const PAYLOAD_TOO_LARGE: Status = status!(413 "Content Too Large");
    /// An expectation other than `100-continue`.
    pub const EXPECTATION_FAILED: Status = status!(417 "Expectation Failed");
    /// JSON that breaks a rule, or a transacao that the bank refuses.
    pub const UNPROCESSABLE: Status = status!(422 "Unprocessable Content");
    /// The head is longer than [`HEAD_BYTES_MAX`](crate::limits::HEAD_BYTES_MAX) or has more
    /// than [`FIELDS_MAX`](crate::limits::FIELDS_MAX) fields (RFC 6585, section 5).
    pub const HEAD_TOO_LARGE: Status = status!(431 "Request Header Fields Too Large");
    /// A fault of the server's own.
    pub const INTERNAL: Status = status!(500 "Internal Server Error");
    /// A transfer coding other than `chunked`.
    pub const NOT_IMPLEMENTED: Status = status!(501 "Not Implemented");
    /// Not now; nothing was applied.
    pub const UNAVAILABLE: Status = status!(503 "Service Unavailable");
    /// The outcome could not be learned in time.
    pub const GATEWAY_TIMEOUT: Status = status!(504 "Gateway Timeout");
    /// HTTP, but not 1.x.
    pub const VERSION: Status = status!(505 "HTTP Version Not Supported");

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
