//! `cargo xtask compare` for real: a bank of ours, one that a TOML file starts, and one that lies;
//! and its report in a real browser.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed step is a failed test"
)]

mod browser;
mod liar;

use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use clap::Parser;
use serde_json::Value;
use xtask::bench::compare::{self, Compare};
use xtask::install::{self, Need};
use xtask::stack::{Options, Stack};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    compare: Compare,
}

const CREBITO: &str = env!("CARGO_BIN_EXE_crebito");

/// Runs it, and gives the report and the raw data.
fn run(arguments: &[&str]) -> (String, Value) {
    let line = Line::parse_from([&["compare"], arguments].concat());
    let html = compare::compare(&line.compare, &AtomicBool::new(false)).unwrap();
    let raw = fs::read_to_string(html.with_extension("json")).unwrap();
    (
        fs::read_to_string(html).unwrap(),
        serde_json::from_str(&raw).unwrap(),
    )
}

/// A single replica on a port of its own, started and stopped as somebody else's server is.
fn describe(folder: &Path, database: &Stack) -> String {
    let port = xtask::free_port().unwrap();
    let database_url = database.database_url();
    let path = folder.join("other.toml");
    let text = format!(
        "name = 'one replica'\n\
         what = 'without NGINX'\n\
         url = 'http://localhost:{port}'\n\
         start = 'DATABASE_URL=\"{database_url}\" LISTEN=0.0.0.0:{port} {CREBITO} & \
                  echo $! >pid; wait'\n\
         stop = 'kill $(cat pid)'\n\
         [postgres]\n\
         url = '{database_url}'\n\
         [services]\n\
         replica.pid_file = 'pid'\n"
    );
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

fn visits<'a>(raw: &'a Value, target: &str) -> Vec<&'a Value> {
    let all = raw["visits"].as_array().unwrap();
    let of = all.iter().filter(|visit| visit["target"] == target);
    of.collect()
}

/// Which checks found something, each once.
fn found(visit: &Value) -> Vec<String> {
    let findings = visit["findings"].as_array().unwrap().iter();
    let mut checks: Vec<String> = findings
        .map(|finding| finding["check"].as_str().unwrap().to_owned())
        .collect();
    checks.sort();
    checks.dedup();
    checks
}

fn load(folder: &Path, database: &Stack, liar: &str) -> (String, Value) {
    let other = describe(folder, database);
    let out = folder.join("report.html").display().to_string();
    run(&[
        "crebito",
        &other,
        liar,
        "floor",
        "ceiling",
        "--crebito",
        CREBITO,
        "--no-limits",
        "--rounds",
        "1",
        "--connections",
        "2,8",
        "--seconds",
        "1",
        "--contest",
        "2",
        "--k6",
        "1",
        "--out",
        &out,
    ])
}

