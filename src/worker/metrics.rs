//! What a replica shows at `/metrics`: every metric with its name, its help and its buckets.
//!
//! The sums of all workers, shared; what is counted for each request is counted by each worker
//! for itself and added here in turn ([`super::tally`]).

use super::figures;
use super::tally::Topic;
use crate::http::Status;
use prometheus::core::Collector;
use prometheus::{
    Counter, Encoder, Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec,
    IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};
use std::sync::LazyLock;
use std::sync::atomic::AtomicU64;
use std::time::SystemTime;

/// The process' metrics.
pub(super) static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::new);

/// Upper bounds in seconds, of all that takes time here: from what a cache would take to what
/// nobody waits for; 0.25 is the contest's own bound. Few, since each costs a line at each scrape.
const SECONDS: [f64; 16] = [
    50e-6, 100e-6, 250e-6, 500e-6, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0,
    2.5, 5.0,
];
/// Upper bounds in operations; [`crate::limits::FLIGHT_TRANSACOES_MAX`] and some extratos at most.
const OPERATIONS: [f64; 11] = [
    1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0,
];
/// What is shown from the start on, so that the first one is a rise from 0.
const EXPECTED: [(Topic, &[Status]); 2] = [
    (
        Topic::Transacoes,
        &[
            Status::OK,
            Status::NOT_FOUND,
            Status::UNPROCESSABLE,
            Status::UNAVAILABLE,
            Status::GATEWAY_TIMEOUT,
        ],
    ),
    (
        Topic::Extrato,
        &[
            Status::OK,
            Status::NOT_FOUND,
            Status::UNAVAILABLE,
            Status::GATEWAY_TIMEOUT,
        ],
    ),
];

/// Sums over all workers since the start, and gauges of now.
pub(super) struct Metrics {
    registry: Registry,
    pub(super) http: Http,
    pub(super) ledger: OfLedgers,
    pub(super) database: Database,
    builds: IntGaugeVec,
    drivers: IntGaugeVec,
    process: Process,
}

/// Of requests and HTTP connections.
pub(super) struct Http {
    requests: IntCounterVec,
    pub(super) request_seconds: HistogramVec,
    pub(super) connections: IntGauge,
    /// Taken from a listener, those beyond the limit among them.
    pub(super) accepted: IntCounter,
    pub(super) refused: IntCounter,
    pub(super) received_bytes: IntCounter,
    pub(super) sent_bytes: IntCounter,
}

/// Of operations and flights.
pub(super) struct OfLedgers {
    pub(super) operations: IntCounter,
    pub(super) queue_seconds: Histogram,
    pub(super) queue_operations: IntGauge,
    pub(super) queue_full: IntCounter,
    pub(super) flight_operations: Histogram,
    /// Operations of the largest one since the start. For `/health` alone: nobody can tell from
    /// it how large flights were lately.
    pub(super) largest_flight: AtomicU64,
    pub(super) flight_seconds: Histogram,
    pub(super) flights_in_flight: IntGauge,
    pub(super) extratos_answered: IntCounter,
    pub(super) extrato_calls: IntCounter,
    pub(super) unknown_outcomes: IntCounter,
    pub(super) recovered_flights: IntCounter,
}

/// Of the sessions with PostgreSQL.
pub(super) struct Database {
    pub(super) sessions: IntGauge,
    pub(super) sessions_lost: IntCounter,
    pub(super) reconnects: IntCounter,
}

/// Of the process, named as Prometheus' own libraries name them.
struct Process {
    cpu_seconds: Counter,
    resident_bytes: IntGauge,
    virtual_bytes: IntGauge,
    threads: IntGauge,
    open_fds: IntGauge,
    max_fds: IntGauge,
}

impl Metrics {
    fn new() -> Self {
        let of = Maker(Registry::new());
        let metrics = Self {
            http: Http::new(&of),
            ledger: OfLedgers::new(&of),
            database: Database::new(&of),
            builds: of.info(
                "build_info",
                "1, with what this was built from.",
                &["version", "revision"],
            ),
            drivers: of.info(
                "io_driver_info",
                "1, with the I/O driver in force.",
                &["driver"],
            ),
            process: Process::new(&of),
            registry: of.0,
        };
        for (topic, statuses) in EXPECTED {
            for status in statuses {
                metrics.add_requests(topic, *status, 0);
            }
        }
        metrics
    }

    /// Adds requests that were answered.
    pub(super) fn add_requests(&self, topic: Topic, status: Status, count: u64) {
        let mut code = itoa::Buffer::new();
        self.http
            .requests
            .with_label_values(&[topic.label(), code.format(status.code())])
            .inc_by(count);
    }

    /// What the process was built from.
    pub(super) fn note_build(&self, revision: &str) {
        self.builds
            .with_label_values(&[env!("CARGO_PKG_VERSION"), revision])
            .set(1);
    }

    /// A worker runs on this I/O driver.
    pub(super) fn note_driver(&self, name: &str) {
        self.drivers.with_label_values(&[name]).set(1);
    }

    /// Appends all in Prometheus' text format, version 0.0.4.
    pub(super) fn append_text(&self, out: &mut Vec<u8>) {
        self.process.look();
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), out) {
            log::error!(error:%; "the metrics cannot be written");
        }
    }
}

