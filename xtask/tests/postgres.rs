//! A private PostgreSQL, for real: it starts, is asked, is stopped in both ways, and goes.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use xtask::programs;
use xtask::stack::{Postgres, Shutdown, Sockets};

/// What psql says to this URL.
fn psql(url: &str, sql: &str) -> Result<String, String> {
    let mut command = Command::new(programs::postgresql("psql").unwrap());
    let output = command.args([url, "-XAtqc", sql]).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(text(&output.stderr))
    }
}

#[test]
fn a_script_may_print_before_it_is_read() {
    // More than two pipes hold, either way.
    let line = format!("SELECT repeat('x', 1000) AS {};\n", "n".repeat(1000));
    let script = line.repeat(300);
    let (done, waited) = mpsc::channel();
    thread::spawn(move || {
        let postgres = Postgres::private(&[], &[]).unwrap();
        let _ = done.send(postgres.psql(&script).unwrap());
    });
    // The end of patience, not a measure.
    let said = waited.recv_timeout(Duration::from_secs(120)).unwrap();
    assert_eq!(said.lines().count(), 300);
    assert!(said.lines().all(|line| line.len() == 1000));
}

#[test]
fn starts_answers_restarts_and_goes() {
    let mut postgres = Postgres::private(&[("work_mem", "3MB")], &[]).unwrap();
    let folder = postgres.socket_folder().to_owned();
    assert!(folder.exists());
    assert_eq!(postgres.psql("SHOW work_mem").unwrap(), "3MB");
    assert_eq!(
        postgres
            .psql("SHOW fsync; SHOW synchronous_commit")
            .unwrap(),
        "on\non"
    );
    let error = postgres
        .psql("SELECT nothing_of_that_name")
        .unwrap_err()
        .to_string();
    assert!(error.contains("nothing_of_that_name"), "{error}");

    postgres
        .psql("CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)")
        .unwrap();
    for mode in [Shutdown::Fast, Shutdown::Immediate] {
        let port = postgres.port();
        postgres.stop(mode);
        assert!(postgres.pid().is_none());
        assert!(postgres.psql("SELECT 1").is_err());
        postgres.start().unwrap();
        assert_eq!(
            postgres.psql("SELECT n FROM kept").unwrap(),
            "7",
            "{mode:?}"
        );
        assert_eq!(postgres.port(), port);
    }
    let pid = postgres.pid().unwrap();
    drop(postgres);
    assert!(!folder.exists());
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
}

#[test]
fn urls_and_authentication_are_as_asked_for() {
    let hba = [
        "host all reader 127.0.0.1/32 md5",
        "local all reader scram-sha-256",
    ];
    let postgres = Postgres::private(&[("password_encryption", "md5")], &hba).unwrap();
    postgres
        .psql("CREATE ROLE reader LOGIN PASSWORD 'a secret'")
        .unwrap();
    let who = "SELECT current_user || '@' || current_database()";
    let reader = postgres.url("reader", "a%20secret", Sockets::Tcp);
    assert_eq!(psql(&reader, who).unwrap(), "reader@crebito");
    let wrong = postgres.url("reader", "wrong", Sockets::Tcp);
    let error = psql(&wrong, who).unwrap_err();
    assert!(error.contains("password authentication failed"), "{error}");
    // An md5 secret cannot do SCRAM: the line for the Unix socket is in force, too.
    assert!(psql(&postgres.url("reader", "a%20secret", Sockets::Unix), who).is_err());
    let trusted = postgres.url("crebito", "", Sockets::Unix);
    assert_eq!(psql(&trusted, who).unwrap(), "crebito@crebito");
    assert!(
        psql(&postgres.url("crebito", "", Sockets::Tcp), who).is_err(),
        "no password"
    );
    assert_eq!(psql(&postgres.role_url(), who).unwrap(), "crebito@crebito");
}

#[test]
fn a_setting_that_does_not_exist_is_said() {
    let error = Postgres::private(&[("no_such_setting", "1")], &[])
        .unwrap_err()
        .to_string();
    assert!(error.contains("no_such_setting"), "{error}");
}
