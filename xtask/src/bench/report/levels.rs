//! A closed loop's figures: what was served, what it cost, who ran dry.

use std::fmt::Write;

use super::super::record::{Largest, Record, Run, Service, is_floor};
use super::super::rounds::{Rounds, ceiling, median};
use super::super::to_f64;

/// Held back for less of the time than this is not worth a word.
const HELD_BACK_MIN: f64 = 0.005;

/// What was served: a line for each level of each variant.
pub(super) fn served(run: &Run) -> String {
    let mut text = format!(
        "{:>5}  {:<24}{:>10}{:>17}{:>11}{:>8}{:>8}{:>8}{:>9}{:>11}\n",
        "conns",
        "variant",
        "requests/s",
        "min - max",
        "applied/s",
        "p50 ms",
        "p99 ms",
        "max ms",
        "/ floor",
        "/ ceiling"
    );
    for rounds in Rounds::all(run) {
        let (least, most) = rounds.rates();
        let ms = |of: fn(&Record) -> u64| rounds.median(|record| to_f64(of(record)) / 1e3);
        let applied = rounds.median(Record::applied_per_second);
        let applied = (applied > 0.0 && !is_floor(rounds.variant)).then_some(applied);
        let _ = writeln!(
            text,
            "{:>5}  {:<24}{:>10.0}{:>17}{:>11}{:>8.2}{:>8}{:>8}{:>9}{:>11}",
            rounds.connections,
            rounds.variant,
            rounds.rate(),
            format!("{least:.0} - {most:.0}"),
            figure(applied, 0),
            ms(|record| record.load.p50_us),
            // pgbench has no percentiles.
            figure(
                Some(ms(|record| record.load.p99_us)).filter(|ms| *ms > 0.0),
                2
            ),
            figure(
                Some(ms(|record| record.load.max_us)).filter(|ms| *ms > 0.0),
                2
            ),
            figure(rounds.of_floor(run), 2),
            figure(rounds.of_ceiling(run), 2),
        );
    }
    if let Some(best) = ceiling(run) {
        let _ = writeln!(
            text,
            "The ceiling is pgbench's best, {best:.0}/s; its p50 is a mean."
        );
    }
    text
}

/// What it cost: CPU for each request, and how operations flew.
pub(super) fn costs(run: &Run) -> String {
    let mut text = format!(
        "\nCPU µs a request (of db also for each transacao applied); the generator's CPUs; what \
         the hypervisor stole; operations a flight\n\
         {:>5}  {:<24}{:>8}{:>10}{:>8}{:>8}{:>12}{:>11}{:>8}{:>10}{:>9}{:>11}  {}\n",
        "conns",
        "variant",
        "nginx",
        "replicas",
        "db",
        "all",
        "db applied",
        "generator",
        "stolen",
        "a flight",
        "largest",
        "flights/s",
        "held back by its quota"
    );
    for rounds in Rounds::all(run) {
        let cpu_us = |name: &str| rounds.median_of(|record| record.cpu_us_per_request(name));
        // What answers in a floor stands where the replicas do.
        let replicas = cpu_us("api").or_else(|| cpu_us("back"));
        let _ = writeln!(
            text,
            "{:>5}  {:<24}{:>8}{:>10}{:>8}{:>8}{:>12}{:>11}{:>8}{:>10}{:>9}{:>11}  {}",
            rounds.connections,
            rounds.variant,
            figure(cpu_us("nginx"), 1),
            figure(replicas, 1),
            figure(cpu_us("db"), 1),
            figure(cpu_us(""), 1),
            figure(rounds.median_of(Record::db_us_per_applied), 1),
            figure(rounds.median_of(Record::generator_cpus), 2),
            format!("{:.1}%", rounds.median(|record| record.load.stolen) * 100.0),
            figure(rounds.median_of(|record| record.operations_per_flight), 1),
            largest(&rounds),
            figure(rounds.median_of(|record| record.flights_per_second), 0),
            held_back(&rounds),
        );
    }
    text
}

/// Each service: CPUs in use of those it may use, and memory.
pub(super) fn services(run: &Run) -> String {
    let mut text = format!(
        "\n{:>5}  {:<24}{:<12}{:>15}{:>8}{:>8}{:>11}{:>10}{:>10}\n",
        "conns",
        "variant",
        "service",
        "CPU µs/request",
        "CPUs",
        "of",
        "held back",
        "peak MB",
        "RSS MB"
    );
    for rounds in Rounds::all(run) {
        for (name, of) in each_service(&rounds) {
            let middle = |part: fn(&Service) -> Option<f64>| {
                let values: Vec<f64> = of.iter().filter_map(|service| part(service)).collect();
                (!values.is_empty()).then(|| median(values.into_iter()))
            };
            let most = |part: fn(&Service) -> Option<u64>| {
                of.iter()
                    .filter_map(|service| part(service))
                    .max()
                    .map(to_f64)
            };
            let share = middle(|service| service.throttled).map(|share| share * 100.0);
            let share = share.map(|share| format!("{share:.1}%"));
            let _ = writeln!(
                text,
                "{:>5}  {:<23} {:<12}{:>15}{:>8}{:>8}{:>11}{:>10}{:>10}",
                rounds.connections,
                rounds.variant,
                name,
                figure(middle(|service| Some(service.cpu_us_per_request)), 1),
                figure(middle(|service| Some(service.cpus)), 2),
                figure(middle(|service| service.cpus_max), 2),
                share.unwrap_or_else(|| "-".to_owned()),
                figure(
                    most(|service| service.peak_bytes).map(|bytes| bytes / 1e6),
                    1
                ),
                figure(
                    most(|service| service.peak_rss_kib).map(|kib| kib * 1.024e-3),
                    1
                ),
            );
        }
    }
    text
}

/// A figure with so many digits behind the point, or a dash.
pub(super) fn figure(value: Option<f64>, digits: usize) -> String {
    value.map_or("-".to_owned(), |value| format!("{value:.digits$}"))
}

/// The services of all rounds by their names, in the order of the first round.
fn each_service<'a>(rounds: &Rounds<'a>) -> Vec<(&'a str, Vec<&'a Service>)> {
    let first = rounds.first().map_or(&[][..], |first| &first.services);
    let of = |name: &str| {
        let all = rounds.iter().flat_map(|record| &record.services);
        all.filter(|service| service.name == name).collect()
    };
    let each = first.iter().map(|service| service.name.as_str());
    each.map(|name| (name, of(name))).collect()
}

fn held_back(rounds: &Rounds) -> String {
    let share = |(name, of): &(&str, Vec<&Service>)| {
        let share = median(of.iter().filter_map(|service| service.throttled));
        (share > HELD_BACK_MIN).then(|| format!("{name} {:.1}%", share * 100.0))
    };
    let each: Vec<String> = each_service(rounds).iter().filter_map(share).collect();
    if each.is_empty() {
        "-".to_owned()
    } else {
        each.join(", ")
    }
}

/// The largest of all rounds; `<=` where it may have left before the level began.
fn largest(rounds: &Rounds) -> String {
    let largest = rounds.iter().filter_map(|record| record.largest_flight);
    let Some(most) = largest.max_by_key(|largest| (largest.operations, !largest.is_bound)) else {
        return "-".to_owned();
    };
    let Largest {
        operations,
        is_bound,
    } = most;
    format!("{}{operations}", if is_bound { "<=" } else { "" })
}
