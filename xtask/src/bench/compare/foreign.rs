//! A bank that is not ours, while it runs: started, asked, measured and stopped as described.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::super::measure::Seen;
use super::super::record::GENERATOR;
use super::super::usage;
use super::description::{Description, Postgres, Service};
use crate::cgroup::Cgroup;
use crate::error::Error;
use crate::http;
use crate::process::{Lifetime, Process, family, tail};
use crate::programs;
use crate::stack::Address;
use crate::url;
use rustix::process::Signal;

/// One that runs; what was started is stopped on drop.
pub(super) struct Foreign {
    description: Description,
    pub address: SocketAddr,
    /// What `start` began. Without it the bank is somebody else's, and never stopped.
    process: Option<Process>,
    /// None if it does not say what its services are.
    services: BTreeMap<String, Found>,
    log: tempfile::NamedTempFile,
}

enum Found {
    Cgroup(Cgroup),
    Pid(u32),
}

impl Foreign {
    /// Starts it, if it is to be started, and waits until it is ready.
    ///
    /// # Errors
    /// It does not start, or never gets ready; the error has the end of what it said.
    pub fn start(description: &Description) -> Result<Foreign, Error> {
        let log = tempfile::NamedTempFile::new().map_err(Error::while_doing("a log"))?;
        let mut foreign = Foreign {
            address: resolved(&description.url)?,
            description: description.clone(),
            process: None,
            services: BTreeMap::new(),
            log,
        };
        if let Some(line) = &description.start {
            if foreign.answers() {
                let sentence = format!("something answers at {} already", description.url);
                return Err(Error::new(sentence));
            }
            let command = description.shell(line);
            let lifetime = Lifetime::Owned(Signal::TERM);
            foreign.process = Some(Process::start(command, foreign.log.path(), None, lifetime)?);
        }
        foreign.wait_until_ready()?;
        foreign.find_services()?;
        Ok(foreign)
    }

    pub fn url(&self) -> &str {
        &self.description.url
    }

    fn answers(&self) -> bool {
        let answer = http::get(
            &Address::Tcp(self.address),
            url::authority(self.url()),
            &self.description.ready,
        );
        answer.is_ok_and(|(status, _)| status == 200)
    }

