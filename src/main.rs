//! The `crebito` binary: allocator, settings, start, exit code; no logic.
fn main() {}
