//! The figures as tables.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::super::super::to_f64;
use super::super::figures::{About, Aspect, Comparison, Contest, Role, Spread, cpu_us};
use super::colour;
use super::number::{cell, count, percent, short, times};

const SATURATION: &str = "As many requests as it answers, on kept connections: 220 debits, 110 \
    credits and 10 extratos in 340.";
const OPEN_MODEL: &str = "An open model: 220 debits, 110 credits and 10 extratos a second are due \
    whatever the bank does, each on a connection of its own, and counted from the moment when they \
    were due. k6 does the same and adds its own part.";
const CHECKED: &str = "Validations are the contest’s, asked of a fresh bank. Answers under load \
    are never to show a saldo below −limite. After the contest’s load each saldo, asked over HTTP, \
    is to have changed by what was answered. The database is to have a row for each answer of 200, \
    and each saldo the sum of its transacoes.";

fn name(comparison: &Comparison, target: &About) -> Markup {
    let swatch = format!("background:var({})", colour(comparison, &target.name));
    html! { th scope="row" { i.swatch style=(swatch) {} (target.name) } }
}

/// The one to look at: a line for each target.
pub(super) fn summary(comparison: &Comparison) -> Markup {
    let top = comparison.top();
    html! {
        section {
            div.wide {
                table {
                    thead {
                        tr {
                            th {}
                            th.number scope="col" { "Requests/s" small { (top) " connections" } }
                            th.number scope="col" { "Times" small { "those of the first" } }
                            th.number scope="col" { "p50" small { "ms, contest" } }
                            th.number scope="col" { "p99" small { "ms, contest" } }
                            th.number scope="col" { "Over 250 ms" small { "contest" } }
                            th.number scope="col" { "CPU" small { "µs a request" } }
                            th.number scope="col" { "Memory" small { "MB at most" } }
                            th.number scope="col" { "Wrong" small { "answers" } }
                            th.number scope="col" { "Failed" small { "answers" } }
                        }
                    }
                    tbody {
                        @for target in &comparison.targets {
                            (summary_row(comparison, target, top))
                        }
                    }
                }
            }
        }
    }
}

fn summary_row(comparison: &Comparison, target: &About, top: u32) -> Markup {
    let known = target.name.as_str();
    let rate = match target.role {
        Role::Ceiling => comparison.ceiling(known).map(|(_, rate)| rate),
        _ => comparison.rate(known, top),
    };
    let first = comparison.of_role(Role::Bank).next();
    let first = first.and_then(|first| comparison.rate(&first.name, top));
    let ratio = rate
        .zip(first)
        .map(|(rate, first)| rate.mid / first.mid.max(1.0));
    let bare = |value: f64| Spread {
        mid: value,
        least: value,
        most: value,
    };
    let memory = comparison.services(known).into_iter();
    let memory = memory.filter_map(|service| comparison.memory_mb(known, service));
    let memory = memory.reduce(|one, other| one + other);
    let is_bank = target.role == Role::Bank;
    html! {
        tr.reference[!is_bank] {
            (name(comparison, target))
            (cell(rate, count))
            (cell(ratio.map(bare), times))
            (cell(comparison.contest(known, |it| ms(it.outcome.latency_us.p50)), short))
            (cell(comparison.contest(known, |it| ms(it.outcome.latency_us.p99)), short))
            (cell(comparison.contest(known, |it| it.outcome.above_sla), percent))
            (cell(comparison.at(known, top, cpu_us).filter(is_some), short))
            (cell(memory.map(bare), short))
            (found(is_bank.then(|| comparison.found(known, true))))
            (found(is_bank.then(|| comparison.found(known, false))))
        }
    }
}

fn is_some(spread: &Spread) -> bool {
    spread.most > 0.0
}

fn ms(us: u64) -> f64 {
    to_f64(us) / 1e3
}

