//! `cargo xtask compose-test`: docker-compose.yml for real, with its limits in force.
//!
//! Each step brings one composition up, holds what the kernel says against the file, asks and
//! disturbs it, and takes it down with all that it stored; also after a failure or Ctrl-C. No image
//! that is here is pulled.

mod composition;
mod confinement;
mod container;
mod contract;
mod engine;
mod file;
mod images;
mod limits;
mod load;
mod overrides;
mod pressure;
mod prod;
mod report;
mod runner;
mod sockets;
mod usage;
mod variant;

use std::fs;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use crate::bench::commit;
use crate::checkout::checkout;
use crate::error::Error;
use crate::home::Home;
use crate::http::in_words;
use crate::machine;
use crate::stack::Driver;
use crate::{say, warn};
use composition::Composition;
use container::Container;
use engine::Engine;
pub(crate) use limits::thousandths;
pub use limits::{CONTEST, Limits, check_sum};
use load::LoadPlan;
use report::{Report, Step};
use runner::Runner;
pub use variant::{Seccomp, Variant};

/// The image that is built, if none is named: not the one that a user's `docker compose up` has.
const IMAGE: &str = "crebito:compose-test";
/// The bound that this project sets itself for a start; the contest's is 40 s.
const START_WANTED: Duration = Duration::from_secs(10);
/// For NGINX to find all replicas well once it answers.
const READY: Duration = Duration::from_secs(40);
/// GETs that show that every replica is asked.
const GETS: u32 = 60;
/// Seconds of load with `--quick`.
const QUICK_SECONDS: u32 = 20;

/// How to prove the composition.
#[derive(Clone, Debug, clap::Args)]
pub struct ComposeTest {
    /// The port on this machine; 0 is any free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// An image that is here, instead of building one
    #[arg(long)]
    image: Option<String>,
    /// How long the contest's load lasts; it grows in the first half of it
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u32).range(2..),
          conflicts_with = "quick")]
    seconds: u32,
    /// What fits into ten minutes: a short load, fewer variants
    #[arg(long)]
    quick: bool,
    /// A latency, or a request sent late, that the contest would fine is a failure, too: only on a
    /// quiet machine
    #[arg(long)]
    strict: bool,
    /// One variant alone: what the replicas' `IO_DRIVER` is
    #[arg(long, value_enum, default_value_t = Driver::Auto)]
    driver: Driver,
    /// One variant alone: the replicas' seccomp profile
    #[arg(long, value_enum, default_value_t = Seccomp::Shipped)]
    seccomp: Seccomp,
    /// One variant alone: how many replicas; the limits then sum to more
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(2..=4))]
    replicas: u8,
    /// Without a Docker daemon, or where it has no images, says so and is content
    #[arg(long)]
    if_docker: bool,
    /// JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// One composition and what is done to it.
#[derive(Clone, Debug, PartialEq)]
struct Plan {
    variant: Variant,
    /// Test files.
    tests: Vec<&'static str>,
    load: Option<LoadPlan>,
}

impl ComposeTest {
    /// That which is asked for alone; else the shipped one.
    fn variant(&self) -> Variant {
        Variant {
            driver: self.driver,
            seccomp: self.seccomp,
            replicas: self.replicas,
        }
    }

    fn plans(&self) -> Vec<Plan> {
        let variant = self.variant();
        let shipped = Variant::default();
        let more = [&contract::CONTRACT[..], &contract::MORE].concat();
        let all = [&more[..], &[contract::SECCOMP]].concat();
        let seconds = if self.quick {
            QUICK_SECONDS
        } else {
            self.seconds
        };
        let load = Some(LoadPlan {
            seconds,
            is_strict: self.strict,
        });
        let plan = |variant, tests: &[&'static str], load: Option<LoadPlan>| Plan {
            variant,
            tests: tests.to_vec(),
            load,
        };
        if variant != shipped {
            return vec![plan(variant, &more, None), plan(variant, &[], load)];
        }
        let epoll = Variant {
            driver: Driver::Epoll,
            ..shipped
        };
        let denied = Variant {
            seccomp: Seccomp::Denied,
            ..shipped
        };
        let four = Variant {
            replicas: 4,
            ..shipped
        };
        let mut plans = vec![
            plan(shipped, &all, None),
            plan(shipped, &[], load),
            plan(denied, &contract::CONTRACT, None),
            plan(four, &["contest"], None),
        ];
        if !self.quick {
            plans.push(plan(denied, &[], load));
            plans.push(plan(epoll, &more, None));
        }
        plans
    }
}

