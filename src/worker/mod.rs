//! The worker: monoio, one thread a core. Here, and only here, are sockets, timers and signals;
//! bytes and time are moved, and nothing is decided that a lower room could decide.

mod clock;
mod connection;
mod connections;
mod course;
mod descriptor;
mod drain;
mod driver;
mod exchange;
mod fault;
mod figures;
mod health;
mod link;
mod listener;
mod metrics;
mod pace;
mod repeats;
mod request;
mod resolve;
mod sched;
mod session;
mod signal;
mod spare;
mod state;
mod tally;

use crate::config::{Listen, SchedPolicy, Settings};
use crate::limits;
use connections::Admission;
use drain::Signals;
use driver::Choice;
pub use health::ask;
use listener::Bound;
use metrics::METRICS;
use state::Worker;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

/// A worker's stack: its futures live on the heap, and no input makes a function recurse.
const STACK_BYTES: usize = 1024 * 1024;

/// Serves until SIGTERM or SIGINT, then drains.
///
/// # Errors
/// A sentence on why it cannot start.
pub fn serve(settings: &Settings) -> Result<(), String> {
    let signals =
        Signals::watch().map_err(|error| format!("signals cannot be watched: {error}"))?;
    let mut settings = settings.clone();
    let descriptors = raise_descriptor_limit();
    let connections_max = connections_that_fit(descriptors, settings.workers);
    let lowered = connections_max < settings.connections_max;
    settings.connections_max = settings.connections_max.min(connections_max);
    let settings = &settings;
    let choice = driver::choose(settings.io_driver)?;
    let bound = bind_all(settings)?;
    METRICS.note_build(&settings.revision);
    let scheduled = sched::apply(settings.sched_policy);
    let sched_policy = match scheduled {
        Ok(()) => settings.sched_policy,
        Err(_) => SchedPolicy::Inherit,
    };
    log_start(settings, &choice, sched_policy);
    if let Err(error) = scheduled {
        log::warn!(error:%; "SCHED_BATCH is refused");
    }
    if lowered {
        let max_connections = settings.connections_max;
        log::warn!(max_connections, descriptors; "MAX_CONNECTIONS is lowered to fit ulimit -n");
    }
    warn_of_plain_link(settings);
    let mut threads = Vec::new();
    let mut drains = Vec::new();
    for (index, listeners) in bound.into_iter().enumerate() {
        let (drain, told) = UnixStream::pair().map_err(|error| error.to_string())?;
        let (settings, choice) = (settings.clone(), choice.clone());
        let worker = move || run_worker(index, settings, &choice, listeners, told);
        let thread = std::thread::Builder::new()
            .name(format!("worker-{index}"))
            .stack_size(STACK_BYTES)
            .spawn(move || fault::vital("worker", worker))
            .map_err(|error| format!("a worker's thread cannot be started: {error}"))?;
        threads.push(thread);
        drains.push(drain);
    }
    signals.wait();
    for drain in &mut drains {
        // A worker that is gone has ended the process.
        let _ = drain.write_all(&[1]);
    }
    for thread in threads {
        let _ = thread.join();
    }
    log::info!("drained");
    Ok(())
}

/// Tries the settings and the database once; returns a sentence on what was found.
///
/// # Errors
/// A sentence on what is wrong.
pub fn check(settings: &Settings) -> Result<String, String> {
    let choice = driver::choose(settings.io_driver)?;
    let mut runtime = driver::build(&choice).map_err(|error| error.to_string())?;
    warn_of_plain_link(settings);
    let target = &settings.database;
    let result = runtime.block_on(link::try_once(target));
    // Its descriptors go with the process, which ends now.
    std::mem::forget(runtime);
    let version = result.map_err(|error| format!("no session with {target}: {error}"))?;
    Ok(format!(
        "driver={} ({}); {target} is PostgreSQL {version}, and has the procedures",
        choice.name, choice.why
    ))
}

