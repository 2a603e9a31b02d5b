//! perf/k6 by the real k6, each script for a few seconds against a stack of its own: what it
//! counts, what it leaves, and what fails it.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod interrupted;
mod out;
mod thresholds;

use std::fs;
use std::time::Duration;

use xtask::k6::{self, Options, Scenario, Summary};
use xtask::stack::{self, Stack};

fn stack() -> Stack {
    xtask::say_nothing();
    Stack::private(&stack::Options::new(env!("CARGO_BIN_EXE_crebito"))).unwrap()
}

/// So many seconds of growth, then of load.
fn short(scenario: Scenario, ramp: u64, hold: u64) -> Options {
    Options {
        ramp: Duration::from_secs(ramp),
        hold: Duration::from_secs(hold),
        ..Options::of(scenario)
    }
}

fn run(scenario: Scenario, stack: &Stack, options: &Options) -> Summary {
    k6::run(scenario, stack.url(), options).unwrap()
}

/// Missed thresholds but for those of times, which a crowded machine misses.
fn wrong(summary: &Summary) -> Vec<&str> {
    let all = summary.failed_thresholds.iter().map(String::as_str);
    let mut wrong: Vec<&str> = all
        .filter(|missed| !missed.starts_with("latency ") && !missed.starts_with("dropped_"))
        .collect();
    wrong.sort_unstable();
    wrong
}

/// Nothing is wrong, and each of the kinds was sent and answered as the contest allows.
fn check(summary: &Summary, kinds: &[&str]) {
    assert_eq!(wrong(summary), [""; 0], "{:?}", summary.failed_check_names);
    let mut expected: Vec<&str> = kinds.to_vec();
    expected.sort_unstable();
    let found: Vec<&String> = summary.kinds.keys().collect();
    assert_eq!(found, expected);
    for (name, kind) in &summary.kinds {
        assert!(kind.requests > 0 && kind.per_second > 0, "{name}");
        let good = ["200", "422"].map(|status| kind.statuses.get(status).unwrap_or(&0));
        assert_eq!(
            good.into_iter().sum::<u64>(),
            kind.requests,
            "{name}: {kind:?}"
        );
        let latency = kind.latency_us;
        assert!(
            0 < latency.p50 && latency.p50 <= latency.p98 && latency.p98 <= latency.max,
            "{name}"
        );
    }
}

#[test]
fn the_contest_leaves_a_summary_and_a_drawing() {
    let (stack, folder) = (stack(), tempfile::tempdir().unwrap());
    let options = Options {
        validate: true,
        reports: Some(folder.path().join("new")),
        ..short(Scenario::Contest, 2, 5)
    };
    let summary = run(Scenario::Contest, &stack, &options);
    check(&summary, &["debitos", "creditos", "extratos"]);
    let strict = "latency p(99)<5".to_owned();
    assert!(
        !summary.failed_thresholds.contains(&strict),
        "nobody asked for it"
    );
    let read = |name: &str| fs::read_to_string(folder.path().join("new").join(name)).unwrap();
    let json: serde_json::Value = serde_json::from_str(&read("contest.json")).unwrap();
    assert_eq!(json["requests"], summary.requests);
    assert!(json["metrics"]["http_req_duration"]["values"]["p(98)"].is_number());
    let html = read("contest.html");
    assert!(html.contains("<!doctype html>"));
    assert!(!html.contains("src=\"http"), "it opens without a network");
}

#[test]
fn the_saturation_tells_its_levels_apart() {
    let stack = stack();
    let options = Options {
        connections: vec![2, 8],
        ..short(Scenario::Saturation, 0, 2)
    };
    let summary = run(Scenario::Saturation, &stack, &options);
    check(&summary, &["2 connections", "8 connections"]);
}

#[test]
fn the_soak_is_told_in_parts() {
    let stack = stack();
    let summary = run(Scenario::Soak, &stack, &short(Scenario::Soak, 1, 5));
    let parts = ["part 1", "part 2", "part 3", "part 4", "part 5", "part 6"];
    check(&summary, &parts);
}

#[test]
fn the_checks_pass_on_a_fresh_bank_alone() {
    let (stack, folder) = (stack(), tempfile::tempdir().unwrap());
    let options = Options {
        reports: Some(folder.path().to_owned()),
        ..Options::of(Scenario::Checks)
    };
    let first = run(Scenario::Checks, &stack, &options);
    assert!(first.passed, "{:?}", first.failed_check_names);
    assert_eq!(first.kinds["health"].statuses["200"], 2, "{first:?}");
    assert_eq!(first.kinds["validacoes"].statuses["404"], 1, "{first:?}");
    assert!(folder.path().join("checks.json").is_file());
    let again = run(Scenario::Checks, &stack, &options);
    assert!(!again.passed);
    let stale = |name: &String| name.contains("the bank is fresh");
    assert!(again.failed_check_names.iter().any(stale), "{again:?}");
}
