//! The bank as it runs: PostgreSQL, replicas, NGINX; one way to start them for all who need them.
//!
//! ```no_run
//! use xtask::stack::{Driver, Options, Stack};
//! let mut options = Options::new(std::env::var("CARGO_BIN_EXE_crebito").unwrap());
//! options.driver = Driver::Epoll;
//! let mut stack = Stack::private(&options).unwrap();
//! println!("{} with {}", stack.url(), stack.database_url());
//! stack.kill_replica(0);
//! stack.start_replica(0).unwrap();
//! println!("{}", stack.psql("SELECT count(*) FROM transacoes").unwrap());
//! ```

mod ending;
mod groups;
mod nginx;
mod options;
mod postgres;
mod replica;
mod sql;
mod template;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use rustix::process::Signal;

use crate::error::Error;
use crate::folder::Private;
use crate::machine;
use crate::process::{Lifetime, tail};

pub use groups::Groups;
pub(crate) use nginx::Nginx;
pub use options::{Address, Driver, Options, Proxy, Shutdown, Sockets};
pub(crate) use postgres::Plan;
pub use postgres::{Postgres, ROLE, SUPERUSER};
pub use replica::Replica;
pub(crate) use replica::Slot;
pub(crate) use sql::psql_at;
pub use sql::sql_files;

/// A replica's drain takes 10 s at most; then it is killed.
const DRAIN: Duration = Duration::from_secs(15);
/// A port may be lost between finding it free and binding it; so many stacks are tried.
const ATTEMPTS: usize = 4;

/// Where the parts of a stack are put.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub data: PathBuf,
    /// Sockets, configuration and logs; short, and open to other accounts.
    pub run: PathBuf,
    pub lifetimes: Lifetimes,
}

/// Of each kind of process; the signal of an owned one is what it gets when its owner ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lifetimes {
    pub postgres: Lifetime,
    pub replica: Lifetime,
    pub nginx: Lifetime,
}

/// A running stack. A private one is stopped and removed on drop, also by a panic; if its process
/// is killed, its parts end with it, and the folders go at the next start of any private stack.
#[derive(Debug)]
pub struct Stack {
    options: Options,
    layout: Layout,
    url: String,
    database_url: String,
    // In the order in which they are to be dropped.
    pub(crate) nginx: Nginx,
    pub(crate) replicas: Vec<Slot>,
    pub(crate) postgres: Postgres,
    private: Option<Private>,
}

impl Stack {
    /// A stack of one's own: temporary folders, free ports, an empty bank, everything ready.
    ///
    /// # Errors
    /// A program is missing or a part does not start; the error has the end of its log.
    pub fn private(options: &Options) -> Result<Stack, Error> {
        let mut attempts_left = ATTEMPTS;
        loop {
            attempts_left -= 1;
            let started = Stack::private_once(options);
            let lost = |error: &Error| {
                let text = error.to_string().to_lowercase();
                text.contains("address already in use") || text.contains("address in use")
            };
            match started {
                Err(error) if attempts_left > 0 && lost(&error) => {}
                other => return other,
            }
        }
    }

    fn private_once(options: &Options) -> Result<Stack, Error> {
        let private = Private::create()?;
        let layout = Layout {
            data: match &options.data {
                Some(kept) => kept.clone(),
                None => private.path().join("data"),
            },
            run: private.path().to_owned(),
            lifetimes: Lifetimes {
                postgres: Lifetime::Owned(Signal::QUIT),
                replica: Lifetime::Owned(Signal::KILL),
                nginx: Lifetime::Owned(Signal::TERM),
            },
        };
        let mut options = options.clone();
        if options.port == 0 {
            options.port = machine::free_port()?;
        }
        let mut stack = Stack::start_postgres_in(&options, layout, Some(private))?;
        stack.start_others()?;
        Ok(stack)
    }

