//! The bank: routes, transacoes, extratos, and the calls of the procedures; no I/O.