    fn wait_until_ready(&mut self) -> Result<(), Error> {
        let start = Instant::now();
        let patience = Duration::from_secs(self.description.ready_seconds);
        while !self.answers() {
            let ended = self.process.as_mut().and_then(Process::ended).flatten();
            let failed = ended.filter(|status| !status.success());
            if failed.is_some() || start.elapsed() > patience {
                let ready = format!("{}{}", self.description.url, self.description.ready);
                let why = match failed {
                    Some(status) => format!(": what `start` began has ended ({status})"),
                    None => format!(" within {} s", patience.as_secs()),
                };
                let said = tail(self.log.path(), 20);
                let sentence = format!("{ready} is not answered with 200{why}\n{said}");
                return Err(Error::new(sentence.trim_end()));
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn find_services(&mut self) -> Result<(), Error> {
        for (name, service) in &self.description.services {
            let found = self.found(service).map_err(Error::while_doing(format!(
                "{}, service {name}",
                self.description.name
            )))?;
            self.services.insert(name.clone(), found);
        }
        let stays = self.process.as_ref().filter(|process| process.is_alive());
        if let (true, Some(process)) = (self.services.is_empty(), stays) {
            let whole = Found::Pid(process.pid);
            self.services.insert("server".to_owned(), whole);
        }
        Ok(())
    }

    fn found(&self, service: &Service) -> Result<Found, Error> {
        let number = |text: &str| {
            let text = text.trim();
            let number = text.parse().ok().filter(|&pid: &u32| pid > 0);
            number.ok_or_else(|| Error::new(format!("`{text}` is no process")))
        };
        match service {
            Service::Pid(pid) => Ok(Found::Pid(*pid)),
            Service::PidFile(path) => {
                let path = self.description.folder.join(path);
                let text = fs::read_to_string(&path).map_err(Error::while_doing(path.display()))?;
                number(&text).map(Found::Pid)
            }
            Service::Cgroup(name) => Cgroup::named(name).map(Found::Cgroup),
            Service::Container(name) => {
                let mut docker = Command::new("docker");
                docker.args(["inspect", "--format", "{{.State.Pid}}", name]);
                let output = docker.output().map_err(Error::while_doing("docker"))?;
                if !output.status.success() {
                    return Err(Error::of_program("docker", &output));
                }
                let pid = number(&String::from_utf8_lossy(&output.stdout))?;
                Cgroup::of(pid).map(Found::Cgroup)
            }
        }
    }

    /// What its services have used so far.
    pub fn seen(&self) -> Result<Seen, Error> {
        let mut seen = Seen::default();
        for (name, found) in &self.services {
            match found {
                Found::Cgroup(group) => {
                    seen.cpu.push((name.clone(), 0));
                    seen.groups.insert(name.clone(), group.used()?);
                }
                Found::Pid(pid) => {
                    seen.cpu.push((name.clone(), usage::cpu_us(*pid)));
                    let peaks = family(*pid).into_iter().filter_map(usage::peak_rss_kib);
                    seen.peak_rss_kib.insert(name.clone(), peaks.sum());
                }
            }
        }
        seen.cpu
            .push((GENERATOR.to_owned(), usage::ended_children_us()));
        Ok(seen)
    }

    /// Rows, and clientes that are wrong; none where the database is not known.
    pub fn counted(&self) -> Result<Option<(u64, u64)>, Error> {
        let Some(postgres) = &self.description.postgres else {
            return Ok(None);
        };
        let rows = self.ask(postgres, &postgres.rows)?;
        Ok(Some((rows, self.ask(postgres, &postgres.wrong)?)))
    }

    fn ask(&self, postgres: &Postgres, sql: &str) -> Result<u64, Error> {
        let flags = "-XAtq -v ON_ERROR_STOP=1";
        let mut command = match (&postgres.psql, &postgres.url) {
            (Some(psql), _) => self.description.shell(&format!("{psql} {flags}")),
            (None, url) => {
                let mut command = Command::new(programs::postgresql("psql")?);
                command.args(flags.split(' ')).args(url);
                command
            }
        };
        let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let spawned = pipes.stderr(Stdio::piped()).spawn();
        let mut child = spawned.map_err(Error::while_doing("psql"))?;
        if let Some(mut stdin) = child.stdin.take() {
            // What psql has to say of an early end is worth more than EPIPE.
            let _ = stdin.write_all(sql.as_bytes());
        }
        let output = child.wait_with_output();
        let output = output.map_err(Error::while_doing("psql"))?;
        if !output.status.success() {
            return Err(Error::of_program("psql", &output));
        }
        let said = String::from_utf8_lossy(&output.stdout);
        said.trim()
            .parse()
            .map_err(Error::while_doing(format!("`{}` for {sql}", said.trim())))
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        let Some(process) = &mut self.process else {
            return;
        };
        if let Some(line) = &self.description.stop {
            let mut stop = self.description.shell(line);
            let output = stop.stdin(Stdio::null()).output();
            if !output.as_ref().is_ok_and(|output| output.status.success()) {
                let name = &self.description.name;
                crate::warn(format!("{name} was not stopped by `{line}`: {output:?}"));
            }
        }
        process.stop(Signal::TERM, Duration::from_secs(10));
    }
}

fn resolved(url: &str) -> Result<SocketAddr, Error> {
    let addresses = url::addresses(url).map_err(Error::while_doing(url))?;
    let first = addresses.into_iter().next();
    first.ok_or_else(|| Error::new(format!("{url}: no address")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_leads_to_its_address() {
        let check = |url: &str, expected: &str| {
            assert_eq!(resolved(url).unwrap().to_string(), expected, "{url}");
        };
        check("http://127.0.0.1:9999", "127.0.0.1:9999");
        check("http://127.0.0.1/path", "127.0.0.1:80");
        check("http://localhost:9", "127.0.0.1:9");
        assert!(resolved("http://no such host").is_err());
    }
}