fn found(count_of: Option<u64>) -> Markup {
    html! {
        @match count_of {
            None => { td.number { span.none { "–" } } },
            Some(0) => { td.number { "0" } },
            Some(found) => { td.number.bad { (count(to_f64(found))) } },
        }
    }
}

/// Saturation, level by level.
pub(super) fn levels(comparison: &Comparison) -> Markup {
    let mut connections = comparison.method.connections.clone();
    connections.sort_unstable();
    connections.dedup();
    html! {
        section {
            h2 { "At saturation" }
            p {
                (SATURATION) " wrk, " (comparison.method.seconds) " s a level; below each median \
                 how far the rounds lie apart."
            }
            div.wide {
                table {
                    thead {
                        tr {
                            th scope="col" { "Connections" }
                            th {}
                            th.number scope="col" { "Requests/s" }
                            th.number scope="col" { "p50 ms" }
                            th.number scope="col" { "p99 ms" }
                            th.number scope="col" { "Slowest ms" }
                            th.number scope="col" { "CPU µs" }
                        }
                    }
                    @for level in connections {
                        tbody {
                            @for (place, target) in measured(comparison).enumerate() {
                                (level_row(comparison, target, level, place == 0))
                            }
                        }
                    }
                }
            }
        }
    }
}

/// All but the ceiling, which has no connections.
fn measured(comparison: &Comparison) -> impl Iterator<Item = &About> {
    comparison
        .targets
        .iter()
        .filter(|target| target.role != Role::Ceiling)
}

fn level_row(comparison: &Comparison, target: &About, level: u32, is_first: bool) -> Markup {
    let at = |of| comparison.at(&target.name, level, of);
    html! {
        tr.reference[target.role != Role::Bank] {
            td.level { @if is_first { (level) } }
            (name(comparison, target))
            (cell(comparison.rate(&target.name, level), count))
            (cell(at(|record| ms(record.load.p50_us)), short))
            (cell(at(|record| ms(record.load.p99_us)), short))
            (cell(at(|record| ms(record.load.max_us)), short))
            (cell(at(cpu_us).filter(is_some), short))
        }
    }
}

/// The contest's load, by both generators.
pub(super) fn contest(comparison: &Comparison) -> Markup {
    let method = &comparison.method;
    let any = method.contest_seconds > 0 || method.k6_seconds > 0;
    html! {
        @if any {
            section {
                h2 { "The contest’s load" }
                p {
                    (OPEN_MODEL)
                }
                div.wide {
                    table {
                        thead {
                            tr {
                                th {}
                                th scope="col" { "By" }
                                th.number scope="col" { "p50 ms" }
                                th.number scope="col" { "p90 ms" }
                                th.number scope="col" { "p99 ms" }
                                th.number scope="col" { "Slowest ms" }
                                th.number scope="col" { "Over 250 ms" }
                            }
                        }
                        @for target in measured(comparison) {
                            tbody { (contest_rows(comparison, target)) }
                        }
                    }
                }
            }
        }
    }
}

fn contest_rows(comparison: &Comparison, target: &About) -> Markup {
    let own = |of: fn(&Contest) -> f64| comparison.contest(&target.name, of);
    let k6 = |of: fn(&crate::k6::Summary) -> u64| {
        let runs = comparison
            .visits(&target.name)
            .filter_map(|visit| visit.k6.as_ref());
        Spread::of(runs.map(|run| ms(of(run))))
    };
    let is_reference = target.role != Role::Bank;
    html! {
        @if comparison.method.contest_seconds > 0 {
            tr.reference[is_reference] {
                (name(comparison, target))
                td { "own" }
                (cell(own(|it| ms(it.outcome.latency_us.p50)), short))
                (cell(own(|it| ms(it.outcome.latency_us.p90)), short))
                (cell(own(|it| ms(it.outcome.latency_us.p99)), short))
                (cell(own(|it| ms(it.outcome.latency_us.max)), short))
                (cell(own(|it| it.outcome.above_sla), percent))
            }
        }
        @if comparison.method.k6_seconds > 0 {
            tr.reference[is_reference] {
                @if comparison.method.contest_seconds > 0 { th {} } @else {
                    (name(comparison, target))
                }
                td { "k6" }
                (cell(k6(|run| run.latency_us.p50), short))
                (cell(k6(|run| run.latency_us.p90), short))
                (cell(k6(|run| run.latency_us.p99), short))
                (cell(k6(|run| run.latency_us.max), short))
                td.number { span.none { "–" } }
            }
        }
    }
}

