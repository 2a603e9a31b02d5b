//! Preparing a session's statements: once when it starts, and again when the server lost them.

use super::backend::take_message;
use super::error::shown;
use super::{HandshakeError, Oid, ServerError, Statement};
use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use postgres_protocol::message::backend::{Message, ParameterDescriptionBody, RowDescriptionBody};
use postgres_protocol::message::frontend;

/// Prepares statements and checks that the database knows them as we do: Close, Parse and
/// Describe of each, then one Sync (PostgreSQL 55.2.3).
///
/// Close first, so that it can be done again: after 26000 (a statement is gone) and 0A000 (a
/// cached plan's result changed). No call may be out meanwhile.
#[derive(Debug)]
pub struct Prepare {
    statements: &'static [Statement],
    /// Statements prepared so far; the next one is being answered.
    prepared: usize,
    awaited: Awaited,
    error: Option<HandshakeError>,
}

/// What is to come next for the statement that is being answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaited {
    CloseComplete,
    ParseComplete,
    ParameterDescription,
    /// RowDescription, or NoData
    RowDescription,
    /// All are prepared, or one failed.
    ReadyForQuery,
}

impl Prepare {
    /// Will prepare `statements`.
    pub fn new(statements: &'static [Statement]) -> Prepare {
        Prepare {
            statements,
            prepared: 0,
            awaited: Awaited::CloseComplete,
            error: None,
        }
    }

    /// Appends the messages to send, and starts anew.
    pub fn begin(&mut self, out: &mut BytesMut) {
        *self = Prepare::new(self.statements);
        if self.statements.is_empty() {
            self.awaited = Awaited::ReadyForQuery;
        }
        for Statement {
            name, sql, params, ..
        } in self.statements
        {
            let params = params.iter().copied();
            frontend::close(b'S', name, out).expect("a statement's name has no NUL");
            frontend::parse(name, sql, params, out).expect("a statement has no NUL");
            frontend::describe(b'S', name, out).expect("a statement's name has no NUL");
        }
        frontend::sync(out);
    }

    /// Takes what the server sent: `true` once all are prepared, `false` if more bytes are needed.
    /// What follows stays in `input`.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::Schema`] if the database lacks something or has another form of it, else
    /// the server's error, or that it broke the protocol. The session is then of no use.
    pub fn advance(&mut self, input: &mut BytesMut) -> Result<bool, HandshakeError> {
        while let Some(message) = take_message(input)? {
            if self.step(message)? {
                return match self.error.take() {
                    Some(error) => Err(error),
                    None => Ok(true),
                };
            }
        }
        Ok(false)
    }

    /// Takes one message; `true` if it was the last.
    fn step(&mut self, message: Message) -> Result<bool, HandshakeError> {
        use Awaited as A;
        self.awaited = match (self.awaited, message) {
            (awaited, message) if is_asynchronous(&message) => awaited,
            (_, Message::ErrorResponse(body)) => {
                let error = ServerError::from_fields(body.fields())
                    .ok_or_else(|| HandshakeError::protocol("a malformed error"))?;
                if error.is_fatal() {
                    return Err(HandshakeError::Server(error));
                }
                // The first is the one to mend; the server skips what is left up to the Sync.
                let error = self.judge(error);
                self.error.get_or_insert(error);
                A::ReadyForQuery
            }
            (A::CloseComplete, Message::CloseComplete) => A::ParseComplete,
            (A::ParseComplete, Message::ParseComplete) => A::ParameterDescription,
            (A::ParameterDescription, Message::ParameterDescription(body)) => {
                let params = param_types(&body)?;
                self.compare("takes parameters", &params, |statement| statement.params);
                A::RowDescription
            }
            (A::RowDescription, Message::RowDescription(body)) => {
                let columns = column_types(&body)?;
                self.compare("gives columns", &columns, |statement| statement.columns);
                self.next_statement()
            }
            (A::RowDescription, Message::NoData) => {
                self.compare("gives columns", &[], |statement| statement.columns);
                self.next_statement()
            }
            (A::ReadyForQuery, Message::ReadyForQuery(body)) if body.status() == b'I' => {
                return Ok(true);
            }
            (awaited, _) => {
                let what = format!("another message while preparing, {awaited:?} should come");
                return Err(HandshakeError::Protocol(what));
            }
        };
        Ok(false)
    }

    fn next_statement(&mut self) -> Awaited {
        self.prepared += 1;
        if self.prepared < self.statements.len() {
            Awaited::CloseComplete
        } else {
            Awaited::ReadyForQuery
        }
    }

    /// Remembers the first statement that the database has in another form.
    fn compare(&mut self, what: &str, got: &[Oid], want: impl Fn(&Statement) -> &'static [Oid]) {
        let Some(statement) = self.statements.get(self.prepared) else {
            return;
        };
        let want = want(statement);
        if got != want && self.error.is_none() {
            let got = shown(format!("{got:?}").as_bytes());
            let what = format!("{} {what} of types {got}, not {want:?}", statement.name);
            self.error = Some(HandshakeError::Schema {
                what,
                files: statement.files,
            });
        }
    }

    /// Whether the server's error says that the schema lacks something (PostgreSQL appendix A).
    fn judge(&self, error: ServerError) -> HandshakeError {
        let lacks = matches!(
            error.sqlstate(),
            "42883" // undefined function
                | "42725" // ambiguous function
                | "42P01" // undefined table
                | "42703" // undefined column
                | "42704" // undefined type
                | "42809" // a procedure where a function should be, and the like
                | "42804" // datatype mismatch
                | "3F000" // undefined schema
        );
        match self.statements.get(self.prepared) {
            Some(statement) if lacks => HandshakeError::Schema {
                // The server's hint is about SQL; ours, which follows, is about the files.
                what: format!(
                    "{}: {}",
                    statement.name,
                    ServerError {
                        hint: None,
                        ..error
                    }
                ),
                files: statement.files,
            },
            _ => HandshakeError::Server(error),
        }
    }
}

/// What the server may send at any time (PostgreSQL 55.2.7).
fn is_asynchronous(message: &Message) -> bool {
    matches!(
        message,
        Message::NoticeResponse(_) | Message::ParameterStatus(_) | Message::NotificationResponse(_)
    )
}

fn param_types(body: &ParameterDescriptionBody) -> Result<Vec<Oid>, HandshakeError> {
    body.parameters()
        .collect()
        .map_err(|error| HandshakeError::Protocol(error.to_string()))
}

fn column_types(body: &RowDescriptionBody) -> Result<Vec<Oid>, HandshakeError> {
    let types = body.fields().map(|field| Ok(field.type_oid())).collect();
    types.map_err(|error| HandshakeError::Protocol(error.to_string()))
}
