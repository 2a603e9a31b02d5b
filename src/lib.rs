//! crebito: a bank server for the Rinha de Backend 2024/Q1.
//!
//! Modules in dependency order, each below the next; ARCHITECTURE.md has the map. One bright
//! line: only [`worker`] awaits. [`ledger`] and all below it are synchronous code on buffers and
//! given times; [`config`] and [`journal`], beside it, read the environment and write the log.

pub mod limits;

pub mod http;
pub mod pg;

pub mod bank;

pub mod ledger;

pub mod journal;

pub mod config;

pub mod worker;
