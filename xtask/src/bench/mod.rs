//! `cargo xtask bench`: fresh stacks under load, within the contest's limits, and what they cost.
//!
//! A closed loop: each connection sends its next request when it has its answer, so the latencies
//! are those at saturation. What is compared stands side by side and is driven in turn, level by
//! level, since a machine is never the same twice; only the ratios travel.

mod awake;
mod ceiling;
pub(crate) mod check;
pub mod compare;
mod contest;
mod floor;
mod flush;
mod fresh;
mod idle;
mod kept;
mod large;
pub(crate) mod load;
mod measure;
pub mod open;
mod record;
mod report;
mod rounds;
mod usage;
mod variant;

use serde::Serialize;

use crate::build;
use crate::error::Error;
use crate::install::{self, Need};
use crate::programs;
use crate::say;
use crate::stack::Options;
use awake::Awake;
use contest::Contest;
pub use large::Large;
use record::{Record, Run};
pub(crate) use report::commit;
pub use variant::{Store, Variant};

/// What is asked of the bank.
#[derive(Clone, Copy, Debug, PartialEq, clap::ValueEnum, Serialize)]
pub enum Mix {
    /// 220 debits, 110 credits, 10 extratos; once an account is empty, many debits get 422
    Contest,
    /// The contest's without its extratos
    Writes,
    /// Nothing but credits: each request is a transacao to be committed
    Creditos,
    /// Nothing but extratos, of clientes with ten transacoes
    Extratos,
}

impl Mix {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Mix::Contest => "contest",
            Mix::Writes => "writes",
            Mix::Creditos => "creditos",
            Mix::Extratos => "extratos",
        }
    }
}

/// Connections, level by level, where none are named.
const LEVELS: [u32; 4] = [16, 64, 256, 1024];

/// What is measured besides the shipped stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize)]
pub enum Beside {
    /// The same NGINX in front of one that answers a constant
    Floor,
    /// pgbench on the procedure for one transacao
    Ceiling,
    /// Neither
    None,
}

/// How to measure.
#[derive(Clone, Debug, clap::Args, Serialize)]
pub struct Bench {
    /// Connections of the load generator, one level after the other. Beyond 1,040 for each
    /// replica NGINX answers 503 (`max_conns` of nginx.conf)
    #[arg(long, value_delimiter = ',', default_values_t = LEVELS,
          value_parser = clap::value_parser!(u32).range(1..))]
    connections: Vec<u32>,
    /// Threads of the load generator
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    threads: u32,
    /// How long each level is measured, twice a round; once with --idle and of the ceiling, four
    /// times with --large
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// How long a fresh stack is driven before, in seconds
    #[arg(long, default_value_t = 2)]
    warm_up: u32,
    /// How often all is measured, in turn
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// The contest's own load instead, an open model on a connection for each request: so many
    /// seconds in which it is measured, in stretches of at most five, before each of which it grows
    /// for a quarter as long. (Where nothing is chosen it is measured for ten, beside the levels)
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "60",
          value_parser = clap::value_parser!(u32).range(4..),
          conflicts_with_all = [
              "connections", "threads", "seconds", "warm_up", "mix", "writes_only", "extratos_only",
          ])]
    contest: Option<u32>,
    /// Instead: 256 busy connections alone, and among so many that are kept alive, without limits;
    /// and what as many idle ones take of a replica's memory
    #[arg(long, value_name = "CONNECTIONS", num_args = 0..=1, default_missing_value = "10000",
          value_parser = clap::value_parser!(u32).range(257..=100_000),
          conflicts_with_all = ["contest", "connections", "beside"])]
    #[serde(skip_serializing_if = "Option::is_none")]
    idle: Option<u32>,
    #[command(flatten)]
    #[serde(skip)]
    large: large::Large,
    /// What is asked
    #[arg(long, value_enum, default_value_t = Mix::Contest)]
    mix: Mix,
    /// The contest's mix without extratos
    #[arg(long, conflicts_with_all = ["mix", "extratos_only"])]
    writes_only: bool,
    /// Nothing but extratos
    #[arg(long, conflicts_with = "mix")]
    extratos_only: bool,
    /// What a crash may cost
    #[arg(long, value_enum, default_value_t = Store::Durable)]
    store: Store,
    /// Without the CPU and memory limits of docker-compose.yml
    #[arg(long)]
    no_limits: bool,
    /// With --contest, so many times its rates: what is between that load and saturation
    #[arg(long, requires = "contest", value_name = "TIMES",
          value_parser = clap::value_parser!(u32).range(1..=20))]
    #[serde(skip_serializing_if = "Option::is_none")]
    times: Option<u32>,
    /// With --contest, CPUs that do not sleep: a process that gives way to all others is on each,
    /// so that a virtual machine's neighbours make less of the tails. Needs root
    #[arg(long, requires = "contest")]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    awake: bool,
    /// What is measured besides, in turn with the stack: both, or nothing where --against is given
    #[arg(long, value_enum, value_delimiter = ',')]
    beside: Vec<Beside>,
    #[arg(long, value_name = "NAME=VALUE", help = format!(
        "A variant with something changed, in turn with the stack; may be given again. One of \
         {}; or several of them with a space between, \"proxy=stream cpus=0.60/0.19/0.52\"",
        variant::CHANGES))]
    against: Vec<String>,
    /// JSON instead of a table
    #[arg(long)]
    #[serde(skip)]
    json: bool,
}