/// The settings in force. (A target shows no password.)
fn log_start(settings: &Settings, choice: &Choice, sched_policy: SchedPolicy) {
    let admin_listen = settings.admin_listen.as_ref().map(ToString::to_string);
    let flight_max = settings.flight_max.map(|operations| operations.to_string());
    let slow_ms = settings.slow_ms.map(|ms| ms.to_string());
    log::info!(
        version = env!("CARGO_PKG_VERSION"),
        revision = settings.revision.as_str(),
        driver = choice.name,
        reason = choice.why.as_str(),
        sched_policy = sched_policy.as_str(),
        listen:% = settings.listen,
        admin_listen = admin_listen.as_deref().unwrap_or("off"),
        workers = settings.workers,
        max_connections = settings.connections_max,
        max_queue = settings.queue_max,
        pause_us = settings.pause_us,
        flight_max = flight_max.as_deref().unwrap_or("unset"),
        slow_ms = slow_ms.as_deref().unwrap_or("off"),
        log:% = settings.log,
        log_format = settings.log_format.as_str(),
        database:% = settings.database;
        "crebito starts"
    );
}

fn warn_of_plain_link(settings: &Settings) {
    if settings.database.ssl_prefer {
        let database = &settings.database;
        log::warn!(database:%, sslmode = "prefer"; "the link to PostgreSQL is not encrypted");
    }
}

/// Every worker's listeners; worker 0 also has the admin's.
fn bind_all(settings: &Settings) -> Result<Vec<Vec<(Bound, Admission)>>, String> {
    let mut all = Vec::new();
    if let (Listen::Tcp(_), 2..) = (&settings.listen, settings.workers) {
        // Not shared, this once: SO_REUSEPORT would join another process' port and not fail.
        drop(listener::bind(&settings.listen, false)?);
    }
    for index in 0..settings.workers {
        let listen = settings.listen.of_worker(index, settings.workers);
        all.push(vec![(
            listener::bind(&listen, settings.workers > 1)?,
            Admission::Public,
        )]);
    }
    if let (Some(listen), Some(first)) = (&settings.admin_listen, all.first_mut()) {
        first.push((listener::bind(listen, false)?, Admission::Admin));
    }
    Ok(all)
}

/// Runs one worker to the end of its drain.
fn run_worker(
    index: usize,
    settings: Settings,
    choice: &Choice,
    listeners: Vec<(Bound, Admission)>,
    told: UnixStream,
) {
    let (mut runtime, driver) = match driver::build_or_fall_back(choice, settings.io_driver) {
        Ok(made) => made,
        Err(error) => {
            log::error!(worker = index, error:%; "no I/O driver can be set up");
            std::process::exit(fault::EXIT_STATUS);
        }
    };
    let worker = Rc::new(Worker::new(index, settings, driver));
    runtime.block_on(async {
        monoio::spawn(fault::vital_task(
            "session",
            session::keep(Rc::clone(&worker)),
        ));
        for (bound, admission) in listeners {
            let accepting = listener::accept(Rc::clone(&worker), bound, admission);
            monoio::spawn(fault::vital_task("listener", async move {
                if let Err(error) = accepting.await {
                    log::error!(worker = index, error:%; "a listener cannot be set up");
                    std::process::exit(fault::EXIT_STATUS);
                }
            }));
        }
        let hearing = drain::hear(Rc::clone(&worker), told);
        monoio::spawn(fault::vital_task("drain", async move {
            if let Err(error) = hearing.await {
                log::error!(worker = index, error:%; "the signal to drain cannot be heard");
                std::process::exit(fault::EXIT_STATUS);
            }
        }));
        while !worker.drained() {
            monoio::time::sleep(Duration::from_millis(limits::TICK_MS)).await;
            fault::vital("ledger", || worker.tick());
        }
    });
    // The kernel may still write to buffers of what is in flight: they must outlive this thread.
    std::mem::forget(runtime);
}

/// As many descriptors as the hard limit allows; returns how many those are.
fn raise_descriptor_limit() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    );
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Connections of one worker for which there are descriptors, half of its share and 1 at the least.
/// With none left over nobody could be told that there is no room, nor a session be opened again.
fn connections_that_fit(descriptors: u64, workers: usize) -> usize {
    let descriptors = usize::try_from(descriptors).unwrap_or(usize::MAX);
    let of_one = descriptors / workers.max(1);
    let other = limits::OTHER_DESCRIPTORS_MAX.min(of_one / 2);
    (of_one - other).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_all_else() {
        let other = limits::OTHER_DESCRIPTORS_MAX;
        assert_eq!(connections_that_fit(u64::MAX, 1), usize::MAX - other);
        assert_eq!(connections_that_fit(1024, 1), 1024 - other);
        assert_eq!(connections_that_fit(1025, 2), 512 - other);
        assert_eq!(connections_that_fit(4096, 32), 64);
        assert_eq!(connections_that_fit(1, 1), 1);
    }
}
