//! What the workers of a process count together: the only thing they share.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};

/// The process' counters.
pub(super) static COUNTERS: Counters = Counters {
    requests: AtomicU64::new(0),
    operations: AtomicU64::new(0),
    flights: AtomicU64::new(0),
    unknown: AtomicU64::new(0),
    queue_full: AtomicU64::new(0),
    connections: AtomicU64::new(0),
    accepted: AtomicU64::new(0),
    connections_refused: AtomicU64::new(0),
    sessions: AtomicU64::new(0),
    sessions_lost: AtomicU64::new(0),
};

/// Sums over all workers since the start; `connections` and `sessions` are those open now.
pub(super) struct Counters {
    pub(super) requests: AtomicU64,
    pub(super) operations: AtomicU64,
    pub(super) flights: AtomicU64,
    pub(super) unknown: AtomicU64,
    pub(super) queue_full: AtomicU64,
    pub(super) connections: AtomicU64,
    /// Taken from a listener, those beyond the limit among them.
    pub(super) accepted: AtomicU64,
    pub(super) connections_refused: AtomicU64,
    pub(super) sessions: AtomicU64,
    pub(super) sessions_lost: AtomicU64,
}

pub(super) fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

pub(super) fn subtract(counter: &AtomicU64) {
    counter.fetch_sub(1, Ordering::Relaxed);
}

pub(super) fn value(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// Appends the counters in Prometheus' text format, version 0.0.4.
pub(super) fn append_metrics(out: &mut Vec<u8>, driver: &str) {
    let all = &COUNTERS;
    let rows = [
        (
            "requests_total",
            "counter",
            "Requests that were framed.",
            &all.requests,
        ),
        (
            "operations_total",
            "counter",
            "Operations that joined a queue.",
            &all.operations,
        ),
        (
            "flights_total",
            "counter",
            "Flights that left for PostgreSQL.",
            &all.flights,
        ),
        (
            "unknown_outcomes_total",
            "counter",
            "Operations answered with 504.",
            &all.unknown,
        ),
        (
            "queue_full_total",
            "counter",
            "Operations refused by a full queue.",
            &all.queue_full,
        ),
        (
            "connections",
            "gauge",
            "HTTP connections that are open.",
            &all.connections,
        ),
        (
            "connections_accepted_total",
            "counter",
            "HTTP connections that were accepted.",
            &all.accepted,
        ),
        (
            "connections_refused_total",
            "counter",
            "HTTP connections beyond the limit.",
            &all.connections_refused,
        ),
        (
            "sessions",
            "gauge",
            "PostgreSQL sessions that are up.",
            &all.sessions,
        ),
        (
            "sessions_lost_total",
            "counter",
            "PostgreSQL sessions that broke.",
            &all.sessions_lost,
        ),
    ];
    for (name, kind, help, counter) in rows {
        append_figure(out, name, (kind, help), counter);
    }
    append_driver(out, driver);
}

fn append_driver(out: &mut Vec<u8>, driver: &str) {
    let name = "crebito_io_driver_info";
    append_head(out, name, "gauge", "The I/O driver in force.");
    let _ = writeln!(out, "{name}{{driver=\"{driver}\"}} 1");
}

fn append_figure(out: &mut Vec<u8>, name: &str, (kind, help): (&str, &str), counter: &AtomicU64) {
    let name = format!("crebito_{name}");
    append_head(out, &name, kind, help);
    let _ = writeln!(out, "{name} {}", value(counter));
}

/// What comes before a figure. (Writing to a Vec cannot fail.)
fn append_head(out: &mut Vec<u8>, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}");
    let _ = writeln!(out, "# TYPE {name} {kind}");
}
