//! crebito as an operator meets it: its command line, its settings, its start, its refusals.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod common;
mod replica;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::thread;
use std::time::Instant;

use common::{Client, Peer};
use replica::{Ended, GUARD, NOWHERE, Replica, command, deny, free_address, run};
use rustix::process::Signal;
use xtask::stack::{Driver, Postgres, Shutdown};

const DRIVERS: [Driver; 2] = [Driver::IoUring, Driver::Epoll];
/// Connections that are open and do nothing; a test may have 1024 descriptors in all.
const IDLE: u64 = 400;

/// Its settings are held against the READMEs' by tests/readme.rs.
#[test]
fn help_names_what_is_no_setting() {
    let ended = run(&["--help"], &[]);
    assert!(ended.status.success(), "{ended:?}");
    for named in ["--check", "health", "--version"] {
        assert!(ended.stdout.contains(named), "{named}:\n{}", ended.stdout);
    }
}

#[test]
fn version_is_the_package_s() {
    let ended = run(&["--version"], &[]);
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(
        ended.stdout.trim(),
        concat!("crebito ", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn a_bad_setting_stops_the_start_with_a_sentence() {
    let url = |url| ("DATABASE_URL", url);
    #[rustfmt::skip]
    let cases = [
        ("WORKERS", "0"), ("WORKERS", "-1"), ("WORKERS", "many"), ("WORKERS", "1.5"),
        ("IO_DRIVER", "poll"), ("IO_DRIVER", "IO_URING "), ("SCHED_POLICY", "fifo"),
        ("LISTEN", "8080"), ("LISTEN", "unix:relative"), ("LISTEN", "127.0.0.1:65536"),
        ("LISTEN", "unix:"), ("ADMIN_LISTEN", "here"),
        ("MAX_CONNECTIONS", "0"), ("MAX_CONNECTIONS", "all"), ("MAX_QUEUE", "0"),
        ("FLIGHT_MAX", "0"), ("FLIGHT_MAX", "1025"),
        ("LOG", "loud"), ("LOG_FORMAT", "xml"), ("SLOW_MS", "-1"), ("SLOW_MS", "600001"),
        url(""), url("http://localhost"), url("postgresql://crebito@h:65536/crebito"),
        url("postgresql://crebito@h/crebito?sslmode=require"),
        url("postgresql://crebito@h/crebito?sslmode=please"),
    ];
    for setting in cases {
        for arguments in [&[][..], &["--check"]] {
            let listen = ("LISTEN", "127.0.0.1:0");
            let ended = run(arguments, &[NOWHERE, listen, setting]);
            assert_sentence(&ended, &[setting.0]);
        }
    }
    let file = ("PGPASSWORD_FILE", "/nowhere/secret");
    let both = run(&[], &[NOWHERE, file, ("PGPASSWORD", "hush")]);
    assert_sentence(&both, &["PGPASSWORD and PGPASSWORD_FILE"]);
    assert!(!both.stderr.contains("hush"), "{both:?}");
    assert_sentence(&run(&[], &[NOWHERE, file]), &["/nowhere/secret"]);
    assert_sentence(&run(&[], &[]), &["DATABASE_URL"]);
    assert_sentence(&run(&["--no-such-flag"], &[NOWHERE]), &["no_such_flag"]);
}

#[test]
fn check_says_whether_the_database_serves() {
    let mut postgres = Postgres::private(&[], &[]).unwrap();
    let url = postgres.role_url();
    let check = |driver: Driver| {
        run(
            &["--check"],
            &[("DATABASE_URL", &url), ("IO_DRIVER", driver.as_str())],
        )
    };
    for driver in DRIVERS {
        assert_sentence(&check(driver), &["sql/"]);
    }
    postgres.apply_sql().unwrap();
    for driver in DRIVERS {
        let ended = check(driver);
        assert!(ended.status.success(), "{ended:?}");
    }
    postgres.stop(Shutdown::Fast);
    for driver in DRIVERS {
        assert_sentence(&check(driver), &["127.0.0.1"]);
    }
}

#[test]
fn health_asks_its_own_address() {
    let mut postgres = bank();
    let url = postgres.role_url();
    let folder = tempfile::tempdir().unwrap();
    let unix = format!("unix:{}", folder.path().join("api.sock").display());
    let tcp = free_address().to_string();
    for (listen, workers) in [(&tcp, "1"), (&unix, "1"), (&unix, "2")] {
        for driver in DRIVERS {
            let settings = [
                ("DATABASE_URL", url.as_str()),
                ("LISTEN", listen),
                ("WORKERS", workers),
                ("IO_DRIVER", driver.as_str()),
            ];
            let health = || run(&["health"], &[("LISTEN", listen), ("WORKERS", workers)]);
            assert_eq!(
                health().status.code(),
                Some(1),
                "nobody listens: {:?}",
                health()
            );
            let mut replica =
                Replica::spawn(command(&settings), &[("LISTEN", &first(listen, workers))]);
            let response = replica.wait_for("/health", 200);
            assert_eq!(
                response.json()["driver"],
                driver.as_str(),
                "{}",
                response.text()
            );
            assert_eq!(health().status.code(), Some(0), "{:?}", health());
            if driver == Driver::Epoll && workers == "2" {
                postgres.stop(Shutdown::Fast);
                replica.wait_for("/health", 503);
                assert_eq!(health().status.code(), Some(1), "{:?}", health());
            }
        }
    }
}

/// A peer that gives these answers, one for each connection, so that time is no matter; what is
/// news is told at once, or the test would wait an hour.
#[test]
fn health_asks_a_settled_one_again_and_goes_by_the_second_answer() {
    let settled = (200, 3);
    for (every, answers, code) in [
        ("0", &[settled, settled][..], 0),
        ("0", &[settled, (503, 0)], 1),
        ("3600", &[(503, 0)], 1),
        ("3600", &[(200, 2)], 0),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let listen = listener.local_addr().unwrap().to_string();
        let answered = thread::spawn({
            let answers = answers.to_vec();
            move || {
                answers
                    .into_iter()
                    .for_each(|answer| say(&listener, answer))
            }
        });
        let said = run(&["health", "--every", every], &[("LISTEN", &listen)]);
        assert_eq!(said.status.code(), Some(code), "{answers:?}: {said:?}");
        answered.join().unwrap();
    }
}

/// Answers one connection as a replica whose session is up for so many seconds.
fn say(listener: &TcpListener, (status, session_s): (u16, u64)) {
    let (mut peer, _) = listener.accept().unwrap();
    let mut request = [0; 1024];
    assert!(peer.read(&mut request).unwrap() > 0);
    let body = format!("{{\"session_s\":{session_s}}}");
    write!(peer, "HTTP/1.1 {status} Whatever\r\n\r\n{body}").unwrap();
}

/// Where the first of `workers` listens.
fn first(listen: &str, workers: &str) -> String {
    match workers {
        "1" => listen.to_owned(),
        _ => listen.replace(".sock", ".0.sock"),
    }
}

#[test]
fn each_worker_has_its_own_path_and_a_stale_file_is_no_obstacle() {
    let postgres = bank();
    let url = postgres.role_url();
    for driver in DRIVERS {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        // A socket whose listener is gone, as a killed process leaves it.
        drop(UnixListener::bind(path("api.1.sock")).unwrap());
        let listen = format!("unix:{}", path("api.sock").display());
        let settings = [
            ("DATABASE_URL", url.as_str()),
            ("LISTEN", &listen),
            ("WORKERS", "2"),
            ("IO_DRIVER", driver.as_str()),
        ];
        let mut replica = Replica::spawn(command(&settings), &[("LISTEN", &first(&listen, "2"))]);
        replica.wait_for("/health", 200);
        assert!(!path("api.sock").exists());
        for worker in ["api.0.sock", "api.1.sock"] {
            let mut client = Client::connect(&Peer::Unix(path(worker))).unwrap();
            assert_eq!(
                client.exchange(common::extrato(1)).unwrap().status,
                200,
                "{worker}"
            );
        }
        // A live one is not taken away from its owner.
        let ended = run(&[], &settings);
        assert_sentence(&ended, &[&path("api.0.sock").display().to_string()]);
        assert_eq!(replica.get("/healthz").unwrap().status, 200);
    }
}

#[test]
fn a_port_in_use_is_told() {
    for driver in DRIVERS {
        let listen = free_address().to_string();
        let settings = [NOWHERE, ("LISTEN", &listen), ("IO_DRIVER", driver.as_str())];
        let mut replica = Replica::start(&settings);
        replica.wait_for("/healthz", 200);
        assert_sentence(&run(&[], &settings), &[&listen]);
    }
    // What is no socket is not deleted.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("precious");
    std::fs::write(&file, "money").unwrap();
    let listen = format!("unix:{}", file.display());
    assert_sentence(&run(&[], &[NOWHERE, ("LISTEN", &listen)]), &["precious"]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "money");
}

/// The kernel takes a ring apart only after its process is gone, and its sockets with it.
#[test]
fn who_follows_a_killed_process_gets_its_address() {
    let folder = tempfile::tempdir().unwrap();
    let path = format!("unix:{}", folder.path().join("api").display());
    for listen in [free_address().to_string(), path] {
        let settings = [NOWHERE, ("LISTEN", listen.as_str())];
        for _ in 0..5 {
            let mut replica = Replica::start(&settings);
            replica.wait_for("/healthz", 200);
            let connect = || Client::connect(replica.peer()).unwrap();
            let _idle: Vec<Client> = (0..200).map(|_| connect()).collect();
            replica.signal(Signal::KILL);
            replica.wait();
        }
    }
}

#[test]
fn one_connection_too_many_is_told_and_closed() {
    let postgres = bank();
    let url = postgres.role_url();
    for driver in DRIVERS {
        let listen = free_address().to_string();
        let mut replica = Replica::start(&[
            ("DATABASE_URL", &url),
            ("LISTEN", &listen),
            ("IO_DRIVER", driver.as_str()),
            ("MAX_CONNECTIONS", "2"),
        ]);
        replica.wait_for("/health", 200);
        let served = || {
            let since = Instant::now();
            loop {
                // The connections of wait_for may not have left yet.
                let mut client = Client::connect(replica.peer()).unwrap();
                if client.exchange(common::extrato(1)).unwrap().status == 200 {
                    break client;
                }
                assert!(since.elapsed() < GUARD, "{}", replica.log());
            }
        };
        let (mut first, second) = (served(), served());
        let mut third = Client::connect(replica.peer()).unwrap();
        let response = third.exchange(common::extrato(1)).unwrap();
        assert_eq!(response.status, 503, "{response:?}");
        assert_eq!(response.field("retry-after"), Some("1"), "{response:?}");
        assert_eq!(response.field("connection"), Some("close"), "{response:?}");
        assert_eq!(third.receive_end().unwrap(), b"");
        drop(second);
        served();
        assert_eq!(first.exchange(common::extrato(1)).unwrap().status, 200);
    }
}

#[test]
fn idle_connections_cost_little() {
    let postgres = bank();
    let url = postgres.role_url();
    for driver in DRIVERS {
        let listen = free_address().to_string();
        let mut replica = Replica::start(&[
            ("DATABASE_URL", &url),
            ("LISTEN", &listen),
            ("IO_DRIVER", driver.as_str()),
        ]);
        replica.wait_for("/health", 200);
        let before = resident_kib(&replica);
        let connect = |_| Client::connect(replica.peer()).unwrap();
        let mut clients: Vec<Client> = (0..IDLE).map(connect).collect();
        for client in &mut clients {
            assert_eq!(
                client.exchange(common::get("/healthz")).unwrap().status,
                200
            );
        }
        let after = resident_kib(&replica);
        println!("{driver:?}: {before} KiB, with {IDLE} idle connections {after} KiB");
        // This build is not optimized; a request of the greatest size would need 12 KiB.
        assert!(after - before < 12 * IDLE, "{before} KiB to {after} KiB");
    }
}

fn resident_kib(replica: &Replica) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", replica.pid())).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn where_io_uring_is_denied_auto_is_epoll_and_force_is_refused() {
    let postgres = bank();
    let url = postgres.role_url();
    let listen = free_address().to_string();
    let settings = |driver| {
        [
            ("DATABASE_URL", url.as_str()),
            ("LISTEN", listen.as_str()),
            ("IO_DRIVER", driver),
        ]
    };
    let (forced, mut auto) = std::thread::scope(|scope| {
        let denied = scope.spawn(|| {
            // As Docker's default profile has it.
            deny(uapi::c::SYS_io_uring_setup);
            let forced = run(&[], &settings("io_uring"));
            let auto = settings("auto");
            (forced, Replica::start(&auto))
        });
        denied.join().unwrap()
    });
    assert_sentence(&forced, &["IO_DRIVER=io_uring", "not permitted"]);
    let response = auto.wait_for("/health", 200);
    assert_eq!(response.json()["driver"], "epoll", "{}", response.text());
    let log = auto.log();
    let line = log.lines().find(|line| line.contains("epoll"));
    assert!(
        line.is_some_and(|line| line.contains("not permitted")),
        "no reason for epoll:\n{log}"
    );
}

fn bank() -> Postgres {
    let postgres = Postgres::private(&[], &[]).unwrap();
    postgres.apply_sql().unwrap();
    postgres
}

/// It ended with a failure, and a sentence that has these parts, in whatever spelling a variable
/// or a flag has.
fn assert_sentence(ended: &Ended, parts: &[&str]) {
    let plain = |text: &str| text.to_lowercase().replace('-', "_");
    assert!(matches!(ended.status.code(), Some(1..=125)), "{ended:?}");
    let said = plain(&ended.stderr);
    for part in parts {
        assert!(said.contains(&plain(part)), "no {part:?}: {ended:?}");
    }
    assert!(!said.contains("panicked"), "{ended:?}");
}