impl Bench {
    fn mix(&self) -> Mix {
        match (self.writes_only, self.extratos_only) {
            (true, _) => Mix::Writes,
            (_, true) => Mix::Extratos,
            _ => self.mix,
        }
    }

    /// # Errors
    /// What is asked for does not go together.
    fn makes_sense(&self) -> Result<(), Error> {
        if self.contest.is_some() && self.beside.contains(&Beside::Ceiling) {
            let sentence = "--beside ceiling: pgbench knows nothing of the contest's load";
            return Err(Error::new(sentence));
        }
        match self.large.wanted() {
            true => self.large.makes_sense(self.store),
            false => Ok(()),
        }
    }

    /// Nothing but the shipped stack and its bounds is wanted: levels and the contest's load both.
    fn is_whole(&self) -> bool {
        let is_special = self.contest.is_some() || self.idle.is_some() || self.large.wanted();
        let is_shipped = self.mix() == Mix::Contest && !self.no_limits;
        let is_bare = self.against.is_empty() && self.beside.is_empty();
        !is_special && is_shipped && is_bare && self.connections == LEVELS
    }

    fn drives_contest(&self) -> bool {
        self.contest.is_some() || self.is_whole()
    }

    fn is_beside(&self, what: Beside) -> bool {
        match self.beside.is_empty() {
            true => self.against.is_empty(),
            false => self.beside.contains(&what),
        }
    }
}

/// Measures, and prints a table or JSON. `build` makes the binary of `options` first.
///
/// # Errors
/// Something did not start, or a database does not agree with what was answered.
pub fn bench(bench: &Bench, mut options: Options, build: bool) -> Result<(), Error> {
    let shipped = |options: Options| -> Result<Variant, Error> {
        Ok(Variant {
            mix: bench.mix(),
            store: bench.store,
            limited: !bench.no_limits,
            ..Variant::shipped(options)?
        })
    };
    // What is typed wrong does not wait for a build to be told.
    bench.makes_sense()?;
    changed(bench, &shipped(options.clone())?)?;
    install::ensure(&[Need::PostgreSql, Need::Nginx, Need::Wrk])?;
    let is_saturation = bench.contest.is_none() && bench.idle.is_none() && !bench.large.wanted();
    if is_saturation && bench.is_beside(Beside::Ceiling) {
        programs::postgresql("pgbench")?;
    }
    if build {
        options.crebito = build::server("release")?;
    }
    let shipped = shipped(options)?;
    let variants = [vec![shipped.clone()], changed(bench, &shipped)?].concat();
    for variant in &variants {
        install::ensure(install::needs_of(variant.options.proxy))?;
    }
    let _awake = bench.awake.then(Awake::start).transpose()?;
    if let Some(all) = bench.idle {
        return idle::bench(bench, &variants, all, kept::settings(bench, &shipped));
    }
    if bench.large.wanted() {
        return large::bench(bench, &shipped, kept::settings(bench, &shipped));
    }
    let contests = match bench.drives_contest() {
        true => contests(bench, &variants)?,
        false => Vec::new(),
    };
    let records = match bench.contest {
        Some(_) => Vec::new(),
        None => saturations(bench, &variants)?,
    };
    let run = Run::of(bench, &shipped, records, contests);
    kept::keep(&run.kept, &run);
    if bench.json {
        let text = serde_json::to_string_pretty(&run);
        say(text.map_err(Error::while_doing("the figures"))?);
    } else {
        say(report::table(&run).trim_end());
    }
    match run.fault() {
        None => Ok(()),
        Some(fault) => Err(Error::new(format!(
            "the database or the answers disagree: {fault}"
        ))),
    }
}

