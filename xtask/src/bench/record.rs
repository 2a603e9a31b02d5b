//! What was measured, as it is printed and kept.

use serde::{Deserialize, Serialize};

use super::contest::Contest;
use super::kept::{self, Kept};
use super::load::Load;
use super::{Bench, Variant, to_f64};
use crate::stack::Proxy;

/// The names of what is always or often measured.
pub(super) const SHIPPED: &str = "shipped";
pub(super) const CEILING: &str = "ceiling";

/// The name of the floor under what stands behind `proxy`.
pub(super) fn floor_of(proxy: Proxy) -> &'static str {
    match proxy {
        Proxy::Http => "floor",
        Proxy::Stream => "floor stream",
    }
}

/// Whether it is one of them.
pub(super) fn is_floor(variant: &str) -> bool {
    let mut floors = [Proxy::Http, Proxy::Stream].into_iter().map(floor_of);
    floors.any(|floor| floor == variant)
}

/// One run of the bench.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Run {
    #[serde(flatten)]
    pub kept: Kept,
    pub mix: &'static str,
    pub store: String,
    /// Within the limits of docker-compose.yml.
    pub limited: bool,
    pub seconds: u32,
    pub generator_threads: u32,
    /// Its CPUs did not sleep meanwhile.
    pub awake: bool,
    /// Times the contest's rates, where they are what is driven.
    pub times: u32,
    pub records: Vec<Record>,
    pub contests: Vec<Contest>,
    /// The latest run before with the same settings.
    pub previous: Option<Kept>,
}

/// One level of one variant in one round.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Record {
    pub variant: String,
    pub round: u32,
    pub connections: u32,
    /// Which driver, database and durability were in force, in their own words.
    pub facts: Facts,
    pub requests_per_second: f64,
    pub load: Load,
    /// NGINX, each replica, the database, the generator: those that there are.
    pub services: Vec<Service>,
    /// Of the replicas together.
    pub flights_per_second: Option<f64>,
    pub operations_per_flight: Option<f64>,
    pub largest_flight: Option<Largest>,
    pub check: Option<Check>,
}

/// What was in force.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Facts {
    /// What NGINX is, `http` or `stream`.
    #[serde(default)]
    pub proxy: String,
    pub driver: String,
    pub postgres: String,
    /// `fsync`, `synchronous_commit`, `full_page_writes` as the server has them.
    pub durability: String,
    /// Of the replica that took longest, from the start of its process to /health with 200, given
    /// a running database.
    pub ready_after_ms: f64,
}

/// The operations of the largest flight while it was measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Largest {
    pub operations: u64,
    /// It left earlier, since replicas tell of the largest since their start: while it was
    /// measured there was none that was larger.
    pub is_bound: bool,
}

/// What one service used while it was measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Service {
    pub name: String,
    pub cpu_us_per_request: f64,
    /// CPUs in use, of the machine's.
    pub cpus: f64,
    /// CPUs that its quota allows.
    #[serde(default)]
    pub cpus_max: Option<f64>,
    /// Share of the time for which its quota kept it from running.
    pub throttled: Option<f64>,
    /// The most memory it was charged with since its start, page cache included.
    pub peak_bytes: Option<u64>,
    /// A replica's resident memory at its most, since its start.
    pub peak_rss_kib: Option<u64>,
}

/// What a [`Check`] that holds has seen, as a report says it.
pub(super) const HOLDS: &str = "every saldo was the sum of its transacoes and within its limite, \
    and there were as many rows as answers 200 (those left unread when the generator stopped \
    aside)";

/// The database against the answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Check {
    /// Clientes whose saldo is not the sum of their transacoes, or whose n is not their count.
    pub wrong_clientes: u64,
    pub rows: u64,
    /// Transacoes answered with 200 since the stack started.
    pub answered: u64,
    /// At its end wrk drops its connections with what they were still owed.
    pub unread_max: u64,
}

impl Facts {
    /// Those of a floor under `proxy`.
    pub fn of_floor(proxy: Proxy) -> Facts {
        Facts {
            proxy: proxy.as_str().to_owned(),
            ..Facts::default()
        }
    }
}

impl Check {
    pub fn holds(&self) -> bool {
        let range = self.answered..=self.answered.saturating_add(self.unread_max);
        self.wrong_clientes == 0 && range.contains(&self.rows)
    }
}

impl Record {
    pub fn holds(&self) -> bool {
        self.check.as_ref().is_none_or(Check::holds)
    }

    /// CPU µs a request of the services whose name begins so, in sum; none if there is none.
    pub fn cpu_us_per_request(&self, name: &str) -> Option<f64> {
        let services = self.services.iter();
        let mut services = services
            .filter(|service| service.name.starts_with(name) && service.name != GENERATOR)
            .peekable();
        services.peek()?;
        Some(services.map(|service| service.cpu_us_per_request).sum())
    }

    /// CPU µs of the database for each transacao that was applied.
    pub fn db_us_per_applied(&self) -> Option<f64> {
        let db = self.cpu_us_per_request("db")?;
        (self.load.applied > 0).then(|| db * to_f64(self.load.requests) / to_f64(self.load.applied))
    }

    /// Transacoes applied a second.
    pub fn applied_per_second(&self) -> f64 {
        to_f64(self.load.applied) / self.load.seconds()
    }

    /// CPUs that the load generator used.
    pub fn generator_cpus(&self) -> Option<f64> {
        let mut services = self.services.iter();
        let generator = services.find(|service| service.name == GENERATOR)?;
        Some(generator.cpus)
    }
}

/// The name of the load generator among the services.
pub(super) const GENERATOR: &str = "generator";

impl Run {
    pub fn of(
        bench: &Bench,
        shipped: &Variant,
        records: Vec<Record>,
        contests: Vec<Contest>,
    ) -> Run {
        let mut run = Run {
            kept: Kept::now(kept::settings(bench, shipped), Vec::new(), false),
            mix: bench.mix().as_str(),
            store: shipped.store.to_string(),
            limited: shipped.limited,
            seconds: bench.seconds,
            generator_threads: bench.threads,
            awake: bench.awake,
            times: bench.times.unwrap_or(1),
            records,
            contests,
            previous: None,
        };
        run.weigh();
        run.previous = kept::before(&run.kept);
        run
    }

    /// Makes of all that was measured what is compared.
    pub fn weigh(&mut self) {
        self.kept.figures = kept::figures(self);
        self.kept.is_wrong = self.fault().is_some();
    }

    /// What is wrong with the first that does not hold.
    pub fn fault(&self) -> Option<String> {
        let record = self.records.iter().find(|record| !record.holds());
        let record = record.map(|it| {
            format!(
                "{}, {} connections: {:?}",
                it.variant, it.connections, it.check
            )
        });
        let contest = || self.contests.iter().find(|contest| !contest.holds());
        record.or_else(|| contest().map(|it| format!("{}: {:?}", it.variant, it)))
    }
}
