//! From a fresh connection to a session that takes calls (PostgreSQL 55.2.1, 55.3).

use super::backend::take_message;
use super::error::shown;
use super::{HandshakeError, Host, Prepare, ServerError, Statement, Target};
use crate::limits::SERVER_NAME_CHARS_MAX;
use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use postgres_protocol::message::backend::{
    AuthenticationMd5PasswordBody, AuthenticationSaslBody, Message, ParameterStatusBody,
};
use postgres_protocol::message::frontend;

/// Starts a session: logs in, takes the server's parameters, prepares the statements. Without
/// TLS, so SCRAM without channel binding.
pub struct Handshake<'t> {
    target: &'t Target,
    settings: &'static [(&'static str, &'static str)],
    state: State,
    prepare: Prepare,
    backend: Backend,
}

/// How far a handshake is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Write what was appended, read more, come again.
    NeedData,
    /// The session takes calls; the server sent nothing that was not taken but what `input` holds.
    Ready(Backend),
}

/// The server's process for a session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backend {
    /// As `pg_backend_pid()` says it, unless a pooler is between; 0 if the server gave none.
    pub process_id: i32,
    /// Such as `15.8 (Debian 15.8-0+deb12u1)`; empty if the server gave none.
    pub server_version: String,
}

/// What the server may send next.
enum State {
    /// Its choice of a method, or AuthenticationOk.
    Authentication,
    /// AuthenticationOk: the password or its md5 hash was sent.
    PasswordSent,
    /// Its first SCRAM message.
    ScramFirst(Box<ScramSha256>),
    /// Its last SCRAM message, which proves that it knows the password.
    ScramFinal(Box<ScramSha256>),
    /// AuthenticationOk: it proved itself.
    ScramVerified,
    /// Parameters, the backend's key, ReadyForQuery.
    Parameters,
    /// Answers to [`Prepare`].
    Preparing,
    /// Nothing: it is ready, or failed.
    Over,
}

