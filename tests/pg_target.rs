//! Connection URLs: what they mean, and what is said about those that are refused.

#![allow(clippy::unwrap_used)]

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
    match Target::parse(url, pgpassword) {
        Ok(target) => assert_eq!(words(&target), want, "{url}"),
        Err(error) => assert_eq!(error.to_string(), want, "{url}"),
    }
}

#[test]
fn urls_that_are_taken() {
    let cases = [
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
    for (url, want) in cases {
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

#[test]
fn urls_that_are_refused() {
    let unencoded = |what| {
        format!(
            "the {what} has an @, a # or a /: in user and password write them as %40, %23 and %2F"
        )
    };
    let percent = |what| {
        format!(
            "the {what} has a % that is not followed by two hexadecimal digits; a % itself is %25"
        )
    };
    let scheme = "it must begin with postgres:// or postgresql://".to_owned();
    let text = |what| format!("the {what} is not UTF-8 once its %-codes are decoded, or has %00");
    let port = "the port is not a number from 1 to 65535".to_owned();
    let several = "several hosts are not supported: name one".to_owned();
    let no_user = "it names no user: write postgres://user@..., or add ?user=...".to_owned();
    let brackets =
        "the address in [ ] is not an IPv6 address, or something unexpected follows it".to_owned();
    let timeout = "connect_timeout is not a whole number of seconds up to 600".to_owned();
    let tls = |mode| {
        format!(
            "sslmode={mode} asks for TLS, which crebito does not build yet: use a Unix socket, \
             a private network or a TLS sidecar with sslmode=disable"
        )
    };
    let parameter = |name| {
        format!(
            "the parameter {name} is not known: host, port, user, password, dbname, \
             application_name, connect_timeout and sslmode are"
        )
    };
    let cases = [
        ("", scheme.clone()),
        ("mysql://ana@db", scheme.clone()),
        ("postgres:ana@db", scheme.clone()),
        ("host=db user=ana", scheme),
        (
            "postgres://ana:s\tecreta@db",
            "it has a control character".to_owned(),
        ),
        ("postgres://db/banco", no_user.clone()),
        ("postgres://:secreta@db/banco", no_user),
        ("postgres://ana:secreta%@db", percent("password")),
        ("postgres://ana:secreta%4@db", percent("password")),
        ("postgres://ana:secreta%zz@db", percent("password")),
        ("postgres://ana:secreta%00@db", text("password")),
        ("postgres://ana:secreta%ff@db", text("password")),
        ("postgres://ana:x@secreta@db/banco", unencoded("host")),
        ("postgres://ana:x#secreta/@db/banco", unencoded("database")),
        ("postgres://ana:5/secreta@db/banco", unencoded("database")),
        ("postgres://ana:5?/secreta@db/banco", unencoded("query")),
        ("postgres://ana:5?/secreta", parameter("(not shown)")),
        ("postgres://ana:secreta/x@db/banco", unencoded("database")),
        ("postgres://ana@db#secreta", unencoded("host")),
        ("postgres://ana@a%2Fb", unencoded("host")),
        ("postgres://ana@a,b/banco", several.clone()),
        ("postgres://ana@a:1,b:2/banco", several.clone()),
        ("postgres://ana@/banco?host=a,b", several),
        (
            "postgres://ana@%40abc/banco",
            "an abstract socket is not supported: name the folder of the socket".to_owned(),
        ),
        ("postgres://ana@db:0/b", port.clone()),
        ("postgres://ana@db:65536/b", port.clone()),
        ("postgres://ana@db:+1/b", port.clone()),
        ("postgres://ana:secreta", port),
        ("postgres://ana@[::1/b", brackets.clone()),
        ("postgres://ana@[db]/b", brackets.clone()),
        ("postgres://ana@[::1]5432/b", brackets),
        ("postgres://ana@db?connect_timeout=-1", timeout.clone()),
        ("postgres://ana@db?connect_timeout=1.5", timeout.clone()),
        ("postgres://ana@db?connect_timeout=601", timeout),
        ("postgres://ana@db?sslmode=require", tls("require")),
        ("postgres://ana@db?sslmode=verify-ca", tls("verify-ca")),
        ("postgres://ana@db?sslmode=verify-full", tls("verify-full")),
        (
            "postgres://ana@db?sslmode=sometimes",
            "sslmode=sometimes is unknown: disable, allow and prefer are taken".to_owned(),
        ),
        (
            "postgres://ana@db?target_session_attrs=any",
            parameter("target_session_attrs"),
        ),
        ("postgres://ana@db?Host=x", parameter("Host")),
    ];
    for (url, want) in cases {
        assert!(!want.contains("secreta"), "a test's own slip");
        check(url, None, &want);
        // A password from outside of the URL changes nothing.
        check(url, Some("secreta"), &want);
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
