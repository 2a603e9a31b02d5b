//! crebito: a bank server for the Rinha de Backend 2024/Q1.
//!
//! Modules in dependency order, each below the next; see ARCHITECTURE.md for the map.

pub mod limits;

pub mod http;
pub mod pg;

pub mod bank;
pub mod ledger;
