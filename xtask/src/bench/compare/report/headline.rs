//! The one sentence that people remember, and what stands beside it.

use maud::{Markup, html};

use super::super::figures::{Aspect, Comparison, Role, Spread};
use super::number::{count, times};

/// Below this, rounds that do not overlap are still called alike.
const ALIKE: f64 = 1.03;

/// Who answers how much of whom, at the most connections that were measured.
pub(in super::super) fn headline(comparison: &Comparison) -> String {
    let top = comparison.top();
    let rated = comparison.of_role(Role::Bank).filter_map(|bank| {
        let rate = comparison.rate(&bank.name, top)?;
        Some((bank.name.as_str(), rate))
    });
    // Who answers wrongly has another task, and wins nothing.
    let (mut rated, wrong): (Vec<(&str, Spread)>, Vec<_>) =
        rated.partition(|(name, _)| comparison.found(name, true) == 0);
    let all_wrong = rated.is_empty() && !wrong.is_empty();
    rated.sort_by(|one, other| other.1.mid.total_cmp(&one.1.mid));
    let at = format!("at {} connections", count(f64::from(top)));
    match rated.as_slice() {
        [] if all_wrong => "No bank that was measured answers rightly".to_owned(),
        [] => "No bank was measured".to_owned(),
        [(name, rate)] => format!("{name} answers {} requests a second {at}", count(rate.mid)),
        [(best, most), .., (last, least)] => {
            let ratio = most.mid / least.mid.max(f64::MIN_POSITIVE);
            let overlap = most.least <= least.most || ratio < ALIKE;
            if overlap {
                let others = if rated.len() > 2 { "all" } else { "both" };
                return format!("{best} and {last} answer alike {at}: {others} within the noise");
            }
            if ratio < 2.0 {
                let more = count((ratio - 1.0) * 100.0);
                return format!("{best} answers {more}% more requests than {last} {at}");
            }
            format!(
                "{best} answers {} the requests of {last} {at}",
                one_decimal(ratio)
            )
        }
    }
}

fn one_decimal(ratio: f64) -> String {
    if ratio < 9.95 {
        format!("{ratio:.1}×")
    } else {
        times(ratio)
    }
}

/// With the verdict on what was checked.
pub(super) fn header(comparison: &Comparison) -> Markup {
    let method = &comparison.method;
    let rounds = match method.rounds {
        1 => "One round".to_owned(),
        rounds => format!("Medians of {rounds} rounds in turn"),
    };
    let cpu = comparison.machine.iter().find(|(name, _)| name == "CPUs");
    html! {
        header {
            p.eyebrow { "crebito · compared on " (day(&comparison.taken)) }
            h1 { (headline(comparison)) }
            p.lede {
                (rounds)
                @if let Some((_, cpu)) = cpu { ", on " (cpu) }
                ". The load generators share the CPUs with what they load: only ratios travel."
            }
            (verdict(comparison))
        }
    }
}

fn verdict(comparison: &Comparison) -> Markup {
    let wrong = comparison
        .of_role(Role::Bank)
        .map(|bank| (bank.name.as_str(), comparison.found(&bank.name, true)));
    let wrong: Vec<(&str, u64)> = wrong.filter(|(_, found)| *found > 0).collect();
    let looked = |aspect| {
        comparison
            .visits
            .iter()
            .any(|visit| visit.aspects.contains(&aspect))
    };
    html! {
        @if wrong.is_empty() {
            @if looked(Aspect::Answers) {
                p.verdict.good { "Every answer and every saldo that was checked is right." }
            } @else {
                p.verdict { "No answers were checked." }
            }
        }
        @for (name, found) in wrong {
            p.verdict.bad {
                strong { (name) } " is wrong " (times_found(found))
                ": read its figures as those of another task. "
                a href="#checks" { "What is wrong" }
            }
        }
    }
}

fn times_found(found: u64) -> String {
    match found {
        1 => "once".to_owned(),
        found => format!("{found} times"),
    }
}

/// The date of a time of RFC 3339.
fn day(taken: &str) -> &str {
    taken.split('T').next().unwrap_or(taken)
}