#[test]
fn banks_are_compared_and_the_report_is_drawn() {
    install::ensure(&[Need::PostgreSql, Need::Nginx, Need::Wrk, Need::Chromium]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let database = Stack::private(&Options::new(CREBITO)).unwrap();
    let liar = liar::start();
    let (html, raw) = load(folder.path(), &database, &liar);
    let liar = liar.trim_start_matches("http://");

    let order: Vec<&str> = raw["visits"]
        .as_array()
        .unwrap()
        .iter()
        .map(|visit| visit["target"].as_str().unwrap())
        .collect();
    assert_eq!(
        order,
        ["crebito", "one replica", liar, "NGINX alone", "pgbench"]
    );
    // Nothing that a busy machine alone could not be blamed for.
    let wrong = |target: &str| {
        let mut found = found(visits(&raw, target)[0]);
        found.retain(|check| check != "availability");
        found
    };
    assert_eq!(wrong("crebito"), [""; 0], "{raw:#}");
    assert_eq!(wrong("one replica"), [""; 0], "{raw:#}");
    assert_eq!(wrong(liar), ["saldos", "validations"], "{raw:#}");
    for target in ["crebito", "one replica"] {
        let visit = visits(&raw, target)[0];
        let mut checked: Vec<_> = visit["checked"]
            .as_array()
            .unwrap()
            .iter()
            .map(|check| check.as_str().unwrap())
            .collect();
        checked.sort_unstable();
        let all = [
            "answers",
            "availability",
            "database",
            "saldos",
            "validations",
        ];
        assert_eq!(checked, all, "{target}");
        let levels = visit["levels"].as_array().unwrap();
        assert_eq!(levels.len(), 2);
        for level in levels {
            assert!(level["requests_per_second"].as_f64().unwrap() > 0.0);
            let services = level["services"].as_array().unwrap();
            let replica = services
                .iter()
                .find(|service| ["api1", "replica"].contains(&service["name"].as_str().unwrap()));
            assert!(replica.unwrap()["cpu_us_per_request"].as_f64().unwrap() > 0.0);
        }
    }
    // Fast and wrong is no victory.
    assert!(!title(&html).contains(liar), "{}", title(&html));
    assert_eq!(raw["method"]["limited"], false);
    assert!(
        html.contains(&format!("<strong>{liar}</strong> is wrong")),
        "the liar is named"
    );
    // It ended with its visit.
    let pid = fs::read_to_string(folder.path().join("pid")).unwrap();
    assert!(!Path::new("/proc").join(pid.trim()).exists());

    report_is_drawn(&html);
    report_is_made_again(folder.path(), &html);
}

/// Which has the headline.
fn title(html: &str) -> &str {
    let title = html.split("<title>").nth(1).unwrap();
    title.split("</title>").next().unwrap()
}

/// The targets' lines: five of throughput, four of latency.
const LINES: usize = 5 + 4;

fn report_is_drawn(html: &str) {
    let check = |html: &str, is_dark: bool, expected: &[&str]| {
        let opened = browser::open(html, is_dark);
        let faults = browser::faults(&opened, LINES);
        let mut kinds: Vec<&str> = faults
            .iter()
            .map(|fault| fault.split(':').next().unwrap())
            .collect();
        kinds.sort_unstable();
        kinds.dedup();
        assert_eq!(kinds, expected, "{faults:#?}");
        for frame in &opened.frames {
            assert_eq!(frame.brightness < 200, is_dark, "{frame:?}");
        }
    };
    check(html, false, &[]);
    check(html, true, &[]);
    // The browser is asked the right questions: faults are seen.
    let picture = "<img src='http://127.0.0.1:20009/a.png'><p style='width:600px'>wide</p>";
    let asks = ["console", "network", "width"];
    check(&format!("{html}{picture}"), false, &asks);
    let undrawn = html.replace("latency(curves.latency);", "throw new Error('undrawn');");
    check(&undrawn, false, &["console", "drawn"]);
}

/// From the raw data alone, and to the same letter.
fn report_is_made_again(folder: &Path, html: &str) {
    let json = folder.join("report.json").display().to_string();
    let out = folder.join("again.html").display().to_string();
    let (again, _) = run(&["--from", &json, "--out", &out]);
    assert!(again == html, "the report of the same data differs");
}

#[test]
fn a_bank_that_was_there_before_is_not_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.toml");
    let url = liar::start();
    let text = format!("url = '{url}'\nstart = 'touch started'\nstop = 'touch stopped'\n");
    fs::write(&path, text).unwrap();
    let line = ["compare", "--crebito", CREBITO, path.to_str().unwrap()];
    let line = Line::parse_from(line);
    let error = compare::compare(&line.compare, &AtomicBool::new(false)).unwrap_err();
    let sentence = error.to_string();
    assert!(sentence.contains("answers at"), "{sentence}");
    assert!(sentence.contains("already"), "{sentence}");
    for touched in ["started", "stopped"] {
        assert!(!folder.path().join(touched).exists(), "{touched}");
    }
}

#[test]
fn a_report_that_cannot_be_written_is_told_before_all_else() {
    let folder = tempfile::tempdir().unwrap();
    for (out, why) in [
        ("no/such/a.html", "there is no folder"),
        ("a.json", "raw data"),
    ] {
        let out = folder.path().join(out).display().to_string();
        let line = Line::parse_from(["compare", "--out", &out, "http://nowhere.invalid"]);
        let error = compare::compare(&line.compare, &AtomicBool::new(false)).unwrap_err();
        let sentence = error.to_string();
        assert!(sentence.contains(why), "{sentence}");
    }
}
