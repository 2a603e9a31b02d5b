//! Five clientes against a million with fifty million transacoes, each bank in the same memory.
//!
//! Both are made by the same hand, both databases start with a cold cache, and both stacks stand
//! by while the other is driven. Once what a level touches is in memory, it is measured in turn
//! with the five clientes, seconds apart: a machine is not the same half a minute later.

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
use super::{Bench, Mix, Store, Variant};
use crate::error::Error;
use crate::say;
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
/// So often in a round each level of the large bank is measured beside one of the small.
const TURNS: u32 = 4;

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
        if !rows.is_multiple_of(clientes) || self.large_active > clientes {
            return Err(Error::new(
                "--large-rows is a multiple of --large-clientes, and not more are active",
            ));
        }
        if rows <= SMALL.rows {
            return Err(Error::new(format!(
                "--large-rows is more than {}",
                SMALL.rows
            )));
        }
        Ok(Size { clientes, rows })
    }

    /// # Errors
    /// The numbers do not go together, or the kept bank would not be what its name says any more.
    pub(super) fn makes_sense(&self, store: Store) -> Result<(), Error> {
        match (&self.large_data, store) {
            (Some(_), Store::Reckless) => Err(Error::new(
                "--large-data with --store reckless: the tables that are kept would be UNLOGGED",
            )),
            _ => self.size().map(drop),
        }
    }
}

/// One level, measured once.
#[derive(Clone, Debug, Serialize)]
struct Level {
    name: String,
    /// What was measured seconds apart from it has the same number.
    pair: u32,
    load: Load,
    db: Service,
}

/// What is asked of a bank at one level.
struct Asked {
    name: String,
    connections: u32,
    spread: Spread,
    mix: Mix,
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

/// A bank and the stack on it, which ends before its data goes.
struct Bank {
    stack: Stack,
    data: Data,
    groups: Option<Arc<Groups>>,
    /// Transacoes that it was made with, and that it is known to have.
    made: u64,
    rows: u64,
    /// Answered with 200 since then, and at most so many more that were made.
    applied: u64,
    unread_max: u64,
    /// Of what was asked in turn, and of the whole at last.
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
    let levels = measure(bench, size, &mut small, &mut large)?;
    let checks = [small.close()?, large.close()?].concat();
    let wrong = checks.iter().find(|check| !check.holds()).cloned();
    settings["large"] = json!([
        size.clientes,
        size.rows,
        options.large_active,
        options.large_warm_up,
        TURNS
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
        say(text.map_err(Error::while_doing("the figures"))?);
    } else {
        let before = previous::table(&run.kept, run.previous.as_ref());
        say((table(shipped, &run) + &before).trim_end());
    }
    match wrong {
        None => Ok(()),
        Some(wrong) => Err(Error::new(format!(
            "the database and the answers disagree: {wrong:?}"
        ))),
    }
}

/// All levels of both banks.
fn measure(
    bench: &Bench,
    size: Size,
    small: &mut Bank,
    large: &mut Bank,
) -> Result<Vec<Level>, Error> {
    let options = &bench.large;
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
    let mix = bench.mix();
    let mut levels = Vec::new();
    // While both are as large as their names say: the other loads add transacoes.
    let extratos = |bank: &Bank| Asked {
        name: format!("an extrato, {} rows", bank.made),
        connections: 1,
        spread: five,
        mix: Mix::Extratos,
    };
    let (few, many) = (extratos(small), extratos(large));
    for _ in 0..bench.rounds {
        small.warm_up(bench, 1, &few)?;
        large.warm_up(bench, 1, &many)?;
        in_turn(bench, &mut levels, [(small, &few), (large, &many)])?;
    }
    let busy = |name: String, spread: Spread| Asked {
        name,
        connections: BUSY,
        spread,
        mix,
    };
    let of_five = busy(format!("{} clientes", five.clientes), five);
    let of_active = busy(format!("{} of {}", active.clientes, size.clientes), active);
    let of_all = busy(format!("all of {}", size.clientes), all);
    for _ in 0..bench.rounds {
        for of_large in [&of_active, &of_all] {
            small.warm_up(bench, bench.seconds, &of_five)?;
            large.warm_up(bench, options.large_warm_up, of_large)?;
            in_turn(bench, &mut levels, [(small, &of_five), (large, of_large)])?;
            small.settle()?;
            large.settle()?;
        }
    }
    Ok(levels)
}

/// Measures both banks seconds apart, [`TURNS`] times, there and back.
fn in_turn(
    bench: &Bench,
    levels: &mut Vec<Level>,
    mut banks: [(&mut Bank, &Asked); 2],
) -> Result<(), Error> {
    for _ in 0..TURNS {
        let pair = levels.last().map_or(0, |level| level.pair + 1);
        for (bank, asked) in &mut banks {
            levels.push(bank.measure(bench, pair, asked)?);
        }
        banks.reverse();
    }
    Ok(())
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

    /// Asks for a while, until what is needed is in memory. Nothing else is asked of the database
    /// before it is measured: one pass over its clientes would take that out again.
    fn warm_up(&mut self, bench: &Bench, seconds: u32, asked: &Asked) -> Result<(), Error> {
        if seconds > 0 {
            self.drive(bench, seconds, 0, asked)?;
        }
        Ok(())
    }

    fn measure(&mut self, bench: &Bench, pair: u32, asked: &Asked) -> Result<Level, Error> {
        let before = self.used()?;
        let load = self.drive(bench, bench.seconds, pair, asked)?;
        let after = self.used()?;
        Ok(Level {
            name: asked.name.clone(),
            pair,
            db: of_service("db", 0, &load, before.as_ref().zip(after.as_ref()), None),
            load,
        })
    }

    fn drive(
        &mut self,
        bench: &Bench,
        seconds: u32,
        seed: u32,
        asked: &Asked,
    ) -> Result<Load, Error> {
        let Asked {
            connections,
            spread,
            mix,
            ..
        } = *asked;
        let from = (self.stack.url(), connections, seconds);
        let load = drive_over(bench, from, seed, spread, mix)?;
        thread::sleep(AFTER);
        self.applied += load.applied;
        if mix != Mix::Extratos {
            self.unread_max += u64::from(connections) + load.open(true);
        }
        Ok(load)
    }

    /// What was left unread is known now; what comes next has its own. The clientes' own counts are
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

    /// Stops all, and looks at every cliente; all checks, this one the last.
    fn close(mut self) -> Result<Vec<Check>, Error> {
        self.stack.stop_postgres(Shutdown::Fast);
        drop(self.stack);
        let answered = self.rows + self.applied;
        let last = self.data.check(answered, self.unread_max)?;
        self.checks.push(last);
        Ok(self.checks)
    }
}