    /// The first half of a start: folders, and PostgreSQL with the bank's schema.
    pub(crate) fn start_postgres_in(
        options: &Options,
        layout: Layout,
        private: Option<Private>,
    ) -> Result<Stack, Error> {
        let (run, logs) = (&layout.run, layout.run.join("log"));
        // We open the logs ourselves, for the other accounts too: they are nobody else's to read.
        postgres::owned_folder(&logs, None)?;
        let postgres = Postgres::create(postgres::Plan {
            data: layout.data.clone(),
            sockets_folder: run.join("pg"),
            log: logs.join("postgres.log"),
            sockets: options.sockets,
            settings: options.postgres_settings.clone(),
            hba: Vec::new(),
            groups: options.groups.clone(),
            lifetime: layout.lifetimes.postgres,
        })?;
        let slot = |index| Slot::new(index, options, run, &logs);
        let address = ([127, 0, 0, 1], options.port).into();
        let stack = Stack {
            url: format!("http://{address}"),
            database_url: postgres.role_url(),
            nginx: Nginx {
                proxy: options.proxy,
                connections: options.nginx_connections,
                template: options.nginx_conf.clone(),
                address,
                folder: run.join("nginx"),
                log: logs.join("nginx.log"),
                process: None,
                groups: options.groups.clone(),
            },
            replicas: (0..options.replicas).map(slot).collect::<Result<_, _>>()?,
            postgres,
            options: options.clone(),
            layout,
            private,
        };
        stack.note_for_sweep()?;
        stack.postgres.apply_sql_or_convert()?;
        Ok(stack)
    }

    /// The second half: replicas at once, then NGINX.
    pub(crate) fn start_others(&mut self) -> Result<(), Error> {
        for slot in &mut self.replicas {
            slot.start(
                &self.options,
                &self.database_url,
                self.layout.lifetimes.replica,
            )?;
        }
        self.note_for_sweep()?;
        for slot in &mut self.replicas {
            slot.wait_until_ready()?;
        }
        self.start_nginx()
    }

    /// Brings the data to disk. A cluster is made without a sync of its files; once that is made
    /// up for, PostgreSQL sees to it, and no commit has to wait for what was left to write.
    pub(crate) fn sync_data(&self) -> Result<(), Error> {
        Command::new("sync")
            .arg("--file-system")
            .arg(&self.layout.data)
            .status()
            .map_err(Error::while_doing("sync"))?;
        Ok(())
    }

    /// Notes the processes for whoever finds the folder without its owner.
    fn note_for_sweep(&self) -> Result<(), Error> {
        let Some(private) = &self.private else {
            return Ok(());
        };
        let replicas = self
            .replicas
            .iter()
            .filter_map(|slot| slot.process.as_ref());
        let others = self.nginx.process.iter().chain(self.postgres.process());
        replicas
            .chain(others)
            .try_for_each(|process| private.note(process))
    }

    /// NGINX's URL, `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// NGINX's address.
    pub fn address(&self) -> SocketAddr {
        self.nginx.address
    }

    /// What NGINX is.
    pub fn proxy(&self) -> Proxy {
        self.options.proxy
    }

    /// The replicas, in their order; one that is stopped has pid 0.
    pub fn replicas(&self) -> Vec<Replica> {
        self.replicas.iter().map(Slot::seen).collect()
    }

    /// What the replicas have as `DATABASE_URL`.
    pub fn database_url(&self) -> &str {
        &self.database_url
    }

    /// PostgreSQL, for what is asked of it alone.
    pub fn postgres(&self) -> &Postgres {
        &self.postgres
    }

    /// [`Postgres::psql`].
    ///
    /// # Errors
    /// An error of PostgreSQL's, with its message.
    pub fn psql(&self, sql: &str) -> Result<String, Error> {
        self.postgres.psql(sql)
    }

    /// Stops PostgreSQL and waits for its end.
    pub fn stop_postgres(&mut self, mode: Shutdown) {
        self.postgres.stop(mode);
    }

