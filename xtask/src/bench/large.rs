//! Five clientes against a million with fifty million transacoes, each bank in the same memory.
//!
//! Both are made by the same hand, both databases start with a cold cache, and both stacks stand
//! by while the other is driven.

mod data;
mod figures;

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use serde::Serialize;
use serde_json::{Value, json};

use super::fresh::{groups, used};
use super::kept::{self, Kept};
use super::load::{Load, Spread, drive_over};
use super::measure::{AFTER, of_service};
use super::record::{Check, Service};
use super::report::previous;
use super::{Bench, Mix, Variant};
use crate::error::Error;
use crate::stack::{Groups, Shutdown, Stack};
use data::{Data, Size};
use figures::{figures, table};

/// Connections that ask.
const BUSY: u32 = 256;
/// The small bank: the contest's clientes, and as few rows as make no difference.
const SMALL: Size = Size {
    clientes: 5,
    rows: 1000,
};

/// How large.
#[derive(Clone, Debug, clap::Args)]
pub struct Large {
    /// Instead: five clientes against a million with fifty million transacoes, of whom some are
    /// active, or all; and one extrato in either bank. Takes 10 GB of .crebito for a while
    #[arg(long, conflicts_with_all = [
        "contest", "connections", "beside", "against", "idle", "warm_up",
    ])]
    large: bool,
    /// So many clientes
    #[arg(long, default_value_t = 1_000_000, requires = "large",
          value_parser = clap::value_parser!(u64).range(5..))]
    large_clientes: u64,
    /// So many transacoes, as many of each cliente
    #[arg(long, default_value_t = 50_000_000, requires = "large")]
    large_rows: u64,
    /// So many clientes that are active, spread over all
    #[arg(long, default_value_t = 10_000, requires = "large",
          value_parser = clap::value_parser!(u64).range(1..))]
    large_active: u64,
    /// For so many seconds its clientes are asked about before a level is measured: after a start
    /// nothing is in memory
    #[arg(long, default_value_t = 30, requires = "large")]
    large_warm_up: u32,
    /// Keeps the large bank in this folder, and takes it from there the next time
    #[arg(long, value_name = "FOLDER", requires = "large")]
    large_data: Option<PathBuf>,
}

impl Large {
    pub(super) fn wanted(&self) -> bool {
        self.large
    }

    /// # Errors
    /// The numbers do not go together.
    fn size(&self) -> Result<Size, Error> {
        let (clientes, rows) = (self.large_clientes, self.large_rows);
        if rows == 0 || !rows.is_multiple_of(clientes) || self.large_active > clientes {
            return Err(Error::new(
                "--large-rows is a multiple of --large-clientes, and not more are active",
            ));
        }
        Ok(Size { clientes, rows })
    }
}

/// One level in one round.
#[derive(Clone, Debug, Serialize)]
struct Level {
    name: String,
    round: u32,
    load: Load,
    db: Service,
}

/// What is kept.
#[derive(Clone, Debug, Serialize)]
struct Run {
    #[serde(flatten)]
    kept: Kept,
    levels: Vec<Level>,
    checks: Vec<Check>,
    /// The latest kept run with the same settings, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<Kept>,
}

/// A bank and the stack on it.
struct Bank {
    data: Data,
    stack: Stack,
    groups: Option<Arc<Groups>>,
    /// Transacoes that it was made with, and that it is known to have.
    made: u64,
    rows: u64,
    /// Answered with 200 since then, and at most so many more that were made.
    applied: u64,
    unread_max: u64,
    /// After each load.
    checks: Vec<Check>,
}

/// Measures, prints the figures beside those of the run before with the same `settings`, and holds
/// both databases against the answers.
///
/// # Errors
/// Something did not start, or a database does not agree with what was answered.
pub(super) fn bench(bench: &Bench, shipped: &Variant, mut settings: Value) -> Result<(), Error> {
    let options = &bench.large;
    let size = options.size()?;
    let mut large = Bank::open(
        Data::at(options.large_data.as_deref(), size)?,
        size.rows,
        shipped,
    )?;
    let mut small = Bank::open(Data::at(None, SMALL)?, SMALL.rows, shipped)?;
    let five = Spread {
        clientes: SMALL.clientes,
        step: 1,
    };
    let active = Spread {
        clientes: options.large_active,
        step: size.clientes / options.large_active,
    };
    let all = Spread {
        clientes: size.clientes,
        step: 1,
    };
    let mut levels = Vec::new();
    let names = [
        "5 clientes".to_owned(),
        format!("{} of {}", active.clientes, size.clientes),
        format!("all of {}", size.clientes),
    ];
    // While both are as large as their names say: the other loads add transacoes.
    for round in 1..=bench.rounds {
        levels.push(small.extratos(bench, round, five)?);
        levels.push(large.extratos(bench, round, five)?);
    }
    for round in 1..=bench.rounds {
        let [of_five, of_active, of_all] = &names;
        levels.push(small.measure(bench, of_five, round, five)?);
        levels.push(large.measure(bench, of_active, round, active)?);
        levels.push(large.measure(bench, of_all, round, all)?);
    }
    let checks = [small.close()?, large.close()?].concat();
    let wrong = checks.iter().find(|check| !check.holds()).cloned();
    settings["large"] = json!([
        size.clientes,
        size.rows,
        active.clientes,
        options.large_warm_up
    ]);
    let kept = Kept::now(settings, figures(&levels), wrong.is_some());
    let run = Run {
        previous: kept::before(&kept),
        kept,
        levels,
        checks,
    };
    kept::keep(&run.kept, &run);
    if bench.json {
        let text = serde_json::to_string_pretty(&run);
        println!("{}", text.map_err(Error::while_doing("the figures"))?);
    } else {
        print!("{}", table(shipped, &run));
        print!("{}", previous::table(&run.kept, run.previous.as_ref()));
    }
    match wrong {
        None => Ok(()),
        Some(wrong) => Err(Error::new(format!(
            "the database and the answers disagree: {wrong:?}"
        ))),
    }
}

