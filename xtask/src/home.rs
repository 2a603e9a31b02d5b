//! The fixed folders of a checkout's own stack: state, data, sockets.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::checkout::checkout;
use crate::error::Error;
use crate::folder;
use crate::machine;
use crate::postmaster;
use crate::state::State;
use crate::warn;

/// Where the stack of one checkout lives. Two checkouts share nothing.
#[derive(Clone, Debug)]
pub struct Home {
    /// `.crebito` of the checkout: the state, and the data where it can be.
    pub folder: PathBuf,
    /// PostgreSQL's data.
    pub data: PathBuf,
    /// Sockets, filled-in configuration, logs.
    pub run: PathBuf,
}

impl Home {
    /// The places of this checkout; nothing is made yet.
    ///
    /// # Errors
    /// There is no place for sockets, or nobody to run PostgreSQL.
    pub fn find() -> Result<Home, Error> {
        let checkout = checkout()?;
        let checkout =
            fs::canonicalize(&checkout).map_err(Error::while_doing(checkout.display()))?;
        let folder = checkout.join(".crebito");
        let name = checkout
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        let hash = format!("{:08x}", fnv1a(checkout.as_os_str().as_encoded_bytes()));
        // As root PostgreSQL is another account, which a folder such as /root keeps out.
        let data = if machine::postgres_account()?.is_none() || machine::traversable(&checkout) {
            folder.join("data")
        } else {
            let name = format!("{}-{hash}", name.unwrap_or_default());
            Path::new("/var/lib/crebito").join(name).join("data")
        };
        let run = if machine::is_root() {
            Path::new("/run").join(format!("crebito-{hash}"))
        } else {
            let uid = rustix::process::geteuid().as_raw();
            folder::base()?.join(format!("crebito-up-{uid}-{hash}"))
        };
        Ok(Home { folder, data, run })
    }

    /// Another home, all in one folder: for tests, which leave the checkout's own alone. The
    /// folder's path must be short, and open to other accounts.
    pub fn within(folder: &Path) -> Home {
        let folder = folder.to_owned();
        Home {
            data: folder.join("data"),
            run: folder.join("run"),
            folder,
        }
    }

    /// A name for what is this checkout's beyond the file system.
    pub(crate) fn project(&self) -> String {
        let hash = fnv1a(self.folder.as_os_str().as_encoded_bytes());
        format!("crebito-test-{hash:08x}")
    }

    /// The file of the state.
    pub fn state_file(&self) -> PathBuf {
        self.folder.join("state.json")
    }

    /// Beside the sockets: whoever removes the state of a running stack has not lost the processes.
    fn state_copy(&self) -> PathBuf {
        self.run.join("state.json")
    }

    /// What was started last, if it was not stopped.
    ///
    /// # Errors
    /// It may be there, and cannot be read.
    pub fn state(&self) -> Result<Option<State>, Error> {
        let file = self.state_file();
        let reason = match State::read(&file) {
            Ok(state) => return Ok(Some(state)),
            Err(reason) => reason,
        };
        // The folder of sockets may be in one that all can write to.
        let copy = is_own(&self.run).then(|| State::read(&self.state_copy()).ok());
        match (copy.flatten(), reason.kind()) {
            (Some(state), _) => Ok(Some(state)),
            (None, ErrorKind::NotFound | ErrorKind::InvalidData) => Ok(None),
            (None, _) => Err(self.advised(&file, &reason)),
        }
    }

    /// Writes the state down, twice.
    pub(crate) fn write_state(&self, state: &State) -> Result<(), Error> {
        state.write(&self.state_copy())?;
        state.write(&self.state_file())
    }

    /// Nothing runs any more.
    pub(crate) fn forget_state(&self) {
        for file in [self.state_file(), self.state_copy()] {
            let _ = fs::remove_file(file);
        }
    }

    /// Makes the folders of state and sockets.
    pub(crate) fn make(&self) -> Result<(), Error> {
        self.make_folder()?;
        fs::create_dir_all(&self.run).map_err(Error::while_doing(self.run.display()))?;
        if !is_own(&self.run) {
            let sentence = format!("{} belongs to another account", self.run.display());
            return Err(Error::new(sentence));
        }
        fs::set_permissions(&self.run, fs::Permissions::from_mode(0o711))
            .map_err(Error::while_doing(self.run.display()))
    }

    /// A place of this name in the folder of the state, which is made; the place is not.
    pub(crate) fn private(&self, name: &str) -> Result<PathBuf, Error> {
        self.make_folder()?;
        Ok(self.folder.join(name))
    }

    /// The folder that the data is in, which is made: on a disk, and open to PostgreSQL's account.
    pub(crate) fn data_folder(&self) -> Result<PathBuf, Error> {
        self.make_folder()?;
        let folder = self.data.parent().unwrap_or(&self.folder);
        fs::create_dir_all(folder).map_err(Error::while_doing(folder.display()))?;
        Ok(folder.to_owned())
    }

    fn make_folder(&self) -> Result<(), Error> {
        fs::create_dir_all(&self.folder).map_err(|reason| self.advised(&self.folder, &reason))
    }

