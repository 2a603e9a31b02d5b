//! What `cargo xtask`, the tests and the benchmarks share: one way to start the stack.
//!
//! [`stack`] starts PostgreSQL, replicas and NGINX and knows how to stop, kill, freeze and restart
//! each of them. `cargo xtask up` gives it fixed folders; a test or benchmark takes a private one
//! with [`stack::Stack::private`], whose every trace goes away with it.

pub mod bench;
pub mod build;
mod cgroup;
pub mod checkout;
pub mod compose;
mod cpus;
pub mod down;
mod error;
mod folder;
pub mod home;
mod http;
pub mod install;
pub mod k6;
mod machine;
pub mod observe;
mod postmaster;
mod process;
pub mod programs;
pub mod stack;
pub mod state;
pub mod under_load;
pub mod up;
mod url;

pub use machine::free_port;

use std::fmt::Display;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

pub use error::Error;

/// Whether tasks say what they do.
static SAYS: AtomicBool = AtomicBool::new(true);

/// From here on tasks say nothing: for tests, whose output is their own.
pub fn say_nothing() {
    SAYS.store(false, Ordering::Relaxed);
}

/// A line to whoever typed the command. A reader that is gone (`| head`) is no reason to stop.
fn say(line: impl Display) {
    if SAYS.load(Ordering::Relaxed) {
        let _ = writeln!(io::stdout(), "{line}");
    }
}

/// A line that is not what was asked for.
fn warn(line: impl Display) {
    if SAYS.load(Ordering::Relaxed) {
        let _ = writeln!(io::stderr(), "{line}");
    }
}
