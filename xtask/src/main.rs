//! `cargo xtask`: crebito's tasks.

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::{Parser, Subcommand};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use xtask::Error;
use xtask::bench::compare::{self, Compare};
use xtask::bench::{self, Bench};
use xtask::build;
use xtask::checkout::checkout;
use xtask::compose::{self, ComposeTest};
use xtask::down;
use xtask::home::Home;
use xtask::install::{self, Need};
use xtask::k6::{self, K6};
use xtask::observe::{self, Observe};
use xtask::stack::{Driver, Options, Proxy, Sockets};
use xtask::under_load::{self, UnderLoad};
use xtask::up::{self, Up};

/// The exit status of `status` when a part has ended.
const NOT_ALL_RUN: u8 = 3;

/// Starts, tests and measures the bank.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Builds everything, starts PostgreSQL, the replicas and NGINX, and stops them at Ctrl-C
    Up(UpArguments),
    /// Stops what `up` started; the data is kept
    Down,
    /// Says what runs and where: addresses, processes, data, sockets
    ///
    /// Exits with 0 if all that was started runs, or nothing was; with 3 if not all of it runs.
    Status {
        /// For tools: url, replicas, `database_url` and more; `null` if nothing runs
        #[arg(long)]
        json: bool,
    },
    /// Stops the stack and removes all that it made, the data too
    Clean,
    /// Runs every test of the workspace; arguments go on to `cargo test`
    Test {
        /// For `cargo test`
        #[arg(allow_hyphen_values = true)]
        arguments: Vec<String>,
        /// For the tests themselves
        #[arg(last = true)]
        of_tests: Vec<String>,
    },
    /// Drives a fresh, durable stack with the contest's mix; prints what it did and what it cost
    Bench(BenchArguments),
    Compare(Compare),
    /// Loads the running bank with k6: as the contest does, to saturation, for hours; or checks it
    K6(K6),
    /// Watches the bank that `up` runs, until Ctrl-C: Prometheus, its rules, PostgreSQL's exporter
    Observe(Observe),
    /// Makes Grafana's dashboards of observability/dashboards
    Dashboards,
    /// Runs a command, such as a profiler, while a private stack is driven: perf/README.md
    UnderLoad(UnderLoadArguments),
    /// Brings docker-compose.yml up for real, proves it within its limits, and takes it down
    ///
    /// Unless one variant alone is asked for, production's composition and the overrides (stream,
    /// reckless) are proven as well.
    ComposeTest(ComposeTest),
}

#[derive(Debug, clap::Args)]
struct BenchArguments {
    #[command(flatten)]
    bench: Bench,
    /// A setting of each replica, NAME=VALUE; may be given again
    #[arg(long, value_parser = pair)]
    env: Vec<(String, String)>,
    /// A setting of PostgreSQL, NAME=VALUE; may be given again
    #[arg(long, value_parser = pair)]
    postgres: Vec<(String, String)>,
    #[command(flatten)]
    stack: StackArguments,
}

#[derive(Debug, clap::Args)]
struct UnderLoadArguments {
    #[command(flatten)]
    stack: StackArguments,
    #[command(flatten)]
    under_load: UnderLoad,
}

#[derive(Debug, clap::Args)]
struct UpArguments {
    /// Returns once all is ready, and leaves it running
    #[arg(long)]
    detach: bool,
    /// Starts with an empty bank; without it the data of the last run is there again
    #[arg(long)]
    fresh: bool,
    /// NGINX's port on 127.0.0.1; 0 is any free one
    #[arg(long, default_value_t = 9999)]
    port: u16,
    #[command(flatten)]
    stack: StackArguments,
}

#[derive(Debug, clap::Args)]
struct StackArguments {
    /// How many replicas
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=64))]
    replicas: u8,
    /// Threads of each replica, or `auto`: as many as there are CPUs to use
    #[arg(long, default_value = "1", value_parser = workers)]
    workers: usize,
    /// How replicas do I/O; `auto` takes `io_uring` where it is to be had
    #[arg(long, value_enum, default_value_t = Driver::Auto)]
    driver: Driver,
    /// What the parts talk over; on TCP PostgreSQL asks for a password
    #[arg(long, value_enum, default_value_t = Sockets::Unix)]
    sockets: Sockets,
    /// How NGINX stands before them: by nginx.conf, or as a pipe of bytes by nginx.stream.conf
    #[arg(long, value_enum, default_value_t = Proxy::Http)]
    proxy: Proxy,
    /// A binary of the server to run, instead of a release build of this checkout
    #[arg(long, value_name = "FILE", value_parser = build::named)]
    crebito: Option<PathBuf>,
}

