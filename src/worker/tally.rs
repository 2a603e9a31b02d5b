//! What one worker counts by itself, without a lock or an atomic, and adds to the process' metrics
//! each [`limits::TICK_MS`](crate::limits::TICK_MS). Nothing here allocates once it is made.

use super::metrics::METRICS;
use crate::bank::Route;
use crate::http::Status;
use prometheus::local::{LocalHistogram, LocalIntCounter};
use std::cell::Cell;
use std::sync::atomic::Ordering;

/// Whether what costs something for each request is counted (`uncounted` in Cargo.toml).
pub(super) const COUNTS: bool = !cfg!(feature = "uncounted");

/// What a request is about, as metrics and the log have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    Transacoes,
    Extrato,
    /// `/healthz` and `/health`
    Health,
    /// `/metrics`, paths that are none, and what is no request.
    Other,
}

impl Topic {
    const ALL: [Topic; 4] = [
        Topic::Transacoes,
        Topic::Extrato,
        Topic::Health,
        Topic::Other,
    ];

    pub(super) fn of(route: Route) -> Self {
        match route {
            Route::Transacoes(_) => Topic::Transacoes,
            Route::Extrato(_) => Topic::Extrato,
            Route::Healthz | Route::Health => Topic::Health,
            Route::Metrics | Route::NotFound => Topic::Other,
        }
    }

    pub(super) fn label(self) -> &'static str {
        match self {
            Topic::Transacoes => "transacoes",
            Topic::Extrato => "extrato",
            Topic::Health => "health",
            Topic::Other => "other",
        }
    }
}

/// One worker's own counts.
pub(super) struct Tally {
    topics: [OfTopic; Topic::ALL.len()],
    operations: LocalIntCounter,
    queue_seconds: LocalHistogram,
    queue_full: LocalIntCounter,
    flight_operations: LocalHistogram,
    flight_seconds: LocalHistogram,
    extratos_answered: LocalIntCounter,
    extrato_calls: LocalIntCounter,
    unknown_outcomes: LocalIntCounter,
    received_bytes: LocalIntCounter,
    sent_bytes: LocalIntCounter,
    /// What this worker's part of the gauges was when it was last shown.
    shown: Cell<Gauges>,
}

struct OfTopic {
    requests: [Cell<u64>; Status::ALL.len()],
    seconds: LocalHistogram,
}

/// How a worker's ledger stands.
#[derive(Clone, Copy, Default)]
pub(super) struct Gauges {
    pub(super) flights_in_flight: i64,
    pub(super) queue_operations: i64,
}

impl Tally {
    pub(super) fn new() -> Self {
        let (http, all) = (&METRICS.http, &METRICS.ledger);
        let of_topic = |topic: Topic| {
            let seconds = http.request_seconds.with_label_values(&[topic.label()]);
            OfTopic {
                requests: Default::default(),
                seconds: seconds.local(),
            }
        };
        Self {
            topics: Topic::ALL.map(of_topic),
            operations: all.operations.local(),
            queue_seconds: all.queue_seconds.local(),
            queue_full: all.queue_full.local(),
            flight_operations: all.flight_operations.local(),
            flight_seconds: all.flight_seconds.local(),
            extratos_answered: all.extratos_answered.local(),
            extrato_calls: all.extrato_calls.local(),
            unknown_outcomes: all.unknown_outcomes.local(),
            received_bytes: http.received_bytes.local(),
            sent_bytes: http.sent_bytes.local(),
            shown: Cell::default(),
        }
    }

    fn of(&self, topic: Topic) -> &OfTopic {
        let [transacoes, extrato, health, other] = &self.topics;
        match topic {
            Topic::Transacoes => transacoes,
            Topic::Extrato => extrato,
            Topic::Health => health,
            Topic::Other => other,
        }
    }

    // ---- for each request

    /// A request has its answer.
    pub(super) fn answered(&self, topic: Topic, status: Status) {
        if COUNTS && let Some(count) = self.of(topic).requests.get(status.index()) {
            count.set(count.get() + 1);
        }
    }

    /// An answer was written, so long after its request was read.
    pub(super) fn written(&self, topic: Topic, total_us: u32) {
        self.of(topic).seconds.observe(seconds(total_us));
    }

    /// An operation joined the queue.
    pub(super) fn joined(&self) {
        self.operations.inc();
    }

    /// An operation has waited so long to leave, or to be given up.
    pub(super) fn waited(&self, queue_us: u32) {
        if COUNTS {
            self.queue_seconds.observe(seconds(queue_us));
        }
    }

    /// An extrato was answered by a call.
    pub(super) fn extrato_answered(&self) {
        self.extratos_answered.inc();
    }

    /// An operation was refused by a full queue.
    pub(super) fn queue_full(&self) {
        self.queue_full.inc();
    }

    /// An operation's outcome could not be learned.
    pub(super) fn unknown_outcome(&self) {
        self.unknown_outcomes.inc();
    }

    /// So many bytes came over a connection.
    pub(super) fn received(&self, bytes: usize) {
        if COUNTS {
            self.received_bytes.inc_by(bytes as u64);
        }
    }

    /// So many bytes went over a connection.
    pub(super) fn sent(&self, bytes: usize) {
        if COUNTS {
            self.sent_bytes.inc_by(bytes as u64);
        }
    }

    // ---- for each flight

    /// A flight leaves.
    pub(super) fn departed(&self, operations: usize, extrato_calls: usize) {
        self.flight_operations.observe(count(operations));
        self.extrato_calls.inc_by(extrato_calls as u64);
        let largest = &METRICS.ledger.largest_flight;
        largest.fetch_max(operations as u64, Ordering::Relaxed);
    }

    /// A flight is back after so long.
    pub(super) fn landed(&self, flight_us: u32) {
        self.flight_seconds.observe(seconds(flight_us));
    }

    // ---- in turn

    /// Adds all to the process' metrics, and begins anew.
    pub(super) fn flush(&self, now: Gauges) {
        for topic in Topic::ALL {
            let own = self.of(topic);
            own.seconds.flush();
            for (status, count) in Status::ALL.into_iter().zip(&own.requests) {
                let count = count.take();
                if count > 0 {
                    METRICS.add_requests(topic, status, count);
                }
            }
        }
        for histogram in [
            &self.queue_seconds,
            &self.flight_operations,
            &self.flight_seconds,
        ] {
            histogram.flush();
        }
        for counter in [
            &self.operations,
            &self.queue_full,
            &self.extratos_answered,
            &self.extrato_calls,
            &self.unknown_outcomes,
            &self.received_bytes,
            &self.sent_bytes,
        ] {
            counter.flush();
        }
        let shown = self.shown.replace(now);
        let flights = now.flights_in_flight - shown.flights_in_flight;
        METRICS.ledger.flights_in_flight.add(flights);
        let operations = now.queue_operations - shown.queue_operations;
        METRICS.ledger.queue_operations.add(operations);
    }
}

fn seconds(us: u32) -> f64 {
    f64::from(us) * 1e-6
}

fn count(operations: usize) -> f64 {
    u32::try_from(operations).map_or(f64::INFINITY, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_know_their_places() {
        let tally = Tally::new();
        for (index, topic) in Topic::ALL.into_iter().enumerate() {
            assert!(std::ptr::eq(
                tally.of(topic),
                &raw const tally.topics[index]
            ));
        }
    }
}
