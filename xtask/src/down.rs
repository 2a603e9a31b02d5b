//! `cargo xtask down`, `status` and `clean`: what runs is looked up, stopped, removed.

use std::fs::File;
use std::path::PathBuf;

use crate::error::Error;
use crate::home::Home;
use crate::observe;
use crate::postmaster;
use crate::state::{ProcessState, State};
use crate::{say, warn};

/// Stops the stack; nothing to stop is no error.
///
/// # Errors
/// The folders cannot be reached, or PostgreSQL does not end.
pub fn down(home: &Home) -> Result<(), Error> {
    let stopped = match is_made(home)? {
        true => stop(home, &home.lock()?)?,
        false => None,
    };
    match stopped {
        Some(data) => say(format_args!(
            "Stopped. The data is kept in {}",
            data.display()
        )),
        None => say("Nothing runs."),
    }
    Ok(())
}

/// Whether there is anything that could run.
fn is_made(home: &Home) -> Result<bool, Error> {
    let made = home.folder.exists() || home.run.exists();
    Ok(made || postmaster::of(&home.data)?.is_some())
}

/// Stops what runs; where its data is, if something did. The lock is held meanwhile.
fn stop(home: &Home, _lock: &File) -> Result<Option<PathBuf>, Error> {
    let state = home.state()?;
    let mut runs = state.as_ref().is_some_and(|state| state.alive().0 > 0);
    if runs {
        say("Stopping: NGINX, then the replicas, then PostgreSQL");
    }
    if let Some(state) = &state {
        state.stop();
    }
    runs |= postmaster::stop(&home.data)?;
    home.forget_state();
    let data = state.map_or_else(|| home.data.clone(), |state| state.data);
    Ok(runs.then_some(data))
}

/// Prints what runs, for people or as JSON (`null` if nothing runs); whether all that was started
/// and not stopped runs.
///
/// # Errors
/// The folders cannot be reached.
pub fn status(home: &Home, json: bool) -> Result<bool, Error> {
    let state = home.state()?;
    let started = state.is_some();
    let Some(state) = state.filter(|state| state.alive().0 > 0) else {
        return nothing_runs(home, json, started);
    };
    let (alive, all) = state.alive();
    if json {
        let text = serde_json::to_string_pretty(&state).map_err(Error::while_doing("the state"))?;
        say(format_args!("{text}"));
    } else {
        print(&state);
    }
    if !state.run.join("log").is_dir() {
        warn(format_args!(
            "sockets and logs are gone from {}, so the parts lose each other: `cargo xtask down`, \
             then `up`, puts that right",
            state.run.display()
        ));
    }
    if alive < all {
        warn(cure(state.is_owned()));
    }
    Ok(alive == all)
}

/// What starts the parts that have ended; an `up` that goes on in a terminal lets no other begin.
fn cure(owned: bool) -> &'static str {
    match owned {
        true => {
            "`cargo xtask down` (or Ctrl-C where `up` runs) and then `up` starts all of it; the \
             bank stays"
        }
        false => "`cargo xtask up` stops what is left, and starts all of it; the bank stays",
    }
}

fn nothing_runs(home: &Home, json: bool, started: bool) -> Result<bool, Error> {
    let aside = |sentence: &str| {
        if json {
            say("null");
            warn(sentence);
        } else {
            say(sentence);
        }
    };
    let data = home.data.display();
    if let Some(postmaster) = postmaster::of(&home.data)? {
        let pid = postmaster.pid;
        aside(&format!(
            "PostgreSQL alone runs, pid {pid}, on {data}: `cargo xtask down` stops it"
        ));
        return Ok(false);
    }
    let ended = if started {
        " (what was started has ended)"
    } else {
        ""
    };
    aside(&match home.data.exists() {
        true => format!("Nothing runs{ended}; the data of the last run is in {data}"),
        false => format!("Nothing runs{ended}, and there is no data"),
    });
    Ok(!started)
}

fn print(state: &State) {
    let (alive, all) = state.alive();
    say(format_args!(
        "{}: {alive} of {all} processes run",
        state.url
    ));
    let word = |process: &ProcessState| {
        let running = if process.is_alive() {
            "runs"
        } else {
            "has ended"
        };
        format!(
            "{running}, pid {}, log {}",
            process.pid,
            process.log.display()
        )
    };
    for replica in &state.replicas {
        say(format_args!(
            "replica {} on {}: {}",
            replica.address,
            replica.driver,
            word(&replica.process)
        ));
        if let Some(admin) = &replica.admin {
            say(format_args!("    its metrics: http://{admin}/metrics"));
        }
    }
    for (name, process) in [("NGINX", &state.nginx), ("PostgreSQL", &state.postgres)] {
        say(format_args!(
            "{name}: {}",
            process.as_ref().map_or("was not started".to_owned(), word)
        ));
    }
    say(format_args!("database: {}", state.database_url));
    say(format_args!("data in {}", state.data.display()));
    say(format_args!("sockets in {}", state.run.display()));
}

/// Stops the stack and removes all that it made: data, sockets, logs, state, cluster templates.
///
/// # Errors
/// Something could not be removed.
pub fn clean(home: &Home) -> Result<(), Error> {
    observe::stop(home);
    // Until all is removed: an `up` in between would lose its data.
    let lock = is_made(home)?.then(|| home.lock()).transpose()?;
    if let Some(lock) = &lock {
        stop(home, lock)?;
    }
    let places = home.places();
    let places = places.iter().map(|place| place.display().to_string());
    let places = places.collect::<Vec<_>>().join(" and ");
    home.remove_all()?;
    if places.is_empty() {
        say("There is nothing to remove.");
    } else {
        say(format_args!("Removed {places}"));
    }
    say("(`cargo clean` removes what was built.)");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::cure;

    /// `up` refuses while another one goes on, so it must not be told then.
    #[test]
    fn the_cure_is_one_that_is_let() {
        assert!(cure(true).starts_with("`cargo xtask down`"));
        assert!(cure(false).starts_with("`cargo xtask up`"));
    }
}
