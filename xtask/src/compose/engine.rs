//! Which client there is, and whether a daemon answers it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde::Deserialize;

use super::runner::Runner;
use crate::error::Error;
use crate::programs;

/// Docker, as it is found here.
#[derive(Clone, Debug)]
pub(super) struct Engine {
    docker: PathBuf,
    /// The program and its first arguments.
    compose: Vec<OsString>,
    /// Of the client and of the daemon, for people.
    pub versions: String,
    pub runner: Runner,
}

/// Of `docker info`, what we ask for.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Info {
    #[serde(default)]
    server_version: String,
    #[serde(default)]
    cgroup_version: String,
    /// Why the daemon did not answer; the older clients say so here.
    server_errors: Option<Vec<String>>,
}

impl Engine {
    /// Finds the clients and asks the daemon.
    ///
    /// # Errors
    /// A sentence that says what is missing, and what to do.
    pub fn find(runner: Runner) -> Result<Engine, Error> {
        let docker = programs::on_path("docker").ok_or_else(|| {
            Error::new("there is no `docker` on PATH: install Docker (docs.docker.com/engine)")
        })?;
        let mut info = Command::new(&docker);
        let output = runner.output(info.args(["info", "--format", "{{json .}}"]))?;
        let info = read_info(&output).map_err(|reason| {
            let advice = "start it (`systemctl start docker`, or dockerd), or be in its group";
            Error::new(format!("no Docker daemon answers ({reason}): {advice}"))
        })?;
        let (compose, version) = compose_client(&runner, &docker)?;
        Ok(Engine {
            docker,
            compose,
            versions: format!(
                "Docker {}, compose {version}, cgroup v{}",
                info.server_version, info.cgroup_version
            ),
            runner,
        })
    }

    /// A command of the client.
    pub fn docker(&self) -> Command {
        Command::new(&self.docker)
    }

    /// Where the client is.
    pub fn docker_path(&self) -> &Path {
        &self.docker
    }

    /// A command of compose.
    pub fn compose(&self) -> Command {
        let mut words = self.compose.iter();
        let mut command = Command::new(words.next().unwrap_or(&OsString::new()));
        command.args(words);
        command
    }

    /// The same engine, whatever happens: for taking down.
    pub fn unstoppable(&self) -> Engine {
        Engine {
            runner: Runner::unstoppable(),
            ..self.clone()
        }
    }

    /// An image's size in bytes; none if it is not here.
    pub fn image_size(&self, image: &str) -> Option<u64> {
        let mut command = self.docker();
        command.args(["image", "inspect", "--format", "{{.Size}}", image]);
        self.runner.ask(&mut command).ok()?.parse().ok()
    }
}

/// What the daemon says; else why it says nothing.
fn read_info(output: &Output) -> Result<Info, String> {
    let info: Option<Info> = serde_json::from_slice(&output.stdout).ok();
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.trim().lines().last().map(str::to_owned);
    // Without a daemon the client still says what it knows of itself.
    match info {
        Some(info) if output.status.success() && !info.server_version.is_empty() => Ok(info),
        info => {
            let errors = info.and_then(|info| info.server_errors).unwrap_or_default();
            let reason = errors.into_iter().next().or(said);
            Err(reason.unwrap_or_else(|| "`docker info` fails".to_owned()))
        }
    }
}

/// `docker compose`, else `docker-compose`; the old 1.x obeys limits only with `--compatibility`.
fn compose_client(runner: &Runner, docker: &Path) -> Result<(Vec<OsString>, String), Error> {
    let plugin = vec![docker.into(), OsString::from("compose")];
    let alone = programs::on_path("docker-compose").map(|path| vec![path.into()]);
    for mut words in [Some(plugin), alone].into_iter().flatten() {
        let [program, arguments @ ..] = words.as_slice() else {
            continue;
        };
        let mut command = Command::new(program);
        command.args(arguments).args(["version", "--short"]);
        let Ok(version) = runner.ask(&mut command) else {
            runner.go_on()?;
            continue;
        };
        if version.trim_start_matches('v').starts_with("1.") {
            words.push("--compatibility".into());
        }
        return Ok((words, version));
    }
    let advice = "install docker-compose-plugin, or docker-compose";
    Err(Error::new(format!(
        "there is neither `docker compose` nor `docker-compose`: {advice}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_without_a_daemon_is_no_engine() {
        let check = |script: &str, expected: Result<&str, &str>| {
            let output = Command::new("sh").args(["-c", script]).output().unwrap();
            let info = read_info(&output).map(|info| info.server_version);
            let expected = expected.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(info, expected, "{script}");
        };
        check("exit 1", Err("`docker info` fails"));
        check("echo a; echo why >&2; exit 1", Err("why"));
        let json = r#"{"ServerErrors":["no daemon"],"ClientInfo":{}}"#;
        check(&format!("echo '{json}'"), Err("no daemon"));
        let json = r#"{"ServerVersion":"","ServerErrors":["no daemon"]}"#;
        check(&format!("echo '{json}'; exit 1"), Err("no daemon"));
        let json = r#"{"ServerVersion":"28.0","CgroupVersion":"2","Name":"a"}"#;
        check(&format!("echo '{json}'"), Ok("28.0"));
        check(
            &format!("echo '{json}'; exit 1"),
            Err("`docker info` fails"),
        );
    }
}