impl StackArguments {
    fn options(&self) -> Options {
        Options {
            replicas: self.replicas.into(),
            workers: self.workers,
            driver: self.driver,
            sockets: self.sockets,
            proxy: self.proxy,
            ..Options::new(self.crebito.clone().unwrap_or_default())
        }
    }
}

impl UpArguments {
    fn up(&self) -> Up {
        Up {
            options: Options {
                port: self.port,
                ..self.stack.options()
            },
            build: self.stack.crebito.is_none(),
            detach: self.detach,
            fresh: self.fresh,
        }
    }
}

impl BenchArguments {
    fn options(&self) -> Options {
        Options {
            env: self.env.clone(),
            postgres_settings: self.postgres.clone(),
            ..self.stack.options()
        }
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn workers(text: &str) -> Result<usize, String> {
    match text {
        "auto" => Ok(std::thread::available_parallelism().map_or(1, usize::from)),
        number => match number.parse() {
            Ok(workers @ 1..=64) => Ok(workers),
            _ => Err("`auto` or a number from 1 to 64".to_owned()),
        },
    }
}

fn main() -> ExitCode {
    match run(Arguments::parse().task) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("cargo xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<ExitCode, Error> {
    match task {
        Task::Up(arguments) => {
            let up = arguments.up();
            up::up(&Home::find()?, &up, interrupts()?.as_ref())?;
        }
        Task::Down => down::down(&Home::find()?)?,
        Task::Status { json } => {
            let all_run = down::status(&Home::find()?, json)?;
            return Ok(ExitCode::from(if all_run { 0 } else { NOT_ALL_RUN }));
        }
        Task::Clean => down::clean(&Home::find()?)?,
        Task::Test {
            arguments,
            of_tests,
        } => return test(&arguments, &of_tests),
        Task::Bench(arguments) => {
            let build = arguments.stack.crebito.is_none();
            bench::bench(&arguments.bench, arguments.options(), build)?;
        }
        Task::Compare(task) => {
            compare::compare(&task, interrupts()?.as_ref())?;
        }
        Task::K6(arguments) => {
            // k6 hears Ctrl-C as well, and still says what it has.
            interrupts()?;
            k6::task(&arguments)?;
        }
        Task::Observe(task) => observe::observe(&Home::find()?, &task, interrupts()?.as_ref())?,
        Task::Dashboards => observe::dashboard::write()?,
        Task::UnderLoad(arguments) => {
            let interrupted = interrupts()?;
            let build = arguments.stack.crebito.is_none();
            let options = arguments.stack.options();
            under_load::under_load(&arguments.under_load, options, build, &interrupted)?;
        }
        Task::ComposeTest(task) => compose::compose_test(&task, interrupts()?)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Set by Ctrl-C and SIGTERM. Asked twice, this ends at once, and so do the processes that it
/// started; a composition or another's bank stays up.
fn interrupts() -> Result<Arc<AtomicBool>, Error> {
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        flag::register_conditional_shutdown(signal, 130, interrupted.clone())
            .map_err(Error::while_doing("Ctrl-C"))?;
        flag::register(signal, interrupted.clone()).map_err(Error::while_doing("Ctrl-C"))?;
    }
    Ok(interrupted)
}

/// Every test, also after one that failed, with the programs that they need.
fn test(arguments: &[String], of_tests: &[String]) -> Result<ExitCode, Error> {
    install::ensure(&[
        Need::PostgreSql,
        Need::Nginx,
        Need::NginxStream,
        Need::Wrk,
        Need::Chromium,
        Need::Prometheus,
        Need::PostgresExporter,
    ])?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(["test", "--workspace", "--no-fail-fast"])
        .args(arguments)
        .current_dir(checkout()?);
    if !of_tests.is_empty() {
        command.arg("--").args(of_tests);
    }
    let status = command.status().map_err(Error::while_doing("cargo test"))?;
    let code = status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(1);
    Ok(ExitCode::from(code))
}
