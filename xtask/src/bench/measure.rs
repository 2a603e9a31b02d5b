//! The stack under a closed loop, level by level.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::fresh::{fresh, used};
use super::record::{Facts, GENERATOR, Largest, Record, Service};
use super::{Bench, Levels, Variant, check, load, to_f64, usage};
use crate::cgroup::Used;
use crate::error::Error;
use crate::http;
use crate::stack::{Groups, Stack};

/// For the answers that wrk no longer read, which are still being made.
pub(super) const AFTER: Duration = Duration::from_millis(500);

/// A stack that is driven level by level.
pub(super) struct Driven<'a> {
    variant: &'a Variant,
    round: u32,
    stack: Stack,
    groups: Option<Arc<Groups>>,
    facts: Facts,
    /// Answered with 200 so far, and at most so many more that were made.
    answered: u64,
    unread_max: u64,
}

impl<'a> Driven<'a> {
    /// Starts a fresh one, and warms it up.
    ///
    /// # Errors
    /// It does not start, or is not to be had within the limits.
    pub fn start(
        bench: &Bench,
        variant: &'a Variant,
        round: u32,
    ) -> Result<Box<dyn Levels + 'a>, Error> {
        let (stack, groups) = fresh(variant)?;
        if variant.mix == super::Mix::Extratos {
            stack.psql(TEN_EACH)?;
        }
        let ten_each = stack.psql("SELECT count(*) FROM banco.transacoes")?;
        let mut driven = Driven {
            variant,
            round,
            facts: facts(&stack)?,
            answered: ten_each.parse().unwrap_or(0),
            unread_max: 0,
            stack,
            groups,
        };
        if bench.warm_up > 0 {
            // No more than are measured first: a replica tells of the largest flight since its
            // start.
            let connections = bench.connections.first().map_or(1, |first| 64.min(*first));
            driven.drive(bench, connections, bench.warm_up, 1)?;
        }
        Ok(Box::new(driven))
    }

    fn drive(
        &mut self,
        bench: &Bench,
        connections: u32,
        seconds: u32,
        seed: u32,
    ) -> Result<load::Load, Error> {
        let to = (self.stack.url(), connections, seconds);
        let load = load::drive(bench, to, seed, self.variant.mix)?;
        self.answered += load.applied;
        self.unread_max += u64::from(connections) + load.open(true);
        Ok(load)
    }
}

impl Levels for Driven<'_> {
    fn level(&mut self, bench: &Bench, seed: u32, connections: u32) -> Result<Record, Error> {
        let before = seen(&self.stack, self.groups.as_deref())?;
        let load = self.drive(bench, connections, bench.seconds, seed)?;
        let after = seen(&self.stack, self.groups.as_deref())?;
        thread::sleep(AFTER);
        let check = check::check(&self.stack, self.answered, self.unread_max)?;
        // What was left unread is known now; the next level has its own.
        (self.answered, self.unread_max) = (check.rows.max(self.answered), 0);
        let flights = to_f64(after.flights.saturating_sub(before.flights));
        let operations = to_f64(after.operations.saturating_sub(before.operations));
        Ok(Record {
            variant: self.variant.name.clone(),
            round: self.round,
            connections,
            facts: self.facts.clone(),
            requests_per_second: load.requests_per_second(),
            services: shared(services(&before, &after, &load), self.variant),
            flights_per_second: Some(flights / load.seconds()),
            operations_per_flight: Some(operations / flights.max(1.0)),
            largest_flight: largest(&before, &after),
            check: Some(check),
            load,
        })
    }
}

/// Ten transacoes for each cliente, through the bank's own procedure.
pub(super) const TEN_EACH: &str = "SELECT count(*) \
    FROM banco.clientes AS c, generate_series(1, 10) AS i, \
    LATERAL banco.InsertTransacao(c.id, i, 'c', 'extrato') AS t";

/// How many clientes there are.
pub(super) fn clientes(stack: &Stack) -> Result<u64, Error> {
    let said = stack.psql("SELECT count(*) FROM banco.clientes")?;
    said.parse().map_err(Error::while_doing(said))
}

pub(super) fn facts(stack: &Stack) -> Result<Facts, Error> {
    let settings = ["fsync", "synchronous_commit", "full_page_writes"];
    let shown = settings.map(|name| Ok(format!("{name}={}", stack.psql(&format!("SHOW {name}"))?)));
    let shown: Result<Vec<_>, Error> = shown.into_iter().collect();
    let replicas = stack.replicas();
    let driver = replicas.first().map(|replica| replica.driver.clone());
    Ok(Facts {
        proxy: stack.proxy().as_str().to_owned(),
        driver: driver.unwrap_or_default(),
        postgres: stack.psql("SHOW server_version")?,
        durability: shown?.join(" "),
        ready_after_ms: replicas.iter().fold(0.0, |slowest: f64, replica| {
            slowest.max(replica.ready_after.as_secs_f64() * 1e3)
        }),
    })
}

