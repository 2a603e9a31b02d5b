//! crebito: a bank server for the Rinha de Backend 2024/Q1.
//!
//! Modules in dependency order, each below the next; ARCHITECTURE.md has the map. One bright
//! line: only [`worker`] awaits, everything else is synchronous code on buffers and given times.

pub mod limits;

pub mod http;
pub mod pg;

pub mod bank;

pub mod ledger;

pub mod config;
pub mod journal;
pub mod worker;
