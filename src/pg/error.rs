//! What PostgreSQL reports, and what ends a session.

use crate::limits::SERVER_TEXT_CHARS_MAX;
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
            let text = || shown(field.value_bytes());
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

/// A text of the server's, cut to a length that a log bears.
pub(super) fn shown(bytes: &[u8]) -> String {
    let (begin, _) = bytes.split_at(bytes.len().min(4 * SERVER_TEXT_CHARS_MAX));
    let text = String::from_utf8_lossy(begin);
    text.chars().take(SERVER_TEXT_CHARS_MAX).collect()
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

/// Why a session could not be started, or its statements not be prepared. The text is a sentence
/// for the log; it never holds the password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// The server refused: a wrong password, no such database, it is starting up, ...
    #[error("{0}{advice}", advice = advice(.0))]
    Server(ServerError),
    /// The server asks for a password, and there is none.
    #[error(
        "PostgreSQL asks for a password: give it in DATABASE_URL, PGPASSWORD or PGPASSWORD_FILE"
    )]
    PasswordMissing,
    /// The server asks for the bare password where others may listen.
    #[error(
        "PostgreSQL asks for the password in clear text, which is only sent over a Unix socket: \
         set the method scram-sha-256 in its pg_hba.conf"
    )]
    Cleartext,
    /// The server asks for a method that is not built.
    #[error(
        "PostgreSQL asks for {0} authentication, which crebito does not know: set the method \
         scram-sha-256 in its pg_hba.conf"
    )]
    Method(String),
    /// The server did not prove that it knows the password, or broke SCRAM (RFC 5802).
    #[error("SCRAM with PostgreSQL failed: {0}; is it the right server?")]
    Scram(String),
    /// The database's encoding is another one than UTF8.
    #[error(
        "the database's encoding is {0}, and descricoes are UTF-8: make one by CREATE DATABASE \
         ... ENCODING 'UTF8' TEMPLATE template0, and run sql/ on it"
    )]
    Encoding(String),
    /// The database lacks what a statement needs, or has another form of it.
    #[error(
        "the database's schema does not fit: {what}; run on it, in this order: {}",
        .files.join(", ")
    )]
    Schema {
        /// What is missing or different.
        what: String,
        /// The files in sql/ to run.
        files: &'static [&'static str],
    },
    /// The server sent what it must not; is it a PostgreSQL?
    #[error("not the PostgreSQL protocol: {0}")]
    Protocol(String),
}

impl HandshakeError {
    pub(super) fn protocol(what: impl Into<String>) -> HandshakeError {
        HandshakeError::Protocol(what.into())
    }

    /// Whether it will be so again until somebody changes something: a setting of ours, a role, a
    /// grant, the schema. (A server that is starting, ending or full is not asked in vain.)
    pub fn is_lasting(&self) -> bool {
        match self {
            HandshakeError::Server(error) => {
                let of = |class: &&str| error.sqlstate().starts_with(class);
                LASTING.iter().any(of)
            }
            HandshakeError::PasswordMissing
            | HandshakeError::Cleartext
            | HandshakeError::Method(_)
            | HandshakeError::Scram(_)
            | HandshakeError::Encoding(_)
            | HandshakeError::Schema { .. }
            | HandshakeError::Protocol(_) => true,
        }
    }
}

/// How their SQLSTATEs begin (PostgreSQL appendix A): a protocol violation (a pooler's, to our
/// settings), feature not supported, invalid authorization, invalid catalog name, and access rule
/// violation, which includes what does not exist.
const LASTING: [&str; 5] = ["08P01", "0A", "28", "3D", "42"];

impl From<LinkError> for HandshakeError {
    fn from(error: LinkError) -> HandshakeError {
        match error {
            LinkError::Fatal(error) => HandshakeError::Server(error),
            LinkError::Protocol(what) => HandshakeError::Protocol(what),
        }
    }
}

/// What the user may do about an error at start-up.
fn advice(error: &ServerError) -> &'static str {
    match error.sqlstate() {
        "28P01" => {
            " (the user or the password in DATABASE_URL, PGPASSWORD or PGPASSWORD_FILE is wrong)"
        }
        "28000" => " (the server's pg_hba.conf does not let this user in from here)",
        "3D000" => " (create the database, or correct its name in DATABASE_URL)",
        "42501" => " (grant it to the user of DATABASE_URL)",
        "53300" => " (raise max_connections, or start fewer workers)",
        _ => "",
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        for whole in ["a", "é", "\u{1f600}"] {
            assert_eq!(shown(whole.as_bytes()), whole);
            let long = whole.repeat(5 * SERVER_TEXT_CHARS_MAX);
            assert_eq!(shown(long.as_bytes()), whole.repeat(SERVER_TEXT_CHARS_MAX));
        }
        // What is no UTF-8 neither grows.
        let shown = shown(&vec![0xff; 5 * SERVER_TEXT_CHARS_MAX]);
        assert_eq!(shown.chars().count(), SERVER_TEXT_CHARS_MAX);
    }

    #[test]
    fn what_only_a_change_cures_is_lasting() {
        let lasting = |sqlstate: &[u8; 5]| {
            let error = ServerError {
                severity: "FATAL".to_owned(),
                sqlstate: *sqlstate,
                message: String::new(),
                detail: None,
                hint: None,
            };
            HandshakeError::Server(error).is_lasting()
        };
        for sqlstate in [b"08P01", b"0A000", b"28P01", b"3D000", b"42883"] {
            assert!(lasting(sqlstate), "{sqlstate:?}");
        }
        // Starting, shutting down, no more room for sessions, a connection that failed.
        for sqlstate in [b"57P03", b"57P01", b"53300", b"08006", b"XX000"] {
            assert!(!lasting(sqlstate), "{sqlstate:?}");
        }
        assert!(HandshakeError::PasswordMissing.is_lasting());
    }
}
