//! The fixed folders of a checkout's own stack: state, data, sockets.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::error::Error;
use crate::folder;
use crate::machine;
use crate::stack::checkout;

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
        let checkout = fs::canonicalize(checkout())?;
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

    /// The file of the state.
    pub fn state_file(&self) -> PathBuf {
        self.folder.join("state.json")
    }

    /// Makes the folders of state and sockets.
    pub(crate) fn make(&self) -> Result<(), Error> {
        fs::create_dir_all(&self.folder).map_err(Error::while_doing(self.folder.display()))?;
        fs::create_dir_all(&self.run).map_err(Error::while_doing(self.run.display()))?;
        let found = fs::symlink_metadata(&self.run)?;
        let me = rustix::process::geteuid().as_raw();
        if !found.is_dir() || found.uid() != me {
            let sentence = format!("{} belongs to another account", self.run.display());
            return Err(Error::new(sentence));
        }
        fs::set_permissions(&self.run, fs::Permissions::from_mode(0o711))?;
        Ok(())
    }

    /// Held while the stack is started or stopped: not twice at once.
    pub(crate) fn lock(&self) -> Result<fs::File, Error> {
        fs::create_dir_all(&self.folder).map_err(Error::while_doing(self.folder.display()))?;
        let file = fs::File::create(self.folder.join("lock"))?;
        flock(&file, FlockOperation::LockExclusive).map_err(Error::while_doing("lock"))?;
        Ok(file)
    }

    /// Removes the data.
    pub(crate) fn remove_data(&self) -> Result<(), Error> {
        remove(&self.data)
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
            .try_for_each(|template| remove(template))
    }
}

fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(path) {
        Err(reason) if reason.kind() != std::io::ErrorKind::NotFound => {
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
