//! The faults that containers have: one is killed, and started again.

use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::checker::Answer;
use crate::common::Bank;
use crate::common::composed::Composed;
use crate::load::{self, CALM, Disturbed, History, RECOVERY};

/// How long the database is away: longer than a request waits for it.
const AWAY: Duration = Duration::from_secs(6);

#[test]
#[ignore = "cargo xtask compose-test runs it in containers"]
fn a_killed_container_loses_no_transacao_and_leaves_no_request_unanswered_composed() {
    let composed = Composed::from_environment();
    let bank = Bank::composed_and_reset();
    let mut history = History::new();
    let seed = load::fresh_seed();
    let replica = composed.containers.first().unwrap();
    survive(&composed, &bank, &mut history, seed, (replica, CALM));
    let database = &composed.database;
    let disturbed = survive(
        &composed,
        &bank,
        &mut history,
        seed + 1000,
        (database, AWAY),
    );
    // Nobody was told that all was well meanwhile.
    let mut operations = disturbed.operations(&history).iter();
    assert!(
        operations.any(|one| one.cliente != 6 && matches!(one.answer, Answer::Refused)),
        "no request met a database that is away"
    );
}

/// Kills a container under load and starts it again, while every request is answered; then the
/// whole history so far is held against the rows.
fn survive(
    composed: &Composed,
    bank: &Bank,
    history: &mut History,
    seed: u64,
    (name, away): (&str, Duration),
) -> Disturbed {
    let disturbed = Disturbed::under_load(history, &bank.door(), seed, || {
        composed
            .docker(&["kill", "--signal", "KILL", name])
            .unwrap();
        assert_eq!(pid(composed, name), 0, "{name} still runs");
        sleep(away);
        composed.docker(&["start", name]).unwrap();
        for peer in bank.replicas().into_iter().chain([bank.door()]) {
            load::wait_for_service(&peer, RECOVERY)
                .unwrap_or_else(|heard| panic!("{name}: {heard}"));
        }
    });
    let operations = disturbed.operations(history);
    println!("{name}: {:?}", load::count(operations));
    let unanswered = operations.iter().filter(|one| one.answered_ns == u64::MAX);
    assert_eq!(unanswered.count(), 0, "{name}: requests without an answer");
    let contas = load::contas_by(|sql| bank.psql(sql));
    disturbed
        .judge(history, &contas)
        .unwrap_or_else(|fault| panic!("{name}: {fault}"));
    disturbed
}

/// 0 if it does not run.
fn pid(composed: &Composed, name: &str) -> i64 {
    let inspected = composed.docker(&["inspect", name]).unwrap();
    let inspected: Value = serde_json::from_str(&inspected).unwrap();
    inspected[0]["State"]["Pid"].as_i64().unwrap()
}
