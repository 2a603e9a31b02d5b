//! What is behind `cargo xtask up`, `down`, `status` and `clean`, for real, in a home of its own:
//! it answers, its data survives, what is in the way is named, and nothing is left behind.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

#[path = "sql_bank/old.rs"]
mod old;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::AtomicBool;

use xtask::home::Home;
use xtask::stack::{Driver, Options, Sockets};
use xtask::state::{ProcessState, State};
use xtask::{down, up};

/// A home in the temporary folder; what runs in it is stopped also when a test fails.
struct Own {
    home: Home,
    _folder: tempfile::TempDir,
}

impl Own {
    fn new() -> Own {
        xtask::say_nothing();
        let folder = tempfile::Builder::new()
            .prefix("up")
            .tempdir_in("/tmp")
            .unwrap();
        // PostgreSQL's account and NGINX's pass through it.
        let open = std::fs::Permissions::from_mode(0o711);
        std::fs::set_permissions(folder.path(), open).unwrap();
        Own {
            home: Home::within(&folder.path().join("home")),
            _folder: folder,
        }
    }

    fn up(&self, change: impl FnOnce(&mut up::Up)) -> Result<State, xtask::Error> {
        let options = Options::new(env!("CARGO_BIN_EXE_crebito"));
        let mut asked = up::Up {
            options,
            build: false,
            detach: true,
            fresh: false,
        };
        change(&mut asked);
        up::up(&self.home, &asked, &AtomicBool::new(false))?;
        Ok(self.state().expect("a state is written"))
    }

    fn state(&self) -> Option<State> {
        self.home.state().unwrap()
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let _ = down::clean(&self.home);
    }
}

fn ask(state: &State, request: &str) -> String {
    let address = state.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "{request}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.rsplit("\r\n\r\n").next().unwrap().to_owned()
}

fn credit(state: &State) -> String {
    let body = r#"{"valor":7,"tipo":"c","descricao":"up"}"#;
    let head = "POST /clientes/1/transacoes HTTP/1.1\r\nHost: x\r\nConnection: close\r\n";
    ask(
        state,
        &format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()),
    )
}

fn processes(state: &State) -> Vec<ProcessState> {
    let replicas = state.replicas.iter().map(|replica| replica.process.clone());
    replicas
        .chain(state.nginx.clone())
        .chain(state.postgres.clone())
        .collect()
}

fn assert_gone(state: &State) {
    for process in processes(state) {
        assert!(!process.is_alive(), "{process:?} is left");
    }
    let port = state
        .url
        .rsplit(':')
        .next()
        .unwrap()
        .parse::<u16>()
        .unwrap();
    assert!(
        TcpListener::bind(("127.0.0.1", port)).is_ok(),
        "{port} is still taken"
    );
}

