//! `cargo xtask bench`: a fresh stack under the contest's load, and what it cost.
//!
//! A closed loop: each connection sends its next request when it has its answer. So the latencies
//! are those at saturation, and the generator takes its share of the same CPUs.

mod load;
pub mod open;
mod report;
mod usage;

use std::thread;
use std::time::Duration;

use serde::Serialize;

use crate::error::Error;
use crate::install::{self, Need};
use crate::stack::{Options, Stack};
use crate::up;
use load::Load;
pub(crate) use report::commit;

/// What is asked of the bank.
#[derive(Clone, Copy, Debug, PartialEq, clap::ValueEnum)]
pub enum Mix {
    /// 220 debits, 110 credits, 10 extratos; once an account is empty, many debits get 422
    Contest,
    /// Nothing but credits: each request is a transacao to be committed
    Creditos,
}

impl Mix {
    fn as_str(self) -> &'static str {
        match self {
            Mix::Contest => "contest",
            Mix::Creditos => "creditos",
        }
    }
}

/// How to measure.
#[derive(Clone, Debug)]
pub struct Bench {
    /// The stack.
    pub options: Options,
    /// `options.crebito` is a release build made now, not a binary that is there.
    pub build: bool,
    /// Of the generator.
    pub connections: u32,
    /// Of the generator.
    pub threads: u32,
    /// Measured.
    pub seconds: u32,
    /// Driven before, and not measured.
    pub warm_up: u32,
    /// What is asked.
    pub mix: Mix,
    /// JSON instead of a table.
    pub json: bool,
}

/// Everything that was measured.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Measured {
    pub commit: String,
    pub mix: &'static str,
    pub connections: u32,
    pub driver: String,
    pub postgres: String,
    /// `fsync`, `synchronous_commit`, `full_page_writes` as the server has them.
    pub durability: String,
    /// Of the replica that took longest, from the start of its process to /health with 200, given
    /// a running database.
    pub ready_after_ms: f64,
    pub requests_per_second: f64,
    pub transacoes_per_second: f64,
    pub load: Load,
    /// Per service; NGINX, each replica, PostgreSQL, the generator.
    pub services: Vec<Service>,
    pub check: Check,
}

/// What one service used while it was measured.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Service {
    pub name: String,
    pub cpu_us_per_request: f64,
    /// CPUs in use, of the machine's.
    pub cpus: f64,
    /// A replica's, since its start.
    pub peak_rss_kib: Option<u64>,
}

/// The database against the answers.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Check {
    /// Clientes whose saldo is not the sum of their transacoes, or whose n is not their count.
    pub wrong_clientes: u64,
    pub rows: u64,
    /// Transacoes answered with 200, the warm-up's too.
    pub answered: u64,
    /// At its end wrk drops its connections with what they were still owed.
    pub unread_max: u64,
}

impl Check {
    pub fn holds(&self) -> bool {
        let range = self.answered..=self.answered + self.unread_max;
        self.wrong_clientes == 0 && range.contains(&self.rows)
    }
}

/// Measures, and prints a table or JSON.
///
/// # Errors
/// Something did not start, or the database does not agree with what was answered.
pub fn bench(bench: &Bench) -> Result<(), Error> {
    install::ensure(&[Need::PostgreSql, Need::Nginx, Need::Wrk])?;
    let mut options = bench.options.clone();
    if bench.build {
        options.crebito = up::build()?;
    }
    let stack = Stack::private(&options)?;
    stack.sync_data()?;
    let measured = measure(bench, &stack)?;
    if bench.json {
        let text = serde_json::to_string_pretty(&measured);
        println!("{}", text.map_err(Error::while_doing("the figures"))?);
    } else {
        print!("{}", report::table(&measured));
    }
    if !measured.check.holds() {
        let logs = stack.logs();
        return Err(Error::new(format!(
            "the database disagrees with the answers\n{logs}"
        )));
    }
    Ok(())
}

