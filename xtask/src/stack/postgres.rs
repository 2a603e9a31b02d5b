//! A PostgreSQL server of our own: made, started, asked, stopped.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::Groups;
use super::options::{Address, Shutdown, Sockets};
use super::template;
use crate::checkout::checkout;
use crate::error::Error;
use crate::folder::Private;
use crate::machine::{self, Account};
use crate::process::{Lifetime, Process};
use crate::programs;

/// The role that replicas use, and the name of its database.
pub const ROLE: &str = "crebito";
/// The superuser, for tests and set-up.
pub const SUPERUSER: &str = "postgres";
/// PostgreSQL's own; on Unix sockets alone it is part of a file's name, and taken by nobody.
const PORT: u16 = 5432;
/// Longer than a recovery takes; the end of patience, not a measure.
const PATIENCE: Duration = Duration::from_secs(60);

/// What every server gets, also in a composition: the checkout's, with the reasons.
const SETTINGS: &str = "postgresql.conf";

/// Where a server is put and what it is told.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Its data; made by initdb if it is not there.
    pub data: PathBuf,
    /// The folder of its Unix socket, which is given to its account alone.
    pub sockets_folder: PathBuf,
    pub log: PathBuf,
    /// Whether it listens on 127.0.0.1 too.
    pub sockets: Sockets,
    pub settings: Vec<(String, String)>,
    /// Lines of pg_hba.conf that come before the defaults.
    pub hba: Vec<String>,
    pub lifetime: Lifetime,
    pub groups: Option<Arc<Groups>>,
}

/// A running (or stopped) PostgreSQL server; a private one is stopped and removed on drop.
#[derive(Debug)]
pub struct Postgres {
    plan: Plan,
    account: Option<Account>,
    port: u16,
    /// Of [`ROLE`] over TCP.
    password: String,
    process: Option<Process>,
    /// Last, so that the folder goes after the server.
    private: Option<Private>,
}

impl Postgres {
    /// A private server with its own folders, on a Unix socket and on a free port of 127.0.0.1,
    /// with database and role `crebito` and without the bank's schema ([`Postgres::apply_sql`]).
    ///
    /// `settings` win over those of the checkout's postgresql.conf. The lines of `hba`
    /// (pg_hba.conf) come before the defaults, which are: everybody is trusted over the Unix
    /// socket, and needs a SCRAM password over TCP. Role `postgres` is always trusted over the
    /// Unix socket. Makes one server of a fresh cluster; the cluster's template is kept in the
    /// temporary folder, since initdb takes longer than all the rest.
    ///
    /// # Errors
    /// PostgreSQL is not on this machine, or does not start with these settings.
    pub fn private(settings: &[(&str, &str)], hba: &[&str]) -> Result<Postgres, Error> {
        let private = Private::create()?;
        let owned = |pair: &(&str, &str)| (pair.0.to_owned(), pair.1.to_owned());
        let plan = Plan {
            data: private.path().join("data"),
            sockets_folder: private.path().join("pg"),
            log: private.path().join("postgres.log"),
            sockets: Sockets::Tcp,
            settings: settings.iter().map(owned).collect(),
            hba: hba.iter().map(|&line| line.to_owned()).collect(),
            lifetime: Lifetime::Owned(Signal::QUIT),
            groups: None,
        };
        let mut postgres = Postgres::create(plan)?;
        if let Some(process) = &postgres.process {
            private.note(process)?;
        }
        postgres.private = Some(private);
        Ok(postgres)
    }

    /// Makes the cluster if there is none, and starts the server.
    pub(crate) fn create(plan: Plan) -> Result<Postgres, Error> {
        let account = machine::postgres_account()?;
        owned_folder(&plan.sockets_folder, account.as_ref())?;
        if !plan.data.join("PG_VERSION").exists() {
            template::copy_to(&plan.data, account.as_ref())?;
        }
        let password = random_password()?;
        let mut postgres = Postgres {
            plan,
            account,
            port: PORT,
            password,
            process: None,
            private: None,
        };
        postgres.start_on_free_port()?;
        if postgres.plan.sockets == Sockets::Tcp {
            let password = &postgres.password;
            let secret = format!("ALTER ROLE {ROLE} PASSWORD '{password}'");
            postgres.psql(&format!(
                "SET password_encryption = 'scram-sha-256'; {secret}"
            ))?;
        }
        Ok(postgres)
    }

