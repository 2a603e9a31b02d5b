//! What is to fail a run, made to happen.

use std::thread;
use std::time::{Duration, Instant};

use xtask::k6::{Options, Scenario, Summary};
use xtask::stack::Stack;

use crate::{run, short, stack, wrong};

/// Longer than any load takes to begin; the end of patience, not a measure.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs the scenario, and has that happen once the load is under way.
fn disturbed(
    scenario: Scenario,
    stack: &Stack,
    options: &Options,
    disturb: impl FnOnce(),
) -> Summary {
    thread::scope(|scope| {
        let load = scope.spawn(|| run(scenario, stack, options));
        let started = Instant::now();
        let rows = "SELECT count(*) > 20 FROM banco.transacoes";
        while stack.psql(rows).unwrap().trim() != "t" {
            assert!(started.elapsed() < PATIENCE, "no load");
            thread::sleep(Duration::from_millis(50));
        }
        disturb();
        load.join().unwrap()
    })
}

#[test]
fn a_bank_that_stands_still_is_too_slow() {
    let stack = stack();
    let options = Options {
        is_strict: true,
        ..short(Scenario::Contest, 1, 5)
    };
    let summary = disturbed(Scenario::Contest, &stack, &options, || {
        (0..2).for_each(|replica| stack.freeze_replica(replica));
        thread::sleep(Duration::from_secs(2));
        (0..2).for_each(|replica| stack.thaw_replica(replica));
    });
    assert!(!summary.passed);
    for missed in ["latency p(98)<250", "latency p(99)<5"] {
        let found = summary.failed_thresholds.iter().any(|name| name == missed);
        assert!(found, "{missed}: {:?}", summary.failed_thresholds);
    }
}

#[test]
fn a_saldo_beyond_the_limite_is_inconsistent() {
    let stack = stack();
    let checks = "SELECT format('ALTER TABLE %s DROP CONSTRAINT %I;', conrelid::regclass, conname)
         FROM pg_constraint WHERE contype = 'c' AND conrelid = 'banco.clientes'::regclass";
    stack.psql(&stack.psql(checks).unwrap()).unwrap();
    stack
        .psql("UPDATE banco.clientes SET saldo = -limite - 1000000000 WHERE id = 5")
        .unwrap();
    let summary = run(Scenario::Contest, &stack, &short(Scenario::Contest, 1, 3));
    assert!(!summary.passed && summary.inconsistencies > 0);
    assert_eq!(
        wrong(&summary),
        ["checks rate==1", "inconsistencies count==0"]
    );
}

#[test]
fn money_from_nowhere_is_unaccounted_for() {
    for scenario in [Scenario::Soak, Scenario::Saturation] {
        let stack = stack();
        let options = Options {
            connections: vec![2],
            ..short(scenario, 1, 4)
        };
        let summary = disturbed(scenario, &stack, &options, || {
            let sql = "UPDATE banco.clientes SET saldo = saldo + 1 WHERE id = 4";
            stack.psql(sql).unwrap();
        });
        assert!(!summary.passed);
        assert_eq!(
            wrong(&summary),
            ["unaccounted{cliente:4} count==0"],
            "{scenario:?}"
        );
    }
}
