//! What `/metrics` of a running replica says: that Prometheus' own tool takes it, and that it is
//! true.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod common;
mod replica;

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{Client, get};
use replica::{GUARD, Replica, free_address};
use xtask::programs;
use xtask::stack::{Driver, Postgres, Shutdown};

/// What dashboards and alerts are made of.
const NAMES: [&str; 28] = [
    "crebito_build_info",
    "crebito_connections",
    "crebito_connections_accepted_total",
    "crebito_connections_refused_total",
    "crebito_database_reconnects_total",
    "crebito_database_sessions",
    "crebito_database_sessions_lost_total",
    "crebito_extrato_calls_total",
    "crebito_extratos_answered_total",
    "crebito_flight_duration_seconds",
    "crebito_flight_operations",
    "crebito_flights_in_flight",
    "crebito_io_driver_info",
    "crebito_operations_total",
    "crebito_queue_full_total",
    "crebito_queue_operations",
    "crebito_queue_wait_seconds",
    "crebito_received_bytes_total",
    "crebito_recovered_flights_total",
    "crebito_request_duration_seconds",
    "crebito_requests_total",
    "crebito_sent_bytes_total",
    "crebito_unknown_outcomes_total",
    "process_cpu_seconds_total",
    "process_max_fds",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
];

/// One scrape: the text, and the value of each sample by its name with its labels.
struct Scrape {
    text: String,
    samples: BTreeMap<String, f64>,
}

impl Scrape {
    fn of(scraper: &mut Client) -> Self {
        let response = scraper.exchange(get("/metrics")).unwrap();
        assert_eq!(response.status, 200);
        let text = response.text();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let samples = lines.map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap())
        });
        Self {
            samples: samples.collect(),
            text,
        }
    }

    fn value(&self, name: &str) -> f64 {
        let value = self.samples.get(name).copied();
        value.unwrap_or_else(|| panic!("{name} is not there:\n{}", self.text))
    }

    fn requests(&self, route: &str, status: u16) -> f64 {
        self.value(&format!(
            "crebito_requests_total{{route=\"{route}\",status=\"{status}\"}}"
        ))
    }
}

/// A replica with a bank of its own, and a connection to its admin address.
struct Place {
    postgres: Postgres,
    replica: Replica,
    scraper: Client,
}

impl Place {
    fn new(driver: Driver) -> Self {
        let postgres = Postgres::private(&[], &[]).unwrap();
        postgres.apply_sql().unwrap();
        let (url, listen) = (postgres.role_url(), free_address().to_string());
        let admin = free_address().to_string();
        let mut replica = Replica::start(&[
            ("DATABASE_URL", &url),
            ("LISTEN", &listen),
            ("ADMIN_LISTEN", &admin),
            ("IO_DRIVER", driver.as_str()),
            ("CREBITO_REVISION", "c0ffee"),
        ]);
        replica.wait_for("/health", 200);
        let scraper = Client::connect(&replica::peer(&admin)).unwrap();
        Self {
            postgres,
            replica,
            scraper,
        }
    }

    fn scrape(&mut self) -> Scrape {
        Scrape::of(&mut self.scraper)
    }

    fn client(&self) -> Client {
        Client::connect(self.replica.peer()).unwrap()
    }
}

fn under_both(check: fn(Driver)) {
    std::thread::scope(|scope| {
        for driver in [Driver::IoUring, Driver::Epoll] {
            let thread = std::thread::Builder::new().name(driver.as_str().to_owned());
            thread.spawn_scoped(scope, move || check(driver)).unwrap();
        }
    });
}

/// `promtool check metrics`: the format, and the conventions of names, units and help texts.
fn assert_promtool_content(metrics: &str) {
    let promtool = programs::prometheus("promtool").unwrap();
    let mut child = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(metrics.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success() && said.is_empty(), "{said}");
}

#[test]
fn what_was_asked_is_counted() {
    under_both(check_counts);
}

