//! Connection URLs: what they mean, and what is said about those that are refused.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use crebito::pg::{Host, Target};
use std::path::Path;

/// `host user password database application timeout ssl`, in one line.
fn words(target: &Target) -> String {
    let password = target.password.as_deref().unwrap_or("-");
    let seconds = target.connect_timeout.as_secs();
    let ssl = if target.ssl_prefer { "prefer" } else { "plain" };
    format!(
        "{} {} {} {} {} {}s {}",
        target.host, target.user, password, target.database, target.application_name, seconds, ssl
    )
}

fn check(url: &str, pgpassword: Option<&str>, want: &str) {
    let target = Target::parse(url, pgpassword).map_err(|error| format!("{url}: {error}"));
    assert_eq!(words(&target.unwrap()), want, "{url}");
}

const TAKEN: &[(&str, &str)] = &[
    ("postgres://ana@db", "db:5432 ana - ana crebito 2s plain"),
    (
        "postgresql://ana:pw@db:6543/banco",
        "db:6543 ana pw banco crebito 2s plain",
    ),
    (
        " postgres://ana@db/\n",
        "db:5432 ana - ana crebito 2s plain",
    ),
    (
        "postgres://ana@db:/banco",
        "db:5432 ana - banco crebito 2s plain",
    ),
    (
        "postgres://ana:@db/banco",
        "db:5432 ana - banco crebito 2s plain",
    ),
    (
        "postgres://a%40b:%3A%2F%3f%23%25+@db/b%20c",
        "db:5432 a@b :/?#%+ b c crebito 2s plain",
    ),
    (
        "postgres://ana:a:b?c@db/banco",
        "db:5432 ana a:b?c banco crebito 2s plain",
    ),
    (
        "postgres://ana:sen%C3%A7a@db",
        "db:5432 ana sença ana crebito 2s plain",
    ),
    (
        "postgres://ana:sença@db",
        "db:5432 ana sença ana crebito 2s plain",
    ),
    (
        "postgres://ana@127.0.0.1:1/b",
        "127.0.0.1:1 ana - b crebito 2s plain",
    ),
    (
        "postgres://ana@[::1]/b",
        "[::1]:5432 ana - b crebito 2s plain",
    ),
    (
        "postgres://ana@[fe80::1%25eth0]:65535/b",
        "[fe80::1%eth0]:65535 ana - b crebito 2s plain",
    ),
    (
        "postgres://ana@/b",
        "/var/run/postgresql/.s.PGSQL.5432 ana - b crebito 2s plain",
    ),
    (
        "postgres:///?user=ana",
        "/var/run/postgresql/.s.PGSQL.5432 ana - ana crebito 2s plain",
    ),
    (
        "postgres:///b?host=/tmp&user=ana",
        "/tmp/.s.PGSQL.5432 ana - b crebito 2s plain",
    ),
    (
        "postgres://ana:pw@/b?host=/tmp",
        "/tmp/.s.PGSQL.5432 ana pw b crebito 2s plain",
    ),
    (
        "postgres://ana@%2Fvar%2Frun:7/b",
        "/var/run/.s.PGSQL.7 ana - b crebito 2s plain",
    ),
    (
        "postgres://ana@x:1/b?host=y&port=2&dbname=c&user=eva",
        "y:2 eva - c crebito 2s plain",
    ),
    (
        "postgres://ana:x@db?password=y%26z",
        "db:5432 ana y&z ana crebito 2s plain",
    ),
    (
        "postgres://ana@db?application_name=meu%20app",
        "db:5432 ana - ana meu app 2s plain",
    ),
    (
        "postgres://ana@db?connect_timeout=10",
        "db:5432 ana - ana crebito 10s plain",
    ),
    (
        "postgres://ana@db?connect_timeout=0",
        "db:5432 ana - ana crebito 2s plain",
    ),
    (
        "postgres://ana@db?sslmode=disable",
        "db:5432 ana - ana crebito 2s plain",
    ),
    (
        "postgres://ana@db?sslmode=prefer",
        "db:5432 ana - ana crebito 2s prefer",
    ),
    (
        "postgres://ana@db?sslmode=allow&",
        "db:5432 ana - ana crebito 2s prefer",
    ),
];

#[test]
fn urls_that_are_taken() {
    for (url, want) in TAKEN {
        check(url, None, want);
    }
    check(
        "postgres://ana@db",
        Some("env"),
        "db:5432 ana env ana crebito 2s plain",
    );
    check(
        "postgres://ana:@db",
        Some("env"),
        "db:5432 ana env ana crebito 2s plain",
    );
    check(
        "postgres://ana:url@db",
        Some("env"),
        "db:5432 ana url ana crebito 2s plain",
    );
    check(
        "postgres://ana@db",
        Some(""),
        "db:5432 ana - ana crebito 2s plain",
    );
}

