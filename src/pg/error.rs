//! What PostgreSQL reports, and what ends a session.

use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use postgres_protocol::message::backend::{ErrorFields, Message};
use std::fmt;

/// An ErrorResponse (PostgreSQL 55.8). Decide on [`ServerError::sqlstate`] only: texts are
/// localised. Displayed as one log line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerError {
    /// `ERROR`, `FATAL` or `PANIC`, never localised (field V; S of servers before 9.6).
    pub severity: String,
    /// The five characters of the SQLSTATE (PostgreSQL appendix A), all ASCII.
    pub sqlstate: [u8; 5],
    /// What went wrong, in the server's language.
    pub message: String,
    /// More of it, maybe several lines.
    pub detail: Option<String>,
    /// What may help.
    pub hint: Option<String>,
}

impl ServerError {
    /// Decodes an ErrorResponse, header and all. `None` if it is malformed or lacks its SQLSTATE.
    pub(super) fn decode(message: &[u8]) -> Option<ServerError> {
        match Message::parse(&mut BytesMut::from(message)) {
            Ok(Some(Message::ErrorResponse(body))) => ServerError::from_fields(body.fields()),
            _ => None,
        }
    }

    /// `None` if a field is malformed or the SQLSTATE is missing.
    pub(super) fn from_fields(mut fields: ErrorFields<'_>) -> Option<ServerError> {
        let (mut severity, mut sqlstate, mut message) = (None, None, None);
        let (mut detail, mut hint) = (None, None);
        while let Some(field) = fields.next().ok()? {
            let text = || String::from_utf8_lossy(field.value_bytes()).into_owned();
            match field.type_() {
                b'V' => severity = Some(text()),
                b'S' if severity.is_none() => severity = Some(text()),
                b'C' => sqlstate = <[u8; 5]>::try_from(field.value_bytes()).ok(),
                b'M' => message = Some(text()),
                b'D' => detail = Some(text()),
                b'H' => hint = Some(text()),
                _ => {}
            }
        }
        let sqlstate = sqlstate.filter(|code: &[u8; 5]| code.is_ascii())?;
        Some(ServerError {
            severity: severity?,
            sqlstate,
            message: message.unwrap_or_default(),
            detail,
            hint,
        })
    }

    /// The SQLSTATE as text, such as `26000`.
    pub fn sqlstate(&self) -> &str {
        str::from_utf8(&self.sqlstate).unwrap_or("?????")
    }

    /// Whether the session ends with it: no ReadyForQuery follows a FATAL or a PANIC.
    pub fn is_fatal(&self) -> bool {
        matches!(self.severity.as_str(), "FATAL" | "PANIC")
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {}: {}",
            self.severity,
            self.sqlstate(),
            OneLine(&self.message)
        )?;
        if let Some(detail) = &self.detail {
            write!(f, "; detail: {}", OneLine(detail))?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "; hint: {}", OneLine(hint))?;
        }
        Ok(())
    }
}

impl std::error::Error for ServerError {}

/// What ends a session. Whether calls in flight were committed is then not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// The server ended it; no ReadyForQuery will come.
    #[error("{0}")]
    Fatal(ServerError),
    /// The server sent what it must not; where in the bytes we are is no longer known.
    #[error("not the PostgreSQL protocol: {0}")]
    Protocol(String),
}

impl LinkError {
    pub(super) fn protocol(what: impl Into<String>) -> LinkError {
        LinkError::Protocol(what.into())
    }
}

/// Control characters would break the log's lines.
struct OneLine<'a>(&'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.0.split(char::is_control).enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            f.write_str(part)?;
        }
        Ok(())
    }
}
