//! Private folders: short enough for sockets, reachable by other accounts, gone with their owner.

use std::env;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::Error;
use crate::machine;
use crate::process::{self, Process};

/// How private folders' names begin.
const PREFIX: &str = "crebito-";
/// The owner's pid and start time.
const OWNER: &str = "owner";
/// The pid and start time of each process that was started in it.
const PROCESSES: &str = "processes";
/// A path of a Unix socket has 108 bytes with its NUL (unix(7)); this is left for a folder that
/// has `pg/.s.PGSQL.65535.lock` or the like in it.
const PATH_BYTES_MAX: usize = 60;

/// A temporary folder with short paths, removed on drop. What a killed owner left is removed,
/// and its processes ended, when the next one is made.
#[derive(Debug)]
pub(crate) struct Private {
    path: PathBuf,
}

impl Private {
    pub fn create() -> Result<Private, Error> {
        Private::create_in(&base()?)
    }

    /// One in a folder that is open to other accounts, for what is too large for a temporary
    /// folder. Its path may be too long for sockets.
    pub fn create_in(base: &Path) -> Result<Private, Error> {
        sweep(base);
        let made = tempfile::Builder::new()
            .prefix(PREFIX)
            .rand_bytes(6)
            .tempdir_in(base);
        let path = made.map_err(Error::while_doing(base.display()))?.keep();
        let private = Private { path };
        let me = std::process::id();
        let started = process::stat(me).map_or(0, |stat| stat.started);
        // Whole from the first: a sweep that found it empty would take us for dead.
        let draft = private.path.join("owner.draft");
        let written = fs::write(&draft, format!("{me} {started}\n"));
        let written = written.and_then(|()| fs::rename(&draft, private.path.join(OWNER)));
        // Others may pass through, to the socket whose name they know, and may not look around.
        let passable = fs::Permissions::from_mode(0o711);
        written
            .and_then(|()| fs::set_permissions(&private.path, passable))
            .map_err(Error::while_doing(private.path.display()))?;
        Ok(private)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Notes a process for the sweep, should this one be killed.
    pub fn note(&self, process: &Process) -> Result<(), Error> {
        let path = self.path.join(PROCESSES);
        let file = fs::File::options().create(true).append(true).open(&path);
        file.and_then(|mut file| writeln!(file, "{} {}", process.pid, process.started))
            .map_err(Error::while_doing(path.display()))
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Where private folders are: TMPDIR, /tmp or /dev/shm, the first that is short and open to all.
pub(crate) fn base() -> Result<PathBuf, Error> {
    let fits = |folder: &PathBuf| {
        folder.as_os_str().len() + PREFIX.len() + 6 <= PATH_BYTES_MAX
            && machine::traversable(folder)
    };
    [
        env::temp_dir(),
        PathBuf::from("/tmp"),
        PathBuf::from("/dev/shm"),
    ]
    .into_iter()
    .find(fits)
    .ok_or_else(|| Error::new("no temporary folder that is short and open to all accounts"))
}

/// A template of a fresh cluster in the temporary folder; see the stack's `template`.
pub(crate) const TEMPLATE_PREFIX: &str = "crebito-template";

/// The templates that are ours to remove.
pub(crate) fn templates() -> Result<Vec<PathBuf>, Error> {
    let base = base()?;
    let entries = fs::read_dir(&base).map_err(Error::while_doing(base.display()))?;
    let me = rustix::process::geteuid();
    let ours = |entry: &fs::DirEntry| {
        let named = entry
            .file_name()
            .to_string_lossy()
            .starts_with(TEMPLATE_PREFIX);
        let owner = fs::symlink_metadata(entry.path()).map(|found| found.uid());
        named && (me.is_root() || owner.is_ok_and(|owner| owner == me.as_raw()))
    };
    Ok(entries
        .flatten()
        .filter(ours)
        .map(|entry| entry.path())
        .collect())
}

/// Takes a template its name, in one step, before its files go: who is copying it notices.
/// Returns the name under which it is to be removed.
pub(crate) fn take_away(template: &Path) -> Result<PathBuf, Error> {
    let number = match fs::symlink_metadata(template) {
        Ok(found) => found.ino(),
        // Somebody else's `clean` was faster.
        Err(_) => return Ok(template.to_owned()),
    };
    let gone = template.with_file_name(format!("{TEMPLATE_PREFIX}-gone-{number}"));
    rename_if_there(template, &gone)?;
    Ok(gone)
}

/// Takes a folder its name in one step, before its files go.
pub(crate) fn rename_if_there(path: &Path, gone: &Path) -> Result<(), Error> {
    match fs::rename(path, gone) {
        Err(reason) if reason.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::while_doing(path.display())(reason))
        }
        _ => Ok(()),
    }
}

/// Ends and removes what was left by owners that are gone. Best effort, one's own only.
fn sweep(base: &Path) {
    let Ok(entries) = fs::read_dir(base) else {
        return;
    };
    let me = rustix::process::geteuid().as_raw();
    for folder in entries.flatten().map(|entry| entry.path()) {
        let named = folder.file_name().and_then(|name| name.to_str());
        let mine = fs::symlink_metadata(&folder).is_ok_and(|found| found.uid() == me);
        if !mine || !named.is_some_and(|name| name.starts_with(PREFIX)) {
            continue;
        }
        let Ok(owner) = fs::read_to_string(folder.join(OWNER)) else {
            continue;
        };
        if processes(&owner).is_empty() {
            let noted = fs::read_to_string(folder.join(PROCESSES)).unwrap_or_default();
            for mut left in processes(&noted) {
                left.kill_group();
                left.wait(Duration::from_secs(5));
            }
            let _ = fs::remove_dir_all(&folder);
        }
    }
}

/// Those of the noted processes that still run.
fn processes(noted: &str) -> Vec<Process> {
    let alive = |line: &str| {
        let (pid, started) = line.split_once(' ')?;
        Process::adopt(pid.parse().ok()?, started.parse().ok()?, Path::new(""))
    };
    noted.lines().filter_map(alive).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Lifetime;
    use std::process::Command;
    use std::thread;
    use std::time::Instant;

    #[test]
    fn what_a_dead_owner_left_is_swept() {
        let stale = Private::create().unwrap();
        let log = stale.path().join("log");
        let mut sleep = Command::new("sleep");
        sleep.arg("600");
        let mut left = Process::start(sleep, &log, None, Lifetime::Detached).unwrap();
        stale.note(&left).unwrap();
        let fresh = Private::create().unwrap();
        assert!(left.is_alive(), "its owner lives: it must not be touched");

        // The pid of this process, with the start time of one that had it before.
        fs::write(
            stale.path().join(OWNER),
            format!("{} 1\n", std::process::id()),
        )
        .unwrap();
        let other = Private::create().unwrap();
        assert!(left.wait(Duration::from_secs(5)).is_some());
        // Another test's sweep may have been first, and still be at it.
        let start = Instant::now();
        while stale.path().exists() {
            assert!(
                start.elapsed() < Duration::from_secs(30),
                "it is still there"
            );
            thread::sleep(Duration::from_millis(1));
        }
        assert!(fresh.path().exists() && other.path().exists());
    }

    #[test]
    fn folders_made_at_once_do_not_sweep_each_other() {
        let is_there = |made: Result<Private, Error>| made.is_ok_and(|it| it.path().exists());
        let make = || (0..250).filter(|_| !is_there(Private::create())).count();
        let lost = thread::scope(|scope| {
            let makers: Vec<_> = (0..4).map(|_| scope.spawn(make)).collect();
            makers
                .into_iter()
                .map(|maker| maker.join().unwrap())
                .sum::<usize>()
        });
        assert_eq!(lost, 0);
    }
}
