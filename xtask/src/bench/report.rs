//! The figures as a table.

use std::fmt::Write;
use std::process::Command;
use std::thread;

use super::{Measured, to_f64};
use crate::checkout::checkout;

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

/// One screen for people.
pub(crate) fn table(measured: &Measured) -> String {
    let mut text = String::new();
    for (name, value) in facts(measured) {
        let _ = writeln!(text, "{name:<14}{value}");
    }
    let heads = ["CPU µs/request", "CPUs", "peak RSS KiB"];
    let _ = writeln!(
        text,
        "\n{:<12}{:>16}{:>8}{:>16}",
        "", heads[0], heads[1], heads[2]
    );
    for service in &measured.services {
        let rss = service
            .peak_rss_kib
            .map_or_else(String::new, |kib| kib.to_string());
        let (name, cpu, cpus) = (&service.name, service.cpu_us_per_request, service.cpus);
        let _ = writeln!(text, "{name:<12}{cpu:>16.1}{cpus:>8.2}{rss:>16}");
    }
    let all: f64 = measured
        .services
        .iter()
        .map(|service| service.cpu_us_per_request)
        .sum();
    let _ = writeln!(text, "{:<12}{all:>16.1}\n", "all");
    text.push_str(&verdict(measured));
    text
}

fn facts(measured: &Measured) -> [(&'static str, String); 11] {
    let load = &measured.load;
    let cpus = thread::available_parallelism().map_or(0, usize::from);
    let ms = |us: u64| to_f64(us) / 1e3;
    let latency = (ms(load.p50_us), ms(load.p99_us), ms(load.max_us));
    let driven = format!("{}, {} connections", measured.mix, measured.connections);
    let statuses: Vec<String> = load
        .statuses
        .iter()
        .map(|(status, count)| format!("{status}: {count}"))
        .collect();
    [
        ("commit", measured.commit.clone()),
        (
            "machine",
            format!("{cpus} CPUs, the generator's among them"),
        ),
        (
            "stack",
            format!(
                "driver {}, PostgreSQL {}",
                measured.driver, measured.postgres
            ),
        ),
        ("durability", measured.durability.clone()),
        (
            "ready after",
            format!("{:.0} ms, the slowest replica", measured.ready_after_ms),
        ),
        (
            "load",
            format!("{driven}, {:.1} s", ms(load.duration_us) / 1e3),
        ),
        ("requests/s", format!("{:.0}", measured.requests_per_second)),
        (
            "transacoes/s",
            format!(
                "{:.0} applied and committed",
                measured.transacoes_per_second
            ),
        ),
        (
            "latency ms",
            format!(
                "p50 {:.2}, p99 {:.2}, max {:.2}",
                latency.0, latency.1, latency.2
            ),
        ),
        ("statuses", statuses.join(", ")),
        ("socket errors", load.socket_errors.to_string()),
    ]
}

fn verdict(measured: &Measured) -> String {
    let check = &measured.check;
    let mut text = match check.wrong_clientes {
        0 => "every saldo is the sum of its transacoes and within its limite\n".to_owned(),
        wrong => format!("WRONG: {wrong} clientes whose saldo is not the sum of their rows\n"),
    };
    let (rows, answered) = (check.rows, check.answered);
    let line = match (check.holds(), rows.checked_sub(answered)) {
        (true, Some(0)) => format!("{rows} rows, as many as were answered with 200\n"),
        (true, Some(more)) => format!(
            "{rows} rows, {answered} answered with 200; {more} answers were left unread when the \
             generator stopped (at most {} can be)\n",
            check.unread_max
        ),
        _ => format!(
            "WRONG: {rows} rows, {answered} answered with 200, at most {} unread\n",
            check.unread_max
        ),
    };
    text.push_str(&line);
    text
}
