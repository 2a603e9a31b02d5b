//! `cargo xtask down`, `status` and `clean`: what runs is looked up, stopped, removed.

use std::fs;

use crate::error::Error;
use crate::home::Home;
use crate::say;
use crate::state::{ProcessState, State};

/// Stops the stack; nothing to stop is no error.
///
/// # Errors
/// The folders cannot be reached.
pub fn down(home: &Home) -> Result<(), Error> {
    if !home.folder.exists() {
        say("Nothing runs.");
        return Ok(());
    }
    let _lock = home.lock()?;
    let Some(state) = State::read(&home.state_file()) else {
        say("Nothing runs.");
        return Ok(());
    };
    let alive = state.alive().0;
    if alive > 0 {
        say(format_args!(
            "Stopping: NGINX, then the replicas, then PostgreSQL"
        ));
    }
    state.stop();
    if alive > 0 {
        say(format_args!(
            "Stopped. The data is kept in {}",
            state.data.display()
        ));
    } else {
        say("Nothing runs.");
    }
    let _ = fs::remove_file(home.state_file());
    Ok(())
}

/// Prints what runs, for people or as JSON.
///
/// # Errors
/// Nothing runs.
pub fn status(home: &Home, json: bool) -> Result<(), Error> {
    let state = State::read(&home.state_file()).filter(|state| state.alive().0 > 0);
    let Some(state) = state else {
        let data = home.data.display();
        let sentence = match home.data.exists() {
            true => format!("nothing runs; the data of the last run is in {data}"),
            false => "nothing runs, and there is no data".to_owned(),
        };
        return Err(Error::new(sentence));
    };
    if json {
        let text = serde_json::to_string_pretty(&state).map_err(Error::while_doing("the state"))?;
        say(format_args!("{text}"));
        return Ok(());
    }
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
    Ok(())
}

/// Stops the stack and removes all that it made: data, sockets, logs, state, cluster templates.
///
/// # Errors
/// Something could not be removed.
pub fn clean(home: &Home) -> Result<(), Error> {
    down(home)?;
    home.remove_all()?;
    say(format_args!(
        "Removed {}, {} and {}",
        home.folder.display(),
        home.data.display(),
        home.run.display()
    ));
    say("(`cargo clean` removes what was built.)");
    Ok(())
}
