//! What `cargo xtask`, the tests and the benchmarks share: one way to start the stack.
//!
//! [`stack`] starts PostgreSQL, replicas and NGINX and knows how to stop, kill, freeze and restart
//! each of them. `cargo xtask up` gives it fixed folders; a test or benchmark takes a private one
//! with [`stack::Stack::private`], whose every trace goes away with it.

#![allow(dead_code, reason = "`up` and `bench` follow")]

mod error;
mod folder;
mod machine;
mod process;
pub mod programs;
pub mod stack;

pub use error::Error;
