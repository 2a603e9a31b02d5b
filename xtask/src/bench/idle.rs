//! Many connections that are kept alive and say nothing, beside few that are busy: what they cost
//! in throughput, through NGINX, and in memory, straight at a replica.

mod silent;

use std::fmt::Write;
use std::thread;

use serde::Serialize;
use serde_json::Value;

use super::kept::{self, Figure, Kept};
use super::load::Load;
use super::measure::AFTER;
use super::record::Check;
use super::report::previous;
use super::rounds::median;
use super::{Bench, Variant, check, load, measure, to_f64, usage};
use crate::error::Error;
use crate::machine;
use crate::say;
use crate::stack::{Address, Proxy, Sockets, Stack};
use silent::Silent;

/// Connections that are busy.
const BUSY: u32 = 256;
/// Descriptors of a process besides the connections that are counted.
const OTHERS: u32 = 512;

/// One run of the measure.
#[derive(Clone, Debug, Serialize)]
struct Run {
    #[serde(flatten)]
    kept: Kept,
    rounds: Vec<Round>,
    /// The latest run before with the same settings.
    previous: Option<Kept>,
}

/// One round of one variant.
#[derive(Clone, Debug, Serialize)]
struct Round {
    variant: String,
    round: u32,
    /// The busy ones alone.
    alone: Load,
    /// The busy ones among all.
    among: Load,
    /// Idle ones that were closed on the way.
    closed: usize,
    memory: Memory,
    check: Check,
}

/// Resident memory of one replica, in KiB.
#[derive(Clone, Copy, Debug, Serialize)]
struct Memory {
    /// Without any connection.
    started_kib: u64,
    /// The most, while the busy ones were driven.
    busy_kib: u64,
    /// With all idle, an extrato each behind them.
    idle_kib: u64,
}

impl Round {
    fn ratio(&self) -> f64 {
        self.among.requests_per_second() / self.alone.requests_per_second()
    }

    fn holds(&self) -> bool {
        self.check.holds() && self.closed == 0
    }
}

/// Measures each variant with `all` connections, without limits, and prints the figures beside
/// those of the run before with the same `settings`.
///
/// # Errors
/// There are not as many descriptors to be had, or the database disagrees with the answers.
pub(super) fn bench(
    bench: &Bench,
    variants: &[Variant],
    all: u32,
    settings: Value,
) -> Result<(), Error> {
    let mut rounds: Vec<Round> = Vec::new();
    for round in 1..=bench.rounds {
        for variant in variants {
            rounds.push(measure(bench, variant, round, all)?);
        }
    }
    let is_wrong = rounds.iter().any(|round| !round.holds());
    let kept = Kept::now(settings, figures(variants, &rounds, all), is_wrong);
    let run = Run {
        previous: kept::before(&kept),
        kept,
        rounds,
    };
    kept::keep(&run.kept, &run);
    if bench.json {
        let text = serde_json::to_string_pretty(&run);
        say(text.map_err(Error::while_doing("the figures"))?);
    } else {
        let before = previous::table(&run.kept, run.previous.as_ref());
        say((table(variants, &run, all) + &before).trim_end());
    }
    match run.rounds.iter().find(|round| !round.holds()) {
        None => Ok(()),
        Some(wrong) => Err(Error::new(format!(
            "{}, round {}: {} idle connections were closed; {:?}",
            wrong.variant, wrong.round, wrong.closed, wrong.check
        ))),
    }
}

