//! `cargo xtask up`: the checkout's own stack, started.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::bench;
use crate::build;
use crate::error::Error;
use crate::home::Home;
use crate::install::{self, Need};
use crate::machine;
use crate::postmaster;
use crate::process::Lifetime;
use crate::programs;
use crate::say;
use crate::stack::{Layout, Lifetimes, Options, Stack};
use crate::state::{ProcessState, ReplicaState, State};

/// What `up` was asked for.
#[derive(Clone, Debug)]
pub struct Up {
    /// The stack.
    pub options: Options,
    /// `options.crebito` is a release build made now, not a binary that is there.
    pub build: bool,
    /// Return once all is ready, and leave it running.
    pub detach: bool,
    /// Start with an empty bank.
    pub fresh: bool,
}

/// Builds, starts, and without `detach` waits until it is `interrupted` and stops again.
///
/// # Errors
/// Why it did not come up, as a sentence; then nothing of it is left running.
pub fn up(home: &Home, up: &Up, interrupted: &AtomicBool) -> Result<(), Error> {
    let lock = home.lock()?;
    make_way(home, up.options.port)?;
    // Ctrl-C goes to the children too, and what they then die of is no fault of theirs.
    let mut stack = build_and_start(home, up, interrupted)
        .map_err(|error| go_on(interrupted).err().unwrap_or(error))?;
    drop(lock);
    if up.detach {
        say("It runs until `cargo xtask down`.");
    } else {
        say("Ctrl-C stops all.");
    }
    invite(&url(&stack));
    if up.detach {
        stack.leave_running();
        return Ok(());
    }
    watch(&mut stack, interrupted);
    say(format_args!(
        "Stopping: NGINX, then the replicas, then PostgreSQL"
    ));
    stack.shut_down();
    home.forget_state();
    say(format_args!(
        "Stopped. The data is kept in {}",
        home.data.display()
    ));
    Ok(())
}

fn build_and_start(home: &Home, up: &Up, interrupted: &AtomicBool) -> Result<Stack, Error> {
    let nginx = install::needs_of(up.options.proxy);
    install::ensure(&[&[Need::PostgreSql], nginx].concat())?;
    let mut options = up.options.clone();
    if up.build {
        say("Building crebito (release, static)");
        options.crebito = build::server("release")?;
        let revision = ("CREBITO_REVISION".to_owned(), bench::commit());
        options.env.push(revision);
    }
    // What would not start is no reason to remove the data.
    fs::metadata(&options.crebito).map_err(Error::while_doing(options.crebito.display()))?;
    go_on(interrupted)?;
    home.make()?;
    if up.fresh {
        home.remove_data()?;
    }
    let stack = start(home, &options, up.detach, interrupted);
    if stack.is_err() {
        home.forget_state();
    }
    stack
}

fn go_on(interrupted: &AtomicBool) -> Result<(), Error> {
    match interrupted.load(Ordering::Relaxed) {
        true => Err(Error::interrupted()),
        false => Ok(()),
    }
}

/// Sees to it that nothing is in the way: an earlier run, or another's port.
fn make_way(home: &Home, port: u16) -> Result<(), Error> {
    if let Some(state) = home.state()? {
        let (alive, all) = state.alive();
        if alive > 0 && (alive == all || state.is_owned()) {
            let sentence = format!(
                "it runs already: {} (`cargo xtask status` says more, `cargo xtask down` stops it)",
                state.url
            );
            return Err(Error::new(sentence));
        }
        if alive > 0 {
            say(format_args!(
                "Stopping what an earlier run left behind ({alive} of {all} processes)"
            ));
        }
        state.stop();
        home.forget_state();
    }
    postmaster::stop(&home.data)?;
    match machine::port_refusal(port) {
        Some(refusal) if port != 0 => Err(refusal),
        _ => Ok(()),
    }
}

