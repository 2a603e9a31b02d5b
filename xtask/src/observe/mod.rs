//! `cargo xtask observe`: Prometheus and PostgreSQL's exporter beside the stack that `up` runs.

pub mod dashboard;
mod observer;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::home::Home;
use crate::install::{self, Need};
use crate::say;
use crate::state::{ProcessState, State};
pub use observer::{Observer, Targets};

/// Watches the stack that `cargo xtask up` runs, until Ctrl-C: Prometheus, its rules, its graphs
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Observe {
    /// Prometheus' port on 127.0.0.1; without it, any free one
    #[arg(long)]
    pub port: Option<u16>,
}

/// What is written down of an `observe` that runs.
#[derive(Debug, Serialize, Deserialize)]
struct Running {
    /// Prometheus'.
    url: String,
    /// The task that waits for Ctrl-C.
    owner: ProcessState,
}

/// Starts both, waits until it is `interrupted`, and stops them again. The samples are kept in
/// `.crebito/observe`.
///
/// # Errors
/// Nothing runs that could be watched, it is watched already, or a program does not start.
pub fn observe(home: &Home, asked: &Observe, interrupted: &AtomicBool) -> Result<(), Error> {
    let targets = Targets::of_state(&stack_state(home)?)?;
    if let Some(url) = running(home) {
        return Err(Error::new(format!("it is observed already: {url}")));
    }
    install::ensure(&[Need::Prometheus, Need::PostgresExporter])?;
    let folder = home.private("observe")?;
    let mut observer = Observer::start(&folder, asked.port, &targets)?;
    let note = Running {
        url: observer.url().to_owned(),
        owner: ProcessState::myself(),
    };
    let text = serde_json::to_string_pretty(&note).map_err(Error::while_doing("the state"))?;
    let file = note_file(home);
    fs::write(&file, text).map_err(Error::while_doing(file.display()))?;
    invite(&observer, &targets);
    watch(home, &mut observer, targets, interrupted);
    let _ = fs::remove_file(file);
    drop(observer);
    say(format_args!(
        "Stopped. The samples are kept in {}",
        folder.display()
    ));
    Ok(())
}

/// The URL of the Prometheus that watches this home's stack, if one does.
pub fn running(home: &Home) -> Option<String> {
    noted(home).map(|running| running.url)
}

/// What has k6 write its own metrics to this Prometheus while it runs.
pub fn k6_environment(url: &str) -> Vec<(String, String)> {
    let pair = |name: &str, value: String| (name.to_owned(), value);
    vec![
        pair("K6_OUT", "experimental-prometheus-rw".to_owned()),
        pair("K6_PROMETHEUS_RW_SERVER_URL", format!("{url}/api/v1/write")),
        // Its last figures end with it, not five minutes later.
        pair("K6_PROMETHEUS_RW_STALE_MARKERS", "true".to_owned()),
    ]
}

/// Ends an `observe` that runs, as Ctrl-C would.
pub(crate) fn stop(home: &Home) {
    const PATIENCE: Duration = Duration::from_secs(60);
    if let Some(mut owner) = noted(home).and_then(|running| running.owner.adopt()) {
        owner.signal(rustix::process::Signal::TERM);
        owner.wait(PATIENCE);
    }
}

fn noted(home: &Home) -> Option<Running> {
    let text = fs::read_to_string(note_file(home)).ok()?;
    let running: Running = serde_json::from_str(&text).ok()?;
    running.owner.is_alive().then_some(running)
}

fn note_file(home: &Home) -> PathBuf {
    home.folder.join("observe.json")
}

fn stack_state(home: &Home) -> Result<State, Error> {
    let state = home.state()?.filter(|state| state.alive().0 > 0);
    state.ok_or_else(|| Error::new("nothing runs here: `cargo xtask up` in another terminal"))
}

fn invite(observer: &Observer, targets: &Targets) {
    let url = observer.url();
    for (name, address) in &targets.replicas {
        say(format_args!("{name}: http://{address}/metrics"));
    }
    say(format_args!(
        "PostgreSQL's exporter: {}",
        observer.exporter_url()
    ));
    say(format_args!("Prometheus: {url}"));
    say(format_args!("    the dashboards, drawn: {url}/user/"));
    say(format_args!(
        "    what it asks: {url}/api/v1/targets, alerts: {url}/api/v1/alerts"
    ));
    say(format_args!(
        "    `cargo xtask k6` streams its own metrics to it"
    ));
    say("Ctrl-C stops both; the bank goes on.");
}

/// Waits for Ctrl-C. Follows the stack, which may be stopped and started meanwhile, at other ports.
fn watch(home: &Home, observer: &mut Observer, mut targets: Targets, interrupted: &AtomicBool) {
    let mut is_there = true;
    while !interrupted.load(Ordering::Relaxed) {
        for sentence in observer.ended_parts() {
            say(sentence);
        }
        match stack_state(home).and_then(|state| Targets::of_state(&state)) {
            Err(_) if is_there => {
                is_there = false;
                say("The bank is gone: once `cargo xtask up` has it back, it is watched again");
            }
            Ok(now) if now != targets => {
                (targets, is_there) = (now, true);
                match observer.look_at(&targets) {
                    Ok(()) => say("The bank has other addresses now: they are followed"),
                    Err(error) => crate::warn(error),
                }
            }
            Ok(_) if !is_there => {
                is_there = true;
                say("The bank is there again");
            }
            _ => {}
        }
        thread::sleep(Duration::from_millis(200));
    }
}

/// The files of a folder with this extension, in the order of their names.
fn files_in(folder: &Path, extension: &str) -> Result<Vec<PathBuf>, Error> {
    let entries = fs::read_dir(folder).map_err(Error::while_doing(folder.display()))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|found| found == extension));
    files.sort();
    Ok(files)
}
