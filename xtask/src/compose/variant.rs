//! The composition as it is shipped, and small changes to it, made in temporary copies.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::error::Error;
use crate::stack::Driver;

/// What seccomp allows the replicas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Seccomp {
    /// The profile that is shipped
    #[default]
    Shipped,
    /// The same without the calls of `io_uring`, as if the engine denied them
    Denied,
    /// The engine's own profile: the line is taken out
    Engine,
}

/// How a composition differs from the one that is shipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variant {
    /// `IO_DRIVER`.
    pub driver: Driver,
    /// The replicas' profile.
    pub seccomp: Seccomp,
    /// How many there are.
    pub replicas: u8,
}

impl Default for Variant {
    fn default() -> Variant {
        Variant {
            driver: Driver::Auto,
            seccomp: Seccomp::Shipped,
            replicas: SHIPPED,
        }
    }
}

/// Replicas in the files.
const SHIPPED: u8 = 2;
/// What a composition's file refers to.
const FILES: [&str; 5] = [
    "docker-compose.yml",
    "nginx.conf",
    "postgresql.conf",
    "seccomp.json",
    ".env",
];

/// Where compose is run.
pub(super) enum Folder {
    Checkout(PathBuf),
    Copy(TempDir),
    /// Within a copy.
    Below {
        path: PathBuf,
        _root: TempDir,
    },
}

impl Folder {
    pub fn path(&self) -> &Path {
        match self {
            Folder::Checkout(path) => path,
            Folder::Copy(folder) => folder.path(),
            Folder::Below { path, .. } => path,
        }
    }
}

impl Variant {
    /// For people: what is tried.
    pub fn name(&self) -> String {
        let driver = match self.driver {
            Driver::Auto => String::new(),
            driver => format!(", IO_DRIVER={}", driver.as_str()),
        };
        let seccomp = match self.seccomp {
            Seccomp::Shipped => "our seccomp profile",
            Seccomp::Denied => "io_uring denied by seccomp",
            Seccomp::Engine => "the engine's own seccomp profile",
        };
        format!("{} replicas, {seccomp}{driver}", self.replicas)
    }

    /// The driver that the replicas must say they run on; none if the engine decides.
    pub fn expected_driver(&self) -> Option<&'static str> {
        match (self.driver, self.seccomp) {
            (Driver::Epoll, _) | (_, Seccomp::Denied) => Some(Driver::Epoll.as_str()),
            (_, Seccomp::Shipped) => Some(Driver::IoUring.as_str()),
            (_, Seccomp::Engine) => None,
        }
    }

    /// The checkout itself where its files are taken as they are, else a changed copy.
    pub(super) fn folder(&self, checkout: &Path) -> Result<Folder, Error> {
        if self.seccomp == Seccomp::Shipped && self.replicas == SHIPPED {
            return Ok(Folder::Checkout(checkout.to_owned()));
        }
        let copy = tempfile::tempdir().map_err(Error::while_doing("a temporary folder"))?;
        let is_there = |name: &&&str| checkout.join(name).exists();
        for name in FILES.iter().filter(is_there) {
            let text = read(&checkout.join(name))?;
            let changed = self.changed(name, &text)?;
            write(&copy.path().join(name), &changed)?;
        }
        copy_sql(checkout, copy.path())?;
        Ok(Folder::Copy(copy))
    }

    fn changed(&self, name: &str, text: &str) -> Result<String, Error> {
        let text = match name {
            "docker-compose.yml" if self.seccomp == Seccomp::Engine => {
                without_profile(text).ok_or_else(|| odd(name))?
            }
            "seccomp.json" if self.seccomp == Seccomp::Denied => denying(text)?,
            _ => text.to_owned(),
        };
        match name {
            "docker-compose.yml" | "nginx.conf" => {
                more_replicas(&text, self.replicas).ok_or_else(|| odd(name))
            }
            _ => Ok(text),
        }
    }
}

fn odd(name: &str) -> Error {
    Error::new(format!(
        "{name} does not have the lines that are to be changed"
    ))
}

