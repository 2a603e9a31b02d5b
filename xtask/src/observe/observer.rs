//! Prometheus and PostgreSQL's exporter, as processes over one folder.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::files_in;
use crate::checkout::checkout;
use crate::error::Error;
use crate::http;
use crate::machine;
use crate::process::{Lifetime, Process, tail};
use crate::programs;
use crate::stack::{Address, ROLE, SUPERUSER, Stack, psql_at};
use crate::state::State;

/// Longer than a start takes, with a log of samples to read; the end of patience, not a measure.
const PATIENCE: Duration = Duration::from_secs(60);

/// What there is to look at.
#[derive(Clone, Debug, PartialEq)]
pub struct Targets {
    /// The replicas' names, each with the `host:port` of its /metrics.
    pub replicas: Vec<(String, String)>,
    /// The folder of PostgreSQL's Unix socket.
    pub sockets: PathBuf,
}

impl Targets {
    /// Those of a stack that was started with [`crate::stack::Options::admin`].
    pub fn of_stack(stack: &Stack) -> Targets {
        let admins = stack.replicas().into_iter().map(|replica| replica.admin);
        Targets {
            replicas: named(admins.map(|admin| admin.map(|admin| admin.to_string()))),
            sockets: stack.postgres().socket_folder().to_owned(),
        }
    }

    pub(super) fn of_state(state: &State) -> Result<Targets, Error> {
        let admins = state.replicas.iter().map(|replica| replica.admin.clone());
        let replicas = named(admins);
        if replicas.is_empty() {
            let sentence = "the stack that runs serves no metrics: `cargo xtask down`, then `up`";
            return Err(Error::new(sentence));
        }
        Ok(Targets {
            replicas,
            sockets: state.run.join("pg"),
        })
    }
}

fn named(admins: impl Iterator<Item = Option<String>>) -> Vec<(String, String)> {
    let named = |(admin, number): (Option<String>, u32)| Some((format!("api{number}"), admin?));
    admins.zip(1..).filter_map(named).collect()
}

/// Both at work; stopped on drop.
#[derive(Debug)]
pub struct Observer {
    folder: PathBuf,
    url: String,
    address: SocketAddr,
    prometheus: Process,
    exporter: Exporter,
}

/// PostgreSQL's exporter, with what it was told.
#[derive(Debug)]
struct Exporter {
    address: SocketAddr,
    source: String,
    process: Process,
}

impl Observer {
    /// Starts both, with configuration, samples and logs in `folder`, and waits until they answer.
    ///
    /// # Errors
    /// A program is missing or does not start; the error has the end of its log.
    pub fn start(folder: &Path, port: Option<u16>, targets: &Targets) -> Result<Observer, Error> {
        for below in ["rules", "targets", "log", "page/dashboards"] {
            let path = folder.join(below);
            fs::create_dir_all(&path).map_err(Error::while_doing(path.display()))?;
        }
        configure(folder)?;
        // Whoever is there would be taken for ours.
        if let Some(refusal) = port.and_then(machine::port_refusal) {
            return Err(refusal);
        }
        let exporter = Exporter::start(folder, &targets.sockets)?;
        let port = port.map_or_else(machine::free_port, Ok)?;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let flag = |name: &str, value: &Path| format!("--{name}={}", value.display());
        let mut command = Command::new(programs::prometheus("prometheus")?);
        command
            .arg(flag("config.file", &folder.join("prometheus.yml")))
            .arg(flag("storage.tsdb.path", &folder.join("data")))
            .arg(flag("web.user-assets", &folder.join("page")))
            .arg(format!("--web.listen-address={address}"))
            // k6 writes its own metrics here.
            .arg("--web.enable-remote-write-receiver")
            .arg("--log.level=warn");
        let log = folder.join("log").join("prometheus.log");
        let mut prometheus = Process::start(command, &log, None, Lifetime::Owned(Signal::TERM))?;
        wait_until_ready("Prometheus", &mut prometheus, address, "/-/ready")?;
        let observer = Observer {
            folder: folder.to_owned(),
            url: format!("http://{address}"),
            address,
            prometheus,
            exporter,
        };
        observer.write_targets(targets)?;
        Ok(observer)
    }

    /// Prometheus'.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// PostgreSQL's metrics.
    pub fn exporter_url(&self) -> String {
        format!("http://{}/metrics", self.exporter.address)
    }

    /// Looks at these from now on.
    ///
    /// # Errors
    /// PostgreSQL is not there, or the files cannot be written.
    pub fn look_at(&mut self, targets: &Targets) -> Result<(), Error> {
        if self.exporter.source != source(&targets.sockets)? {
            self.exporter.process.stop(Signal::TERM, PATIENCE);
            self.exporter = Exporter::start(&self.folder, &targets.sockets)?;
        }
        self.write_targets(targets)
    }

    /// Prometheus notices by itself.
    fn write_targets(&self, targets: &Targets) -> Result<(), Error> {
        let replicas = targets.replicas.iter();
        let replicas: Value = replicas.map(|(name, at)| group(name, at)).collect();
        let database = json!([group("db", &self.exporter.address.to_string())]);
        for (name, groups) in [("crebito", replicas), ("postgresql", database)] {
            let file = self.folder.join("targets").join(name).with_extension("yml");
            // In one step: it may be read at any moment. (JSON is YAML.)
            let new = file.with_extension("new");
            fs::write(&new, groups.to_string())
                .and_then(|()| fs::rename(&new, &file))
                .map_err(Error::while_doing(file.display()))?;
        }
        Ok(())
    }