/// Proves the composition, and prints a table or JSON.
///
/// # Errors
/// There is no engine (unless that is allowed), or something is not as it must be: a sentence.
pub fn compose_test(task: &ComposeTest, interrupted: Arc<AtomicBool>) -> Result<(), Error> {
    let runner = Runner::new(interrupted);
    // Ctrl-C is no word on Docker.
    let may_skip = || task.if_docker && runner.go_on().is_ok();
    let engine = match Engine::find(runner.clone()) {
        Err(reason) if may_skip() => {
            say(format_args!("compose-test: skipped: {reason}"));
            return Ok(());
        }
        found => found?,
    };
    match images::fetch(&engine) {
        Err(reason) if may_skip() => {
            say(format_args!("compose-test: skipped: {reason}"));
            return Ok(());
        }
        fetched => fetched?,
    }
    let home = Home::find()?;
    let _lock = lock(&home)?;
    let project = home.project();
    let mut report = Report {
        commit: commit(),
        engine: engine.versions.clone(),
        images: Vec::new(),
        steps: Vec::new(),
    };
    let proven = prove_all(task, &engine, &project, &mut report);
    if !report.steps.is_empty() {
        report.print(task.json)?;
    }
    proven?;
    let faults = report.faults();
    match faults.is_empty() {
        true => Ok(()),
        false => Err(Error::new(faults.join("\n"))),
    }
}

/// One composition after the other; what was found is in the report, also after a failure.
fn prove_all(
    task: &ComposeTest,
    engine: &Engine,
    project: &str,
    report: &mut Report,
) -> Result<(), Error> {
    let image = task.image.clone().unwrap_or_else(|| IMAGE.to_owned());
    contract::build(&engine.runner)?;
    for (at, plan) in task.plans().iter().enumerate() {
        let port = if task.port == 0 {
            machine::free_port()?
        } else {
            task.port
        };
        let environment = vec![
            ("CREBITO_PORT", port.to_string()),
            ("CREBITO_IMAGE", image.clone()),
            ("IO_DRIVER", plan.variant.driver.as_str().to_owned()),
        ];
        let folder = plan.variant.folder(&checkout()?)?;
        let composition = Composition::new(engine, project, folder, environment, port)?;
        if at == 0 {
            images::prepare(&composition, &image, task.image.is_none())?;
            report.images = images::sizes(engine, &composition);
            images::check_size(&report.images, &image)?;
        }
        note(format_args!("{}: up", plan.variant.name()));
        report
            .steps
            .push(prove(engine, composition, plan, !task.quick)?);
    }
    if task.variant() == Variant::default() {
        report.steps.push(prod::prove(engine, project, &image)?);
        report
            .steps
            .extend(overrides::prove(engine, project, &image)?);
    }
    Ok(())
}

/// A line on how far it is; stdout is for the figures.
fn note(line: impl std::fmt::Display) {
    warn(format_args!("compose-test: {line}"));
}

/// Two at once would take each other's project down.
fn lock(home: &Home) -> Result<fs::File, Error> {
    fs::create_dir_all(&home.folder).map_err(Error::while_doing(home.folder.display()))?;
    let path = home.folder.join("compose-test.lock");
    let file = fs::File::create(&path).map_err(Error::while_doing(path.display()))?;
    let held = |_| Error::new("another compose-test of this checkout runs: wait for its end");
    flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(held)?;
    Ok(file)
}