    /// Starts PostgreSQL again, on its data and at its address, and waits until it accepts.
    ///
    /// # Errors
    /// It ended instead; the error has its log.
    pub fn start_postgres(&mut self) -> Result<(), Error> {
        self.postgres.start()?;
        self.note_for_sweep()
    }

    /// The postmaster's pid; none while it is stopped.
    pub fn postgres_pid(&self) -> Option<u32> {
        self.postgres.pid()
    }

    /// SIGKILL to the replica, and waits for its end.
    pub fn kill_replica(&mut self, replica: usize) {
        if let Some(mut process) = self.replicas[replica].process.take() {
            process.stop(Signal::KILL, DRAIN);
        }
    }

    /// SIGTERM to the replica, and waits for its end; none if it did not run or had to be killed.
    pub fn terminate_replica(&mut self, replica: usize) -> Option<ExitStatus> {
        let mut process = self.replicas[replica].process.take()?;
        process.stop(Signal::TERM, DRAIN)
    }

    /// Starts a replica that was stopped, at its old address, and waits until it is ready.
    ///
    /// # Errors
    /// It ended or does not become ready (its /health says 200 only with a database).
    pub fn start_replica(&mut self, replica: usize) -> Result<(), Error> {
        self.spawn_replica(replica)?;
        self.wait_for_replica(replica)
    }

    /// Starts a replica that was stopped and does not wait: its database may be away.
    ///
    /// # Errors
    /// The process could not be started.
    pub fn spawn_replica(&mut self, replica: usize) -> Result<(), Error> {
        let lifetime = self.layout.lifetimes.replica;
        self.replicas[replica].start(&self.options, &self.database_url, lifetime)?;
        self.note_for_sweep()
    }

    /// Waits until a replica's /health says 200.
    ///
    /// # Errors
    /// It ended or does not become ready.
    pub fn wait_for_replica(&mut self, replica: usize) -> Result<(), Error> {
        self.replicas[replica].wait_until_ready()
    }

    /// SIGSTOP to the replica: its sockets stay open, and nobody answers.
    pub fn freeze_replica(&self, replica: usize) {
        self.signal_replica(replica, Signal::STOP);
    }

    /// SIGCONT to the replica.
    pub fn thaw_replica(&self, replica: usize) {
        self.signal_replica(replica, Signal::CONT);
    }

    /// Any signal to the replica; nothing happens if it does not run.
    pub fn signal_replica(&self, replica: usize, signal: Signal) {
        if let Some(process) = &self.replicas[replica].process {
            process.signal(signal);
        }
    }

    /// Stops NGINX once it has answered what it has, 5 s at most.
    pub fn stop_nginx(&mut self) {
        self.nginx.stop(Duration::from_secs(5));
    }

    /// Starts NGINX again at its old address.
    ///
    /// # Errors
    /// It did not start; the error has its log.
    pub fn start_nginx(&mut self) -> Result<(), Error> {
        let servers: Vec<Address> = self
            .replicas
            .iter()
            .flat_map(|slot| slot.addresses.iter().cloned())
            .collect();
        self.nginx.configure(&servers)?;
        self.nginx.start(self.layout.lifetimes.nginx)?;
        self.note_for_sweep()
    }

    /// NGINX's master process; none while it is stopped.
    pub fn nginx_pid(&self) -> Option<u32> {
        self.nginx.process.as_ref().map(|process| process.pid)
    }

    /// The ends of all logs, for a failed assertion's message.
    pub fn logs(&self) -> String {
        let replicas = self.replicas.iter().map(|slot| &slot.log);
        let others = [&self.nginx.log, self.postgres.log()].map(Path::to_owned);
        let one = |log: &Path| format!("--- {}\n{}\n", log.display(), tail(log, 30));
        let others = others.iter().map(PathBuf::as_path);
        replicas
            .map(PathBuf::as_path)
            .chain(others)
            .map(one)
            .collect()
    }
}