/// What was used up to a moment.
#[derive(Default)]
pub(super) struct Seen {
    /// CPU time by service, in µs.
    pub cpu: Vec<(String, u64)>,
    pub groups: BTreeMap<String, Used>,
    pub peak_rss_kib: BTreeMap<String, u64>,
    pub flights: u64,
    pub operations: u64,
    /// Of each replica, the operations of its largest flight so far.
    pub largest_flights: Vec<Option<u64>>,
}

pub(super) fn seen(stack: &Stack, groups: Option<&Groups>) -> Result<Seen, Error> {
    let of = |pid: Option<u32>| pid.map_or(0, usage::cpu_us);
    let replicas = stack.replicas();
    let name = |index: usize| format!("api{}", index + 1);
    let mut cpu = vec![("nginx".to_owned(), of(stack.nginx_pid()))];
    let mut peak_rss_kib = BTreeMap::new();
    let (mut flights, mut operations, mut largest_flights) = (0, 0, Vec::new());
    for (index, replica) in replicas.iter().enumerate() {
        cpu.push((name(index), of(Some(replica.pid))));
        peak_rss_kib.extend(usage::peak_rss_kib(replica.pid).map(|peak| (name(index), peak)));
        // Counters of the process, the same at each of its addresses.
        let health = http::get(&replica.address, "localhost", "/health")
            .map_err(Error::while_doing("/health"))?;
        let health: serde_json::Value = serde_json::from_str(&health.1).unwrap_or_default();
        let number = |key: &str| health.get(key).and_then(serde_json::Value::as_u64);
        flights += number("flights").unwrap_or(0);
        operations += number("operations").unwrap_or(0);
        largest_flights.push(number("largest_flight"));
    }
    cpu.push(("db".to_owned(), of(stack.postgres_pid())));
    // wrk has ended and was waited for; stacks that stand by still run, and are not it.
    cpu.push((GENERATOR.to_owned(), usage::ended_children_us()));
    Ok(Seen {
        cpu,
        groups: used(groups)?,
        peak_rss_kib,
        flights,
        operations,
        largest_flights,
    })
}

/// The largest flight of any replica, which is this level's if it is larger than those before.
fn largest(before: &Seen, after: &Seen) -> Option<Largest> {
    let most = after.largest_flights.iter().copied().flatten().max()?;
    let mut both = before.largest_flights.iter().zip(&after.largest_flights);
    let grew = both.any(|(before, after)| *after == Some(most) && before < after);
    Some(Largest {
        operations: most,
        is_bound: !grew,
    })
}

pub(super) fn services(before: &Seen, after: &Seen, load: &load::Load) -> Vec<Service> {
    let both = before.cpu.iter().zip(&after.cpu);
    let service = |((name, before_us), (_, after_us)): (&(String, u64), &(String, u64))| {
        let groups = before.groups.get(name).zip(after.groups.get(name));
        of_service(
            name,
            after_us.saturating_sub(*before_us),
            load,
            groups,
            after.peak_rss_kib.get(name).copied(),
        )
    };
    both.map(service).collect()
}

/// The services with what they may use.
pub(super) fn shared(mut services: Vec<Service>, variant: &Variant) -> Vec<Service> {
    for service in &mut services {
        let share = variant.shares.get(&service.name);
        service.cpus_max = share
            .filter(|_| variant.limited)
            .map(|share| to_f64(share.cpu_millis) / 1e3);
    }
    services
}

/// One service's line: CPU time used, and what its group says.
pub(super) fn of_service(
    name: &str,
    cpu_us: u64,
    load: &load::Load,
    groups: Option<(&Used, &Used)>,
    peak_rss_kib: Option<u64>,
) -> Service {
    // The group counts exactly, /proc in ticks.
    let used = groups.map_or(cpu_us, |(before, after)| after.cpu_us - before.cpu_us);
    let throttled = |(before, after): (&Used, &Used)| {
        to_f64(after.throttled_us - before.throttled_us) / to_f64(load.duration_us)
    };
    Service {
        name: name.to_owned(),
        cpu_us_per_request: to_f64(used) / to_f64(load.requests.max(1)),
        cpus: to_f64(used) / to_f64(load.duration_us),
        cpus_max: None,
        throttled: groups.map(throttled),
        peak_bytes: groups.map(|(_, after)| after.peak_bytes),
        peak_rss_kib,
    }
}