impl<'t> Handshake<'t> {
    /// Will start a session at `target` with `settings` as further run-time parameters
    /// (`statement_timeout` and the like), and prepare `statements`.
    pub fn new(
        target: &'t Target,
        settings: &'static [(&'static str, &'static str)],
        statements: &'static [Statement],
    ) -> Handshake<'t> {
        Handshake {
            target,
            settings,
            state: State::Authentication,
            prepare: Prepare::new(statements),
            backend: Backend::default(),
        }
    }

    /// Appends the StartupMessage, the first to be sent.
    pub fn begin(&mut self, out: &mut BytesMut) {
        let target = self.target;
        let own = [
            ("user", target.user.as_str()),
            ("database", &target.database),
            ("application_name", &target.application_name),
            ("client_encoding", "UTF8"),
        ];
        let parameters = own.into_iter().chain(self.settings.iter().copied());
        frontend::startup_message(parameters, out).expect("a Target and the settings have no NUL");
    }

    /// Takes what the server sent from `input`, and appends to `out` what is to be sent, also
    /// when more bytes are needed.
    ///
    /// # Errors
    ///
    /// The connection is then of no use; whether a new one may do better is for the caller.
    pub fn advance(
        &mut self,
        input: &mut BytesMut,
        out: &mut BytesMut,
    ) -> Result<Progress, HandshakeError> {
        let progress = self.advance_unguarded(input, out);
        if !matches!(progress, Ok(Progress::NeedData)) {
            self.state = State::Over;
        }
        progress
    }

    fn advance_unguarded(
        &mut self,
        input: &mut BytesMut,
        out: &mut BytesMut,
    ) -> Result<Progress, HandshakeError> {
        while !matches!(self.state, State::Preparing) {
            let Some(message) = take_message(input)? else {
                return Ok(Progress::NeedData);
            };
            let state = std::mem::replace(&mut self.state, State::Over);
            self.state = self.step(state, message, out)?;
        }
        match self.prepare.advance(input)? {
            true => Ok(Progress::Ready(std::mem::take(&mut self.backend))),
            false => Ok(Progress::NeedData),
        }
    }

    fn step(
        &mut self,
        state: State,
        message: Message,
        out: &mut BytesMut,
    ) -> Result<State, HandshakeError> {
        match (state, message) {
            (_, Message::ErrorResponse(body)) => {
                Err(match ServerError::from_fields(body.fields()) {
                    Some(error) => HandshakeError::Server(error),
                    None => HandshakeError::protocol("a malformed error"),
                })
            }
            (state, Message::NoticeResponse(_) | Message::NotificationResponse(_)) => Ok(state),
            (state, Message::ParameterStatus(body)) => {
                self.take_parameter(&body)?;
                Ok(state)
            }
            (State::Parameters, Message::BackendKeyData(body)) => {
                self.backend.process_id = body.process_id();
                Ok(State::Parameters)
            }
            (State::Parameters, Message::ReadyForQuery(_)) => {
                self.prepare.begin(out);
                Ok(State::Preparing)
            }
            (State::Authentication, message) => self.choose_method(message, out),
            (State::ScramFirst(mut scram), Message::AuthenticationSaslContinue(body)) => {
                scram.update(body.data()).map_err(scram_failed)?;
                frontend::sasl_response(scram.message(), out).map_err(unsendable)?;
                Ok(State::ScramFinal(scram))
            }
            (State::ScramFinal(mut scram), Message::AuthenticationSaslFinal(body)) => {
                scram.finish(body.data()).map_err(scram_failed)?;
                Ok(State::ScramVerified)
            }
            (State::PasswordSent | State::ScramVerified, Message::AuthenticationOk) => {
                Ok(State::Parameters)
            }
            (State::ScramFirst(_) | State::ScramFinal(_), Message::AuthenticationOk) => {
                let what = "the server did not prove that it knows the password";
                Err(HandshakeError::Scram(what.to_owned()))
            }
            (state, _) => {
                let what = format!("another message while {} should come", state.awaited());
                Err(HandshakeError::Protocol(what))
            }
        }
    }

    /// Answers the server's choice of a method of authentication.
    fn choose_method(&self, message: Message, out: &mut BytesMut) -> Result<State, HandshakeError> {
        let unknown = |method: &str| Err(HandshakeError::Method(method.to_owned()));
        match message {
            Message::AuthenticationOk => Ok(State::Parameters),
            Message::AuthenticationCleartextPassword => self.send_cleartext(out),
            Message::AuthenticationMd5Password(body) => self.send_md5(&body, out),
            Message::AuthenticationSasl(body) => self.begin_scram(&body, out),
            Message::AuthenticationGss => unknown("GSSAPI"),
            Message::AuthenticationSspi => unknown("SSPI"),
            Message::AuthenticationKerberosV5 => unknown("Kerberos V5"),
            Message::AuthenticationScmCredential => unknown("SCM credential"),
            _ => Err(HandshakeError::protocol(
                "another message while Authentication should come",
            )),
        }
    }

    fn send_cleartext(&self, out: &mut BytesMut) -> Result<State, HandshakeError> {
        if !matches!(self.target.host, Host::Unix { .. }) {
            return Err(HandshakeError::Cleartext);
        }
        let password = self.password()?;
        frontend::password_message(password.as_bytes(), out).map_err(unsendable)?;
        Ok(State::PasswordSent)
    }

    fn send_md5(
        &self,
        body: &AuthenticationMd5PasswordBody,
        out: &mut BytesMut,
    ) -> Result<State, HandshakeError> {
        let (user, password) = (self.target.user.as_bytes(), self.password()?.as_bytes());
        let hash = md5_hash(user, password, body.salt());
        frontend::password_message(hash.as_bytes(), out).map_err(unsendable)?;
        Ok(State::PasswordSent)
    }

    fn begin_scram(
        &self,
        body: &AuthenticationSaslBody,
        out: &mut BytesMut,
    ) -> Result<State, HandshakeError> {
        let mechanisms: Vec<String> = body
            .mechanisms()
            .map(|name| Ok(name.to_owned()))
            .collect()
            .map_err(|error| HandshakeError::Protocol(error.to_string()))?;
        if !mechanisms.iter().any(|name| name == SCRAM_SHA_256) {
            let shown: String = mechanisms
                .join(" or ")
                .escape_debug()
                .take(SERVER_NAME_CHARS_MAX)
                .collect();
            return Err(HandshakeError::Method(shown));
        }
        let password = self.password()?.as_bytes();
        let scram = Box::new(ScramSha256::new(password, ChannelBinding::unsupported()));
        frontend::sasl_initial_response(SCRAM_SHA_256, scram.message(), out).map_err(unsendable)?;
        Ok(State::ScramFirst(scram))
    }

    fn password(&self) -> Result<&str, HandshakeError> {
        self.target
            .password
            .as_deref()
            .ok_or(HandshakeError::PasswordMissing)
    }

    fn take_parameter(&mut self, body: &ParameterStatusBody) -> Result<(), HandshakeError> {
        match (body.name(), body.value()) {
            (Ok("server_version"), Ok(value)) => {
                self.backend.server_version = value.chars().take(SERVER_NAME_CHARS_MAX).collect();
            }
            // In another one a character may be several, or none that it has: a descricao would
            // be an error, and with it all that is in the same call.
            (Ok("server_encoding"), Ok(value)) if value != "UTF8" => {
                let shown = value.escape_debug().take(SERVER_NAME_CHARS_MAX).collect();
                return Err(HandshakeError::Encoding(shown));
            }
            _ => {}
        }
        Ok(())
    }
}

impl State {
    fn awaited(&self) -> &'static str {
        match self {
            State::Authentication => "a method of authentication",
            State::PasswordSent | State::ScramVerified => "AuthenticationOk",
            State::ScramFirst(_) | State::ScramFinal(_) => "SCRAM",
            State::Parameters => "ReadyForQuery",
            State::Preparing => "the answer to Prepare",
            State::Over => "nothing",
        }
    }
}

fn scram_failed(error: std::io::Error) -> HandshakeError {
    HandshakeError::Scram(shown(error.to_string().as_bytes()))
}

/// A password with a NUL, which [`Target::parse`] refuses.
fn unsendable(error: std::io::Error) -> HandshakeError {
    HandshakeError::Protocol(format!("the answer cannot be sent: {error}"))
}