/// A third and fourth replica: one more of the line that names the second.
fn more_replicas(text: &str, replicas: u8) -> Option<String> {
    let named = |line: &&str| line.contains("api2.sock");
    let [line] = text.lines().filter(named).collect::<Vec<_>>()[..] else {
        return None;
    };
    let more = (SHIPPED + 1..=replicas).map(|number| line.replace("api2", &format!("api{number}")));
    let lines: Vec<String> = [line.to_owned()].into_iter().chain(more).collect();
    Some(text.replacen(line, &lines.join("\n"), 1))
}

/// The line of `security_opt` without its profile.
fn without_profile(text: &str) -> Option<String> {
    let option = ", \"seccomp:./seccomp.json\"";
    (text.matches(option).count() == 1).then(|| text.replace(option, ""))
}

/// The profile without the three calls, which then get its default: an error.
fn denying(profile: &str) -> Result<String, Error> {
    let mut profile: serde_json::Value =
        serde_json::from_str(profile).map_err(Error::while_doing("seccomp.json"))?;
    let rules = profile
        .get_mut("syscalls")
        .and_then(|rules| rules.as_array_mut());
    let rules = rules.ok_or_else(|| odd("seccomp.json"))?;
    let mut found = 0;
    for rule in rules.iter_mut() {
        let names = rule.get_mut("names").and_then(|names| names.as_array_mut());
        let names = names.ok_or_else(|| odd("seccomp.json"))?;
        let before = names.len();
        names.retain(|name| {
            !name
                .as_str()
                .is_some_and(|name| name.starts_with("io_uring_"))
        });
        found += before - names.len();
    }
    // A rule of no calls is none that every engine reads.
    let has_names =
        |rule: &serde_json::Value| rule["names"].as_array().is_some_and(|n| !n.is_empty());
    rules.retain(has_names);
    match found {
        3 => Ok(profile.to_string()),
        _ => Err(odd("seccomp.json")),
    }
}

fn copy_sql(checkout: &Path, copy: &Path) -> Result<(), Error> {
    let folder = copy.join("sql");
    fs::create_dir(&folder).map_err(Error::while_doing(folder.display()))?;
    for file in crate::stack::sql_files()? {
        let file = checkout
            .join("sql")
            .join(file.file_name().unwrap_or_default());
        write(
            &folder.join(file.file_name().unwrap_or_default()),
            &read(&file)?,
        )?;
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(Error::while_doing(path.display()))
}

/// Readable by the containers' accounts, whatever our umask is.
fn write(path: &Path, text: &str) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::Permissions::from_mode(0o644);
    let written = fs::write(path, text).and_then(|()| fs::set_permissions(path, mode));
    written.map_err(Error::while_doing(path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkout::checkout;

    fn shipped(name: &str) -> String {
        fs::read_to_string(checkout().unwrap().join(name)).unwrap()
    }

    #[test]
    fn a_further_replica_is_one_line_in_each_file() {
        for name in ["docker-compose.yml", "nginx.conf"] {
            let shipped = shipped(name);
            let changed = more_replicas(&shipped, 4).unwrap();
            let lines = |text: &str| text.lines().count();
            assert_eq!(lines(&changed), lines(&shipped) + 2, "{name}");
            for replica in ["api1.sock", "api2.sock", "api3.sock", "api4.sock"] {
                assert_eq!(changed.matches(replica).count(), 1, "{name}: {replica}");
            }
            assert_eq!(more_replicas(&shipped, 2).unwrap(), shipped);
        }
        assert_eq!(more_replicas("no such line", 3), None);
    }

    #[test]
    fn the_profile_is_taken_out_or_made_to_deny() {
        let file = without_profile(&shipped("docker-compose.yml")).unwrap();
        assert!(file.contains("no-new-privileges") && !file.contains("seccomp:"));
        assert_eq!(without_profile(&file), None);
        let profile = shipped("seccomp.json");
        assert!(profile.contains("io_uring_setup"));
        let denying = denying(&profile).unwrap();
        assert!(!denying.contains("io_uring_") && denying.contains("epoll_create1"));
        assert!(super::denying(&denying).is_err());
    }
}
