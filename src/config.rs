//! The settings: every one with its environment variable, default and meaning, in one place.
//!
//! The only reader of the environment. `--help` prints what stands here; a bad value stops the
//! start with a sentence. Secrets are never printed, nor part of an error.

mod listen;
mod password;

use crate::journal;
use crate::limits;
use crate::pg::Target;
use clap::{Parser, Subcommand, ValueEnum};
pub use listen::Listen;
use std::str::FromStr;
use std::time::Duration;

/// The command line, with the environment behind it.
#[derive(Parser)]
#[command(
    name = "crebito",
    version,
    about = "A bank server for the Rinha de Backend 2024/Q1.",
    after_help = "PGPASSWORD, or the file that PGPASSWORD_FILE names (read once, at the start), \
                  is used when DATABASE_URL has no password. \
                  SIGTERM and SIGINT drain: the process ends within 10 s with status 0."
)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Verb>,

    /// Check the settings and reach the database once, then exit (0: all is well)
    #[arg(long)]
    check: bool,

    /// PostgreSQL, as libpq's URL: postgres://user:password@host:port/database, or with
    /// ?host=/folder for a Unix socket
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database_url: Option<String>,

    /// Where HTTP is served: host:port, or unix:/path (with several workers, path.N each)
    #[arg(
        long,
        env = "LISTEN",
        default_value = "0.0.0.0:8080",
        value_name = "ADDRESS"
    )]
    listen: Listen,

    /// Where /metrics is served, as host:port or unix:/path; off when not set
    #[arg(long, env = "ADMIN_LISTEN", value_name = "ADDRESS")]
    admin_listen: Option<Listen>,

    /// Threads, each with its own listener, connections and database session: a number, or auto
    /// (the floor of CPU quota and affinity)
    #[arg(long, env = "WORKERS", default_value = "1", value_name = "N|auto")]
    workers: Workers,

    /// How the kernel is asked: io_uring, epoll, or auto (io_uring where it is to be had)
    #[arg(long, env = "IO_DRIVER", default_value = "auto", value_name = "DRIVER")]
    io_driver: IoDriver,

    /// How the kernel schedules the threads: batch (SCHED_BATCH: one that is woken waits until the
    /// one that runs sleeps, or its slice is over), or inherit (as the process was started)
    #[arg(
        long,
        env = "SCHED_POLICY",
        default_value = "batch",
        value_name = "POLICY"
    )]
    sched_policy: SchedPolicy,

    /// Connections of one worker; one more is answered 503 and closed
    #[arg(long, env = "MAX_CONNECTIONS", default_value_t = limits::CONNECTIONS_MAX,
          value_name = "N", value_parser = connections)]
    max_connections: usize,

    /// Operations that may wait in one worker's queue; one more is answered 503
    #[arg(long, env = "MAX_QUEUE", default_value_t = limits::QUEUE_MAX,
          value_name = "N", value_parser = queued)]
    max_queue: usize,

    /// Under saturation a flight waits to be filled, until so many µs after the last departure or,
    /// if the last flight was slow, so many µs after its landing at most; 0 is never
    #[arg(long, env = "PAUSE_US", default_value_t = limits::PAUSE_FLIGHT_US,
          value_name = "MICROSECONDS",
          value_parser = clap::value_parser!(u64).range(..=limits::PAUSE_SETTABLE_US_MAX))]
    pause_us: u64,

    /// Operations in one flight at most; 1 is a server that batches nothing, to compare with
    #[arg(long, env = "FLIGHT_MAX", value_name = "N", value_parser = flown)]
    flight_max: Option<usize>,

    /// What is logged, to standard error: error, warn, info or debug
    #[arg(long, env = "LOG", default_value = "info", value_name = "LEVEL")]
    log: Level,

    /// How a line of the log is written
    #[arg(
        long,
        env = "LOG_FORMAT",
        default_value = "text",
        value_name = "FORMAT"
    )]
    log_format: journal::Format,

    /// Requests that take so long or longer are logged, with where the time went; 0 is every
    /// request, and none are when it is not set
    #[arg(long, env = "SLOW_MS", value_name = "MILLISECONDS",
          value_parser = clap::value_parser!(u64).range(..=limits::SLOW_SETTABLE_MS_MAX))]
    slow_ms: Option<u64>,

    /// The commit that this was built from: an image says it, for /metrics and the start line
    #[arg(
        long = "crebito-revision",
        env = "CREBITO_REVISION",
        default_value = "unknown",
        value_name = "COMMIT"
    )]
    revision: String,
}

#[derive(Subcommand)]
enum Verb {
    /// Ask the replica at LISTEN for its /health, and exit 0 when it is well, else 1
    Health {
        /// Ask one that is well so much later again, and let that answer count: for an engine that
        /// starts this anew as soon as it ends, and has more patience than that
        #[arg(long = "every", value_name = "SECONDS",
              value_parser = clap::value_parser!(u64).range(..=limits::HEALTH_EVERY_S_MAX))]
        every_s: Option<u64>,
    },
}

/// What the process is to do.
pub enum Command {
    /// Serve until a signal comes.
    Serve(Settings),
    /// Try the settings and the database once.
    Check(Settings),
    /// Ask the replica that listens there how it is; if it is well, once more so much later.
    Health(Listen, Option<Duration>),
}

