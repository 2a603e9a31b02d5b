//! Where the programs that the stack is made of are found.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::Error;

/// A program of PostgreSQL: in the folder `PG_BIN` if that is set, else on PATH, else in the
/// newest of Debian's /usr/lib/postgresql/*/bin. A client program that `PG_BIN` lacks (some
/// packages have the server alone) is looked for in the other places.
pub fn postgresql(name: &str) -> Result<PathBuf, Error> {
    let chosen = chosen_postgresql()?;
    if let Some(found) = chosen.and_then(|folder| executable(&folder.join(name))) {
        return Ok(found);
    }
    let found = on_path(name).or_else(|| {
        let folders = debian_folders();
        folders
            .iter()
            .rev()
            .find_map(|folder| executable(&folder.join(name)))
    });
    found.ok_or_else(|| Error::new(format!("PostgreSQL's `{name}` is not on this machine")))
}

/// The folder `PG_BIN`, if that is set.
///
/// # Errors
/// It lacks a program of the server.
pub(crate) fn chosen_postgresql() -> Result<Option<PathBuf>, Error> {
    let chosen = env::var_os("PG_BIN").map(PathBuf::from);
    chosen.map(with_server).transpose()
}

fn with_server(folder: PathBuf) -> Result<PathBuf, Error> {
    let mut needed = ["initdb", "postgres"].into_iter();
    match needed.find(|name| executable(&folder.join(name)).is_none()) {
        Some(name) => Err(Error::new(format!(
            "PG_BIN is {}, and there is no `{name}` in it",
            folder.display()
        ))),
        None => Ok(folder),
    }
}

/// NGINX, on PATH or where Debian puts it (its sbin is not on everybody's PATH).
pub fn nginx() -> Result<PathBuf, Error> {
    let found = on_path("nginx").or_else(|| executable(Path::new("/usr/sbin/nginx")));
    found.ok_or_else(|| Error::new("`nginx` is not on this machine"))
}

/// NGINX's stream module to be loaded (`load_module`); none where NGINX has it built in.
///
/// # Errors
/// It is neither.
pub(crate) fn nginx_stream() -> Result<Option<PathBuf>, Error> {
    let configured = version(&nginx()?, "-V")?;
    let words = || configured.split_whitespace();
    if words().any(|word| word == "--with-stream") {
        return Ok(None);
    }
    let folder = words().find_map(|word| word.strip_prefix("--modules-path="));
    let module = folder.map(|folder| Path::new(folder).join("ngx_stream_module.so"));
    let module = module.filter(|module| module.is_file());
    let missing = || Error::new("`nginx` is on this machine without its stream module");
    module.map(Some).ok_or_else(missing)
}

/// The load generator of the benchmark.
pub fn wrk() -> Result<PathBuf, Error> {
    on_path("wrk").ok_or_else(|| Error::new("`wrk` is not on this machine"))
}

/// `prometheus` or `promtool`.
pub fn prometheus(name: &str) -> Result<PathBuf, Error> {
    on_path(name).ok_or_else(|| Error::new(format!("`{name}` is not on this machine")))
}

/// The exporter of PostgreSQL's metrics, under Debian's name or its own.
pub fn postgres_exporter() -> Result<PathBuf, Error> {
    let names = ["prometheus-postgres-exporter", "postgres_exporter"];
    let found = names.into_iter().find_map(on_path);
    found.ok_or_else(|| Error::new("`prometheus-postgres-exporter` is not on this machine"))
}

/// A browser that draws without a screen: Chromium, or the one that is made of it.
pub fn chromium() -> Result<PathBuf, Error> {
    let names = [
        "chromium",
        "chromium-browser",
        "google-chrome",
        "google-chrome-stable",
    ];
    let found = names.into_iter().find_map(on_path);
    found.ok_or_else(|| Error::new("`chromium` is not on this machine"))
}

/// A python3 that can make virtual environments with pip in them.
pub(crate) fn python_venv() -> Result<(), Error> {
    let mut python = Command::new("python3");
    python
        .args(["-c", "import ensurepip, venv"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    match python.status() {
        Ok(status) if status.success() => Ok(()),
        _ => Err(Error::new("python3 with venv is not on this machine")),
    }
}

/// What `program --version` (or `-v`) says, on one line.
pub fn version(program: &Path, flag: &str) -> Result<String, Error> {
    let what = format!("{} {flag}", program.display());
    let output = Command::new(program)
        .arg(flag)
        .output()
        .map_err(Error::while_doing(what))?;
    let said = if output.stdout.is_empty() {
        output.stderr
    } else {
        output.stdout
    };
    Ok(String::from_utf8_lossy(&said).trim().to_owned())
}

pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).find_map(|folder| executable(&folder.join(name)))
}

/// Debian's folders of PostgreSQL's programs, oldest version first.
fn debian_folders() -> Vec<PathBuf> {
    let Ok(versions) = fs::read_dir("/usr/lib/postgresql") else {
        return Vec::new();
    };
    let mut folders: Vec<(u32, PathBuf)> = versions
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    folders.sort();
    folders.into_iter().map(|(_, folder)| folder).collect()
}

fn executable(path: &Path) -> Option<PathBuf> {
    let found = fs::metadata(path).ok()?;
    (found.is_file() && found.permissions().mode() & 0o111 != 0).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chosen_folder_without_the_server_is_named() {
        let postgres = postgresql("postgres").unwrap();
        let folder = postgres.parent().unwrap().to_owned();
        assert_eq!(with_server(folder.clone()).unwrap(), folder);
        let said = with_server("/nonexistent".into()).unwrap_err();
        let expected = "PG_BIN is /nonexistent, and there is no `initdb` in it";
        assert_eq!(said.to_string(), expected);
    }
}
