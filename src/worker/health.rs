//! `/health`, and `crebito health`, which asks for it.

use super::metrics::METRICS;
use super::state::Worker;
use crate::config::Listen;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The longest that `crebito health` waits for each step.
const PATIENCE: Duration = Duration::from_secs(3);
/// A session that is up for so long is no news.
const SETTLED_S: u64 = 3;

/// Appends the worker's health as JSON; true when its database session is up.
///
/// `session_s`, `queue` and `in_flight` are this worker's; the other figures are the process',
/// without what other workers have counted since their last tick.
pub(super) fn append_json(out: &mut Vec<u8>, worker: &Worker) -> bool {
    worker.flush();
    let (http, ledger) = (&METRICS.http, &METRICS.ledger);
    let (up_ms, queue, in_flight) = worker.ledger_figures();
    let database = if up_ms.is_some() { "up" } else { "down" };
    let figures = [
        ("session_s", up_ms.unwrap_or(0) / 1000),
        ("workers", figure(worker.settings.workers)),
        ("sessions", gauge(METRICS.database.sessions.get())),
        ("connections", gauge(http.connections.get())),
        ("accepted", http.accepted.get()),
        ("queue", figure(queue)),
        ("in_flight", figure(in_flight)),
        ("flights", ledger.flight_operations.get_sample_count()),
        ("operations", ledger.operations.get()),
        (
            "largest_flight",
            ledger.largest_flight.load(Ordering::Relaxed),
        ),
    ];
    // Writing to a Vec cannot fail.
    let _ = write!(
        out,
        "{{\"database\":\"{database}\",\"driver\":\"{}\"",
        worker.driver
    );
    let _ = write!(out, ",\"draining\":{}", worker.draining());
    for (name, figure) in figures {
        let _ = write!(out, ",\"{name}\":{figure}");
    }
    out.push(b'}');
    up_ms.is_some()
}

fn figure(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn gauge(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// Asks the replica at `listen` how it is. One whose session is settled is asked again `every`
/// later, and the second answer counts: an engine starts each check as a process of its own, in
/// the replica's share of the CPU (docs/api.md), so it should be few of them, but for those that
/// wait for a start or for the end of an outage.
///
/// # Errors
/// A sentence: it cannot be reached, or says that it is not well.
pub fn ask(listen: &Listen, every: Option<Duration>) -> Result<String, String> {
    let health = ask_once(listen)?;
    match every {
        Some(every) if session_s(&health) >= SETTLED_S => {
            std::thread::sleep(every);
            ask_once(listen)
        }
        _ => Ok(health),
    }
}

fn session_s(health: &str) -> u64 {
    let health: serde_json::Value = serde_json::from_str(health).unwrap_or_default();
    health["session_s"].as_u64().unwrap_or(0)
}

fn ask_once(listen: &Listen) -> Result<String, String> {
    let answer = request(listen).map_err(|error| format!("no answer from {listen}: {error}"))?;
    let answer = String::from_utf8_lossy(&answer);
    let body = answer
        .split_once("\r\n\r\n")
        .map_or("", |(_, body)| body)
        .trim()
        .to_owned();
    match answer.split(' ').nth(1) {
        Some("200") => Ok(body),
        Some(status) => Err(format!("{listen} answers {status}: {body}")),
        None => Err(format!("{listen} does not answer HTTP")),
    }
}

fn request(listen: &Listen) -> io::Result<Vec<u8>> {
    match listen {
        Listen::Unix(path) => {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            converse(stream)
        }
        Listen::Tcp(address) => {
            let mut address = address
                .to_socket_addrs()?
                .next()
                .ok_or_else(|| io::Error::other("the name has no address"))?;
            if address.ip().is_unspecified() {
                let loopback = match address.is_ipv4() {
                    true => std::net::Ipv4Addr::LOCALHOST.into(),
                    false => std::net::Ipv6Addr::LOCALHOST.into(),
                };
                address.set_ip(loopback);
            }
            let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            converse(stream)
        }
    }
}

fn converse(mut stream: impl Read + Write) -> io::Result<Vec<u8>> {
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(64 * 1024).read_to_end(&mut answer)?;
    Ok(answer)
}
