//! `cargo xtask`: crebito's tasks.
fn main() {}
