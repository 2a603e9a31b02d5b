//! A fresh cluster, made once for each version of PostgreSQL and then copied: initdb and the
//! creation of role and database take longer than the rest of a private stack's start.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;

use super::options::{Shutdown, Sockets};
use super::postgres::{Plan, Postgres, ROLE, SUPERUSER, owned_folder};
use crate::error::Error;
use crate::folder::{self, Private, TEMPLATE_PREFIX};
use crate::machine::Account;
use crate::process::Lifetime;
use crate::programs;

/// Counts the changes of what a template holds.
const EDITION: u32 = 1;
/// A template may be removed while it is copied; so often that is started anew.
const ATTEMPTS: usize = 20;

/// Makes `data` a fresh cluster with superuser `postgres`, role and database `crebito`.
pub(crate) fn copy_to(data: &Path, account: Option<&Account>) -> Result<(), Error> {
    if let Some(parent) = data.parent() {
        fs::create_dir_all(parent).map_err(Error::while_doing(parent.display()))?;
    }
    // All or nothing: half a cluster would be taken for a whole one by the next start.
    let half = data.with_extension("new");
    let mut attempts_left = ATTEMPTS;
    loop {
        let template = template(account)?;
        let before = identity(&template);
        let _ = fs::remove_dir_all(&half);
        let mut copy = Command::new("cp");
        copy.arg("-a")
            .arg("--reflink=auto")
            .arg("-T")
            .arg(&template)
            .arg(&half);
        attempts_left -= 1;
        let copied = run(&mut copy, "cp");
        // A template that somebody's `clean` takes away loses its name before its files: one that
        // still has it was whole until the end.
        let whole = before.is_some() && identity(&template) == before;
        match copied {
            Ok(()) if whole => {
                return fs::rename(&half, data).map_err(|reason| in_the_way(data, reason));
            }
            Err(error) if whole || attempts_left == 0 => return Err(error),
            Ok(()) if attempts_left == 0 => {
                let sentence = format!("{} is removed again and again", template.display());
                return Err(Error::new(sentence));
            }
            _ => {}
        }
    }
}

/// Why a new cluster cannot be `data`.
fn in_the_way(data: &Path, reason: io::Error) -> Error {
    let shown = data.display();
    match reason.kind() {
        io::ErrorKind::DirectoryNotEmpty => Error::new(format!(
            "{shown} is not empty, and not PostgreSQL's data: it has no PG_VERSION"
        )),
        _ => Error::while_doing(shown)(reason),
    }
}

/// Which folder it is that has this name now; numbers of folders are used again, with other times.
fn identity(folder: &Path) -> Option<(u64, u64, i64, i64)> {
    let found = fs::metadata(folder).ok()?;
    Some((found.dev(), found.ino(), found.ctime(), found.ctime_nsec()))
}

/// The template of this PostgreSQL and this account, made if there is none.
fn template(account: Option<&Account>) -> Result<PathBuf, Error> {
    let uid = account.map_or_else(
        || rustix::process::geteuid().as_raw(),
        |account| account.uid,
    );
    let version = programs::version(&programs::postgresql("postgres")?, "--version")?;
    let plain = |sign: char| {
        if sign.is_ascii_alphanumeric() || sign == '.' {
            sign
        } else {
            '-'
        }
    };
    let version: String = version.chars().map(plain).collect();
    let template = folder::base()?.join(format!("{TEMPLATE_PREFIX}{EDITION}-{uid}-{version}"));
    // Everybody may write to the temporary folder: a cluster that is not ours is not taken.
    match fs::symlink_metadata(&template) {
        Ok(found) if found.is_dir() && found.uid() == uid => return Ok(template),
        Ok(_) => {
            let sentence = format!("{} belongs to another account", template.display());
            return Err(Error::new(sentence));
        }
        Err(_) => {}
    }
    let made = make(account)?;
    match fs::rename(made.path().join("data"), &template) {
        Ok(()) => Ok(template),
        // Another process was faster.
        Err(_) if template.join("PG_VERSION").exists() => Ok(template),
        Err(reason) => Err(Error::while_doing(template.display())(reason)),
    }
}

fn make(account: Option<&Account>) -> Result<Private, Error> {
    let private = Private::create()?;
    let data = private.path().join("data");
    owned_folder(&data, account)?;
    let mut initdb = Command::new(programs::postgresql("initdb")?);
    initdb
        .arg("-D")
        .arg(&data)
        .args(["-U", SUPERUSER, "-A", "trust", "--no-sync"]);
    initdb
        .args(["-E", "UTF8", "--locale=C.UTF-8"])
        .current_dir(&data);
    if let Some(account) = account {
        use std::os::unix::process::CommandExt;
        initdb.gid(account.gid).uid(account.uid);
    }
    run(&mut initdb, "initdb")?;
    let plan = Plan {
        data,
        sockets_folder: private.path().join("pg"),
        log: private.path().join("postgres.log"),
        sockets: Sockets::Unix,
        settings: vec![("fsync".to_owned(), "off".to_owned())],
        hba: Vec::new(),
        lifetime: Lifetime::Owned(Signal::QUIT),
        groups: None,
    };
    let mut postgres = Postgres::create(plan)?;
    let role = format!("CREATE ROLE {ROLE} LOGIN");
    postgres.psql_as(SUPERUSER, SUPERUSER, &role)?;
    let database = format!("CREATE DATABASE {ROLE} OWNER {ROLE}");
    postgres.psql_as(SUPERUSER, SUPERUSER, &database)?;
    postgres.stop(Shutdown::Fast);
    Ok(private)
}

fn run(command: &mut Command, name: &str) -> Result<(), Error> {
    let output = command.output().map_err(Error::while_doing(name))?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::of_program(name, &output))
}
