//! The figures as tables: the median of the rounds, and how far they lie apart.

mod contests;
mod levels;
pub(super) mod previous;
mod ratios;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::process::Command;

use super::record::{CEILING, HOLDS, Record, Run};
use super::rounds::Rounds;
use crate::checkout::checkout;

/// Of each thread of the generator; one that uses more may be what limits.
const GENERATOR_CPUS_MAX: f64 = 0.9;

/// The checkout's commit, with a + if there is more than it holds.
pub(crate) fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .args(arguments)
            .current_dir(checkout().ok()?)
            .output()
            .ok()?;
        let said = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| said.trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short=10", "HEAD"]) else {
        return "unknown".to_owned();
    };
    let more = git(&["status", "--porcelain"]).is_some_and(|changes| !changes.is_empty());
    commit + if more { "+" } else { "" }
}

/// A few screens for people.
pub(super) fn table(run: &Run) -> String {
    let mut text = facts(run);
    if !run.records.is_empty() {
        text += &levels::served(run);
        text += &levels::costs(run);
        text += &levels::services(run);
        text += &ratios::table(run);
        text += &doubts(run);
    }
    if !run.contests.is_empty() {
        if !run.records.is_empty() {
            text.push('\n');
        }
        text += &contests::table(run);
    }
    text += &previous::table(&run.kept, run.previous.as_ref());
    text + &verdict(run)
}

fn facts(run: &Run) -> String {
    let mut text = String::new();
    let contest = run.contests.first().map(|contest| &contest.facts);
    let first = run.records.first().map(|record| &record.facts).or(contest);
    let limits = match run.limited {
        true => "1.5 CPU and 550 MB, split as compose has it; the generator outside",
        false => "none",
    };
    let machine = format!(
        "{}{}; the generator's CPUs are among them",
        run.kept.machine,
        if run.awake { ", kept awake" } else { "" }
    );
    let none = ("", "", "", "", 0.0);
    let (proxy, driver, postgres, durability, ready_ms) = first.map_or(none, |facts| {
        (
            facts.proxy.as_str(),
            facts.driver.as_str(),
            facts.postgres.as_str(),
            facts.durability.as_str(),
            facts.ready_after_ms,
        )
    });
    for (name, value) in [
        ("commit", run.kept.commit.clone()),
        ("machine", machine),
        ("limits", limits.to_owned()),
        (
            "stack",
            format!("NGINX {proxy}, driver {driver}, PostgreSQL {postgres}"),
        ),
        ("store", format!("{}: {durability}", run.store)),
        (
            "ready after",
            format!("{ready_ms:.0} ms, the slowest replica"),
        ),
        ("load", loads(run)),
    ] {
        let _ = writeln!(text, "{name:<14}{value}");
    }
    text.push('\n');
    text
}

/// What was asked, and how.
fn loads(run: &Run) -> String {
    let levels = format!("{}, closed loop, {} s a level", run.mix, run.seconds);
    let rates = match run.times {
        1 => "the contest's".to_owned(),
        times => format!("the contest's {times} times over"),
    };
    let contest = format!(
        "{rates}, an open model, a connection for each request; in stretches of at most 5 s"
    );
    let parts = [
        (!run.contests.is_empty()).then_some(contest),
        (!run.records.is_empty()).then_some(levels),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    parts.join("; then ")
}

/// What makes the figures less than they seem.
fn doubts(run: &Run) -> String {
    let mut text = unexpected(run);
    let at_its_end = |rounds: &Rounds| {
        let cpus = rounds.median_of(Record::generator_cpus).unwrap_or(0.0);
        cpus > GENERATOR_CPUS_MAX * f64::from(run.generator_threads)
    };
    let all = Rounds::all(run);
    let ended: Vec<String> = all
        .iter()
        .filter(|rounds| at_its_end(rounds))
        .map(|rounds| format!("{} {}", rounds.connections, rounds.variant))
        .collect();
    if !ended.is_empty() {
        let _ = writeln!(
            text,
            "\nThe generator itself was near its end at: {}. More --threads?",
            ended.join(", ")
        );
    }
    text
}

/// Answers that are neither 200 nor a refusal of the bank's, and connections that broke.
fn unexpected(run: &Run) -> String {
    let mut text = String::new();
    for rounds in Rounds::all(run) {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for record in rounds.iter() {
            for (status, count) in &record.load.statuses {
                if ![200, 422].contains(status) {
                    *counts.entry(status.to_string()).or_default() += count;
                }
            }
            if record.load.socket_errors > 0 {
                *counts.entry("socket errors".to_owned()).or_default() += record.load.socket_errors;
            }
        }
        if !counts.is_empty() {
            let each = counts
                .iter()
                .map(|(what, count)| format!("{what}: {count}"));
            let each: Vec<String> = each.collect();
            let (level, variant) = (rounds.connections, rounds.variant);
            let _ = writeln!(text, "\nAnswered to {level} {variant}: {}", each.join(", "));
        }
    }
    text
}

fn verdict(run: &Run) -> String {
    match run.fault() {
        None => {
            let when = [
                (!run.contests.is_empty()).then_some("each round of the contest's load"),
                (!run.records.is_empty()).then_some("each level"),
            ];
            let when: Vec<&str> = when.into_iter().flatten().collect();
            let when = when.join(" and ");
            let is_ceiling = |record: &Record| record.variant == CEILING;
            let but = match run.records.iter().any(is_ceiling) {
                true => " The ceiling's saldos were looked at alone.",
                false => "",
            };
            format!("\nAfter {when} {HOLDS}.{but}\n")
        }
        Some(fault) => format!("\nWRONG: {fault}\n"),
    }
}