/// What was held against what, and what was found.
pub(super) fn checks(comparison: &Comparison) -> Markup {
    html! {
        section id="checks" {
            h2 { "Answers and balances" }
            p {
                (CHECKED)
            }
            div.wide {
                table {
                    thead {
                        tr {
                            th {}
                            @for aspect in Aspect::ALL { th scope="col" { (aspect.name()) } }
                        }
                    }
                    tbody {
                        @for target in comparison.of_role(Role::Bank) {
                            tr {
                                (name(comparison, target))
                                @for aspect in Aspect::ALL { (verdict(comparison, target, aspect)) }
                            }
                        }
                    }
                }
            }
            (findings(comparison))
        }
    }
}

fn verdict(comparison: &Comparison, target: &About, aspect: Aspect) -> Markup {
    let visits = || comparison.visits(&target.name);
    let looked = visits().any(|visit| visit.aspects.contains(&aspect));
    let findings = visits().flat_map(|visit| &visit.findings);
    let of = findings.filter(|finding| finding.aspect == aspect);
    let count_of: u64 = of.map(|finding| finding.count).sum();
    html! {
        @match (looked, count_of) {
            (false, 0) => { td { span.none { "not looked at" } } },
            (true, 0) => { td.good { "✓ right" } },
            _ => { td.bad { "✗ " (count(to_f64(count_of))) } },
        }
    }
}

/// Each sentence once, over all rounds.
fn findings(comparison: &Comparison) -> Markup {
    let mut sums: BTreeMap<(&str, &str, &str), u64> = BTreeMap::new();
    for visit in &comparison.visits {
        for finding in &visit.findings {
            let key = (
                visit.target.as_str(),
                finding.load.as_str(),
                finding.sentence.as_str(),
            );
            *sums.entry(key).or_default() += finding.count;
        }
    }
    html! {
        @if !sums.is_empty() {
            ul.findings {
                @for ((target, load, sentence), count_of) in sums {
                    li { strong { (target) } ", " (load) ": " (sentence) " (" (count_of) ")" }
                }
            }
        }
    }
}

/// Machine, method and targets.
pub(super) fn method(comparison: &Comparison) -> Markup {
    let method = &comparison.method;
    let loads = format!(
        "{} s of k6, {} s of our own generator, {} s at each level of saturation; each after a \
         ramp or a warm-up",
        method.k6_seconds, method.contest_seconds, method.seconds
    );
    html! {
        section {
            h2 { "Machine and method" }
            dl {
                @for (name, value) in &comparison.machine { dt { (name) } dd { (value) } }
                dt { "Taken" } dd { (comparison.taken) ", by crebito " (comparison.commit) }
                dt { "Order" } dd { "A B A B, " (method.rounds) " rounds; each visit starts anew" }
                dt { "Loads" } dd { (loads) }
            }
            h3 { "Targets" }
            dl {
                @for target in &comparison.targets {
                    dt { (target.name) }
                    dd {
                        (target.what)
                        @if let Some(facts) = &target.facts {
                            small {
                                (facts.driver) ", PostgreSQL " (facts.postgres) ", "
                                (facts.durability) ", ready after "
                                (short(facts.ready_after_ms)) " ms"
                            }
                        }
                    }
                }
            }
        }
    }
}