fn check_counts(driver: Driver) {
    let mut place = Place::new(driver);
    let before = place.scrape();
    assert_promtool_content(&before.text);
    for name in NAMES {
        let typed = format!("# TYPE {name} ");
        assert!(before.text.contains(&typed), "{name}:\n{}", before.text);
    }
    assert_eq!(before.requests("transacoes", 200), 0.0, "known beforehand");

    let mut client = place.client();
    let (sent, received) = ask(&mut client);
    let after = place.scrape();
    assert_promtool_content(&after.text);

    assert_requests(&after);
    let rose = |name: &str| after.value(name) - before.value(name);
    assert_eq!(
        rose("crebito_requests_total{route=\"health\",status=\"200\"}"),
        1.0
    );
    for (route, count) in [("transacoes", 9.0), ("extrato", 2.0), ("health", 1.0)] {
        let of = |part| format!("crebito_request_duration_seconds_{part}{{route=\"{route}\"}}");
        assert_eq!(rose(&of("count")), count, "{route}");
        assert!(rose(&of("sum")) > 0.0, "{route}");
    }
    assert_eq!(rose("crebito_operations_total"), 10.0);
    assert_eq!(rose("crebito_queue_wait_seconds_count"), 10.0);
    assert_eq!(rose("crebito_flight_operations_sum"), 10.0);
    let flights = rose("crebito_flight_operations_count");
    assert_eq!(rose("crebito_flight_duration_seconds_count"), flights);
    assert!((6.0..=10.0).contains(&flights), "{flights}");
    assert!(rose("crebito_flight_duration_seconds_sum") > 0.0);
    assert_eq!(rose("crebito_extratos_answered_total"), 2.0);
    assert_eq!(rose("crebito_extrato_calls_total"), 2.0);
    // The second scrape's request is among them, and the first one's answer.
    #[allow(clippy::cast_precision_loss, reason = "some hundred bytes")]
    let exact = |bytes: usize| bytes as f64;
    assert_eq!(
        rose("crebito_received_bytes_total"),
        exact(sent + get("/metrics").len())
    );
    assert!(rose("crebito_sent_bytes_total") > exact(received + before.text.len()));
    for (name, value) in [
        ("crebito_queue_operations", 0.0),
        ("crebito_flights_in_flight", 0.0),
        ("crebito_database_sessions", 1.0),
        ("crebito_connections", 2.0),
    ] {
        assert_eq!(after.value(name), value, "{name}");
    }
    assert_process(&after);
}

fn assert_requests(after: &Scrape) {
    let counted = [
        ("transacoes", 200, 6.0),
        ("transacoes", 422, 1.0),
        ("transacoes", 404, 1.0),
        ("transacoes", 400, 1.0),
        ("extrato", 200, 1.0),
        ("extrato", 404, 1.0),
        ("other", 404, 1.0),
    ];
    for (route, status, count) in counted {
        assert_eq!(after.requests(route, status), count, "{route} {status}");
    }
}

fn assert_process(after: &Scrape) {
    let version = env!("CARGO_PKG_VERSION");
    let built = format!("crebito_build_info{{revision=\"c0ffee\",version=\"{version}\"}}");
    assert_eq!(after.value(&built), 1.0);
    assert!(after.value("process_open_fds") < after.value("process_max_fds"));
    assert!(after.value("process_cpu_seconds_total") > 0.0);
    assert!(after.value("process_resident_memory_bytes") > 1e6);
    assert!(after.value("process_start_time_seconds") > 1.7e9);
}

/// Some of everything; how many bytes were sent, and how many came in bodies.
fn ask(client: &mut Client) -> (usize, usize) {
    let requests = [
        common::transacao(1, "c", 10, "a"),
        common::transacao(1, "d", 1_000_000, "b"),
        common::transacao(9, "c", 1, "c"),
        common::extrato(1),
        common::extrato(9),
        get("/healthz"),
        get("/"),
        common::post("/clientes/1/transacoes", "?"),
    ];
    let (mut sent, mut received) = (0, 0);
    for request in requests {
        sent += request.len();
        client.send(request).unwrap();
        received += client.receive().unwrap().body.len();
    }
    // In one write: the answers leave together, and are counted one by one.
    let many = common::transacao(2, "c", 1, "d").repeat(5);
    sent += many.len();
    client.send(&many).unwrap();
    for _ in 0..5 {
        received += client.receive().unwrap().body.len();
    }
    (sent, received)
}

