//! What a running replica logs: one line an event, in the format that is asked for.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod common;
mod replica;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Instant;

use common::{Client, get};
use replica::{GUARD, Replica, free_address};
use rustix::process::{Signal, kill_process};
use serde_json::Value;
use xtask::stack::Postgres;

/// Starts a replica with these settings, lets it be asked, and ends it; its log.
fn log(settings: &[(&str, &str)], ask: impl FnOnce(&Postgres, &mut Client)) -> Vec<String> {
    let postgres = Postgres::private(&[], &[]).unwrap();
    postgres.apply_sql().unwrap();
    let listen = free_address().to_string();
    let url = postgres.role_url();
    let secret = url
        .split_once('@')
        .and_then(|(user, _)| user.rsplit_once(':'));
    let (_, secret) = secret.expect("PostgreSQL asks for a password over TCP");
    let mut all = vec![("DATABASE_URL", url.as_str()), ("LISTEN", &listen)];
    all.extend_from_slice(settings);
    let mut replica = Replica::start(&all);
    replica.wait_for("/health", 200);
    let mut client = Client::connect(replica.peer()).unwrap();
    ask(&postgres, &mut client);
    drop(client);
    replica.signal(Signal::TERM);
    assert!(replica.wait().success());
    let log = replica.log();
    assert!(!log.contains(secret), "{log}");
    log.lines().map(str::to_owned).collect()
}

/// Each line as JSON, which it must be, with what every line has.
fn json(lines: &[String]) -> Vec<Value> {
    let read = |line: &String| -> Value {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        for key in ["time", "level", "msg"] {
            assert!(value[key].is_string(), "{key}: {line}");
        }
        value
    };
    lines.iter().map(read).collect()
}

#[test]
fn json_lines_say_the_settings_and_each_request_where_that_is_asked() {
    let settings = [
        ("LOG_FORMAT", "json"),
        ("SLOW_MS", "0"),
        ("MAX_QUEUE", "77"),
    ];
    let lines = log(&settings, |_, client| {
        client.exchange(common::transacao(1, "c", 1, "a")).unwrap();
        client.exchange(common::extrato(9)).unwrap();
        client.exchange(get("/healthz")).unwrap();
    });
    let lines = json(&lines);
    let start = &lines[0];
    assert_eq!(start["msg"], "crebito starts", "{start}");
    assert_eq!(start["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(start["max_queue"], 77);
    assert_eq!(start["slow_ms"], "0");
    assert_eq!(start["admin_listen"], "off");
    let said = |message: &str| lines.iter().filter(|line| line["msg"] == message).count();
    for message in ["the session is up", "draining", "drained"] {
        assert_eq!(said(message), 1, "{message}: {lines:?}");
    }
    let request = |route: &str, status: u16| {
        let mut found = lines
            .iter()
            .filter(|line| line["msg"] == "request" && line["route"] == route);
        let found = found.find(|line| line["status"] == status);
        found.unwrap_or_else(|| panic!("{route} {status}: {lines:?}"))
    };
    for (route, status, flies) in [
        ("transacoes", 200, true),
        ("extrato", 404, true),
        ("health", 200, false),
    ] {
        let line = request(route, status);
        let us = |key: &str| {
            line[key]
                .as_u64()
                .unwrap_or_else(|| panic!("{key}: {line}"))
        };
        let parts = us("queue_us") + us("database_us") + us("write_us");
        assert_eq!(us("total_us"), parts, "{line}");
        assert_eq!(us("database_us") > 0, flies, "{line}");
    }
}

#[test]
fn a_slow_request_is_logged_with_its_parts() {
    let settings = [("LOG_FORMAT", "logfmt"), ("SLOW_MS", "400")];
    let lines = log(&settings, |postgres, client| {
        client.exchange(common::transacao(1, "c", 1, "b")).unwrap();
        let backend = common::backend(|sql| postgres.psql(sql).unwrap());
        kill_process(backend, Signal::STOP).unwrap();
        let since = Instant::now();
        client.send(common::transacao(1, "c", 1, "c")).unwrap();
        while since.elapsed().as_millis() < 500 {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        kill_process(backend, Signal::CONT).unwrap();
        assert_eq!(client.receive().unwrap().status, 200);
        assert!(since.elapsed() < GUARD);
    });
    let slow: Vec<_> = lines
        .iter()
        .filter(|line| line.contains(r#"msg="slow request""#) && line.contains("transacoes"))
        .collect();
    // The one that was held up is the last; on a slow machine another may be slow.
    let slow = slow.last().unwrap_or_else(|| panic!("{lines:?}"));
    let field = |name: &str| {
        let mut pairs = slow.split(' ').filter_map(|pair| pair.split_once('='));
        let found = pairs.find(|(key, _)| *key == name);
        found.unwrap_or_else(|| panic!("{name}: {slow}")).1
    };
    assert_eq!((field("level"), field("status")), ("warn", "200"));
    let us = |name: &str| field(name).parse::<u64>().unwrap();
    assert!(us("database_us") >= 400_000, "{slow}");
    let parts = us("queue_us") + us("database_us") + us("write_us");
    assert_eq!(us("total_us"), parts, "{slow}");
}

#[test]
fn nothing_is_logged_for_a_request_unless_asked() {
    let count = |requests: usize| {
        log(&[], |_, client| {
            for _ in 0..requests {
                client.exchange(common::transacao(1, "c", 1, "d")).unwrap();
            }
        })
        .len()
    };
    assert_eq!(count(0), count(100));
    let quiet = log(&[("LOG", "error")], |_, _| {});
    assert_eq!(quiet, Vec::<String>::new());
}

/// What the sources below `folder` log: the level and the message of each macro call.
fn logged(folder: &Path) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(logged(&path));
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for after in text.split("log::").skip(1) {
            let Some((level, call)) = after.split_once("!(") else {
                continue;
            };
            if !["error", "warn", "info", "debug"].contains(&level) {
                continue;
            }
            let mut depth = 1;
            let closes = |sign: char| {
                depth += i32::from(sign == '(') - i32::from(sign == ')');
                depth == 0
            };
            let call = &call[..call.find(closes).unwrap()];
            // The keys come first, then `;`, then the message.
            let message = call.rsplit('"').nth(1);
            let message = message.unwrap_or_else(|| panic!("{}: {call}", path.display()));
            found.insert((level.to_owned(), message.to_owned()));
        }
    }
    found
}

/// Messages are constant, so that they can be looked for: what varies is in the keys.
#[test]
fn every_message_is_in_the_table_of_the_log() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut logged = logged(&top.join("src"));
    assert!(logged.len() > 10, "{logged:?}");
    for (_, message) in &logged {
        assert!(!message.contains('{'), "{message}");
    }
    // One call has two levels and messages.
    for (level, message) in [("info", "request"), ("warn", "slow request")] {
        logged.insert((level.to_owned(), message.to_owned()));
    }
    let document = fs::read_to_string(top.join("docs/metrics.md")).unwrap();
    let (_, table) = document.split_once("| `msg` | level | when |\n").unwrap();
    let rows = table.lines().skip(1).take_while(|row| row.starts_with('|'));
    let said = rows.map(|row| {
        let mut cells = row.split('|').map(str::trim).skip(1);
        let message = cells.next().unwrap().trim_matches('`').to_owned();
        (cells.next().unwrap().to_owned(), message)
    });
    assert_eq!(said.collect::<BTreeSet<_>>(), logged);
}
