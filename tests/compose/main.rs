//! The compositions, contest and production, with Dockerfile and nginx.conf, as far as reading
//! them tells: limits, what is published, and that all agree with each other and with xtask.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed step is a failed test"
)]

mod both;
mod composition;
mod contest;
mod image;
mod observability;
mod prod;
mod reckless;
mod stream;