/// What is measured in turn with it.
fn changed(bench: &Bench, shipped: &Variant) -> Result<Vec<Variant>, Error> {
    let times = |it: &String| bench.against.iter().filter(|other| *other == it).count();
    // By its name what was measured is found again.
    if let Some(twice) = bench.against.iter().find(|it| times(it) > 1) {
        return Err(Error::new(format!("--against {twice} is given twice")));
    }
    let changes = bench.against.iter();
    let variants = changes.map(|change| shipped.changed(change));
    let variants: Vec<Variant> = variants.collect::<Result<_, _>>()?;
    match variants.iter().find(|other| other.mix != shipped.mix) {
        Some(other) if bench.contest.is_some() => Err(Error::new(format!(
            "--against {}: the contest's load is always its own mix",
            other.name
        ))),
        _ => Ok(variants),
    }
}

/// What is driven level by level, and stands by while another one is.
trait Levels {
    /// One level, measured once.
    fn level(&mut self, bench: &Bench, seed: u32, connections: u32) -> Result<Record, Error>;
}

/// What does something with a variant in a round, and that variant.
type Subject<'a, M> = (
    fn(&Bench, &'a Variant, u32) -> Result<M, Error>,
    &'a Variant,
);

fn contests(bench: &Bench, variants: &[Variant]) -> Result<Vec<Contest>, Error> {
    let mut subjects: Vec<Subject<contest::Driven>> = Vec::new();
    subjects.extend(variants.iter().map(|it| (contest::Driven::start as _, it)));
    let floors = floors(bench, variants).into_iter();
    subjects.extend(floors.map(|it| (contest::Driven::start_floor as _, it)));
    let mut measured = Vec::new();
    for round in 1..=bench.rounds {
        let standing = each(bench, &subjects, round)?;
        measured.extend(contest::drive(bench, round, standing)?);
    }
    Ok(measured)
}

fn saturations(bench: &Bench, variants: &[Variant]) -> Result<Vec<Record>, Error> {
    let mut subjects: Vec<Subject<Box<dyn Levels>>> = Vec::new();
    subjects.extend(variants.iter().map(|it| (measure::Driven::start as _, it)));
    let floors = floors(bench, variants).into_iter();
    subjects.extend(floors.map(|it| (floor::start as _, it)));
    let first = variants.first();
    let first = first.filter(|_| bench.is_beside(Beside::Ceiling));
    let mut records = Vec::new();
    for round in 1..=bench.rounds {
        let mut standing = each(bench, &subjects, round)?;
        // Level by level, there and back, so that what is compared is seconds apart and a drift
        // of the machine meets both.
        for (seed, &connections) in (2..).zip(&bench.connections) {
            for _ in 0..2 {
                for driven in &mut standing {
                    records.push(driven.level(bench, seed, connections)?);
                }
                standing.reverse();
            }
        }
        drop(standing);
        if let Some(first) = first {
            records.extend(ceiling::measure(bench, first, round)?);
        }
    }
    Ok(records)
}

/// All of them in their order, in each second round in the other, so that what comes first is no
/// better off than what comes last while the machine drifts.
fn each<'a, M>(bench: &Bench, subjects: &[Subject<'a, M>], round: u32) -> Result<Vec<M>, Error> {
    let mut done = Vec::new();
    let mut subjects: Vec<_> = subjects.iter().collect();
    if round.is_multiple_of(2) {
        subjects.reverse();
    }
    for (of, variant) in subjects {
        done.push(of(bench, variant, round)?);
    }
    Ok(done)
}

/// The first variant with each kind of NGINX, if floors are wanted.
fn floors<'a>(bench: &Bench, variants: &'a [Variant]) -> Vec<&'a Variant> {
    let mut firsts: Vec<&Variant> = Vec::new();
    for variant in variants {
        let proxy = variant.options.proxy;
        if bench.is_beside(Beside::Floor) && firsts.iter().all(|first| first.options.proxy != proxy)
        {
            firsts.push(variant);
        }
    }
    firsts
}

#[allow(
    clippy::cast_precision_loss,
    reason = "figures for people: 53 bits are enough"
)]
fn to_f64(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        bench: Bench,
    }

    #[test]
    fn the_contests_load_is_driven_where_it_is_asked_for_or_nothing_is() {
        let check = |words: &str, expected: bool| {
            let line = Line::try_parse_from(["bench"].into_iter().chain(words.split_whitespace()));
            assert_eq!(line.unwrap().bench.drives_contest(), expected, "{words}");
        };
        check("", true);
        check("--rounds 1 --seconds 1 --store relaxed --json", true);
        check("--contest", true);
        for other in [
            "--connections 16,64",
            "--beside none",
            "--against PAUSE_US=0",
            "--writes-only",
            "--no-limits",
            "--idle",
            "--large",
        ] {
            check(other, false);
        }
    }
}
