//! The contest's load by k6: that a good bank passes, and that none of a bad one's faults does.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed step is a failed test"
)]

mod peer;

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::Ordering;
use std::time::Duration;

use peer::peer;
use xtask::k6::{self, Options, Summary};

/// A few seconds of the load, growing to all of it.
fn short(address: SocketAddr) -> Summary {
    let options = Options {
        ramp: Duration::from_secs(1),
        hold: Duration::from_secs(1),
        ..Options::default()
    };
    k6::contest(&format!("http://{address}"), &options).unwrap()
}

/// The thresholds missed that a busy machine alone cannot miss.
fn faults(summary: &Summary) -> Vec<&str> {
    let names = summary.failed_thresholds.iter().map(String::as_str);
    names
        .filter(|name| !name.starts_with("latency") && !name.starts_with("dropped_iterations"))
        .collect()
}

#[test]
fn a_right_answer_passes_over_one_connection_for_each_request() {
    let (address, connections) = peer(
        r#"200 {"limite":100,"saldo":-100}"#,
        r#"200 {"saldo":{"total":-100,"limite":100},"ultimas_transacoes":[]}"#,
    );
    let summary = short(address);
    assert_eq!(faults(&summary), [""; 0], "{summary:#?}");
    assert_eq!((summary.inconsistencies, summary.failed_checks), (0, 0));
    // The area under the rates: no more than that, and on a busy machine less.
    let expected = [("debitos", 330), ("creditos", 165), ("extratos", 15)];
    for (name, expected) in expected {
        let kind = &summary.kinds[name];
        let statuses: Vec<_> = kind.statuses.iter().collect();
        assert_eq!(statuses, [(&"200".to_owned(), &kind.requests)], "{name}");
        assert_eq!(kind.non_2xx(), 0);
        let range = expected / 10..=expected * 6 / 5;
        assert!(range.contains(&kind.requests), "{name}: {}", kind.requests);
        let times = kind.latency_us;
        let sorted = [0, times.p50, times.p90, times.p98, times.p99, times.max];
        assert!(sorted.is_sorted() && times.p50 > 0, "{name}: {times:?}");
    }
    assert_eq!(connections.load(Ordering::Relaxed), summary.requests);
}

#[test]
fn each_fault_of_a_bank_fails_the_run() {
    const GOOD: &str = r#"200 {"limite":100,"saldo":0}"#;
    const GOOD_EXTRATO: &str = r#"200 {"saldo":{"total":0,"limite":100}}"#;
    // A bank's two answers; whether they are inconsistent; which kinds have what is not 2xx.
    let check = |transacao, extrato, inconsistent: bool, non_2xx: &[&str]| {
        let (address, _) = peer(transacao, extrato);
        let summary = short(address);
        let case = format!("{transacao} {extrato}: {summary:#?}");
        assert!(
            !faults(&summary).is_empty() && summary.failed_checks > 0,
            "{case}"
        );
        assert!(!summary.failed_check_names.is_empty(), "{case}");
        assert_eq!(summary.inconsistencies > 0, inconsistent, "{case}");
        let seen = summary.kinds.iter().filter(|(_, kind)| kind.non_2xx() > 0);
        let seen: Vec<&str> = seen.map(|(name, _)| name.as_str()).collect();
        assert_eq!(seen, non_2xx, "{case}");
    };
    check(
        r#"200 {"limite":100,"saldo":-101}"#,
        GOOD_EXTRATO,
        true,
        &[],
    );
    check(r#"200 {"limite":100}"#, GOOD_EXTRATO, true, &[]);
    check("200 no JSON", GOOD_EXTRATO, true, &[]);
    check(
        GOOD,
        r#"200 {"saldo":{"total":-101,"limite":100}}"#,
        true,
        &[],
    );
    check("422 {}", GOOD_EXTRATO, false, &["creditos", "debitos"]);
    check("503 {}", GOOD_EXTRATO, false, &["creditos", "debitos"]);
    check("418 {}", GOOD_EXTRATO, false, &["creditos", "debitos"]);
    check(GOOD, "404 {}", false, &["extratos"]);
}

#[test]
fn nobody_there_is_a_failed_run_and_no_error() {
    // Bound and let go again: nobody listens.
    let address = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let summary = short(address);
    assert!(!summary.passed && !faults(&summary).is_empty());
    for (name, kind) in &summary.kinds {
        assert_eq!(kind.statuses.get("0"), Some(&kind.requests), "{name}");
    }
}
