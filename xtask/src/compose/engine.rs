//! Which client there is, and whether a daemon answers it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

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
    server_version: String,
    #[serde(default)]
    cgroup_version: String,
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
        let info = read_info(&output.stdout).filter(|_| output.status.success());
        let info = info.ok_or_else(|| {
            let reason = String::from_utf8_lossy(&output.stderr);
            let reason = reason
                .trim()
                .lines()
                .last()
                .unwrap_or("`docker info` fails");
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

fn read_info(json: &[u8]) -> Option<Info> {
    let info: Info = serde_json::from_slice(json).ok()?;
    // Without a daemon the client still says what it knows of itself.
    (!info.server_version.is_empty()).then_some(info)
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
        let check = |json: &str, version: Option<&str>| {
            let info = read_info(json.as_bytes());
            assert_eq!(
                info.map(|info| info.server_version).as_deref(),
                version,
                "{json}"
            );
        };
        check("", None);
        check("{\"ServerVersion\":\"\",\"ServerErrors\":[\"no\"]}", None);
        check("{\"ServerVersion\":\"20.10.24\"}", Some("20.10.24"));
        check(
            "{\"ServerVersion\":\"28.0\",\"CgroupVersion\":\"2\",\"Name\":\"a\"}",
            Some("28.0"),
        );
    }
}