fn measure(bench: &Bench, variant: &Variant, round: u32, all: u32) -> Result<Round, Error> {
    let mut variant = variant.clone();
    let sides = match variant.options.proxy {
        // An idle client is NGINX's alone, a busy one has a connection behind it as well.
        Proxy::Http => all + BUSY,
        Proxy::Stream => 2 * all,
    };
    machine::raise_open_files(u64::from(sides + OTHERS))?;
    variant.limited = false;
    // NGINX lets idle ones go as soon as less than a sixteenth of them is free.
    variant.options.nginx_connections = Some(sides + sides / 8 + OTHERS);
    let most = ("MAX_CONNECTIONS".to_owned(), (all + OTHERS).to_string());
    variant.options.env.push(most);
    let memory = memory(bench, &variant, all)?;

    let stack = stack(&variant)?;
    let drive = |seconds: u32, seed: u32| -> Result<Load, Error> {
        let load = load::drive(bench, (stack.url(), BUSY, seconds), seed, variant.mix);
        thread::sleep(AFTER);
        load
    };
    let warm = drive(bench.warm_up.max(1), 1)?;
    let among = |seed: u32| -> Result<(Load, usize), Error> {
        let mut idle = Silent::gather(&Address::Tcp(stack.address()), all - BUSY)?;
        let load = drive(bench.seconds, seed)?;
        Ok((load, idle.closed()))
    };
    // Who comes first alternates too.
    let (alone, (among, closed)) = if round % 2 == 1 {
        let among = among(2)?;
        (drive(bench.seconds, 3)?, among)
    } else {
        (drive(bench.seconds, 2)?, among(3)?)
    };
    let applied = warm.applied + alone.applied + among.applied;
    let answered = 10 * measure::clientes(&stack)? + applied;
    let open = warm.open(true) + alone.open(true) + among.open(true);
    Ok(Round {
        variant: variant.name.clone(),
        round,
        alone,
        among,
        closed,
        memory,
        check: check::check(&stack, answered, u64::from(3 * BUSY) + open)?,
    })
}

/// A fresh stack in which every extrato has its ten transacoes.
fn stack(variant: &Variant) -> Result<Stack, Error> {
    let stack = Stack::private(&variant.stack_options())?;
    if let Some(sql) = variant.store.sql() {
        stack.psql(sql)?;
    }
    stack.psql(measure::TEN_EACH)?;
    stack.sync_data()?;
    Ok(stack)
}

/// One replica, asked without NGINX between.
fn memory(bench: &Bench, variant: &Variant, all: u32) -> Result<Memory, Error> {
    let mut variant = variant.clone();
    variant.options.replicas = 1;
    // wrk knows no Unix sockets.
    variant.options.sockets = Sockets::Tcp;
    let mut stack = stack(&variant)?;
    let replica = |stack: &Stack| {
        let replica = stack.replicas().into_iter().next();
        replica.ok_or_else(|| Error::new("the stack has no replica"))
    };
    let resident = |stack: &Stack| {
        thread::sleep(AFTER);
        let pid = replica(stack)?.pid;
        usage::rss_kib(pid)
            .zip(usage::peak_rss_kib(pid))
            .ok_or_else(|| Error::new("a replica ended while it was measured"))
    };
    let (started_kib, _) = resident(&stack)?;
    let address = replica(&stack)?.address;
    let url = format!("http://{address}");
    load::drive(bench, (&url, BUSY, bench.seconds), 1, variant.mix)?;
    let (_, busy_kib) = resident(&stack)?;
    stack.kill_replica(0);
    stack.start_replica(0)?;
    let mut idle = Silent::gather(&address, all)?;
    let (idle_kib, _) = resident(&stack)?;
    match idle.closed() {
        0 => Ok(Memory {
            started_kib,
            busy_kib,
            idle_kib,
        }),
        closed => Err(Error::new(format!(
            "the replica closed {closed} idle connections"
        ))),
    }
}

fn median_of(rounds: &[Round], variant: &Variant, what: impl Fn(&Round) -> f64) -> f64 {
    let own = rounds.iter().filter(|round| round.variant == variant.name);
    median(own.map(what))
}

fn mb(kib: u64) -> f64 {
    to_f64(kib) * 1.024e-3
}

