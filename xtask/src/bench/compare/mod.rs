//! `cargo xtask compare`: the same loads against each target in turn, and a report to show.
//!
//! A target is visited once a round, A B A B: what the machine does meanwhile hurts all alike. A
//! visit starts it anew where that is ours to do, then k6 asks the contest's validations and runs
//! its load, our own generator runs it too, for a curve that k6 does not blur, and wrk saturates
//! it level by level. After each load the answers are held against the database and the saldos.

mod description;
mod figures;
mod foreign;
mod judge;
mod machine;
mod report;
mod running;
mod target;
mod visit;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Parser;

use super::record::Facts;
use super::variant::Variant;
use super::{Bench, report as tables};
use crate::error::Error;
use crate::home::Home;
use crate::install::{self, Need};
use crate::stack::Options;
use crate::{build, say, warn};
use figures::{Comparison, Method, Visit};
use target::{Kind, Target};
use visit::Loads;

/// Compares banks: the same loads against each in turn, and one HTML file to show
///
/// A target is http://HOST:PORT, a FILE.toml (docs/compare.md), or one that is shipped: `crebito`;
/// `floor`, NGINX that answers by itself, or `floor+stream`, behind one that passes bytes;
/// `ceiling`, pgbench on the procedure for one transacao; or crebito with something changed, joined
/// by `+`: `stream`, `tcp`, `unix`, `epoll`, `io_uring`, `relaxed`, `reckless`, `unpaused`,
/// `unbatched`, `unlimited`, or `NAME=VALUE` as `cargo xtask bench --against` takes it.
#[derive(Clone, Debug, clap::Args)]
pub struct Compare {
    /// What is compared
    #[arg(value_name = "TARGET", default_values_t = ["crebito".to_owned(), "floor".to_owned()])]
    targets: Vec<String>,
    /// How often each is visited, in turn
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Connections at saturation, one level after the other
    #[arg(long, value_delimiter = ',', default_value = "16,64,256",
          value_parser = clap::value_parser!(u32).range(1..))]
    connections: Vec<u32>,
    /// How long each level is measured
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// How long the contest's load is measured, after a ramp of a quarter of that; 0: not at all
    #[arg(long, default_value_t = 20, value_name = "SECONDS")]
    contest: u32,
    /// The same by k6, with the contest's validations before; 0: not at all
    #[arg(long, default_value_t = 8, value_name = "SECONDS")]
    k6: u32,
    /// Crebito without the CPU and memory limits of docker-compose.yml
    #[arg(long)]
    no_limits: bool,
    /// A binary of the server to run, instead of a release build of this checkout
    #[arg(long, value_name = "FILE", value_parser = build::named)]
    crebito: Option<PathBuf>,
    /// The report, instead of .crebito/compare/TIME.html; the raw data goes beside it
    #[arg(long, value_name = "FILE.html")]
    out: Option<PathBuf>,
    /// Measures nothing: makes the report of raw data that was kept
    #[arg(long, value_name = "FILE.json", conflicts_with_all = [
        "targets", "rounds", "connections", "seconds", "contest", "k6", "no_limits", "crebito",
    ])]
    from: Option<PathBuf>,
}

/// Compares, writes the report and the raw data, and says where they are.
///
/// # Errors
/// A target is none or does not start, or a file cannot be written. A bank that answers wrongly is
/// no error: the report says so.
pub fn compare(compare: &Compare, interrupted: &AtomicBool) -> Result<PathBuf, Error> {
    if let Some(path) = &compare.out {
        makes_sense(path)?;
    }
    let comparison = match &compare.from {
        Some(path) => {
            let text = fs::read_to_string(path).map_err(Error::while_doing(path.display()))?;
            serde_json::from_str(&text).map_err(Error::while_doing(path.display()))?
        }
        None => measured(compare, interrupted)?,
    };
    let html = match &compare.out {
        Some(path) => path.clone(),
        None => default_place(&comparison)?,
    };
    let json = html.with_extension("json");
    let raw = serde_json::to_string(&comparison).map_err(Error::while_doing("the raw data"))?;
    // What cost the time first: a report can be made of it again.
    if compare.from.as_ref() != Some(&json) {
        write(&json, &raw)?;
    }
    write(&html, &report::html(&comparison, &raw)?)?;
    say(format_args!("\n{}", report::headline(&comparison)));
    let shown = fs::canonicalize(&html).unwrap_or_else(|_| html.clone());
    say(format_args!("Report: {}", shown.display()));
    Ok(html)
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(Error::while_doing(path.display()))
}

