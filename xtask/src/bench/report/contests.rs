//! The contest's load as a table: medians of the rounds, and the least and most of the tails.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::super::contest::{Contest, beside_floor, p50_above, p99_times};
use super::super::open::{Kind, Latency};
use super::super::record::Run;
use super::super::rounds::{median, variants};
use super::super::to_f64;

/// A line for each kind of request of each variant, then what each service used.
pub(super) fn table(run: &Run) -> String {
    let contests = &run.contests;
    let mut variants = variants(run);
    variants.retain(|name| contests.iter().any(|contest| contest.variant == *name));
    let mut text = format!(
        "{:<24}{:<10}{:>8}{:>8}{:>8}{:>17}{:>8}{:>8}\n",
        "variant", "ms", "p50", "p90", "p99", "min - max", "p99.9", "max"
    );
    for name in &variants {
        let of = |contest: &&Contest| contest.variant == *name;
        let all: Vec<&Contest> = contests.iter().filter(of).collect();
        text.push_str(&latencies(name, &all));
    }
    text.push_str(&above_floor(contests, &variants));
    text.push_str(&flush_alone(contests));
    text.push('\n');
    for name in variants {
        let of = |contest: &&Contest| contest.variant == name;
        let all: Vec<&Contest> = contests.iter().filter(of).collect();
        text.push_str(&costs(name, &all));
    }
    text
}

/// What a durable answer waits for, whatever the bank does.
fn flush_alone(contests: &[Contest]) -> String {
    // All of a round have that round's.
    let ms = |part: fn(&Latency) -> u64| {
        median(contests.iter().map(|it| to_f64(part(&it.flush_us)) / 1e3))
    };
    format!(
        "a flush alone, of 8 KB and 4 ms after the last: p50 {:.2} ms, p90 {:.2}, p99 {:.2}\n",
        ms(|flush| flush.p50),
        ms(|flush| flush.p90),
        ms(|flush| flush.p99),
    )
}

/// Each against the floor under its kind of NGINX, in the same rounds.
fn above_floor(contests: &[Contest], variants: &[&str]) -> String {
    let mut text = String::new();
    for name in variants {
        let more = beside_floor(contests, name, p50_above);
        let times = beside_floor(contests, name, p99_times);
        if more.is_empty() {
            continue;
        }
        let range = |values: &[f64], digits: usize| {
            let (least, most) = spread(values.iter().copied());
            format!("{least:.digits$} to {most:.digits$}")
        };
        let _ = writeln!(
            text,
            "{name}: p50 is the floor's {:+.2} ms ({}), p99 {:.1} times its ({})",
            median(more.iter().copied()),
            range(&more, 2),
            median(times.iter().copied()),
            range(&times, 1),
        );
    }
    text
}

/// The least and the most.
fn spread(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::MAX, f64::MIN), |(least, most), value| {
        (least.min(value), most.max(value))
    })
}

fn latencies(name: &str, all: &[&Contest]) -> String {
    let mut text = String::new();
    let kinds = [
        ("all", None),
        ("debitos", Some(Kind::Debitos)),
        ("creditos", Some(Kind::Creditos)),
        ("extratos", Some(Kind::Extratos)),
    ];
    for (label, kind) in kinds {
        let latency = |contest: &&Contest| match kind {
            None => Some(contest.outcome.latency_us),
            Some(kind) => contest.outcome.kinds.get(&kind).map(|of| of.latency_us),
        };
        let latencies: Vec<Latency> = all.iter().filter_map(latency).collect();
        let of = |part: fn(&Latency) -> u64| latencies.iter().map(part).map(|us| to_f64(us) / 1e3);
        let p99 = || of(|latency| latency.p99);
        let (least, most) = spread(p99());
        let _ = writeln!(
            text,
            "{name:<23} {label:<10}{:>8.2}{:>8.2}{:>8.2}{:>17}{:>8.2}{:>8.2}",
            median(of(|latency| latency.p50)),
            median(of(|latency| latency.p90)),
            median(p99()),
            format!("{least:.2} - {most:.2}"),
            median(of(|latency| latency.p99_9)),
            median(of(|latency| latency.max)),
        );
    }
    text
}

fn costs(name: &str, all: &[&Contest]) -> String {
    let mut text = String::new();
    let requests: u64 = all.iter().map(|contest| contest.outcome.requests()).sum();
    let unanswered: u64 = all.iter().map(|contest| contest.outcome.unanswered()).sum();
    let above = median(all.iter().map(|contest| contest.outcome.above_sla));
    let own = |contest: &&Contest| contest.outcome.generator.cpus();
    let late = median(
        all.iter()
            .map(|contest| to_f64(contest.outcome.generator.lateness_us.p99) / 1e3),
    );
    let stolen = || all.iter().map(|contest| contest.outcome.stolen * 100.0);
    let stolen_each: Vec<String> = stolen().map(|share| format!("{share:.1}")).collect();
    let _ = writeln!(
        text,
        "{name}: {requests} requests, {unanswered} not answered, {:.2}% above 250 ms; \
         generator {:.3} CPU, itself late by {late:.2} ms at p99; stolen {:.1}% ({})",
        above * 100.0,
        median(all.iter().map(own)),
        median(stolen()),
        stolen_each.join(", "),
    );
    let mut statuses: BTreeMap<u16, u64> = BTreeMap::new();
    for of in all
        .iter()
        .flat_map(|contest| contest.outcome.kinds.values())
    {
        for (status, count) in &of.statuses {
            *statuses.entry(*status).or_default() += count;
        }
    }
    let each = statuses
        .iter()
        .map(|(status, count)| format!("{status}: {count}"));
    let _ = writeln!(text, "    answers {}", each.collect::<Vec<_>>().join(", "));
    let services = all
        .first()
        .map(|first| first.services.keys())
        .into_iter()
        .flatten();
    for service in services {
        let used = || {
            all.iter()
                .filter_map(|contest| contest.services.get(service))
        };
        let _ = writeln!(
            text,
            "    {service:<8}{:.3} CPU, held back {:.1}% of the time",
            median(used().map(|used| used.0)),
            median(used().map(|used| used.1)) * 100.0,
        );
    }
    text
}