/// Each with the beginning of what is said.
const REFUSED: &[(&str, &str)] = &[
    ("", SCHEME),
    ("mysql://ana@db", SCHEME),
    ("postgres:ana@db", SCHEME),
    ("host=db user=ana", SCHEME),
    ("postgres://ana:s\tecreta@db", "it has a control character"),
    ("postgres://db/banco", NO_USER),
    ("postgres://:secreta@db/banco", NO_USER),
    (
        "postgres://ana:secreta%@db",
        "the password has a % that is not",
    ),
    (
        "postgres://ana:secreta%4@db",
        "the password has a % that is not",
    ),
    (
        "postgres://ana:secreta%zz@db",
        "the password has a % that is not",
    ),
    ("postgres://ana:secreta%00@db", "the password is not UTF-8"),
    ("postgres://ana:secreta%ff@db", "the password is not UTF-8"),
    (
        "postgres://ana:x@secreta@db/banco",
        "the host has an @, a # or a /: in user",
    ),
    (
        "postgres://ana:x#secreta/@db/banco",
        "the database has an @, a #",
    ),
    (
        "postgres://ana:5/secreta@db/banco",
        "the database has an @, a #",
    ),
    (
        "postgres://ana:5?/secreta@db/banco",
        "the query has an @, a #",
    ),
    (
        "postgres://ana:5?/secreta",
        "the parameter (not shown) is not known",
    ),
    (
        "postgres://ana:secreta/x@db/banco",
        "the database has an @, a #",
    ),
    ("postgres://ana@db#secreta", "the host has an @, a #"),
    ("postgres://ana@a%2Fb", "the host has an @, a #"),
    ("postgres://ana@a,b/banco", SEVERAL),
    ("postgres://ana@a:1,b:2/banco", SEVERAL),
    ("postgres://ana@/banco?host=a,b", SEVERAL),
    (
        "postgres://ana@%40abc/banco",
        "an abstract socket is not supported: name the folder",
    ),
    ("postgres://ana@db:0/b", PORT),
    ("postgres://ana@db:65536/b", PORT),
    ("postgres://ana@db:+1/b", PORT),
    ("postgres://ana:secreta", PORT),
    ("postgres://ana@[::1/b", BRACKETS),
    ("postgres://ana@[db]/b", BRACKETS),
    ("postgres://ana@[::1]5432/b", BRACKETS),
    ("postgres://ana@db?connect_timeout=-1", TIMEOUT),
    ("postgres://ana@db?connect_timeout=1.5", TIMEOUT),
    ("postgres://ana@db?connect_timeout=601", TIMEOUT),
    (
        "postgres://ana@db?sslmode=require",
        "sslmode=require asks for TLS, which crebito does not",
    ),
    (
        "postgres://ana@db?sslmode=verify-ca",
        "sslmode=verify-ca asks for TLS",
    ),
    (
        "postgres://ana@db?sslmode=verify-full",
        "sslmode=verify-full asks for TLS",
    ),
    (
        "postgres://ana@db?sslmode=sometimes",
        "sslmode=sometimes is unknown: disable, allow",
    ),
    (
        "postgres://ana@db?target_session_attrs=any",
        "the parameter target_session_attrs is not",
    ),
    (
        "postgres://ana@db?Host=x",
        "the parameter Host is not known: host, port,",
    ),
];
const SCHEME: &str = "it must begin with postgres:// or postgresql://";
const NO_USER: &str = "it names no user: write postgres://user@..., or add ?user=...";
const SEVERAL: &str = "several hosts are not supported: name one";
const PORT: &str = "the port is not a number from 1 to 65535";
const BRACKETS: &str = "the address in [ ] is not an IPv6 address";
const TIMEOUT: &str = "connect_timeout is not a whole number of seconds up to 600";

#[test]
fn urls_that_are_refused() {
    for (url, want) in REFUSED {
        // A password from outside of the URL changes nothing.
        for pgpassword in [None, Some("secreta")] {
            let error = Target::parse(url, pgpassword).unwrap_err().to_string();
            assert!(error.starts_with(want), "{url}: {error}");
            assert!(!error.contains("secreta"), "{url}: {error}");
        }
    }
}

#[test]
fn a_socket_has_a_path_of_bounded_length() {
    let target = Target::parse("postgres://ana@/b?host=/run/pg&port=6000", None).unwrap();
    assert_eq!(
        target.socket_path().as_deref(),
        Some(Path::new("/run/pg/.s.PGSQL.6000"))
    );
    let target = Target::parse("postgres://ana@db", None).unwrap();
    assert_eq!(target.socket_path(), None);
    assert_eq!(
        target.host,
        Host::Tcp {
            host: "db".to_owned(),
            port: 5432
        }
    );
    let url = |len: usize| format!("postgres://ana@/b?host=/{}", "x".repeat(len - 1));
    assert!(Target::parse(&url(107 - "/.s.PGSQL.5432".len()), None).is_ok());
    let error = Target::parse(&url(108 - "/.s.PGSQL.5432".len()), None).unwrap_err();
    assert!(
        error.to_string().ends_with("is longer than 107 bytes"),
        "{error}"
    );
}

#[test]
fn the_password_is_never_shown() {
    let target = Target::parse("postgres://ana:secreta@db/banco", None).unwrap();
    assert_eq!(
        target.to_string(),
        r#"database "banco" as "ana" at db:5432"#
    );
    assert!(!format!("{target:?} {target:#?} {target}").contains("secreta"));
    assert!(format!("{target:?}").contains("***"));
}