fn start(
    home: &Home,
    options: &Options,
    detach: bool,
    interrupted: &AtomicBool,
) -> Result<Stack, Error> {
    go_on(interrupted)?;
    let logs_before = home.keep_logs()?;
    let layout = Layout {
        data: home.data.clone(),
        run: home.run.clone(),
        lifetimes: lifetimes(detach),
    };
    let mut options = options.clone();
    options.admin = true;
    if options.port == 0 {
        options.port = machine::free_port()?;
    }
    let is_new = !home.data.exists();
    let mut stack = Stack::start_postgres_in(&options, layout, None)
        .map_err(|error| if is_new { error } else { advised(home, error) })?;
    if is_new {
        stack.sync_data()?;
    }
    let owner = (!detach).then(ProcessState::myself);
    home.write_state(&state(&stack, home, owner.clone()))?;
    let postgres = programs::version(&programs::postgresql("postgres")?, "--version")?;
    let account = machine::postgres_account()?.map(|account| format!(" as {}", account.name));
    say(format_args!(
        "{postgres}{}: {}",
        account.unwrap_or_default(),
        stack.postgres.address()
    ));
    say(format_args!("    data in {}", home.data.display()));
    go_on(interrupted)?;
    stack.start_others()?;
    for (index, replica) in stack.replicas().iter().enumerate() {
        let (number, driver, pid) = (index + 1, &replica.driver, replica.pid);
        let addresses: Vec<String> = replica.addresses.iter().map(ToString::to_string).collect();
        let admin = replica
            .admin
            .map(|admin| format!(", http://{admin}/metrics"));
        say(format_args!(
            "Replica {number} on {driver}, pid {pid}: {}{}",
            addresses.join(", "),
            admin.unwrap_or_default()
        ));
    }
    let nginx = programs::version(&programs::nginx()?, "-v")?;
    let nginx = nginx.trim_start_matches("nginx version: ");
    say(format_args!(
        "{nginx}, {}, least_conn over {} replicas: {}",
        options.proxy.as_str(),
        options.replicas,
        url(&stack)
    ));
    say(format_args!("Logs in {}", home.run.join("log").display()));
    if let Some(before) = logs_before {
        say(format_args!(
            "    of the start before in {}",
            before.display()
        ));
    }
    home.write_state(&state(&stack, home, owner))?;
    go_on(interrupted)?;
    Ok(stack)
}

/// The error over data that was there before, with the way out that PostgreSQL cannot know.
fn advised(home: &Home, error: Error) -> Error {
    let said = error.to_string();
    let said = said.trim_end();
    if said.contains("incompatible with server") {
        return Error::new(format!(
            "{said}\n`cargo xtask up --fresh` starts empty with this version; the old one, chosen \
             with PG_BIN, still reads the data"
        ));
    }
    Error::new(format!(
        "{said}\nIf the data is damaged: `cargo xtask up --fresh` removes {} and starts with an \
         empty bank",
        home.data.display()
    ))
}

/// In the foreground the parts end with us, should we be killed: each as it likes best to.
fn lifetimes(detach: bool) -> Lifetimes {
    let owned = |signal| {
        if detach {
            Lifetime::Detached
        } else {
            Lifetime::Owned(signal)
        }
    };
    Lifetimes {
        postgres: owned(Signal::INT),
        replica: owned(Signal::TERM),
        nginx: owned(Signal::QUIT),
    }
}

fn url(stack: &Stack) -> String {
    format!("http://localhost:{}", stack.address().port())
}

fn state(stack: &Stack, home: &Home, owner: Option<ProcessState>) -> State {
    let replica = |slot: &crate::stack::Slot| {
        let process = ProcessState::of(slot.process.as_ref()?);
        let seen = slot.seen();
        Some(ReplicaState {
            address: seen.address.to_string(),
            addresses: seen.addresses.iter().map(ToString::to_string).collect(),
            admin: seen.admin.map(|admin| admin.to_string()),
            driver: seen.driver,
            process,
        })
    };
    State {
        url: url(stack),
        replicas: stack.replicas.iter().filter_map(replica).collect(),
        database_url: stack.database_url().to_owned(),
        data: home.data.clone(),
        run: home.run.clone(),
        boot: State::boot(),
        owner,
        postgres: stack.postgres.process().map(ProcessState::of),
        nginx: stack.nginx.process.as_ref().map(ProcessState::of),
    }
}

fn invite(url: &str) {
    say("");
    say(format_args!("crebito answers at {url}. Try:"));
    say("");
    let body = r#"{"valor": 1000, "tipo": "c", "descricao": "primeira"}"#;
    say(format_args!(
        "    curl {url}/clientes/1/transacoes -d '{body}'"
    ));
    say(format_args!("    curl {url}/clientes/1/extrato"));
}

/// Waits for Ctrl-C, and says when a part has ended by itself.
fn watch(stack: &mut Stack, interrupted: &AtomicBool) {
    while !interrupted.load(Ordering::Relaxed) {
        for sentence in stack.ended_parts() {
            say(format_args!("{sentence}"));
        }
        thread::sleep(Duration::from_millis(100));
    }
}