/// The settings of a replica.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The database.
    pub database: Target,
    /// Where HTTP is served.
    pub listen: Listen,
    /// Where the metrics are served.
    pub admin_listen: Option<Listen>,
    /// Worker threads.
    pub workers: usize,
    /// How the kernel is asked.
    pub io_driver: IoDriver,
    /// How the kernel schedules the threads.
    pub sched_policy: SchedPolicy,
    /// Connections of one worker.
    pub connections_max: usize,
    /// Operations that may wait in one worker.
    pub queue_max: usize,
    /// Under saturation a flight waits to be filled, until so many µs after the last departure or,
    /// if the last flight was slow, so many µs after its landing at most; 0 is never.
    pub pause_us: u64,
    /// Operations in one flight at most, if not as many as its procedures take.
    pub flight_max: Option<usize>,
    /// The least severe level that is logged.
    pub log: log::LevelFilter,
    /// How a line of the log is written.
    pub log_format: journal::Format,
    /// Requests of so many ms and more are logged.
    pub slow_ms: Option<u64>,
    /// The commit that this was built from.
    pub revision: String,
}

/// The I/O driver that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum IoDriver {
    /// io_uring where kernel and sandbox allow it, else epoll.
    Auto,
    /// io_uring or nothing.
    #[value(name = "io_uring")]
    IoUring,
    /// epoll.
    Epoll,
}

/// The scheduling policy that is asked for (sched(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SchedPolicy {
    /// SCHED_BATCH.
    Batch,
    /// The one that the process was started with.
    Inherit,
}

impl SchedPolicy {
    /// The value of `SCHED_POLICY`.
    pub fn as_str(self) -> &'static str {
        match self {
            SchedPolicy::Batch => "batch",
            SchedPolicy::Inherit => "inherit",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Workers(usize);

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Level {
    Error,
    Warn,
    Info,
    Debug,
}

/// Reads the command line and the environment. Answers `--help` and `--version` itself, with
/// exit status 0, and a bad value with a sentence and exit status 2.
///
/// # Errors
/// A sentence on what is missing or contradictory.
pub fn read() -> Result<Command, String> {
    let arguments = Arguments::try_parse().unwrap_or_else(|error| answer(&error));
    if let Some(Verb::Health { every_s }) = arguments.command {
        let listen = arguments.listen.of_worker(0, arguments.workers.0);
        return Ok(Command::Health(listen, every_s.map(Duration::from_secs)));
    }
    let url = arguments
        .database_url
        .as_deref()
        .filter(|url| !url.is_empty())
        .ok_or(
            "DATABASE_URL is not set: it says where PostgreSQL is, \
         for example postgres://user:password@127.0.0.1:5432/database",
        )?;
    let password = password::choose(
        std::env::var_os("PGPASSWORD"),
        std::env::var_os("PGPASSWORD_FILE"),
    )?;
    let database = Target::parse(url, password.as_deref())
        .map_err(|error| format!("DATABASE_URL is not understood: {error}"))?;
    let check = arguments.check;
    let settings = Settings {
        database,
        listen: arguments.listen,
        admin_listen: arguments.admin_listen,
        workers: arguments.workers.0,
        io_driver: arguments.io_driver,
        sched_policy: arguments.sched_policy,
        connections_max: arguments.max_connections,
        queue_max: arguments.max_queue,
        pause_us: arguments.pause_us,
        flight_max: arguments.flight_max,
        log: arguments.log.filter(),
        log_format: arguments.log_format,
        slow_ms: arguments.slow_ms,
        revision: arguments.revision,
    };
    Ok(if check {
        Command::Check(settings)
    } else {
        Command::Serve(settings)
    })
}

/// Prints what `--help` or `--version` ask for, or what is wrong, and ends the process.
fn answer(error: &clap::Error) -> ! {
    let _ = error.print();
    if error.use_stderr() {
        eprintln!("Flags are environment variables too: --io-driver is IO_DRIVER.");
    }
    std::process::exit(error.exit_code())
}

impl FromStr for Workers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "auto" {
            // Knows the affinity and the cgroup's quota, rounded down.
            return Ok(Workers(
                std::thread::available_parallelism().map_or(1, usize::from),
            ));
        }
        match text.parse() {
            Ok(count @ 1..=limits::WORKERS_MAX) => Ok(Workers(count)),
            _ => Err(format!(
                "expected auto, or a number from 1 to {}",
                limits::WORKERS_MAX
            )),
        }
    }
}

impl Level {
    fn filter(self) -> log::LevelFilter {
        match self {
            Level::Error => log::LevelFilter::Error,
            Level::Warn => log::LevelFilter::Warn,
            Level::Info => log::LevelFilter::Info,
            Level::Debug => log::LevelFilter::Debug,
        }
    }
}

fn connections(text: &str) -> Result<usize, String> {
    from_one_to(limits::CONNECTIONS_SETTABLE_MAX, text)
}

fn queued(text: &str) -> Result<usize, String> {
    from_one_to(limits::QUEUE_SETTABLE_MAX, text)
}

fn flown(text: &str) -> Result<usize, String> {
    from_one_to(limits::FLIGHT_TRANSACOES_MAX, text)
}

fn from_one_to(max: usize, text: &str) -> Result<usize, String> {
    let number = text
        .parse()
        .ok()
        .filter(|number| (1..=max).contains(number));
    number.ok_or_else(|| format!("expected a number from 1 to {max}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worker_counts() {
        assert_eq!("3".parse(), Ok(Workers(3)));
        assert!(
            "auto"
                .parse::<Workers>()
                .is_ok_and(|workers| workers.0 >= 1)
        );
        for text in ["0", "-1", "", "many", "100000"] {
            assert!(text.parse::<Workers>().is_err(), "{text}");
        }
    }
}