/// What is typed wrong does not wait for the measuring to be told.
fn makes_sense(html: &Path) -> Result<(), Error> {
    let shown = html.display();
    if html
        .extension()
        .is_some_and(|extension| extension == "json")
    {
        let sentence = format!("--out {shown}: the raw data goes to that name, give the report's");
        return Err(Error::new(sentence));
    }
    let folder = html
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    match folder.filter(|folder| !folder.is_dir()) {
        Some(folder) => Err(Error::new(format!(
            "--out {shown}: there is no folder {}",
            folder.display()
        ))),
        None => Ok(()),
    }
}

fn default_place(comparison: &Comparison) -> Result<PathBuf, Error> {
    let folder = Home::find()?.private("compare")?;
    fs::create_dir_all(&folder).map_err(Error::while_doing(folder.display()))?;
    let name = comparison.taken.replace(':', "-");
    Ok(folder.join(format!("{name}.html")))
}

fn measured(compare: &Compare, interrupted: &AtomicBool) -> Result<Comparison, Error> {
    install::ensure(&[Need::PostgreSql, Need::Nginx, Need::Wrk])?;
    let options = Options::new(compare.crebito.clone().unwrap_or_default());
    let shipped = Variant {
        name: "crebito".to_owned(),
        limited: !compare.no_limits,
        ..Variant::shipped(options)?
    };
    let found = |typed: &String| Target::find(typed, &shipped);
    let mut targets: Vec<Target> = compare
        .targets
        .iter()
        .map(found)
        .collect::<Result<_, _>>()?;
    target::told_apart(&mut targets);
    for target in &targets {
        install::ensure(target.needs())?;
    }
    if compare.crebito.is_none() {
        build(&mut targets)?;
    }
    let loads = Loads {
        bench: compare.bench()?,
        contest_seconds: compare.contest,
        k6_seconds: compare.k6,
        interrupted,
    };
    let mut comparison = Comparison {
        taken: jiff::Timestamp::now()
            .strftime("%Y-%m-%dT%H:%M:%SZ")
            .to_string(),
        commit: tables::commit(),
        machine: machine::facts(),
        method: compare.method(),
        targets: targets.iter().map(Target::about).collect(),
        visits: Vec::new(),
    };
    for round in 1..=compare.rounds {
        for (index, target) in targets.iter().enumerate() {
            if interrupted.load(Ordering::Relaxed) {
                return Err(Error::interrupted());
            }
            say(format_args!(
                "Round {round} of {}: {}",
                compare.rounds, target.name
            ));
            let visited = visit::visit(&loads, target, round);
            let (visit, facts) = match visited.map_err(Error::while_doing(&target.name)) {
                Ok(found) => found,
                // What was measured before is worth its report.
                Err(error) if round > 1 && !interrupted.load(Ordering::Relaxed) => {
                    warn(format_args!("    not measured: {error}"));
                    continue;
                }
                Err(error) => return Err(error),
            };
            tell(&visit);
            if let (Some(facts), Some(about)) = (facts, comparison.targets.get_mut(index)) {
                keep(&mut about.facts, facts);
            }
            comparison.visits.push(visit);
        }
    }
    Ok(comparison)
}

/// Those of the first round stay.
fn keep(kept: &mut Option<Facts>, facts: Facts) {
    kept.get_or_insert(facts);
}

/// One binary for all targets that have none of their own.
fn build(targets: &mut [Target]) -> Result<(), Error> {
    let mut built: Option<PathBuf> = None;
    for target in targets {
        let (Kind::Bank(variant) | Kind::Ceiling(variant)) = &mut target.kind else {
            continue;
        };
        if variant.options.crebito.as_os_str().is_empty() {
            let path = match &built {
                Some(path) => path.clone(),
                None => {
                    say("Building crebito (release, static)");
                    build::server("release")?
                }
            };
            variant.options.crebito.clone_from(&path);
            built = Some(path);
        }
    }
    Ok(())
}

fn tell(visit: &Visit) {
    for finding in &visit.findings {
        let (load, sentence) = (&finding.load, &finding.sentence);
        say(format_args!("    {load}: {sentence} ({})", finding.count));
    }
}

/// `cargo xtask bench`'s own flags, so that what it measures by is what we do.
#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    bench: Bench,
}

impl Compare {
    fn bench(&self) -> Result<Bench, Error> {
        let connections: Vec<String> = self.connections.iter().map(u32::to_string).collect();
        let seconds = self.seconds.to_string();
        let flags = [
            "bench",
            "--connections",
            &connections.join(","),
            "--seconds",
            &seconds,
        ];
        Line::try_parse_from(flags)
            .map(|line| line.bench)
            .map_err(Error::while_doing("the bench's flags"))
    }

    fn method(&self) -> Method {
        Method {
            rounds: self.rounds,
            seconds: self.seconds,
            connections: self.connections.clone(),
            contest_seconds: self.contest,
            k6_seconds: self.k6,
            limited: !self.no_limits,
        }
    }
}
