//! .github/workflows: thin, pinned, and with no more rights than they use. What GitHub itself
//! would make of them is .ci/actionlint's to say.
//!
//! Each rule is tried on a bad sample first, so that none can pass by being blind.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed step is a failed test"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use yaml_rust2::{Yaml, YamlLoader};

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(top().join(folder)).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// What is held against one workflow.
fn faults(text: &str) -> Vec<String> {
    let workflow = &YamlLoader::load_from_str(text).unwrap()[0];
    let mut found = Vec::new();
    if workflow["permissions"]
        .as_hash()
        .is_none_or(|all| !all.is_empty())
    {
        found.push("permissions: {} is what a job starts from".to_owned());
    }
    // A tag may be moved; what it was stands beside the commit.
    for line in text.lines().filter(|line| line.contains("uses:")) {
        let commit = line
            .split_once('@')
            .map(|(_, rest)| rest)
            .unwrap_or_default();
        let (commit, tag) = commit.split_once(" # v").unwrap_or_default();
        let is_commit = commit.len() == 40 && commit.chars().all(|sign| sign.is_ascii_hexdigit());
        if !is_commit || !tag.starts_with(|sign: char| sign.is_ascii_digit()) {
            found.push(format!("{}: not pinned as @COMMIT # vTAG", line.trim()));
        }
    }
    for (name, job) in workflow["jobs"].as_hash().unwrap() {
        let name = name.as_str().unwrap();
        if job["permissions"].as_hash().is_none() {
            found.push(format!("{name}: says no permissions"));
        }
        if job["timeout-minutes"].as_i64().is_none() {
            found.push(format!("{name}: has no timeout-minutes"));
        }
        for step in job["steps"].as_vec().unwrap() {
            if let Some(run) = step["run"].as_str() {
                found.extend(fault_of(run).map(|fault| format!("{name}: {run}: {fault}")));
            }
            let checkout = step["uses"]
                .as_str()
                .is_some_and(|uses| uses.contains("checkout@"));
            if checkout && step["with"]["persist-credentials"] != Yaml::Boolean(false) {
                found.push(format!("{name}: the checkout keeps its token"));
            }
        }
    }
    found
}

/// A step is one script of .ci, with its arguments.
fn fault_of(run: &str) -> Option<&'static str> {
    let script = top().join(run.split_whitespace().next().unwrap_or_default());
    let executable = |path: &Path| {
        fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 1 != 0)
    };
    if !run.starts_with(".ci/") || run.trim().contains(['\n', ';', '|', '&']) {
        Some("a step is one script of .ci")
    } else if run.contains("${{") {
        Some("an expression would be run as shell: pass it in env")
    } else if !executable(&script) {
        Some("no such script")
    } else {
        None
    }
}

const GOOD: &str = "\
permissions: {}
jobs:
  a:
    permissions: { contents: read }
    timeout-minutes: 1
    steps:
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1
        with: { persist-credentials: false }
      - run: .ci/run
";

#[test]
fn each_rule_is_held() {
    assert_eq!(faults(GOOD), [""; 0]);
    for (good, bad) in [
        ("permissions: {}\n", ""),
        ("permissions: {}\n", "permissions: { contents: write }\n"),
        ("permissions: {}\n", "permissions: write-all\n"),
        ("    permissions: { contents: read }\n", ""),
        ("    timeout-minutes: 1\n", ""),
        ("persist-credentials: false", "persist-credentials: true"),
        ("        with: { persist-credentials: false }\n", ""),
        (" # v7.0.1", ""),
        ("@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1", "@v7"),
        ("3d3c42e5", "3d3c42e"),
        (".ci/run", ".ci/none"),
        (".ci/run", ".ci"),
        (".ci/run", "cargo test"),
        (".ci/run", ".ci/run; cargo test"),
        (".ci/run", ".ci/run ${{ github.head_ref }}"),
    ] {
        assert!(GOOD.contains(good));
        let text = GOOD.replace(good, bad);
        assert_eq!(faults(&text).len(), 1, "{text}\n{:#?}", faults(&text));
    }
}

#[test]
fn the_workflows_keep_them() {
    let workflows = files(".github/workflows");
    assert_eq!(workflows.len(), 3);
    for path in workflows {
        let found = faults(&fs::read_to_string(&path).unwrap());
        assert!(found.is_empty(), "{}: {found:#?}", path.display());
    }
}

#[test]
fn each_script_of_ci_is_called_or_calls() {
    let mut callers: Vec<String> = files(".github/workflows")
        .iter()
        .chain(&files(".ci"))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    callers.push(fs::read_to_string(top().join("CONTRIBUTING.md")).unwrap());
    for path in files(".ci") {
        let name = format!(".ci/{}", path.file_name().unwrap().to_str().unwrap());
        let own = fs::read_to_string(&path).unwrap();
        let called = callers
            .iter()
            .filter(|text| **text != own)
            .any(|text| text.split_whitespace().any(|word| word == name));
        assert!(called, "{name}: nobody calls it");
        assert!(
            own.contains("set -euo pipefail"),
            "{name}: goes on after a fault"
        );
    }
}