    /// Held while the stack is started or stopped: not twice at once.
    pub(crate) fn lock(&self) -> Result<fs::File, Error> {
        self.make_folder()?;
        let path = self.folder.join("lock");
        let file = fs::File::create(&path).map_err(|reason| self.advised(&path, &reason))?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            warn("Another `cargo xtask` of this checkout starts or stops the bank: waiting for it");
            flock(&file, FlockOperation::LockExclusive)
                .map_err(Error::while_doing(path.display()))?;
        }
        // `clean` removes the file under its lock: whoever waited for that one holds nothing.
        let held = file.metadata().map(|found| found.ino());
        let named = fs::metadata(&path).map(|found| found.ino());
        match (held, named) {
            (Ok(held), Ok(named)) if held == named => Ok(file),
            _ => self.lock(),
        }
    }

    /// Why `path`, which is the folder or in it, cannot be used, and what to do about it.
    fn advised(&self, path: &Path, reason: &std::io::Error) -> Error {
        let folder = self.folder.display();
        let me = rustix::process::geteuid().as_raw();
        let owner = |path: &Path| fs::symlink_metadata(path).ok().map(|found| found.uid());
        let foreign = [path, &self.folder]
            .into_iter()
            .filter_map(owner)
            .find(|&uid| uid != me);
        let denied = reason.kind() == ErrorKind::PermissionDenied;
        let advice = match (foreign, owner(&self.folder)) {
            (_, Some(_)) if !self.folder.is_dir() => {
                format!("{folder} has to be a folder: remove what is there")
            }
            (Some(uid), _) if denied => format!(
                "it belongs to another account (uid {uid}): work as that one; or, when it runs \
                 nothing any more, remove the bank with its data: sudo rm -r {folder}"
            ),
            (None, None) if denied => {
                "this account may not write to the checkout: take a clone of its own".to_owned()
            }
            _ if denied => format!("to get at it again: chmod -R u+rwX {folder}"),
            _ => return Error::while_doing(path.display())(reason),
        };
        Error::new(format!("{}: {reason}\n{advice}", path.display()))
    }

    /// Those of the places that are there, without what is within another of them.
    pub(crate) fn places(&self) -> Vec<&Path> {
        let all = [&self.folder, &self.data, &self.run].map(PathBuf::as_path);
        let is_within = |place: &Path| {
            let mut others = all.iter().filter(|other| **other != place);
            others.any(|other| place.starts_with(other))
        };
        let there = all
            .into_iter()
            .filter(|place| place.exists() && !is_within(place));
        there.collect()
    }

    /// Logs are of one start. Those of the start before stay in `log.before`: they may say how it
    /// ended. Returns where, if there are any.
    pub(crate) fn keep_logs(&self) -> Result<Option<PathBuf>, Error> {
        let (log, before) = (self.run.join("log"), self.run.join("log.before"));
        if log.exists() {
            remove(&before)?;
            fs::rename(&log, &before).map_err(Error::while_doing(before.display()))?;
        }
        Ok(before.exists().then_some(before))
    }

    /// Removes the data, once no PostgreSQL runs on it. They lose their name first: half of them is
    /// never taken for a bank, should this be killed.
    pub(crate) fn remove_data(&self) -> Result<(), Error> {
        postmaster::stop(&self.data)?;
        let gone = self.data.with_extension("gone");
        remove(&gone)?;
        folder::rename_if_there(&self.data, &gone)?;
        remove(&gone)
    }

    /// Removes everything, also the clusters' templates.
    pub(crate) fn remove_all(&self) -> Result<(), Error> {
        self.remove_data()?;
        if let Some(above) = self
            .data
            .parent()
            .filter(|above| !above.starts_with(&self.folder))
        {
            remove(above)?;
            // Gone with the last checkout's.
            let _ = above.parent().map(fs::remove_dir);
        }
        remove(&self.run)?;
        remove(&self.folder)?;
        folder::templates()?
            .iter()
            .try_for_each(|template| remove(&folder::take_away(template)?))
    }
}

/// Whether it is a folder of this account.
fn is_own(folder: &Path) -> bool {
    let me = rustix::process::geteuid().as_raw();
    fs::symlink_metadata(folder).is_ok_and(|found| found.is_dir() && found.uid() == me)
}

fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(path) {
        Err(reason) if reason.kind() != ErrorKind::NotFound => {
            Err(Error::while_doing(path.display())(reason))
        }
        _ => Ok(()),
    }
}

/// The 32-bit FNV-1a hash: the same for the same checkout, in every build.
fn fnv1a(bytes: &[u8]) -> u32 {
    let step = |hash: u32, &byte: &u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    bytes.iter().fold(0x811c_9dc5, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_named_once_and_only_if_it_is_there() {
        let all = tempfile::tempdir().unwrap();
        let folder = all.path().join("folder");
        let home = Home {
            data: folder.join("data"),
            run: all.path().join("run"),
            folder: folder.clone(),
        };
        assert!(home.places().is_empty());
        fs::create_dir_all(&home.data).unwrap();
        assert_eq!(home.places(), [&folder]);
        fs::create_dir(&home.run).unwrap();
        assert_eq!(home.places(), [&folder, &home.run]);
        let apart = all.path().join("folder of data");
        fs::create_dir(&apart).unwrap();
        let home = Home {
            data: apart.clone(),
            ..home
        };
        assert_eq!(home.places(), [&folder, &apart, &home.run]);
    }
}
