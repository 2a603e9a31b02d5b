//! What is not as it must be, as findings.

use std::collections::BTreeMap;

use super::super::check::leaves_open;
use super::super::load::Load;
use super::super::open::Outcome;
use super::super::record;
use super::figures::{Aspect, Finding};
use crate::http::Saldo;
use crate::k6::Summary;

/// How many transacoes perf/k6/validations.js has applied: 25 debits and 25 credits at once, and
/// three of each cliente.
const VALIDATED: u64 = 25 + 25 + 5 * 3;
/// How its checks are named.
const VALIDATIONS: &str = "validacoes: ";

fn finding(aspect: Aspect, load: &str, sentence: impl Into<String>, count: u64) -> Option<Finding> {
    (count > 0).then(|| Finding {
        aspect,
        load: load.to_owned(),
        sentence: sentence.into(),
        count,
    })
}

/// Of k6's checks, those that failed.
pub(super) fn k6(summary: &Summary) -> Vec<Finding> {
    let failed = summary.failed_check_names.iter().filter_map(|line| {
        // `debitos: saldo >= -limite: failed 3 of 100`
        let (sentence, counts) = line.rsplit_once(": failed ")?;
        let count = counts.split(' ').next()?.parse().ok()?;
        let (check, sentence) = match sentence.strip_prefix(VALIDATIONS) {
            Some(rest) => (Aspect::Validations, rest),
            None if sentence.contains("saldo") => (Aspect::Answers, sentence),
            None => (Aspect::Availability, sentence),
        };
        finding(check, "k6", format!("not so: {sentence}"), count)
    });
    let dropped = finding(
        Aspect::Availability,
        "k6",
        "requests that were due and not sent, as all users still waited",
        summary.dropped_iterations,
    );
    failed.chain(dropped).collect()
}

/// Transacoes that k6 saw applied.
pub(super) fn applied(summary: &Summary, validated: bool) -> u64 {
    let kinds = ["debitos", "creditos"].into_iter();
    let kinds = kinds.filter_map(|name| summary.kinds.get(name));
    let sum: u64 = kinds.filter_map(|kind| kind.statuses.get("200")).sum();
    sum + if validated { VALIDATED } else { 0 }
}

/// Requests of k6's that were not answered, or with an error: they may have been applied all the
/// same.
pub(super) fn open(summary: &Summary) -> u64 {
    let statuses = summary.kinds.values().flat_map(|kind| &kind.statuses);
    // `other` is no status that is known.
    let is_open = |status: &str| {
        let status = status.parse();
        status.map_or(true, |status| leaves_open(status, false))
    };
    let open = statuses.filter(|(status, _)| is_open(status));
    open.map(|(_, count)| count).sum()
}

/// Requests of the contest's load that were not answered, or with a status that it does not know.
pub(super) fn availability(outcome: &Outcome, load: &str) -> Vec<Finding> {
    let failures = outcome.failures.iter().map(|(why, &count)| {
        let sentence = format!("never answered: {why}");
        finding(Aspect::Availability, load, sentence, count)
    });
    let kinds = outcome.kinds.values();
    let counts = kinds.flat_map(|kind| {
        kind.statuses
            .iter()
            .map(|(&status, &count)| (status, count))
    });
    let mut all: Vec<Finding> = failures.flatten().collect();
    all.extend(unknown_statuses(counts, load));
    all
}

fn unknown_statuses(
    counts: impl Iterator<Item = (u16, u64)>,
    load: &str,
) -> impl Iterator<Item = Finding> {
    let mut sums: BTreeMap<u16, u64> = BTreeMap::new();
    for (status, count) in counts.filter(|(status, _)| ![200, 422].contains(status)) {
        *sums.entry(status).or_default() += count;
    }
    sums.into_iter().filter_map(move |(status, count)| {
        let sentence = format!("answered with {status}");
        finding(Aspect::Availability, load, sentence, count)
    })
}

/// What answers of the contest's load contradict.
pub(super) fn answers(outcome: &Outcome, load: &str) -> Vec<Finding> {
    let wrong = outcome.inconsistencies.iter();
    let wrong = wrong.filter_map(|(what, &count)| finding(Aspect::Answers, load, what, count));
    wrong.collect()
}

/// Each saldo before and after a load, against what was answered with 200 in between.
pub(super) fn saldos(
    before: &BTreeMap<u32, Saldo>,
    after: &BTreeMap<u32, Saldo>,
    changes: &BTreeMap<u32, i64>,
) -> Vec<Finding> {
    let wrong = before.iter().filter_map(|(cliente, before)| {
        let expected = before.total + changes.get(cliente).copied().unwrap_or_default();
        let sentence = match after.get(cliente) {
            None => format!("cliente {cliente} has no extrato any more"),
            Some(after) if after.total != expected => format!(
                "cliente {cliente}: a saldo of {}, where the answers come to {expected}",
                after.total
            ),
            Some(_) => return None,
        };
        finding(Aspect::Saldos, "contest", sentence, 1)
    });
    wrong.collect()
}

