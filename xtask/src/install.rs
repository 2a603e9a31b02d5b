//! Missing programs, installed from Debian's packages where we may.

use std::process::{Command, Stdio};

use crate::checkout::checkout;
use crate::error::Error;
use crate::machine;
use crate::programs;
use crate::stack::Proxy;
use crate::warn;

/// A program that is needed, and Debian's package of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Need {
    /// initdb, postgres and psql.
    PostgreSql,
    /// nginx.
    Nginx,
    /// nginx's stream module.
    NginxStream,
    /// wrk.
    Wrk,
    /// prometheus and promtool.
    Prometheus,
    /// The exporter of PostgreSQL's metrics.
    PostgresExporter,
    /// python3 with what `python3 -m venv` wants, which Debian packs by itself.
    PythonVenv,
    /// chromium.
    Chromium,
}

impl Need {
    fn package(self) -> &'static str {
        match self {
            Need::PostgreSql => "postgresql",
            Need::Nginx => "nginx",
            Need::NginxStream => "libnginx-mod-stream",
            Need::Wrk => "wrk",
            Need::Prometheus => "prometheus",
            Need::PostgresExporter => "prometheus-postgres-exporter",
            Need::PythonVenv => "python3-venv",
            Need::Chromium => "chromium",
        }
    }

    fn is_met(self) -> Result<(), Error> {
        match self {
            Need::PostgreSql => ["initdb", "postgres", "psql"]
                .into_iter()
                .try_for_each(|program| programs::postgresql(program).map(drop)),
            Need::Nginx => programs::nginx().map(drop),
            Need::NginxStream => programs::nginx_stream().map(drop),
            Need::Wrk => programs::wrk().map(drop),
            Need::Prometheus => ["prometheus", "promtool"]
                .into_iter()
                .try_for_each(|program| programs::prometheus(program).map(drop)),
            Need::PostgresExporter => programs::postgres_exporter().map(drop),
            Need::PythonVenv => programs::python_venv(),
            Need::Chromium => programs::chromium().map(drop),
        }
    }
}

/// What `proxy` takes.
pub fn needs_of(proxy: Proxy) -> &'static [Need] {
    match proxy {
        Proxy::Http => &[Need::Nginx],
        Proxy::Stream => &[Need::Nginx, Need::NginxStream],
    }
}

/// Sees to it that the programs are there: as root, or with a sudo that asks no password, what is
/// missing is installed by xtask/install.sh.
///
/// # Errors
/// It may not be installed here: the error is the command to run. Or the installation failed. Or
/// `PG_BIN` names a folder without the server: no package would be taken in its place.
pub fn ensure(needs: &[Need]) -> Result<(), Error> {
    if needs.contains(&Need::PostgreSql) {
        programs::chosen_postgresql()?;
    }
    let missing: Vec<Need> = needs
        .iter()
        .copied()
        .filter(|need| need.is_met().is_err())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().map(|need| need.package()).collect();
    let packages_said = packages.join(" ");
    let script = checkout()?.join("xtask").join("install.sh");
    let mut command = if machine::is_root() {
        Command::new("sh")
    } else if may_sudo() {
        let mut sudo = Command::new("sudo");
        sudo.args(["-n", "sh"]);
        sudo
    } else {
        let script = script.display();
        let sentence = format!(
            "{packages_said}: not on this machine. This installs the programs and starts no \
             service:\n\n    sudo sh {script} {packages_said}\n"
        );
        return Err(Error::new(sentence));
    };
    warn(format_args!(
        "Installing {packages_said} from Debian's packages (no service is started)"
    ));
    let output = command
        .arg(script)
        .args(&packages)
        .stdin(Stdio::null())
        .output()
        .map_err(Error::while_doing("xtask/install.sh"))?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).trim().to_owned();
        return Err(Error::new(format!(
            "the installation of {packages_said} failed:\n{said}"
        )));
    }
    missing.into_iter().try_for_each(Need::is_met)
}

fn may_sudo() -> bool {
    let mut sudo = Command::new("sudo");
    sudo.args(["-n", "true"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    sudo.status().is_ok_and(|status| status.success())
}