#[test]
fn data_survives_and_fresh_starts_empty() {
    let own = Own::new();
    down::down(&own.home).unwrap();
    assert!(
        down::status(&own.home, false).unwrap(),
        "nothing was started"
    );

    let first = own.up(|_| {}).unwrap();
    assert_eq!(first.alive(), (4, 4));
    assert_eq!(credit(&first), r#"{"limite":100000,"saldo":7}"#);
    assert!(down::status(&own.home, true).unwrap());
    let error = own.up(|_| {}).unwrap_err().to_string();
    assert!(
        error.contains("it runs already") && error.contains(&first.url),
        "{error}"
    );
    let log = std::fs::metadata(own.home.run.join("log")).unwrap();
    assert_eq!(log.permissions().mode() & 0o077, 0, "all can read the logs");
    assert_eq!(first.alive(), (4, 4), "the second start touched the first");
    down::down(&own.home).unwrap();
    assert_gone(&first);
    down::down(&own.home).unwrap();

    let change = |asked: &mut up::Up| {
        asked.options.sockets = Sockets::Tcp;
        asked.options.replicas = 3;
        asked.options.driver = Driver::Epoll;
    };
    let second = own.up(change).unwrap();
    assert_eq!(second.alive(), (5, 5));
    assert!(
        second
            .replicas
            .iter()
            .all(|replica| replica.driver == "epoll")
    );
    assert!(
        second
            .replicas
            .iter()
            .all(|replica| replica.address.starts_with("127.0.0.1:"))
    );
    assert_eq!(credit(&second), r#"{"limite":100000,"saldo":14}"#);
    down::down(&own.home).unwrap();

    // What cannot start removes nothing.
    let error = own.up(|asked| {
        asked.fresh = true;
        asked.options.crebito = "/nowhere/crebito".into();
    });
    assert!(error.unwrap_err().to_string().contains("/nowhere/crebito"));
    let again = own.up(|_| ()).unwrap();
    assert_eq!(credit(&again), r#"{"limite":100000,"saldo":21}"#);
    down::down(&own.home).unwrap();

    let third = own.up(|asked| asked.fresh = true).unwrap();
    assert_eq!(credit(&third), r#"{"limite":100000,"saldo":7}"#);
    down::clean(&own.home).unwrap();
    assert_gone(&third);
    assert!(!own.home.folder.exists(), "clean leaves nothing");
}

#[test]
fn what_is_in_the_way_is_named_and_nothing_is_half_started() {
    let own = Own::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let error = own
        .up(|asked| asked.options.port = port)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains(&format!("port {port} is in use by ")),
        "{error}"
    );
    drop(listener);

    // PostgreSQL comes up, the replicas do not.
    let bad = |asked: &mut up::Up| {
        asked
            .options
            .env
            .push(("MAX_QUEUE".to_owned(), "many".to_owned()));
    };
    let error = own.up(bad).unwrap_err().to_string();
    assert!(
        error.contains("ended") && error.to_lowercase().contains("max"),
        "{error}"
    );
    assert!(own.state().is_none());
    assert!(!postmaster_runs(&own.home.data), "PostgreSQL is left");
}

fn postmaster_runs(data: &Path) -> bool {
    let lines = std::fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
    lines
        .lines()
        .next()
        .is_some_and(|pid| Path::new("/proc").join(pid).exists())
}

#[test]
fn the_remains_of_an_earlier_run_are_cleared_away() {
    let own = Own::new();
    let first = own.up(|_| {}).unwrap();
    // NGINX's workers outlive their master, and keep its port.
    for process in [first.nginx.as_ref().unwrap(), &first.replicas[0].process] {
        let kill = Command::new("kill")
            .args(["-9", &process.pid.to_string()])
            .status();
        assert!(kill.unwrap().success());
        while process.is_alive() {
            std::thread::yield_now();
        }
    }
    assert!(!down::status(&own.home, true).unwrap(), "two parts ended");
    let port = first.url.rsplit(':').next().unwrap().parse().unwrap();
    let second = own.up(|asked| asked.options.port = port).unwrap();
    assert_eq!(second.alive(), (4, 4));
    assert_eq!(first.alive(), (0, 4), "of the first run nothing is left");
    let before = std::fs::read_to_string(own.home.run.join("log.before/postgres.log")).unwrap();
    assert!(before.contains("ready to accept connections"), "{before}");

    // A pid that was given to another process since: it is not ours to kill.
    let mut sleep = Command::new("sleep").arg("600").spawn().unwrap();
    let mut text = std::fs::read_to_string(own.home.state_file()).unwrap();
    let postgres = second.postgres.as_ref().unwrap();
    let other = format!("\"pid\": {}", sleep.id());
    text = text.replace(
        &format!("\"pid\": {}", second.replicas[1].process.pid),
        &other,
    );
    std::fs::write(own.home.state_file(), text).unwrap();
    assert_eq!(own.state().unwrap().alive(), (3, 4));
    down::down(&own.home).unwrap();
    let untouched = sleep.try_wait().unwrap().is_none();
    sleep.kill().unwrap();
    sleep.wait().unwrap();
    assert!(untouched, "a process with a recycled pid was stopped");
    assert!(!postgres.is_alive());
    // The replica that the changed state no longer names.
    let lost = second.replicas[1].process.pid.to_string();
    Command::new("kill").args(["-9", &lost]).status().unwrap();
}

#[test]
fn a_lost_state_loses_no_process_and_no_data_under_one() {
    let mut own = Own::new();
    let apart = own.home.folder.with_file_name("apart");
    own.home.data = apart.join("data");
    own.home.run = apart.join("run");

    let first = own.up(|_| {}).unwrap();
    std::fs::remove_dir_all(&own.home.folder).unwrap();
    assert!(down::status(&own.home, false).unwrap());
    let error = own.up(|_| {}).unwrap_err().to_string();
    assert!(error.contains("it runs already"), "{error}");
    down::down(&own.home).unwrap();
    assert_gone(&first);

    // Of another version of this task, and the copy is gone.
    let second = own.up(|_| {}).unwrap();
    std::fs::write(own.home.state_file(), "{}").unwrap();
    std::fs::remove_dir_all(&own.home.run).unwrap();
    assert!(!down::status(&own.home, false).unwrap());
    down::clean(&own.home).unwrap();
    assert!(!second.postgres.as_ref().unwrap().is_alive());
    assert!(!own.home.data.exists());
    // Nothing tells of the others any more.
    for process in processes(&second) {
        let group = format!("-{}", process.pid);
        Command::new("kill")
            .args(["-9", "--", &group])
            .status()
            .unwrap();
    }

    // The pid of another process: it is not ours to stop, and the data may go.
    std::fs::create_dir_all(&own.home.data).unwrap();
    let pid_file = own.home.data.join("postmaster.pid");
    std::fs::write(pid_file, std::process::id().to_string()).unwrap();
    down::clean(&own.home).unwrap();
    assert!(!own.home.data.exists());
}

#[test]
fn a_broken_folder_is_named_with_a_way_out() {
    let own = Own::new();
    std::fs::write(&own.home.folder, "").unwrap();
    for result in [own.up(|_| {}).map(drop), down::down(&own.home)] {
        let error = result.unwrap_err().to_string();
        let path = own.home.folder.display().to_string();
        assert!(
            error.contains(&path) && error.contains("remove what is there"),
            "{error}"
        );
    }
    std::fs::remove_file(&own.home.folder).unwrap();
}

/// A bank of a row per transacao, with one: it is converted, and goes on.
#[test]
fn an_old_bank_is_converted() {
    let own = Own::new();
    let first = own.up(|_| {}).unwrap();
    let psql = xtask::programs::postgresql("psql").unwrap();
    let sql = format!(
        "DROP SCHEMA banco CASCADE; SET client_min_messages = warning; {}
         SELECT InsertTransacao(1, 5, 'c', 'old')",
        old::old()
    );
    let mut made = Command::new(psql);
    made.args(["-Xq", "-v", "ON_ERROR_STOP=1", "-c", &sql]);
    made.args(["-d", &first.database_url]);
    let made = made.output().unwrap();
    let said = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success(), "{said}");
    down::down(&own.home).unwrap();

    let second = own.up(|_| {}).unwrap();
    assert_eq!(credit(&second), r#"{"limite":100000,"saldo":12}"#);
    let head = "GET /clientes/1/extrato HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let extrato = ask(&second, head);
    assert!(
        extrato.contains(r#""descricao":"old""#) && extrato.contains(r#""descricao":"up""#),
        "{extrato}"
    );
    down::down(&own.home).unwrap();
}

#[test]
fn damaged_data_ends_in_a_sentence_with_the_way_out() {
    let own = Own::new();
    let data = &own.home.data;
    let only_its_version = || {
        std::fs::create_dir_all(data).unwrap();
        std::fs::write(data.join("PG_VERSION"), "15\n").unwrap();
    };
    let without_base = || {
        own.up(|asked| asked.fresh = true).unwrap();
        down::down(&own.home).unwrap();
        std::fs::remove_dir_all(data.join("base")).unwrap();
    };
    let without_its_version = || std::fs::remove_file(data.join("PG_VERSION")).unwrap();
    for (damage, named) in [
        (&only_its_version as &dyn Fn(), ""),
        (&without_base, ""),
        (&without_its_version, "it has no PG_VERSION\n"),
    ] {
        damage();
        let error = own.up(|_| {}).unwrap_err().to_string();
        assert!(error.contains(named), "{error}");
        assert!(error.contains("cargo xtask up --fresh"), "{error}");
        assert!(!postmaster_runs(data), "PostgreSQL is left");
    }
    own.up(|asked| asked.fresh = true).unwrap();
}