    /// What Prometheus answers to `expression` at this moment: the list of what it found.
    ///
    /// # Errors
    /// It does not answer, or finds the expression wrong.
    pub fn query(&self, expression: &str) -> Result<Vec<Value>, Error> {
        let encoded = utf8_percent_encode(expression, NON_ALPHANUMERIC);
        let path = format!("/api/v1/query?query={encoded}");
        let (_, body) = http::get(&Address::Tcp(self.address), "localhost", &path)
            .map_err(Error::while_doing(format!("{}{path}", self.url)))?;
        let mut answer: Value = serde_json::from_str(&body).map_err(Error::while_doing(&body))?;
        match answer["data"]["result"].take() {
            Value::Array(found) => Ok(found),
            _ => Err(Error::new(format!("{expression}: {body}"))),
        }
    }

    /// A sentence for each that has ended since this was last asked.
    pub(super) fn ended_parts(&mut self) -> Vec<String> {
        let parts = [
            ("Prometheus", &mut self.prometheus),
            ("PostgreSQL's exporter", &mut self.exporter.process),
        ];
        let ended = |(name, process): (&str, &mut Process)| {
            let status = process.ended()??;
            // Said once.
            *process = Process::once(process.pid, process.started, &process.log);
            Some(format!(
                "{name} has ended ({status}): {}",
                process.log.display()
            ))
        };
        parts.into_iter().filter_map(ended).collect()
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.prometheus.stop(Signal::TERM, PATIENCE);
    }
}

impl Exporter {
    /// Starts it as the role `monitor`, which is made if it is not there.
    fn start(folder: &Path, sockets: &Path) -> Result<Exporter, Error> {
        let role = checkout()?.join("observability/postgres/monitor.sql");
        let sql = fs::read_to_string(&role).map_err(Error::while_doing(role.display()))?;
        psql_at(sockets, port(sockets)?, SUPERUSER, ROLE, &sql)
            .map_err(Error::while_doing(role.display()))?;
        let address = SocketAddr::from(([127, 0, 0, 1], machine::free_port()?));
        let source = source(sockets)?;
        let mut command = Command::new(programs::postgres_exporter()?);
        command
            .arg(format!("--web.listen-address={address}"))
            .env("DATA_SOURCE_NAME", &source);
        let log = folder.join("log").join("postgres-exporter.log");
        let mut process = Process::start(command, &log, None, Lifetime::Owned(Signal::TERM))?;
        wait_until_ready("PostgreSQL's exporter", &mut process, address, "/metrics")?;
        Ok(Exporter {
            address,
            source,
            process,
        })
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.process.stop(Signal::TERM, PATIENCE);
    }
}

/// How the exporter finds the database: over its Unix socket, without a password.
fn source(sockets: &Path) -> Result<String, Error> {
    let (folder, port) = (sockets.display(), port(sockets)?);
    Ok(format!(
        "user=monitor dbname={ROLE} host={folder} port={port} sslmode=disable"
    ))
}

/// PostgreSQL's port, which is part of its Unix socket's name.
fn port(sockets: &Path) -> Result<u16, Error> {
    let entries = fs::read_dir(sockets).map_err(Error::while_doing(sockets.display()))?;
    let names = entries.flatten().map(|entry| entry.file_name());
    let port = |name: std::ffi::OsString| name.to_str()?.strip_prefix(".s.PGSQL.")?.parse().ok();
    let mut ports = names.filter_map(port);
    let none = || {
        Error::new(format!(
            "no PostgreSQL has a socket in {}",
            sockets.display()
        ))
    };
    ports.next().ok_or_else(none)
}

/// One target, in the form of `file_sd_configs`.
fn group(name: &str, address: &str) -> Value {
    json!({ "targets": [address], "labels": { "instance": name } })
}

/// Prometheus' own files, beside the targets that are this stack's, and the page at /user/.
fn configure(folder: &Path) -> Result<(), Error> {
    let checkout = checkout()?;
    let observability = checkout.join("observability");
    let mut files = vec![(observability.join("prometheus.yml"), folder.to_owned())];
    for (from, extension, to) in [
        (observability.join("rules"), "yml", "rules"),
        // What draws the dashboards where there is no Grafana.
        (observability.join("page"), "html", "page"),
        (observability.join("page"), "js", "page"),
        (checkout.join("xtask/vendor/uplot"), "js", "page"),
        (checkout.join("xtask/vendor/uplot"), "css", "page"),
        (
            observability.join("grafana/dashboards"),
            "json",
            "page/dashboards",
        ),
    ] {
        let found = files_in(&from, extension)?;
        files.extend(found.into_iter().map(|file| (file, folder.join(to))));
    }
    for (file, folder) in files {
        let name = file.file_name().unwrap_or_default();
        fs::copy(&file, folder.join(name)).map_err(Error::while_doing(file.display()))?;
    }
    Ok(())
}

fn wait_until_ready(
    name: &str,
    process: &mut Process,
    address: SocketAddr,
    path: &str,
) -> Result<(), Error> {
    let start = Instant::now();
    let failure = loop {
        if process.ended().is_some() {
            break "did not start";
        }
        if http::get(&Address::Tcp(address), "localhost", path)
            .is_ok_and(|(status, _)| status == 200)
        {
            return Ok(());
        }
        if start.elapsed() > PATIENCE {
            process.kill_group();
            break "does not answer";
        }
        thread::sleep(Duration::from_millis(20));
    };
    let log = tail(&process.log, 20);
    Err(Error::new(format!("{name} {failure}:\n{log}")))
}
