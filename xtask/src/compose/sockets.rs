//! Connections: from NGINX to the replicas, as these count them, and what the kernel tells of the
//! containers' sockets: proc(5), /proc/pid/net.

use std::fs;
use std::time::Instant;

use serde::Serialize;

use super::composition::Composition;
use super::container::Container;
use crate::error::Error;

/// What was seen of the sockets.
#[derive(Clone, Debug, Serialize)]
pub(super) struct SocketUse {
    pub upstream: Reuse,
    /// TCP sockets in `TIME_WAIT` in the containers, before and after, NGINX's port aside: there
    /// they are those of clients who asked for the connection to be closed. As long as neighbours
    /// talk over Unix sockets there are none; a composition over TCP that opens a connection for
    /// each request, or for each flight, would show here.
    pub time_wait: (u64, u64),
}

/// Connections from NGINX to the replicas, over the second half of a load that grows in its first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct Reuse {
    pub open_at_half: u64,
    pub open_at_end: u64,
    /// Accepted in between, without those of health checks.
    pub opened: u64,
}

/// What nginx.conf lets NGINX keep (`keepalive`): after a stall of the machine as many requests as
/// waited are under way at once, and so are as many connections. They are opened once, and kept.
const KEPT_MAX: u64 = 256;

impl Reuse {
    /// Between two counts.
    pub fn between(half: &Count, end: &Count) -> Reuse {
        let seconds = end.at.saturating_duration_since(half.at).as_secs();
        // Each replica's health check, once a second at most, and our own question.
        let checks = (seconds + 2) * half.replicas;
        let accepted = end.accepted.saturating_sub(half.accepted);
        Reuse {
            open_at_half: half.open.saturating_sub(half.replicas),
            open_at_end: end.open.saturating_sub(end.replicas),
            opened: accepted.saturating_sub(checks),
        }
    }

    /// Whether `requests`, those of the whole load, were sent on connections that stay. A machine
    /// that stalls for seconds has more requests under way than NGINX keeps connections for: that
    /// is why one for fifty requests is forgiven. Without reuse it is one for each.
    pub fn is_kept(&self, requests: u64) -> bool {
        self.open_at_half > 0 && self.opened <= KEPT_MAX + requests / 50
    }
}

/// What the replicas together say of their connections, at one time.
#[derive(Clone, Debug)]
pub(super) struct Count {
    at: Instant,
    replicas: u64,
    /// The asking ones among them.
    open: u64,
    /// Since the start.
    accepted: u64,
}

impl Count {
    /// Asks each replica for its health.
    ///
    /// # Errors
    /// One does not answer, or has no such figure.
    pub fn ask(composition: &Composition, containers: &[Container]) -> Result<Count, Error> {
        let mut count = Count {
            at: Instant::now(),
            replicas: 0,
            open: 0,
            accepted: 0,
        };
        for health in composition.health(containers)? {
            let figure = |name| {
                let figure = health.get(name).and_then(serde_json::Value::as_u64);
                figure.ok_or_else(|| Error::new(format!("no {name} in {health}")))
            };
            count.replicas += 1;
            count.open += figure("connections")?;
            count.accepted += figure("accepted")?;
        }
        Ok(count)
    }
}

/// TCP sockets in `TIME_WAIT` that have nothing to do with NGINX's port.
///
/// # Errors
/// The kernel does not tell.
pub(super) fn time_wait(containers: &[Container]) -> Result<u64, Error> {
    let mut count = 0;
    for container in containers {
        for table in ["tcp", "tcp6"] {
            count += closing(&read(container, table)?);
        }
    }
    Ok(count)
}

/// What the kernel tells of a container's TCP sockets.
pub(super) fn read(container: &Container, table: &str) -> Result<String, Error> {
    let path = format!("/proc/{}/net/{table}", container.state.pid);
    fs::read_to_string(&path).map_err(Error::while_doing(path))
}

fn closing(table: &str) -> u64 {
    const TIME_WAIT: &str = "06";
    let port = format!(":{:04X}", 9999);
    let is_closing = |(local, remote, state): &(&str, &str, &str)| {
        *state == TIME_WAIT && !local.ends_with(&port) && !remote.ends_with(&port)
    };
    let count = rows(table).filter(is_closing).count();
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// Local addresses that are listened on, loopback's aside: on 127.0.0.11 the engine's own name
/// server is in every container.
pub(super) fn listeners(table: &str) -> impl Iterator<Item = &str> {
    const LISTENING: &str = "0A";
    rows(table).filter_map(|(local, _, state)| {
        let address = local.split(':').next()?;
        let is_loopback = match address.len() {
            8 => address.ends_with("7F"),
            _ => address == "00000000000000000000000001000000",
        };
        (state == LISTENING && !is_loopback).then_some(local)
    })
}

/// Local and remote address, state.
fn rows(table: &str) -> impl Iterator<Item = (&str, &str, &str)> {
    table.lines().skip(1).filter_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        Some((fields.next()?, fields.next()?, fields.next()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_are_those_that_others_reach() {
        let check = |line: &str, expected: &[&str]| {
            let table = format!("  sl  local_address rem_address   st\n{line}");
            assert_eq!(listeners(&table).collect::<Vec<_>>(), expected, "{line}");
        };
        check("   0: 0B00007F:9C41 00000000:0000 0A 0 0", &[]);
        check(
            "   0: 00000000:1538 00000000:0000 0A 0 0",
            &["00000000:1538"],
        );
        check("   0: 020011AC:1538 030011AC:8000 01 0 0", &[]);
        let any = "00000000000000000000000000000000:1538";
        check(&format!("   0: {any} {any} 0A 0 0"), &[any]);
    }

    #[test]
    fn time_wait_of_clients_is_theirs() {
        let check = |line: &str, count: u64| {
            assert_eq!(closing(&format!("head\n{line}\n")), count, "{line}");
        };
        check("   0: 020011AC:270F 030011AC:8000 06 0 0", 0);
        check("   0: 0100007F:8000 0100007F:270F 06 0 0", 0);
        check("   0: 020011AC:8000 030011AC:1F90 06 0 0", 1);
        check("   0: 020011AC:8000 030011AC:1F90 01 0 0", 0);
    }

    #[test]
    fn reuse_is_that_few_are_opened() {
        let start = Instant::now();
        let count = |seconds, open, accepted| Count {
            at: start + std::time::Duration::from_secs(seconds),
            replicas: 2,
            open,
            accepted,
        };
        let check = |half: (u64, u64), end: (u64, u64), opened: u64, is_kept: bool| {
            let half = count(0, half.0, half.1);
            let reuse = Reuse::between(&half, &count(60, end.0, end.1));
            assert_eq!((reuse.opened, reuse.is_kept(10_000)), (opened, is_kept));
        };
        check((12, 1_000), (12, 1_124), 0, true);
        check((12, 1_000), (22, 1_134), 10, true);
        check((12, 1_000), (268, 1_580), 456, true);
        check((12, 1_000), (12, 1_581), 457, false);
        check((12, 1_000), (12, 7_800), 6_676, false);
        // NGINX holds none.
        check((2, 1_000), (2, 1_124), 0, false);
    }
}