impl Bank {
    fn open(data: Data, made: u64, shipped: &Variant) -> Result<Bank, Error> {
        let mut options = shipped.stack_options();
        options.groups = groups(shipped)?;
        options.data = Some(data.folder.clone());
        let stack = Stack::private(&options)?;
        if let Some(sql) = shipped.store.sql() {
            stack.psql(sql)?;
        }
        Ok(Bank {
            made,
            rows: data.rows,
            data,
            stack,
            groups: options.groups,
            applied: 0,
            unread_max: 0,
            checks: Vec::new(),
        })
    }

    /// The bench's mix at saturation, once its clientes have been asked about for a while.
    fn measure(
        &mut self,
        bench: &Bench,
        name: &str,
        round: u32,
        spread: Spread,
    ) -> Result<Level, Error> {
        let mix = bench.mix();
        // Nothing is asked of the database in between: one pass over the clientes would take what
        // was warmed up out of its memory.
        let warm_up = bench.large.large_warm_up;
        if warm_up > 0 {
            self.drive(bench, (BUSY, warm_up), 2 * round, spread, mix)?;
        }
        let before = self.used()?;
        let load = self.drive(bench, (BUSY, bench.seconds), 2 * round + 1, spread, mix)?;
        let after = self.used()?;
        self.settle()?;
        Ok(Level {
            name: name.to_owned(),
            round,
            db: of_service("db", 0, &load, before.as_ref().zip(after.as_ref()), None),
            load,
        })
    }

    /// One extrato after the other, of clientes whose pages are in memory.
    fn extratos(&mut self, bench: &Bench, round: u32, spread: Spread) -> Result<Level, Error> {
        self.drive(bench, (1, 1), 2 * round, spread, Mix::Extratos)?;
        let before = self.used()?;
        let asked = (1, bench.seconds);
        let load = self.drive(bench, asked, 2 * round + 1, spread, Mix::Extratos)?;
        let after = self.used()?;
        Ok(Level {
            name: format!("an extrato, {} rows", self.made),
            round,
            db: of_service("db", 0, &load, before.as_ref().zip(after.as_ref()), None),
            load,
        })
    }

    fn drive(
        &mut self,
        bench: &Bench,
        (connections, seconds): (u32, u32),
        seed: u32,
        spread: Spread,
        mix: Mix,
    ) -> Result<Load, Error> {
        let asked = (self.stack.url(), connections, seconds);
        let load = drive_over(bench, asked, seed, spread, mix)?;
        thread::sleep(AFTER);
        self.applied += load.applied;
        if mix != Mix::Extratos {
            self.unread_max += u64::from(connections);
        }
        Ok(load)
    }

    /// What was left unread is known now; the next level has its own. The clientes' own counts are
    /// asked, one pass over their table; [`Bank::close`] holds those against the transacoes.
    fn settle(&mut self) -> Result<(), Error> {
        let said = self.stack.psql("SELECT sum(n) FROM banco.clientes")?;
        let check = Check {
            wrong_clientes: 0,
            rows: said.parse().map_err(Error::while_doing(said))?,
            answered: self.rows + self.applied,
            unread_max: self.unread_max,
        };
        self.rows = check.rows.max(check.answered);
        (self.applied, self.unread_max) = (0, 0);
        self.checks.push(check);
        Ok(())
    }

    fn used(&self) -> Result<Option<crate::cgroup::Used>, Error> {
        Ok(used(self.groups.as_deref())?.get("db").copied())
    }

    /// Stops all, and looks at every cliente; with the checks after each load.
    fn close(mut self) -> Result<Vec<Check>, Error> {
        self.stack.stop_postgres(Shutdown::Fast);
        drop(self.stack);
        let answered = self.rows + self.applied;
        let last = self.data.check(answered, self.unread_max)?;
        self.checks.push(last);
        Ok(self.checks)
    }
}
