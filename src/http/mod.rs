//! HTTP/1.1 bytes to requests and responses to bytes (RFC 9110, RFC 9112); no I/O, no bank.
//!
//! A connection owns a [`Decoder`] and a buffer. It appends what arrives, and takes requests out
//! until [`Decoded::Partial`]; answers are appended with [`append_response`] in the same order.
//!
//! Invariants: what is decoded never depends on how the bytes were split over reads; a request
//! whose end is ambiguous is refused, and nothing behind it is looked at; nothing is allocated.
#![deny(clippy::indexing_slicing)]

mod body;
mod date;
mod fields;
pub mod request;
pub mod response;
mod status;
mod target;

pub use date::civil;
pub use request::{Body, Decoded, Decoder, Method, Persistence, Refusal, Request, is_head};
pub use response::{Date, Head, Media, Status, append_continue, append_response, problem};