/// One composition: up, proven, down.
fn prove(
    engine: &Engine,
    mut composition: Composition,
    plan: &Plan,
    must_be_soon: bool,
) -> Result<Step, Error> {
    let variant = &plan.variant;
    // Nothing of ours runs now: what is measured is the others.
    let before = pressure::Since::now();
    engine.runner.sleep(Duration::from_secs(1))?;
    let is_busy = before.until_now().is_busy();
    let (took, containers) = begin(&mut composition, variant)?;
    let mut faults = Vec::new();
    if took > START_WANTED {
        let (took, wanted) = (took.as_secs(), START_WANTED.as_secs());
        let slow = format!("ready after {took} s, more than {wanted} s");
        match must_be_soon && !is_busy {
            true => faults.push(slow),
            false => note(format_args!(
                "slow: {slow} (machine busy before: {is_busy})"
            )),
        }
    }
    let driver = driver(&composition, &containers, variant)?;
    let operations = all_serve(&composition, &containers)?;
    let mut passed = Vec::new();
    for name in &plan.tests {
        if *name == contract::WIRE && composition.sockets().is_none() {
            // They ask a replica behind NGINX's back.
            note(format_args!(
                "tests/{name} is skipped: only root reaches the replicas' sockets"
            ));
            continue;
        }
        note(format_args!("{}: tests/{name}", variant.name()));
        // A replica that a test killed and started is another process.
        let bank = contract::bank(&composition, &composition.containers()?, &driver);
        passed.push((
            (*name).to_owned(),
            contract::run(&engine.runner, name, &bank)?,
        ));
    }
    let load = match plan.load {
        Some(load) => {
            let seconds = load.seconds;
            note(format_args!("{}: {seconds} s of load", variant.name()));
            Some(load::drive(&composition, &containers, load)?)
        }
        None => None,
    };
    composition.take_down()?;
    Ok(Step {
        name: variant.name(),
        driver,
        start_ms: took.as_millis(),
        tests: passed,
        operations,
        load,
        faults,
    })
}

/// Brings a composition up, and holds what is in force against its file. Returns the time to the
/// first answer.
fn begin(
    composition: &mut Composition,
    variant: &Variant,
) -> Result<(Duration, Vec<Container>), Error> {
    if variant.replicas == Variant::default().replicas {
        check_sum(&composition.file.limits())?;
    }
    let took = composition.up()?;
    composition.wait_for("/health", READY)?;
    let containers = composition.containers()?;
    confinement::check(composition, &containers)?;
    confinement::check_database(&containers)?;
    composition.database_is_content()?;
    composition.execute("nginx", &["nginx", "-t", "-q"])?;
    Ok((took, containers))
}

/// The driver that all replicas run on.
///
/// # Errors
/// They differ, or it is not the one that the variant must lead to.
fn driver(
    composition: &Composition,
    containers: &[Container],
    variant: &Variant,
) -> Result<String, Error> {
    let health = composition.health(containers)?;
    let drivers = health
        .iter()
        .filter_map(|replica| replica.get("driver")?.as_str());
    let mut drivers: Vec<&str> = drivers.collect();
    drivers.sort_unstable();
    drivers.dedup();
    match (&drivers[..], variant.expected_driver()) {
        ([driver], None) => Ok((*driver).to_owned()),
        ([driver], Some(expected)) if *driver == expected => Ok((*driver).to_owned()),
        (_, expected) => {
            let expected = expected.unwrap_or("the same");
            let logs = composition.logs();
            let name = variant.name();
            Err(Error::new(format!(
                "{name}: the replicas run on {drivers:?}, not on {expected}\n{logs}"
            )))
        }
    }
}

/// Asks through NGINX until each replica has had something to do.
///
/// # Errors
/// One was never asked, or a request was not answered with 200.
fn all_serve(composition: &Composition, containers: &[Container]) -> Result<Vec<u64>, Error> {
    for _ in 0..GETS {
        let path = "/clientes/1/extrato";
        let said = composition.get(path);
        if !said.as_ref().is_ok_and(|(status, _)| *status == 200) {
            return Err(Error::new(in_words(path, &said)));
        }
    }
    let health = composition.health(containers)?;
    let operations = health
        .iter()
        .map(|replica| replica.get("operations")?.as_u64());
    let operations: Vec<u64> = operations.map(|count| count.unwrap_or(0)).collect();
    match operations.contains(&0) {
        true => Err(Error::new(format!(
            "not every replica is asked: {operations:?}"
        ))),
        false => Ok(operations),
    }
}
