//! A real bank under load, a real Prometheus: every expression must find something.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use xtask::k6;
use xtask::observe;
use xtask::observe::{Observer, Targets};
use xtask::stack::{Driver, Shutdown, Sockets};

use crate::common::{Bank, Peer, connect, get, transacao};
use crate::expression::{self, Expression};

/// Metrics by their prefix that nobody exports here, each with the reason.
const AWAY: [(&str, &str); 2] = [
    ("nginx_", "NGINX's exporter runs in containers only"),
    (
        "k6_dropped_",
        "it is there with the first iteration that was dropped",
    ),
];
/// For all that Prometheus has to see; a guard, not a measure.
const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn every_expression_finds_what_a_running_bank_exports() {
    let mut bank = Bank::start_with(Driver::Auto, Sockets::Unix, |options| options.admin = true);
    let folder = tempfile::tempdir().unwrap();
    let targets = Targets::of_stack(bank.stack());
    let observer = Observer::start(folder.path(), None, &targets).unwrap();
    let address: SocketAddr = observer
        .url()
        .trim_start_matches("http://")
        .parse()
        .unwrap();
    for served in ["", "page.js", "uPlot.iife.min.js", "dashboards/ledger.json"] {
        let request = get(&format!("/user/{served}"));
        let answer = connect(&Peer::from(address)).exchange(request).unwrap();
        assert_eq!(answer.status, 200, "/user/{served}");
    }
    disturb(&mut bank);
    let mut pending = expression::of_dashboards();
    pending.extend(expression::of_rules());
    assert!(pending.len() > 80, "{}", pending.len());
    pending.retain(|one| !is_away(one));
    assert!(pending.len() > 75, "{}", pending.len());

    let door = bank.stack().url().to_owned();
    let done = AtomicBool::new(false);
    // At work until all is seen: a ratio is not 0 by 0.
    let options = k6::Options {
        ramp: Duration::from_secs(1),
        hold: Duration::from_secs(19),
        env: observe::k6_environment(observer.url()),
        ..k6::Options::default()
    };
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                k6::contest(&door, &options).unwrap();
            }
        });
        let start = Instant::now();
        while !pending.is_empty() && start.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(500));
            pending.retain(|one| fault(&observer, one).is_some());
        }
        done.store(true, Ordering::Relaxed);
    });
    let faults: Vec<String> = pending
        .iter()
        .filter_map(|one| Some(format!("{}: {}", one.place, fault(&observer, one)?)))
        .collect();
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

/// What an hour of load has none of: refusals, and a database that goes and comes back.
fn disturb(bank: &mut Bank) {
    let door = bank.door();
    let ask = |request: Vec<u8>| connect(&door).exchange(request).unwrap().status;
    assert_eq!(ask(get("/clientes/6/extrato")), 404);
    assert_eq!(ask(transacao(1, "d", 1_000_000_000, "caro")), 422);
    bank.stack().stop_postgres(Shutdown::Immediate);
    assert!(ask(transacao(1, "c", 1, "perdida")) >= 500);
    bank.stack().start_postgres().unwrap();
    for replica in 0..2 {
        bank.stack().wait_for_replica(replica).unwrap();
    }
}

/// Whether it asks for what nobody exports here.
fn is_away(one: &Expression) -> bool {
    let is_away = |metric: &String| AWAY.iter().any(|(prefix, _)| metric.starts_with(prefix));
    one.metrics().iter().any(is_away)
}

/// Why it does not do; none if it finds numbers, with the labels of its legend, and each metric in
/// it is one that is there (`or vector(0)` finds a number without any).
fn fault(observer: &Observer, one: &Expression) -> Option<String> {
    let found = match observer.query(&one.asked) {
        Ok(found) => found,
        Err(error) => return Some(error.to_string()),
    };
    let is_number = |series: &&Value| {
        let value = series["value"][1].as_str().unwrap_or_default();
        value.parse::<f64>().is_ok_and(f64::is_finite)
    };
    let Some(series) = found.iter().find(is_number) else {
        return Some(format!("no number: {}: {found:?}", one.asked));
    };
    let lacks = |label: &&String| series["metric"].get(label.as_str()).is_none();
    if let Some(label) = one.labels.iter().find(lacks) {
        return Some(format!("no label {label}: {series}"));
    }
    let is_there = |metric: &String| observer.query(metric).is_ok_and(|found| !found.is_empty());
    let metrics = one.metrics();
    let missing = metrics.iter().find(|metric| !is_there(metric))?;
    Some(format!("nobody exports {missing}"))
}