#[test]
fn buckets_hold_what_was_observed() {
    let mut place = Place::new(Driver::Auto);
    let mut client = place.client();
    for _ in 0..20 {
        client.exchange(common::transacao(3, "c", 1, "e")).unwrap();
    }
    let scrape = place.scrape();
    let head = "crebito_request_duration_seconds_bucket{route=\"transacoes\",le=\"";
    let bucket = |(name, value): (&String, &f64)| {
        let bound = name.strip_prefix(head)?.strip_suffix("\"}")?;
        Some((bound.parse::<f64>().unwrap(), *value))
    };
    let mut buckets: Vec<(f64, f64)> = scrape.samples.iter().filter_map(bucket).collect();
    buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
    assert_eq!(buckets.first().unwrap().0, 50e-6);
    assert!(buckets.iter().any(|bucket| bucket.0 == 0.25));
    assert_eq!(*buckets.last().unwrap(), (f64::INFINITY, 20.0));
    assert!(buckets.is_sorted_by(|a, b| a.1 <= b.1), "{buckets:?}");
    // A loop over one connection: no two overlap, so that all together took no longer than it.
    let sum = scrape.value("crebito_request_duration_seconds_sum{route=\"transacoes\"}");
    let least: f64 = buckets
        .windows(2)
        .map(|pair| (pair[1].1 - pair[0].1) * pair[0].0)
        .sum();
    assert!(sum >= least, "{sum} {buckets:?}");
}

#[test]
fn a_lost_session_and_a_stale_statement_are_counted() {
    under_both(check_database);
}

fn check_database(driver: Driver) {
    let mut place = Place::new(driver);
    let mut client = place.client();
    let credit = common::transacao(1, "c", 10, "f");
    assert_eq!(client.exchange(&credit).unwrap().status, 200);
    // Its procedure is gone: proved not applied, it waits to be sent again.
    place
        .postgres
        .psql("DROP FUNCTION banco.inserttransacao(bigint, bigint, text, text)")
        .unwrap();
    client.send(&credit).unwrap();
    let since = Instant::now();
    while place.scrape().value("crebito_recovered_flights_total") != 1.0 {
        assert!(since.elapsed() < GUARD, "{}", place.replica.log());
    }
    place.postgres.apply_sql().unwrap();
    let response = client.receive().unwrap();
    assert_eq!(response.text(), r#"{"limite":100000,"saldo":20}"#);
    // It could not be prepared: the session was given up meanwhile.
    assert_sessions(&mut place, [1.0, 1.0, 1.0]);

    place.postgres.stop(Shutdown::Fast);
    place.replica.wait_for("/health", 503);
    assert_sessions(&mut place, [0.0, 2.0, 1.0]);
    place.postgres.start().unwrap();
    place.replica.wait_for("/health", 200);
    assert_sessions(&mut place, [1.0, 2.0, 2.0]);
}

fn assert_sessions(place: &mut Place, [up, lost, found_again]: [f64; 3]) {
    let scrape = place.scrape();
    for (name, value) in [
        ("crebito_database_sessions", up),
        ("crebito_database_sessions_lost_total", lost),
        ("crebito_database_reconnects_total", found_again),
    ] {
        assert_eq!(scrape.value(name), value, "{name}");
    }
}

#[test]
fn workers_are_summed() {
    let postgres = Postgres::private(&[], &[]).unwrap();
    postgres.apply_sql().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let listen = format!("unix:{}/api.sock", folder.path().display());
    let admin = free_address().to_string();
    let url = postgres.role_url();
    let _running = Replica::start(&[
        ("DATABASE_URL", &url),
        ("LISTEN", &listen),
        ("ADMIN_LISTEN", &admin),
        ("WORKERS", "2"),
    ]);
    let since = Instant::now();
    let connect = |peer: &common::Peer| loop {
        assert!(since.elapsed() < GUARD, "nobody listens at {peer:?}");
        if let Ok(client) = Client::connect(peer) {
            return client;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    for worker in 0..2 {
        let path = listen.replace("api.sock", &format!("api.{worker}.sock"));
        let mut client = connect(&replica::peer(&path));
        while client.exchange(get("/health")).unwrap().status != 200 {
            assert!(since.elapsed() < GUARD, "no session of worker {worker}");
        }
        for _ in 0..10 {
            let response = client.exchange(common::transacao(4, "c", 1, "g")).unwrap();
            assert_eq!(response.status, 200);
        }
    }
    // Another worker's counts come with its next tick.
    let mut scraper = connect(&replica::peer(&admin));
    while Scrape::of(&mut scraper).requests("transacoes", 200) != 20.0 {
        assert!(since.elapsed() < GUARD, "{}", Scrape::of(&mut scraper).text);
        std::thread::sleep(Duration::from_millis(10));
    }
    let scrape = Scrape::of(&mut scraper);
    assert_eq!(scrape.value("crebito_database_sessions"), 2.0);
    assert_eq!(scrape.value("crebito_flight_operations_sum"), 20.0);
}
