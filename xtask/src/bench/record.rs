//! What was measured, as it is printed and kept.

use serde::Serialize;

use super::contest::Contest;
use super::load::Load;
use super::report::commit;
use super::{Bench, Variant};
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
    pub commit: String,
    pub cpus: usize,
    pub mix: &'static str,
    pub store: String,
    /// Within the limits of docker-compose.yml.
    pub limited: bool,
    pub seconds: u32,
    pub records: Vec<Record>,
    pub contests: Vec<Contest>,
}

/// One level of one variant in one round.
#[derive(Clone, Debug, Serialize)]
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
    pub check: Option<Check>,
}

/// What was in force.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Facts {
    /// What NGINX is, `http` or `stream`.
    pub proxy: &'static str,
    pub driver: String,
    pub postgres: String,
    /// `fsync`, `synchronous_commit`, `full_page_writes` as the server has them.
    pub durability: String,
    /// Of the replica that took longest, from the start of its process to /health with 200, given
    /// a running database.
    pub ready_after_ms: f64,
}

/// What one service used while it was measured.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Service {
    pub name: String,
    pub cpu_us_per_request: f64,
    /// CPUs in use, of the machine's.
    pub cpus: f64,
    /// Share of the time for which its quota kept it from running.
    pub throttled: Option<f64>,
    /// The most memory it was charged with since its start, page cache included.
    pub peak_bytes: Option<u64>,
    /// A replica's resident memory at its most, since its start.
    pub peak_rss_kib: Option<u64>,
}

/// The database against the answers.
#[derive(Clone, Debug, Serialize)]
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
            proxy: proxy.as_str(),
            ..Facts::default()
        }
    }
}

impl Record {
    pub fn holds(&self) -> bool {
        self.check.as_ref().is_none_or(|check| {
            let range = check.answered..=check.answered + check.unread_max;
            check.wrong_clientes == 0 && range.contains(&check.rows)
        })
    }

    /// CPU µs a request of all services but the generator.
    pub fn cpu_us_per_request(&self) -> f64 {
        let services = self.services.iter();
        let services = services.filter(|service| service.name != GENERATOR);
        services.map(|service| service.cpu_us_per_request).sum()
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
        Run {
            commit: commit(),
            cpus: std::thread::available_parallelism().map_or(0, usize::from),
            mix: bench.mix().as_str(),
            store: shipped.store.to_string(),
            limited: shipped.limited,
            seconds: bench.seconds,
            records,
            contests,
        }
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