impl Http {
    fn new(of: &Maker) -> Self {
        let requests = Opts::new(
            "crebito_requests_total",
            "Requests that were answered, by route and status.",
        );
        let request_seconds = seconds(
            "request_duration_seconds",
            "From the reading of a request's last byte to the end of its answer's writing.",
        );
        Self {
            requests: of.made(IntCounterVec::new(requests, &["route", "status"])),
            request_seconds: of.made(HistogramVec::new(request_seconds, &["route"])),
            connections: of.gauge("connections", "HTTP connections that are open."),
            accepted: of.counter(
                "connections_accepted_total",
                "HTTP connections that were accepted, those beyond the limit among them.",
            ),
            refused: of.counter(
                "connections_refused_total",
                "HTTP connections beyond the limit, answered with 503.",
            ),
            received_bytes: of.counter(
                "received_bytes_total",
                "Bytes that were read from HTTP connections.",
            ),
            sent_bytes: of.counter(
                "sent_bytes_total",
                "Bytes that were written to HTTP connections.",
            ),
        }
    }
}

impl OfLedgers {
    fn new(of: &Maker) -> Self {
        let flight_operations = HistogramOpts::new(
            "crebito_flight_operations",
            "Operations that left for PostgreSQL together, by flight.",
        );
        Self {
            operations: of.counter("operations_total", "Operations that joined a queue."),
            queue_seconds: of.histogram(seconds(
                "queue_wait_seconds",
                "From the reading of an operation's last byte until it left, or was given up.",
            )),
            queue_operations: of.gauge("queue_operations", "Operations that wait to leave."),
            queue_full: of.counter("queue_full_total", "Operations refused by a full queue."),
            flight_operations: of.histogram(flight_operations.buckets(OPERATIONS.to_vec())),
            largest_flight: AtomicU64::new(0),
            flight_seconds: of.histogram(seconds(
                "flight_duration_seconds",
                "From a flight's departure to its last reply: the time in PostgreSQL.",
            )),
            flights_in_flight: of.gauge("flights_in_flight", "Flights that are out."),
            extratos_answered: of.counter(
                "extratos_answered_total",
                "Extratos that were answered by a call.",
            ),
            extrato_calls: of.counter(
                "extrato_calls_total",
                "Calls that read an extrato, each for all who asked for it.",
            ),
            unknown_outcomes: of.counter(
                "unknown_outcomes_total",
                "Operations whose outcome could not be learned in time (504).",
            ),
            recovered_flights: of.counter(
                "recovered_flights_total",
                "Flights of which a part, proved not applied, was to be sent again.",
            ),
        }
    }
}

impl Database {
    fn new(of: &Maker) -> Self {
        Self {
            sessions: of.gauge("database_sessions", "PostgreSQL sessions that are up."),
            sessions_lost: of.counter(
                "database_sessions_lost_total",
                "PostgreSQL sessions that broke.",
            ),
            reconnects: of.counter(
                "database_reconnects_total",
                "PostgreSQL sessions that followed one that broke.",
            ),
        }
    }
}

impl Process {
    fn new(of: &Maker) -> Self {
        let started = Gauge::new(
            "process_start_time_seconds",
            "When the process began to serve, in seconds since 1970.",
        );
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        of.made(started)
            .set(since_epoch.unwrap_or_default().as_secs_f64());
        let gauge = |name, help| of.made(IntGauge::new(name, help));
        Self {
            cpu_seconds: of.made(Counter::new(
                "process_cpu_seconds_total",
                "CPU time of the process, user's and system's.",
            )),
            resident_bytes: gauge("process_resident_memory_bytes", "Memory that is resident."),
            virtual_bytes: gauge("process_virtual_memory_bytes", "Memory that is mapped."),
            threads: gauge("process_threads", "Threads of the process."),
            open_fds: gauge("process_open_fds", "File descriptors that are open."),
            max_fds: gauge("process_max_fds", "File descriptors that may be open."),
        }
    }

    fn look(&self) {
        let now = figures::look();
        self.cpu_seconds.reset();
        self.cpu_seconds.inc_by(now.cpu_seconds);
        self.resident_bytes.set(now.resident_bytes);
        self.virtual_bytes.set(now.virtual_bytes);
        self.threads.set(now.threads);
        self.open_fds.set(now.open_fds);
        self.max_fds.set(now.max_fds);
    }
}

/// Makes metrics, and registers them.
struct Maker(Registry);

impl Maker {
    fn made<M: Collector + Clone + 'static>(&self, metric: prometheus::Result<M>) -> M {
        let metric = metric.expect("names, labels and buckets are literals that are well formed");
        let registered = self.0.register(Box::new(metric.clone()));
        registered.expect("no two metrics have one name");
        metric
    }

    fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.made(IntCounter::new(format!("crebito_{name}"), help))
    }

    fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.made(IntGauge::new(format!("crebito_{name}"), help))
    }

    fn info(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        self.made(IntGaugeVec::new(
            Opts::new(format!("crebito_{name}"), help),
            labels,
        ))
    }

    fn histogram(&self, options: HistogramOpts) -> Histogram {
        self.made(Histogram::with_opts(options))
    }
}

fn seconds(name: &str, help: &str) -> HistogramOpts {
    HistogramOpts::new(format!("crebito_{name}"), help).buckets(SECONDS.to_vec())
}
