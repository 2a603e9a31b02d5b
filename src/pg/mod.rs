//! PostgreSQL protocol 3.0 bytes to messages and back (PostgreSQL chapter 55); no I/O, no bank.
//!
//! A session's life, each step a state machine over bytes: [`Target`] says where to connect,
//! [`Handshake`] starts the session up and prepares its statements ([`Prepare`]), then
//! [`append_call`] writes calls and [`ReplyDecoder`] frames their replies, in the same order.

#![warn(clippy::indexing_slicing)]

mod backend;
mod error;
mod frontend;
mod prepare;
mod startup;
mod target;
pub mod value;

pub use backend::{Reply, ReplyDecoder, Row, Rows};
pub use error::{HandshakeError, LinkError, ServerError};
pub use frontend::{Params, append_call};
pub use postgres_protocol::Oid;
pub use prepare::Prepare;
pub use startup::{Backend, Handshake, Progress};
pub use target::{DEFAULT_FOLDER, Host, Target, TargetError};

/// A statement that is prepared once per session and then called by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statement {
    /// Its name in the session; without a NUL.
    pub name: &'static str,
    /// One SQL command with `$1`, `$2`, ...; without a NUL.
    pub sql: &'static str,
    /// The types of its parameters.
    pub params: &'static [Oid],
    /// The types of its rows' columns; empty if it gives no rows.
    pub columns: &'static [Oid],
    /// The files to run if the database does not know it, in their order, as `sql/...`.
    pub files: &'static [&'static str],
}

/// The types that calls and rows use (`pg_type.oid`, fixed for ever).
pub mod oid {
    use super::Oid;

    /// `smallint`
    pub const INT2: Oid = 21;
    /// `bigint`
    pub const INT8: Oid = 20;
    /// `text`
    pub const TEXT: Oid = 25;
    /// `timestamp with time zone`
    pub const TIMESTAMPTZ: Oid = 1184;
    /// `smallint[]`
    pub const INT2_ARRAY: Oid = 1005;
    /// `bigint[]`
    pub const INT8_ARRAY: Oid = 1016;
    /// `text[]`
    pub const TEXT_ARRAY: Oid = 1009;
}
