//! observability/: what Prometheus and Grafana are given. Its files agree with each other, its
//! rules fire when they should, and each expression finds what a running bank really exports.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed step is a failed test"
)]

#[path = "../common/mod.rs"]
mod common;

mod command;
mod expression;
mod files;
mod live;

use std::path::{Path, PathBuf};

use yaml_rust2::{Yaml, YamlLoader};

/// A file of observability/, by its path below it.
fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("observability")
        .join(name)
}

fn text(name: &str) -> String {
    let path = path(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn yaml(name: &str) -> Yaml {
    YamlLoader::load_from_str(&text(name)).unwrap().remove(0)
}
