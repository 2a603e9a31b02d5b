//! The floor under every entry: the shipped NGINX, with its shipped share, in front of an NGINX
//! that answers a constant with all the rest of the CPU.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::fresh::{groups, used};
use super::measure::{Seen, services, shared};
use super::record::{Facts, GENERATOR, Record, floor_of};
use super::{Bench, Levels, Variant, load, usage};
use crate::checkout::checkout;
use crate::compose::{CONTEST, Limits};
use crate::error::Error;
use crate::folder::Private;
use crate::machine;
use crate::process::{Lifetime, Process, tail};
use crate::programs;
use crate::stack::{Address, Groups, Nginx};

/// Longer than a start takes; the end of patience, not a measure.
const PATIENCE: Duration = Duration::from_secs(30);
/// The group of what answers.
const BACK: &str = "back";

/// A floor that runs; it is stopped on drop.
pub(super) struct Floor {
    pub front: Nginx,
    pub groups: Option<Arc<Groups>>,
    back: Process,
    private: Private,
}

impl Floor {
    /// Starts the one under `variant`, with its NGINX and the shares of that.
    ///
    /// # Errors
    /// NGINX does not start, or limits cannot be set.
    pub fn start(variant: &Variant) -> Result<Floor, Error> {
        let groups = groups(&under(variant))?;
        let private = Private::create()?;
        let address = ([127, 0, 0, 1], machine::free_port()?).into();
        let back = start_back(&private, groups.as_deref())?;
        let mut floor = Floor {
            front: Nginx {
                connections: None,
                proxy: variant.options.proxy,
                template: variant.options.nginx_conf.clone(),
                address,
                folder: private.path().join("nginx"),
                log: private.path().join("nginx.log"),
                process: None,
                groups: groups.clone(),
            },
            groups,
            back,
            private,
        };
        let folder = floor.private.path().join("back");
        let socket = |name: &str| Address::Unix(folder.join(name));
        floor
            .front
            .configure(&[socket("api1.sock"), socket("api2.sock")])?;
        floor.front.start(Lifetime::Owned(Signal::TERM))?;
        if let Some(process) = &floor.front.process {
            floor.private.note(process)?;
        }
        if let Some(groups) = &floor.groups {
            groups.take(BACK, floor.back.pid)?;
        }
        Ok(floor)
    }

    /// What both and the generator have used so far.
    ///
    /// # Errors
    /// A group cannot be read.
    pub fn seen(&self) -> Result<Seen, Error> {
        let front = self.front.process.as_ref().map(|process| process.pid);
        let of = |pid: Option<u32>| pid.map_or(0, usage::cpu_us);
        Ok(Seen {
            cpu: vec![
                ("nginx".to_owned(), of(front)),
                (BACK.to_owned(), of(Some(self.back.pid))),
                (GENERATOR.to_owned(), usage::ended_children_us()),
            ],
            groups: used(self.groups.as_deref())?,
            ..Seen::default()
        })
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        self.front.stop(Duration::from_secs(5));
        self.back.stop(Signal::QUIT, Duration::from_secs(5));
    }
}

/// A floor that is driven level by level.
struct Driven {
    floor: Floor,
    /// With the floor's own shares.
    variant: Variant,
    round: u32,
    url: String,
}

/// Starts a fresh one under `variant`, and warms it up.
///
/// # Errors
/// NGINX does not start, or limits cannot be set.
pub(super) fn start<'a>(
    bench: &Bench,
    variant: &'a Variant,
    round: u32,
) -> Result<Box<dyn Levels + 'a>, Error> {
    let floor = Floor::start(variant)?;
    let url = format!("http://{}", floor.front.address);
    if bench.warm_up > 0 {
        load::drive(bench, (&url, 64, bench.warm_up), 1, variant.mix)?;
    }
    Ok(Box::new(Driven {
        floor,
        variant: under(variant),
        round,
        url,
    }))
}

impl Levels for Driven {
    fn level(&mut self, bench: &Bench, seed: u32, connections: u32) -> Result<Record, Error> {
        let proxy = self.floor.front.proxy;
        let before = self.floor.seen()?;
        let to = (self.url.as_str(), connections, bench.seconds);
        let load = load::drive(bench, to, seed, self.variant.mix)?;
        let after = self.floor.seen()?;
        if load.statuses.keys().any(|status| *status != 200) {
            return Err(Error::new(format!(
                "the floor answered {:?}",
                load.statuses
            )));
        }
        Ok(Record {
            variant: floor_of(proxy).to_owned(),
            round: self.round,
            connections,
            facts: Facts::of_floor(proxy),
            requests_per_second: load.requests_per_second(),
            services: shared(services(&before, &after, &load), &self.variant),
            flights_per_second: None,
            operations_per_flight: None,
            largest_flight: None,
            check: None,
            load,
        })
    }
}

/// `variant` with what NGINX and what answers behind it may use.
fn under(variant: &Variant) -> Variant {
    let nginx = variant.shares.get("nginx").copied().unwrap_or_default();
    let rest = Limits {
        cpu_millis: CONTEST.cpu_millis - nginx.cpu_millis,
        memory_bytes: CONTEST.memory_bytes - nginx.memory_bytes,
    };
    Variant {
        shares: BTreeMap::from([("nginx".to_owned(), nginx), (BACK.to_owned(), rest)]),
        ..variant.clone()
    }
}

fn start_back(private: &Private, groups: Option<&Groups>) -> Result<Process, Error> {
    let folder = private.path().join("back");
    fs::create_dir_all(&folder).map_err(Error::while_doing(folder.display()))?;
    let shipped = checkout()?.join("perf").join("floor.nginx.conf");
    let conf = fs::read_to_string(&shipped).map_err(Error::while_doing(shipped.display()))?;
    let conf = conf.replace("FOLDER", &folder.display().to_string());
    let path = folder.join("nginx.conf");
    fs::write(&path, conf).map_err(Error::while_doing(path.display()))?;
    let log = private.path().join("back.log");
    let user = machine::nginx_account().map(|account| format!("user {};", account.name));
    let global = format!("daemon off; {}", user.unwrap_or_default());
    let mut command = Command::new(programs::nginx()?);
    command.arg("-c").arg(&path).arg("-p").arg(&folder);
    command.arg("-e").arg(&log).arg("-g").arg(global);
    let mut process = Process::start(command, &log, None, Lifetime::Owned(Signal::TERM))?;
    if let Some(groups) = groups {
        groups.take(BACK, process.pid)?;
    }
    private.note(&process)?;
    let start = Instant::now();
    while !folder.join("api2.sock").exists() {
        if process.ended().is_some() || start.elapsed() > PATIENCE {
            process.kill_group();
            let log = tail(&log, 20);
            return Err(Error::new(format!(
                "the floor's NGINX did not start:\n{log}"
            )));
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(process)
}