/// The database against the answers.
pub(super) fn database(check: &record::Check, load: &str) -> Vec<Finding> {
    let wrong = Some(check.wrong_clientes).filter(|&wrong| wrong > 0);
    let wrong = wrong.map(|wrong| wrong_saldos(load, wrong));
    let most = check.answered.saturating_add(check.unread_max);
    let fits = (check.answered..=most).contains(&check.rows);
    let sentence = format!(
        "{} more rows, where {} transacoes were answered with 200",
        check.rows, check.answered
    );
    let rows = finding(Aspect::Database, load, sentence, u64::from(!fits));
    wrong.into_iter().chain(rows).collect()
}

/// So many clientes whose saldo the database itself contradicts.
pub(super) fn wrong_saldos(load: &str, count: u64) -> Finding {
    Finding {
        aspect: Aspect::Database,
        load: load.to_owned(),
        sentence: "clientes whose saldo is not the sum of their transacoes, or beyond the limite"
            .to_owned(),
        count,
    }
}

/// What wrk saw at saturation.
pub(super) fn load(load: &Load, name: &str) -> Vec<Finding> {
    let statuses = load
        .statuses
        .iter()
        .map(|(&status, &count)| (status, count));
    let mut all: Vec<Finding> = unknown_statuses(statuses, name).collect();
    let sentence = "connections refused, reset or timed out";
    all.extend(finding(
        Aspect::Availability,
        name,
        sentence,
        load.socket_errors,
    ));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saldo(total: i64) -> Saldo {
        Saldo {
            total,
            limite: 100,
            is_fresh: false,
        }
    }

    #[test]
    fn saldos_are_held_against_the_answers() {
        let check = |before: i64, change: i64, after: Option<i64>, found: usize| {
            let before = BTreeMap::from([(3, saldo(before))]);
            let after = after.map(|after| (3, saldo(after))).into_iter().collect();
            let changes = BTreeMap::from([(3, change), (4, 9)]);
            let findings = saldos(&before, &after, &changes);
            assert_eq!(findings.len(), found, "{findings:?}");
        };
        check(5, -7, Some(-2), 0);
        check(5, 0, Some(5), 0);
        check(5, -7, Some(-1), 1);
        check(5, 0, None, 1);
    }

    #[test]
    fn rows_are_held_against_the_answers() {
        let check = |rows, answered, unread_max, wrong_clientes, found: usize| {
            let check = record::Check {
                wrong_clientes,
                rows,
                answered,
                unread_max,
            };
            let findings = database(&check, "k6");
            assert_eq!(findings.len(), found, "{check:?}: {findings:?}");
        };
        check(10, 10, 0, 0, 0);
        check(12, 10, 2, 0, 0);
        check(12, 10, 1, 0, 1);
        check(9, 10, 5, 0, 1);
        check(9, 10, 5, 2, 2);
        check(99, 10, u64::MAX, 0, 0);
    }

    #[test]
    fn failed_checks_of_k6_are_sorted() {
        let summary = serde_json::json!({
            "passed": false, "failed_thresholds": [], "requests": 9, "per_second": 9,
            "latency_us": {"p50": 1, "p90": 1, "p98": 1, "p99": 1, "max": 1},
            "kinds": {"debitos": {
                "requests": 12, "per_second": 9,
                "statuses": {"200": 7, "422": 2, "0": 1, "504": 2, "other": 1},
                "latency_us": {"p50": 1, "p90": 1, "p98": 1, "p99": 1, "max": 1},
            }},
            "inconsistencies": 3, "failed_checks": 6,
            "failed_check_names": [
                "validacoes: a fresh saldo is 0: failed 1 of 5",
                "debitos: saldo >= -limite: failed 3 of 7",
                "debitos: 200 or 422: failed 2 of 9",
            ],
            "dropped_iterations": 4, "seconds": 1.0,
        });
        let summary: Summary = serde_json::from_value(summary).unwrap();
        let found: Vec<_> = k6(&summary)
            .into_iter()
            .map(|it| (it.aspect, it.count))
            .collect();
        let expected = [
            (Aspect::Validations, 1),
            (Aspect::Answers, 3),
            (Aspect::Availability, 2),
            (Aspect::Availability, 4),
        ];
        assert_eq!(found, expected);
        assert_eq!((applied(&summary, false), applied(&summary, true)), (7, 72));
        assert_eq!(open(&summary), 4);
    }

    #[test]
    fn statuses_that_the_contest_does_not_know_are_found() {
        let statuses = BTreeMap::from([(200, 5), (422, 4), (500, 3)]);
        let load = Load {
            statuses,
            socket_errors: 2,
            ..Load::default()
        };
        let found: Vec<u64> = self::load(&load, "wrk").iter().map(|it| it.count).collect();
        assert_eq!(found, [3, 2]);
    }

    #[test]
    fn what_may_have_been_applied_is_open() {
        let statuses = BTreeMap::from([(200, 5), (422, 4), (502, 1), (503, 10), (504, 2)]);
        let load = Load {
            statuses,
            socket_errors: 3,
            ..Load::default()
        };
        // This bank's 503 says that nothing was applied, another's need not.
        assert_eq!((load.open(true), load.open(false)), (6, 16));
    }
}
