//! PostgreSQL, asked through psql.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use super::postgres::{Postgres, ROLE, SUPERUSER};
use crate::checkout::checkout;
use crate::error::Error;
use crate::programs;
use crate::warn;

impl Postgres {
    /// What `sql` prints, as superuser: unaligned, tuples only, trimmed at the end. Several
    /// statements are so many transactions; the first error ends it.
    ///
    /// # Errors
    /// An error of PostgreSQL's, with its message, or no psql or server to be had.
    pub fn psql(&self, sql: &str) -> Result<String, Error> {
        self.psql_as(SUPERUSER, ROLE, sql)
    }

    pub(crate) fn psql_as(&self, role: &str, database: &str, sql: &str) -> Result<String, Error> {
        psql_at(self.socket_folder(), self.port(), role, database, sql)
    }

    /// Runs the bank's sql/*.sql, in the order of their names, as the role that owns them.
    ///
    /// # Errors
    /// PostgreSQL's, with the file's name.
    pub fn apply_sql(&self) -> Result<(), Error> {
        for file in sql_files()? {
            let sql = fs::read_to_string(&file).map_err(Error::while_doing(file.display()))?;
            let name = file.display();
            self.psql_as(ROLE, ROLE, &sql)
                .map_err(Error::while_doing(name))?;
        }
        Ok(())
    }

    /// [`Postgres::apply_sql`], and the conversion before it that sql/ asks for where the bank
    /// keeps a row per transacao. No replica may be running.
    ///
    /// # Errors
    /// As of [`Postgres::apply_sql`]; then the bank is as it was.
    pub(crate) fn apply_sql_or_convert(&self) -> Result<(), Error> {
        match self.apply_sql() {
            Err(error) if error.to_string().contains(CONVERSION) => {}
            other => return other,
        }
        warn(format_args!(
            "This bank keeps a row per transacao. Converting it by {CONVERSION}, once"
        ));
        let file = checkout()?.join(CONVERSION);
        // As psql reads a quoted word.
        let path = file.display().to_string();
        let path = path.replace('\\', r"\\").replace('\'', "''");
        let vacuum = "VACUUM (FULL, ANALYZE) banco.clientes; VACUUM (ANALYZE) banco.lotes;";
        self.psql_as(ROLE, ROLE, &format!("\\i '{path}'\n{vacuum}"))
            .map_err(Error::while_doing(CONVERSION))?;
        warn("Converted; the old rows stay in banco.transacoes_antigas until you drop it");
        self.apply_sql()
    }
}

/// What converts a bank of a row per transacao, as sql/ names it when it refuses one.
const CONVERSION: &str = "prod/postgres/lotes.sql";

/// [`Postgres::psql`] of any server, by its Unix socket.
pub(crate) fn psql_at(
    folder: &Path,
    port: u16,
    role: &str,
    database: &str,
    sql: &str,
) -> Result<String, Error> {
    let mut command = Command::new(programs::postgresql("psql")?);
    command.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-f", "-"]);
    command.args(["-U", role, "-d", database, "-p", &port.to_string()]);
    command.arg("-h").arg(folder);
    command.env("PGOPTIONS", "-c client_min_messages=warning");
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().map_err(Error::while_doing("psql"))?;
    let stdin = child.stdin.take();
    // Side by side: it reads no further once nobody takes what it prints.
    let output = thread::scope(|scope| {
        scope.spawn(|| {
            // It may end at an error before it has read all: its own words say more than EPIPE.
            stdin.map(|mut stdin| stdin.write_all(sql.as_bytes()))
        });
        child.wait_with_output()
    });
    let output = output.map_err(Error::while_doing("psql"))?;
    if !output.status.success() {
        return Err(match output.stderr.is_empty() {
            true => Error::of_program("psql", &output),
            false => Error::new(String::from_utf8_lossy(&output.stderr).trim()),
        });
    }
    Ok(String::from_utf8_lossy(&output.stdout)
        .trim_end()
        .to_owned())
}

/// The checkout's sql/*.sql, in the order in which they are run.
pub fn sql_files() -> Result<Vec<PathBuf>, Error> {
    let folder = checkout()?.join("sql");
    let entries = fs::read_dir(&folder).map_err(Error::while_doing(folder.display()))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "sql"));
    files.sort();
    Ok(files)
}
