//! The figures as tables: the median of the rounds, and how far they lie apart.

mod contests;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::process::Command;

use super::record::{CEILING, Record, Run, SHIPPED, is_floor};
use super::to_f64;
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

/// A few screens for people.
pub(super) fn table(run: &Run) -> String {
    let mut text = facts(run);
    if !run.contests.is_empty() {
        return text + &contests::table(&run.contests) + &verdict(run);
    }
    let mut levels = BTreeSet::new();
    let mut variants: Vec<&str> = Vec::new();
    for record in &run.records {
        levels.insert(record.connections);
        if !variants.contains(&record.variant.as_str()) {
            variants.push(&record.variant);
        }
    }
    let groups = || {
        levels
            .iter()
            .flat_map(|level| variants.iter().map(move |name| (*level, *name)))
    };
    let group = |(level, name): (u32, &str)| -> Vec<&Record> {
        let records = run.records.iter();
        let records = records.filter(|record| record.connections == level);
        records.filter(|record| record.variant == name).collect()
    };
    let _ = writeln!(
        text,
        "{:>5}  {:<24}{:>10}{:>17}{:>8}{:>8}{:>8}{:>10}{:>10}{:>8}",
        "conns",
        "variant",
        "requests/s",
        "min - max",
        "p50 ms",
        "p99 ms",
        "max ms",
        "a flight",
        "flights/s",
        "CPU µs"
    );
    for key in groups() {
        let records = group(key);
        if !records.is_empty() {
            text.push_str(&line(key, &records));
        }
    }
    let _ = writeln!(
        text,
        "\n{:>5}  {:<24}{:<12}{:>14}{:>8}{:>11}{:>10}{:>10}",
        "conns", "variant", "service", "CPU µs/request", "CPUs", "throttled", "peak MB", "RSS MB"
    );
    for key in groups() {
        text.push_str(&services(key, &group(key)));
    }
    text.push_str(&ratios(run, &levels, &variants));
    text.push_str(&verdict(run));
    text
}

fn facts(run: &Run) -> String {
    let mut text = String::new();
    let contest = run.contests.first().map(|contest| &contest.facts);
    let first = run.records.first().map(|record| &record.facts).or(contest);
    let limits = match run.limited {
        true => "1.5 CPU and 550 MB, split as compose has it; the generator outside",
        false => "none",
    };
    let machine = format!("{} CPUs, the generator's among them", run.cpus);
    let none = ("", "", "", "", 0.0);
    let (proxy, driver, postgres, durability, ready_ms) = first.map_or(none, |facts| {
        (
            facts.proxy,
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

/// The middle one; of an even number the lower of both in the middle.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
        .get(values.len().saturating_sub(1) / 2)
        .copied()
        .unwrap_or(0.0)
}

fn rate(records: &[&Record]) -> f64 {
    median(records.iter().map(|record| record.requests_per_second))
}

fn line((level, name): (u32, &str), records: &[&Record]) -> String {
    let over = |of: &dyn Fn(&Record) -> f64| median(records.iter().map(|record| of(record)));
    let rates = || records.iter().map(|record| record.requests_per_second);
    let (least, most) = (
        rates().fold(f64::MAX, f64::min),
        rates().fold(0.0, f64::max),
    );
    let ms = |us: u64| to_f64(us) / 1e3;
    let or_dash = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.1}"));
    let flight = records
        .first()
        .and_then(|record| record.operations_per_flight);
    let flight = flight.map(|_| over(&|record| record.operations_per_flight.unwrap_or(0.0)));
    let flights = records.first().and_then(|record| record.flights_per_second);
    let flights = flights.map(|_| over(&|record| record.flights_per_second.unwrap_or(0.0)));
    format!(
        "{level:>5}  {name:<24}{:>10.0}{:>17}{:>8.2}{:>8.2}{:>8.2}{:>10}{:>10}{:>8.1}\n",
        rate(records),
        format!("{least:.0} - {most:.0}"),
        over(&|record| ms(record.load.p50_us)),
        over(&|record| ms(record.load.p99_us)),
        over(&|record| ms(record.load.max_us)),
        or_dash(flight),
        or_dash(flights),
        over(&Record::cpu_us_per_request),
    )
}

fn services((level, name): (u32, &str), records: &[&Record]) -> String {
    let mut text = String::new();
    let first = records.first().map_or(&[][..], |record| &record.services);
    for (index, service) in first.iter().enumerate() {
        let all = || {
            records
                .iter()
                .filter_map(|record| record.services.get(index))
        };
        let mb = |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.1}"));
        let most =
            |values: &mut dyn Iterator<Item = Option<u64>>| values.flatten().max().map(to_f64);
        let throttled = service.throttled.map(|_| {
            let share = median(all().map(|service| service.throttled.unwrap_or(0.0)));
            format!("{:.1}%", share * 100.0)
        });
        let _ = writeln!(
            text,
            "{level:>5}  {name:<24}{:<12}{:>14.1}{:>8.2}{:>11}{:>10}{:>10}",
            service.name,
            median(all().map(|service| service.cpu_us_per_request)),
            median(all().map(|service| service.cpus)),
            throttled.unwrap_or_default(),
            mb(most(&mut all().map(|service| service.peak_bytes)).map(|bytes| bytes / 1e6)),
            mb(most(&mut all().map(|service| service.peak_rss_kib)).map(|kib| kib * 1.024e-3)),
        );
    }
    text
}

/// What travels: each against the shipped stack, in the same run, and each against its bounds.
fn ratios(run: &Run, levels: &BTreeSet<u32>, variants: &[&str]) -> String {
    let of = |name: &str, level: u32| -> Option<f64> {
        let records = run.records.iter();
        let records = records.filter(|record| record.variant == name);
        let records: Vec<_> = records
            .filter(|record| record.connections == level)
            .collect();
        (!records.is_empty()).then(|| rate(&records))
    };
    let ceiling = levels
        .iter()
        .filter_map(|level| of(CEILING, *level))
        .fold(0.0, f64::max);
    let mut text = String::new();
    let mut say = |level: u32, name: &str, ours: Option<f64>, other: &str, theirs: Option<f64>| {
        if let (Some(ours), Some(theirs)) = (ours, theirs) {
            let ratio = ours / theirs;
            let _ = writeln!(
                text,
                "{level:>5} connections: {name} / {other} = {ratio:.2}"
            );
        }
    };
    let is_bound = |name: &str| is_floor(name) || name == CEILING;
    for name in variants.iter().filter(|name| !is_bound(name)) {
        let mut records = run.records.iter();
        let first = records.find(|record| record.variant == *name);
        let proxy = first.map_or("", |record| record.facts.proxy);
        let mut records = run.records.iter();
        let floor = records.find(|record| is_floor(&record.variant) && record.facts.proxy == proxy);
        let floor = floor.map_or("", |record| record.variant.as_str());
        for &level in levels {
            let ours = of(name, level);
            if *name != SHIPPED {
                say(level, SHIPPED, of(SHIPPED, level), name, ours);
            }
            say(level, name, ours, floor, of(floor, level));
            if ceiling > 0.0 {
                let best = format!("the best of {CEILING} ({ceiling:.0}/s)");
                say(level, name, ours, &best, Some(ceiling));
            }
        }
    }
    if text.is_empty() {
        text
    } else {
        format!("\n{text}")
    }
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
