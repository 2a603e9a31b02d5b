//! What `cargo xtask`, the tests and the benchmarks share: one way to start the stack.
//!
//! [`stack`] starts PostgreSQL, replicas and NGINX and knows how to stop, kill, freeze and restart
//! each of them. `cargo xtask up` gives it fixed folders; a test or benchmark takes a private one
//! with [`stack::Stack::private`], whose every trace goes away with it.

pub mod bench;
mod error;
mod folder;
mod home;
pub mod install;
mod machine;
mod process;
pub mod programs;
pub mod stack;
mod state;
pub mod up;

pub use error::Error;

/// A line to whoever typed the command. A reader that is gone (`| head`) is no reason to stop.
fn say(line: impl std::fmt::Display) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout(), "{line}");
}
