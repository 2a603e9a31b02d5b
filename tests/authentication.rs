//! Each way in which PostgreSQL may ask who one is, against a server that is set up for it; and
//! the secrets stay secret.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod common;
mod replica;

use replica::{Replica, run};
use xtask::stack::{Driver, Postgres, ROLE, Sockets};

const SECRET: &str = "s3cr3t-Word";
/// Every kind of character that a URL must encode, and what SASLprep (RFC 4013) looks at.
const ODD_SECRET: &str = "p@ss:/?#[]%&=+ 'é\u{a0}ñ";
const ODD_SECRET_ENCODED: &str = "p%40ss%3A%2F%3F%23%5B%5D%25%26%3D%2B%20%27%C3%A9%C2%A0%C3%B1";
const WRONG: &str = "n0t-the-Word";

const HBA: [&str; 7] = [
    "host all trusted 127.0.0.1/32 trust",
    "host all cleartext 127.0.0.1/32 password",
    "local all cleartext password",
    "host all hashed 127.0.0.1/32 md5",
    "host all scrammed 127.0.0.1/32 scram-sha-256",
    "local all scrammed scram-sha-256",
    "host all odd 127.0.0.1/32 scram-sha-256",
];

/// What `crebito --check` is to make of it: with `Err`, its sentence has all these parts.
struct Case {
    url: String,
    password: Option<&'static str>,
    expected: Result<(), &'static [&'static str]>,
}

#[test]
fn every_method_under_io_uring() {
    check(Driver::IoUring);
}

#[test]
fn every_method_under_epoll() {
    check(Driver::Epoll);
}

fn check(driver: Driver) {
    let postgres = server();
    let file = tempfile::NamedTempFile::new().unwrap();
    for case in cases(&postgres) {
        check_case(driver, &case, case.password.map(|own| ("PGPASSWORD", own)));
        if let Some(password) = case.password {
            std::fs::write(&file, format!("{password}\n")).unwrap();
            let path = file.path().to_str().unwrap();
            check_case(driver, &case, Some(("PGPASSWORD_FILE", path)));
        }
    }
    check_running(&postgres, driver);
}

fn check_case(driver: Driver, case: &Case, password: Option<(&str, &str)>) {
    let mut settings = vec![
        ("DATABASE_URL", case.url.as_str()),
        ("IO_DRIVER", driver.as_str()),
        ("LOG", "debug"),
    ];
    settings.extend(password);
    let ended = run(&["--check"], &settings);
    let context = format!("{} {password:?}: {ended:#?}", case.url);
    assert_eq!(ended.status.success(), case.expected.is_ok(), "{context}");
    for part in case.expected.err().unwrap_or_default() {
        assert!(ended.output().contains(part), "no {part:?}: {context}");
    }
    assert_no_secret(&ended.output(), &context);
}

/// A replica that serves with a password, and one that keeps trying with a wrong one.
fn check_running(postgres: &Postgres, driver: Driver) {
    for (secret, health) in [(SECRET, 200), (WRONG, 503)] {
        let url = postgres.url("scrammed", secret, Sockets::Tcp) + "?sslmode=prefer";
        let listen = replica::free_address().to_string();
        let mut replica = Replica::start(&[
            ("DATABASE_URL", &url),
            ("LISTEN", &listen),
            ("IO_DRIVER", driver.as_str()),
            ("LOG", "debug"),
        ]);
        let response = replica.wait_for("/health", health);
        // No TLS is not what prefer hopes for: it is said.
        replica.wait_for_log("sslmode=prefer");
        if health == 503 {
            replica.wait_for_log("28P01");
            replica.wait_for_log("scrammed");
            assert_eq!(replica.get("/healthz").unwrap().status, 200);
        }
        assert_no_secret(&response.text(), "/health");
        assert_no_secret(&replica.log(), "the log");
    }
}

fn assert_no_secret(text: &str, context: &str) {
    for secret in [SECRET, ODD_SECRET, ODD_SECRET_ENCODED, WRONG] {
        assert!(!text.contains(secret), "{secret:?} is told: {context}");
    }
}

/// A bank, and a role of its owner's rights for each method.
fn server() -> Postgres {
    let postgres = Postgres::private(&[], &HBA).unwrap();
    postgres.apply_sql().unwrap();
    let odd = ODD_SECRET.replace('\'', "''");
    let roles = [
        ("trusted", "scram-sha-256", SECRET),
        ("cleartext", "scram-sha-256", SECRET),
        ("hashed", "md5", SECRET),
        ("scrammed", "scram-sha-256", SECRET),
        ("odd", "scram-sha-256", &odd),
    ];
    for (role, encryption, secret) in roles {
        postgres
            .psql(&format!(
                "SET password_encryption = '{encryption}';
                 CREATE ROLE {role} LOGIN PASSWORD '{secret}' IN ROLE {ROLE};"
            ))
            .unwrap();
    }
    postgres
}

#[rustfmt::skip]
fn cases(postgres: &Postgres) -> Vec<Case> {
    let tcp = |user: &str, password: &str| postgres.url(user, password, Sockets::Tcp);
    let unix = |user: &str, password: &str| postgres.url(user, password, Sockets::Unix);
    let good = |url: String| Case { url, password: None, expected: Ok(()) };
    let bad = |url: String, parts| Case { url, password: None, expected: Err(parts) };
    let with = |case: Case, password| Case { password: Some(password), ..case };
    let wrong: &[&str] = &["28P01", "scrammed"];
    vec![
        good(tcp("trusted", "")),
        good(tcp("trusted", SECRET)),
        good(unix(ROLE, "")),
        good(unix("cleartext", SECRET)),
        bad(unix("cleartext", WRONG), &["28P01", "cleartext"]),
        bad(tcp("cleartext", SECRET), &["cleartext", "Unix socket"]),
        good(tcp("hashed", SECRET)),
        bad(tcp("hashed", WRONG), &["28P01", "hashed"]),
        bad(tcp("hashed", ""), &["password"]),
        good(tcp("scrammed", SECRET)),
        good(unix("scrammed", SECRET)),
        bad(tcp("scrammed", WRONG), wrong),
        bad(unix("scrammed", WRONG), wrong),
        bad(tcp("scrammed", ""), &["password"]),
        with(good(tcp("scrammed", "")), SECRET),
        with(bad(tcp("scrammed", ""), wrong), WRONG),
        // The URL's own password wins, as with libpq.
        with(good(tcp("scrammed", SECRET)), WRONG),
        good(tcp("odd", ODD_SECRET_ENCODED)),
        with(good(tcp("odd", "")), ODD_SECRET),
        bad(tcp("nobody", SECRET), &["nobody"]),
        bad(tcp("trusted", "").replace("/crebito", "/nowhere"), &["3D000", "nowhere"]),
        good(format!("{}?sslmode=disable", tcp("scrammed", SECRET))),
        good(format!("{}?sslmode=prefer", tcp("scrammed", SECRET))),
        bad(format!("{}?sslmode=require", tcp("scrammed", SECRET)), &["sslmode=require", "TLS"]),
        bad(format!("{}?sslmode=verify-ca", tcp("scrammed", SECRET)), &["sslmode=verify-ca"]),
        bad(format!("{}?sslmode=verify-full", tcp("scrammed", SECRET)), &["sslmode=verify-full"]),
        good(format!("{}?application_name=caixa&connect_timeout=5", tcp("scrammed", SECRET))),
    ]
}
