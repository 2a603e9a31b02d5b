//! A bank that is not ours: what a TOML file says of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::error::Error;

/// What the file says.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Description {
    /// The report's name for it; without one, the file's.
    #[serde(default)]
    pub name: String,
    /// A sentence for the report.
    #[serde(default)]
    what: String,
    /// `http://HOST:PORT`
    pub url: String,
    /// A shell command. It may end once all is started, or stay and be the server.
    pub start: Option<String>,
    /// A shell command that stops it, data and all. Without one, a `start` that stays gets SIGTERM.
    pub stop: Option<String>,
    /// Answered with 200 once all is ready.
    #[serde(default = "ready")]
    pub ready: String,
    /// How long that may take.
    #[serde(default = "ready_seconds")]
    pub ready_seconds: u64,
    pub postgres: Option<Postgres>,
    #[serde(default)]
    pub services: BTreeMap<String, Service>,
    /// Where the commands run: the file's own folder.
    #[serde(skip)]
    pub folder: PathBuf,
}

/// Where its database is, and what is asked of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Postgres {
    /// libpq's.
    pub url: Option<String>,
    /// Or a shell command that is psql, connected.
    pub psql: Option<String>,
    /// Counts the transacoes.
    #[serde(default = "rows")]
    pub rows: String,
    /// Counts the clientes whose saldo is not the sum of their transacoes, or beyond the limite.
    #[serde(default = "wrong")]
    pub wrong: String,
}

/// Whose CPU time and memory a service's are.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Service {
    /// A container's, by its name.
    Container(String),
    /// A control group's, by its name from the root of the hierarchies.
    Cgroup(String),
    /// A process' and its descendants'.
    Pid(u32),
    /// The same, its number being in this file.
    PidFile(PathBuf),
}

fn ready() -> String {
    "/clientes/1/extrato".to_owned()
}

fn ready_seconds() -> u64 {
    120
}

fn rows() -> String {
    "SELECT count(*) FROM banco.transacoes".to_owned()
}

fn wrong() -> String {
    super::super::check::WRONG.to_owned()
}

impl Description {
    /// A bank that runs, of which nothing but the address is known.
    pub fn at(url: &str) -> Description {
        let url = url.trim_end_matches('/');
        Description {
            name: url.trim_start_matches("http://").to_owned(),
            what: String::new(),
            url: url.to_owned(),
            start: None,
            stop: None,
            ready: ready(),
            ready_seconds: 10,
            postgres: None,
            services: BTreeMap::new(),
            folder: PathBuf::new(),
        }
    }

    /// What a file says.
    ///
    /// # Errors
    /// There is none, or it says something else.
    pub fn read(path: &Path) -> Result<Description, Error> {
        let shown = path.display();
        let path = fs::canonicalize(path).map_err(Error::while_doing(shown.to_string()))?;
        let text = fs::read_to_string(&path).map_err(Error::while_doing(shown.to_string()))?;
        let mut found = Description::parse(&text).map_err(Error::while_doing(shown))?;
        if found.name.is_empty() {
            let stem = path.file_stem().map(|stem| stem.to_string_lossy());
            found.name = stem.unwrap_or_default().into_owned();
        }
        found.folder = path.parent().map(Path::to_owned).unwrap_or_default();
        Ok(found)
    }

    fn parse(text: &str) -> Result<Description, Error> {
        let found: Description = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| {
                1 + text
                    .get(..span.start)
                    .unwrap_or_default()
                    .matches('\n')
                    .count()
            });
            Error::new(format!("line {line}: {}", error.message()))
        })?;
        if !found.url.starts_with("http://") {
            return Err(Error::new(format!("url: {} is not http://", found.url)));
        }
        if let Some(postgres) = &found.postgres {
            let both = (postgres.url.is_some(), postgres.psql.is_some());
            if both == (true, true) || both == (false, false) {
                return Err(Error::new("[postgres] wants either url or psql"));
            }
        }
        Ok(found)
    }

    pub fn in_words(&self) -> String {
        match self.what.as_str() {
            "" => format!("the bank at {}", self.url),
            what => what.to_owned(),
        }
    }

    /// A shell's, in the file's folder.
    pub fn shell(&self, line: &str) -> Command {
        let mut command = Command::new("sh");
        command.arg("-c").arg(line).current_dir(&self.folder);
        // Docker's clients and others are steered by it.
        command.envs(std::env::vars_os());
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_or_refused_with_its_line() {
        let check = |text: &str, expected: Result<(), &str>| {
            let found = Description::parse(text).map(drop);
            match (&found, expected) {
                (Ok(()), Ok(())) => {}
                (Err(error), Err(words)) => {
                    assert!(error.to_string().contains(words), "{text}: {error}");
                }
                _ => panic!("{text}: {found:?}"),
            }
        };
        let url = "url = 'http://localhost:1'\n";
        check(url, Ok(()));
        let whole = "[postgres]\npsql = 'psql x'\n[services]\ndb.container = 'a'\n\
                     b.pid = 3\nc.pid_file = 'c'\nd.cgroup = '/d'";
        check(&format!("{url}{whole}"), Ok(()));
        check("", Err("url"));
        check("url = 'https://a'", Err("is not http://"));
        check(&format!("{url}strat = 'a'"), Err("line 2: unknown field"));
        check(
            &format!("{url}[postgres]\nrows = 'a'"),
            Err("either url or psql"),
        );
        check(&format!("{url}[services]\ndb.pod = 'a'"), Err("line 3"));
    }
}
