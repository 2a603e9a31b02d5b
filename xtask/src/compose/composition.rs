//! One project of compose: brought up, looked into, disturbed, taken down.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::container::Container;
use super::engine::Engine;
use super::file::File;
use super::variant::Folder;
use crate::checkout::checkout;
use crate::error::Error;
use crate::http::{self, Said, in_words};
use crate::stack::Address;

/// The contest's own bound from `up` to an answer.
pub(super) const START_MAX: Duration = Duration::from_secs(40);
/// Asked so often whether it is ready.
const ASKED_EVERY: Duration = Duration::from_millis(10);

/// A project, taken down on drop with all that it stored.
pub(super) struct Composition {
    engine: Engine,
    project: String,
    folder: Folder,
    /// Of the folder, the first of them and what goes on top of it.
    files: Vec<String>,
    /// What the files' variables are.
    environment: Vec<(&'static str, String)>,
    port: u16,
    pub file: File,
    is_up: bool,
}

/// Compose's arguments that say what it is about.
fn named(project: &str, files: &[String]) -> Vec<String> {
    // Each by its name: whoever calls us may have other files in force (COMPOSE_FILE, an override).
    let files = files.iter().flat_map(|file| ["-f", file]);
    let project = ["-p", project].into_iter();
    project.chain(files).map(str::to_owned).collect()
}

impl Composition {
    /// Reads the compose file of `folder`; nothing is started yet.
    ///
    /// # Errors
    /// The file is not clean: compose refuses it, or warns.
    pub fn new(
        engine: &Engine,
        project: &str,
        folder: Folder,
        environment: Vec<(&'static str, String)>,
        port: u16,
    ) -> Result<Composition, Error> {
        let mut composition = Composition {
            engine: engine.clone(),
            project: project.to_owned(),
            folder,
            files: vec!["docker-compose.yml".to_owned()],
            environment,
            port,
            file: File {
                services: Default::default(),
            },
            is_up: false,
        };
        composition.read()?;
        Ok(composition)
    }

    /// Takes several files together instead of the one.
    ///
    /// # Errors
    /// They are not clean.
    pub fn take_files(&mut self, files: &[&str]) -> Result<(), Error> {
        self.files = files.iter().map(|&file| file.to_owned()).collect();
        self.read()
    }

    fn read(&mut self) -> Result<(), Error> {
        let mut check = self.compose(&["config", "-q"]);
        let output = self.engine.runner.output(&mut check)?;
        let said = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() || !said.trim().is_empty() {
            return Err(Error::of_program("`config` is not clean", &output));
        }
        let config = self.engine.runner.ask(&mut self.compose(&["config"]))?;
        self.file = File::read(&config)?;
        Ok(())
    }

    /// Where its file is.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Builds what the file builds, with its output on the terminal's stderr, as stdout is for the
    /// figures. No image that is here is pulled.
    pub fn build(&self) -> Result<(), Error> {
        let mut command = self.compose(&["build"]);
        // A changed copy of the checkout has no sources.
        command.current_dir(checkout()?).stdout(std::io::stderr());
        let status = self.engine.runner.run(&mut command)?;
        let failed = || Error::new(format!("compose build: {status}"));
        status.success().then_some(()).ok_or_else(failed)
    }

    /// Starts everything, its images being there. Returns the time to the first answer of NGINX
    /// with 200 to /healthz.
    ///
    /// # Errors
    /// It is not ready within the contest's 40 s.
    pub fn up(&mut self) -> Result<Duration, Error> {
        // What a killed run of the same name left.
        self.down(&self.engine)?;
        self.is_up = true;
        let start = Instant::now();
        let mut up = self.compose(&["up", "-d", "--no-build"]);
        let output = self.engine.runner.output(&mut up)?;
        if !output.status.success() {
            let failed = Error::of_program("`up` failed", &output);
            return Err(Error::new(format!("{failed}\n{}", self.logs())));
        }
        self.wait_for("/healthz", START_MAX)?;
        let took = start.elapsed();
        if took > START_MAX {
            return Err(Error::new(format!(
                "it was ready after {took:.1?}; the contest allows {START_MAX:?}"
            )));
        }
        Ok(took)
    }

    /// Waits until NGINX answers 200 to `path`.
    pub fn wait_for(&self, path: &str, patience: Duration) -> Result<(), Error> {
        let start = Instant::now();
        loop {
            let said = self.get(path);
            if said.as_ref().is_ok_and(|(status, _)| *status == 200) {
                return Ok(());
            }
            if start.elapsed() > patience {
                return Err(Error::new(format!(
                    "not ready within {patience:?}: {}\n{}",
                    in_words(path, &said),
                    self.logs()
                )));
            }
            self.engine.runner.sleep(ASKED_EVERY)?;
        }
    }

    /// Status and body, through NGINX.
    pub fn get(&self, path: &str) -> Said {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        http::get(&Address::Tcp(address), "localhost", path)
    }

    /// NGINX's, for load and tests.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// All containers of the project, in the order of their services.
    pub fn containers(&self) -> Result<Vec<Container>, Error> {
        let label = format!("label=com.docker.compose.project={}", self.project);
        let mut list = self.engine.docker();
        let runner = &self.engine.runner;
        let ids = runner.ask(list.args(["ps", "-aq", "--no-trunc", "--filter", &label]))?;
        let mut inspect = self.engine.docker();
        let json = runner.ask(inspect.arg("inspect").args(ids.lines()))?;
        let mut all = Container::read(&json)?;
        all.sort_by(|one, other| one.service().cmp(other.service()));
        let found: Vec<&str> = all.iter().map(Container::service).collect();
        let expected: Vec<&str> = self.file.services.keys().map(String::as_str).collect();
        if found != expected {
            return Err(Error::new(format!(
                "there are containers of {found:?}, not one for each of {expected:?}"
            )));
        }
        Ok(all)
    }

    /// What a command inside the container of `service` says.
    pub fn execute(&self, service: &str, words: &[&str]) -> Result<String, Error> {
        let mut command = self.compose(&["exec", "-T", service]);
        self.engine.runner.ask(command.args(words))
    }

    /// What each replica says of itself, by its own `health`.
    pub fn health(&self, containers: &[Container]) -> Result<Vec<Value>, Error> {
        let replicas = containers
            .iter()
            .filter(|one| one.service().starts_with("api"));
        let ask = |replica: &Container| {
            let mut command = self.engine.docker();
            command.args(["exec", replica.name(), "/crebito", "health"]);
            let said = self.engine.runner.ask(&mut command)?;
            serde_json::from_str(&said).map_err(Error::while_doing(&said))
        };
        replicas.map(ask).collect()
    }

    /// The beginning of a command line for SQL in the database's container.
    pub fn psql(&self, containers: &[Container]) -> Vec<String> {
        let environment = self.file.services.get("db").map(|db| &db.environment);
        let variable = |name| {
            let value = environment.and_then(|environment| environment.get(name));
            value.cloned().unwrap_or_default()
        };
        let docker = self.engine.docker_path().display().to_string();
        let mut databases = containers.iter().filter(|one| one.service() == "db");
        let name = databases.next().map_or("", Container::name).to_owned();
        let mut words = vec![docker];
        words.extend(["exec", "-i"].map(str::to_owned));
        words.extend([name, "psql".to_owned(), "-XAtq".to_owned()]);
        words.extend(["-U".to_owned(), variable("POSTGRES_USER")]);
        words.extend(["-d".to_owned(), variable("POSTGRES_DB")]);
        words
    }

    /// What the database answers.
    pub fn sql(&self, containers: &[Container], sql: &str) -> Result<String, Error> {
        let words = self.psql(containers);
        let mut psql = self.engine.docker();
        psql.args(words.iter().skip(1))
            .args(["-v", "ON_ERROR_STOP=1", "-c", sql]);
        self.engine.runner.ask(&mut psql)
    }

    /// That nothing of a start is an error to the database: whoever reads its log must find only
    /// what is wrong.
    ///
    /// # Errors
    /// Its log has such a line.
    pub fn database_is_content(&self) -> Result<(), Error> {
        let mut logs = self.compose(&["logs", "--no-color", "db"]);
        let log = self.engine.runner.ask(&mut logs)?;
        let complains = |line: &&str| line.contains(" FATAL: ") || line.contains(" ERROR: ");
        match log.lines().find(complains) {
            Some(line) => Err(Error::new(format!("the start is not quiet: {line}"))),
            None => Ok(()),
        }
    }

    /// The folder of the replicas' sockets, where this process may look into it.
    pub fn sockets(&self) -> Option<PathBuf> {
        let volume = format!("{}_api-sockets", self.project);
        let mut inspect = self.engine.docker();
        inspect.args(["volume", "inspect", "--format", "{{.Mountpoint}}", &volume]);
        let folder = PathBuf::from(self.engine.runner.ask(&mut inspect).ok()?);
        folder.join("api1.sock").exists().then_some(folder)
    }

    /// The last lines of every container.
    pub fn logs(&self) -> String {
        let mut logs = self.compose(&["logs", "--no-color", "--tail", "20"]);
        let output = Engine::unstoppable(&self.engine).runner.output(&mut logs);
        let said = output.map(|output| output.stdout).unwrap_or_default();
        String::from_utf8_lossy(&said).into_owned()
    }

    /// Stops everything, and removes containers, networks and volumes.
    pub fn take_down(mut self) -> Result<(), Error> {
        self.is_up = false;
        self.down(&self.engine.unstoppable())
    }

    fn down(&self, engine: &Engine) -> Result<(), Error> {
        let mut down = self.compose(&["down", "-v", "--remove-orphans"]);
        engine.runner.ask(&mut down).map(drop)
    }

    fn compose(&self, words: &[&str]) -> Command {
        let mut command = self.engine.compose();
        command.args(named(&self.project, &self.files)).args(words);
        // The old compose looks for a seccomp profile where it is run.
        command.current_dir(self.folder.path());
        command.env_remove("COMPOSE_PROFILES");
        for (name, value) in &self.environment {
            command.env(name, value);
        }
        command
    }
}

impl Drop for Composition {
    fn drop(&mut self) {
        if self.is_up
            && let Err(error) = self.down(&self.engine.unstoppable())
        {
            crate::warn(format_args!(
                "{error}\nWhat is left of it: docker ps -a --filter \
                 label=com.docker.compose.project={}",
                self.project
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compose_is_told_its_project_and_each_file() {
        let check = |files: &[&str], expected: &str| {
            let files: Vec<String> = files.iter().map(|&file| file.to_owned()).collect();
            assert_eq!(named("bank", &files).join(" "), expected);
        };
        check(&["a.yml"], "-p bank -f a.yml");
        check(&["a.yml", "b.yml"], "-p bank -f a.yml -f b.yml");
    }
}
