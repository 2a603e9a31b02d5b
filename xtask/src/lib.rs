//! What `cargo xtask`, the tests and the benchmarks share: one way to start the stack.
