//! The figures as tables: the median of the rounds, and how far they lie apart.

mod contests;
mod levels;
mod previous;
mod ratios;

use std::fmt::Write;
use std::process::Command;

use super::record::{Record, Run};
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
    if run.contests.is_empty() {
        text += &levels::served(run);
        text += &levels::costs(run);
        text += &levels::services(run);
        text += &ratios::table(run);
        text += &doubts(run);
    } else {
        text += &contests::table(run);
    }
    text += &previous::table(run);
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
    let machine = format!("{}; the generator's CPUs are among them", run.machine);
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
        ("commit", run.commit.clone()),
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
        (
            "load",
            match contest {
                Some(_) => "the contest's, an open model, a connection for each request".to_owned(),
                None => format!("{}, closed loop, {} s a level", run.mix, run.seconds),
            },
        ),
    ] {
        let _ = writeln!(text, "{name:<14}{value}");
    }
    text.push('\n');
    text
}

/// What makes the figures less than they seem.
fn doubts(run: &Run) -> String {
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
    if ended.is_empty() {
        return String::new();
    }
    format!(
        "\nThe generator itself was near its end at: {}. More --threads?\n",
        ended.join(", ")
    )
}

fn verdict(run: &Run) -> String {
    match run.fault() {
        None => "\nAfter each level every saldo was the sum of its transacoes and within its \
                 limite, and there were as many rows as answers 200 (those left unread when the \
                 generator stopped aside).\n"
            .to_owned(),
        Some(fault) => format!("\nWRONG: {fault}\n"),
    }
}
