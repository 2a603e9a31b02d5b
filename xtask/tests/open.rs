//! The light load generator against peers that answer well, badly, late or not at all.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed step is a failed test"
)]

mod peer;

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::OnceLock;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use peer::{SILENCE, answer, peer};
use xtask::bench::open::{self, Kind, Outcome, Plan};

const CONTA: &str = r#"200 {"limite":100,"saldo":-100}"#;
const EXTRATO: &str =
    r#"200 {"saldo":{"total":-100,"limite":100,"data_extrato":""},"ultimas_transacoes":[]}"#;
/// Closes instead of an answer.
const NOTHING: &str = "";

/// A tenth of the load, growing for 1 s and staying for 1 s.
fn short() -> Plan {
    Plan {
        ramp: Duration::from_secs(1),
        hold: Duration::from_secs(1),
        scale: 0.1,
        ..Plan::default()
    }
}

/// What the integral of `short`'s rates comes to: all, and of them in the constant part.
const EXPECTED: [(Kind, u64, u64); 3] = [
    (Kind::Debitos, 34, 22),
    (Kind::Creditos, 17, 11),
    (Kind::Extratos, 2, 1),
];

/// Each kind has so many requests as the plan says, answered or not.
fn check_counts(outcome: &Outcome) {
    for (kind, all, constant) in EXPECTED {
        let of = &outcome.kinds[&kind];
        let answered: u64 = of.statuses.values().sum();
        assert_eq!(answered + of.unanswered, all, "{kind:?} {outcome:#?}");
        if of.unanswered == 0 {
            assert_eq!(of.latency_us.count, constant, "{kind:?} {outcome:#?}");
        }
    }
}

#[test]
fn each_request_is_answered_over_a_connection_of_its_own_or_over_kept_ones() {
    for keepalive in [false, true] {
        let (address, connections) = peer(CONTA, EXTRATO);
        let plan = Plan {
            keepalive,
            ..short()
        };
        let outcome = open::drive(address, &plan).unwrap();
        check_counts(&outcome);
        assert_eq!(outcome.unanswered(), 0, "{outcome:#?}");
        assert_eq!(outcome.inconsistencies, BTreeMap::new());
        assert_eq!((outcome.requests(), outcome.applied()), (53, 51));
        let connections = connections.load(Ordering::Relaxed);
        let most = u64::try_from(outcome.generator.under_way_max).unwrap();
        let expected = if keepalive { most } else { 53 };
        assert_eq!(connections, expected, "{outcome:#?}");
        let times = outcome.latency_us;
        assert_eq!(times.count, 34);
        let sorted = [1, times.p50, times.p90, times.p99, times.p99_9, times.max];
        assert!(sorted.is_sorted(), "{outcome:#?}");
        assert_eq!(outcome.generator.lateness_us.count, 34);
        assert!(outcome.generator.cpu_us > 0 && outcome.generator.cpus() < 1.0);
    }
}

#[test]
fn the_same_seed_moves_the_same_money() {
    let (address, _) = peer(CONTA, EXTRATO);
    let changes = |seed| {
        let plan = Plan { seed, ..short() };
        open::drive(address, &plan).unwrap().changes
    };
    let first = changes(1);
    assert_eq!(first, changes(1));
    assert_ne!(first, changes(2));
}

#[test]
fn each_fault_of_a_bank_is_counted() {
    // A bank's two answers; answers that contradict; requests never answered, by why.
    let check = |transacao, extrato, inconsistencies: u64, unanswered: &[(&str, u64)]| {
        let (address, _) = peer(transacao, extrato);
        let mut plan = short();
        if transacao == SILENCE {
            plan.patience = Duration::from_secs(2);
        }
        let outcome = open::drive(address, &plan).unwrap();
        let case = format!("{transacao:?} {extrato:?}: {outcome:#?}");
        check_counts(&outcome);
        assert_eq!(
            outcome.inconsistencies.values().sum::<u64>(),
            inconsistencies,
            "{case}"
        );
        let unanswered = unanswered
            .iter()
            .map(|&(why, count)| (why.to_owned(), count));
        assert_eq!(outcome.failures, unanswered.collect(), "{case}");
        let failures: u64 = outcome.failures.values().sum();
        assert_eq!(outcome.unanswered(), failures, "{case}");
        outcome
    };
    check(r#"200 {"limite":100,"saldo":-101}"#, EXTRATO, 51, &[]);
    check(r#"200 {"limite":100}"#, EXTRATO, 51, &[]);
    check(CONTA, r#"200 {"saldo":{"total":1,"limite":1}}"#, 2, &[]);
    let refused = check("422 {}", EXTRATO, 0, &[]);
    let statuses = &refused.kinds[&Kind::Creditos].statuses;
    assert_eq!(*statuses, BTreeMap::from([(422, 17)]));
    assert_eq!(refused.applied(), 0);
    assert_eq!(
        refused.changes,
        (1..=5).map(|cliente| (cliente, 0)).collect()
    );
    check(CONTA, NOTHING, 0, &[("closed without an answer", 2)]);
    let silent = check(SILENCE, EXTRATO, 0, &[("no answer in time", 51)]);
    // At least all but the one extrato of the constant part.
    assert!(silent.above_sla > 32.5 / 34.0, "{silent:#?}");
    assert_eq!(silent.latency_us.count, 1);
}

#[test]
fn a_peer_that_stands_still_is_charged_from_the_scheduled_moment() {
    // It answers nothing for a second after the first request, and then all at once.
    const STALL: Duration = Duration::from_secs(1);
    static END: OnceLock<Instant> = OnceLock::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let end = *END.get_or_init(|| Instant::now() + STALL);
            thread::spawn(move || {
                thread::sleep(end.saturating_duration_since(Instant::now()));
                answer(&stream, CONTA, EXTRATO)
            });
        }
    });
    let plan = Plan {
        ramp: Duration::ZERO,
        hold: STALL,
        ..Plan::default()
    };
    let outcome = open::drive(address, &plan).unwrap();
    assert_eq!(
        (outcome.unanswered(), outcome.requests()),
        (0, 340),
        "{outcome:#?}"
    );
    // They were due evenly spread over that second: half of them half a second before its end.
    // A busy machine makes that more, never less.
    assert!(outcome.latency_us.p50 >= 495_000, "{outcome:#?}");
    assert!(outcome.latency_us.max >= 1_000_000, "{outcome:#?}");
    assert!(outcome.above_sla > 0.74, "{outcome:#?}");
}

#[test]
fn nobody_there_is_counted_and_no_error() {
    // Bound and let go again: nobody listens.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let outcome = open::drive(address, &short()).unwrap();
    check_counts(&outcome);
    assert_eq!(outcome.unanswered(), 53, "{outcome:#?}");
    assert!((outcome.above_sla - 1.0).abs() < 1e-9);
    let why: Vec<&String> = outcome.failures.keys().collect();
    assert!(why[0].contains("refused") && why.len() == 1, "{why:?}");
}

#[test]
fn what_is_no_plan_is_refused() {
    let refused = |plan: Plan| {
        let address = ([127, 0, 0, 1], 1).into();
        assert!(open::drive(address, &plan).is_err(), "{plan:?}");
    };
    for scale in [0.0, -1.0, f64::NAN, f64::INFINITY, 1001.0] {
        refused(Plan { scale, ..short() });
    }
    for ramp in [Duration::ZERO, Duration::MAX] {
        refused(Plan {
            ramp,
            hold: Duration::ZERO,
            ..short()
        });
    }
}
