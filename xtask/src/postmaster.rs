//! A PostgreSQL that runs on a data folder, found by the folder alone: the state may be lost.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;

use crate::error::Error;
use crate::process::{self, Process};
use crate::say;

/// It writes a checkpoint first.
const PATIENCE: Duration = Duration::from_secs(60);

/// The live postmaster of `data`: the first line of postmaster.pid, if that process is a postgres
/// whose working folder is `data` (a postmaster changes there). A pid alone may be another's.
///
/// # Errors
/// It may be one, and this account may not look.
pub(crate) fn of(data: &Path) -> Result<Option<Process>, Error> {
    let file = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
    let pid = file.lines().next().and_then(|pid| pid.trim().parse().ok());
    let Some((pid, stat)) = pid.and_then(|pid: u32| Some((pid, process::stat(pid)?))) else {
        return Ok(None);
    };
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    if name.trim() != "postgres" {
        return Ok(None);
    }
    let canonical = fs::canonicalize(data).map_err(Error::while_doing(data.display()))?;
    match fs::read_link(format!("/proc/{pid}/cwd")) {
        Ok(folder) if folder == canonical => Ok(Process::adopt(pid, stat.started, Path::new(""))),
        Err(reason) if reason.kind() == std::io::ErrorKind::PermissionDenied => {
            Err(Error::new(format!(
                "a PostgreSQL of another account (pid {pid}) may run on {}: stop it first",
                data.display()
            )))
        }
        _ => Ok(None),
    }
}

/// Stops the postmaster of `data`, and says so; whether there was one.
///
/// # Errors
/// It does not end.
pub(crate) fn stop(data: &Path) -> Result<bool, Error> {
    let Some(mut postmaster) = of(data)? else {
        return Ok(false);
    };
    let (pid, data) = (postmaster.pid, data.display());
    say(format_args!(
        "Stopping a PostgreSQL that is not written down, pid {pid}, on {data}"
    ));
    postmaster.stop(Signal::INT, PATIENCE);
    if postmaster.is_alive() {
        let sentence = format!("PostgreSQL (pid {pid}) runs on {data} and does not stop");
        return Err(Error::new(sentence));
    }
    Ok(true)
}