fn measure(bench: &Bench, stack: &Stack) -> Result<Measured, Error> {
    let warm_up = match bench.warm_up {
        0 => None,
        seconds => Some(load::drive(bench, stack.url(), seconds, 1)?),
    };
    let before = cpu_of_services(stack);
    let load = load::drive(bench, stack.url(), bench.seconds, 2)?;
    let after = cpu_of_services(stack);
    // Answers that wrk no longer read are still being made.
    thread::sleep(Duration::from_millis(500));

    let seconds = to_f64(load.duration_us) / 1e6;
    let replicas = stack.replicas();
    let services = before
        .into_iter()
        .zip(after)
        .map(|((name, before), (_, after))| {
            let used = to_f64(after.saturating_sub(before));
            let replica = replicas
                .iter()
                .enumerate()
                .find(|(index, _)| name == replica_name(*index));
            Service {
                cpu_us_per_request: used / to_f64(load.requests.max(1)),
                cpus: used / 1e6 / seconds,
                peak_rss_kib: replica.and_then(|(_, replica)| usage::peak_rss_kib(replica.pid)),
                name,
            }
        });
    let settings = ["fsync", "synchronous_commit", "full_page_writes"];
    let shown = settings.map(|name| Ok(format!("{name}={}", stack.psql(&format!("SHOW {name}"))?)));
    let durability = shown
        .into_iter()
        .collect::<Result<Vec<_>, Error>>()?
        .join(" ");
    let runs = if warm_up.is_some() { 2 } else { 1 };
    let answered = load.applied + warm_up.map_or(0, |load| load.applied);
    Ok(Measured {
        commit: commit(),
        mix: bench.mix.as_str(),
        connections: bench.connections,
        driver: replicas
            .first()
            .map_or_else(String::new, |replica| replica.driver.clone()),
        postgres: stack.psql("SHOW server_version")?,
        durability,
        ready_after_ms: replicas.iter().fold(0.0, |slowest: f64, replica| {
            slowest.max(replica.ready_after.as_secs_f64() * 1e3)
        }),
        requests_per_second: to_f64(load.requests) / seconds,
        transacoes_per_second: to_f64(load.applied) / seconds,
        services: services.collect(),
        check: check(stack, answered, u64::from(bench.connections) * runs)?,
        load,
    })
}

/// The database's own word on it.
fn check(stack: &Stack, answered: u64, unread_max: u64) -> Result<Check, Error> {
    let number = |sql: &str| {
        let said = stack.psql(sql)?;
        said.parse()
            .map_err(Error::while_doing(format!("`{said}` for {sql}")))
    };
    let wrong = "SELECT count(*) FROM clientes c LEFT JOIN LATERAL (
            SELECT count(*) AS n, sum(CASE tipo WHEN 'c' THEN valor ELSE -valor END) AS saldo
            FROM transacoes WHERE cliente_id = c.id) t ON true
        WHERE c.n <> t.n OR c.saldo <> coalesce(t.saldo, 0) OR c.saldo < -c.limite";
    let rows = "SELECT count(*) FROM transacoes";
    Ok(Check {
        wrong_clientes: number(wrong)?,
        rows: number(rows)?,
        answered,
        unread_max,
    })
}

/// Each service with its CPU time so far, in microseconds.
fn cpu_of_services(stack: &Stack) -> Vec<(String, u64)> {
    let of = |pid: Option<u32>| pid.map_or(0, usage::cpu_us);
    let replicas = stack.replicas().into_iter().enumerate();
    let mut services = vec![("NGINX".to_owned(), of(stack.nginx_pid()))];
    services.extend(replicas.map(|(index, replica)| (replica_name(index), of(Some(replica.pid)))));
    services.push(("PostgreSQL".to_owned(), of(stack.postgres_pid())));
    // Ours are the ended children's: wrk, which is waited for. The others still run below us.
    let others: u64 = services.iter().map(|(_, used)| used).sum();
    services.push((
        "generator".to_owned(),
        usage::cpu_us(std::process::id()).saturating_sub(others),
    ));
    services
}

fn replica_name(index: usize) -> String {
    format!("replica {}", index + 1)
}

#[allow(
    clippy::cast_precision_loss,
    reason = "figures for people: 53 bits are enough"
)]
fn to_f64(number: u64) -> f64 {
    number as f64
}