    fn start_on_free_port(&mut self) -> Result<(), Error> {
        if self.plan.sockets == Sockets::Unix {
            return self.start();
        }
        let mut attempts_left = 5;
        loop {
            self.port = machine::free_port()?;
            let started = self.start();
            attempts_left -= 1;
            let lost = |error: &Error| error.to_string().contains("Address already in use");
            match started {
                Err(error) if attempts_left > 0 && lost(&error) => {}
                other => return other,
            }
        }
    }

    /// Starts the server, where it was before, and waits until it accepts sessions.
    ///
    /// # Errors
    /// It ended instead: the error has the last lines of its log.
    pub fn start(&mut self) -> Result<(), Error> {
        self.write_settings()?;
        self.write_hba()?;
        let before = fs::metadata(&self.plan.log).map_or(0, |log| log.len());
        let mut command = Command::new(programs::postgresql("postgres")?);
        command
            .arg("-D")
            .arg(&self.plan.data)
            .arg("-k")
            .arg(&self.plan.sockets_folder);
        command
            .arg("-p")
            .arg(self.port.to_string())
            .current_dir(&self.plan.sockets_folder);
        let listen = if self.plan.sockets == Sockets::Tcp {
            "127.0.0.1"
        } else {
            ""
        };
        command.arg("-c").arg(format!("listen_addresses={listen}"));
        for (name, value) in &self.plan.settings {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        let account = self.account.as_ref();
        let mut process = Process::start(command, &self.plan.log, account, self.plan.lifetime)?;
        if let Some(groups) = &self.plan.groups {
            groups.take("db", process.pid)?;
        }
        let started = self.wait_until_ready(&mut process, before);
        if let Some(groups) = &self.plan.groups {
            groups.take("db", process.pid)?;
        }
        self.process = Some(process);
        if started.is_ok() {
            self.note()?;
        }
        started
    }

    fn note(&self) -> Result<(), Error> {
        match (&self.private, &self.process) {
            (Some(private), Some(process)) => private.note(process),
            _ => Ok(()),
        }
    }

    /// The last line of postmaster.pid says when it accepts sessions (pg_ctl(1) looks there too).
    fn wait_until_ready(&self, process: &mut Process, log_before: u64) -> Result<(), Error> {
        let start = Instant::now();
        let pid_file = self.plan.data.join("postmaster.pid");
        loop {
            let lines = fs::read_to_string(&pid_file).unwrap_or_default();
            let mut lines = lines.lines();
            let own = lines
                .next()
                .is_some_and(|pid| pid.trim() == process.pid.to_string());
            if own && lines.nth(6).is_some_and(|status| status.trim() == "ready") {
                return Ok(());
            }
            let said = || self.log_since(log_before);
            if process.ended().is_some() {
                return Err(Error::new(format!("PostgreSQL did not start:\n{}", said())));
            }
            if start.elapsed() > PATIENCE {
                return Err(Error::new(format!("PostgreSQL is not ready:\n{}", said())));
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn log_since(&self, before: u64) -> String {
        let log = fs::read(&self.plan.log).unwrap_or_default();
        let since = usize::try_from(before)
            .ok()
            .and_then(|before| log.get(before..));
        String::from_utf8_lossy(since.unwrap_or_default()).into_owned()
    }

    /// In place of initdb's; a copy, as the server's account may not reach the checkout.
    fn write_settings(&self) -> Result<(), Error> {
        let shipped = checkout()?.join(SETTINGS);
        let text = fs::read(&shipped).map_err(Error::while_doing(shipped.display()))?;
        let path = self.plan.data.join(SETTINGS);
        fs::write(&path, text).map_err(Error::while_doing(path.display()))
    }

    fn write_hba(&self) -> Result<(), Error> {
        let mut lines = vec![format!("local all {SUPERUSER} trust")];
        lines.extend(self.plan.hba.iter().cloned());
        // The folder of the socket is the lock: none but its account (and root) get that far.
        lines.push("local all all trust".to_owned());
        lines.push("host all all 127.0.0.1/32 scram-sha-256\n".to_owned());
        let path = self.plan.data.join("pg_hba.conf");
        fs::write(&path, lines.join("\n")).map_err(Error::while_doing(path.display()))
    }

    /// Stops the server and waits for its end; nothing happens if it does not run.
    pub fn stop(&mut self, mode: Shutdown) {
        let signal = match mode {
            Shutdown::Fast => Signal::INT,
            Shutdown::Immediate => Signal::QUIT,
        };
        if let Some(mut process) = self.process.take() {
            process.stop(signal, PATIENCE);
        }
    }

    /// The postmaster's process; none while it is stopped.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(|process| process.pid)
    }

    pub(crate) fn process(&self) -> Option<&Process> {
        self.process.as_ref()
    }

    /// Leaves the server running when this is dropped.
    pub(crate) fn detach(&mut self) {
        self.process = None;
    }

    /// Whether it has ended by itself; said once.
    pub(crate) fn has_ended(&mut self) -> bool {
        let ended = self
            .process
            .as_mut()
            .is_some_and(|process| process.ended().is_some());
        if ended {
            self.process = None;
        }
        ended
    }

    /// The port of 127.0.0.1 and of the Unix socket's name.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of the Unix socket.
    pub fn socket_folder(&self) -> &Path {
        &self.plan.sockets_folder
    }

    /// The file that the server logs to.
    pub fn log(&self) -> &Path {
        &self.plan.log
    }

    /// A `DATABASE_URL` of database `crebito` for this role, over TCP or the Unix socket, in
    /// libpq's form. An empty password is left out.
    pub fn url(&self, user: &str, password: &str, over: Sockets) -> String {
        let secret = if password.is_empty() {
            String::new()
        } else {
            format!(":{password}")
        };
        let port = self.port;
        match over {
            Sockets::Tcp => format!("postgresql://{user}{secret}@127.0.0.1:{port}/{ROLE}"),
            Sockets::Unix => {
                let folder = self.plan.sockets_folder.display();
                let port = if port == PORT {
                    String::new()
                } else {
                    format!("&port={port}")
                };
                format!("postgresql://{user}{secret}@/{ROLE}?host={folder}{port}")
            }
        }
    }

    /// The `DATABASE_URL` of the bank's own role, over what the plan says.
    pub fn role_url(&self) -> String {
        match self.plan.sockets {
            Sockets::Tcp => self.url(ROLE, &self.password, Sockets::Tcp),
            Sockets::Unix => self.url(ROLE, "", Sockets::Unix),
        }
    }

    /// Where it listens, as a person would look for it.
    pub(crate) fn address(&self) -> Address {
        match self.plan.sockets {
            Sockets::Tcp => Address::Tcp(([127, 0, 0, 1], self.port).into()),
            Sockets::Unix => {
                let name = format!(".s.PGSQL.{}", self.port);
                Address::Unix(self.plan.sockets_folder.join(name))
            }
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop(Shutdown::Immediate);
    }
}

/// Makes a folder that `account` (else we) alone can enter.
pub(crate) fn owned_folder(path: &Path, account: Option<&Account>) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(Error::while_doing(path.display()))?;
    let closed = fs::set_permissions(path, fs::Permissions::from_mode(0o700));
    let given = closed.and_then(|()| match account {
        Some(account) => chown(path, Some(account.uid), Some(account.gid)),
        None => Ok(()),
    });
    given.map_err(Error::while_doing(path.display()))
}

/// 128 bits from the kernel, in hexadecimal.
fn random_password() -> Result<String, Error> {
    let mut bytes = [0; 16];
    let random = fs::File::open("/dev/urandom");
    random
        .and_then(|mut random| std::io::Read::read_exact(&mut random, &mut bytes))
        .map_err(Error::while_doing("/dev/urandom"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
