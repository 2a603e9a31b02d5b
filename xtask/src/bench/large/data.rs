//! A bank of many clientes and transacoes, made without limits and kept in a folder.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rustix::fs::{Advice, fadvise};
use rustix::process::Signal;

use crate::bench::check::WRONG;
use crate::bench::record::Check;
use crate::checkout::checkout;
use crate::error::Error;
use crate::folder::Private;
use crate::home::Home;
use crate::process::Lifetime;
use crate::stack::{Plan, Postgres, Shutdown, Sockets};
use crate::warn;

/// From so many clientes on perf/large.sql lays them out as sql/001_schema.sql advises.
const MANY: u64 = 1_000_000;

/// Both numbers of a bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub clientes: u64,
    /// A multiple of `clientes`.
    pub rows: u64,
}

/// A cluster with that bank; its folder goes with it, unless it was asked for.
pub(super) struct Data {
    pub folder: PathBuf,
    /// Transacoes that it has before it is asked for any.
    pub rows: u64,
    _private: Option<Private>,
}

impl Data {
    /// Makes it, or takes what an earlier run left in `folder` (which may have grown since).
    ///
    /// # Errors
    /// PostgreSQL does not start, or what is in the folder is no such bank, or a smaller one.
    pub fn at(folder: Option<&Path>, size: Size) -> Result<Data, Error> {
        // Where the stack's own data is: a temporary folder may be memory.
        let private = match folder {
            None => Some(Private::create_in(&Home::find()?.data_folder()?)?),
            Some(_) => None,
        };
        let own = private.as_ref().map(|private| private.path().join("data"));
        // PostgreSQL starts in another folder.
        let folder = folder.map(std::path::absolute).transpose();
        let folder = folder.map_err(Error::while_doing("--large-data"))?;
        let folder = folder.or(own).unwrap_or_default();
        let mut data = Data {
            folder,
            rows: size.rows,
            _private: private,
        };
        if data.folder.join("PG_VERSION").exists() {
            // An earlier run has added some.
            data.rows = data.found(size)?;
        } else {
            warn(format!(
                "making {} clientes with {} transacoes",
                size.clientes, size.rows
            ));
            data.fill(size)?;
        }
        data.forget()?;
        Ok(data)
    }

    /// The transacoes of a bank that an earlier run made, if it made one of this size.
    fn found(&self, size: Size) -> Result<u64, Error> {
        let shown = self.folder.display();
        if self.ask("SELECT count(to_regclass('banco.transacoes'))")? == 0 {
            return Err(Error::new(format!(
                "{shown} has no bank: one that was not made to its end, or another's data"
            )));
        }
        if self.ask("SELECT count(*) FROM pg_class WHERE relpersistence = 'u'")? > 0 {
            let sentence = format!("{shown} has UNLOGGED tables, of a run with --store reckless");
            return Err(Error::new(sentence));
        }
        // What perf/large.sql leaves for MANY; another layout has other figures.
        let laid_out = "SELECT count(*) FROM pg_class WHERE oid = 'banco.clientes'::regclass
            AND 'fillfactor=100' = ANY (reloptions)";
        if size.clientes >= MANY && self.ask(laid_out)? == 0 {
            let sentence = format!("{shown} was laid out by another version: remove it");
            return Err(Error::new(sentence));
        }
        let clientes = self.ask("SELECT count(*) FROM banco.clientes")?;
        let rows = self.ask("SELECT count(*) FROM banco.transacoes")?;
        match clientes == size.clientes && rows >= size.rows {
            true => Ok(rows),
            false => Err(Error::new(format!(
                "{shown} has {clientes} clientes with {rows} transacoes, not {} with {}: ask for \
                 those, or remove it",
                size.clientes, size.rows
            ))),
        }
    }

    fn fill(&self, size: Size) -> Result<(), Error> {
        let path = checkout()?.join("perf").join("large.sql");
        let sql = fs::read_to_string(&path).map_err(Error::while_doing(path.display()))?;
        let each = size.rows / size.clientes;
        let sql = sql
            .replace("CLIENTES", &format!("{}::bigint", size.clientes))
            .replace("EACH", &format!("{each}::bigint"))
            .replace("MANY", &MANY.to_string());
        self.with_server(|postgres| {
            postgres.apply_sql()?;
            postgres.psql(&sql).map(|_| ())
        })
    }

    /// Every cliente's row against all transacoes, without limits, when no stack uses the folder.
    ///
    /// # Errors
    /// PostgreSQL's.
    pub fn check(&self, answered: u64, unread_max: u64) -> Result<Check, Error> {
        Ok(Check {
            wrong_clientes: self.ask(&format!("SET work_mem = '1GB'; {WRONG}"))?,
            rows: self.ask("SELECT count(*) FROM banco.transacoes")?,
            answered,
            unread_max,
        })
    }

    fn ask(&self, sql: &str) -> Result<u64, Error> {
        self.with_server(|postgres| {
            let said = postgres.psql(sql)?;
            said.parse().map_err(Error::while_doing(said))
        })
    }

    fn with_server<T>(&self, work: impl FnOnce(&Postgres) -> Result<T, Error>) -> Result<T, Error> {
        let private = Private::create()?;
        let mut postgres = Postgres::create(Plan {
            data: self.folder.clone(),
            sockets_folder: private.path().join("pg"),
            log: private.path().join("postgres.log"),
            sockets: Sockets::Unix,
            settings: Vec::new(),
            hba: Vec::new(),
            groups: None,
            lifetime: Lifetime::Owned(Signal::QUIT),
        })?;
        let done = work(&postgres);
        postgres.stop(Shutdown::Fast);
        done
    }

    /// Takes the files out of the page cache: whoever reads them is charged for it, which within
    /// limits is what the limits are about.
    fn forget(&self) -> Result<(), Error> {
        let mut folders = vec![self.folder.clone()];
        while let Some(folder) = folders.pop() {
            let entries = fs::read_dir(&folder).map_err(Error::while_doing(folder.display()))?;
            for entry in entries.flatten() {
                let path = entry.path();
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() => folders.push(path),
                    Ok(kind) if kind.is_file() => {
                        drop_cache(&path).map_err(Error::while_doing(path.display()))?;
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

/// Only clean pages can be dropped.
fn drop_cache(path: &Path) -> std::io::Result<()> {
    let file = File::open(path)?;
    file.sync_all()?;
    Ok(fadvise(&file, 0, None, Advice::DontNeed)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_holds_and_is_found_again() {
        let folder = Private::create().unwrap();
        let data = folder.path().join("data");
        for (clientes, each) in [(3, 1), (20, 4), (7, 11)] {
            let size = Size {
                clientes,
                rows: clientes * each,
            };
            let data = data.join(clientes.to_string());
            Data::at(Some(&data), size).unwrap();
            let found = Data::at(Some(&data), size).unwrap();
            let check = found.check(size.rows, 0).unwrap();
            assert!(check.holds(), "{check:?}");
            let other = Size {
                clientes: clientes + 1,
                ..size
            };
            assert!(Data::at(Some(&data), other).is_err());
            let more = Size {
                rows: size.rows + clientes,
                ..size
            };
            assert!(Data::at(Some(&data), more).is_err());
            // The check does see what is wrong.
            let wrong = "UPDATE banco.clientes SET saldo = saldo + 1 WHERE id = 2";
            found.with_server(|postgres| postgres.psql(wrong)).unwrap();
            assert_eq!(found.check(size.rows, 0).unwrap().wrong_clientes, 1);
        }
    }
}
