//! The house's rules, held by a test: sizes, columns, walls between the rooms (CONTRIBUTING.md).
//!
//! Each rule is tried on a small bad sample first, so that none can pass by being blind.

#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/walls.rs"]
mod walls;

use std::fs;
use std::path::{Path, PathBuf};

const LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;
const COLUMNS_MAX: usize = 100;

/// What is held against one file, as `path:line: sentence`.
fn faults(path: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut fault =
        |line: usize, sentence: String| found.push(format!("{path}:{line}: {sentence}"));
    let lines = text.lines().count();
    if lines > LINES_MAX {
        fault(lines, format!("{lines} lines, {LINES_MAX} at most"));
    }
    for (index, line) in text.lines().enumerate() {
        let columns = line.chars().count();
        if columns > COLUMNS_MAX && !line.contains("://") {
            fault(
                index + 1,
                format!("{columns} columns, {COLUMNS_MAX} at most"),
            );
        }
        // In two halves: this file is looked at, too.
        for word in [
            concat!("TO", "DO"),
            concat!("FIX", "ME"),
            concat!("X", "XX"),
        ] {
            if line
                .split(|sign: char| !sign.is_alphanumeric())
                .any(|found| found == word)
            {
                fault(index + 1, format!("{word}: do it, or open an issue"));
            }
        }
    }
    if Path::new(path)
        .extension()
        .is_some_and(|extension| extension == "rs")
    {
        let code = source::code_of(text);
        for (line, name, lines) in source::functions(&code) {
            if lines > FUNCTION_LINES_MAX {
                fault(
                    line,
                    format!("fn {name}: {lines} lines, {FUNCTION_LINES_MAX} at most"),
                );
            }
        }
        for (line, sentence) in walls::breaches(path, &code) {
            fault(line, sentence);
        }
    }
    found
}

/// Every text file of the house, by its path from the top.
fn files() -> Vec<PathBuf> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders: Vec<PathBuf> = [
        "src", "tests", "sql", "prod", "xtask", "fuzz", "benches", "perf",
    ]
    .map(|name| top.join(name))
    .into();
    let mut files: Vec<PathBuf> = [
        "nginx.conf",
        "nginx.stream.conf",
        "postgresql.conf",
        "Dockerfile",
    ]
    .map(|name| top.join(name))
    .into();
    let scripts = fs::read_dir(top.join(".ci")).into_iter().flatten();
    files.extend(scripts.flatten().map(|entry| entry.path()));
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = entry.file_name();
            if path.is_dir() {
                let made = ["target", "corpus", "artifacts", "vendor"]
                    .iter()
                    .any(|made| name == *made);
                folders.extend((!made).then_some(path));
            } else if matches!(
                path.extension().and_then(|extension| extension.to_str()),
                Some("rs" | "sql" | "sh" | "lua" | "js" | "conf")
            ) {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

#[test]
fn the_house_is_tidy() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = files();
    assert!(files.len() > 30, "the house is larger than {files:?}");
    let mut found = Vec::new();
    for file in files {
        let path = file.strip_prefix(top).unwrap().display().to_string();
        found.extend(faults(&path, &fs::read_to_string(&file).unwrap()));
    }
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

/// One sample and how often it must be found at fault.
fn check(path: &str, text: &str, count: usize) {
    let found = faults(path, text);
    assert_eq!(found.len(), count, "{path}: {text}\n{found:#?}");
}

#[test]
fn sizes_and_words_are_held() {
    check("src/http/a.rs", &"// a line\n".repeat(LINES_MAX), 0);
    check("src/http/a.rs", &"// a line\n".repeat(LINES_MAX + 1), 1);
    check("sql/a.sql", &"é".repeat(COLUMNS_MAX), 0);
    check("sql/a.sql", &"é".repeat(COLUMNS_MAX + 1), 1);
    let word = concat!("TO", "DO");
    check("sql/a.sql", &format!("-- {word}: later\n"), 1);
    check("src/http/a.rs", &format!("// nothing {word}NE\n"), 0);
    let body = |lines: usize| {
        format!(
            "impl A {{\n    pub fn b() {{\n{}    }}\n}}\n",
            "        c();\n".repeat(lines)
        )
    };
    check("src/http/a.rs", &body(FUNCTION_LINES_MAX - 2), 0);
    check("src/http/a.rs", &body(FUNCTION_LINES_MAX - 1), 1);
}

#[test]
fn walls_are_held() {
    check("src/http/a.rs", "use crate::limits::A;\nuse super::b;\n", 0);
    for (path, bad) in [
        ("src/http/a.rs", "use crate::pg::A;"),
        ("src/pg/a.rs", "use crate::http::A;"),
        ("src/pg/deep/a.rs", "use crate::bank;"),
        ("src/http/a.rs", "fn a(b: crate::ledger::Ledger) {}"),
        ("src/http/a.rs", "use crate::{limits::A, worker::B};"),
        ("src/bank/mod.rs", "use crate::ledger::A;"),
        ("src/bank/a.rs", "use crate::worker::A;"),
        ("src/ledger/a.rs", "use crate::worker::A;"),
        ("src/ledger/a.rs", "use crate::config::A;"),
        ("src/limits.rs", "use crate::http::A;"),
        ("src/config.rs", "use crate::worker::A;"),
        ("src/bank/a.rs", "use monoio::net::TcpStream;"),
        ("src/main.rs", "fn a() { monoio::start(); }"),
        ("src/worker/mod.rs", "use mimalloc::MiMalloc;"),
        ("src/worker/mod.rs", "fn a() { std::env::var(\"A\"); }"),
        ("src/worker/mod.rs", "use std::{env, fs};"),
        ("src/ledger/a.rs", "async fn a() {}"),
        ("src/http/a.rs", "fn a() { b().await; }"),
        ("src/http/a.rs", "use std::time::{Duration, Instant};"),
        ("src/pg/a.rs", "fn a() { std::time::SystemTime::now(); }"),
        ("src/ledger/a.rs", "use std::thread;"),
        ("src/bank/a.rs", "use std::net::TcpStream;"),
        ("src/bank/a.rs", "use std::fs::File;"),
    ] {
        check(path, bad, 1);
    }
}

#[test]
fn what_is_allowed_is_not_held() {
    for (path, good) in [
        (
            "src/http/a.rs",
            "// crate::pg, std::env and monoio are not ours\n",
        ),
        (
            "src/http/a.rs",
            "/* crate::pg */ fn a() -> &'static str { \"std::env crate::bank\" }",
        ),
        (
            "src/http/a.rs",
            "const A: &str = r#\"a \"crate::pg\" \"#; const B: char = '\"';",
        ),
        (
            "src/http/a.rs",
            "use std::net::Ipv6Addr;\nuse std::time::Duration;",
        ),
        (
            "src/worker/a.rs",
            "use crate::{bank, http, ledger::A, pg};\nasync fn a() { b().await }",
        ),
        (
            "src/worker/a.rs",
            "use std::time::Instant;\nuse monoio::net::TcpStream;",
        ),
        (
            "src/config.rs",
            "fn a() { std::env::var(\"A\"); }\nuse crate::pg::Target;",
        ),
        (
            "src/main.rs",
            "static A: mimalloc::MiMalloc = mimalloc::MiMalloc;\nuse crebito::worker;",
        ),
        ("src/ledger/a.rs", "use crate::bank::A;\nuse crate::pg::B;"),
        ("tests/a.rs", "use std::env;\nuse std::net::TcpStream;"),
    ] {
        check(path, good, 0);
    }
}