/// What is worth a comparison.
fn figures(variants: &[Variant], rounds: &[Round], all: u32) -> Vec<Figure> {
    let of = |variant: &Variant| {
        let figure = |connections: u32, name: &str, what: &dyn Fn(&Round) -> f64| Figure {
            connections: Some(connections),
            variant: variant.name.clone(),
            name: name.to_owned(),
            value: median_of(rounds, variant, what),
        };
        [
            figure(BUSY, "requests/s", &|round| {
                round.alone.requests_per_second()
            }),
            figure(BUSY, "p99 ms", &|round| round.alone.p99_ms()),
            figure(all, "requests/s", &|round| {
                round.among.requests_per_second()
            }),
            figure(all, "p99 ms", &|round| round.among.p99_ms()),
            figure(all, "/ busy alone", &Round::ratio),
            figure(0, "MB of a replica", &|round| mb(round.memory.started_kib)),
            figure(BUSY, "MB of a replica", &|round| mb(round.memory.busy_kib)),
            figure(all, "MB of a replica", &|round| mb(round.memory.idle_kib)),
        ]
    };
    variants.iter().flat_map(of).collect()
}

fn table(variants: &[Variant], run: &Run, all: u32) -> String {
    let rounds = &run.rounds;
    let mut text = format!(
        "commit {}; no limits; {} rounds, their medians\n\n{:<24}{:<26}{:>12}{:>10}{:>10}\n",
        run.kept.commit,
        rounds.len() / variants.len().max(1),
        "variant",
        "connections",
        "requests/s",
        "p50 ms",
        "p99 ms"
    );
    for variant in variants {
        let name = &variant.name;
        let of = |what: &dyn Fn(&Round) -> f64| median_of(rounds, variant, what);
        let mut line = |busy: String, load: &dyn Fn(&Round) -> &Load| {
            let _ = writeln!(
                text,
                "{name:<24}{busy:<26}{:>12.0}{:>10.2}{:>10.2}",
                of(&|round| load(round).requests_per_second()),
                of(&|round| load(round).p50_ms()),
                of(&|round| load(round).p99_ms()),
            );
        };
        line(format!("{BUSY} busy"), &|round| &round.alone);
        line(format!("{BUSY} busy of {all}"), &|round| &round.among);
        let _ = writeln!(
            text,
            "{name:<24}ratio {:.2}; a replica's resident memory: started {:.1} MB, {BUSY} busy \
             {:.1} MB, {all} idle {:.1} MB",
            of(&Round::ratio),
            of(&|round| mb(round.memory.started_kib)),
            of(&|round| mb(round.memory.busy_kib)),
            of(&|round| mb(round.memory.idle_kib)),
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::Options;

    #[test]
    fn a_run_has_a_figure_for_each_number_of_connections() {
        let variants = [Variant::shipped(Options::new("crebito")).unwrap()];
        let round = |round: u32, idle_kib: u64| Round {
            variant: variants[0].name.clone(),
            round,
            alone: Load::default(),
            among: Load::default(),
            closed: 0,
            memory: Memory {
                started_kib: 4_000,
                busy_kib: 5_000,
                idle_kib,
            },
            check: Check {
                wrong_clientes: 0,
                rows: 0,
                answered: 0,
                unread_max: 0,
            },
        };
        let rounds = [round(1, 30_000), round(2, 40_000), round(3, 35_000)];
        let figures = figures(&variants, &rounds, 10_000);
        let memory = figures.iter().filter(|it| it.name == "MB of a replica");
        let memory: Vec<_> = memory
            .map(|it| (it.connections, format!("{:.2}", it.value)))
            .collect();
        let expected = [(0, "4.10"), (BUSY, "5.12"), (10_000, "35.84")]
            .map(|(connections, mb)| (Some(connections), mb.to_owned()));
        assert_eq!(memory, expected);
        // By these it is found again.
        let mut names: Vec<_> = figures
            .iter()
            .map(|it| (it.connections, &it.name))
            .collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), figures.len());
    }
}
