//! The bank: paths to routes, bodies to transacoes, transacoes to calls, rows to JSON. No I/O.

#![warn(clippy::indexing_slicing)]

pub mod extrato;
mod judge;
mod procedures;
mod reply;
mod route;
mod transacao;

pub use judge::{Asked, Denied, judge};
pub use procedures::{
    Mismatch, Outcome, STATEMENTS, append_distintas, append_extrato, append_insert, append_lote,
    decode_insert, decode_lote,
};
pub use reply::append_saldo_json;
pub use route::{Route, route};
pub use transacao::{Descricao, Pedido, Refusal, Transacao, read};
